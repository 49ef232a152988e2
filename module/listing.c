#include "module/listing.h"

#include <http_core.h>
#include <http_log.h>
#include <apr_strings.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/log.h"
#include "base/utf8.h"
#include "module/child.h"
#include "module/stranger.h"
#include "torrentgen/layout.h"
#include "torrentgen/tree.h"

static int stopped; /* atomic */

void bth_listing_stop(void)
{
    __atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
}

static int is_stopped(void)
{
    return __atomic_load_n(&stopped, __ATOMIC_RELAXED);
}

/* While the directory is walked. */
typedef struct {
    const char *origin, *directory;
    const bth_listing *before;
    int next_before; /* the first of its files that is not passed over yet */
    bth_listing *made;
    apr_pool_t *pool, *scratch;
    apr_thread_t *thread;
    EVP_MD_CTX *access;
    int too_many;
    apr_status_t failed; /* why the listing would be wrong */
    apr_size_t not_utf8;
} walk;

/* --- digests --------------------------------------------------------------- */

static void add_stamp(EVP_MD_CTX *digest, const char *path, const bt_stamp *stamp)
{
    const apr_uint64_t numbers[] = {(apr_uint64_t)stamp->size, (apr_uint64_t)stamp->mtime_ns,
                                    (apr_uint64_t)stamp->ctime_ns, stamp->inode};

    EVP_DigestUpdate(digest, path, strlen(path) + 1);
    EVP_DigestUpdate(digest, numbers, sizeof numbers);
}

static EVP_MD_CTX *begin_digest(void)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();

    if (digest)
        EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
    return digest;
}

static void end_digest(EVP_MD_CTX *digest, unsigned char out[BTH_LISTING_DIGEST])
{
    EVP_DigestFinal_ex(digest, out, NULL);
    EVP_MD_CTX_free(digest);
}

void bth_listing_digest_of(const tg_member *members, apr_size_t count, unsigned char digest[BTH_LISTING_DIGEST])
{
    EVP_MD_CTX *context = begin_digest();

    for (apr_size_t i = 0; i < count; i++)
        add_stamp(context, members[i].path, &members[i].stamp);
    end_digest(context, digest);
}

static void add_up(bth_listing *listing)
{
    EVP_MD_CTX *context = begin_digest();

    for (int i = 0; i < listing->files->nelts; i++) {
        const bth_listed *file = &APR_ARRAY_IDX(listing->files, i, bth_listed);

        if (file->eligible)
            add_stamp(context, file->path, &file->stamp);
    }
    end_digest(context, listing->digest);
}

/* --- what decides besides the files ---------------------------------------- */

static int is_access_file(const char *name)
{
    return !strncmp(name, ".ht", 3);
}

/* Those above the directory hold for it, too. */
static void add_access_above(walk *w)
{
    static const char name[] = ".htaccess";
    apr_size_t length = strlen(w->directory);
    char *path = apr_palloc(w->pool, length + sizeof name);

    memcpy(path, w->directory, length);
    while (length > 0) {
        bt_stamp stamp = {0};

        memcpy(path + length, name, sizeof name);
        bt_stamp_path(path, &stamp);
        add_stamp(w->access, "", &stamp);
        length--; /* the "/", and then the name before it */
        while (length > 0 && path[length - 1] != '/')
            length--;
    }
}

/* --- judging a file -------------------------------------------------------- */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int is_utf8(const char *path)
{
    const unsigned char *at = (const unsigned char *)path;
    int sequence;

    while (*at && (sequence = bt_utf8_length(at)) > 0)
        at += sequence;
    return *at == '\0';
}

static int size_fits(const bth_dir_config *dir, apr_int64_t size)
{
    return size > 0 && size >= dir->min_size && (dir->max_size == BTH_NO_LIMIT || size <= dir->max_size);
}

/* Would the stranger be offered this file by itself? And can it be read at all? */
static int is_offered(walk *w, const char *path, apr_int64_t size)
{
    const char *file = apr_pstrcat(w->scratch, w->directory, path, NULL);
    const char *url = apr_pstrcat(w->scratch, w->origin, ap_os_escape_path(w->scratch, path, 1), NULL);
    bth_stranger_view view;

    return faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) == 0 && bth_stranger_look(url, w->scratch, w->thread, &view) &&
           view.dir.enabled && !view.transformed && size_fits(&view.dir, size) && !strcmp(view.path, file);
}

/* What the listing before says of a file that is still the same: 1, 0, or -1 if it says nothing. */
static int known(walk *w, const char *path, const bt_stamp *stamp)
{
    while (w->before && w->next_before < w->before->files->nelts) {
        const bth_listed *file = &APR_ARRAY_IDX(w->before->files, w->next_before, bth_listed);
        int order = tg_path_compare(file->path, path);

        if (order > 0)
            return -1;
        w->next_before++;
        if (order == 0)
            return bt_stamp_equal(&file->stamp, stamp) ? file->eligible : -1;
    }
    return -1;
}

static int list_file(void *baton, const char *path, const bt_stamp *stamp)
{
    walk *w = baton;
    bth_listed file = {NULL, *stamp, known(w, path, stamp)};

    if (is_stopped())
        w->failed = APR_EINTR;
    if (w->failed)
        return 1;
    if (is_access_file(name_of(path)))
        add_stamp(w->access, path, stamp);
    if (stamp->size == 0 || is_access_file(name_of(path))) /* nobody means to offer those */
        return 0;
    if (!is_utf8(path)) {
        w->not_utf8++;
        return 0;
    }
    if (file.eligible < 0) {
        file.eligible = is_offered(w, path, stamp->size);
        apr_pool_clear(w->scratch);
        w->made->judged++;
    }
    file.path = apr_pstrdup(w->pool, path);
    APR_ARRAY_PUSH(w->made->files, bth_listed) = file;
    w->made->eligible += (apr_size_t)file.eligible;
    w->too_many = w->made->eligible > BTH_LISTING_FILES;
    return w->too_many;
}

/* "/.pad" is where the padding of a torrent lies (BEP 47). */
static int enter_directory(void *baton, const char *path)
{
    (void)baton;
    return strcmp(path, ".pad") != 0;
}

/* What is not there, or may not be read, is left out; what fails for reasons of the moment is not. */
static void on_error(void *baton, const char *path, apr_status_t status)
{
    walk *w = baton;

    (void)path;
    if (status == EMFILE || status == ENFILE || status == ENOMEM || status == EIO || status == ESTALE)
        w->failed = status;
}

/* --- the walk -------------------------------------------------------------- */

static apr_status_t walk_through(walk *w)
{
    const tg_tree_options options = {.follow_links = 1, .hidden = 1, .entries_max = BTH_LISTING_NAMES, .error = on_error};
    apr_status_t status;

    w->made->files = apr_array_make(w->pool, 64, sizeof(bth_listed));
    w->made->eligible = w->made->judged = 0;
    w->next_before = 0;
    w->not_utf8 = 0;
    w->access = begin_digest();
    add_access_above(w);
    status = tg_tree_walk(w->directory, &options, enter_directory, list_file, w, w->pool);
    end_digest(w->access, w->made->access);
    if (w->failed)
        return w->failed;
    return w->too_many ? APR_ENOSPC : status;
}

/* For a stranger, is the URL that directory, and a collection? */
static int is_collection(walk *w)
{
    bth_stranger_view view;
    int is = bth_stranger_look_collection(w->origin, w->scratch, w->thread, &view) && view.dir.enabled &&
             view.dir.collection && !strcmp(view.path, w->directory);

    if (is)
        w->made->listed = view.listed;
    apr_pool_clear(w->scratch);
    return is;
}

apr_status_t bth_listing_make(bth_listing **listing, const char *origin, const char *directory, const bth_listing *before,
                              apr_pool_t *pool, apr_thread_t *thread)
{
    walk w = {.origin = origin, .directory = directory, .before = before, .pool = pool, .thread = thread};
    apr_status_t status;

    w.made = *listing = apr_pcalloc(pool, sizeof **listing);
    apr_pool_create(&w.scratch, pool);
    if (!is_collection(&w))
        return APR_EACCES;
    status = walk_through(&w);
    if (status == APR_SUCCESS && before && memcmp(before->access, w.made->access, sizeof w.made->access)) {
        w.before = NULL; /* who may have what has changed: all are judged again */
        status = walk_through(&w);
    }
    add_up(w.made);
    apr_pool_destroy(w.scratch);
    if (w.not_utf8 && !before)
        bt_log(BT_LOG_INFO, 60, APR_SUCCESS, "%s: %lu files are left out of the collection: their names are not UTF-8",
               directory, (unsigned long)w.not_utf8);
    return status;
}
