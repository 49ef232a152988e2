/* Reading and writing the integers and sections of hand-over records; see handover.h. */
#ifndef SEED_RECORD_H
#define SEED_RECORD_H

#include "base/buf.h"
#include "seeder/requests.h"

/* Gives zeros past its end and remembers that it did. Points into the record. */
typedef struct {
    const unsigned char *at, *end;
    int broken;
} seed_record;

/** @return NULL if fewer bytes are left */
const unsigned char *seed_take(seed_record *in, apr_size_t length);
/** Takes all that is left. */
const unsigned char *seed_take_rest(seed_record *in, apr_size_t *length);
apr_uint32_t seed_take_u32(seed_record *in);
apr_uint64_t seed_take_u64(seed_record *in);
seed_block seed_take_block(seed_record *in);

/** The next counted string, as a reader of its own. */
seed_record seed_take_string(seed_record *in);

/* Failures stick in out->status. */
void seed_put_u32(bt_buf *out, apr_uint32_t value);
void seed_put_u64(bt_buf *out, apr_uint64_t value);
void seed_put_block(bt_buf *out, const seed_block *block);

#endif
