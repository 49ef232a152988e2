#include "torrentgen/torrent.h"

#include <apr_strings.h>

apr_int64_t tg_content_length(const tg_torrent *torrent)
{
    apr_int64_t length = 0;

    if (!torrent->members)
        return torrent->length;
    for (apr_size_t i = 0; i < torrent->member_count; i++)
        length += torrent->members[i].stamp.size;
    return length;
}

void tg_torrent_copy(tg_torrent *copy, const tg_torrent *torrent, apr_pool_t *pool)
{
    tg_member *members;

    *copy = *torrent;
    copy->infodict = apr_pmemdup(pool, torrent->infodict, torrent->infodict_length);
    if (torrent->layer)
        copy->layer = apr_pmemdup(pool, torrent->layer, torrent->layer_length);
    if (!torrent->members)
        return;
    copy->members = members = apr_pmemdup(pool, torrent->members, torrent->member_count * sizeof *members);
    for (apr_size_t i = 0; i < torrent->member_count; i++)
        members[i].path = apr_pstrdup(pool, members[i].path);
}
