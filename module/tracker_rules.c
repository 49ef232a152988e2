#include "module/tracker_rules.h"

#include "module/config.h"
#include "module/seed_address.h"

static int allows_private(const trk_address *local)
{
    switch (bth_server()->private_addresses) {
    case BTH_PRIVATE_ALLOW:
        return 1;
    case BTH_PRIVATE_DENY:
        return 0;
    case BTH_PRIVATE_AUTO:
        break;
    }
    return bth_is_private(local);
}

trk_policy bth_tracker_policy(const trk_address *local)
{
    return (trk_policy){.interval = bth_server()->tracker_interval, .allow_private_peers = allows_private(local)};
}

const char *bth_tracker_refusal(cat_standing standing)
{
    switch (standing) {
    case CAT_CHANGED:
        return "the file changed: get a new torrent from the same URL";
    case CAT_PROTECTED:
        return "this file is no longer public";
    case CAT_PUBLISHED:
    case CAT_UNKNOWN:
        break;
    }
    return "this server does not publish that torrent";
}
