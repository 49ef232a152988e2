/* Decimal numbers: as people write them into settings, and as bencoding has them. Pure. */
#ifndef BT_DIGITS_H
#define BT_DIGITS_H

#include <apr.h>

/**
 * Reads decimal digits only: no sign, no space, no overflow.
 * @return the first character after them; NULL if there is none, or the number is too large
 */
const char *bt_read_digits(const char *text, apr_int64_t *value);

enum { BT_DIGITS_MAX = 20 /* of any number */ };

/** Writes a number's digits up to `end`, and no zero byte. @return the first of them: at most BT_DIGITS_MAX before the end */
char *bt_write_digits(char *end, apr_uint64_t value);

#endif
