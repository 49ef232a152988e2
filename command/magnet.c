/* bthttp-torrentgen magnet: the magnet link of a .torrent, or of a file that none was made of yet. */
#include <getopt.h>
#include <string.h>

#include <apr_strings.h>

#include "command/command.h"
#include "command/describe.h"
#include "command/making.h"
#include "command/output.h"
#include "torrentgen/magnet.h"

enum { OPT_PEER = CMD_OPT_OWN, LINK_MAX_BYTES = 1024 * 1024, HEAD = 512 };

static const struct option options[] = {CMD_MAKING_OPTIONS,
                                        {"peer", required_argument, NULL, OPT_PEER},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

/* Is it a torrent, by its beginning? A dictionary whose first key is one of theirs; any other file is hashed. */
static int looks_like_torrent(const char *path)
{
    static const char *const keys[] = {"8:announce", "13:announce-list", "7:comment", "10:created by", "13:creation date",
                                       "8:encoding", "4:info", "5:nodes", "12:piece layers", "8:url-list", "9:httpseeds",
                                       "17:update-url"};
    char head[HEAD] = "";
    apr_size_t length;
    bt_stamp stamp;
    FILE *file;

    if (strcmp(path, "-") == 0)
        return 1;
    if (bt_stamp_path(path, &stamp) != APR_SUCCESS || !(file = fopen(path, "rbe"))) /* a FIFO is never opened */
        return 0;
    length = fread(head, 1, sizeof head - 1, file);
    fclose(file);
    if (length < 2 || head[0] != 'd')
        return 0;
    for (apr_size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strncmp(head + 1, keys[i], strlen(keys[i])) == 0)
            return 1;
    return 0;
}

static apr_array_header_t *joined(const char *const *first, int count, const apr_array_header_t *more, apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, count + 1, sizeof(const char *));

    for (int i = 0; i < count; i++)
        APR_ARRAY_PUSH(all, const char *) = first[i];
    apr_array_cat(all, more);
    return all;
}

static int print_link(const tg_magnet *magnet)
{
    bt_buf link;
    apr_status_t status;
    char reason[160];

    bt_buf_init(&link, LINK_MAX_BYTES);
    status = tg_magnet_write(&link, magnet);
    if (status == APR_SUCCESS)
        cmd_line(stdout, "%.*s", (int)link.length, (const char *)link.data);
    else
        cmd_complain("%s", status == APR_EINVAL ? "a peer is no HOST:PORT" : cmd_reason(status, reason));
    bt_buf_free(&link);
    return status == APR_SUCCESS ? CMD_OK : status == APR_EINVAL ? CMD_USAGE : CMD_FAILED;
}

static int of_torrent(const char *path, const cmd_making *making, tg_magnet *magnet, apr_pool_t *pool)
{
    cmd_torrent torrent;
    bt_buf bytes;
    apr_array_header_t *trackers, *seeds;
    int code = cmd_torrent_load(path, pool, &torrent, &bytes);

    bt_buf_free(&bytes);
    if (code != CMD_OK)
        return code;
    trackers = joined(torrent.meta.trackers, torrent.meta.tracker_count, making->trackers, pool);
    seeds = joined(torrent.meta.web_seeds, torrent.meta.web_seed_count, making->web_seeds, pool);
    magnet->version = torrent.meta.torrent.version;
    magnet->v1 = torrent.meta.torrent.v1;
    magnet->v2 = torrent.meta.torrent.v2;
    magnet->name = torrent.meta.name;
    magnet->length = torrent.size;
    magnet->trackers = (const char *const *)trackers->elts;
    magnet->tracker_count = trackers->nelts;
    magnet->web_seeds = (const char *const *)seeds->elts;
    magnet->web_seed_count = seeds->nelts;
    return print_link(magnet);
}

static int of_files(char *const *paths, int count, const cmd_making *making, tg_magnet *magnet, apr_pool_t *pool)
{
    cmd_sources sources;
    tg_torrent torrent;
    int code = cmd_sources_find(&sources, making, paths, count, NULL, pool);

    if (code == CMD_OK)
        code = cmd_make(making, &sources, pool, &torrent);
    if (code != CMD_OK)
        return code;
    magnet->version = torrent.version;
    magnet->v1 = torrent.v1;
    magnet->v2 = torrent.v2;
    magnet->name = sources.name;
    magnet->length = tg_content_length(&torrent);
    magnet->trackers = (const char *const *)making->trackers->elts;
    magnet->tracker_count = making->trackers->nelts;
    magnet->web_seeds = (const char *const *)making->web_seeds->elts;
    magnet->web_seed_count = making->web_seeds->nelts;
    return print_link(magnet);
}

static int run(int argc, char **argv, apr_pool_t *pool)
{
    apr_array_header_t *peers = apr_array_make(pool, 1, sizeof(const char *));
    tg_magnet magnet = {0};
    cmd_making making;
    const char *wrong;
    int option;

    cmd_making_init(&making, pool);
    while ((option = getopt_long(argc, argv, "a:w:qh", options, NULL)) != -1) {
        if (option == OPT_PEER)
            APR_ARRAY_PUSH(peers, const char *) = optarg;
        else if (option == 'h')
            return cmd_help(&cmd_magnet);
        else if (option == '?')
            return cmd_see_help(&cmd_magnet);
        else if (cmd_making_take(&making, option, optarg, &wrong) < 0)
            return cmd_misuse(&cmd_magnet, "\"%s\" %s", optarg, wrong);
    }
    if (optind == argc)
        return cmd_misuse(&cmd_magnet, "a torrent or file is missing");
    magnet.peers = (const char *const *)peers->elts;
    magnet.peer_count = peers->nelts;
    if (argc - optind == 1 && looks_like_torrent(argv[optind]))
        return of_torrent(argv[optind], &making, &magnet, pool);
    return of_files(argv + optind, argc - optind, &making, &magnet, pool);
}

const cmd_subcommand cmd_magnet = {
    "magnet", "print the magnet link of a torrent, or of files",
    "[OPTION]... TORRENT|FILE...|DIR\n\n" CMD_MAKING_HELP
    "      --peer HOST:PORT      who has it; may be repeated\n"
    "  -q, --quiet               show no progress\n"
    "  -h, --help                this text\n"
    "\nWhat is no torrent is hashed first, as by \"create\" with the same options.\n",
    run};
