/* Which clients need something else than what everybody gets, by their User-Agent. Pure. */
#ifndef BTH_AGENT_H
#define BTH_AGENT_H

/**
 * Can this client not use a hybrid? Transmission before 4.0 refuses to read one, and aria2 up to 1.36 takes it for another
 * torrent (torrentgen/old_clients.h). They get the hybrid's v1 half, and so share a swarm.
 * @param agent  the header's value, may be NULL
 */
int bth_agent_needs_v1(const char *agent);

#endif
