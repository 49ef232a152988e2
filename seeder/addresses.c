#include "seeder/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_siphash.h>

#include <openssl/rand.h>

enum { BUCKETS = 1024 };

typedef struct entry {
    struct entry *next;
    seed_address address;
    int count;
} entry;

struct seed_addresses {
    unsigned char key[APR_SIPHASH_KSIZE]; /* addresses are the attacker's choice */
    entry *buckets[BUCKETS];
};

unsigned char seed_address_bytes(const struct sockaddr *peer, socklen_t length, unsigned char bytes[16])
{
    if (peer->sa_family == AF_INET && length >= (socklen_t)sizeof(struct sockaddr_in)) {
        memcpy(bytes, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
        return 4;
    }
    if (peer->sa_family == AF_INET6 && length >= (socklen_t)sizeof(struct sockaddr_in6)) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
        unsigned char size = IN6_IS_ADDR_V4MAPPED(six) ? 4 : 16;
        memcpy(bytes, six->s6_addr + 16 - size, size);
        return size;
    }
    return 0;
}

seed_address seed_address_of(const struct sockaddr *peer, socklen_t length)
{
    seed_address address = {0, 0};
    unsigned char bytes[16], size = seed_address_bytes(peer, length, bytes);

    if (size) {
        address.family = size == 4 ? AF_INET : AF_INET6;
        memcpy(&address.bits, bytes, size == 4 ? 4 : 8);
    }
    return address;
}

const char *seed_address_text(const seed_address *address, char text[SEED_ADDRESS_TEXT])
{
    unsigned char bytes[16] = {0};
    char number[INET6_ADDRSTRLEN];

    memcpy(bytes, &address->bits, sizeof address->bits);
    if (!address->family || !inet_ntop(address->family, bytes, number, sizeof number))
        snprintf(number, sizeof number, "?");
    snprintf(text, SEED_ADDRESS_TEXT, "%s%s", number, address->family == AF_INET6 ? "/64" : "");
    return text;
}

seed_addresses *seed_addresses_make(void)
{
    seed_addresses *book = calloc(1, sizeof *book);

    if (book && RAND_bytes(book->key, sizeof book->key) != 1) {
        free(book);
        return NULL;
    }
    return book;
}

void seed_addresses_free(seed_addresses *book)
{
    int i;

    for (i = 0; book && i < BUCKETS; i++) {
        while (book->buckets[i]) {
            entry *next = book->buckets[i]->next;
            free(book->buckets[i]);
            book->buckets[i] = next;
        }
    }
    free(book);
}

/* Where the link to this address's entry is, or would be. */
static entry **find(seed_addresses *book, const seed_address *address)
{
    apr_uint64_t hash = apr_siphash24(&address->bits, sizeof address->bits, book->key);
    entry **link = &book->buckets[(hash + (apr_uint64_t)address->family) % BUCKETS];

    while (*link && ((*link)->address.bits != address->bits || (*link)->address.family != address->family))
        link = &(*link)->next;
    return link;
}

int seed_addresses_add(seed_addresses *book, const seed_address *address)
{
    entry **link;

    if (!address->family)
        return 0;
    link = find(book, address);
    if (!*link) {
        *link = calloc(1, sizeof **link);
        if (!*link)
            return 0;
        (*link)->address = *address;
    }
    return ++(*link)->count;
}

void seed_addresses_remove(seed_addresses *book, const seed_address *address)
{
    entry **link, *gone;

    if (!address->family)
        return;
    link = find(book, address);
    gone = *link;
    if (gone && --gone->count <= 0) {
        *link = gone->next;
        free(gone);
    }
}
