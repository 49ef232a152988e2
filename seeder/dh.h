/* The key exchange of message stream encryption: Diffie-Hellman with a prime of 768 bits. */
#ifndef SEED_DH_H
#define SEED_DH_H

#include <apr_errno.h>
#include <apr_general.h>

enum {
    SEED_DH_SIZE = 96,        /* bytes of a public key, and of the secret; big-endian, with leading zeros */
    SEED_DH_PRIVATE_SIZE = 20 /* bytes of a private key */
};

/**
 * Makes our public key and the secret of both sides. Costs some 150 microseconds.
 * @param private_key  random bytes
 * @return APR_EINVAL if their key is none, or one that leaves no secret (0, 1, p-1 and whatever is not below p);
 *         APR_ENOMEM
 */
apr_status_t seed_dh_agree(const unsigned char private_key[SEED_DH_PRIVATE_SIZE], const unsigned char theirs[SEED_DH_SIZE],
                           unsigned char ours[SEED_DH_SIZE], unsigned char secret[SEED_DH_SIZE]);

#endif
