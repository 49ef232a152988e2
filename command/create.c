/* bthttp-torrentgen create: makes a .torrent. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include <apr_strings.h>

#include "base/utf8.h"
#include "command/command.h"
#include "command/describe.h"
#include "command/making.h"
#include "command/output.h"

enum { OPT_FORCE = CMD_OPT_OWN, OPT_JSON, NAME_BYTES = 255 };

static const struct option options[] = {CMD_MAKING_OPTIONS,
                                        {"output", required_argument, NULL, 'o'},
                                        {"comment", required_argument, NULL, CMD_OPT_COMMENT},
                                        {"no-date", no_argument, NULL, CMD_OPT_NO_DATE},
                                        {"force", no_argument, NULL, 'f'},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"json", no_argument, NULL, OPT_JSON},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

typedef struct {
    cmd_making making;
    const char *output; /* NULL: the name and ".torrent" */
    int force, json;
} creating;

/* As much of the name as fits a file's name. */
static const char *default_output(const char *name, apr_pool_t *pool)
{
    const unsigned char *at = (const unsigned char *)name;
    apr_size_t length = 0;

    while (at[length] && length + (apr_size_t)bt_utf8_length(at + length) <= NAME_BYTES - strlen(".torrent"))
        length += (apr_size_t)bt_utf8_length(at + length);
    return apr_psprintf(pool, "%.*s.torrent", (int)length, name);
}

static int cannot_write(const char *path, apr_status_t status)
{
    char reason[160];

    cmd_complain("%s: %s", path,
                 status == APR_EEXIST ? "exists already; --force overwrites it" : cmd_reason(status, reason));
    return CMD_FAILED;
}

static void report(const creating *c, const cmd_torrent *torrent)
{
    char size[32], piece[32];
    cmd_json json;

    if (c->json) {
        cmd_json_begin(&json);
        cmd_json_path(&json, "torrent", c->output);
        cmd_torrent_json(&json, torrent);
        cmd_json_print(&json, stdout);
    } else if (!c->making.quiet && strcmp(c->output, "-") != 0) {
        cmd_line(stdout, "%s", c->output);
        cmd_hashes_print(stdout, &torrent->meta.torrent);
        cmd_line(stdout, "size          %s, %" APR_INT64_T_FMT " pieces of %s", cmd_size_text(size, torrent->size),
                 torrent->pieces, cmd_size_text(piece, torrent->meta.torrent.piece_length));
    }
}

/* What was written is read back: nothing leaves that we would not take ourselves. */
static int deliver(creating *c, const tg_torrent *torrent, apr_pool_t *pool)
{
    cmd_torrent read;
    bt_buf bytes;
    const char *why = NULL;
    apr_status_t status = cmd_making_write(&bytes, &c->making, torrent);
    int code = CMD_OK;
    char reason[160];

    if (status != APR_SUCCESS)
        cmd_complain("%s: %s", c->output, cmd_reason(status, reason)), code = CMD_FAILED;
    else if (cmd_torrent_read(&bytes, pool, &read, &why) != APR_SUCCESS)
        cmd_complain("%s: the torrent would be unsound: %s", c->output, why), code = CMD_FAILED;
    else if ((status = cmd_output_write(c->output, c->force, &bytes, pool)) != APR_SUCCESS)
        code = cannot_write(c->output, status);
    else
        report(c, &read);
    bt_buf_free(&bytes);
    return code;
}

static int create(creating *c, char *const *paths, int count, apr_pool_t *pool)
{
    cmd_sources sources;
    tg_torrent torrent;
    apr_status_t status;
    int code = cmd_sources_find(&sources, &c->making, paths, count, c->output, pool);

    if (code != CMD_OK)
        return code;
    if (!c->output)
        c->output = default_output(sources.name, pool);
    if ((status = cmd_output_check(c->output, c->force)) != APR_SUCCESS)
        return cannot_write(c->output, status);
    code = cmd_make(&c->making, &sources, pool, &torrent);
    return code == CMD_OK ? deliver(c, &torrent, pool) : code;
}

static int run(int argc, char **argv, apr_pool_t *pool)
{
    creating c = {0};
    const char *wrong;
    int option, index = 0;

    cmd_making_init(&c.making, pool);
    while ((option = getopt_long(argc, argv, "o:a:w:fqh", options, &index)) != -1) {
        if (option == 'o')
            c.output = optarg;
        else if (option == 'f')
            c.force = 1;
        else if (option == OPT_JSON)
            c.json = 1;
        else if (option == 'h')
            return cmd_help(&cmd_create);
        else if (option == '?')
            return cmd_see_help(&cmd_create);
        else if (cmd_making_take(&c.making, option, optarg, &wrong) < 0)
            return cmd_misuse(&cmd_create, "\"%s\" %s", optarg, wrong);
    }
    if (optind == argc)
        return cmd_misuse(&cmd_create, "a file or directory is missing");
    if (c.json && c.output && strcmp(c.output, "-") == 0)
        return cmd_misuse(&cmd_create, "--json and -o - would both write to standard output");
    return create(&c, argv + optind, argc - optind, pool);
}

const cmd_subcommand cmd_create = {
    "create", "make a torrent of a file, of several files, or of a directory",
    "[OPTION]... FILE...|DIR\n\n"
    "  -o, --output OUT          the torrent (default: NAME.torrent in this directory); - is standard output\n"
    "  -f, --force               overwrite OUT\n" CMD_MAKING_HELP
    "      --comment TEXT        a comment in the torrent\n"
    "      --no-date             no creation date: the same data gives the same torrent, byte for byte\n"
    "      --json                say what was made as JSON\n"
    "  -q, --quiet               say nothing but what goes wrong\n"
    "  -h, --help                this text\n",
    run};
