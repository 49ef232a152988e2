#include "module/udp_batch.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "tracker/address.h"

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
    int used, was_told; /* of the headers that the last receive prepared: how many were written over, and how they were prepared */
};

bth_batch *bth_batch_create(apr_pool_t *pool)
{
    bth_batch *batch = apr_pcalloc(pool, sizeof *batch);

    for (int i = 0; i < BTH_BATCH_MAX; i++) {
        batch->parts_in[i] = (struct iovec){batch->in[i].data, sizeof batch->in[i].data};
        batch->headers_in[i] = (struct mmsghdr){
            .msg_hdr = {.msg_name = &batch->in[i].peer, .msg_iov = &batch->parts_in[i], .msg_iovlen = 1}};
        batch->headers_out[i] =
            (struct mmsghdr){.msg_hdr = {.msg_name = &batch->peers_out[i], .msg_iov = &batch->parts_out[i], .msg_iovlen = 1}};
    }
    batch->used = BTH_BATCH_MAX;
    return batch;
}

/* What the kernel has written over. */
static void prepare(bth_batch *batch, int i, int is_told)
{
    struct msghdr *message = &batch->headers_in[i].msg_hdr;

    message->msg_namelen = sizeof batch->in[i].peer;
    message->msg_control = is_told ? &batch->controls_in[i] : NULL;
    message->msg_controllen = is_told ? sizeof batch->controls_in[i] : 0;
    message->msg_flags = 0;
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

int bth_batch_receive(bth_batch *batch, int fd, const trk_address *local)
{
    int count, is_told = !local;

    for (int i = 0; i < (is_told == batch->was_told ? batch->used : BTH_BATCH_MAX); i++)
        prepare(batch, i, is_told);
    count = recvmmsg(fd, batch->headers_in, BTH_BATCH_MAX, MSG_DONTWAIT, NULL);
    batch->used = count > 0 ? count : 0;
    batch->was_told = is_told;
    for (int i = 0; i < batch->used; i++) {
        bth_datagram *datagram = &batch->in[i];

        trk_address_of_socket(&datagram->peer.any, &datagram->from);
        datagram->length = batch->headers_in[i].msg_len;
        datagram->is_bound = !is_told;
        if (local) {
            datagram->local = *local;
            datagram->interface = 0;
        } else if (!read_local(datagram, &batch->headers_in[i].msg_hdr)) {
            datagram->length = 0;
        }
        if (datagram->from.port == 0)
            datagram->length = 0;
    }
    return batch->used;
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
    struct msghdr *message = &batch->headers_out[i].msg_hdr;

    batch->peers_out[i] = to->peer;
    batch->parts_out[i] = (struct iovec){batch->out[i], length};
    message->msg_namelen = to->local.is_v6 ? sizeof batch->peers_out[i].v6 : sizeof batch->peers_out[i].v4;
    message->msg_control = NULL;
    message->msg_controllen = 0;
    if (!to->is_bound)
        send_from(message, &batch->controls_out[i], to);
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
