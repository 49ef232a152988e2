#include "tracker/change.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { IS_V6 = 1, IS_SEED = 2, COMPLETED = 4, IS_GONE = 8, IS_HOST = 16, PAUSED = 32, ALL_BITS = 63 };
enum { MAGIC_SIZE = 4, HEAD_SIZE = BT_HASH_SIZE + 1, SCORE_BITS = 3, SCORE_SEED = 1, SCORE_COMPLETED = 2, SCORE_PAUSED = 4 };

static const unsigned char magic[MAGIC_SIZE] = {'B', 'T', 'H', '1'};

static apr_size_t wire_size(int is_v6)
{
    return is_v6 ? 18 : 6;
}

/* @return 0 for port 0 */
static int read_peer(const unsigned char *wire, int is_v6, trk_address *peer)
{
    apr_size_t ip_size = wire_size(is_v6) - 2;

    memset(peer, 0, sizeof *peer);
    memcpy(peer->ip, wire, ip_size);
    peer->is_v6 = is_v6;
    peer->port = (apr_uint16_t)(wire[ip_size] << 8 | wire[ip_size + 1]);
    return peer->port != 0;
}

apr_size_t trk_member_of(const trk_change *change, unsigned char member[TRK_MEMBER_MAX])
{
    apr_size_t ip_size = wire_size(change->peer.is_v6) - 2;

    memcpy(member, change->peer.ip, ip_size);
    member[ip_size] = (unsigned char)(change->peer.port >> 8);
    member[ip_size + 1] = (unsigned char)(change->peer.port & 0xff);
    return ip_size + 2;
}

apr_int64_t trk_score_of(const trk_change *change, apr_int64_t second)
{
    return second << SCORE_BITS | (change->paused ? SCORE_PAUSED : 0) | (change->completed ? SCORE_COMPLETED : 0) |
           (change->is_seed ? SCORE_SEED : 0);
}

int trk_member_read(const void *member, apr_size_t length, const char *score, trk_change *change, apr_int64_t *second)
{
    const double most = 9007199254740992.0; /* 2^53: beyond it there are no odd ones */
    char *end;
    double number = strtod(score, &end);
    apr_int64_t whole;

    if (end == score || *end || !isfinite(number) || number < 0 || number >= most || number != floor(number))
        return 0;
    if ((length != wire_size(0) && length != wire_size(1)) || !read_peer(member, length == wire_size(1), &change->peer))
        return 0;
    whole = (apr_int64_t)number;
    change->is_seed = (whole & SCORE_SEED) != 0;
    change->completed = (whole & SCORE_COMPLETED) != 0;
    change->paused = (whole & SCORE_PAUSED) != 0;
    change->is_gone = change->is_host = 0;
    *second = whole >> SCORE_BITS;
    return 1;
}

void trk_bulletin_begin(bt_buf *bulletin, const unsigned char host[TRK_HOST_ID_SIZE])
{
    bt_buf_add(bulletin, magic, sizeof magic);
    bt_buf_add(bulletin, host, TRK_HOST_ID_SIZE);
}

void trk_bulletin_add(bt_buf *bulletin, const trk_change *change)
{
    unsigned char bytes[HEAD_SIZE + TRK_MEMBER_MAX];

    memcpy(bytes, change->hash.b, BT_HASH_SIZE);
    bytes[BT_HASH_SIZE] = (unsigned char)((change->peer.is_v6 ? IS_V6 : 0) | (change->is_seed ? IS_SEED : 0) |
                                          (change->completed ? COMPLETED : 0) | (change->is_gone ? IS_GONE : 0) |
                                          (change->is_host ? IS_HOST : 0) | (change->paused ? PAUSED : 0));
    bt_buf_add(bulletin, bytes, HEAD_SIZE + trk_member_of(change, bytes + HEAD_SIZE));
}

int trk_bulletin_open(trk_bulletin *bulletin, const void *bytes, apr_size_t length, const unsigned char self[TRK_HOST_ID_SIZE])
{
    const unsigned char *at = bytes;

    if (length < MAGIC_SIZE + TRK_HOST_ID_SIZE || memcmp(at, magic, MAGIC_SIZE) != 0 ||
        memcmp(at + MAGIC_SIZE, self, TRK_HOST_ID_SIZE) == 0)
        return 0;
    bulletin->at = at + MAGIC_SIZE + TRK_HOST_ID_SIZE;
    bulletin->end = at + length;
    return 1;
}

int trk_bulletin_next(trk_bulletin *bulletin, trk_change *change)
{
    while (bulletin->end - bulletin->at > HEAD_SIZE) {
        const unsigned char *at = bulletin->at;
        int bits = at[BT_HASH_SIZE];

        if ((apr_size_t)(bulletin->end - at) < HEAD_SIZE + wire_size(bits & IS_V6))
            break;
        bulletin->at += HEAD_SIZE + wire_size(bits & IS_V6);
        if (bits & ~ALL_BITS || !read_peer(at + HEAD_SIZE, bits & IS_V6, &change->peer))
            continue;
        memcpy(change->hash.b, at, BT_HASH_SIZE);
        change->is_seed = (bits & IS_SEED) != 0;
        change->completed = (bits & COMPLETED) != 0;
        change->is_gone = (bits & IS_GONE) != 0;
        change->is_host = (bits & IS_HOST) != 0;
        change->paused = (bits & PAUSED) != 0;
        return 1;
    }
    bulletin->at = bulletin->end;
    return 0;
}
