/* Reads parts of one version of a file for hashing: what comes next is on its way from the disk meanwhile, and what was not in
 * the page cache before is taken out of it afterwards, so that hashing a large file does not displace what is being served. */
#ifndef TG_INTAKE_H
#define TG_INTAKE_H

#include "base/stamp.h"

/* Used by one thread at a time. Offsets and lengths are in bytes. */
typedef struct {
    int fd;
    apr_int64_t start, end;  /* what is going to be read */
    unsigned char *granules; /* of that range: whether it was cached when it was first looked at */
    apr_size_t count;
} tg_intake;

/**
 * Opens a file to read from `start` to `end`. Never waits for the other end of a FIFO. A link may be followed: whoever asked for
 * the path has checked it, and another file there has another stamp.
 * @return APR_EBUSY if it is not the version with that stamp, APR_ENOMEM, or as open(2); close it only if APR_SUCCESS
 */
apr_status_t tg_intake_open(tg_intake *intake, const char *path, const bt_stamp *stamp, apr_int64_t start, apr_int64_t end);
void tg_intake_close(tg_intake *intake);

/** Begins to fetch a part from the disk if it is not in memory. To be called before any of it is read. What lies outside of
 * `start` to `end` is left out. */
void tg_intake_ahead(tg_intake *intake, apr_int64_t offset, apr_int64_t length);

/** @return APR_EBUSY if the file ends before, or as read(2) */
apr_status_t tg_intake_read(tg_intake *intake, unsigned char *to, apr_size_t length, apr_int64_t offset);

/** A part has been read and is not needed again; closing the intake says so of all. */
void tg_intake_behind(tg_intake *intake, apr_int64_t offset, apr_int64_t length);

#endif
