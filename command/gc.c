/* bthttp-torrentgen gc: removes from the catalogue what is no longer there, or is another file by now. */
#include <getopt.h>

#include "command/command.h"
#include "command/state.h"
#include "command/text.h"

enum { OPT_STATE_DIR = 256, OPT_JSON, BATCH = 1000 };

static const struct option options[] = {{"state-dir", required_argument, NULL, OPT_STATE_DIR},
                                        {"verbose", no_argument, NULL, 'v'},
                                        {"json", no_argument, NULL, OPT_JSON},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

typedef struct {
    int verbose, json, quiet;
} wishes;

static int tell_removed(void *baton, const cat_entry *entry)
{
    if (((const wishes *)baton)->verbose)
        cmd_line(stdout, "removed  %s", entry->path);
    return 0;
}

static void report(const wishes *w, const cat_gc_counts *counts)
{
    cmd_json json;

    if (w->json) {
        cmd_json_begin(&json);
        cmd_json_number(&json, "seen", counts->seen);
        cmd_json_number(&json, "gone", counts->gone);
        cmd_json_number(&json, "changed", counts->changed);
        cmd_json_number(&json, "unknown", counts->unknown);
        cmd_json_print(&json, stdout);
    } else if (!w->quiet) {
        cmd_line(stdout,
                 "%" APR_INT64_T_FMT " entries: %" APR_INT64_T_FMT " removed that are gone, %" APR_INT64_T_FMT
                 " that changed; %" APR_INT64_T_FMT " could not be looked at",
                 counts->seen, counts->gone, counts->changed, counts->unknown);
    }
}

static int collect(cat_catalog *catalog, wishes *w)
{
    cat_place place = {{0}, 0, 0};
    cat_gc_counts counts = {0, 0, 0, 0};
    apr_status_t status = APR_SUCCESS;

    cmd_catch_signals();
    while (status == APR_SUCCESS && !place.ended && !cmd_signal())
        status = cat_gc(catalog, &place, BATCH, tell_removed, w, &counts);
    report(w, &counts);
    if (status != APR_SUCCESS)
        return cmd_state_failed(status);
    return cmd_signal() ? CMD_SIGNAL + cmd_signal() : CMD_OK;
}

static int run(int argc, char **argv, apr_pool_t *pool)
{
    const char *state_dir = CMD_STATEDIR;
    wishes w = {0, 0, 0};
    cat_catalog *catalog;
    int option, code;

    while ((option = getopt_long(argc, argv, "vqh", options, NULL)) != -1) {
        if (option == OPT_STATE_DIR)
            state_dir = optarg;
        else if (option == 'v')
            w.verbose = 1;
        else if (option == OPT_JSON)
            w.json = 1;
        else if (option == 'q')
            w.quiet = 1;
        else
            return option == 'h' ? cmd_help(&cmd_gc) : cmd_see_help(&cmd_gc);
    }
    if (optind != argc)
        return cmd_misuse(&cmd_gc, "it takes no argument");
    if (w.json)
        w.verbose = 0;
    if ((code = cmd_state_open(&catalog, state_dir, 0, pool)) != CMD_OK)
        return code;
    return collect(catalog, &w);
}

const cmd_subcommand cmd_gc = {"gc", "remove from the catalogue what is gone or has changed",
                               "[OPTION]...\n\n" CMD_STATE_HELP
                               "  -v, --verbose             name what is removed\n"
                               "      --json                the counts as JSON\n"
                               "  -q, --quiet               say nothing but what goes wrong\n"
                               "  -h, --help                this text\n",
                               run};
