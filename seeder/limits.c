#include "seeder/limits.h"

#include "seeder/wire.h"

/* docs/protocol.md ("Limits") tells admins of these. */
const seed_limits seed_limits_default = {
    .handshake = 20 * APR_USEC_PER_SEC,
    .idle = 150 * APR_USEC_PER_SEC,
    .keep_alive = 90 * APR_USEC_PER_SEC,
    .stalled = 60 * APR_USEC_PER_SEC,
    .stalled_least = 16 * 1024,
    .seed_grace = 10 * APR_USEC_PER_SEC,
    .pex_first = 2 * APR_USEC_PER_SEC,
    .pex = 60 * APR_USEC_PER_SEC,
    .turn = 10 * APR_USEC_PER_SEC,
    .freshness = APR_USEC_PER_SEC,
    .file_idle = 20 * APR_USEC_PER_SEC,
    .fetched = APR_USEC_PER_SEC,
    .tick = APR_USEC_PER_SEC,
    .ask = APR_USEC_PER_SEC / 20,
    .handover = 3 * APR_USEC_PER_SEC,
    .lock = APR_USEC_PER_SEC / 5,
    .heir = APR_USEC_PER_SEC / 200,
    .siblings = APR_USEC_PER_SEC / 4, /* more than `lock`, so that they have seen that it retires */
    .retire = 2 * APR_USEC_PER_SEC,
    .quantum = 32 * (PW_PIECE_HEADER + 16 * 1024),
    .requests = 2000,
    .rules = {
        [SEED_RULE_USELESS] = {4000, APR_USEC_PER_SEC / 200},
        [SEED_RULE_HAVE] = {2000, APR_USEC_PER_SEC / 100},
        [SEED_RULE_METADATA] = {16 * SEED_RULE_METADATA_COPY, APR_USEC_PER_SEC / 16},
        [SEED_RULE_PEX] = {10, 30 * APR_USEC_PER_SEC},
        [SEED_RULE_HASHES] = {8192, APR_USEC_PER_SEC / 100},
        [SEED_RULE_REQUEST] = {24000, APR_USEC_PER_SEC / 400},
    },
    .key_exchanges = {256, APR_USEC_PER_SEC / 256},
    .ban = {8, 600 * APR_USEC_PER_SEC, 1800 * APR_USEC_PER_SEC},
    .crowd = 4,
    .swarm_share = 4,
    .disk = &seed_disk_kernel,
};
