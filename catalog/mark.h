/* The mark: what is known of the state of the database file, kept in catalog.lock, so that opening need not look
 * through all of it.
 *
 * Each change is noted before and after. Whoever opens the file alone thereby knows that nobody else wrote to it, and
 * that the machine did not crash since: LMDB's own order of writing is then enough, even if all processes were killed.
 */
#ifndef CAT_MARK_H
#define CAT_MARK_H

#include <apr_general.h>

/**
 * Is the file as we left it? Only for who has it alone. What is trusted too often without anybody having closed the
 * file properly since is not: a file that crashes its readers is looked through at last.
 * @param lock  descriptor of catalog.lock
 * @param data  of catalog.mdb
 * @param txn   number of its newest state
 */
int cat_mark_trusts(int lock, int data, apr_uint64_t txn);

/** The file was just found sound, or made. */
void cat_mark_sound(int lock, int data, apr_uint64_t txn);

/**
 * Before a change, under the writers' lock. If somebody else wrote, that is noted; and the first change after a clean
 * close waits until the disk knows that the file is no longer clean.
 * @return 0, or why it cannot be noted: there must be no change then
 */
int cat_mark_begin(int lock, int data);

/** After a change or after giving one up, under the same lock. */
void cat_mark_end(int lock, int data, apr_uint64_t txn);

/** The last one that has it closes it, and has synced it: it is still good after a reboot. */
void cat_mark_close(int lock, int data, apr_uint64_t txn);

#endif
