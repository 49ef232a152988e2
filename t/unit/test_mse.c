#include "t/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "seeder/stream.h"
#include "t/unit/mse_client.h"

enum { IA_MAX = 65535, INPUT_MAX = 128 * 1024 };

static const bt_infohash key = {"twenty bytes of key."};
static unsigned char prime[SEED_DH_SIZE];

/* One handshake as a test wants it. */
typedef struct {
    apr_size_t pad_a, pad_b, pad_c, pad_d, ia;
    unsigned provide, choices;
    apr_size_t chunk;       /* the caller's bytes come so many at a time; 0: all at once */
    apr_size_t first;       /* but so many before all others */
    int wrong_key;          /* the caller names another torrent */
    apr_size_t flip;        /* position in the offer of a byte that is turned over; 0: none */
} script;

static const script usual = {17, 33, 5, 7, 68, SEED_MSE_PLAIN | SEED_MSE_RC4, SEED_MSE_PLAIN | SEED_MSE_RC4, 0, 0, 0, 0};

typedef struct {
    seed_mse mse;
    mse_client client;
    seed_mse_dice dice;
    bt_buf said;  /* by the caller */
    bt_buf reply; /* by us */
    apr_size_t fed;
    int asked;
} world;

static void open_world(world *w, const script *s)
{
    unsigned char private_key[SEED_DH_PRIVATE_SIZE];
    uint64_t state = 77;

    unit_fill(&state, private_key, sizeof private_key);
    unit_fill(&state, &w->dice, sizeof w->dice);
    w->dice.pad_b_length = (apr_uint32_t)s->pad_b;
    w->dice.pad_d_length = (apr_uint32_t)s->pad_d;
    w->fed = 0;
    w->asked = 0;
    seed_mse_init(&w->mse, s->choices);
    bt_buf_init(&w->said, INPUT_MAX);
    bt_buf_init(&w->reply, INPUT_MAX);
    assert_true(mse_client_init(&w->client, &key, private_key));
}

static void close_world(world *w)
{
    bt_buf_free(&w->said);
    bt_buf_free(&w->reply);
}

static void say_key(world *w, const script *s)
{
    uint64_t state = 5;

    bt_buf_add(&w->said, w->client.ours, SEED_DH_SIZE);
    if (s->pad_a)
        unit_fill(&state, bt_buf_extend(&w->said, s->pad_a), s->pad_a);
}

static void say_offer(world *w, const script *s)
{
    static unsigned char ia[IA_MAX];
    apr_size_t before = w->said.length;

    for (unsigned i = 0; i < IA_MAX; i++)
        ia[i] = (unsigned char)(i * 7);
    mse_client_offer(&w->client, &w->said, s->provide, s->pad_c, ia, s->ia);
    if (s->flip)
        w->said.data[before + s->flip] ^= 0x55;
}

static seed_mse_event answer(world *w, seed_mse_event event, const script *s)
{
    unsigned char expected[BT_HASH_SIZE];

    if (event == SEED_MSE_AGREE) {
        assert_int_equal(w->asked++, 0);
        if (seed_mse_agree(&w->mse, &w->dice, &w->reply) != APR_SUCCESS)
            return SEED_MSE_WRONG;
    }
    if (event == SEED_MSE_FIND) {
        assert_int_equal(w->asked++, 1);
        seed_mse_hash(expected, "req2", key.b, sizeof key.b, NULL, 0);
        if (memcmp(expected, w->mse.obfuscated, sizeof expected) != 0)
            return SEED_MSE_FIND;
        seed_mse_found(&w->mse, &key);
    }
    return seed_mse_step(&w->mse, NULL, 0, &w->reply);
}

/* Feeds what has been said, until that is used up or the handshake has ended. */
static seed_mse_event feed(world *w, const script *s)
{
    seed_mse_event event = SEED_MSE_MORE;

    while (event == SEED_MSE_MORE && w->fed < w->said.length) {
        apr_size_t step = w->said.length - w->fed, room = seed_mse_room(&w->mse);

        if (w->fed < s->first && step > s->first - w->fed)
            step = s->first - w->fed;
        else if (s->chunk && step > s->chunk)
            step = s->chunk;
        assert_true(room > 0);
        step = step < room ? step : room;
        event = seed_mse_step(&w->mse, w->said.data + w->fed, step, &w->reply);
        w->fed += step;
        while (event == SEED_MSE_AGREE || event == SEED_MSE_FIND) {
            event = answer(w, event, s);
            if (event == SEED_MSE_FIND)
                return event;
        }
    }
    return event;
}

/* What a caller makes of our answer. */
static void expect_answer(world *w, const script *s, unsigned selected)
{
    unsigned char marker[8], head[6], *at = w->reply.data + SEED_DH_SIZE;

    assert_int_equal(w->reply.length, SEED_DH_SIZE + s->pad_b + 14 + s->pad_d);
    assert_memory_equal(at, w->dice.pad_b, s->pad_b);
    mse_client_marker(&w->client, marker);
    assert_memory_equal(at + s->pad_b, marker, sizeof marker);
    seed_rc4_apply(&w->client.in, head, at + s->pad_b + 8, sizeof head);
    assert_int_equal(head[3], selected);
    assert_int_equal(head[0] | head[1] | head[2], 0);
    assert_int_equal(head[4] << 8 | head[5], s->pad_d);
    for (apr_size_t i = 0; i < s->pad_d; i++) {
        unsigned char zero = w->reply.data[w->reply.length - s->pad_d + i];
        seed_rc4_apply(&w->client.in, &zero, &zero, 1);
        assert_int_equal(zero, 0);
    }
}

/* Both sides read each other through the stream that was selected, IA first. */
static void expect_streams(world *w, const script *s, unsigned selected)
{
    unsigned char hello[] = "hello, this is the payload", copy[sizeof hello], *ia = malloc(IA_MAX);
    apr_size_t length = w->mse.length, i;
    seed_stream stream;

    assert_int_equal(w->mse.initial, s->ia);
    seed_stream_init(&stream, &w->mse, 0);
    memcpy(ia, w->mse.bytes, length);
    memcpy(ia + length, w->said.data + w->fed, w->said.length - w->fed);
    assert_int_equal(length + w->said.length - w->fed, s->ia);
    seed_stream_open(&stream, ia, s->ia / 3);
    seed_stream_open(&stream, ia + s->ia / 3, s->ia - s->ia / 3);
    for (i = 0; i < s->ia; i++)
        assert_int_equal(ia[i], (unsigned char)(i * 7));
    assert_int_equal(seed_stream_is_over(&stream), selected == SEED_MSE_PLAIN);
    memcpy(copy, hello, sizeof copy);
    if (selected == SEED_MSE_RC4)
        seed_rc4_apply(&w->client.out, copy, copy, sizeof copy);
    seed_stream_open(&stream, copy, sizeof copy);
    assert_memory_equal(copy, hello, sizeof copy);
    assert_int_equal(seed_stream_seals(&stream), selected == SEED_MSE_RC4);
    if (seed_stream_seals(&stream)) {
        seed_stream_seal(&stream, copy, hello, sizeof copy); /* and only five bytes are sent */
        seed_stream_unseal(&stream, sizeof copy - 5);
        seed_stream_seal(&stream, copy + 5, hello + 5, sizeof copy - 5);
        seed_rc4_apply(&w->client.in, copy, copy, sizeof copy);
        assert_memory_equal(copy, hello, sizeof copy);
    }
    free(ia);
}

static void expect_success(const script *s, unsigned selected)
{
    world w;

    open_world(&w, s);
    say_key(&w, s);
    assert_int_equal(feed(&w, s), SEED_MSE_MORE);
    assert_int_equal(w.reply.length, SEED_DH_SIZE + s->pad_b);
    assert_true(mse_client_agree(&w.client, w.reply.data));
    say_offer(&w, s);
    assert_int_equal(feed(&w, s), SEED_MSE_DONE);
    expect_answer(&w, s, selected);
    expect_streams(&w, s, selected);
    close_world(&w);
}

static seed_mse_event outcome(const script *s)
{
    seed_mse_event event;
    world w;

    open_world(&w, s);
    say_key(&w, s);
    event = feed(&w, s);
    if (event == SEED_MSE_MORE && w.reply.length >= SEED_DH_SIZE) {
        assert_true(mse_client_agree(&w.client, w.reply.data));
        say_offer(&w, s);
        event = feed(&w, s);
    }
    if (event == SEED_MSE_WRONG)
        assert_int_equal(seed_mse_step(&w.mse, (const unsigned char *)"more", 4, &w.reply), SEED_MSE_WRONG);
    close_world(&w);
    return event;
}

/* --- RC4 and the key exchange --- */

static void rc4_is_rc4(void **state)
{
    /* RFC 6229: 40-bit and 128-bit keys, the stream at 0 and at 1024. */
    static const unsigned char word[] = "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20";
    static const struct {
        unsigned length, at;
        const char *expected;
    } vectors[] = {
        {5, 0, "\xb2\x39\x63\x05\xf0\x3d\xc0\x27\xcc\xc3\x52\x4a\x0a\x11\x18\xa8"},
        {16, 0, "\x9a\xc7\xcc\x9a\x60\x9d\x1e\xf7\xb2\x93\x28\x99\xcd\xe4\x1b\x97"},
        {16, 1024, "\xbd\xf0\x32\x4e\x60\x83\xdc\xc6\xd3\xce\xdd\x3c\xa8\xc5\x3c\x16"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        unsigned char stream[1024 + 16] = {0};
        seed_rc4 rc4;

        seed_rc4_init(&rc4, word, vectors[i].length);
        seed_rc4_apply(&rc4, stream, stream, sizeof stream);
        assert_memory_equal(stream + vectors[i].at, vectors[i].expected, 16);
        assert_true(seed_rc4_is_sound(&rc4));
    }
}

static void rc4_goes_back(void **state)
{
    unsigned char bytes[2000] = {0}, again[2000] = {0};
    uint64_t random = 3;

    (void)state;
    for (int round = 0; round < 300; round++) {
        seed_rc4 rc4, before;
        size_t length = unit_below(&random, sizeof bytes), back = unit_below(&random, length + 1);

        seed_rc4_init(&rc4, (const unsigned char *)&random, sizeof random);
        seed_rc4_apply(&rc4, bytes, again, unit_below(&random, 700));
        before = rc4;
        seed_rc4_apply(&rc4, bytes, again, length);
        seed_rc4_rewind(&rc4, length);
        assert_memory_equal(&rc4, &before, sizeof rc4);
        seed_rc4_apply(&rc4, bytes, again, length);
        seed_rc4_rewind(&rc4, back);
        unsigned char tail[2000];
        seed_rc4_apply(&rc4, tail, again, back);
        assert_memory_equal(tail, bytes + length - back, back);
    }
}

static void rc4_damage_is_seen(void **state)
{
    seed_rc4 rc4;

    (void)state;
    seed_rc4_init(&rc4, (const unsigned char *)"k", 1);
    rc4.s[9] = rc4.s[10];
    assert_false(seed_rc4_is_sound(&rc4));
}

/* p less `less`, which is at most 0x63. */
static void below_prime(unsigned char out[SEED_DH_SIZE], unsigned less)
{
    memcpy(out, prime, SEED_DH_SIZE);
    out[SEED_DH_SIZE - 1] = (unsigned char)(out[SEED_DH_SIZE - 1] - less);
}

static void keys_without_a_secret_are_refused(void **state)
{
    unsigned char private_key[SEED_DH_PRIVATE_SIZE] = {9, 8, 7}, theirs[SEED_DH_SIZE] = {0}, ours[SEED_DH_SIZE],
                  secret[SEED_DH_SIZE];

    (void)state;
    assert_int_equal(seed_dh_agree(private_key, theirs, ours, secret), APR_EINVAL);
    theirs[SEED_DH_SIZE - 1] = 1;
    assert_int_equal(seed_dh_agree(private_key, theirs, ours, secret), APR_EINVAL);
    theirs[SEED_DH_SIZE - 1] = 2;
    assert_int_equal(seed_dh_agree(private_key, theirs, ours, secret), APR_SUCCESS);
    assert_memory_equal(ours, secret, SEED_DH_SIZE);
    below_prime(theirs, 0);
    assert_int_equal(seed_dh_agree(private_key, theirs, ours, secret), APR_EINVAL);
    below_prime(theirs, 1);
    assert_int_equal(seed_dh_agree(private_key, theirs, ours, secret), APR_EINVAL);
    below_prime(theirs, 2);
    assert_int_equal(seed_dh_agree(private_key, theirs, ours, secret), APR_SUCCESS);
    memset(theirs, 0xff, sizeof theirs);
    assert_int_equal(seed_dh_agree(private_key, theirs, ours, secret), APR_EINVAL);
}

static void bad_keys_end_the_handshake(void **state)
{
    for (unsigned kind = 0; kind < 4; kind++) {
        world w;

        (void)state;
        open_world(&w, &usual);
        memset(w.client.ours, kind == 3 ? 0xff : 0, SEED_DH_SIZE);
        if (kind == 1)
            w.client.ours[SEED_DH_SIZE - 1] = 1;
        if (kind == 2)
            below_prime(w.client.ours, 1);
        say_key(&w, &usual);
        assert_int_equal(feed(&w, &usual), SEED_MSE_WRONG);
        assert_int_equal(w.reply.length, 0);
        close_world(&w);
    }
}

static void a_secret_keeps_its_leading_zeros(void **state)
{
    unsigned char ours[SEED_DH_SIZE], mine[SEED_DH_SIZE], secret[SEED_DH_SIZE], other[SEED_DH_SIZE];
    int zeros = 0;

    (void)state;
    for (unsigned i = 1; i < 900; i++) {
        unsigned char a[SEED_DH_PRIVATE_SIZE] = {3, [18] = (unsigned char)(i >> 8), [19] = (unsigned char)i};
        unsigned char b[SEED_DH_PRIVATE_SIZE] = {1, 2, 3, 4};
        static unsigned char their_key[SEED_DH_SIZE];

        if (i == 1) {
            unsigned char two[SEED_DH_SIZE] = {[SEED_DH_SIZE - 1] = 2};
            assert_int_equal(seed_dh_agree(b, two, their_key, other), APR_SUCCESS);
        }
        assert_int_equal(seed_dh_agree(a, their_key, ours, secret), APR_SUCCESS);
        if (secret[0] != 0 && ours[0] != 0)
            continue;
        assert_int_equal(seed_dh_agree(b, ours, mine, other), APR_SUCCESS);
        assert_memory_equal(secret, other, SEED_DH_SIZE);
        zeros++;
    }
    assert_true(zeros > 0);
}

/* --- the handshake --- */

static void every_padding(void **state)
{
    static const apr_size_t pads[] = {0, 1, SEED_MSE_PAD_MAX};

    (void)state;
    for (unsigned i = 0; i < 81; i++) {
        script s = usual;

        s.pad_a = pads[i % 3];
        s.pad_b = pads[i / 3 % 3];
        s.pad_c = pads[i / 9 % 3];
        s.pad_d = pads[i / 27];
        expect_success(&s, SEED_MSE_PLAIN);
        s.chunk = 1;
        s.choices = SEED_MSE_RC4;
        expect_success(&s, SEED_MSE_RC4);
    }
}

static void every_first_part(void **state)
{
    script s = usual;

    (void)state;
    for (s.first = 1; s.first < 96 + usual.pad_a + 40 + 16 + usual.pad_c + usual.ia; s.first++)
        expect_success(&s, SEED_MSE_PLAIN);
}

static void every_size_of_parts(void **state)
{
    script s = usual;

    (void)state;
    s.provide = SEED_MSE_RC4;
    for (s.chunk = 1; s.chunk < 300; s.chunk++)
        expect_success(&s, SEED_MSE_RC4);
}

static void every_initial_payload(void **state)
{
    static const apr_size_t sizes[] = {0, 1, 47, 48, 68, 69, 1000, 1024, 16 * 1024, IA_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        script s = usual;

        s.ia = sizes[i];
        expect_success(&s, SEED_MSE_PLAIN);
        s.choices = SEED_MSE_RC4;
        expect_success(&s, SEED_MSE_RC4);
    }
}

static void what_is_selected(void **state)
{
    const unsigned both = SEED_MSE_PLAIN | SEED_MSE_RC4;
    static const struct {
        unsigned provide, choices, selected;
    } rows[] = {{1, 3, 1}, {2, 3, 2}, {3, 3, 1}, {1, 2, 0}, {2, 2, 2}, {3, 2, 2}, {0, 3, 0}, {4, 3, 0}, {0x80000002, 3, 2}, {7, 3, 1}};

    (void)state;
    assert_int_equal(both, 3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        script s = usual;

        s.provide = rows[i].provide;
        s.choices = rows[i].choices;
        if (rows[i].selected)
            expect_success(&s, rows[i].selected);
        else
            assert_int_equal(outcome(&s), SEED_MSE_WRONG);
    }
}

static void padding_without_an_end(void **state)
{
    script s = usual;

    (void)state;
    s.pad_a = SEED_MSE_PAD_MAX;
    assert_int_equal(outcome(&s), SEED_MSE_DONE);
    s.pad_a = SEED_MSE_PAD_MAX + 1;
    assert_int_equal(outcome(&s), SEED_MSE_WRONG);
    s.chunk = 1;
    assert_int_equal(outcome(&s), SEED_MSE_WRONG);
    s.pad_a = 5000; /* no more is read than can be right */
    assert_int_equal(outcome(&s), SEED_MSE_WRONG);
    s = usual;
    s.pad_c = SEED_MSE_PAD_MAX + 1;
    assert_int_equal(outcome(&s), SEED_MSE_WRONG);
    s.pad_c = 65535;
    assert_int_equal(outcome(&s), SEED_MSE_WRONG);
}

/* Each byte of the offer that is turned over is noticed: the first hash is then never found, the second names another
 * torrent, the constant is none, and so on; only in PadC and IA it is nobody's business. */
static void every_byte_turned_over(void **state)
{
    script s = usual;

    (void)state;
    for (s.flip = 1; s.flip < 40 + 8; s.flip++) {
        s.pad_a = s.flip < 20 ? SEED_MSE_PAD_MAX : 0;
        assert_int_equal(outcome(&s), s.flip < 20 ? SEED_MSE_WRONG : s.flip < 40 ? SEED_MSE_FIND : SEED_MSE_WRONG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rc4_is_rc4),
        cmocka_unit_test(rc4_goes_back),
        cmocka_unit_test(rc4_damage_is_seen),
        cmocka_unit_test(keys_without_a_secret_are_refused),
        cmocka_unit_test(bad_keys_end_the_handshake),
        cmocka_unit_test(a_secret_keeps_its_leading_zeros),
        cmocka_unit_test(every_padding),
        cmocka_unit_test(every_first_part),
        cmocka_unit_test(every_size_of_parts),
        cmocka_unit_test(every_initial_payload),
        cmocka_unit_test(what_is_selected),
        cmocka_unit_test(padding_without_an_end),
        cmocka_unit_test(every_byte_turned_over),
    };
    /* The prime of the specification, once more. */
    static const char hex[] = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
                              "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563";

    for (unsigned i = 0; i < SEED_DH_SIZE; i++) {
        const char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
        prime[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
