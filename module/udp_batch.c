#include "module/udp_batch.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

typedef union {
    struct cmsghdr alignment;
    unsigned char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
} control;

struct bth_batch {
    bth_datagram in[BTH_BATCH_MAX];
    struct mmsghdr headers_in[BTH_BATCH_MAX];
    struct iovec parts_in[BTH_BATCH_MAX];
    control controls_in[BTH_BATCH_MAX];

    unsigned char out[BTH_BATCH_MAX][TRK_UDP_ANSWER_MAX];
    struct mmsghdr headers_out[BTH_BATCH_MAX];
    struct iovec parts_out[BTH_BATCH_MAX];
    control controls_out[BTH_BATCH_MAX];
    bth_sockaddr peers_out[BTH_BATCH_MAX];
    unsigned out_count;
};

bth_batch *bth_batch_create(apr_pool_t *pool)
{
    return apr_pcalloc(pool, sizeof(bth_batch));
}

static void prepare(bth_batch *batch, int i)
{
    batch->parts_in[i] = (struct iovec){batch->in[i].data, sizeof batch->in[i].data};
    batch->headers_in[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &batch->in[i].peer,
                                                        .msg_namelen = sizeof batch->in[i].peer,
                                                        .msg_iov = &batch->parts_in[i],
                                                        .msg_iovlen = 1,
                                                        .msg_control = &batch->controls_in[i],
                                                        .msg_controllen = sizeof batch->controls_in[i]}};
}

static void read_peer(bth_datagram *datagram)
{
    trk_address *from = &datagram->from;

    memset(from, 0, sizeof *from);
    from->is_v6 = datagram->peer.any.sa_family == AF_INET6;
    if (from->is_v6) {
        memcpy(from->ip, &datagram->peer.v6.sin6_addr, 16);
        from->port = ntohs(datagram->peer.v6.sin6_port);
    } else {
        memcpy(from->ip, &datagram->peer.v4.sin_addr, 4);
        from->port = ntohs(datagram->peer.v4.sin_port);
    }
}

/* @return 0 if it came to an address from which nothing can be sent: multicast, broadcast */
static int read_v4(bth_datagram *datagram, const struct cmsghdr *header)
{
    struct in_pktinfo info;

    memcpy(&info, CMSG_DATA(header), sizeof info);
    memcpy(datagram->local.ip, &info.ipi_addr, 4);
    return info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr;
}

static int read_v6(bth_datagram *datagram, const struct cmsghdr *header)
{
    struct in6_pktinfo info;

    memcpy(&info, CMSG_DATA(header), sizeof info);
    memcpy(datagram->local.ip, &info.ipi6_addr, 16);
    datagram->local.is_v6 = 1;
    datagram->interface = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? (unsigned)info.ipi6_ifindex : 0;
    return !IN6_IS_ADDR_MULTICAST(&info.ipi6_addr);
}

static int read_local(bth_datagram *datagram, struct msghdr *message)
{
    memset(&datagram->local, 0, sizeof datagram->local);
    datagram->interface = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO)
            return read_v4(datagram, header);
        if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO)
            return read_v6(datagram, header);
    }
    return 0;
}

int bth_batch_receive(bth_batch *batch, int fd)
{
    int count;

    for (int i = 0; i < BTH_BATCH_MAX; i++)
        prepare(batch, i);
    count = recvmmsg(fd, batch->headers_in, BTH_BATCH_MAX, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        bth_datagram *datagram = &batch->in[i];

        read_peer(datagram);
        datagram->length = batch->headers_in[i].msg_len;
        if (!read_local(datagram, &batch->headers_in[i].msg_hdr) || datagram->from.port == 0)
            datagram->length = 0;
    }
    return count > 0 ? count : 0;
}

const bth_datagram *bth_batch_get(const bth_batch *batch, int nth)
{
    return &batch->in[nth];
}

unsigned char *bth_batch_room(bth_batch *batch)
{
    return batch->out[batch->out_count];
}

static void send_from(struct msghdr *message, control *room, const bth_datagram *to)
{
    struct cmsghdr *header = &room->alignment;

    memset(room, 0, sizeof *room);
    message->msg_control = room;
    if (to->local.is_v6) {
        struct in6_pktinfo info = {.ipi6_ifindex = to->interface};

        memcpy(&info.ipi6_addr, to->local.ip, 16);
        *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
        memcpy(CMSG_DATA(header), &info, sizeof info);
        message->msg_controllen = CMSG_SPACE(sizeof info);
    } else {
        struct in_pktinfo info = {0};

        memcpy(&info.ipi_spec_dst, to->local.ip, 4);
        *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
        memcpy(CMSG_DATA(header), &info, sizeof info);
        message->msg_controllen = CMSG_SPACE(sizeof info);
    }
}

void bth_batch_push(bth_batch *batch, const bth_datagram *to, apr_size_t length)
{
    unsigned i = batch->out_count++;

    batch->peers_out[i] = to->peer;
    batch->parts_out[i] = (struct iovec){batch->out[i], length};
    batch->headers_out[i] = (struct mmsghdr){
        .msg_hdr = {.msg_name = &batch->peers_out[i],
                    .msg_namelen = to->local.is_v6 ? sizeof batch->peers_out[i].v6 : sizeof batch->peers_out[i].v4,
                    .msg_iov = &batch->parts_out[i],
                    .msg_iovlen = 1}};
    send_from(&batch->headers_out[i].msg_hdr, &batch->controls_out[i], to);
}

void bth_batch_send(bth_batch *batch, int fd)
{
    unsigned sent = 0;

    while (sent < batch->out_count) {
        int taken = sendmmsg(fd, batch->headers_out + sent, batch->out_count - sent, MSG_DONTWAIT);

        if (taken > 0)
            sent += (unsigned)taken;
        else if (taken < 0 && errno == EINTR)
            continue;
        else if (taken < 0 && (errno == EAGAIN || errno == ENOBUFS))
            break;
        else
            sent++; /* this one cannot be sent; the others can */
    }
    batch->out_count = 0;
}
