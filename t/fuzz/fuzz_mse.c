/* Whatever an encrypted handshake says, by a caller who knows the torrent: in whatever parts it comes, the same becomes of
 * it, a hand-over in between included, and no bound is passed. The first bytes say how: choices, provide, four paddings,
 * length of IA, size of parts; the rest is noise for the paddings, and is laid over what is said where it is not zero. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "seeder/handover.h"
#include "t/unit/mse_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 16, INITIAL_MAX = 3000 };

static const bt_infohash key = {"twenty bytes of key."};

typedef struct {
    seed_mse_event event;
    unsigned selected;
    apr_uint32_t initial;
    bt_buf reply;
} outcome;

static void must(int holds)
{
    if (!holds)
        abort();
}

static unsigned number(const uint8_t *at, unsigned limit)
{
    return (unsigned)(at[0] << 8 | at[1]) % limit;
}

static seed_mse_dice dice_of(const uint8_t *head)
{
    seed_mse_dice dice = {.private_key = {1, 2, 3}, .pad_b = {4}};

    dice.pad_b_length = number(head + 4, SEED_MSE_PAD_MAX + 1);
    dice.pad_d_length = number(head + 6, SEED_MSE_PAD_MAX + 1);
    return dice;
}

/* All that the caller says; its secret is known, for the dice are. */
static void write_input(bt_buf *to, const uint8_t *head, const uint8_t *noise, size_t length)
{
    static const unsigned char private_key[SEED_DH_PRIVATE_SIZE] = {9, 9, 9}, initial[INITIAL_MAX];
    unsigned pad = number(head + 2, SEED_MSE_PAD_MAX + 30), ia = number(head + 10, INITIAL_MAX + 1);
    static mse_client agreed; /* once and for all: keys cost more than all else */
    unsigned char *at;
    mse_client client;

    if (!agreed.secret[SEED_DH_SIZE - 1]) {
        seed_mse_dice dice = dice_of(head);
        unsigned char ours[SEED_DH_SIZE], secret[SEED_DH_SIZE];
        must(mse_client_init(&agreed, &key, private_key));
        must(seed_dh_agree(dice.private_key, agreed.ours, ours, secret) == APR_SUCCESS);
        must(mse_client_agree(&agreed, ours));
        must(memcmp(agreed.secret, secret, sizeof secret) == 0);
    }
    client = agreed;
    bt_buf_add(to, client.ours, SEED_DH_SIZE);
    at = bt_buf_extend(to, pad);
    if (at)
        memset(at, 0x33, pad);
    mse_client_offer(&client, to, head[1], number(head + 8, SEED_MSE_PAD_MAX + 30), initial, ia);
    for (size_t i = 0; i < length && i < to->length; i++)
        to->data[i] ^= noise[i];
}

/* Lets another build of the seeder go on with it. */
static void hand_over(seed_mse *mse)
{
    seed_peer before, after;
    seed_content content;
    bt_buf record;

    seed_peer_init(&before, &seed_limits_default, 1);
    seed_peer_init(&after, &seed_limits_default, 1);
    bt_buf_init(&record, 65536);
    before.crypt = SEED_CRYPT_HANDSHAKE;
    before.mse = mse;
    must(seed_handover_write(&record, &before) == APR_SUCCESS);
    must(seed_handover_read(record.data, record.length, &after, &content) == APR_SUCCESS);
    must(after.crypt == SEED_CRYPT_HANDSHAKE && after.mse);
    *mse = *after.mse;
    before.mse = NULL;
    bt_buf_free(&record);
    seed_peer_free(&before);
    seed_peer_free(&after);
}

static int is_known(const seed_mse *mse)
{
    unsigned char known[BT_HASH_SIZE];

    seed_mse_hash(known, "req2", key.b, sizeof key.b, NULL, 0);
    return memcmp(known, mse->obfuscated, sizeof known) == 0;
}

/* Answers its questions. A hash that nobody knows stays one. */
static seed_mse_event answer(seed_mse *mse, seed_mse_event event, const uint8_t *head, bt_buf *reply)
{
    seed_mse_dice dice = dice_of(head);

    for (;; event = seed_mse_step(mse, NULL, 0, reply)) {
        if (event == SEED_MSE_AGREE && seed_mse_agree(mse, &dice, reply) != APR_SUCCESS)
            return SEED_MSE_WRONG;
        if (event == SEED_MSE_FIND && is_known(mse))
            seed_mse_found(mse, &key);
        else if (event != SEED_MSE_AGREE)
            return event;
    }
}

static outcome run(const bt_buf *input, const uint8_t *head, size_t part, int handed_over)
{
    outcome end = {.event = SEED_MSE_MORE};
    size_t fed = 0, room, step;
    seed_mse mse;

    bt_buf_init(&end.reply, 4096);
    seed_mse_init(&mse, 1 + head[0] % 3);
    while (end.event == SEED_MSE_MORE && fed < input->length) {
        room = seed_mse_room(&mse);
        must(room > 0);
        step = input->length - fed < part ? input->length - fed : part;
        step = step < room ? step : room;
        end.event = seed_mse_step(&mse, input->data + fed, step, &end.reply);
        fed += step;
        end.event = answer(&mse, end.event, head, &end.reply);
        must(mse.length <= sizeof mse.bytes && mse.phase <= SEED_MSE_END);
        if (handed_over && end.event == SEED_MSE_MORE)
            hand_over(&mse);
    }
    if (end.event == SEED_MSE_DONE) {
        end.selected = mse.selected;
        end.initial = mse.initial;
        must(mse.selected & (1 + head[0] % 3) && mse.selected & head[1]);
        must(mse.length <= fed && seed_rc4_is_sound(&mse.in) && seed_rc4_is_sound(&mse.out));
    }
    must(end.reply.status == APR_SUCCESS);
    return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    outcome whole, parts;
    bt_buf input;

    if (size < HEAD)
        return 0;
    bt_buf_init(&input, 16 * 1024);
    write_input(&input, data, data + HEAD, size - HEAD);
    whole = run(&input, data, input.length, 0);
    parts = run(&input, data, 1 + data[12], 1);
    must(whole.event == parts.event && whole.selected == parts.selected && whole.initial == parts.initial);
    must(whole.reply.length == parts.reply.length);
    if (whole.reply.length)
        must(memcmp(whole.reply.data, parts.reply.data, whole.reply.length) == 0);
    bt_buf_free(&whole.reply);
    bt_buf_free(&parts.reply);
    bt_buf_free(&input);
    return 0;
}
