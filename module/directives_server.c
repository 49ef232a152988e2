/* Directives of the whole server: where things are, and the seeder. */
#include "module/directives.h"

#include <apr_strings.h>

#include "module/values.h"

const char *bth_set_state_dir(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = bth_global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    bth_server()->state_dir = ap_server_root_relative(cmd->pool, value);
    return bth_server()->state_dir && *value ? NULL : bth_complain(cmd, value, "is not a path");
}

const char *bth_set_path(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = bth_global_only(cmd);
    apr_size_t length = strlen(value);

    (void)dir;
    if (wrong)
        return wrong;
    while (length > 0 && value[length - 1] == '/')
        length--;
    if (*value != '/' || length == 0 || strpbrk(value, "?#% ") || strstr(value, "//") || strstr(value, "/../"))
        return bth_complain(cmd, value, "is not a URL path: /NAME... expected");
    if (strstr(value, "announce")) /* clients ask PATH/announce for peers, and make the URL to scrape from it */
        return bth_complain(cmd, value, "would lead scrapes astray: clients replace the first \"announce\" of the URL by \"scrape\"");
    bth_server()->path = apr_pstrmemdup(cmd->pool, value, length);
    return NULL;
}

const char *bth_set_peer_ports(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    bth_server_config *conf = bth_server();
    const char *wrong = bth_global_only(cmd);
    bth_peer_port port;
    int has_ip;

    (void)dir;
    if (wrong)
        return wrong;
    if (argc == 0)
        return apr_psprintf(cmd->pool, "%s: http, off or ports expected", cmd->cmd->name);
    conf->peers_on_http = 0;
    apr_array_clear(conf->peer_ports);
    for (int i = 0; i < argc; i++) {
        if (!strcasecmp(argv[i], "http")) {
            conf->peers_on_http = 1;
        } else if (!strcasecmp(argv[i], "off")) {
            if (argc > 1)
                return bth_complain(cmd, argv[i], "stands alone");
        } else {
            wrong = bth_read_address(argv[i], &port.address, &has_ip);
            if (wrong || port.address.port == 0)
                return bth_complain(cmd, argv[i], wrong ? wrong : "has no port");
            port.any_address = !has_ip;
            APR_ARRAY_PUSH(conf->peer_ports, bth_peer_port) = port;
        }
    }
    return NULL;
}

const char *bth_add_peer_address(cmd_parms *cmd, void *dir, const char *value)
{
    const char *wrong = bth_global_only(cmd);
    trk_address address;
    int has_ip;

    (void)dir;
    if (wrong)
        return wrong;
    wrong = bth_read_address(value, &address, &has_ip);
    if (wrong || !has_ip)
        return bth_complain(cmd, value, wrong ? wrong : "is not a numeric address");
    APR_ARRAY_PUSH(bth_server()->peer_addresses, trk_address) = address;
    return NULL;
}

const char *bth_set_number(cmd_parms *cmd, void *dir, const char *value)
{
    const bth_number_rule *rule = cmd->info;
    int *place = (int *)((char *)bth_server() + rule->offset);
    const char *wrong = bth_global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    if (rule->zero_word && !strcasecmp(value, rule->zero_word)) {
        *place = 0;
        return NULL;
    }
    wrong = bth_read_number(value, rule->least, rule->most, place);
    return wrong ? bth_complain(cmd, value, wrong) : NULL;
}

const char *bth_set_choice(cmd_parms *cmd, void *dir, const char *value)
{
    const bth_choice_rule *rule = cmd->info;
    const char *wrong = bth_global_only(cmd);

    (void)dir;
    if (wrong)
        return wrong;
    for (int i = 0; i < BTH_CHOICES_MAX; i++) {
        if (strcasecmp(value, rule->choices[i].word))
            continue;
        memcpy((char *)bth_server() + rule->offset, &rule->choices[i].value, sizeof rule->choices[i].value);
        return NULL;
    }
    return bth_complain(cmd, value, rule->wrong);
}

/* A rate of which a block a second is the least. @param none  the word for no limit; NULL: there is none */
static const char *set_rate(cmd_parms *cmd, const char *value, const char *none, apr_int64_t *rate)
{
    const char *wrong = bth_global_only(cmd);

    if (wrong)
        return wrong;
    if (none && !strcasecmp(value, none)) {
        *rate = 0;
        return NULL;
    }
    wrong = bth_read_size(value, rate);
    if (!wrong && *rate < 16384)
        wrong = "is less than a block (16K) a second";
    return wrong ? bth_complain(cmd, value, wrong) : NULL;
}

const char *bth_set_upload_rate(cmd_parms *cmd, void *dir, const char *value)
{
    (void)dir;
    return set_rate(cmd, value, "unlimited", &bth_server()->upload_rate);
}

const char *bth_set_uplink(cmd_parms *cmd, void *dir, const char *value)
{
    (void)dir;
    return set_rate(cmd, value, "none", &bth_server()->uplink);
}
