/* Reads the query of an announce. What a client says wrongly is taken as not said, wherever that is safe. */
#include "tracker/announce.h"

#include <string.h>

#include "tracker/query.h"

static int is_text(const trk_param *param, const char *text)
{
    return param->value_length == strlen(text) && memcmp(param->value, text, param->value_length) == 0;
}

/* Decimal digits only. @return 0 if there is anything else, or more than 63 bits of it */
static int read_digits(const char *text, apr_size_t length, apr_int64_t *number)
{
    apr_int64_t value = 0;

    if (length == 0)
        return 0;
    for (apr_size_t i = 0; i < length; i++) {
        int digit = text[i] - '0';

        if (digit < 0 || digit > 9 || value > (APR_INT64_MAX - digit) / 10)
            return 0;
        value = value * 10 + digit;
    }
    *number = value;
    return 1;
}

static int only_digits(const trk_param *param)
{
    for (apr_size_t i = 0; i < param->value_length; i++)
        if (param->value[i] < '0' || param->value[i] > '9')
            return 0;
    return param->value_length > 0;
}

static trk_event read_event(const trk_param *param)
{
    static const struct {
        const char *name;
        trk_event event;
    } events[] = {{"started", TRK_EVENT_STARTED},
                  {"completed", TRK_EVENT_COMPLETED},
                  {"stopped", TRK_EVENT_STOPPED},
                  {"paused", TRK_EVENT_PAUSED}};

    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (is_text(param, events[i].name))
            return events[i].event;
    return TRK_EVENT_NONE;
}

/* -1 and what makes no sense mean the default; more than the most means the most. */
static int read_numwant(const trk_param *param)
{
    apr_int64_t number;

    if (read_digits(param->value, param->value_length, &number))
        return number > TRK_NUMWANT_MAX ? TRK_NUMWANT_MAX : (int)number;
    return only_digits(param) ? TRK_NUMWANT_MAX : TRK_NUMWANT_DEFAULT;
}

enum { HASH, PEER_ID, PORT, LEFT, DOWNLOADED, EVENT, NUMWANT, COMPACT, NO_PEER_ID, PARAMS };

static const struct {
    const char *text;
    apr_size_t length;
} names[PARAMS] = {{"info_hash", 9}, {"peer_id", 7}, {"port", 4},    {"left", 4},       {"downloaded", 10},
                   {"event", 5},     {"numwant", 7}, {"compact", 7}, {"no_peer_id", 10}};

/* Finds each parameter that matters; of a repeated one the first counts. */
static void collect(const char *query, apr_size_t length, trk_param found[PARAMS])
{
    trk_query at = {query, query + length};
    trk_param param;

    memset(found, 0, PARAMS * sizeof *found);
    while (trk_query_next(&at, &param))
        for (int i = 0; i < PARAMS; i++)
            if (param.name_length == names[i].length && !found[i].name &&
                memcmp(param.name, names[i].text, names[i].length) == 0)
                found[i] = param;
}

static const char *read_port(const trk_param *param, trk_announce *announce)
{
    apr_int64_t port = 0;

    if (!param->name)
        return NULL; /* aria2 may leave it out */
    if (!read_digits(param->value, param->value_length, &port) || port > 65535 ||
        (port == 0 && announce->event != TRK_EVENT_STOPPED))
        return "port is not a number from 1 to 65535";
    announce->port = (apr_uint16_t)port;
    return NULL;
}

apr_int64_t trk_left_meant(const trk_announce *announce, apr_int64_t downloaded)
{
    int is_aria2_with_a_magnet = announce->left == 0 && announce->event != TRK_EVENT_COMPLETED && downloaded == 0 &&
                                 memcmp(announce->peer_id, "A2-", 3) == 0;

    return is_aria2_with_a_magnet ? APR_INT64_MAX : announce->left;
}

apr_status_t trk_announce_parse(const char *query, apr_size_t length, trk_announce *announce, const char **failure)
{
    trk_param found[PARAMS];
    unsigned char id[sizeof announce->peer_id];
    apr_int64_t downloaded;

    memset(announce, 0, sizeof *announce);
    collect(query, length, found);
    if (!found[HASH].name || !trk_param_hash(&found[HASH], &announce->hash)) {
        *failure = "info_hash is missing or not 20 bytes long";
        return APR_EINVAL;
    }
    announce->event = found[EVENT].name ? read_event(&found[EVENT]) : TRK_EVENT_NONE;
    if ((*failure = read_port(&found[PORT], announce)) != NULL)
        return APR_EINVAL;
    /* Whoever it is, a peer is known by its address: an id that is no id does not matter. */
    if (found[PEER_ID].name && bt_percent_decode(id, sizeof id, found[PEER_ID].value, found[PEER_ID].value_length) ==
                                   (apr_ssize_t)sizeof id)
        memcpy(announce->peer_id, id, sizeof id);
    if (!found[LEFT].name || !read_digits(found[LEFT].value, found[LEFT].value_length, &announce->left))
        announce->left = APR_INT64_MAX;
    if (found[DOWNLOADED].name &&
        read_digits(found[DOWNLOADED].value, found[DOWNLOADED].value_length, &downloaded))
        announce->left = trk_left_meant(announce, downloaded);
    announce->numwant = found[NUMWANT].name ? read_numwant(&found[NUMWANT]) : TRK_NUMWANT_DEFAULT;
    announce->compact = !(found[COMPACT].name && is_text(&found[COMPACT], "0"));
    announce->no_peer_id = found[NO_PEER_ID].name && is_text(&found[NO_PEER_ID], "1");
    return APR_SUCCESS;
}
