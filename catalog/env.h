/* Transactions on the catalogue, with all that can happen to them: a map that is too small, a file that was replaced or
 * is damaged, readers that died. Whoever works on the database hands in a function and gets it run. */
#ifndef CAT_ENV_H
#define CAT_ENV_H

#include <apr_pools.h>

#include "catalog/file.h"

/* Made once a process, after the fork. */
typedef struct cat_env cat_env;

/* Lives for one call of a cat_work. */
typedef struct {
    cat_env *env;
    MDB_txn *txn;
    const MDB_dbi *db;        /* CAT_DB_COUNT of them */
    MDB_cursor **hash_cursor; /* reading: one for CAT_DB_HASH that is kept with the transaction; writing: NULL */
} cat_txn;

/**
 * Works in a transaction: 0 commits, everything else (LMDB's, APR's or the system's) gives up. It may be called again
 * for the same request, so it keeps nothing from a call before.
 */
typedef int cat_work(const cat_txn *txn, void *baton);

/** @return why it cannot be had; logged */
apr_status_t cat_env_open(cat_env **env, const char *directory, apr_pool_t *pool);

/** Runs `work` on one state of the database. Any thread, never from within a cat_work.
 * @return APR_NOTFOUND for MDB_NOTFOUND; an error of the database was logged */
apr_status_t cat_env_read(cat_env *env, cat_work *work, void *baton);

/** Runs `work` as one change. @return as cat_env_read; APR_ENOSPC if the disk or quota is full */
apr_status_t cat_env_write(cat_env *env, cat_work *work, void *baton);

/** A number that is another one after each change by any process, and after the file was replaced. Makes no system call
 * (but one a second) and no look-up. Any thread. */
apr_uint64_t cat_env_version(cat_env *env);

/** Logs once in the life of this process that a value of the database does not parse. Any thread. */
void cat_env_note_bad_value(cat_env *env, const char *what);

#endif
