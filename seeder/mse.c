#include "seeder/mse.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "seeder/wire.h"

enum {
    OFFER_SIZE = 8 + 4 + 2, /* VC, crypto_provide, len(PadC) */
    DISCARDED = 1024        /* bytes of RC4's weak beginning */
};

void seed_mse_hash(unsigned char out[BT_HASH_SIZE], const char *word, const unsigned char *a, apr_size_t a_length,
                   const unsigned char *b, apr_size_t b_length)
{
    unsigned char all[4 + SEED_DH_SIZE + BT_HASH_SIZE];
    apr_size_t length = 4;

    memcpy(all, word, 4);
    memcpy(all + length, a, a_length);
    length += a_length;
    if (b)
        memcpy(all + length, b, b_length);
    length += b ? b_length : 0;
    if (!EVP_Digest(all, length, out, NULL, EVP_sha1(), NULL))
        memset(out, 0, BT_HASH_SIZE); /* memory is short: matches nothing */
    OPENSSL_cleanse(all, sizeof all);
}

void seed_mse_key(seed_rc4 *state, const char *word, const unsigned char secret[SEED_DH_SIZE], const bt_infohash *key)
{
    unsigned char hash[BT_HASH_SIZE], discarded[DISCARDED] = {0};

    seed_mse_hash(hash, word, secret, SEED_DH_SIZE, key->b, sizeof key->b);
    seed_rc4_init(state, hash, sizeof hash);
    seed_rc4_apply(state, discarded, discarded, sizeof discarded);
}

void seed_mse_init(seed_mse *mse, unsigned choices)
{
    memset(mse, 0, sizeof *mse);
    mse->choices = choices;
}

apr_size_t seed_mse_room(const seed_mse *mse)
{
    return sizeof mse->bytes - mse->length;
}

static void drop(seed_mse *mse, apr_size_t length)
{
    mse->length -= (apr_uint32_t)length;
    memmove(mse->bytes, mse->bytes + length, mse->length);
}

static seed_mse_event wrong(seed_mse *mse)
{
    mse->phase = SEED_MSE_END;
    return SEED_MSE_WRONG;
}

apr_status_t seed_mse_agree(seed_mse *mse, const seed_mse_dice *dice, bt_buf *reply)
{
    unsigned char ours[SEED_DH_SIZE];
    apr_status_t status = seed_dh_agree(dice->private_key, mse->bytes, ours, mse->secret);

    if (status != APR_SUCCESS) {
        mse->phase = SEED_MSE_END;
        return status;
    }
    drop(mse, SEED_DH_SIZE);
    mse->pad_d = dice->pad_d_length;
    mse->phase = SEED_MSE_SYNC;
    bt_buf_add(reply, ours, sizeof ours);
    return bt_buf_add(reply, dice->pad_b, dice->pad_b_length);
}

/* PadA has any length to its maximum, and nothing but the hash says where it ends. */
static seed_mse_event find_sync(seed_mse *mse)
{
    unsigned char hash[BT_HASH_SIZE];
    apr_size_t limit = SEED_MSE_PAD_MAX + sizeof hash, length = mse->length < limit ? mse->length : limit;
    const unsigned char *at;

    seed_mse_hash(hash, "req1", mse->secret, sizeof mse->secret, NULL, 0);
    at = memmem(mse->bytes, length, hash, sizeof hash);
    if (!at)
        return length == limit ? wrong(mse) : SEED_MSE_MORE;
    drop(mse, (apr_size_t)(at - mse->bytes) + sizeof hash);
    mse->phase = SEED_MSE_HASH;
    return SEED_MSE_DONE;
}

static seed_mse_event read_hash(seed_mse *mse)
{
    unsigned char mask[BT_HASH_SIZE];
    unsigned i;

    if (mse->length < sizeof mask)
        return SEED_MSE_MORE;
    seed_mse_hash(mask, "req3", mse->secret, sizeof mse->secret, NULL, 0);
    for (i = 0; i < sizeof mask; i++)
        mse->obfuscated[i] = mse->bytes[i] ^ mask[i];
    return SEED_MSE_FIND;
}

void seed_mse_found(seed_mse *mse, const bt_infohash *key)
{
    drop(mse, BT_HASH_SIZE);
    seed_mse_key(&mse->in, "keyA", mse->secret, key);
    seed_mse_key(&mse->out, "keyB", mse->secret, key);
    mse->phase = SEED_MSE_OFFER;
}

/* A plain stream costs neither side anything, and goes by sendfile(2). */
static unsigned select_stream(unsigned offered)
{
    return offered & SEED_MSE_PLAIN ? SEED_MSE_PLAIN : offered & SEED_MSE_RC4;
}

static seed_mse_event read_offer(seed_mse *mse)
{
    static const unsigned char constant[8];
    unsigned char offer[OFFER_SIZE];

    if (mse->length < OFFER_SIZE)
        return SEED_MSE_MORE;
    seed_rc4_apply(&mse->in, offer, mse->bytes, OFFER_SIZE);
    drop(mse, OFFER_SIZE);
    mse->selected = select_stream(pw_get_u32(offer + 8) & mse->choices);
    mse->pad = (apr_uint32_t)(offer[12] << 8 | offer[13]);
    if (memcmp(offer, constant, sizeof constant) != 0 || !mse->selected || mse->pad > SEED_MSE_PAD_MAX)
        return wrong(mse);
    mse->phase = SEED_MSE_PAD;
    return SEED_MSE_DONE;
}

static seed_mse_event answer(seed_mse *mse, bt_buf *reply)
{
    unsigned char said[OFFER_SIZE + SEED_MSE_PAD_MAX] = {0};

    pw_put_u32(said + 8, mse->selected);
    said[12] = (unsigned char)(mse->pad_d >> 8);
    said[13] = (unsigned char)mse->pad_d;
    seed_rc4_apply(&mse->out, said, said, OFFER_SIZE + mse->pad_d);
    bt_buf_add(reply, said, OFFER_SIZE + mse->pad_d);
    mse->phase = SEED_MSE_END;
    return SEED_MSE_DONE;
}

static seed_mse_event read_pad(seed_mse *mse, bt_buf *reply)
{
    unsigned char pad[SEED_MSE_PAD_MAX + 2];
    apr_size_t length = mse->pad + 2;

    if (mse->length < length)
        return SEED_MSE_MORE;
    seed_rc4_apply(&mse->in, pad, mse->bytes, length);
    drop(mse, length);
    mse->initial = (apr_uint32_t)(pad[length - 2] << 8 | pad[length - 1]);
    return answer(mse, reply);
}

seed_mse_event seed_mse_step(seed_mse *mse, const unsigned char *bytes, apr_size_t length, bt_buf *reply)
{
    seed_mse_event event = SEED_MSE_DONE;

    if (length)
        memcpy(mse->bytes + mse->length, bytes, length);
    mse->length += (apr_uint32_t)length;
    if (mse->phase == SEED_MSE_END)
        return SEED_MSE_WRONG;
    if (mse->phase == SEED_MSE_KEY)
        return mse->length < SEED_DH_SIZE ? SEED_MSE_MORE : SEED_MSE_AGREE;
    if (mse->phase == SEED_MSE_SYNC)
        event = find_sync(mse);
    if (event == SEED_MSE_DONE && mse->phase == SEED_MSE_HASH)
        event = read_hash(mse);
    if (event == SEED_MSE_DONE && mse->phase == SEED_MSE_OFFER)
        event = read_offer(mse);
    if (event == SEED_MSE_DONE && mse->phase == SEED_MSE_PAD)
        event = read_pad(mse, reply);
    return event;
}
