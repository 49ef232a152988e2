/* UTF-8 (RFC 3629), for names that come from a filesystem and may be anything. Pure. */
#ifndef BT_UTF8_H
#define BT_UTF8_H

/**
 * Length in bytes of the sequence at `at`, or 0 if there is none: a stray byte, an overlong form, a surrogate, beyond
 * U+10FFFF. Reads no further than the first byte that does not fit, so a NUL ends it.
 */
int bt_utf8_length(const unsigned char *at);

/** The code point of the sequence at `at`, for which bt_utf8_length said `length` (1 to 4). */
unsigned long bt_utf8_code(const unsigned char *at, int length);

#endif
