/* A link to a redis: one connection for commands, and one that hears bulletins. Every wait has a limit, but that for the resolver of
 * names. One thread. */
#ifndef TRK_REDIS_LINK_H
#define TRK_REDIS_LINK_H

#include <hiredis/hiredis.h>

#include "tracker/announce.h"
#include "tracker/redis_place.h"

enum { TRK_REDIS_WAIT_MS = 1000 /* the longest for a connection, and for an answer */, TRK_LINK_WHY = 160 };

typedef struct {
    redisContext *commands, *bulletins; /* both NULL: there is no link */
    trk_address local;                  /* ours, as redis sees it, without port */
    apr_int64_t ahead;                  /* seconds: redis's clock against ours */
    apr_time_t proven;                  /* when redis last answered on `commands`, */
    apr_time_t asked, heard;            /* when it was last asked to on `bulletins`, and when something last came there */
    char why[TRK_LINK_WHY];             /* what went wrong, in words; "": nothing */
} trk_redis_link;

/** Connects both, logs in, selects the database and subscribes. @return 0 if it failed: see `why` */
int trk_link_open(trk_redis_link *link, const trk_redis_place *place, apr_time_t now);
void trk_link_close(trk_redis_link *link);

/** Takes the next answer, which is the caller's. @return NULL if none came: the link is lost, see `why` */
redisReply *trk_link_reply(trk_redis_link *link);

/** Has this been sent, and does the other end live? Asks it once in a while. @return 0 if the link is lost */
int trk_link_prove(trk_redis_link *link, apr_time_t now);

/**
 * Takes the next bulletin that has come, without waiting.
 * @return the message, which is the caller's; NULL if there is none, or the link is lost: see `why`
 */
redisReply *trk_link_hear(trk_redis_link *link, apr_time_t now);

#endif
