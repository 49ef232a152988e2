#include "module/random.h"

#include <apr_siphash.h>
#include <openssl/rand.h>
#include <pthread.h>

/* Numbers in turn, hashed with a secret of this process; the parent never draws any, so no two children have the same. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned char secret[APR_SIPHASH_KSIZE];
static apr_uint64_t drawn;

static void draw_secret(void)
{
    RAND_bytes(secret, sizeof secret);
}

apr_uint64_t bth_random(void)
{
    apr_uint64_t number = __atomic_fetch_add(&drawn, 1, __ATOMIC_RELAXED);

    pthread_once(&once, draw_secret);
    return apr_siphash24(&number, sizeof number, secret);
}
