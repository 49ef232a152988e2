/* Directives of directories. */
#include "module/directives.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include "module/values.h"

const char *bth_set_min_size(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = bth_read_size(value, &((bth_dir_config *)dir)->min_size);

    return wrong ? bth_complain(cmd, value, wrong) : NULL;
}

const char *bth_set_max_size(cmd_parms *cmd, void *dir, const char *value)
{
    bth_dir_config *conf = dir;
    const char *wrong;

    if (!strcasecmp(value, "none")) {
        conf->max_size = BTH_NO_LIMIT;
        return NULL;
    }
    wrong = bth_read_size(value, &conf->max_size);
    return wrong ? bth_complain(cmd, value, wrong) : NULL;
}

const char *bth_set_version(cmd_parms *cmd, void *dir, const char *value)
{
    bth_dir_config *conf = dir;

    if (!strcasecmp(value, "hybrid"))
        conf->version = TG_HYBRID;
    else if (!strcasecmp(value, "v1"))
        conf->version = TG_V1;
    else if (!strcasecmp(value, "v2"))
        conf->version = TG_V2;
    else
        return bth_complain(cmd, value, "is not a metainfo version: hybrid, v1 or v2 expected");
    return NULL;
}

const char *bth_set_piece_size(cmd_parms *cmd, void *dir, const char *value)
{
    bth_dir_config *conf = dir;
    apr_int64_t size = 0;
    const char *wrong;

    if (strcasecmp(value, "auto")) {
        wrong = bth_read_size(value, &size);
        if (wrong)
            return bth_complain(cmd, value, wrong);
        if (size < TG_PIECE_MIN || size > TG_PIECE_MAX || (size & (size - 1)))
            return bth_complain(cmd, value, "is not a piece size: a power of two from 16K to 16M, or auto, expected");
    }
    conf->piece_length = size;
    return NULL;
}

const char *bth_set_wait(cmd_parms *cmd, void *dir, const char *value)
{
    return bth_read_span(cmd, value, 0, apr_time_from_sec(600), &((bth_dir_config *)dir)->wait);
}

static int alias_bit(const char *word)
{
    return !strcasecmp(word, "torrent")  ? BTH_ALIAS_IS_TORRENT
           : !strcasecmp(word, "magnet") ? BTH_ALIAS_IS_MAGNET
           : !strcasecmp(word, "meta4")  ? BTH_ALIAS_IS_META4
           : !strcasecmp(word, "query")  ? BTH_ALIAS_IS_QUERY
                                         : 0;
}

const char *bth_set_alias(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    bth_dir_config *conf = dir;

    conf->aliases = 0;
    if (argc == 0)
        return apr_psprintf(cmd->pool, "%s: torrent, magnet, meta4, query or none expected", cmd->cmd->name);
    for (int i = 0; i < argc; i++) {
        int bit = alias_bit(argv[i]);

        if (!bit && (strcasecmp(argv[i], "none") || argc > 1))
            return bth_complain(cmd, argv[i], "is not an alias: torrent, magnet, meta4 and query, or none, expected");
        conf->aliases |= bit;
    }
    return NULL;
}

/* @return what is wrong with a URL of one of the schemes, or NULL */
static const char *check_url(cmd_parms *cmd, const char *url, int udp_too)
{
    apr_uri_t parts;

    if (apr_uri_parse(cmd->temp_pool, url, &parts) != APR_SUCCESS || !parts.scheme || !parts.hostname || !*parts.hostname)
        return bth_complain(cmd, url, "is not a URL");
    if (!strcasecmp(parts.scheme, "http") || !strcasecmp(parts.scheme, "https"))
        return NULL;
    if (udp_too && (!strcasecmp(parts.scheme, "udp") || !strcasecmp(parts.scheme, "wss") || !strcasecmp(parts.scheme, "ws")))
        return NULL;
    return bth_complain(cmd, url, "has a scheme that cannot be used here");
}

static const char *push_url(cmd_parms *cmd, apr_array_header_t **urls, const char *url, int udp_too)
{
    const char *wrong = check_url(cmd, url, udp_too);

    if (wrong)
        return wrong;
    if (!*urls)
        *urls = apr_array_make(cmd->pool, 4, sizeof(const char *));
    APR_ARRAY_PUSH(*urls, const char *) = apr_pstrdup(cmd->pool, url);
    return NULL;
}

const char *bth_add_mirror(cmd_parms *cmd, void *dir, const char *url)
{
    return push_url(cmd, &((bth_dir_config *)dir)->mirrors, url, 0);
}

const char *bth_add_announce(cmd_parms *cmd, void *dir, const char *url)
{
    bth_dir_config *conf = dir;

    if (!strcasecmp(url, "none")) {
        conf->own_announce = 0;
        return NULL;
    }
    return push_url(cmd, &conf->announces, url, 1);
}
