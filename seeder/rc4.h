/* RC4, as message stream encryption has it: for obfuscation, not for secrecy. Pure. */
#ifndef SEED_RC4_H
#define SEED_RC4_H

#include <apr_general.h>

/* The whole state, which hand-over records carry as it is. */
typedef struct {
    unsigned char s[256];
    unsigned char i, j;
} seed_rc4;

/** @param length  bytes of the key, 1 to 256 */
void seed_rc4_init(seed_rc4 *state, const unsigned char *key, apr_size_t length);

/** Encrypts or decrypts. @param to  may be `from` */
void seed_rc4_apply(seed_rc4 *state, unsigned char *to, const unsigned char *from, apr_size_t length);

/** Turns the state back by so many bytes: what was encrypted and not sent is then encrypted again. */
void seed_rc4_rewind(seed_rc4 *state, apr_size_t length);

/** Could this be a state? Else it is damaged. */
int seed_rc4_is_sound(const seed_rc4 *state);

#endif
