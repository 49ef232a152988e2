/* How much one peer may do of what costs us something and brings nobody anything: a bucket for each rule, which empties
 * with each such act and fills with time. No I/O, no clock, no memory of its own: 56 bytes in each peer. */
#ifndef SEED_RULES_H
#define SEED_RULES_H

#include <apr_time.h>

#include "seeder/counters.h"

/* What is counted, and in which unit. */
typedef enum {
    SEED_RULE_USELESS,  /* a message that brings nothing: keep-alives, repeats, extensions that we did not announce */
    SEED_RULE_HAVE,     /* news of its pieces that are none: a HAVE said before, a piece lost again, a bitfield (1 for each 16 KiB) */
    SEED_RULE_METADATA, /* parts of the infodict: see SEED_RULE_METADATA_COPY */
    SEED_RULE_PEX,      /* a message of ut_pex */
    SEED_RULE_HASHES,   /* a hash request; 1 more for each 64 KiB that must be read, or 64 hashes computed, to answer it */
    SEED_RULE_REQUEST,  /* a request that cannot be served (choked, too many), or is cancelled */
    SEED_RULE_COUNT
} seed_rule;

/* What a whole infodict costs by SEED_RULE_METADATA; each of its parts costs 1/parts of it, and at least 1. */
enum { SEED_RULE_METADATA_COPY = 256 };

typedef struct {
    apr_int32_t at_once;      /* units */
    apr_interval_time_t each; /* until one more is allowed, microseconds */
} seed_rule_bound;

/* All zero but for `bounds`, every bucket is full. */
typedef struct {
    const seed_rule_bound *bounds;    /* SEED_RULE_COUNT of them */
    apr_time_t full[SEED_RULE_COUNT]; /* when the bucket will be full again */
} seed_rules;

/**
 * Takes units out of a bucket.
 * @param full  when it will be full again; 0: it is
 * @return 0 if that is more than there is: nothing was taken
 */
int seed_bucket_spend(apr_time_t *full, const seed_rule_bound *bound, apr_uint32_t units, apr_time_t now);

/** @param bounds  SEED_RULE_COUNT of them, which outlive the rules */
void seed_rules_init(seed_rules *rules, const seed_rule_bound *bounds);

/** One unit. @return 0 if that is more than the rule allows: close for seed_rule_reason() */
int seed_rules_spend(seed_rules *rules, seed_rule rule, apr_time_t now);

/** The same for several units at once. */
int seed_rules_spend_many(seed_rules *rules, seed_rule rule, apr_uint32_t units, apr_time_t now);

/** Gives one unit back: it did something of use. */
void seed_rules_earn(seed_rules *rules, seed_rule rule);

/** Why a peer is closed that broke it. */
seed_close_reason seed_rule_reason(seed_rule rule);

#endif
