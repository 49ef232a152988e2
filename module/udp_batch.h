/* Datagrams in batches: a system call for up to 64 of them, each with the address of ours that it came to, so that the answer
 * goes out from there. Of one thread. */
#ifndef BTH_UDP_BATCH_H
#define BTH_UDP_BATCH_H

#include <apr_pools.h>

#include <netinet/in.h>

#include "tracker/udp.h"

enum { BTH_BATCH_MAX = 64 };

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} bth_sockaddr;

typedef struct {
    bth_sockaddr peer;
    trk_address from, local; /* the sender; the address of ours, with port 0 */
    int is_bound;            /* to `local` is the socket itself */
    unsigned interface;      /* by which it came, if its address means something there alone; else 0 */
    apr_size_t length;       /* bytes of data; 0: nothing that may be answered */
    unsigned char data[TRK_UDP_REQUEST_MAX]; /* what was longer is cut off */
} bth_datagram;

typedef struct bth_batch bth_batch;

bth_batch *bth_batch_create(apr_pool_t *pool);

/**
 * Takes what is there, without blocking.
 * @param local  to which it came, if that is known: then the socket need not tell, and answers go out from there without being told so;
 *               else NULL
 * @return how many
 */
int bth_batch_receive(bth_batch *batch, int fd, const trk_address *local);

/** One of those just received. */
const bth_datagram *bth_batch_get(const bth_batch *batch, int nth);

/** Where the answer to a datagram is to be written, TRK_UDP_ANSWER_MAX bytes. There is room for one to each. */
unsigned char *bth_batch_room(bth_batch *batch);

/** What was written there is to be sent to who sent this datagram. */
void bth_batch_push(bth_batch *batch, const bth_datagram *to, apr_size_t length);

/** Sends all; what the kernel does not take is lost, as on any network. */
void bth_batch_send(bth_batch *batch, int fd);

#endif
