#include "seeder/send.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "torrentgen/torrent.h"

static seed_send_result failed(void)
{
    return errno == EAGAIN || errno == EINTR ? SEED_SEND_BLOCKED : SEED_SEND_GONE;
}

/* Errors of sendfile may be the file's or the socket's. */
static seed_send_result file_failed(void)
{
    return errno == EIO || errno == EOVERFLOW || errno == EINVAL || errno == ESTALE ? SEED_SEND_FILE : failed();
}

/* Sends bytes, sealed in `buffer` (of SEED_BATCH_SIZE; may be the bytes' own place) if the stream is encrypted. What the
 * socket did not take was never sealed, as far as the stream knows: it will be sealed again. */
static ssize_t put(seed_peer *peer, int socket, const unsigned char *bytes, apr_size_t length, int more,
                   unsigned char *buffer)
{
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | more;
    ssize_t n;

    if (!seed_stream_seals(peer->stream))
        return send(socket, bytes, length, flags);
    if (length > SEED_BATCH_SIZE)
        length = SEED_BATCH_SIZE;
    seed_stream_seal(peer->stream, buffer, bytes, length);
    n = send(socket, buffer, length, flags);
    if (n < (ssize_t)length)
        seed_stream_unseal(peer->stream, length - (apr_size_t)(n > 0 ? n : 0));
    return n;
}

/* What an encrypted handshake answered is in `out` before all else, and goes as it is. */
static ssize_t put_raw(seed_peer *peer, int socket)
{
    ssize_t n = send(socket, peer->out.data + peer->out_sent, peer->stream->raw, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n > 0)
        peer->stream->raw -= (apr_uint32_t)n;
    return n;
}

static seed_send_result send_control(seed_peer *peer, int socket, unsigned char *buffer, apr_time_t now, seed_sent *sent)
{
    int more = peer->requests.count ? MSG_MORE : 0;
    ssize_t n = peer->stream && peer->stream->raw
                    ? put_raw(peer, socket)
                    : put(peer, socket, peer->out.data + peer->out_sent, peer->out.length - peer->out_sent, more, buffer);

    if (n < 0)
        return failed();
    sent->bytes += (apr_size_t)n;
    seed_peer_sent_out(peer, (apr_size_t)n, now);
    return SEED_SEND_DONE;
}

/* Not before the file is open: some clients ban who closes in the middle of a block. */
static seed_send_result send_header(seed_peer *peer, int socket, seed_source *source, apr_time_t now, seed_sent *sent)
{
    unsigned char header[PW_PIECE_HEADER];
    seed_segment from;
    ssize_t n;

    if (peer->block_sent == 0 &&
        seed_source_at(source, seed_content_offset(peer->content, &peer->block), 1, now, &from) != APR_SUCCESS)
        return SEED_SEND_FILE;
    pw_piece_header(header, peer->block.piece, peer->block.begin, peer->block.length);
    n = put(peer, socket, header + peer->block_sent, sizeof header - peer->block_sent, MSG_MORE,
            header + peer->block_sent);
    if (n < 0)
        return failed();
    sent->bytes += (apr_size_t)n;
    seed_peer_sent_block(peer, (apr_size_t)n, now);
    return SEED_SEND_DONE;
}

static void note_payload(seed_peer *peer, apr_size_t bytes, apr_time_t now, seed_sent *sent)
{
    sent->bytes += bytes;
    sent->payload += bytes;
    seed_peer_sent_block(peer, bytes, now);
    sent->blocks += peer->block.length == 0;
}

/* The zeros behind the end of a file. */
static seed_send_result send_padding(seed_peer *peer, int socket, apr_size_t length, apr_time_t now, seed_sent *sent)
{
    static const char zeros[TG_BLOCK];
    ssize_t n = send(socket, zeros, length < sizeof zeros ? length : sizeof zeros, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0)
        return failed();
    note_payload(peer, (apr_size_t)n, now, sent);
    return SEED_SEND_DONE;
}

/* A single block, or what could not be read with others: no sendfile(2) for a stream that is encrypted. */
static seed_send_result send_sealed(seed_peer *peer, int socket, const seed_segment *from, unsigned char *buffer,
                                    apr_time_t now, seed_sent *sent)
{
    apr_size_t length = from->length < SEED_BATCH_SIZE ? from->length : SEED_BATCH_SIZE;
    ssize_t n = (ssize_t)length;

    if (from->file < 0)
        memset(buffer, 0, length);
    else
        n = pread(from->file, buffer, length, (off_t)from->offset);
    if (n <= 0)
        return n < 0 && errno == EINTR ? SEED_SEND_DONE : SEED_SEND_FILE;
    n = put(peer, socket, buffer, (apr_size_t)n, 0, buffer);
    if (n < 0)
        return failed();
    note_payload(peer, (apr_size_t)n, now, sent);
    return SEED_SEND_DONE;
}

static seed_send_result send_payload(seed_peer *peer, int socket, seed_source *source, const seed_fetched *fetched,
                                     unsigned char *buffer, apr_size_t room, apr_time_t now, seed_sent *sent)
{
    apr_uint32_t done = peer->block_sent - PW_PIECE_HEADER;
    apr_size_t want = peer->block.length - done;
    apr_int64_t at = seed_content_offset(peer->content, &peer->block) + done;
    seed_segment from;
    off_t offset;
    ssize_t n;

    if (seed_source_at(source, at, want < room ? want : room, now, &from) != APR_SUCCESS)
        return SEED_SEND_FILE;
    if (!seed_source_is_ready(source, &from, at, now, fetched)) {
        sent->cold = at;
        return SEED_SEND_COLD;
    }
    if (seed_stream_seals(peer->stream))
        return send_sealed(peer, socket, &from, buffer, now, sent);
    if (from.file < 0)
        return send_padding(peer, socket, from.length, now, sent);
    offset = (off_t)from.offset;
    n = sendfile(socket, from.file, &offset, from.length);
    if (n < 0)
        return file_failed();
    if (n == 0) /* the file ends here: it was truncated */
        return SEED_SEND_FILE;
    note_payload(peer, (apr_size_t)n, now, sent);
    return SEED_SEND_DONE;
}

/* About how many bytes the socket takes for now, so that few are read in vain. Where that cannot be asked: many. */
static apr_size_t socket_room(int socket)
{
    apr_uint32_t values[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof values;

    if (getsockopt(socket, SOL_SOCKET, SO_MEMINFO, values, &length) != 0)
        return SEED_BATCH_SIZE;
    return values[SK_MEMINFO_SNDBUF] > values[SK_MEMINFO_WMEM_QUEUED]
               ? values[SK_MEMINFO_SNDBUF] - values[SK_MEMINFO_WMEM_QUEUED]
               : 0;
}

/* Notes bytes of a batch as sent, block by block. */
static void note_batch(seed_peer *peer, apr_size_t bytes, apr_time_t now, seed_sent *sent)
{
    sent->bytes += bytes;
    while (bytes && seed_peer_next_block(peer)) {
        apr_size_t rest = (apr_size_t)PW_PIECE_HEADER + peer->block.length - peer->block_sent;
        apr_size_t step = bytes < rest ? bytes : rest;
        apr_size_t head = peer->block_sent < PW_PIECE_HEADER ? PW_PIECE_HEADER - peer->block_sent : 0;

        sent->payload += step > head ? step - head : 0;
        seed_peer_sent_block(peer, step, now);
        sent->blocks += peer->block.length == 0;
        bytes -= step;
    }
}

static ssize_t put_batch(seed_peer *peer, int socket, seed_batch *batch, unsigned char *buffer)
{
    struct msghdr message = {.msg_iov = batch->parts, .msg_iovlen = (size_t)batch->count};

    if (batch->mapped)
        return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return put(peer, socket, buffer, batch->length, 0, buffer);
}

/* A batch in a buffer that was not taken in full fills the socket, and epoll(7) will tell when it is not full any more; a
 * mapped one may also end where the file does now. Then the next try fails, and reading tells what that means. */
static seed_send_result after_batch(seed_source *source, const seed_batch *batch, ssize_t n)
{
    if (n < 0 && errno == EFAULT && batch->mapped)
        seed_files_unmap(seed_source_files(source), batch->mapped);
    else if (n < 0)
        return failed();
    return n < (ssize_t)batch->length && !batch->mapped ? SEED_SEND_BLOCKED : SEED_SEND_DONE;
}

/* One or two system calls and copies for many blocks cost less than two calls without a copy for each (bench/seed).
 * @return 0 if there is no batch: blocks go one by one */
static int send_batch(seed_peer *peer, int socket, seed_source *source, const seed_fetched *fetched,
                      unsigned char *buffer, apr_size_t room, apr_time_t now, seed_sent *sent, seed_send_result *result)
{
    apr_size_t taken = socket_room(socket);
    seed_batch batch;
    ssize_t n;

    if (taken == 0)
        return 0; /* nothing is read in vain: the next header will find it full */
    taken += PW_PIECE_HEADER + TG_BLOCK;
    if (!seed_batch_fill(&batch, peer, source, fetched, buffer, room < taken ? room : taken, now, &sent->cold)) {
        if (sent->cold >= 0)
            *result = SEED_SEND_COLD;
        return sent->cold >= 0;
    }
    n = put_batch(peer, socket, &batch, buffer);
    if (n > 0)
        note_batch(peer, (apr_size_t)n, now, sent);
    *result = after_batch(source, &batch, n);
    return 1;
}

static seed_send_result send_next(seed_peer *peer, int socket, seed_source *source, const seed_fetched *fetched,
                                  unsigned char *buffer, apr_size_t room, apr_time_t now, seed_sent *sent)
{
    if (peer->block.length && peer->block_sent < PW_PIECE_HEADER)
        return send_header(peer, socket, source, now, sent);
    if (peer->block.length)
        return send_payload(peer, socket, source, fetched, buffer, room, now, sent);
    if (peer->out.length)
        return send_control(peer, socket, buffer, now, sent);
    seed_peer_next_block(peer);
    return SEED_SEND_DONE;
}

/* What is left of the quantum after some blocks is not begun another one with: whole blocks go out in batches, the rest of
 * one costs calls of its own, in this turn and in the next. */
static int is_enough(const seed_sent *sent, apr_size_t quantum)
{
    return sent->bytes >= quantum || (sent->blocks > 0 && quantum - sent->bytes < PW_PIECE_HEADER + TG_BLOCK);
}

seed_send_result seed_send(seed_peer *peer, int socket, seed_source *source, const seed_fetched *fetched,
                           unsigned char *buffer, apr_size_t quantum, apr_time_t now, seed_sent *sent)
{
    seed_send_result result = SEED_SEND_DONE;

    sent->bytes = sent->payload = 0;
    sent->blocks = 0;
    while (result == SEED_SEND_DONE && !is_enough(sent, quantum) && seed_peer_has_output(peer)) {
        apr_size_t room = quantum - sent->bytes;
        int many = peer->requests.count + (peer->block.length > 0) > 1 && !peer->out.length;

        if (!many || !send_batch(peer, socket, source, fetched, buffer, room, now, sent, &result))
            result = send_next(peer, socket, source, fetched, buffer, room, now, sent);
    }
    return result == SEED_SEND_DONE && seed_peer_has_output(peer) ? SEED_SEND_MORE : result;
}

apr_size_t seed_send_wants(const seed_peer *peer, apr_int64_t cold)
{
    apr_int64_t end = cold + 1, most = cold + SEED_FETCH_MAX;
    apr_uint32_t nth;

    if (peer->block.length)
        end = seed_content_offset(peer->content, &peer->block) + peer->block.length;
    for (nth = 0; nth < peer->requests.count && end < most; nth++) {
        const seed_block *block = seed_requests_at(&peer->requests, nth);
        apr_int64_t at = seed_content_offset(peer->content, block);

        if (at <= (end > cold ? end : cold) && at + block->length > end)
            end = at + block->length;
    }
    end = end < most ? end : most;
    return end > cold ? (apr_size_t)(end - cold) : 1;
}

apr_uint64_t seed_taken(int socket)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;

    return getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 ? info.tcpi_bytes_acked : 0;
}
