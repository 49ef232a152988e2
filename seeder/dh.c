#include "seeder/dh.h"

#include <openssl/bn.h>

/* The generator is 2. */
static const unsigned char prime[SEED_DH_SIZE] = {
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xC9, 0x0F, 0xDA, 0xA2, 0x21, 0x68, 0xC2, 0x34, 0xC4, 0xC6, 0x62, 0x8B,
    0x80, 0xDC, 0x1C, 0xD1, 0x29, 0x02, 0x4E, 0x08, 0x8A, 0x67, 0xCC, 0x74, 0x02, 0x0B, 0xBE, 0xA6, 0x3B, 0x13, 0x9B, 0x22,
    0x51, 0x4A, 0x08, 0x79, 0x8E, 0x34, 0x04, 0xDD, 0xEF, 0x95, 0x19, 0xB3, 0xCD, 0x3A, 0x43, 0x1B, 0x30, 0x2B, 0x0A, 0x6D,
    0xF2, 0x5F, 0x14, 0x37, 0x4F, 0xE1, 0x35, 0x6D, 0x6D, 0x51, 0xC2, 0x45, 0xE4, 0x85, 0xB5, 0x76, 0x62, 0x5E, 0x7E, 0xC6,
    0xF4, 0x4C, 0x42, 0xE9, 0xA6, 0x3A, 0x36, 0x21, 0x00, 0x00, 0x00, 0x00, 0x00, 0x09, 0x05, 0x63};

/* Numbers of one exchange. */
typedef struct {
    BN_CTX *context;
    BIGNUM *p, *generator, *secret_key, *theirs, *result;
} numbers;

static int open_numbers(numbers *n, const unsigned char *private_key, const unsigned char *theirs)
{
    n->context = BN_CTX_new();
    if (!n->context)
        return 0;
    BN_CTX_start(n->context);
    n->p = BN_CTX_get(n->context);
    n->generator = BN_CTX_get(n->context);
    n->secret_key = BN_CTX_get(n->context);
    n->theirs = BN_CTX_get(n->context);
    n->result = BN_CTX_get(n->context); /* NULL if any of them is */
    return n->result && BN_bin2bn(prime, sizeof prime, n->p) && BN_set_word(n->generator, 2) &&
           BN_bin2bn(private_key, SEED_DH_PRIVATE_SIZE, n->secret_key) && BN_bin2bn(theirs, SEED_DH_SIZE, n->theirs);
}

static void close_numbers(numbers *n)
{
    if (!n->context)
        return;
    if (n->secret_key)
        BN_clear(n->secret_key);
    BN_CTX_end(n->context);
    BN_CTX_free(n->context);
}

/* 2 to p - 2. */
static int is_key(numbers *n)
{
    return BN_cmp(n->theirs, n->generator) >= 0 && BN_sub(n->result, n->p, n->generator) &&
           BN_cmp(n->theirs, n->result) <= 0;
}

static int power(numbers *n, const BIGNUM *base, unsigned char out[SEED_DH_SIZE])
{
    return BN_mod_exp_mont_consttime(n->result, base, n->secret_key, n->p, n->context, NULL) &&
           BN_bn2binpad(n->result, out, SEED_DH_SIZE) == SEED_DH_SIZE;
}

apr_status_t seed_dh_agree(const unsigned char private_key[SEED_DH_PRIVATE_SIZE], const unsigned char theirs[SEED_DH_SIZE],
                           unsigned char ours[SEED_DH_SIZE], unsigned char secret[SEED_DH_SIZE])
{
    numbers n = {0};
    apr_status_t status = APR_ENOMEM;

    if (open_numbers(&n, private_key, theirs)) {
        if (!is_key(&n))
            status = APR_EINVAL;
        else if (power(&n, n.generator, ours) && power(&n, n.theirs, secret))
            status = APR_SUCCESS;
    }
    close_numbers(&n);
    return status;
}
