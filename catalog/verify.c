/* Reads LMDB's data format version 1 (lmdb 0.9): the layouts below are those of its mdb.c, in this machine's word size
 * and byte order. */
#include "catalog/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DATA_VERSION = 1,
    PAGE_BRANCH = 0x01,
    PAGE_LEAF = 0x02,
    PAGE_OVERFLOW = 0x04,
    PAGE_META = 0x08,
    NODE_BIG = 0x01, /* the value is in pages of its own */
    NODE_TREE = 0x02,
    FLAG_INTEGER_KEY = 0x08,
    FLAG_NO_SUBDIR = 0x4000,
    MAX_DEPTH = 32,
    MAX_PAGE = 65536,
    MAX_TAIL_PAGES = 1 << 18,    /* a change may drop pages again before they were ever written: the file ends before */
    WARM_MAX = 256 * 1024 * 1024 /* files up to this size are read ahead, and the heads of large values looked at too */
};

static const uint32_t meta_magic = 0xBEEFC0DE;
static const size_t no_page = SIZE_MAX;

typedef struct {
    size_t number;
    uint16_t pad, flags;
    union {
        struct {
            uint16_t lower, upper;
        };
        uint32_t pages; /* of a large value */
    };
} page_head;

typedef struct {
    uint32_t pad;
    uint16_t flags, depth;
    size_t branch_pages, leaf_pages, overflow_pages, entries, root;
} tree_head;

typedef struct {
    uint32_t magic, version;
    void *address;
    size_t map_size;
    tree_head free, main;
    size_t last_page, txn;
} meta_head;

typedef struct {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint16_t low, high;
#else
    uint16_t high, low;
#endif
    uint16_t flags, key_size;
} node_head;

typedef struct {
    int fd;
    size_t page_size;
    size_t pages;        /* whole ones in the file */
    size_t next_page;    /* first never used */
    int big_heads;       /* look at those as well */
    unsigned char *seen; /* a bit a page */
    const char *why;
} walk;

/* What one tree was found to have. */
typedef struct {
    size_t branch_pages, leaf_pages, overflow_pages, entries;
    int integer_keys, holds_trees, holds_lists;
} tally;

static int read_at(int fd, void *to, size_t length, size_t offset)
{
    ssize_t got;

    while ((got = pread(fd, to, length, (off_t)offset)) < 0 && errno == EINTR)
        ;
    return got == (ssize_t)length;
}

/* --- meta pages --------------------------------------------------------------------------------------------------- */

static const char *read_meta(int fd, size_t offset, meta_head *meta, size_t *page_size)
{
    struct {
        page_head page;
        meta_head meta;
    } head;

    if (!read_at(fd, &head, sizeof head, offset))
        return "shorter than its head";
    if (!(head.page.flags & PAGE_META) || head.meta.magic != meta_magic)
        return "no LMDB file";
    if (head.meta.version != DATA_VERSION)
        return "another LMDB format";
    *page_size = head.meta.free.pad;
    if (*page_size < 512 || *page_size > MAX_PAGE || (*page_size & (*page_size - 1)))
        return "impossible page size";
    *meta = head.meta;
    return NULL;
}

static const char *read_metas(int fd, meta_head metas[2], size_t *page_size)
{
    const char *why = read_meta(fd, 0, &metas[0], page_size);
    size_t second;

    if (!why)
        why = read_meta(fd, *page_size, &metas[1], &second);
    if (!why && second != *page_size)
        why = "its two heads contradict each other";
    return why;
}

const char *cat_verify_head(int fd, apr_uint64_t *txn)
{
    meta_head metas[2];
    size_t page_size;
    struct stat info;
    const char *why;

    if (fstat(fd, &info) == 0 && info.st_size == 0)
        return "empty";
    if ((why = read_metas(fd, metas, &page_size)) == NULL && txn)
        *txn = metas[0].txn > metas[1].txn ? metas[0].txn : metas[1].txn;
    return why;
}

/* --- pages -------------------------------------------------------------------------------------------------------- */

static int fail(walk *w, const char *why)
{
    if (!w->why)
        w->why = why;
    return 0;
}

/* Notes that pages are in use: each may be so once. */
static int claim(walk *w, size_t first, size_t count)
{
    if (first < 2 || count > w->pages || first > w->pages - count || first + count > w->next_page)
        return fail(w, "it was cut short, or refers to pages outside of it");
    for (size_t page = first; page < first + count; page++) {
        if (w->seen[page / 8] & (1u << (page % 8)))
            return fail(w, "a page is used twice");
        w->seen[page / 8] = (unsigned char)(w->seen[page / 8] | (1u << (page % 8)));
    }
    return 1;
}

static int keys_in_order(const tally *t, const unsigned char *a, size_t a_size, const unsigned char *b, size_t b_size)
{
    size_t a_number, b_number;
    int order;

    if (t->integer_keys) {
        if (a_size != sizeof a_number || b_size != sizeof b_number)
            return 0;
        memcpy(&a_number, a, sizeof a_number);
        memcpy(&b_number, b, sizeof b_number);
        return a_number < b_number;
    }
    order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order < 0 || (order == 0 && a_size < b_size);
}

/* One node: where its key is and what follows it. */
typedef struct {
    node_head head;
    const unsigned char *key, *data;
    size_t data_size; /* of a leaf's value, wherever it lies */
} node;

static int read_node(walk *w, const unsigned char *bytes, const page_head *page, unsigned index, node *n)
{
    uint16_t offset;
    size_t end;

    memcpy(&offset, bytes + sizeof *page + index * sizeof offset, sizeof offset);
    if (offset < page->upper || offset % 2 || offset + sizeof n->head > w->page_size)
        return fail(w, "a node lies outside its page");
    memcpy(&n->head, bytes + offset, sizeof n->head);
    n->key = bytes + offset + sizeof n->head;
    n->data = n->key + n->head.key_size;
    n->data_size = n->head.low | (size_t)n->head.high << 16;
    end = offset + sizeof n->head + n->head.key_size;
    if (page->flags & PAGE_LEAF)
        end += n->head.flags & NODE_BIG ? sizeof(size_t) : n->data_size;
    return end <= w->page_size || fail(w, "a node lies outside its page");
}

static int walk_page(walk *w, size_t number, unsigned depth, tally *t);
static int walk_tree(walk *w, const tree_head *tree, tally *t);

/* A list of free pages: a count, then page numbers, greatest first, none of them in use. */
static int check_list(walk *w, const unsigned char *bytes, size_t size)
{
    size_t count, page, last = SIZE_MAX;

    if (size < sizeof count)
        return fail(w, "a list of free pages is damaged");
    memcpy(&count, bytes, sizeof count);
    if (count > size / sizeof page - 1)
        return fail(w, "a list of free pages is damaged");
    for (size_t i = 1; i <= count; i++) {
        memcpy(&page, bytes + i * sizeof page, sizeof page);
        if (page < 2 || page >= w->next_page || page >= last)
            return fail(w, "a list of free pages is damaged");
        if (page < w->pages && (w->seen[page / 8] & (1u << (page % 8))))
            return fail(w, "a page is both free and in use");
        last = page;
    }
    return 1;
}

static int walk_big(walk *w, const node *n, tally *t)
{
    size_t first, count = (sizeof(page_head) + n->data_size + w->page_size - 1) / w->page_size;
    unsigned char *bytes;
    page_head head;
    int sound;

    memcpy(&first, n->data, sizeof first);
    if (!claim(w, first, count))
        return 0;
    if (w->big_heads || t->holds_lists) {
        if (!read_at(w->fd, &head, sizeof head, first * w->page_size))
            return fail(w, "it cannot be read");
        if (head.number != first || head.flags != PAGE_OVERFLOW || head.pages != count)
            return fail(w, "a page is damaged");
    }
    t->overflow_pages += count;
    if (!t->holds_lists)
        return 1;
    if ((bytes = malloc(n->data_size)) == NULL)
        return fail(w, "no memory to look at it");
    sound = read_at(w->fd, bytes, n->data_size, first * w->page_size + sizeof(page_head))
                ? check_list(w, bytes, n->data_size)
                : fail(w, "it cannot be read");
    free(bytes);
    return sound;
}

static int walk_leaf_node(walk *w, const node *n, tally *t)
{
    tree_head tree;
    tally inner = {0};

    t->entries++;
    if (n->head.flags == NODE_BIG)
        return walk_big(w, n, t);
    if (n->head.flags == NODE_TREE && t->holds_trees && n->data_size == sizeof tree) {
        memcpy(&tree, n->data, sizeof tree);
        return tree.flags == 0 ? walk_tree(w, &tree, &inner) : fail(w, "a tree of unknown kind");
    }
    if (n->head.flags != 0 || t->holds_trees)
        return fail(w, "a node of unknown kind");
    return t->holds_lists ? check_list(w, n->data, n->data_size) : 1;
}

static int walk_nodes(walk *w, const unsigned char *bytes, const page_head *page, unsigned depth, tally *t)
{
    unsigned count = (page->lower - (unsigned)sizeof *page) / 2;
    int branch = page->flags == PAGE_BRANCH;
    node n, before = {0};

    for (unsigned i = 0; i < count; i++) {
        if (!read_node(w, bytes, page, i, &n))
            return 0;
        /* The first key of a branch stands for "everything before the second". */
        if (i > (branch ? 1u : 0u) && !keys_in_order(t, before.key, before.head.key_size, n.key, n.head.key_size))
            return fail(w, "keys are out of order");
        before = n;
        if (!(branch ? walk_page(w, n.data_size | (size_t)n.head.flags << (sizeof(size_t) > 4 ? 32 : 0), depth - 1, t)
                     : walk_leaf_node(w, &n, t)))
            return 0;
    }
    return 1;
}

static int walk_page(walk *w, size_t number, unsigned depth, tally *t)
{
    unsigned char *bytes;
    page_head page;
    int sound;

    if (!claim(w, number, 1))
        return 0;
    if ((bytes = malloc(w->page_size)) == NULL)
        return fail(w, "no memory to look at it");
    sound = read_at(w->fd, bytes, w->page_size, number * w->page_size) || fail(w, "it cannot be read");
    memcpy(&page, bytes, sizeof page);
    /* Leaves are all at the same depth. A branch has two children at least. */
    if (sound && (page.number != number || page.flags != (depth > 1 ? PAGE_BRANCH : PAGE_LEAF) ||
                  page.lower < sizeof page + (depth > 1 ? 4 : 2) || page.lower % 2 || page.lower > page.upper ||
                  page.upper > w->page_size))
        sound = fail(w, "a page is damaged");
    if (sound) {
        *(depth > 1 ? &t->branch_pages : &t->leaf_pages) += 1;
        sound = walk_nodes(w, bytes, &page, depth, t);
    }
    free(bytes);
    return sound;
}

static int walk_tree(walk *w, const tree_head *tree, tally *t)
{
    if (tree->root == no_page) {
        if (tree->depth != 0)
            return fail(w, "a tree is damaged");
    } else if (tree->depth < 1 || tree->depth > MAX_DEPTH) {
        return fail(w, "a tree is damaged");
    } else if (!walk_page(w, tree->root, tree->depth, t)) {
        return 0;
    }
    if (t->branch_pages != tree->branch_pages || t->leaf_pages != tree->leaf_pages ||
        t->overflow_pages != tree->overflow_pages || t->entries != tree->entries)
        return fail(w, "a tree's size is not what it says");
    return 1;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static const char *walk_state(walk *w, const meta_head *meta)
{
    tally main = {.holds_trees = 1}, free_lists = {.integer_keys = 1, .holds_lists = 1};

    w->next_page = meta->last_page + 1;
    if (meta->last_page < 1 || meta->last_page > w->pages + MAX_TAIL_PAGES)
        return "it was cut short";
    if ((meta->free.flags & ~FLAG_NO_SUBDIR) != FLAG_INTEGER_KEY || meta->main.flags != 0)
        return "a tree of unknown kind";
    /* What is in use first: then the lists can be held against it. */
    if (walk_tree(w, &meta->main, &main))
        walk_tree(w, &meta->free, &free_lists);
    return w->why;
}

const char *cat_verify_pages(int fd)
{
    const char *why = cat_verify_head(fd, NULL);
    meta_head metas[2];
    struct stat info;
    walk w = {.fd = fd};

    if (!why)
        why = read_metas(fd, metas, &w.page_size);
    if (why)
        return why;
    for (unsigned i = 0; i < 2; i++)
        if (metas[i].txn != 0 && (metas[i].txn & 1) != i)
            return "its heads are damaged";
    if (fstat(fd, &info) != 0)
        return "it cannot be read";
    w.pages = (size_t)info.st_size / w.page_size;
    w.big_heads = info.st_size <= WARM_MAX;
    if (w.big_heads)
        posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
    if ((w.seen = calloc(w.pages / 8 + 1, 1)) == NULL)
        return "no memory to look at it";
    why = walk_state(&w, &metas[metas[0].txn < metas[1].txn]);
    free(w.seen);
    return why;
}
