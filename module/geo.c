#include "module/geo.h"

#ifdef HAVE_MAXMINDDB

#include <apr_strings.h>

#include <errno.h>
#include <fcntl.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
    MMDB_s files[BTH_GEO_FILES_MAX];
    int count;
} geo; /* of this load of the configuration: closed with it */

/* --- opening --------------------------------------------------------------- */

/* @return 0, or what went wrong */
static int copy(int from, int to)
{
    static char block[65536];
    ssize_t got, put;

    while ((got = read(from, block, sizeof block)) > 0)
        for (ssize_t at = 0; at < got; at += put)
            if ((put = write(to, block + at, (size_t)(got - at))) < 0)
                return errno;
    return got < 0 ? errno : 0;
}

static apr_status_t close_last(void *unused)
{
    (void)unused;
    MMDB_close(&geo.files[--geo.count]);
    return APR_SUCCESS;
}

/* The library maps the file that it reads: whoever wrote over it would crash every child. So it is given a copy in
 * memory. */
static const char *open_copy(apr_pool_t *pool, int from, int memory)
{
    char name[32];
    int status = copy(from, memory);

    if (status)
        return apr_psprintf(pool, "cannot be read: %s", strerror(status));
    snprintf(name, sizeof name, "/proc/self/fd/%d", memory);
    status = MMDB_open(name, MMDB_MODE_MMAP, &geo.files[geo.count]);
    if (status != MMDB_SUCCESS)
        return apr_psprintf(pool, "is no MaxMind DB that can be used: %s", MMDB_strerror(status));
    geo.count++;
    apr_pool_cleanup_register(pool, NULL, close_last, apr_pool_cleanup_null);
    return NULL;
}

const char *bth_geo_add(apr_pool_t *pconf, const char *path)
{
    const char *wrong;
    int file, memory;

    if (geo.count == BTH_GEO_FILES_MAX)
        return "is one file too many";
    if ((file = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return apr_psprintf(pconf, "cannot be opened: %s", strerror(errno));
    if ((memory = memfd_create("bthttp-geo", MFD_CLOEXEC)) < 0) {
        close(file);
        return "cannot be copied: no memory";
    }
    wrong = open_copy(pconf, file, memory);
    close(memory);
    close(file);
    return wrong;
}

/* --- looking up ------------------------------------------------------------ */

/* What was looked up, by /24 or /48: each word is accessed with __atomic builtins, relaxed, and what two threads wrote
 * half and half is not taken for an answer, because the first word is the network, xor the second. */
enum { SLOTS = 1 << 18 };

static struct {
    apr_uint64_t check, where;
} slots[SLOTS];

enum { COUNTRY_SHIFT = 32, KNOWN_SHIFT = 63 };

static apr_uint32_t country_of(MMDB_lookup_result_s *found)
{
    static const char *const names[] = {"country", "registered_country"};
    MMDB_entry_data_s data;

    for (apr_size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (MMDB_get_value(&found->entry, &data, names[i], "iso_code", NULL) == MMDB_SUCCESS && data.has_data &&
            data.type == MMDB_DATA_TYPE_UTF8_STRING && data.data_size == 2)
            return (apr_uint32_t)((unsigned char)data.utf8_string[0] << 8 | (unsigned char)data.utf8_string[1]);
    return 0;
}

static apr_uint32_t network_of(MMDB_lookup_result_s *found)
{
    MMDB_entry_data_s data;

    if (MMDB_get_value(&found->entry, &data, "autonomous_system_number", NULL) == MMDB_SUCCESS && data.has_data &&
        data.type == MMDB_DATA_TYPE_UINT32)
        return data.uint32;
    return 0;
}

static apr_uint64_t look_up(const struct sockaddr *address)
{
    apr_uint32_t country = 0, network = 0;

    for (int i = 0; i < geo.count; i++) {
        int error = MMDB_SUCCESS;
        MMDB_lookup_result_s found = MMDB_lookup_sockaddr(&geo.files[i], address, &error);

        if (error != MMDB_SUCCESS || !found.found_entry)
            continue;
        country = country ? country : country_of(&found);
        network = network ? network : network_of(&found);
    }
    return (apr_uint64_t)1 << KNOWN_SHIFT | (apr_uint64_t)country << COUNTRY_SHIFT | network;
}

static apr_uint64_t look_up_net(apr_uint64_t net, int is_v6)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};

    if (!is_v6) {
        v4.sin_addr.s_addr = htonl((apr_uint32_t)net << 8);
        return look_up((struct sockaddr *)(void *)&v4);
    }
    for (int i = 0; i < 6; i++)
        v6.sin6_addr.s6_addr[i] = (unsigned char)(net >> (8 * (5 - i)));
    return look_up((struct sockaddr *)(void *)&v6);
}

static trk_location locate(void *baton, const unsigned char *ip, int is_v6)
{
    apr_uint64_t net = 0, key, where;
    apr_size_t slot;

    (void)baton;
    for (int i = 0; i < (is_v6 ? 6 : 3); i++)
        net = net << 8 | ip[i];
    key = net << 1 | (apr_uint64_t)is_v6;
    slot = (apr_size_t)(key * 0x9e3779b97f4a7c15 >> 40) % SLOTS;
    where = __atomic_load_n(&slots[slot].where, __ATOMIC_RELAXED);
    if (where == 0 || (__atomic_load_n(&slots[slot].check, __ATOMIC_RELAXED) ^ where) != key) {
        where = look_up_net(net, is_v6);
        __atomic_store_n(&slots[slot].check, key ^ where, __ATOMIC_RELAXED);
        __atomic_store_n(&slots[slot].where, where, __ATOMIC_RELAXED);
    }
    return (trk_location){.network = (apr_uint32_t)where, .country = (apr_uint32_t)(where >> COUNTRY_SHIFT) & 0xffff};
}

const trk_atlas *bth_geo_atlas(void)
{
    static const trk_atlas atlas = {locate, NULL};

    return geo.count ? &atlas : NULL;
}

#else

const char *bth_geo_add(apr_pool_t *pconf, const char *path)
{
    (void)pconf, (void)path;
    return "cannot be used: the module was built without libmaxminddb";
}

const trk_atlas *bth_geo_atlas(void)
{
    return NULL;
}

#endif
