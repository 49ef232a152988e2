#include "seeder/crypt_record.h"

#include <stdlib.h>
#include <string.h>

/* How it speaks (seed_crypt); then of an encrypted handshake: phase, choices, selected, PadC, PadD, secret[96], RC4 of both
 * directions once they are there (258 bytes each: the table, i, j), and the bytes not yet dealt with; of a stream: encrypted
 * bytes still to come, bytes of the output that go as they are, RC4 of both directions. */

static void save_rc4(bt_buf *out, const seed_rc4 *state)
{
    bt_buf_add(out, state->s, sizeof state->s);
    bt_buf_add(out, &state->i, 1);
    bt_buf_add(out, &state->j, 1);
}

static void restore_rc4(seed_record *in, seed_rc4 *state)
{
    const unsigned char *at = seed_take(in, sizeof state->s + 2);

    if (!at)
        return;
    memcpy(state->s, at, sizeof state->s);
    state->i = at[sizeof state->s];
    state->j = at[sizeof state->s + 1];
    if (!seed_rc4_is_sound(state))
        in->broken = 1;
}

static void save_mse(bt_buf *out, const seed_mse *mse)
{
    seed_put_u32(out, mse->phase);
    seed_put_u32(out, mse->choices);
    seed_put_u32(out, mse->selected);
    seed_put_u32(out, mse->pad);
    seed_put_u32(out, mse->pad_d);
    bt_buf_add(out, mse->secret, sizeof mse->secret);
    if (mse->phase >= SEED_MSE_OFFER) {
        save_rc4(out, &mse->in);
        save_rc4(out, &mse->out);
    }
    if (mse->length)
        bt_buf_add(out, mse->bytes, mse->length);
}

static int is_sound(const seed_mse *mse)
{
    const unsigned streams = SEED_MSE_PLAIN | SEED_MSE_RC4;

    return mse->phase < SEED_MSE_END && mse->choices && !(mse->choices & ~streams) && mse->pad <= SEED_MSE_PAD_MAX &&
           mse->pad_d <= SEED_MSE_PAD_MAX && (mse->phase == SEED_MSE_PAD) == (mse->selected != 0) &&
           (!mse->selected || mse->selected == SEED_MSE_PLAIN || mse->selected == SEED_MSE_RC4);
}

static apr_status_t restore_mse(seed_record *in, seed_peer *peer)
{
    seed_mse *mse = peer->mse = calloc(1, sizeof *mse);
    const unsigned char *bytes;
    apr_size_t length;

    if (!mse)
        return APR_ENOMEM;
    mse->phase = (seed_mse_phase)seed_take_u32(in);
    mse->choices = seed_take_u32(in);
    mse->selected = seed_take_u32(in);
    mse->pad = seed_take_u32(in);
    mse->pad_d = seed_take_u32(in);
    bytes = seed_take(in, sizeof mse->secret);
    if (!bytes || !is_sound(mse))
        return APR_EINVAL;
    memcpy(mse->secret, bytes, sizeof mse->secret);
    if (mse->phase >= SEED_MSE_OFFER) {
        restore_rc4(in, &mse->in);
        restore_rc4(in, &mse->out);
    }
    bytes = seed_take_rest(in, &length);
    if (!bytes || length >= sizeof mse->bytes)
        return APR_EINVAL;
    memcpy(mse->bytes, bytes, length);
    mse->length = (apr_uint32_t)length;
    return APR_SUCCESS;
}

static apr_status_t restore_stream(seed_record *in, seed_peer *peer)
{
    seed_stream *stream = peer->stream = calloc(1, sizeof *stream);

    if (!stream)
        return APR_ENOMEM;
    stream->rc4 = peer->crypt == SEED_CRYPT_RC4;
    stream->left = seed_take_u32(in);
    stream->raw = seed_take_u32(in);
    restore_rc4(in, &stream->in);
    restore_rc4(in, &stream->out);
    return in->broken || seed_stream_is_over(stream) ? APR_EINVAL : APR_SUCCESS;
}

void seed_crypt_save(bt_buf *out, const seed_peer *peer)
{
    if (peer->crypt == SEED_CRYPT_UNKNOWN || peer->crypt == SEED_CRYPT_NONE)
        return;
    seed_put_u32(out, peer->crypt);
    if (peer->mse)
        save_mse(out, peer->mse);
    if (!peer->stream)
        return;
    seed_put_u32(out, peer->stream->left);
    seed_put_u32(out, peer->stream->raw);
    save_rc4(out, &peer->stream->in);
    save_rc4(out, &peer->stream->out);
}

apr_status_t seed_crypt_restore(seed_record *in, const seed_content *content, seed_peer *peer)
{
    (void)content;
    peer->crypt = (seed_crypt)seed_take_u32(in);
    if (peer->crypt == SEED_CRYPT_HANDSHAKE)
        return restore_mse(in, peer);
    if (peer->crypt == SEED_CRYPT_RC4 || (peer->crypt == SEED_CRYPT_PLAIN && in->at != in->end))
        return restore_stream(in, peer);
    return peer->crypt == SEED_CRYPT_PLAIN ? APR_SUCCESS : APR_EINVAL;
}

int seed_crypt_concludes(seed_peer *peer)
{
    if (peer->crypt == SEED_CRYPT_UNKNOWN && peer->state != SEED_PEER_HANDSHAKE)
        peer->crypt = SEED_CRYPT_NONE;
    /* How it speaks is told from its first bytes; they must fit into an encrypted handshake. */
    if (peer->crypt == SEED_CRYPT_UNKNOWN && peer->in.length > PW_HANDSHAKE_SIZE)
        return 0;
    if (peer->mse && (peer->state != SEED_PEER_HANDSHAKE || peer->in.length))
        return 0;
    return !peer->stream || peer->stream->raw <= peer->out.length;
}
