/* Keeps what a process has mapped of the catalogue from growing with what it looked at. */
#ifndef CAT_RESIDENT_H
#define CAT_RESIDENT_H

#include <lmdb.h>

/** Bytes of files and shared memory that this process has in its page table; 0 if that cannot be told. */
long long cat_resident_bytes(void);

/**
 * Takes the map's pages out of this process's page table. They stay in the page cache, where the next look finds them.
 * The map must not be replaced meanwhile; reading goes on.
 */
void cat_resident_drop(MDB_env *mdb);

#endif
