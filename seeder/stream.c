#include "seeder/stream.h"

void seed_stream_init(seed_stream *stream, const seed_mse *mse, apr_size_t raw)
{
    stream->in = mse->in;
    stream->out = mse->out;
    stream->rc4 = mse->selected == SEED_MSE_RC4;
    stream->left = mse->initial;
    stream->raw = (apr_uint32_t)raw;
}

void seed_stream_open(seed_stream *stream, unsigned char *bytes, apr_size_t length)
{
    if (!stream->rc4 && length > stream->left)
        length = stream->left;
    seed_rc4_apply(&stream->in, bytes, bytes, length);
    if (!stream->rc4)
        stream->left -= (apr_uint32_t)length;
}

int seed_stream_is_over(const seed_stream *stream)
{
    return !stream->rc4 && stream->left == 0;
}

int seed_stream_seals(const seed_stream *stream)
{
    return stream && stream->rc4;
}

void seed_stream_seal(seed_stream *stream, unsigned char *to, const unsigned char *from, apr_size_t length)
{
    seed_rc4_apply(&stream->out, to, from, length);
}

void seed_stream_unseal(seed_stream *stream, apr_size_t length)
{
    seed_rc4_rewind(&stream->out, length);
}
