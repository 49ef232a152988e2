#include "torrentgen/engine.h"

const tg_engine *tg_engine_default(void)
{
    return &tg_engine_openssl;
}
