/* Steps through an undecoded query string: name=value&name=value. */
#ifndef TRK_QUERY_H
#define TRK_QUERY_H

#include "base/infohash.h"

/* What is still to be read. */
typedef struct {
    const char *at, *end;
} trk_query;

/* One parameter, undecoded, pointing into the query. A name without "=" has an empty value. */
typedef struct {
    const char *name, *value;
    apr_size_t name_length, value_length;
} trk_param;

/** @return 1, or 0 at the end */
int trk_query_next(trk_query *query, trk_param *param);

int trk_param_is(const trk_param *param, const char *name);

/** @return 1 if the value is an info-hash: exactly 20 bytes once percent-encoding is undone */
int trk_param_hash(const trk_param *param, bt_infohash *hash);

#endif
