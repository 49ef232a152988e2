/* bthttp-torrentgen: chooses the subcommand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/log.h"
#include "command/command.h"
#include "command/text.h"

static const cmd_subcommand *const subcommands[] = {&cmd_create, &cmd_show, &cmd_verify, &cmd_magnet, &cmd_scan_command,
                                                   &cmd_list, &cmd_forget, &cmd_gc, &cmd_check};

enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands };

static void print_usage(FILE *to)
{
    fputs("usage: " CMD_NAME " SUBCOMMAND [OPTION]... [ARGUMENT]...\n\n"
          "Makes, shows and checks torrents, and fills the catalogue of mod_bthttp.\n\n", to);
    for (int i = 0; i < SUBCOMMANDS; i++)
        fprintf(to, "  %-8s %s\n", subcommands[i]->name, subcommands[i]->summary);
    fputs("\n\"" CMD_NAME " SUBCOMMAND --help\" says more; so does " CMD_NAME "(1).\n", to);
}

/* What the rooms below have to say. */
static void receive_log(void *baton, bt_log_level level, int number, apr_status_t status, const char *message)
{
    char reason[160];

    if (level > BT_LOG_WARNING)
        return;
    if (status == APR_SUCCESS)
        cmd_complain("BTH%04d: %s", number, message);
    else
        cmd_complain("BTH%04d: %s: %s", number, message, apr_strerror(status, reason, sizeof reason));
}

static int run(int argc, char **argv)
{
    apr_pool_t *pool;
    int code = CMD_USAGE;

    for (int i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(argv[1], subcommands[i]->name) != 0)
            continue;
        if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
            return CMD_FAILED;
        argv[1] = apr_pstrcat(pool, CMD_NAME " ", subcommands[i]->name, NULL); /* for getopt_long's messages */
        code = subcommands[i]->run(argc - 1, argv + 1, pool);
        apr_pool_destroy(pool);
        return code;
    }
    cmd_complain("\"%s\" is no subcommand", argv[1]);
    print_usage(stderr);
    return CMD_USAGE;
}

int main(int argc, char **argv)
{
    int code = CMD_OK;
    apr_status_t status;
    char reason[160];

    if (apr_initialize() != APR_SUCCESS)
        return CMD_FAILED;
    atexit(apr_terminate);
    bt_log_install(receive_log, NULL);
    if (argc < 2) {
        print_usage(stderr);
        return CMD_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        printf(CMD_NAME " %s\n", CMD_VERSION);
    else if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        print_usage(stdout);
    else
        code = run(argc, argv);
    if ((status = cmd_flush()) != APR_SUCCESS && code == CMD_OK) {
        cmd_complain("standard output: %s", cmd_reason(status, reason));
        code = CMD_FAILED;
    }
    return code;
}
