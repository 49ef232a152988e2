/* Where a redis is, as BTHTTPTrackerStore says it. Pure. */
#ifndef TRK_REDIS_PLACE_H
#define TRK_REDIS_PLACE_H

enum { TRK_REDIS_PORT = 6379 };

typedef struct {
    char host[256]; /* a name or an address, IPv6 without brackets */
    int port;
    char user[128], password[512]; /* "": none */
    int database;
} trk_redis_place;

/**
 * Reads redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]; user and password may have %XX.
 * @return NULL, or a constant phrase that says what is wrong
 */
const char *trk_redis_place_read(const char *url, trk_redis_place *place);

#endif
