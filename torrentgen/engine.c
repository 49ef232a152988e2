#include "torrentgen/engine.h"

#include "config.h"

const tg_engine *tg_engine_default(void)
{
#ifdef HAVE_IPSEC_MB
    tg_hasher *hasher;

    if (tg_engine_ipsecmb.create(&hasher) == APR_SUCCESS) {
        tg_engine_ipsecmb.destroy(hasher);
        return &tg_engine_ipsecmb;
    }
#endif
    return &tg_engine_openssl;
}
