/* Addresses that are refused for a while because they broke rules of malice several times. A bounded table in the page
 * of counters, so that bans outlive the seeder that imposed them. Only the seeder's thread writes it; for a moment two
 * do, when one leaves: at worst a ban is forgotten. No clock: time comes in, monotonic. */
#ifndef SEED_BANS_H
#define SEED_BANS_H

#include <apr_siphash.h>
#include <apr_time.h>

#include "seeder/addresses.h"

enum { SEED_BAN_SETS = 128, SEED_BAN_WAYS = 8 };

/* When an address is banned, and for how long. */
typedef struct {
    apr_uint32_t faults;        /* so many */
    apr_interval_time_t within; /* in this time */
    apr_interval_time_t lasts;
} seed_ban_bound;

/* An address that has broken a rule. */
typedef struct {
    apr_uint64_t bits; /* of seed_address */
    apr_uint32_t family;
    apr_uint32_t faults; /* since `first` */
    apr_int64_t first;   /* apr_time_t of the first of them; 0: nobody's place */
    apr_int64_t until;   /* apr_time_t of the end of its ban; 0: none */
} seed_ban;

/* An address has its place in one of eight, drawn by a secret: nobody can push a certain other one out. */
typedef struct {
    unsigned char key[APR_SIPHASH_KSIZE];
    seed_ban places[SEED_BAN_SETS][SEED_BAN_WAYS];
} seed_bans;

/** @param bans  all zero */
void seed_bans_init(seed_bans *bans);

/** An address broke a rule of malice. @return 1 if it is banned for that, from now on */
int seed_bans_note(seed_bans *bans, const seed_address *address, const seed_ban_bound *bound, apr_time_t now);

/** Is it banned now? */
int seed_bans_refuses(const seed_bans *bans, const seed_address *address, apr_time_t now);

/** How many are. Any thread. */
int seed_bans_count(const seed_bans *bans, apr_time_t now);

#endif
