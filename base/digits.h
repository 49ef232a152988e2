/* Decimal numbers as people write them into settings. Pure. */
#ifndef BT_DIGITS_H
#define BT_DIGITS_H

#include <apr.h>

/**
 * Reads decimal digits only: no sign, no space, no overflow.
 * @return the first character after them; NULL if there is none, or the number is too large
 */
const char *bt_read_digits(const char *text, apr_int64_t *value);

#endif
