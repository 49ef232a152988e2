/* The database file: found sound, set aside if not, and opened, by one process at a time. */
#ifndef CAT_FILE_H
#define CAT_FILE_H

#include <sys/types.h>

#include <apr_errno.h>
#include <lmdb.h>

typedef enum {
    CAT_DB_LAYOUT,   /* "layout" -> magic and layout version */
    CAT_DB_PATH,     /* path key -> record */
    CAT_DB_HASH,     /* info-hash, withdrawn (0 or 1), path key -> nothing: published ones sort first */
    CAT_DB_TORRENT,  /* path key -> infodict */
    CAT_DB_LAYER,    /* path key -> v2 piece layer */
    CAT_DB_GONE,     /* info-hash -> why and when */
    CAT_DB_GONE_AGE, /* when (big-endian), info-hash -> nothing: the oldest sorts first */
    CAT_DB_MEMBERS,  /* path key of a collection -> its members: members.h */
    CAT_DB_NEWEST,   /* site, when published (inverted, big-endian), path key -> nothing: the newest sorts first */
    CAT_DB_OBFUSCATED, /* SHA1("req2", info-hash), path key of a published file -> nothing */
    CAT_DB_PREVIOUS, /* path key of a collection that was withdrawn -> when, and its info-hashes */
    CAT_DB_COUNT
} cat_db;

/* An open database file. */
typedef struct {
    MDB_env *mdb; /* NULL: closed */
    MDB_dbi db[CAT_DB_COUNT];
    int use_fd; /* catalog.lock: holds the lock that says "in use" */
    dev_t device;
    ino_t inode;
} cat_file;

typedef enum {
    CAT_OPEN_FIRST,  /* of this process: damage and other layouts are set aside */
    CAT_OPEN_AGAIN,  /* the file was replaced: another layout is left to its new owner */
    CAT_OPEN_DAMAGED /* what `file` was is damaged: set it aside unless another process did so already */
} cat_open_reason;

/**
 * Opens `directory`/catalog.mdb. `file` must be closed (all zero, or after cat_file_close).
 * @return an APR or LMDB error that was logged
 */
int cat_file_open(cat_file *file, const char *directory, cat_open_reason reason);

/** Closes it; device and inode are kept for cat_file_open. No transaction may be alive. */
void cat_file_close(cat_file *file);

/**
 * Before and after each change to it: excludes the writers of all other processes, but not this one's own threads.
 * @return 0, or why there must be no change (and no cat_file_end_change)
 */
int cat_file_begin_change(cat_file *file);
void cat_file_end_change(cat_file *file);

/** Does this LMDB error mean that the file itself is bad? */
int cat_is_damage(int rc);

/** The smallest map, of 64 MiB times a power of two, that leaves a quarter free after `used` bytes. */
apr_size_t cat_map_size_for(apr_size_t used);

#endif
