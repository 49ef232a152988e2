/* Any query is either refused, with a reason, or gives an announce whose every member is in its range; likewise a scrape. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/announce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void check_announce(const char *query, size_t size)
{
    trk_announce announce;
    const char *failure = NULL;
    apr_status_t status = trk_announce_parse(query, size, &announce, &failure);

    if (status != APR_SUCCESS) {
        must(status == APR_EINVAL && failure && *failure);
        return;
    }
    must(announce.left >= 0);
    must(announce.numwant >= 0 && announce.numwant <= TRK_NUMWANT_MAX);
    must(announce.event >= TRK_EVENT_NONE && announce.event <= TRK_EVENT_PAUSED);
    must(announce.compact == 0 || announce.compact == 1);
    must(announce.no_peer_id == 0 || announce.no_peer_id == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bt_infohash hashes[TRK_SCRAPE_MAX];
    char *query = malloc(size ? size : 1); /* of that size exactly, so that a byte too far is noticed */
    const char *failure = NULL;
    int count;

    must(query != NULL);
    if (size)
        memcpy(query, data, size);
    check_announce(query, size);
    count = trk_scrape_parse(query, size, hashes, &failure);
    must(count == -1 ? failure && *failure : count >= 1 && count <= TRK_SCRAPE_MAX);
    free(query);
    return 0;
}
