/* bthttp-torrentgen check: does the catalogue agree with itself, and with the files? */
#include "catalog/check.h"

#include <getopt.h>

#include "command/command.h"
#include "command/state.h"
#include "command/text.h"

enum { OPT_STATE_DIR = 256, OPT_JSON };

static const struct option options[] = {{"state-dir", required_argument, NULL, OPT_STATE_DIR},
                                        {"json", no_argument, NULL, OPT_JSON},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

typedef struct {
    cat_catalog *catalog;
    apr_pool_t *scratch;
    int json, quiet;
    apr_int64_t counts[CAT_FILE_UNKNOWN + 1];
} checking;

static const char *const names[] = {"same", "changed", "gone", "unknown"};

static void tell_fault(void *baton, const char *what)
{
    const checking *c = baton;
    cmd_json json;

    if (!c->json) {
        if (!c->quiet)
            cmd_line(stdout, "fault    %s", what);
        return;
    }
    cmd_json_begin(&json);
    cmd_json_text(&json, "event", "fault");
    cmd_json_text(&json, "what", what);
    cmd_json_print(&json, stdout);
}

static int look(void *baton, const cat_entry *entry)
{
    checking *c = baton;
    cat_file_state state;
    cmd_json json;

    apr_pool_clear(c->scratch);
    state = cat_look(c->catalog, entry, c->scratch);
    c->counts[state]++;
    if (state == CAT_FILE_SAME)
        return cmd_signal();
    if (c->json) {
        cmd_json_begin(&json);
        cmd_json_text(&json, "event", names[state]);
        cmd_json_path(&json, "path", entry->path);
        cmd_json_print(&json, stdout);
    } else if (!c->quiet) {
        cmd_line(stdout, "%-7s  %s", names[state], entry->path);
    }
    return cmd_signal();
}

static void report(const checking *c, apr_int64_t faults)
{
    cmd_json json;

    if (c->json) {
        cmd_json_begin(&json);
        cmd_json_text(&json, "event", "end");
        cmd_json_number(&json, "faults", faults);
        for (int i = 0; i <= CAT_FILE_UNKNOWN; i++)
            cmd_json_number(&json, names[i], c->counts[i]);
        cmd_json_print(&json, stdout);
    } else if (!c->quiet) {
        cmd_line(stdout,
                 "%" APR_INT64_T_FMT " faults; %" APR_INT64_T_FMT " files as they were, %" APR_INT64_T_FMT " changed, %" APR_INT64_T_FMT
                 " gone, %" APR_INT64_T_FMT " could not be looked at",
                 faults, c->counts[CAT_FILE_SAME], c->counts[CAT_FILE_CHANGED], c->counts[CAT_FILE_GONE],
                 c->counts[CAT_FILE_UNKNOWN]);
    }
}

static int check(checking *c)
{
    apr_int64_t faults = 0;
    apr_status_t status;

    cmd_catch_signals();
    status = cat_check(c->catalog, tell_fault, c, &faults);
    if (status == APR_SUCCESS)
        status = cat_walk(c->catalog, look, c);
    if (status != APR_SUCCESS)
        return cmd_state_failed(status);
    report(c, faults);
    if (cmd_signal())
        return CMD_SIGNAL + cmd_signal();
    return faults || c->counts[CAT_FILE_CHANGED] || c->counts[CAT_FILE_GONE] || c->counts[CAT_FILE_UNKNOWN] ? CMD_BAD : CMD_OK;
}

static int run(int argc, char **argv, apr_pool_t *pool)
{
    const char *state_dir = CMD_STATEDIR;
    checking c = {0};
    int option, code;

    while ((option = getopt_long(argc, argv, "qh", options, NULL)) != -1) {
        if (option == OPT_STATE_DIR)
            state_dir = optarg;
        else if (option == OPT_JSON)
            c.json = 1;
        else if (option == 'q')
            c.quiet = 1;
        else
            return option == 'h' ? cmd_help(&cmd_check) : cmd_see_help(&cmd_check);
    }
    if (optind != argc)
        return cmd_misuse(&cmd_check, "it takes no argument");
    if ((code = cmd_state_open(&c.catalog, state_dir, 0, pool)) != CMD_OK)
        return code;
    if (apr_pool_create(&c.scratch, pool) != APR_SUCCESS)
        return CMD_FAILED;
    return check(&c);
}

const cmd_subcommand cmd_check = {"check", "hold the catalogue against itself and against the files",
                                  "[OPTION]...\n\n" CMD_STATE_HELP
                                  "      --json                JSON lines: one for each thing that is wrong, and one at the end\n"
                                  "  -q, --quiet               say nothing: the exit code is 0 if all is well, 1 if not\n"
                                  "  -h, --help                this text\n"
                                  "\nFiles are compared by size, times and inode; their contents are not read.\n",
                                  run};
