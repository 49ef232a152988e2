/* What the command says and reads: pure parts. */
#include <string.h>

#include "command/text.h"
#include "command/values.h"
#include "t/unit/unit.h"

static void escaped_as(const char *text, const char *expected)
{
    bt_buf buf;

    bt_buf_init(&buf, 4096);
    cmd_text_add(&buf, text);
    bt_buf_add(&buf, "", 1);
    assert_string_equal((const char *)buf.data, expected);
    bt_buf_free(&buf);
}

static void escapes(void **state)
{
    escaped_as("plain \xc3\xa4 \xe4\xb8\x96 \xf0\x9f\x98\x80", "plain \xc3\xa4 \xe4\xb8\x96 \xf0\x9f\x98\x80");
    escaped_as("a\nb\rc\td\x1b[2J\x7f", "a\\nb\\rc\\td\\x1b[2J\\x7f");
    escaped_as("back\\slash", "back\\\\slash");
    escaped_as("\xff\xc3", "\\xff\\xc3");
    escaped_as("\xc2\x85\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6\xef\xbb\xbf", "\\u0085\\u2028\\u202e\\u2066\\ufeff");
}

/* Nothing that any bytes become can end a line, move the cursor, or be taken for other bytes. */
static void any_bytes_stay_one_line(void **state)
{
    uint64_t random = 3;

    for (int i = 0; i < 5000; i++) {
        char text[65] = "";
        bt_buf buf;

        for (size_t j = 0, length = unit_below(&random, 64); j < length; j++)
            text[j] = (char)(1 + unit_below(&random, 255));
        bt_buf_init(&buf, 4096);
        cmd_text_add(&buf, text);
        for (size_t j = 0; j < buf.length; j++)
            assert_true(buf.data[j] >= 0x20 && buf.data[j] != 0x7f);
        bt_buf_free(&buf);
    }
}

static void json_is(cmd_json *json, const char *expected)
{
    bt_buf_add(&json->buf, "", 1);
    assert_string_equal((const char *)json->buf.data, expected);
    bt_buf_free(&json->buf);
}

static void documents(void **state)
{
    static const unsigned char hash[2] = {0xab, 0x01}, none[2];
    cmd_json json;

    cmd_json_begin(&json);
    cmd_json_text(&json, "a", "quote\" \\ \n \xc2\x80 \xc3\xa4");
    cmd_json_text(&json, "n", NULL);
    cmd_json_open(&json, "l", '[');
    cmd_json_number(&json, NULL, -5);
    cmd_json_open(&json, NULL, '{');
    cmd_json_close(&json, '}');
    cmd_json_bool(&json, NULL, 1);
    cmd_json_close(&json, ']');
    cmd_json_path(&json, "p", "x\xff");
    cmd_json_hash(&json, "h", hash, sizeof hash);
    cmd_json_hash(&json, "z", none, sizeof none);
    json_is(&json, "{\"a\":\"quote\\\" \\\\ \\u000a \\u0080 \xc3\xa4\",\"n\":null,\"l\":[-5,{},true],"
                   "\"p\":\"x\xef\xbf\xbd\",\"p_hex\":\"78ff\",\"h\":\"ab01\"");
}

static void sizes_and_times(void **state)
{
    char out[40];

    assert_string_equal(cmd_size_text(out, 0), "0 B");
    assert_string_equal(cmd_size_text(out, 1023), "1023 B");
    assert_string_equal(cmd_size_text(out, 1024), "1.00 KiB");
    assert_string_equal(cmd_size_text(out, 1024 * 1024 - 1), "1.00 MiB");
    assert_string_equal(cmd_size_text(out, APR_INT64_MAX), "8.00 EiB");
    assert_string_equal(cmd_duration_text(out, 67), "1:07");
    assert_string_equal(cmd_duration_text(out, 3723), "1:02:03");
    assert_string_equal(cmd_duration_text(out, -1), "0:00");
    assert_string_equal(cmd_time_text(out, apr_time_from_sec(1767225599)), "2025-12-31T23:59:59Z");
}

static void size_values(void **state)
{
    static const char *const bad[] = {"", "K", "-1", "+1", " 1", "1 ", "1KB", "1X", "0x10", "9999999999999999999", "9000000000G", "1.5M"};
    apr_int64_t bytes;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(cmd_read_size(bad[i], &bytes));
    assert_null(cmd_read_size("0", &bytes));
    assert_null(cmd_read_size("3T", &bytes));
    assert_int_equal(bytes, (apr_int64_t)3 << 40);
    assert_null(cmd_read_size("16k", &bytes));
    assert_int_equal(bytes, 16384);
    assert_null(cmd_read_size("9223372036854775807", &bytes));
}

static void other_values(void **state)
{
    apr_uint32_t piece;
    tg_version version;
    int threads;

    assert_null(cmd_read_piece_length("auto", &piece));
    assert_int_equal(piece, 0);
    assert_null(cmd_read_piece_length("16M", &piece));
    assert_int_equal(piece, 16 << 20);
    assert_non_null(cmd_read_piece_length("8K", &piece));
    assert_non_null(cmd_read_piece_length("4294983680", &piece)); /* 2^32 + 16K */
    assert_null(cmd_read_version("hybrid", &version));
    assert_int_equal(version, TG_HYBRID);
    assert_non_null(cmd_read_version("V1", &version));
    assert_null(cmd_read_threads("256", &threads));
    assert_non_null(cmd_read_threads("257", &threads));
    assert_non_null(cmd_read_threads("0", &threads));
    assert_null(cmd_read_url("udp://t.example:1/announce"));
    assert_non_null(cmd_read_url("://x"));
    assert_non_null(cmd_read_url("http://"));
    assert_non_null(cmd_read_url("http://a b"));
    assert_non_null(cmd_read_url("ht tp://a"));
    assert_non_null(cmd_read_url("http://\xc3\xa4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(escapes),         cmocka_unit_test(any_bytes_stay_one_line),
                                       cmocka_unit_test(documents),       cmocka_unit_test(sizes_and_times),
                                       cmocka_unit_test(size_values),     cmocka_unit_test(other_values)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
