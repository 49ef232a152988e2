/* Is a file a sound LMDB database? LMDB itself trusts what it reads, and crashes on a file that was cut or scribbled
 * on. */
#ifndef CAT_VERIFY_H
#define CAT_VERIFY_H

#include <apr_general.h>

/**
 * Looks at the parts of the heads that never change: safe while others write.
 * @param txn  set to the number of the newest state; may be NULL
 * @return NULL if they are sound, else a constant phrase that says what is wrong
 */
const char *cat_verify_head(int fd, apr_uint64_t *txn);

/**
 * Walks all pages that the newest state can reach, and its list of free ones. Nobody may have the file open. Contents
 * of large values are not read: they carry a checksum of their own.
 * @return as cat_verify_head
 */
const char *cat_verify_pages(int fd);

#endif
