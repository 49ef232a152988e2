/* bthttp-torrentgen scan: fills the catalogue ahead of the first requests. */
#include "command/scan.h"

#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_strings.h>

#include "command/command.h"
#include "command/making.h"
#include "command/state.h"
#include "command/text.h"
#include "command/values.h"

enum { OPT_STATE_DIR = CMD_OPT_OWN, OPT_MIN_SIZE, OPT_MAX_SIZE, OPT_ORDER, OPT_NO_DIGEST, OPT_JSON };

static const struct option options[] = {{"state-dir", required_argument, NULL, OPT_STATE_DIR},
                                        {"min-size", required_argument, NULL, OPT_MIN_SIZE},
                                        {"max-size", required_argument, NULL, OPT_MAX_SIZE},
                                        {"order", required_argument, NULL, OPT_ORDER},
                                        {"no-digest", no_argument, NULL, OPT_NO_DIGEST},
                                        {"torrent-version", required_argument, NULL, CMD_OPT_VERSION},
                                        {"piece-size", required_argument, NULL, CMD_OPT_PIECE_SIZE},
                                        {"threads", required_argument, NULL, CMD_OPT_THREADS},
                                        {"include-hidden", no_argument, NULL, CMD_OPT_HIDDEN},
                                        {"follow-links", no_argument, NULL, CMD_OPT_FOLLOW_LINKS},
                                        {"json", no_argument, NULL, OPT_JSON},
                                        {"verbose", no_argument, NULL, 'v'},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static const char *read_order(const char *text, cmd_order *order)
{
    static const char *const names[] = {"newest", "oldest", "smallest", "largest", "path"};

    for (int i = 0; i <= CMD_PATH; i++)
        if (strcmp(text, names[i]) == 0) {
            *order = (cmd_order)i;
            return NULL;
        }
    return "is no order: newest, oldest, smallest, largest or path expected";
}

static const char *read_max(const char *text, apr_int64_t *bytes)
{
    if (strcmp(text, "none") != 0)
        return cmd_read_size(text, bytes);
    *bytes = APR_INT64_MAX;
    return NULL;
}

/* @return 1 if it was taken, 0 if it is to end here with *code */
static int take_option(cmd_scan *scan, int option, int *code)
{
    const char *wrong = NULL;

    *code = CMD_USAGE;
    switch (option) {
    case OPT_STATE_DIR: scan->state_dir = optarg; break;
    case OPT_MIN_SIZE: wrong = cmd_read_size(optarg, &scan->size_min); break;
    case OPT_MAX_SIZE: wrong = read_max(optarg, &scan->size_max); break;
    case OPT_ORDER: wrong = read_order(optarg, &scan->order); break;
    case OPT_NO_DIGEST: scan->digest = 0; break;
    case CMD_OPT_VERSION: wrong = cmd_read_version(optarg, &scan->version); break;
    case CMD_OPT_PIECE_SIZE: wrong = cmd_read_piece_length(optarg, &scan->piece_length); break;
    case CMD_OPT_THREADS: wrong = cmd_read_threads(optarg, &scan->threads); break;
    case CMD_OPT_HIDDEN: scan->hidden = 1; break;
    case CMD_OPT_FOLLOW_LINKS: scan->follow_links = 1; break;
    case OPT_JSON: scan->json = 1; break;
    case 'v': scan->verbose = 1; break;
    case 'q': scan->quiet = 1; break;
    case 'h': *code = cmd_help(&cmd_scan_command); return 0;
    default: cmd_see_help(&cmd_scan_command); return 0;
    }
    if (wrong)
        cmd_misuse(&cmd_scan_command, "\"%s\" %s", optarg, wrong);
    return wrong == NULL;
}

void cmd_scan_fail(cmd_scan *scan, const char *path, const char *reason)
{
    cmd_json json;

    scan->failed++;
    if (!scan->json) {
        cmd_complain("%s: %s", path, reason);
        return;
    }
    cmd_json_begin(&json);
    cmd_json_text(&json, "event", "failed");
    cmd_json_path(&json, "path", path);
    cmd_json_text(&json, "reason", reason);
    cmd_json_print(&json, stdout);
}

static void report(const cmd_scan *scan, apr_time_t began)
{
    apr_time_t took = apr_time_now() - began;
    apr_int64_t left = scan->found->nelts - scan->made - scan->failed;
    double seconds = took > 0 ? (double)took / APR_USEC_PER_SEC : 1e-6;
    char size[32], rate[32];
    cmd_json json;

    if (scan->json) {
        cmd_json_begin(&json);
        cmd_json_text(&json, "event", "end");
        cmd_json_number(&json, "made", scan->made);
        cmd_json_number(&json, "adopted", scan->adopted);
        cmd_json_number(&json, "known", scan->known);
        cmd_json_number(&json, "failed", scan->failed);
        cmd_json_number(&json, "left", left > 0 ? left : 0);
        cmd_json_number(&json, "bytes", scan->bytes_made);
        cmd_json_number(&json, "milliseconds", took / 1000);
        cmd_json_print(&json, stdout);
    } else if (!scan->quiet) {
        cmd_line(stdout,
                 "%" APR_INT64_T_FMT " torrents made of %s in %.1f s (%s/s), %" APR_INT64_T_FMT " known before, %" APR_INT64_T_FMT
                 " failed%s",
                 scan->made, cmd_size_text(size, scan->bytes_made), seconds,
                 cmd_size_text(rate, (apr_int64_t)((double)scan->bytes_made / seconds)), scan->known, scan->failed,
                 cmd_signal() ? ", stopped before the end" : "");
    }
}

static int scan_tree(cmd_scan *scan)
{
    apr_time_t began = apr_time_now();
    struct stat info;
    int code;

    if (stat(scan->root, &info) == 0 && !S_ISDIR(info.st_mode))
        return cmd_misuse(&cmd_scan_command, "%s is no directory", scan->root);
    cmd_catch_signals();
    if ((code = cmd_state_open(&scan->catalog, scan->state_dir, 1, scan->pool)) != CMD_OK)
        return code;
    if ((code = cmd_scan_find(scan)) == CMD_OK)
        code = cmd_scan_make(scan);
    if (code != CMD_FAILED)
        report(scan, began);
    if (code == CMD_OK && cmd_signal())
        return CMD_SIGNAL + cmd_signal();
    return code == CMD_OK && scan->failed ? CMD_BAD : code;
}

static int run(int argc, char **argv, apr_pool_t *pool)
{
    cmd_scan scan = {.state_dir = CMD_STATEDIR, .version = TG_HYBRID, .size_min = 1024 * 1024, .size_max = APR_INT64_MAX,
                     .digest = 1, .pool = pool};
    int option, code;

    while ((option = getopt_long(argc, argv, "vqh", options, NULL)) != -1)
        if (!take_option(&scan, option, &code))
            return code;
    if (argc - optind != 1)
        return cmd_misuse(&cmd_scan_command, "one directory is wanted");
    scan.root = cmd_absolute(argv[optind], pool);
    return scan_tree(&scan);
}

const cmd_subcommand cmd_scan_command = {
    "scan", "make the torrents of a tree ahead of time, into the catalogue",
    "[OPTION]... DOCROOT\n\n" CMD_STATE_HELP
    "      --min-size SIZE       leave smaller files out (default: 1M, as BTHTTPMinSize)\n"
    "      --max-size SIZE|none  leave larger files out (default: none)\n"
    "      --order ORDER         newest (default), oldest, smallest, largest or path\n"
    "      --torrent-version V   v1, v2 or hybrid (default: hybrid)\n"
    "      --piece-size SIZE     auto (default), or a power of two from 16K to 16M\n"
    "      --threads N           auto (default: all cores), or 1 to 256\n"
    "      --include-hidden      also what begins with a dot\n"
    "      --follow-links        also what symbolic links lead to\n"
    "      --no-digest           leave out the SHA-256 of whole files (the server makes it later)\n"
    "  -v, --verbose             name each file\n"
    "      --json                JSON lines: one for each file, and one at the end\n"
    "  -q, --quiet               say nothing but what goes wrong\n"
    "  -h, --help                this text\n"
    "\nDOCROOT is written as in httpd's configuration: links in it are not resolved.\n",
    run};
