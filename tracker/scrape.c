/* Reads the query of a scrape (BEP 48). */
#include "tracker/announce.h"
#include "tracker/query.h"

int trk_scrape_parse(const char *query, apr_size_t length, bt_infohash hashes[TRK_SCRAPE_MAX], const char **failure)
{
    trk_query at = {query, query + length};
    trk_param param;
    int count = 0;

    while (count < TRK_SCRAPE_MAX && trk_query_next(&at, &param)) {
        if (!trk_param_is(&param, "info_hash"))
            continue;
        if (!trk_param_hash(&param, &hashes[count])) {
            *failure = "info_hash is not 20 bytes long";
            return -1;
        }
        count++;
    }
    if (count == 0) {
        *failure = "info_hash is missing: this tracker does not list all that it has";
        return -1;
    }
    return count;
}
