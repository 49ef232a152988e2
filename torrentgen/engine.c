#include "torrentgen/engine.h"

#include "config.h"

#ifdef HAVE_IPSEC_MB
static int works(const tg_engine *engine)
{
    tg_hasher *hasher;

    if (engine->create(&hasher) != APR_SUCCESS)
        return 0;
    engine->destroy(hasher);
    return 1;
}
#endif

const tg_engine *tg_engine_default(void)
{
#ifdef HAVE_IPSEC_MB
    if (works(&tg_engine_avx512))
        return &tg_engine_avx512;
    if (tg_engine_avx2_is_best() && works(&tg_engine_avx2))
        return &tg_engine_avx2;
#endif
    return &tg_engine_openssl;
}
