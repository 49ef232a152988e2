/* May a peer be named to the one that asks? Looked at for each of all that are met, hence inline. Internal to the tracker. */
#ifndef TRK_FITS_H
#define TRK_FITS_H

#include <string.h>

#include "tracker/address.h"
#include "tracker/client.h"
#include "tracker/shard.h"

/** Is this address this server's own seed, by any port that somebody may be told? */
static inline int trk_is_own_seed(const trk_asking *asking, const unsigned char *wire, int is_v6)
{
    for (int i = 0; i < asking->seed_count; i++) {
        const trk_address *seed = &asking->seeds[i];
        int port;

        if (seed->is_v6 != is_v6 || (is_v6 ? memcmp(seed->ip, wire, 16) : memcmp(seed->ip, wire, 4)) != 0)
            continue;
        port = is_v6 ? wire[16] << 8 | wire[17] : wire[4] << 8 | wire[5];
        if (port == seed->port || (port == asking->second_port && trk_is_http_port(seed->port)))
            return 1;
    }
    return 0;
}

static inline int trk_is_self(const trk_asking *asking, const unsigned char *wire, int is_v6)
{
    return is_v6 == asking->self->is_v6 &&
           (is_v6 ? memcmp(wire, asking->self->wire, 18) : memcmp(wire, asking->self->wire, 6)) == 0;
}

/** May the one that asks be told of this address, whoever has it? */
static inline int trk_can_be_told(const trk_asking *asking, const unsigned char *wire, int is_v6)
{
    return !trk_is_self(asking, wire, is_v6) && (!asking->one_family || is_v6 == asking->self->is_v6);
}

/**
 * May the one that asks be told of this peer? That seeds are not named to seeds is not looked at here.
 * @param wire  with its port
 */
static inline int trk_fits(const unsigned char *wire, int is_v6, uint32_t seen, const trk_asking *asking)
{
    return trk_can_be_told(asking, wire, is_v6) && !trk_is_own_seed(asking, wire, is_v6) &&
           trk_age(seen, asking->now) <= asking->limit &&
           (asking->allow_private || !trk_address_is_private(wire, is_v6));
}

#endif
