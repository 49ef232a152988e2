#include "seeder/answer.h"

#include "base/log.h"
#include "seeder/answer_hashes.h"
#include "seeder/metadata.h"

apr_status_t seed_know(seed_loop *loop, seed_swarm *swarm)
{
    return seed_knowledge_get(&loop->library, loop->config->catalog, &swarm->entry, &swarm->knowledge, loop->now);
}

static apr_status_t find_infodict(seed_loop *loop, seed_swarm *swarm, seed_known_by by, const unsigned char **infodict,
                                  apr_size_t *length)
{
    apr_status_t status = seed_know(loop, swarm);

    if (status == APR_SUCCESS)
        status = seed_knowledge_infodict(&loop->library, swarm->knowledge, by, infodict, length);
    if (status != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(status))
        bt_log(BT_LOG_INFO, 441, status, "the infodict of %s could not be read", swarm->entry.path);
    return status;
}

const seed_content *seed_answer_content(seed_loop *loop, seed_swarm *swarm, const bt_infohash *hash)
{
    seed_known_by by = seed_swarm_known_by(swarm, hash);
    seed_content *content = seed_swarm_content(swarm, by);
    const unsigned char *infodict;
    apr_size_t length;

    if (by != SEED_KNOWN_FULL && !content->metadata_size && swarm->content.metadata_size &&
        find_infodict(loop, swarm, by, &infodict, &length) == APR_SUCCESS)
        content->metadata_size = (apr_uint32_t)length;
    return content;
}

static void answer_metadata(seed_loop *loop, seed_conn *conn, apr_uint32_t piece)
{
    seed_swarm *swarm = conn->swarm;
    seed_peer *peer = &conn->peer;
    unsigned char id = peer->extension.metadata;
    const unsigned char *infodict;
    apr_size_t length;

    if (!id) /* it has taken its word back */
        return;
    if (piece < seed_metadata_parts(peer->content->metadata_size) &&
        find_infodict(loop, swarm, seed_swarm_known_by(swarm, &peer->theirs.hash), &infodict, &length) == APR_SUCCESS &&
        length == peer->content->metadata_size)
        seed_metadata_add_part(&peer->out, id, piece, infodict, (apr_uint32_t)length);
    else
        seed_metadata_add_reject(&peer->out, id, piece);
}

int seed_answer(seed_loop *loop, seed_conn *conn)
{
    seed_asks *asks = &conn->peer.asks;
    seed_ask ask = *seed_asks_first(asks);
    seed_answered answered = SEED_ANSWERED;

    if (ask.kind == SEED_ASK_METADATA)
        answer_metadata(loop, conn, ask.piece);
    else
        answered = seed_answer_hashes(loop, conn, ask.request, asks->paid);
    if (answered == SEED_ANSWERED)
        seed_asks_drop(asks);
    else if (answered == SEED_WAITS)
        asks->waiting = asks->paid = 1;
    return answered != SEED_CLOSED;
}
