/* How a peer begins, and what a hand-over record says of one that encrypts. */
#include "t/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "seeder/handover.h"
#include "seeder/opening.h"
#include "t/unit/mse_client.h"
#include "t/unit/peer_bytes.h"

static const bt_infohash key = {"twenty bytes of key."};
static const seed_content content = {10 * 65536 + 100, 65536, 11, 1, 0, {{0}}, 0};
static const unsigned char own_id[] = "-BH0100-0123456789ab";

/* --- first bytes --- */

static void expect(const char *bytes, size_t length, seed_begins wanted)
{
    seed_begins got = seed_how_begins((const unsigned char *)bytes, length);

    if (got != wanted)
        fail_msg("%zu bytes \"%.*s\" are %d, not %d", length, (int)length, bytes, (int)got, (int)wanted);
}

static void plain_peers(void **state)
{
    static const char protocol[] = "\x13" "BitTorrent protocol\0\0\0\0";

    (void)state;
    for (size_t length = 0; length < 20; length++)
        expect(protocol, length, SEED_BEGINS_OPEN);
    for (size_t length = 20; length < sizeof protocol; length++)
        expect(protocol, length, SEED_BEGINS_PLAIN);
    expect("\x13" "BitTX", 6, SEED_BEGINS_GARBAGE);
    expect("\x13" "BitTorrent protocoX", 20, SEED_BEGINS_GARBAGE);
    expect("\x13" "BiX", 4, SEED_BEGINS_ENCRYPTED); /* one in four thousand of those who begin with 0x13 */
}

static void what_is_neither(void **state)
{
    (void)state;
    expect("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 26, SEED_BEGINS_GARBAGE);
    expect("GET / HTTP", 10, SEED_BEGINS_ENCRYPTED); /* as far as can be told: more will come, or a time-out */
    expect("\x01\x02\x03GET / HTTP/1.1\r\n\r\n", 21, SEED_BEGINS_GARBAGE);
    expect("\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9, SEED_BEGINS_GARBAGE);
    expect("\x16\x03\x01\x02\x00\x02\x00\x01\xfc", 9, SEED_BEGINS_ENCRYPTED);
}

static void random_bytes(void **state)
{
    uint64_t random = 99;
    int garbage = 0;

    (void)state;
    for (int round = 0; round < 200000; round++) {
        unsigned char bytes[96];

        unit_fill(&random, bytes, sizeof bytes);
        garbage += seed_how_begins(bytes, sizeof bytes) != SEED_BEGINS_ENCRYPTED;
    }
    assert_true(garbage <= 10);
}

/* --- records --- */

static seed_mse_dice dice(void)
{
    seed_mse_dice d = {.private_key = {5, 5}, .pad_b_length = 100, .pad_d_length = 200};
    return d;
}

/* A caller's bytes; ours are known beforehand. */
static void say_all(mse_client *client, bt_buf *said, unsigned provide)
{
    static const unsigned char private_key[SEED_DH_PRIVATE_SIZE] = {1, 1};
    unsigned char ours[SEED_DH_SIZE], secret[SEED_DH_SIZE];
    seed_mse_dice d = dice();
    bt_buf first;

    bt_buf_init(&first, 1000);
    assert_true(mse_client_init(client, &key, private_key));
    assert_int_equal(seed_dh_agree(d.private_key, client->ours, ours, secret), APR_SUCCESS);
    assert_true(mse_client_agree(client, ours));
    bt_buf_add(said, client->ours, SEED_DH_SIZE);
    bt_buf_add(said, "some padding", 12);
    say_handshake(&first, &key, PW_BIT_FAST);
    mse_client_offer(client, said, provide, 40, first.data, first.length);
    bt_buf_free(&first);
}

/* Brings a peer as far as so many bytes of that do. */
static void bring(seed_peer *peer, const bt_buf *said, size_t length)
{
    seed_mse_dice d = dice();
    seed_mse *mse = malloc(sizeof *mse);
    seed_mse_event event;
    unsigned char rest[SEED_MSE_BUFFER];
    size_t left;

    seed_peer_init(peer, &seed_limits_default, 1);
    seed_mse_init(mse, SEED_MSE_PLAIN | SEED_MSE_RC4);
    peer->crypt = SEED_CRYPT_HANDSHAKE;
    peer->mse = mse;
    event = seed_mse_step(mse, said->data, length, &peer->out);
    if (event == SEED_MSE_AGREE) {
        assert_int_equal(seed_mse_agree(mse, &d, &peer->out), APR_SUCCESS);
        event = seed_mse_step(mse, NULL, 0, &peer->out);
    }
    if (event == SEED_MSE_FIND) {
        seed_mse_found(mse, &key);
        event = seed_mse_step(mse, NULL, 0, &peer->out);
    }
    if (event != SEED_MSE_DONE) {
        assert_int_equal(event, SEED_MSE_MORE);
        return;
    }
    peer->crypt = mse->selected == SEED_MSE_RC4 ? SEED_CRYPT_RC4 : SEED_CRYPT_PLAIN;
    peer->stream = malloc(sizeof *peer->stream);
    seed_stream_init(peer->stream, mse, peer->out.length);
    memcpy(rest, mse->bytes, left = mse->length);
    peer->mse = NULL;
    free(mse);
    seed_opening_decrypt(peer, rest, left);
    if (seed_peer_input(peer, rest, left, 1) == SEED_PEER_ASK)
        assert_int_equal(seed_peer_admit(peer, &content, own_id, SEED_SHOW_ALL, 1), SEED_PEER_GO_ON);
}

static void carry(const seed_peer *before, seed_peer *after, seed_content *about, bt_buf *record)
{
    bt_buf again;

    bt_buf_init(record, 65536);
    bt_buf_init(&again, 65536);
    assert_int_equal(seed_handover_write(record, before), APR_SUCCESS);
    seed_peer_init(after, &seed_limits_default, 1);
    assert_int_equal(seed_handover_read(record->data, record->length, after, about), APR_SUCCESS);
    if (after->state != SEED_PEER_HANDSHAKE)
        after->content = before->content;
    assert_int_equal(seed_handover_write(&again, after), APR_SUCCESS);
    assert_int_equal(again.length, record->length);
    assert_memory_equal(again.data, record->data, record->length);
    bt_buf_free(&again);
}

static void nothing_is_lost(void **state)
{
    (void)state;
    for (unsigned provide = 1; provide <= 2; provide++) {
        mse_client client;
        bt_buf said, record;

        bt_buf_init(&said, 65536);
        say_all(&client, &said, provide);
        for (size_t length = 0; length <= said.length; length++) {
            seed_peer before, after;
            seed_content about;

            bring(&before, &said, length);
            carry(&before, &after, &about, &record);
            assert_int_equal(after.crypt, before.crypt);
            assert_int_equal(!after.mse, !before.mse);
            assert_int_equal(!after.stream, !before.stream);
            if (before.stream)
                assert_memory_equal(after.stream, before.stream, sizeof *before.stream);
            seed_peer_free(&before);
            seed_peer_free(&after);
            bt_buf_free(&record);
        }
        bt_buf_free(&said);
    }
}

/* Every byte of a record turned over, and every cut: refused, or a peer that can be handed over again. */
static void changed_records(void **state)
{
    mse_client client;
    bt_buf said;

    (void)state;
    bt_buf_init(&said, 65536);
    say_all(&client, &said, SEED_MSE_RC4);
    for (size_t length = 130; length <= said.length; length += 27) {
        seed_content about;
        seed_peer before, after;
        bt_buf record, again;

        bring(&before, &said, length);
        carry(&before, &after, &about, &record);
        seed_peer_free(&after);
        for (size_t i = 0; i < record.length; i++) {
            record.data[i] ^= 0x81;
            seed_peer_init(&after, &seed_limits_default, 1);
            if (seed_handover_read(record.data, record.length, &after, &about) == APR_SUCCESS) {
                if (after.state != SEED_PEER_HANDSHAKE)
                    after.content = &about;
                bt_buf_init(&again, 65536);
                assert_int_equal(seed_handover_write(&again, &after), APR_SUCCESS);
                bt_buf_free(&again);
            }
            seed_peer_free(&after);
            record.data[i] ^= 0x81;
        }
        seed_peer_free(&before);
        bt_buf_free(&record);
    }
    bt_buf_free(&said);
}

static void plain_peers_have_no_section(void **state)
{
    seed_peer before, after;
    seed_content about;
    bt_buf bytes, record;

    (void)state;
    bt_buf_init(&bytes, 1000);
    say_handshake(&bytes, &key, PW_BIT_FAST);
    seed_peer_init(&before, &seed_limits_default, 1);
    before.crypt = SEED_CRYPT_NONE;
    seed_peer_input(&before, bytes.data, 48, 1);
    seed_peer_admit(&before, &content, own_id, SEED_SHOW_ALL, 1);
    carry(&before, &after, &about, &record);
    assert_int_equal(after.crypt, SEED_CRYPT_NONE);
    assert_null(memmem(record.data, record.length, "\x80\0\0\6", 4));
    bt_buf_free(&bytes);
    bt_buf_free(&record);
    seed_peer_free(&before);
    seed_peer_free(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_peers),     cmocka_unit_test(what_is_neither), cmocka_unit_test(random_bytes),
        cmocka_unit_test(nothing_is_lost), cmocka_unit_test(changed_records), cmocka_unit_test(plain_peers_have_no_section),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
