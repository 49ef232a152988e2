/* bthttp-torrentgen list: what is in the catalogue. */
#include <getopt.h>
#include <string.h>

#include <apr_tables.h>

#include "base/infohash.h"
#include "command/command.h"
#include "command/state.h"
#include "command/text.h"
#include "command/values.h"

enum { OPT_JSON = 256, OPT_STATE_DIR };

static const struct option options[] = {{"state-dir", required_argument, NULL, OPT_STATE_DIR},
                                        {"json", no_argument, NULL, OPT_JSON},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

typedef struct {
    int json;
    apr_array_header_t *paths; /* of const char *: only what is below one of them; empty: all */
} listing;

static void print_json(const cat_entry *entry)
{
    char when[40];
    cmd_json json;

    cmd_json_begin(&json);
    cmd_json_path(&json, "path", entry->path);
    cmd_json_bool(&json, "published", entry->published);
    cmd_json_path(&json, "url", entry->url);
    cmd_json_text(&json, "version", cmd_version_text(entry->version));
    cmd_json_hash(&json, "infohash_v1", entry->v1.b, BT_HASH_SIZE);
    cmd_json_hash(&json, "infohash_v2", entry->v2.b, BT_HASH_V2_SIZE);
    cmd_json_number(&json, "size", entry->stamp.size);
    cmd_json_number(&json, "piece_length", entry->piece_length);
    cmd_json_bool(&json, "collection", entry->members_length != 0);
    cmd_json_bool(&json, "adopted", entry->adopted);
    cmd_json_text(&json, "created", cmd_time_text(when, entry->created));
    if (entry->has_digest)
        cmd_json_hash(&json, "sha256", entry->digest, sizeof entry->digest);
    cmd_json_print(&json, stdout);
}

static void print_line(const cat_entry *entry)
{
    bt_infohash hash = entry->version & TG_V1 ? entry->v1 : bt_infohash_truncate(&entry->v2);
    char hex[2 * BT_HASH_SIZE + 1], size[32];

    bt_hex(hex, hash.b, sizeof hash.b);
    cmd_line(stdout, "%s  %-6s  %9s  %-9s  %s", hex, cmd_version_text(entry->version),
             cmd_size_text(size, entry->stamp.size), entry->published ? "published" : "hidden", entry->path);
}

static int visit(void *baton, const cat_entry *entry)
{
    const listing *l = baton;
    int wanted = l->paths->nelts == 0;

    for (int i = 0; i < l->paths->nelts && !wanted; i++)
        wanted = cmd_is_below(entry->path, APR_ARRAY_IDX(l->paths, i, const char *));
    if (wanted && l->json)
        print_json(entry);
    else if (wanted)
        print_line(entry);
    return ferror(stdout);
}

static int run(int argc, char **argv, apr_pool_t *pool)
{
    listing l = {.paths = apr_array_make(pool, 1, sizeof(const char *))};
    const char *state_dir = CMD_STATEDIR;
    cat_catalog *catalog;
    apr_status_t status;
    int option, code;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == OPT_STATE_DIR)
            state_dir = optarg;
        else if (option == OPT_JSON)
            l.json = 1;
        else
            return option == 'h' ? cmd_help(&cmd_list) : cmd_see_help(&cmd_list);
    }
    for (; optind < argc; optind++)
        APR_ARRAY_PUSH(l.paths, const char *) = cmd_absolute(argv[optind], pool);
    if ((code = cmd_state_open(&catalog, state_dir, 0, pool)) != CMD_OK)
        return code;
    status = cat_walk(catalog, visit, &l);
    return status == APR_SUCCESS ? CMD_OK : cmd_state_failed(status);
}

const cmd_subcommand cmd_list = {"list", "say what is in the catalogue",
                                 "[OPTION]... [PATH]...\n\n" CMD_STATE_HELP
                                 "      --json                JSON lines: one for each entry\n"
                                 "  -h, --help                this text\n"
                                 "\nWith PATHs, only what is there or below. Columns: info-hash (v1, or v2 cut to 40 digits),\n"
                                 "version, size, published or hidden (to be published by the first request), path.\n",
                                 run};
