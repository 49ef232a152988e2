#include "t/unit/unit.h"

#include <string.h>

#include "module/decide.h"

/* One row of the decision: what differs from an ordinary request for a large public file, and what it gets. */
typedef struct {
    const char *name;
    const char *accept;
    bth_facts facts; /* only what the row names; see facts_of() */
    bth_action action;
    const char *status;
    bth_form form; /* if something is sent */
} row;

#define MiB (1024 * 1024LL)
#define NOT_MAIN .facts.is_main_get = -1
#define OFF .facts.enabled = -1
#define READY .facts.stranger = BTH_STRANGER_MAY, .facts.torrent = BTH_TORRENT_READY
#define BY_TYPE .accept = "metalink", .facts.by_type = 1
#define ALL_FORMS 7
#define NO_METALINK (ALL_FORMS & ~BTH_FORM_BIT(BTH_FORM_METALINK))

static const row rows[] = {
    /* nobody asked */
    {.name = "plain, catalogue unasked", .action = BTH_ASK_TORRENT},
    {.name = "plain, no torrent", .facts.torrent = BTH_TORRENT_NONE, .action = BTH_PASS_VARY},
    {.name = "plain, torrent", .facts.torrent = BTH_TORRENT_READY, .action = BTH_PASS_LINK},
    {.name = "plain, no catalogue", .facts.torrent = BTH_TORRENT_FAILED, .action = BTH_PASS_VARY},
    {.name = "plain, being made", .facts.torrent = BTH_TORRENT_PENDING, .action = BTH_PASS_VARY},
    {.name = "plain, off", OFF, .action = BTH_PASS},
    {.name = "plain, small", .facts.size = MiB - 1, .action = BTH_PASS},
    {.name = "plain, large", .facts.max_size = MiB, .facts.size = MiB + 1, .action = BTH_PASS},
    {.name = "plain, transformed", .facts.transformed = 1, .action = BTH_PASS},
    /* not ours to touch */
    {.name = "a POST, an error or a sub-request", .accept = "torrent", NOT_MAIN, .action = BTH_PASS},
    {.name = "an alias of such", .facts.alias = BTH_ALIAS_QUERY, NOT_MAIN, .action = BTH_PASS},
    {.name = "?bthttp=file", .accept = "torrent", .facts.force_file = 1, .action = BTH_PASS},
    {.name = "?bthttp=file&torrent", .facts.alias = BTH_ALIAS_QUERY, .facts.force_file = 1, .action = BTH_PASS},
    {.name = "Range and nothing known", .accept = "torrent", .facts.has_range = 1, .action = BTH_ASK_TORRENT},
    {.name = "Range and a torrent", .accept = "torrent", .facts.has_range = 1, .facts.torrent = BTH_TORRENT_READY,
     .action = BTH_PASS_LINK},
    {.name = "refused", .accept = "torrent;q=0", .facts.torrent = BTH_TORRENT_READY, .action = BTH_PASS_LINK},
    /* asked by header */
    {.name = "off", .accept = "torrent", OFF, .action = BTH_PASS_STATUS, .status = "off"},
    {.name = "transformed", .accept = "torrent", .facts.transformed = 1, .action = BTH_PASS_STATUS, .status = "transformed"},
    {.name = "too small", .accept = "torrent", .facts.size = MiB - 1, .action = BTH_PASS_STATUS, .status = "too-small"},
    {.name = "empty", .accept = "torrent", .facts.size = -1, .facts.min_size = -1, .action = BTH_PASS_STATUS,
     .status = "too-small"},
    {.name = "just large enough", .accept = "torrent", .facts.size = MiB, .action = BTH_ASK_STRANGER},
    {.name = "just small enough", .accept = "torrent", .facts.max_size = 64 * MiB, .action = BTH_ASK_STRANGER},
    {.name = "too large", .accept = "torrent", .facts.max_size = 64 * MiB - 1, .action = BTH_PASS_STATUS,
     .status = "too-large"},
    {.name = "stranger unasked", .accept = "torrent", .action = BTH_ASK_STRANGER},
    {.name = "stranger unasked, torrent ready", .accept = "torrent", .facts.torrent = BTH_TORRENT_READY,
     .action = BTH_ASK_STRANGER},
    {.name = "protected", .accept = "torrent", .facts.stranger = BTH_STRANGER_MAY_NOT, .facts.torrent = BTH_TORRENT_READY,
     .action = BTH_PASS_STATUS, .status = "protected"},
    {.name = "catalogue unasked", .accept = "torrent", .facts.stranger = BTH_STRANGER_MAY, .action = BTH_ASK_TORRENT},
    {.name = "to be made", .accept = "torrent", .facts.stranger = BTH_STRANGER_MAY, .facts.torrent = BTH_TORRENT_NONE,
     .action = BTH_ASK_MAKE},
    {.name = "to be made, but not readable for this client", .accept = "torrent;v=1", .facts.stranger = BTH_STRANGER_MAY,
     .facts.new_version = TG_V2, .facts.torrent = BTH_TORRENT_NONE, .action = BTH_PASS_STATUS, .status = "unavailable"},
    {.name = "ready", .accept = "torrent", .facts.stranger = BTH_STRANGER_MAY, .facts.torrent = BTH_TORRENT_READY,
     .action = BTH_SEND_FORM},
    {.name = "ready, hybrid for a v1 client", .accept = "torrent;v=1", .facts.stranger = BTH_STRANGER_MAY,
     .facts.torrent = BTH_TORRENT_READY, .action = BTH_SEND_FORM},
    {.name = "ready, but v1 for a v2 client", .accept = "torrent;v=2", .facts.stranger = BTH_STRANGER_MAY,
     .facts.version = TG_V1, .facts.torrent = BTH_TORRENT_READY, .action = BTH_PASS_STATUS, .status = "unavailable"},
    {.name = "pending", .accept = "torrent", .facts.stranger = BTH_STRANGER_MAY, .facts.torrent = BTH_TORRENT_PENDING,
     .action = BTH_PASS_STATUS, .status = "pending"},
    {.name = "failed", .accept = "torrent", .facts.stranger = BTH_STRANGER_MAY, .facts.torrent = BTH_TORRENT_FAILED,
     .action = BTH_PASS_STATUS, .status = "unavailable"},
    /* other forms: the best that the client takes and that can be made */
    {.name = "magnet", .accept = "magnet", READY, .action = BTH_SEND_FORM, .form = BTH_FORM_MAGNET},
    {.name = "metalink", .accept = "metalink", READY, .action = BTH_SEND_FORM, .form = BTH_FORM_METALINK},
    {.name = "magnet before torrent", .accept = "torrent;q=0.5, magnet", READY, .action = BTH_SEND_FORM,
     .form = BTH_FORM_MAGNET},
    {.name = "torrent, as the magnet's version does not fit", .accept = "magnet;v=2, torrent;v=1", READY,
     .facts.version = TG_V1, .action = BTH_SEND_FORM, .form = BTH_FORM_TORRENT},
    {.name = "torrent where there are no metalinks", .accept = "metalink, torrent;q=0.1", READY, .facts.forms = NO_METALINK,
     .action = BTH_SEND_FORM, .form = BTH_FORM_TORRENT},
    {.name = "file where there are no metalinks", .accept = "metalink", READY, .facts.forms = NO_METALINK,
     .action = BTH_PASS_STATUS, .status = "unavailable"},
    {.name = "nothing is made for what cannot be sent", .accept = "metalink", .facts.stranger = BTH_STRANGER_MAY,
     .facts.torrent = BTH_TORRENT_NONE, .facts.forms = NO_METALINK, .action = BTH_PASS_STATUS, .status = "unavailable"},
    {.name = "magnet, to be made", .accept = "magnet", .facts.stranger = BTH_STRANGER_MAY,
     .facts.torrent = BTH_TORRENT_NONE, .action = BTH_ASK_MAKE},
    {.name = "magnet, pending", .accept = "magnet", .facts.stranger = BTH_STRANGER_MAY,
     .facts.torrent = BTH_TORRENT_PENDING, .action = BTH_PASS_STATUS, .status = "pending"},
    /* asked by Accept: refusals are not told */
    {.name = "Accept, ready", BY_TYPE, READY, .action = BTH_SEND_FORM, .form = BTH_FORM_METALINK},
    {.name = "Accept, stranger unasked", BY_TYPE, .action = BTH_ASK_STRANGER},
    {.name = "Accept, to be made", BY_TYPE, .facts.stranger = BTH_STRANGER_MAY, .facts.torrent = BTH_TORRENT_NONE,
     .action = BTH_ASK_MAKE},
    {.name = "Accept, pending", BY_TYPE, .facts.stranger = BTH_STRANGER_MAY, .facts.torrent = BTH_TORRENT_PENDING,
     .action = BTH_PASS_STATUS, .status = "pending"},
    {.name = "Accept, failed", BY_TYPE, .facts.stranger = BTH_STRANGER_MAY, .facts.torrent = BTH_TORRENT_FAILED,
     .action = BTH_PASS_VARY},
    {.name = "Accept, protected", BY_TYPE, .facts.stranger = BTH_STRANGER_MAY_NOT, .facts.torrent = BTH_TORRENT_NONE,
     .action = BTH_PASS_VARY},
    {.name = "Accept, protected, catalogue unasked", BY_TYPE, .facts.stranger = BTH_STRANGER_MAY_NOT,
     .action = BTH_ASK_TORRENT},
    {.name = "Accept, off", BY_TYPE, OFF, .action = BTH_PASS},
    {.name = "Accept, small", BY_TYPE, .facts.size = 1, .action = BTH_PASS},
    {.name = "Accept, transformed", BY_TYPE, .facts.transformed = 1, .action = BTH_PASS},
    {.name = "Accept, Range", BY_TYPE, .facts.has_range = 1, .facts.torrent = BTH_TORRENT_READY, .action = BTH_PASS_LINK},
    {.name = "Accept, ?bthttp=file", BY_TYPE, .facts.force_file = 1, .action = BTH_PASS},
    {.name = "Accept, no metalinks here", BY_TYPE, READY, .facts.forms = NO_METALINK, .action = BTH_PASS_LINK},
    /* asked by alias */
    {.name = "FILE.magnet", .facts.alias = BTH_ALIAS_SUFFIX, .facts.alias_form = BTH_FORM_MAGNET, READY,
     .action = BTH_SEND_FORM, .form = BTH_FORM_MAGNET},
    {.name = "FILE.meta4", .facts.alias = BTH_ALIAS_SUFFIX, .facts.alias_form = BTH_FORM_METALINK, READY,
     .action = BTH_SEND_FORM, .form = BTH_FORM_METALINK},
    {.name = "FILE.meta4 where there are none", .facts.alias = BTH_ALIAS_SUFFIX, .facts.alias_form = BTH_FORM_METALINK, READY,
     .facts.forms = NO_METALINK, .action = BTH_SEND_NOT_FOUND},
    {.name = "FILE.magnet, whatever the header", .accept = "torrent", .facts.alias = BTH_ALIAS_SUFFIX,
     .facts.alias_form = BTH_FORM_MAGNET, READY, .action = BTH_SEND_FORM, .form = BTH_FORM_MAGNET},
    {.name = "query alias, off", .facts.alias = BTH_ALIAS_QUERY, OFF, .action = BTH_PASS},
    {.name = "suffix alias, off", .facts.alias = BTH_ALIAS_SUFFIX, OFF, .action = BTH_SEND_NOT_FOUND},
    {.name = "alias, small", .facts.alias = BTH_ALIAS_QUERY, .facts.size = 1, .action = BTH_SEND_NOT_FOUND},
    {.name = "alias, transformed", .facts.alias = BTH_ALIAS_SUFFIX, .facts.transformed = 1, .action = BTH_SEND_NOT_FOUND},
    {.name = "alias, stranger unasked", .facts.alias = BTH_ALIAS_QUERY, .action = BTH_ASK_STRANGER},
    {.name = "alias, protected", .facts.alias = BTH_ALIAS_QUERY, .facts.stranger = BTH_STRANGER_MAY_NOT,
     .action = BTH_SEND_NOT_FOUND},
    {.name = "alias, catalogue unasked", .facts.alias = BTH_ALIAS_SUFFIX, .facts.stranger = BTH_STRANGER_MAY,
     .action = BTH_ASK_TORRENT},
    {.name = "alias, to be made", .facts.alias = BTH_ALIAS_SUFFIX, .facts.stranger = BTH_STRANGER_MAY,
     .facts.torrent = BTH_TORRENT_NONE, .action = BTH_ASK_MAKE},
    {.name = "alias, ready", .facts.alias = BTH_ALIAS_SUFFIX, .facts.stranger = BTH_STRANGER_MAY,
     .facts.torrent = BTH_TORRENT_READY, .action = BTH_SEND_FORM},
    {.name = "alias, ready, with a Range", .facts.alias = BTH_ALIAS_SUFFIX, .facts.has_range = 1,
     .facts.stranger = BTH_STRANGER_MAY, .facts.torrent = BTH_TORRENT_READY, .action = BTH_SEND_FORM},
    {.name = "alias, pending", .facts.alias = BTH_ALIAS_SUFFIX, .facts.stranger = BTH_STRANGER_MAY,
     .facts.torrent = BTH_TORRENT_PENDING, .action = BTH_SEND_WAIT},
    {.name = "alias, failed", .facts.alias = BTH_ALIAS_SUFFIX, .facts.stranger = BTH_STRANGER_MAY,
     .facts.torrent = BTH_TORRENT_FAILED, .action = BTH_SEND_NOT_FOUND},
};

/* What a row leaves out is that of an ordinary request; -1 stands for "no". */
static bth_facts facts_of(const row *row, bth_accept *accept)
{
    bth_facts facts = row->facts;

    bth_accept_parse(row->accept, accept);
    facts.accept = accept;
    facts.is_main_get = row->facts.is_main_get == 0;
    facts.enabled = row->facts.enabled == 0;
    facts.size = row->facts.size < 0 ? 0 : row->facts.size ? row->facts.size : 64 * MiB;
    facts.min_size = row->facts.min_size < 0 ? 0 : MiB;
    facts.max_size = row->facts.max_size ? row->facts.max_size : -1;
    facts.new_version = row->facts.new_version ? row->facts.new_version : TG_HYBRID;
    facts.forms = row->facts.forms ? row->facts.forms : ALL_FORMS;
    facts.version = row->facts.version ? row->facts.version : TG_HYBRID;
    return facts;
}

static void test_every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bth_accept accept;
        bth_facts facts = facts_of(&rows[i], &accept);
        bth_verdict verdict = bth_decide(&facts);

        if (verdict.action != rows[i].action)
            fail_msg("%s: action %d, not %d", rows[i].name, (int)verdict.action, (int)rows[i].action);
        if (verdict.action == BTH_SEND_FORM && verdict.form != rows[i].form)
            fail_msg("%s: form %d, not %d", rows[i].name, (int)verdict.form, (int)rows[i].form);
        if (rows[i].status)
            assert_string_equal(verdict.status, rows[i].status);
        else
            assert_null(verdict.status);
    }
}

/* Whatever the facts: it asks for nothing twice, and no torrent leaves without a stranger's grant. */
static void test_all_combinations(void **state)
{
    static const char *const values[] = {"", "torrent", "torrent;v=1", "magnet;v=2, metalink;q=0.5"};

    (void)state;
    for (unsigned bits = 0; bits < 4u * 64 * 3 * 3 * 5 * 4; bits++) {
        unsigned rest = bits / 64;
        bth_facts facts = {.is_main_get = bits & 1, .enabled = bits >> 1 & 1, .transformed = bits >> 2 & 1,
                           .force_file = bits >> 3 & 1, .has_range = bits >> 4 & 1, .size = bits >> 5 & 1 ? 1 : 2 * MiB,
                           .min_size = MiB, .max_size = -1, .new_version = TG_HYBRID, .alias_form = (bth_form)(bits % 3),
                           .forms = bits & 1 ? ALL_FORMS : NO_METALINK, .by_type = bits >> 7 & 1};
        bth_accept accept;
        bth_verdict verdict;

        bth_accept_parse(values[rest % 4], &accept), rest /= 4;
        facts.accept = &accept;
        facts.alias = (bth_alias)(rest % 3), rest /= 3;
        facts.stranger = (bth_stranger_fact)(rest % 3), rest /= 3;
        facts.torrent = (bth_torrent_fact)(rest % 5), rest /= 5;
        facts.version = (tg_version)(rest % 3 + 1);
        verdict = bth_decide(&facts);
        if (verdict.action == BTH_ASK_STRANGER)
            assert_int_equal(facts.stranger, BTH_STRANGER_UNASKED);
        if (verdict.action == BTH_ASK_TORRENT)
            assert_int_equal(facts.torrent, BTH_TORRENT_UNASKED);
        if (verdict.action == BTH_ASK_MAKE)
            assert_int_equal(facts.torrent, BTH_TORRENT_NONE);
        if (verdict.action == BTH_SEND_FORM || verdict.action == BTH_ASK_MAKE) {
            assert_int_equal(facts.stranger, BTH_STRANGER_MAY);
            assert_true(facts.is_main_get && facts.enabled && !facts.transformed && !facts.force_file);
            assert_true(facts.size >= facts.min_size);
            if (verdict.action == BTH_SEND_FORM)
                assert_true(facts.forms & BTH_FORM_BIT(verdict.form));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_row), cmocka_unit_test(test_all_combinations)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
