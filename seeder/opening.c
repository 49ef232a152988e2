#include "seeder/opening.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

enum {
    TEXT_WITHIN = 48, /* first bytes of which... */
    TEXT_RUN = 16,    /* ...so many printable ones in a row do not occur by chance: once in 100,000 peers */
    SURELY_MEANT = 5  /* bytes of "BitTorrent protocol" that do not either */
};

/* --- what the first bytes say --- */

static int has_text(const unsigned char *bytes, apr_size_t length)
{
    apr_size_t i, run = 0;

    for (i = 0; i < length && i < TEXT_WITHIN && run < TEXT_RUN; i++)
        run = (bytes[i] >= ' ' && bytes[i] < 127) || bytes[i] == '\r' || bytes[i] == '\n' ? run + 1 : 0;
    return run >= TEXT_RUN;
}

/* Type 22, version 3.x, and after the length a ClientHello. */
static int is_tls(const unsigned char *bytes, apr_size_t length)
{
    return length >= 6 && bytes[0] == 22 && bytes[1] == 3 && bytes[2] <= 4 && bytes[5] == 1;
}

seed_begins seed_how_begins(const unsigned char *bytes, apr_size_t length)
{
    static const unsigned char plain[] = "\x13" "BitTorrent protocol";
    apr_size_t same = 0;

    while (same < length && same < sizeof plain - 1 && bytes[same] == plain[same])
        same++;
    if (same == sizeof plain - 1)
        return SEED_BEGINS_PLAIN;
    if (same == length)
        return SEED_BEGINS_OPEN;
    return same >= SURELY_MEANT || has_text(bytes, length) || is_tls(bytes, length) ? SEED_BEGINS_GARBAGE
                                                                                    : SEED_BEGINS_ENCRYPTED;
}

/* The same of a peer's kept bytes and new ones; more than a handshake's beginning need not be seen. */
static seed_begins how_begins(const seed_peer *peer, const unsigned char *bytes, apr_size_t length)
{
    unsigned char first[PW_HANDSHAKE_SIZE];
    apr_size_t kept = peer->in.length < sizeof first ? peer->in.length : sizeof first;

    if (kept)
        memcpy(first, peer->in.data, kept);
    if (length > sizeof first - kept)
        length = sizeof first - kept;
    if (length)
        memcpy(first + kept, bytes, length);
    return seed_how_begins(first, kept + length);
}

/* --- the encrypted handshake --- */

static int close_for(seed_loop *loop, seed_conn *conn, seed_close_reason reason)
{
    seed_conn_close(loop, conn, reason);
    return 0;
}

static unsigned choices(const seed_config *config)
{
    return config->encryption == SEED_ENCRYPTION_REQUIRE ? SEED_MSE_RC4 : SEED_MSE_PLAIN | SEED_MSE_RC4;
}

/* May one more key be made now? They cost far more than what a peer must do to get one. */
static int may_exchange(seed_loop *loop)
{
    return seed_bucket_spend(&loop->exchanges_full, &loop->limits->key_exchanges, 1, loop->now);
}

static int throw_dice(seed_mse_dice *dice)
{
    unsigned char lot[4];

    if (RAND_bytes(lot, sizeof lot) != 1 || RAND_bytes(dice->private_key, sizeof dice->private_key) != 1 ||
        RAND_bytes(dice->pad_b, sizeof dice->pad_b) != 1)
        return 0;
    dice->pad_b_length = (apr_uint32_t)(lot[0] << 8 | lot[1]) % (SEED_MSE_PAD_MAX + 1);
    dice->pad_d_length = (apr_uint32_t)(lot[2] << 8 | lot[3]) % (SEED_MSE_PAD_MAX + 1);
    return 1;
}

/* @return why it is closed; SEED_CLOSE_REASONS: it is not */
static seed_close_reason agree(seed_peer *peer)
{
    apr_status_t status = APR_EGENERAL;
    seed_mse_dice dice;

    if (throw_dice(&dice))
        status = seed_mse_agree(peer->mse, &dice, &peer->out);
    return status == APR_SUCCESS  ? SEED_CLOSE_REASONS
           : status == APR_EINVAL ? SEED_CLOSE_BAD_ENCRYPTION
                                  : SEED_CLOSE_NO_MEMORY;
}

/* It is over: from here on its stream carries the usual handshake, which begins with what IA has of it. */
static int finish(seed_loop *loop, seed_conn *conn)
{
    seed_peer *peer = &conn->peer;
    seed_mse *mse = peer->mse;
    seed_counters *counters = loop->config->counters;
    seed_stream *stream = malloc(sizeof *stream);
    unsigned char rest[SEED_MSE_BUFFER];
    apr_size_t length = mse->length;

    if (!stream || peer->out.status != APR_SUCCESS) {
        free(stream);
        return close_for(loop, conn, SEED_CLOSE_NO_MEMORY);
    }
    seed_stream_init(stream, mse, peer->out.length - peer->out_sent);
    memcpy(rest, mse->bytes, length);
    peer->crypt = mse->selected == SEED_MSE_RC4 ? SEED_CRYPT_RC4 : SEED_CRYPT_PLAIN;
    peer->stream = stream;
    peer->mse = NULL;
    free(mse);
    seed_count(peer->crypt == SEED_CRYPT_RC4 ? &counters->encrypted_rc4 : &counters->encrypted_plain, 1);
    seed_opening_decrypt(peer, rest, length);
    return seed_conn_input(loop, conn, rest, length);
}

/* Answers the handshake's questions until it needs more bytes, or time, or is over. */
static int obey(seed_loop *loop, seed_conn *conn, seed_mse_event event)
{
    seed_mse *mse = conn->peer.mse;
    seed_close_reason reason;
    bt_infohash key;

    for (;; event = seed_mse_step(mse, NULL, 0, &conn->peer.out)) {
        switch (event) {
        case SEED_MSE_AGREE:
            if (!may_exchange(loop))
                return 1; /* seed_opening_waits() */
            reason = agree(&conn->peer);
            if (reason != SEED_CLOSE_REASONS)
                return close_for(loop, conn, reason);
            break;
        case SEED_MSE_FIND:
            if (cat_find_obfuscated(loop->config->catalog, mse->obfuscated, &key) != APR_SUCCESS)
                return close_for(loop, conn, SEED_CLOSE_UNKNOWN_HASH);
            seed_mse_found(mse, &key);
            break;
        case SEED_MSE_DONE:
            return finish(loop, conn);
        case SEED_MSE_WRONG:
            return close_for(loop, conn, SEED_CLOSE_BAD_ENCRYPTION);
        default:
            return mse->phase == SEED_MSE_KEY && seed_how_begins(mse->bytes, mse->length) == SEED_BEGINS_GARBAGE
                       ? close_for(loop, conn, SEED_CLOSE_GARBAGE)
                       : 1;
        }
    }
}

/* The kept bytes, too few for anything else, and the new ones are its beginning. */
static int begin(seed_loop *loop, seed_conn *conn, const unsigned char *bytes, apr_size_t length)
{
    seed_peer *peer = &conn->peer;
    seed_mse *mse;

    if (loop->config->encryption == SEED_ENCRYPTION_OFF)
        return close_for(loop, conn, SEED_CLOSE_ENCRYPTED);
    mse = malloc(sizeof *mse);
    if (!mse)
        return close_for(loop, conn, SEED_CLOSE_NO_MEMORY);
    seed_mse_init(mse, choices(loop->config));
    peer->mse = mse;
    peer->crypt = SEED_CRYPT_HANDSHAKE;
    seed_mse_step(mse, peer->in.data, peer->in.length, &peer->out); /* less than a key: no event */
    bt_buf_free(&peer->in);
    return obey(loop, conn, seed_mse_step(mse, bytes, length, &peer->out));
}

/* --- both --- */

int seed_opening_lasts(const seed_peer *peer)
{
    return peer->crypt == SEED_CRYPT_UNKNOWN || peer->crypt == SEED_CRYPT_HANDSHAKE;
}

apr_size_t seed_opening_room(const seed_peer *peer)
{
    return peer->mse ? seed_mse_room(peer->mse) : PW_HANDSHAKE_HASH_END - peer->in.length;
}

int seed_opening_waits(const seed_peer *peer)
{
    return peer->mse && peer->mse->phase == SEED_MSE_KEY && peer->mse->length >= SEED_DH_SIZE;
}

int seed_opening_input(seed_loop *loop, seed_conn *conn, const unsigned char *bytes, apr_size_t length)
{
    seed_peer *peer = &conn->peer;

    if (peer->mse)
        return obey(loop, conn, seed_mse_step(peer->mse, bytes, length, &peer->out));
    switch (how_begins(peer, bytes, length)) {
    case SEED_BEGINS_PLAIN:
        if (loop->config->encryption == SEED_ENCRYPTION_REQUIRE)
            return close_for(loop, conn, SEED_CLOSE_NOT_ENCRYPTED);
        peer->crypt = SEED_CRYPT_NONE;
        break;
    case SEED_BEGINS_GARBAGE:
        return close_for(loop, conn, SEED_CLOSE_GARBAGE);
    case SEED_BEGINS_ENCRYPTED:
        return begin(loop, conn, bytes, length);
    default: /* kept there until more has come */
        break;
    }
    return seed_conn_input(loop, conn, bytes, length);
}

void seed_opening_decrypt(seed_peer *peer, unsigned char *bytes, apr_size_t length)
{
    seed_stream_open(peer->stream, bytes, length);
    if (!seed_stream_is_over(peer->stream))
        return;
    free(peer->stream); /* plain from here on, as if it had never been otherwise */
    peer->stream = NULL;
}
