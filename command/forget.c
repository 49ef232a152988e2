/* bthttp-torrentgen forget: takes files out of the catalogue. */
#include <getopt.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "command/command.h"
#include "command/state.h"
#include "command/text.h"

enum { OPT_STATE_DIR = 256 };

static const struct option options[] = {{"state-dir", required_argument, NULL, OPT_STATE_DIR},
                                        {"recursive", no_argument, NULL, 'r'},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

typedef struct {
    cat_catalog *catalog;
    apr_pool_t *pool;
    const char *directory;
    apr_array_header_t *paths; /* of const char *: to be forgotten */
    int recursive, quiet;
    apr_int64_t forgotten;
} forgetting;

static int collect(void *baton, const cat_entry *entry)
{
    forgetting *f = baton;

    if (cmd_is_below(entry->path, f->directory))
        APR_ARRAY_PUSH(f->paths, const char *) = apr_pstrdup(f->pool, entry->path);
    return 0;
}

static int forget_one(forgetting *f, const char *path)
{
    apr_status_t status = cat_forget(f->catalog, path);

    if (status == APR_SUCCESS) {
        f->forgotten++;
        return CMD_OK;
    }
    if (status != APR_NOTFOUND)
        return cmd_state_failed(status);
    cmd_complain("%s: not in the catalogue", path);
    return CMD_BAD;
}

static int forget(forgetting *f, const char *path)
{
    apr_size_t length = strlen(path);
    apr_status_t status;
    int code = CMD_OK;

    if (!f->recursive)
        return forget_one(f, path);
    f->directory = length > 1 && path[length - 1] == '/' ? apr_pstrmemdup(f->pool, path, length - 1) : path;
    apr_array_clear(f->paths);
    if ((status = cat_walk(f->catalog, collect, f)) != APR_SUCCESS)
        return cmd_state_failed(status);
    for (int i = 0; i < f->paths->nelts && code != CMD_FAILED; i++)
        code = forget_one(f, APR_ARRAY_IDX(f->paths, i, const char *));
    if (f->paths->nelts)
        return code == CMD_BAD ? CMD_OK : code; /* somebody else was faster */
    cmd_complain("%s: nothing below it is in the catalogue", path);
    return CMD_BAD;
}

static int run(int argc, char **argv, apr_pool_t *pool)
{
    forgetting f = {.pool = pool, .paths = apr_array_make(pool, 16, sizeof(const char *))};
    const char *state_dir = CMD_STATEDIR;
    int option, code, worst = CMD_OK;

    while ((option = getopt_long(argc, argv, "rqh", options, NULL)) != -1) {
        if (option == OPT_STATE_DIR)
            state_dir = optarg;
        else if (option == 'r')
            f.recursive = 1;
        else if (option == 'q')
            f.quiet = 1;
        else
            return option == 'h' ? cmd_help(&cmd_forget) : cmd_see_help(&cmd_forget);
    }
    if (optind == argc)
        return cmd_misuse(&cmd_forget, "a path is missing");
    for (int i = optind; i < argc; i++)
        argv[i] = apr_pstrdup(pool, cmd_absolute(argv[i], pool));
    if ((code = cmd_state_open(&f.catalog, state_dir, 0, pool)) != CMD_OK)
        return code;
    for (; optind < argc && worst != CMD_FAILED; optind++)
        if ((code = forget(&f, argv[optind])) > worst)
            worst = code;
    if (!f.quiet)
        cmd_line(stdout, "%" APR_INT64_T_FMT " forgotten", f.forgotten);
    return worst;
}

const cmd_subcommand cmd_forget = {"forget", "take files out of the catalogue",
                                   "[OPTION]... PATH...\n\n" CMD_STATE_HELP
                                   "  -r, --recursive           all that is below each PATH, too\n"
                                   "  -q, --quiet               say nothing but what goes wrong\n"
                                   "  -h, --help                this text\n"
                                   "\nThe torrent of a whole directory is forgotten by the directory's name with a \"/\" at its end.\n"
                                   "A file that is asked for again gets a torrent again: BTHTTP Off is the way to stop that.\n",
                                   run};
