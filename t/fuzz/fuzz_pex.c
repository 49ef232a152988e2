/* What a peer sends as a message of ut_pex is read within bounds; and whatever comes and goes in a swarm, what we tell of it is
 * a message again, with no more peers than allowed, none of them twice. The first byte says which: 0 reads, others tell. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "seeder/pex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void hear(const uint8_t *data, size_t size)
{
    apr_uint32_t added, dropped;

    if (seed_pex_read(data, size, &added, &dropped) == APR_SUCCESS)
        must(added <= SEED_PEX_HEARD && dropped <= SEED_PEX_HEARD && 6 * (added + dropped) <= size);
}

static void check_once(const seed_pex_address *list, int count)
{
    int i, j;

    for (i = 0; i < count; i++)
        for (j = 0; j < i; j++)
            must(memcmp(&list[i], &list[j], sizeof *list) != 0);
}

static void check(const seed_pex_news *news)
{
    apr_uint32_t added, dropped;
    bt_buf out;

    must(news->added_count <= SEED_PEX_MOST && news->dropped_count <= SEED_PEX_MOST);
    check_once(news->added, news->added_count);
    check_once(news->dropped, news->dropped_count);
    bt_buf_init(&out, 8192);
    must(seed_pex_write(&out, news) == APR_SUCCESS);
    must(seed_pex_read(out.data, out.length, &added, &dropped) == APR_SUCCESS);
    must((int)added == news->added_count && (int)dropped == news->dropped_count);
    bt_buf_free(&out);
}

/* Two bytes an event: who, and what. */
static void tell(const uint8_t *data, size_t size)
{
    seed_pex_address self = {{8, 8, 8, 8}, 1, 0, BT_REACH_GLOBAL, SEED_PEX_V1};
    seed_pex_journal *journal = NULL;
    apr_uint32_t told = 0, now;
    seed_pex_news news;
    size_t i;

    for (i = 0; i + 1 < size; i += 2) {
        seed_pex_address who = {{8, 0, 0, data[i]}, (apr_uint16_t)(data[i + 1] & 3), (data[i + 1] & 4) != 0,
                                data[i + 1] >> 3 & 3, SEED_PEX_V1};
        seed_pex_note(&journal, data[i], &who, data[i + 1] & 3, data[i + 1] >> 7);
        if (!(data[i + 1] & 0x40))
            continue;
        now = seed_pex_since(journal, told, &self, &news);
        must(now == seed_pex_end(journal) || now - told >= SEED_PEX_MOST);
        told = now;
        check(&news);
    }
    seed_pex_free(journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == 0)
        hear(data + 1, size - 1);
    else
        tell(data + 1, size - 1);
    return 0;
}
