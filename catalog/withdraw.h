/* Withdrawing, for what withdraws many at once. */
#ifndef CAT_WITHDRAW_H
#define CAT_WITHDRAW_H

#include "catalog/handle.h"
#include "catalog/record.h"

typedef struct {
    cat_path_key key;
    apr_time_t now;
    cat_standing why;      /* CAT_CHANGED or CAT_PROTECTED */
    const bt_stamp *stale; /* only this version, if not NULL */
    int forget;            /* not even its previous torrent is kept */
    int done;              /* out: 0 if nothing was known of the path, or it was published anew in the meantime */
    int unknown;           /* out: nothing was known of the path */
} cat_withdrawal;

/** One step of a change. @return 0 or LMDB's error */
int cat_withdraw_in(const cat_txn *txn, cat_withdrawal *withdrawal);

#endif
