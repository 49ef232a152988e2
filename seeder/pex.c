#include "seeder/pex.h"

#include <stdlib.h>
#include <string.h>

#include "base/bencode.h"

enum { SHORTEST = 16, IPV4 = 4, IPV6 = 16 };

typedef struct {
    seed_pex_address who;
    unsigned char flags, came;
} event;

struct seed_pex_journal {
    apr_uint32_t capacity; /* events, a power of two */
    apr_uint32_t end;      /* of all that were ever written; wraps */
    apr_uint32_t count;    /* that are kept: the latest ones */
    event events[];        /* event n is at n % capacity */
};

/* --- addresses --- */

void seed_pex_address_set(seed_pex_address *address, const unsigned char *ip, int length, apr_uint16_t port, unsigned hashes)
{
    int is_mapped = length == IPV6 && memcmp(ip, bt_v4_mapped, sizeof bt_v4_mapped) == 0;

    memset(address, 0, sizeof *address);
    if (length != IPV4 && length != IPV6)
        return;
    address->is_v6 = length == IPV6 && !is_mapped;
    memcpy(address->ip, is_mapped ? ip + sizeof bt_v4_mapped : ip, address->is_v6 ? IPV6 : IPV4);
    address->port = port;
    address->reach = (unsigned)bt_reach_of(address->ip, address->is_v6) & 15;
    address->hashes = hashes & 15;
}

static int is_same(const seed_pex_address *a, const seed_pex_address *b)
{
    return a->port == b->port && a->is_v6 == b->is_v6 && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

int seed_pex_may_tell(const seed_pex_address *to, const seed_pex_address *of)
{
    return of->port != 0 && of->reach == to->reach && of->reach != BT_REACH_NOBODY && of->hashes & to->hashes &&
           !is_same(to, of);
}

/* --- the journal --- */

void seed_pex_free(seed_pex_journal *journal)
{
    free(journal);
}

apr_uint32_t seed_pex_end(const seed_pex_journal *journal)
{
    return journal ? journal->end : 0;
}

static const event *at(const seed_pex_journal *journal, apr_uint32_t nth)
{
    return &journal->events[nth & (journal->capacity - 1)];
}

/* Makes it long enough for everybody to come once and leave once. @return NULL if there is none */
static seed_pex_journal *lengthen(seed_pex_journal *journal, int peers)
{
    apr_uint32_t capacity = SHORTEST, i;
    seed_pex_journal *made;

    while (capacity < SEED_PEX_JOURNAL && capacity < 2 * (apr_uint32_t)peers)
        capacity *= 2;
    if (journal && journal->capacity >= capacity)
        return journal;
    made = malloc(sizeof *made + capacity * sizeof *made->events);
    if (!made)
        return journal;
    made->capacity = capacity;
    made->end = seed_pex_end(journal);
    made->count = journal ? journal->count : 0;
    for (i = 1; i <= made->count; i++)
        made->events[(made->end - i) & (capacity - 1)] = *at(journal, journal->end - i);
    free(journal);
    return made;
}

void seed_pex_note(seed_pex_journal **journal, int peers, const seed_pex_address *who, unsigned char flags, int came)
{
    seed_pex_journal *in = *journal = lengthen(*journal, peers);

    if (!in)
        return;
    in->events[in->end++ & (in->capacity - 1)] = (event){*who, flags, came != 0};
    in->count += in->count < in->capacity;
}

/* --- messages --- */

static int find(const seed_pex_address *list, int count, const seed_pex_address *who)
{
    while (count-- > 0) {
        if (is_same(&list[count], who))
            break;
    }
    return count;
}

static void forget_added(seed_pex_news *news, int nth)
{
    news->added_count--;
    memmove(&news->added[nth], &news->added[nth + 1], (apr_size_t)(news->added_count - nth) * sizeof *news->added);
    memmove(&news->flags[nth], &news->flags[nth + 1], (apr_size_t)(news->added_count - nth));
}

static void forget_dropped(seed_pex_news *news, int nth)
{
    news->dropped_count--;
    memmove(&news->dropped[nth], &news->dropped[nth + 1], (apr_size_t)(news->dropped_count - nth) * sizeof *news->dropped);
}

int seed_pex_add(seed_pex_news *news, const seed_pex_address *to, const seed_pex_address *of, unsigned char flags)
{
    if (!seed_pex_may_tell(to, of) || find(news->added, news->added_count, of) >= 0)
        return 1;
    if (news->added_count == SEED_PEX_MOST)
        return 0;
    news->added[news->added_count] = *of;
    news->flags[news->added_count++] = flags;
    return 1;
}

static int add_event(seed_pex_news *news, const seed_pex_address *to, const event *what)
{
    int added = find(news->added, news->added_count, &what->who);
    int dropped = find(news->dropped, news->dropped_count, &what->who);

    if (!seed_pex_may_tell(to, &what->who))
        return 1;
    if (what->came && dropped >= 0) { /* it is back, and still known */
        forget_dropped(news, dropped);
        return 1;
    }
    if (what->came)
        return seed_pex_add(news, to, &what->who, what->flags);
    if (added >= 0) {
        forget_added(news, added);
        return 1;
    }
    if (dropped < 0 && news->dropped_count == SEED_PEX_MOST)
        return 0;
    if (dropped < 0)
        news->dropped[news->dropped_count++] = what->who;
    return 1;
}

apr_uint32_t seed_pex_since(const seed_pex_journal *journal, apr_uint32_t since, const seed_pex_address *to,
                            seed_pex_news *news)
{
    memset(news, 0, sizeof *news);
    if (!journal)
        return since;
    if (journal->end - since > journal->count) /* what was overwritten is not told */
        since = journal->end - journal->count;
    while (since != journal->end && add_event(news, to, at(journal, since)))
        since++;
    return since;
}

/* --- bytes --- */

/* A string of compact addresses of one family, unless it is empty. */
static void put_addresses(bt_buf *out, const char *key, const seed_pex_address *list, int count, int is_v6)
{
    unsigned char bytes[SEED_PEX_MOST * (IPV6 + 2)], *to = bytes;
    apr_size_t size = is_v6 ? IPV6 : IPV4;
    int i;

    for (i = 0; i < count; i++) {
        if (list[i].is_v6 != is_v6)
            continue;
        memcpy(to, list[i].ip, size);
        to[size] = (unsigned char)(list[i].port >> 8);
        to[size + 1] = (unsigned char)list[i].port;
        to += size + 2;
    }
    if (to == bytes)
        return;
    bt_ben_add_text(out, key);
    bt_ben_add_string(out, bytes, (apr_size_t)(to - bytes));
}

static void put_flags(bt_buf *out, const char *key, const seed_pex_news *news, int is_v6)
{
    unsigned char bytes[SEED_PEX_MOST];
    apr_size_t length = 0;
    int i;

    for (i = 0; i < news->added_count; i++) {
        if (news->added[i].is_v6 == is_v6)
            bytes[length++] = news->flags[i];
    }
    if (length == 0)
        return;
    bt_ben_add_text(out, key);
    bt_ben_add_string(out, bytes, length);
}

apr_status_t seed_pex_write(bt_buf *out, const seed_pex_news *news)
{
    bt_ben_open(out, 'd');
    put_addresses(out, "added", news->added, news->added_count, 0);
    put_flags(out, "added.f", news, 0); /* libtorrent takes no peer without its flags */
    put_addresses(out, "added6", news->added, news->added_count, 1);
    put_flags(out, "added6.f", news, 1);
    put_addresses(out, "dropped", news->dropped, news->dropped_count, 0);
    put_addresses(out, "dropped6", news->dropped, news->dropped_count, 1);
    bt_ben_close(out);
    return out->status;
}

/* Counts the compact addresses of a key. @return 0 if it is no list of such */
static int count_key(const bt_ben *message, const char *key, apr_size_t size, apr_uint32_t *count)
{
    bt_ben value;

    if (!bt_ben_get(message, key, BT_BEN_STRING, &value))
        return 1;
    if (value.string_length % size || value.string_length / size > SEED_PEX_HEARD - *count)
        return 0;
    *count += (apr_uint32_t)(value.string_length / size);
    return 1;
}

apr_status_t seed_pex_read(const unsigned char *bytes, apr_size_t length, apr_uint32_t *added, apr_uint32_t *dropped)
{
    bt_ben message;

    *added = *dropped = 0;
    if (bt_ben_read_lenient(bytes, length, &message) != APR_SUCCESS || message.type != BT_BEN_DICT)
        return APR_EINVAL;
    return count_key(&message, "added", IPV4 + 2, added) && count_key(&message, "added6", IPV6 + 2, added) &&
                   count_key(&message, "dropped", IPV4 + 2, dropped) && count_key(&message, "dropped6", IPV6 + 2, dropped)
               ? APR_SUCCESS
               : APR_EINVAL;
}

void seed_pex_hear(seed_pex_peer *peer, const unsigned char *bytes, apr_size_t length)
{
    apr_uint32_t added, dropped, knows;

    if (seed_pex_read(bytes, length, &added, &dropped) != APR_SUCCESS)
        return;
    knows = peer->knows + added;
    knows -= dropped < knows ? dropped : knows;
    peer->knows = (apr_uint16_t)(knows < SEED_PEX_HEARD ? knows : SEED_PEX_HEARD);
}

/* --- hand-over: where it listens is in another section; that it was told of others, and how many it knows --- */

void seed_pex_save(bt_buf *out, const seed_pex_peer *peer)
{
    if (peer->begun || peer->resume)
        seed_put_u32(out, peer->knows);
}

apr_status_t seed_pex_restore(seed_record *in, seed_pex_peer *peer)
{
    apr_uint32_t knows = seed_take_u32(in);

    if (in->broken || knows > SEED_PEX_HEARD)
        return APR_EINVAL;
    peer->begun = peer->resume = 1;
    peer->knows = (apr_uint16_t)knows;
    return APR_SUCCESS;
}
