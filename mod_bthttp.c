/* The front door of mod_bthttp: every hook that the module has, in the order in which a connection and a request meet
 * them. What they do is in module/. */
#include <httpd.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_protocol.h>
#include <http_request.h>
#include <http_ssl.h>
#include <mpm_common.h>

#include "module/announce_token.h"
#include "module/child.h"
#include "module/collection.h"
#include "module/feed.h"
#include "module/fixed_urls.h"
#include "module/links.h"
#include "module/mod_status.h"
#include "module/offer.h"
#include "module/padding.h"
#include "module/port_sharing.h"
#include "module/status.h"
#include "module/stranger.h"
#include "module/tracker_handlers.h"
#include "module/uplink.h"

static void register_hooks(apr_pool_t *pool)
{
    ap_hook_pre_config(bth_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(bth_uplink_check_config, NULL, NULL, APR_HOOK_LAST);
    ap_hook_check_config(bth_token_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(bth_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(bth_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(bth_child_stopping, NULL, NULL, APR_HOOK_MIDDLE);

    ap_hook_process_connection(bth_port_sharing, NULL, NULL, APR_HOOK_REALLY_FIRST);

    ap_hook_translate_name(bth_fixed_translate, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(bth_fixed_map, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(bth_collection_fixup, NULL, NULL, APR_HOOK_MIDDLE); /* before mod_dir */
    ap_hook_fixups(bth_offer_fixup, NULL, NULL, APR_HOOK_LAST);
    ap_hook_handler(bth_offer_directory, NULL, NULL, APR_HOOK_FIRST); /* before index pages */
    ap_hook_handler(bth_announce_handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(bth_scrape_handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(bth_status_handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(bth_metrics_handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(bth_feed_handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(bth_offer_handler, NULL, NULL, APR_HOOK_LAST);
    ap_hook_handler(bth_padding_handler, NULL, NULL, APR_HOOK_LAST);
    bth_mod_status_register();
    bth_token_register(pool);
    ap_hook_insert_error_filter(bth_token_insert_error_filter, NULL, NULL, APR_HOOK_MIDDLE);

    ap_register_output_filter(BTH_DIGEST_FILTER, bth_digest_filter, NULL, AP_FTYPE_CONTENT_SET);

    ap_hook_map_to_storage(bth_stranger_is_quiet, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_post_perdir_config(bth_stranger_is_quiet, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_ssl_conn_is_ssl(bth_stranger_is_tls, NULL, NULL, APR_HOOK_FIRST);
}

module AP_MODULE_DECLARE_DATA __attribute__((visibility("default"))) bthttp_module;
module AP_MODULE_DECLARE_DATA bthttp_module = {
    STANDARD20_MODULE_STUFF,
    bth_create_dir_config,
    bth_merge_dir_config,
    NULL,
    NULL,
    bth_commands,
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
