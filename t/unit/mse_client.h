/* The side that calls in message stream encryption: by steps for unit tests, or at once on a socket for benches. Built on
 * the seeder's own numbers, so it proves nothing by itself: t/httpd has real clients and t/httpd/mse.py. */
#ifndef MSE_CLIENT_H
#define MSE_CLIENT_H

#include "seeder/mse.h"

typedef struct {
    bt_infohash key; /* SKEY */
    unsigned char private_key[SEED_DH_PRIVATE_SIZE];
    unsigned char ours[SEED_DH_SIZE]; /* Ya */
    unsigned char secret[SEED_DH_SIZE];
    seed_rc4 out; /* what we say */
    seed_rc4 in;  /* what we hear */
} mse_client;

/** Makes Ya. @return 0 on failure */
int mse_client_init(mse_client *client, const bt_infohash *key, const unsigned char private_key[SEED_DH_PRIVATE_SIZE]);

/** Takes Yb. @return 0 on failure */
int mse_client_agree(mse_client *client, const unsigned char theirs[SEED_DH_SIZE]);

/** Appends all of step 3: hashes, VC, crypto_provide, a PadC of zeros, and IA, encrypted. */
void mse_client_offer(mse_client *client, bt_buf *to, unsigned provide, apr_size_t pad_c, const void *ia, apr_size_t ia_length);

/** What our VC looks like in their answer; `in` is past it then. */
void mse_client_marker(mse_client *client, unsigned char marker[8]);

/**
 * The whole handshake on a connected, blocking socket; IA is empty. Reads not a byte beyond it.
 * @param provide  SEED_MSE_PLAIN, SEED_MSE_RC4 or both
 * @return what was selected: with SEED_MSE_RC4 all that follows goes through client->out and client->in; 0 on failure
 */
unsigned mse_client_shake(mse_client *client, int socket, const bt_infohash *key, unsigned provide);

#endif
