/* The initiator's half of message stream encryption for bench/drain: RC4 is offered and nothing else, no padding, no
 * initial payload. On a socket that blocks, since nothing is measured yet. */
#include "bench/drain.h"

#include <openssl/bn.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { PATIENCE = 5, /* seconds */ KEY = 96, SECRET = 20, VC = 8, RC4_DISCARD = 1024, PAD_MAX = 512, CRYPTO_RC4 = 2 };

static const char prime[] = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
                            "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563";

static int read_all(const drain_conn *c, unsigned char *to, size_t length)
{
    ssize_t n = length ? recv(c->fd, to, length, MSG_WAITALL) : 0; /* of nothing, it would wait for something */

    return n == (ssize_t)length;
}

static void hash_of(unsigned char out[20], const char *label, const unsigned char *a, size_t a_length,
                    const unsigned char *b, size_t b_length)
{
    unsigned char all[4 + KEY + SECRET];

    memcpy(all, label, 4);
    memcpy(all + 4, a, a_length);
    if (b_length)
        memcpy(all + 4 + a_length, b, b_length);
    SHA1(all, 4 + a_length + b_length, out);
}

static void start_key(RC4_KEY *key, const char *label, const unsigned char *secret)
{
    unsigned char digest[20], discarded[RC4_DISCARD] = {0};

    hash_of(digest, label, secret, KEY, options.hash, sizeof options.hash);
    RC4_set_key(key, sizeof digest, digest);
    RC4(key, sizeof discarded, discarded, discarded);
}

/* Exchanges the public keys. */
static int agree(const drain_conn *c, unsigned char secret[KEY])
{
    BIGNUM *p = NULL, *g = BN_new(), *x = BN_new(), *y = BN_new();
    BN_CTX *context = BN_CTX_new();
    unsigned char key[KEY];
    int done;

    if (!BN_hex2bn(&p, prime) || !BN_set_word(g, 2) || !BN_rand(x, SECRET * 8, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) ||
        !BN_mod_exp(y, g, x, p, context) || BN_bn2binpad(y, key, KEY) != KEY)
        drain_die("no key");
    done = send(c->fd, key, KEY, MSG_NOSIGNAL) == KEY && read_all(c, key, KEY);
    if (done && (!BN_bin2bn(key, KEY, y) || !BN_mod_exp(y, y, x, p, context) || BN_bn2binpad(y, secret, KEY) != KEY))
        drain_die("no secret");
    BN_free(p);
    BN_free(g);
    BN_free(x);
    BN_free(y);
    BN_CTX_free(context);
    return done;
}

/* HASH('req1', S), HASH('req2', SKEY) ^ HASH('req3', S), then encrypted: VC, what we offer, no padding, no payload. */
static void offer(drain_conn *c, const unsigned char *secret)
{
    unsigned char hashes[40], mask[20], rest[VC + 4 + 2 + 2] = {0};
    int i;

    hash_of(hashes, "req1", secret, KEY, NULL, 0);
    hash_of(hashes + 20, "req2", options.hash, sizeof options.hash, NULL, 0);
    hash_of(mask, "req3", secret, KEY, NULL, 0);
    for (i = 0; i < 20; i++)
        hashes[20 + i] ^= mask[i];
    send(c->fd, hashes, sizeof hashes, MSG_NOSIGNAL | MSG_MORE); /* if it fails, reading will tell */
    rest[VC + 3] = CRYPTO_RC4;
    drain_send(c, rest, sizeof rest);
}

/* The seed's padding is of unknown length; its encrypted VC tells where it ends. */
static int find_answer(drain_conn *c)
{
    unsigned char sought[VC] = {0}, window[VC], rest[6], padding[PAD_MAX];
    int passed;
    size_t length;

    RC4(&c->keys->from_seed, VC, sought, sought);
    if (!read_all(c, window, VC))
        return 0;
    for (passed = 0; memcmp(window, sought, VC) != 0; passed++) {
        memmove(window, window + 1, VC - 1);
        if (passed == PAD_MAX || !read_all(c, window + VC - 1, 1))
            return 0;
    }
    if (!read_all(c, rest, sizeof rest))
        return 0;
    RC4(&c->keys->from_seed, sizeof rest, rest, rest);
    length = (size_t)rest[4] << 8 | rest[5];
    if (rest[3] != CRYPTO_RC4 || length > sizeof padding)
        drain_die("the seed chooses what was not offered");
    if (!read_all(c, padding, length))
        return 0;
    RC4(&c->keys->from_seed, length, padding, padding);
    return 1;
}

int drain_encrypt(drain_conn *c)
{
    struct timeval patience = {.tv_sec = PATIENCE};
    unsigned char secret[KEY];

    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (!c->keys)
        c->keys = malloc(sizeof *c->keys);
    if (!c->keys)
        drain_die("out of memory");
    if (!agree(c, secret))
        return 0;
    start_key(&c->keys->to_seed, "keyA", secret);
    start_key(&c->keys->from_seed, "keyB", secret);
    offer(c, secret);
    return find_answer(c);
}
