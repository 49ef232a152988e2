/* In place of store.c where there is no hiredis. */
#include "module/store.h"

int bth_store_is_built(void)
{
    return 0;
}

apr_status_t bth_store_create(apr_pool_t *pool)
{
    (void)pool;
    return APR_SUCCESS;
}

void bth_store_start(void)
{
}

void bth_store_leave(void)
{
}

void bth_store_stop(apr_interval_time_t limit)
{
    (void)limit;
}
