#include "seeder/record.h"

#include "seeder/wire.h"

const unsigned char *seed_take(seed_record *in, apr_size_t length)
{
    const unsigned char *at = in->at;

    if (in->broken || (apr_size_t)(in->end - in->at) < length) {
        in->broken = 1;
        return NULL;
    }
    in->at += length;
    return at;
}

const unsigned char *seed_take_rest(seed_record *in, apr_size_t *length)
{
    *length = (apr_size_t)(in->end - in->at);
    return seed_take(in, *length);
}

apr_uint32_t seed_take_u32(seed_record *in)
{
    const unsigned char *at = seed_take(in, 4);

    return at ? pw_get_u32(at) : 0;
}

apr_uint64_t seed_take_u64(seed_record *in)
{
    apr_uint64_t high = seed_take_u32(in);

    return high << 32 | seed_take_u32(in);
}

seed_block seed_take_block(seed_record *in)
{
    seed_block block;

    block.piece = seed_take_u32(in);
    block.begin = seed_take_u32(in);
    block.length = seed_take_u32(in);
    return block;
}

seed_record seed_take_string(seed_record *in)
{
    apr_uint32_t length = seed_take_u32(in);
    const unsigned char *at = seed_take(in, length);
    seed_record string = {at, at ? at + length : NULL, !at};

    return string;
}

void seed_put_u32(bt_buf *out, apr_uint32_t value)
{
    unsigned char *at = bt_buf_extend(out, 4);

    if (at)
        pw_put_u32(at, value);
}

void seed_put_u64(bt_buf *out, apr_uint64_t value)
{
    seed_put_u32(out, (apr_uint32_t)(value >> 32));
    seed_put_u32(out, (apr_uint32_t)value);
}

void seed_put_block(bt_buf *out, const seed_block *block)
{
    seed_put_u32(out, block->piece);
    seed_put_u32(out, block->begin);
    seed_put_u32(out, block->length);
}
