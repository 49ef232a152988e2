/* bthttp-torrentgen show: what is in a .torrent. */
#include <getopt.h>

#include "command/command.h"
#include "command/describe.h"

enum { OPT_JSON = 256 };

static const struct option options[] = {
    {"json", no_argument, NULL, OPT_JSON}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

static int run(int argc, char **argv, apr_pool_t *pool)
{
    cmd_torrent torrent;
    cmd_json json;
    bt_buf bytes;
    int option, code, as_json = 0;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == OPT_JSON)
            as_json = 1;
        else
            return option == 'h' ? cmd_help(&cmd_show) : cmd_see_help(&cmd_show);
    }
    if (argc - optind != 1)
        return cmd_misuse(&cmd_show, "one torrent is wanted");
    code = cmd_torrent_load(argv[optind], pool, &torrent, &bytes);
    if (code == CMD_OK && as_json) {
        cmd_json_begin(&json);
        cmd_torrent_json(&json, &torrent);
        cmd_json_print(&json, stdout);
    } else if (code == CMD_OK) {
        cmd_torrent_print(stdout, &torrent);
    }
    bt_buf_free(&bytes);
    return code;
}

const cmd_subcommand cmd_show = {"show", "say what is in a torrent",
                                 "[--json] TORRENT\n\n"
                                 "      --json                as JSON\n"
                                 "  -h, --help                this text\n"
                                 "\nTORRENT may be - for standard input.\n",
                                 run};
