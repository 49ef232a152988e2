#include "seeder/send.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

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

static seed_send_result send_control(seed_peer *peer, int socket, apr_time_t now, seed_sent *sent)
{
    int more = peer->requests.count ? MSG_MORE : 0;
    ssize_t n = send(socket, peer->out.data + peer->out_sent, peer->out.length - peer->out_sent,
                     MSG_NOSIGNAL | MSG_DONTWAIT | more);

    if (n < 0)
        return failed();
    sent->bytes += (apr_size_t)n;
    seed_peer_sent_out(peer, (apr_size_t)n, now);
    return SEED_SEND_DONE;
}

static seed_send_result send_header(seed_peer *peer, int socket, apr_time_t now, seed_sent *sent)
{
    unsigned char header[PW_PIECE_HEADER];
    ssize_t n;

    pw_piece_header(header, peer->block.piece, peer->block.begin, peer->block.length);
    n = send(socket, header + peer->block_sent, sizeof header - peer->block_sent,
             MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE);
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

/* The zeros behind the end of a file: less than a block. */
static seed_send_result send_padding(seed_peer *peer, int socket, apr_time_t now, seed_sent *sent)
{
    static const char zeros[TG_BLOCK];
    ssize_t n = send(socket, zeros, peer->block.length + PW_PIECE_HEADER - peer->block_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0)
        return failed();
    note_payload(peer, (apr_size_t)n, now, sent);
    return SEED_SEND_DONE;
}

static seed_send_result send_payload(seed_peer *peer, int socket, int file, apr_size_t room, apr_time_t now,
                                     seed_sent *sent)
{
    apr_uint32_t done = peer->block_sent - PW_PIECE_HEADER;
    apr_uint32_t in_file = seed_peer_block_in_file(peer);
    off_t offset = seed_peer_block_offset(peer) + done;
    apr_size_t want = in_file - done;
    ssize_t n;

    if (done >= in_file)
        return send_padding(peer, socket, now, sent);
    n = sendfile(socket, file, &offset, want < room ? want : room);
    if (n < 0)
        return file_failed();
    if (n == 0) /* the file ends here: it was truncated */
        return SEED_SEND_FILE;
    note_payload(peer, (apr_size_t)n, now, sent);
    return SEED_SEND_DONE;
}

/* While corked, the end of one block and the header of the next share a packet; uncorking sends what is left at once. */
static void cork(int socket, int on)
{
    setsockopt(socket, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

seed_send_result seed_send(seed_peer *peer, int socket, int file, apr_size_t quantum, apr_time_t now, seed_sent *sent)
{
    seed_send_result result = SEED_SEND_DONE;
    int many = peer->requests.count > 1;

    sent->bytes = sent->payload = 0;
    sent->blocks = 0;
    if (many)
        cork(socket, 1);
    while (result == SEED_SEND_DONE && sent->bytes < quantum) {
        if (peer->block.length && peer->block_sent < PW_PIECE_HEADER)
            result = send_header(peer, socket, now, sent);
        else if (peer->block.length)
            result = send_payload(peer, socket, file, quantum - sent->bytes, now, sent);
        else if (peer->out.length)
            result = send_control(peer, socket, now, sent);
        else if (!seed_peer_next_block(peer))
            break;
    }
    if (many)
        cork(socket, 0);
    return result == SEED_SEND_DONE && seed_peer_has_output(peer) ? SEED_SEND_MORE : result;
}
