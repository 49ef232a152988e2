/* Where this server can be reached as a seed, as the tracker tells a client (interface, "The address that the tracker
 * names as the seed"). */
#ifndef BTH_SEED_ADDRESS_H
#define BTH_SEED_ADDRESS_H

#include <httpd.h>

#include "module/shared.h"

enum { BTH_SEEDS_MAX = 16 };

/** Fills in the addresses for the client of an announce. @return how many. Never looks a name up. Any thread. */
int bth_seed_addresses(request_rec *r, trk_address seeds[BTH_SEEDS_MAX]);

/**
 * The same without a request, of no virtual host in particular. Any thread of a child.
 * @param local   the address of ours that the client reached, whatever its port: what counts is the one on which peers reach HTTP there
 * @param client  its own address
 */
int bth_seeds_at(const trk_address *local, const trk_address *client, trk_address seeds[BTH_SEEDS_MAX]);

/**
 * The first port of httpd's own that peers can reach at an address of ours; one for any IPv6 address mostly takes IPv4 as well.
 * Any thread of a child. @return 0: none
 */
apr_uint16_t bth_http_port(const trk_address *local);

/** An APR address in wire form; IPv6 that stands for IPv4 becomes IPv4. */
void bth_wire_address(const apr_sockaddr_t *from, trk_address *to);

/** Private, loopback, link-local, shared (100.64/10) or unique-local. */
int bth_is_private(const trk_address *address);

/**
 * Looks up the names of all virtual hosts and keeps the addresses where every child finds them. Blocks on DNS: only on
 * the steward's thread of the seeder's child.
 */
void bth_resolve_names(bth_names *names, server_rec *first, apr_pool_t *pool);

#endif
