/* The values that directives take: sizes, rates, addresses. Pure, strict: what makes no sense is refused with a reason. */
#ifndef BTH_VALUES_H
#define BTH_VALUES_H

#include <apr_general.h>

#include "tracker/announce.h"

/**
 * Reads "4096", "16K", "1M", "2G" (bytes).
 * @return NULL, or a constant phrase that says what is wrong
 */
const char *bth_read_size(const char *text, apr_int64_t *bytes);

/** Reads a decimal number between `least` and `most`. */
const char *bth_read_number(const char *text, int least, int most, int *number);

/**
 * Reads "PORT", "ADDR:PORT", "ADDR" or "[V6]:PORT", numeric only.
 * @param address  its port is 0 if none was given
 * @param has_ip   set to 0 if only a port was given
 */
const char *bth_read_address(const char *text, trk_address *address, int *has_ip);

#endif
