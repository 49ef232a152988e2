/* Directives of the tracker. */
#include "module/directives.h"

#include <http_config.h>
#include <http_log.h>
#include <apr_file_io.h>
#include <apr_strings.h>

#include "module/store.h"
#include "module/geo.h"
#include "module/shared.h"
#include "module/values.h"
#include "tracker/swarms.h"

APLOG_USE_MODULE(bthttp);

/* A port without an address is one of all IPv4 and one of all IPv6 addresses. */
static void add_udp_port(apr_array_header_t *ports, const trk_address *address, int has_ip)
{
    bth_peer_port port = {*address, !has_ip};

    APR_ARRAY_PUSH(ports, bth_peer_port) = port;
    port.address.is_v6 = 1;
    if (!has_ip)
        APR_ARRAY_PUSH(ports, bth_peer_port) = port;
}

const char *bth_set_tracker_udp(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    bth_server_config *conf = bth_server();
    const char *wrong = bth_global_only(cmd);
    trk_address address;
    int has_ip;

    (void)dir;
    if (wrong)
        return wrong;
    if (argc == 0)
        return apr_psprintf(cmd->pool, "%s: off or ports expected", cmd->cmd->name);
    conf->tracker_udp_where = apr_psprintf(cmd->pool, "line %d of %s", cmd->directive->line_num, cmd->directive->filename);
    apr_array_clear(conf->tracker_udp);
    for (int i = 0; i < argc; i++) {
        if (!strcasecmp(argv[i], "off")) {
            if (argc > 1)
                return bth_complain(cmd, argv[i], "stands alone");
            continue;
        }
        wrong = bth_read_address(argv[i], &address, &has_ip);
        if (wrong || address.port == 0)
            return bth_complain(cmd, argv[i], wrong ? wrong : "has no port");
        add_udp_port(conf->tracker_udp, &address, has_ip);
    }
    return NULL;
}

const char *bth_set_tracker_interval(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = bth_global_only(cmd);

    (void)dir;
    return wrong ? wrong
                 : bth_read_span(cmd, value, apr_time_from_sec(10), apr_time_from_sec(24 * 3600), &bth_server()->tracker_interval);
}

const char *bth_set_tracker_memory(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = bth_global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    wrong = bth_read_size(value, &bth_server()->tracker_memory);
    if (!wrong && (bth_server()->tracker_memory < TRK_MEMORY_MIN || bth_server()->tracker_memory > 64LL << 30))
        wrong = "is out of range: 1M to 64G expected";
    return wrong ? bth_complain(cmd, value, wrong) : NULL;
}

/* --- nearness --- */

/* An update that went wrong stops no running server: it is only that peers are not so near. */
static const char *add_geo(cmd_parms *cmd, const char *value)
{
    const char *path = *value ? ap_server_root_relative(cmd->pool, value) : NULL;
    const char *wrong = path ? bth_geo_add(cmd->pool, path) : "names no file";

    if (!wrong || !bth_shared_is_there())
        return wrong ? bth_complain(cmd, value, wrong) : NULL;
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, cmd->server, "BTH0071: BTHTTPTrackerGeo: %s %s: the tracker does without it", path, wrong);
    return NULL;
}

const char *bth_set_tracker_geo(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    const char *wrong = bth_global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    if (argc == 0 || bth_server()->geo_said++)
        return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, argc ? "said twice" : "off or files expected");
    if (argc == 1 && !strcasecmp(argv[0], "off"))
        return NULL;
    for (int i = 0; i < argc && !wrong; i++)
        wrong = strcasecmp(argv[i], "off") ? add_geo(cmd, argv[i]) : bth_complain(cmd, argv[i], "stands alone");
    return wrong;
}

/* --- tokens --- */

enum { SECRETS_FILE_MAX = 4096 };

static const char *add_secret(cmd_parms *cmd, const char *value, const char *secret)
{
    apr_array_header_t *secrets = bth_server()->token_secrets;

    if (strlen(secret) < TRK_TOKEN_SECRET_MIN)
        return bth_complain(cmd, value, "is no secret: at least 16 bytes expected");
    if (secrets->nelts == TRK_TOKEN_SECRETS_MAX)
        return bth_complain(cmd, value, "has more than 4 secrets");
    APR_ARRAY_PUSH(secrets, trk_secret) = (trk_secret){secret, strlen(secret)};
    return NULL;
}

/* One secret a line. */
static const char *add_secrets_of(cmd_parms *cmd, const char *value, const char *name)
{
    const char *path = ap_server_root_relative(cmd->pool, name), *wrong = NULL;
    apr_size_t length = SECRETS_FILE_MAX + 1;
    char *text = apr_pcalloc(cmd->pool, SECRETS_FILE_MAX + 2), *last = NULL;
    apr_file_t *file;
    apr_status_t status;

    if (!*name || !path)
        return bth_complain(cmd, value, "names no file");
    status = apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, cmd->temp_pool);
    if (status == APR_SUCCESS) {
        status = apr_file_read_full(file, text, length, &length);
        apr_file_close(file);
    }
    if (status != APR_SUCCESS && !APR_STATUS_IS_EOF(status))
        return apr_psprintf(cmd->pool, "%s: %s cannot be read: %pm", cmd->cmd->name, path, &status);
    if (length > SECRETS_FILE_MAX || memchr(text, 0, length))
        return bth_complain(cmd, value, "is no file of secrets: it is too long, or has bytes that are none of text");
    for (char *line = apr_strtok(text, "\r\n", &last); line && !wrong; line = apr_strtok(NULL, "\r\n", &last))
        wrong = add_secret(cmd, value, line);
    return wrong ? wrong : bth_server()->token_secrets->nelts ? NULL : bth_complain(cmd, value, "is empty");
}

const char *bth_set_announce_token(cmd_parms *cmd, void *dir, const char *value, const char *time)
{
    static const char file[] = "file:";
    bth_server_config *conf = bth_server();
    const char *wrong = bth_global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    apr_array_clear(conf->token_secrets);
    if (!strcasecmp(value, "off"))
        return time ? bth_complain(cmd, value, "stands alone") : NULL;
    wrong = strncasecmp(value, file, sizeof file - 1) ? add_secret(cmd, value, value)
                                                      : add_secrets_of(cmd, value, value + sizeof file - 1);
    if (!wrong && time)
        wrong = bth_read_span(cmd, time, apr_time_from_sec(60), apr_time_from_sec(10 * 366 * 24 * 3600LL), &conf->token_time);
    return wrong;
}

/* What is wrong is said without the value, which may have a password. */
const char *bth_set_tracker_store(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = bth_global_only(cmd);
    trk_redis_place *place = NULL;

    (void)dir;
    if (wrong)
        return wrong;
    if (strcasecmp(value, "shm")) {
        place = apr_palloc(cmd->pool, sizeof *place);
        wrong = trk_redis_place_read(value, place);
        if (!wrong && !bth_store_is_built())
            wrong = "cannot be had: mod_bthttp was built without hiredis";
        if (wrong)
            return apr_psprintf(cmd->pool, "%s: the store %s", cmd->cmd->name, wrong);
    }
    bth_server()->tracker_store = place;
    return NULL;
}
