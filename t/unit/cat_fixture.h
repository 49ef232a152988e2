/* What the tests of the catalogue share: a directory of their own, torrents made by hand, and a recorder of messages.
 */
#ifndef CAT_FIXTURE_H
#define CAT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "catalog/catalog.h"

typedef struct {
    apr_pool_t *pool;
    char directory[64];
    cat_catalog *catalog; /* NULL until fix_open */
    apr_pool_t *catalog_pool;
} fixture;

int fix_setup(void **state);
int fix_teardown(void **state);

/** Opens the catalogue of the fixture's directory; fails the test if that fails. */
void fix_open(fixture *f);
void fix_close(fixture *f);

/** The path of a file in the fixture's directory, on its pool. */
const char *fix_name(fixture *f, const char *name);

/** How many names in the directory start with `prefix`? */
int fix_count_files(fixture *f, const char *prefix);

/** A torrent whose hashes and bytes follow from `seed`. `size` is of the infodict; memory is malloc'd:
 * fix_free_torrent. */
tg_torrent fix_torrent(tg_version version, unsigned seed, apr_size_t size, apr_size_t layer_size);
void fix_free_torrent(tg_torrent *torrent);

bt_stamp fix_stamp(unsigned seed);

/** cat_publish of one file, published and listed. */
apr_status_t fix_put(cat_catalog *catalog, const char *path, const char *url, apr_uint64_t grant, const bt_stamp *stamp,
                     const tg_torrent *torrent);
apr_status_t fix_publish(cat_catalog *catalog, const char *path, unsigned seed, apr_size_t size, apr_size_t layer_size);

/** Fails the test, with the faults on stderr, if the catalogue does not agree with itself. */
void fix_check(cat_catalog *catalog);

/** How often was message BTHnumber logged since the fixture was set up? Any thread may log. */
int fix_logged(int number);

#endif
