#include "command/making.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "command/command.h"
#include "command/values.h"
#include "torrentgen/infodict.h"

enum { THREADS_AUTO_MAX = 64, METAINFO_MAX = 512 * 1024 * 1024 };

void cmd_making_init(cmd_making *making, apr_pool_t *pool)
{
    memset(making, 0, sizeof *making);
    making->version = TG_HYBRID;
    making->trackers = apr_array_make(pool, 1, sizeof(const char *));
    making->web_seeds = apr_array_make(pool, 1, sizeof(const char *));
}

static const char *add_url(apr_array_header_t *urls, const char *url)
{
    const char *wrong = cmd_read_url(url);

    if (!wrong)
        APR_ARRAY_PUSH(urls, const char *) = url;
    return wrong;
}

int cmd_making_take(cmd_making *making, int option, const char *value, const char **wrong)
{
    *wrong = NULL;
    switch (option) {
    case CMD_OPT_VERSION:
        *wrong = cmd_read_version(value, &making->version);
        break;
    case CMD_OPT_PIECE_SIZE:
        *wrong = cmd_read_piece_length(value, &making->piece_length);
        break;
    case CMD_OPT_THREADS:
        *wrong = cmd_read_threads(value, &making->threads);
        break;
    case 'a':
    case CMD_OPT_ANNOUNCE:
        *wrong = add_url(making->trackers, value);
        break;
    case 'w':
    case CMD_OPT_WEB_SEED:
        *wrong = add_url(making->web_seeds, value);
        break;
    case CMD_OPT_NAME:
        making->name = value;
        *wrong = tg_name_is_good(value) ? NULL : "is no name: UTF-8, without \"/\", 1 to 255 bytes expected";
        break;
    case CMD_OPT_COMMENT:
        making->comment = value;
        break;
    case CMD_OPT_NO_DATE:
        making->no_date = 1;
        break;
    case CMD_OPT_HIDDEN:
        making->hidden = 1;
        break;
    case CMD_OPT_FOLLOW_LINKS:
        making->follow_links = 1;
        break;
    case 'q':
        making->quiet = 1;
        break;
    default:
        return 0;
    }
    return *wrong ? -1 : 1;
}

int cmd_cores(void)
{
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);

    return cores < 1 ? 1 : cores > THREADS_AUTO_MAX ? THREADS_AUTO_MAX : cores;
}

apr_status_t cmd_making_write(bt_buf *buf, const cmd_making *making, const tg_torrent *torrent)
{
    const tg_envelope envelope = {
        .trackers = (const char *const *)making->trackers->elts,
        .tracker_count = making->trackers->nelts,
        .web_seeds = (const char *const *)making->web_seeds->elts,
        .web_seed_count = making->web_seeds->nelts,
        .created_by = CMD_NAME "/" CMD_VERSION,
        .created = making->no_date ? 0 : apr_time_now(),
        .comment = making->comment,
    };

    bt_buf_init(buf, METAINFO_MAX);
    return tg_metainfo_write(buf, torrent, &envelope);
}
