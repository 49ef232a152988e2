#include "t/unit/torture_memory.h"

#include <stdlib.h>

#include "seeder/loop.h"

static int counted, first, last, armed;
static __thread int spared;

/* What the linker calls by these names. */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
apr_status_t __real_seed_loop_open(seed_loop **loop, const seed_config *config, const seed_limits *limits, int wake,
                                   apr_pool_t *pool);
apr_status_t __wrap_seed_loop_open(seed_loop **loop, const seed_config *config, const seed_limits *limits, int wake,
                                   apr_pool_t *pool);

void torture_arm(int nth, int in_a_row)
{
    spared = 1;
    __atomic_store_n(&counted, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&first, nth, __ATOMIC_SEQ_CST);
    __atomic_store_n(&last, nth + in_a_row - 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&armed, 1, __ATOMIC_SEQ_CST);
}

int torture_disarm(void)
{
    __atomic_store_n(&armed, 0, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&counted, __ATOMIC_SEQ_CST);
}

static int fails(void)
{
    int nth;

    if (spared || !__atomic_load_n(&armed, __ATOMIC_SEQ_CST))
        return 0;
    nth = __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
    return nth >= __atomic_load_n(&first, __ATOMIC_SEQ_CST) && nth <= __atomic_load_n(&last, __ATOMIC_SEQ_CST);
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

/* A seeder that cannot even begin is no matter of one peer. */
apr_status_t __wrap_seed_loop_open(seed_loop **loop, const seed_config *config, const seed_limits *limits, int wake,
                                   apr_pool_t *pool)
{
    apr_status_t status;

    spared++;
    status = __real_seed_loop_open(loop, config, limits, wake, pool);
    spared--;
    return status;
}
