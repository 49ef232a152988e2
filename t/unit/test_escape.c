/* Names in JSON and HTML. */
#include "t/unit/unit.h"

#include <string.h>

#include "module/escape.h"

typedef void adder(bt_buf *body, const char *text);

static void check(adder *add, const char *text, const char *wanted)
{
    bt_buf body;

    bt_buf_init(&body, 4096);
    add(&body, text);
    assert_int_equal(bt_buf_add(&body, "", 1), APR_SUCCESS);
    assert_string_equal((const char *)body.data, wanted);
    bt_buf_free(&body);
}

static void plain_text_stays(void **state)
{
    (void)state;
    check(bth_add_json, "", "");
    check(bth_add_json, "a b-1.iso", "a b-1.iso");
    check(bth_add_html, "a b-1.iso", "a b-1.iso");
    check(bth_add_json, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    check(bth_add_html, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

static void what_means_something_is_escaped(void **state)
{
    (void)state;
    check(bth_add_json, "\"\\\n\x01\x7f</script>", "\\\"\\\\\\u000a\\u0001\\u007f</script>");
    check(bth_add_html, "<b title=\"'\">&amp;", "&#60;b title=&#34;&#39;&#34;&#62;&#38;amp;");
    check(bth_add_html, "a\nb\x7f\xc2\x85", "a\xef\xbf\xbd" "b\xef\xbf\xbd\xef\xbf\xbd");
}

static void stray_bytes_are_replaced(void **state)
{
    (void)state;
    check(bth_add_json, "a\xff" "b\xc3", "a\xef\xbf\xbd" "b\xef\xbf\xbd");
    check(bth_add_html, "\xc0\xbc\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(what_means_something_is_escaped),
        cmocka_unit_test(stray_bytes_are_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
