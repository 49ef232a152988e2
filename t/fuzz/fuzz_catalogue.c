/* Values of the catalogue as they are mapped from its file: a record, then the list of members. The first byte says
 * which; a record's checksum is made right, or nothing else would be looked at. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>

#include "catalog/members.h"
#include "catalog/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read and written again is the same, byte for byte. */
static void try_record(const uint8_t *data, size_t size)
{
    unsigned char *bytes =
        malloc(size + sizeof(apr_uint64_t)); /* of its own size, so that reading past its end is seen */
    apr_uint64_t sum = cat_sum(data, size);
    MDB_val value = {size + sizeof sum, bytes};
    bt_infohash hashes[CAT_HASHES_MAX];
    cat_record record;
    bt_buf buf;

    memcpy(bytes, data, size);
    memcpy(bytes + size, &sum, sizeof sum);
    bt_buf_init(&buf, 1 << 20);
    if (cat_record_read(&value, &record)) {
        if (cat_record_hashes(&record, hashes) > CAT_HASHES_MAX || cat_record_write(&buf, &record) != APR_SUCCESS ||
            buf.length > value.mv_size)
            abort();
    }
    bt_buf_free(&buf);
    free(bytes);
}

static void try_members(const uint8_t *data, size_t size, apr_pool_t *pool)
{
    unsigned char *bytes = malloc(size + (size == 0));
    const tg_member *members;
    apr_size_t count;
    bt_buf buf;

    memcpy(bytes, data, size);
    bt_buf_init(&buf, 1 << 20);
    if (cat_members_read(bytes, size, pool, &members, &count)) {
        if (count == 0 || cat_members_write(&buf, members, count) != APR_SUCCESS || buf.length != size ||
            memcmp(buf.data, bytes, size) != 0)
            abort();
    }
    bt_buf_free(&buf);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *pool;

    if (!pool) {
        apr_initialize();
        apr_pool_create(&pool, NULL);
    }
    if (size == 0)
        return 0;
    if (data[0] == 'r')
        try_record(data + 1, size - 1);
    else
        try_members(data + 1, size - 1, pool);
    apr_pool_clear(pool);
    return 0;
}
