#include "tracker/query.h"

#include <string.h>

int trk_query_next(trk_query *query, trk_param *param)
{
    while (query->at < query->end) {
        const char *start = query->at;
        const char *stop = memchr(start, '&', (size_t)(query->end - start));
        const char *equals;

        if (!stop)
            stop = query->end;
        query->at = stop < query->end ? stop + 1 : stop;
        if (stop == start)
            continue;
        equals = memchr(start, '=', (size_t)(stop - start));
        param->name = start;
        param->name_length = (apr_size_t)((equals ? equals : stop) - start);
        param->value = equals ? equals + 1 : stop;
        param->value_length = (apr_size_t)(stop - param->value);
        return 1;
    }
    return 0;
}

int trk_param_is(const trk_param *param, const char *name)
{
    return param->name_length == strlen(name) && memcmp(param->name, name, param->name_length) == 0;
}

int trk_param_hash(const trk_param *param, bt_infohash *hash)
{
    return bt_percent_decode(hash->b, sizeof hash->b, param->value, param->value_length) ==
           (apr_ssize_t)sizeof hash->b;
}
