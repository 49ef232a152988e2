#include "tracker/http.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/bencode.h"
#include "tracker/address.h"

static void add_number(bt_buf *body, const char *key, apr_int64_t number)
{
    bt_ben_add_text(body, key);
    bt_ben_add_integer(body, number);
}

/* One peer of the long form. Peer ids are not kept, so there is none to give, asked for or not. */
static void add_peer(bt_buf *body, const unsigned char *wire, int is_v6)
{
    char text[INET6_ADDRSTRLEN];
    apr_size_t ip_size = is_v6 ? 16 : 4;

    if (!inet_ntop(is_v6 ? AF_INET6 : AF_INET, wire, text, sizeof text))
        return;
    bt_ben_open(body, 'd');
    bt_ben_add_text(body, "ip");
    bt_ben_add_text(body, text);
    add_number(body, "port", wire[ip_size] << 8 | wire[ip_size + 1]);
    bt_ben_close(body);
}

static void add_peer_list(bt_buf *body, const trk_answer *answer)
{
    bt_ben_open(body, 'l');
    for (int i = 0; i < answer->count4; i++)
        add_peer(body, answer->peers4 + 6 * i, 0);
    for (int i = 0; i < answer->count6; i++)
        add_peer(body, answer->peers6 + 18 * i, 1);
    bt_ben_close(body);
}

/* The most that an answer takes, so that it is allocated at once. */
static apr_size_t room_for(const trk_announce *announce, const trk_answer *answer)
{
    enum { REST = 256, LONGEST_PEER = sizeof "d2:ip39:4:porti65535ee" + 39 };

    if (announce->compact)
        return REST + (apr_size_t)answer->count4 * 6 + (apr_size_t)answer->count6 * 18;
    return REST + (apr_size_t)(answer->count4 + answer->count6) * LONGEST_PEER;
}

void trk_http_answer(bt_buf *body, const trk_announce *announce, const trk_answer *answer, const trk_address *from)
{
    trk_address client = trk_address_normal(from);

    bt_buf_reserve(body, room_for(announce, answer));
    bt_ben_open(body, 'd');
    add_number(body, "complete", answer->complete);
    add_number(body, "downloaded", answer->downloaded);
    add_number(body, "downloaders", answer->downloaders);
    bt_ben_add_text(body, "external ip");
    bt_ben_add_string(body, client.ip, client.is_v6 ? 16 : 4);
    add_number(body, "incomplete", answer->incomplete);
    add_number(body, "interval", answer->interval);
    add_number(body, "min interval", answer->min_interval);
    bt_ben_add_text(body, "peers");
    if (announce->compact) {
        bt_ben_add_string(body, answer->peers4, (apr_size_t)answer->count4 * 6);
        if (answer->count6 > 0) {
            bt_ben_add_text(body, "peers6");
            bt_ben_add_string(body, answer->peers6, (apr_size_t)answer->count6 * 18);
        }
    } else {
        add_peer_list(body, answer);
    }
    bt_ben_close(body);
}

void trk_http_failure(bt_buf *body, const char *reason, int interval_seconds, int retry_minutes)
{
    bt_ben_open(body, 'd');
    bt_ben_add_text(body, "failure reason");
    bt_ben_add_text(body, reason);
    add_number(body, "interval", interval_seconds);
    add_number(body, "min interval", interval_seconds);
    bt_ben_add_text(body, "retry in");
    if (retry_minutes > 0)
        bt_ben_add_integer(body, retry_minutes);
    else
        bt_ben_add_text(body, "never");
    bt_ben_close(body);
}

/* Sorts positions by hash: keys of a dictionary are in order. There are few, so insertion does. */
static int sort_hashes(const bt_infohash *hashes, int count, int order[TRK_SCRAPE_MAX])
{
    int sorted = 0;

    for (int i = 0; i < count && i < TRK_SCRAPE_MAX; i++) {
        int at = sorted, difference = -1;

        while (at > 0 && (difference = memcmp(hashes[order[at - 1]].b, hashes[i].b, BT_HASH_SIZE)) > 0)
            at--;
        if (at > 0 && difference == 0)
            continue; /* asked for twice */
        memmove(order + at + 1, order + at, (size_t)(sorted - at) * sizeof *order);
        order[at] = i;
        sorted++;
    }
    return sorted;
}

void trk_http_scrape(bt_buf *body, const bt_infohash *hashes, const trk_scrape *numbers, int count, int interval_seconds)
{
    int order[TRK_SCRAPE_MAX + 1];

    count = sort_hashes(hashes, count, order);
    bt_ben_open(body, 'd');
    bt_ben_add_text(body, "files");
    bt_ben_open(body, 'd');
    for (int i = 0; i < count; i++) {
        const trk_scrape *of = &numbers[order[i]];

        bt_ben_add_string(body, hashes[order[i]].b, BT_HASH_SIZE);
        bt_ben_open(body, 'd');
        add_number(body, "complete", of->complete);
        add_number(body, "downloaded", of->downloaded);
        add_number(body, "downloaders", of->downloaders);
        add_number(body, "incomplete", of->incomplete);
        bt_ben_close(body);
    }
    bt_ben_close(body);
    bt_ben_add_text(body, "flags");
    bt_ben_open(body, 'd');
    add_number(body, "min_request_interval", interval_seconds);
    bt_ben_close(body);
    bt_ben_close(body);
}
