#include "module/grants.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "module/child.h"

enum {
    NOTES = 256, /* that wait for the thread that writes */
    ROUNDS = 8   /* of one thread: it has a request to answer */
};

typedef struct {
    cat_grant_item items[NOTES];
    apr_size_t count;
} notes;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static notes waiting;
static int is_writing;

/* Under the lock. */
static void add(const cat_entry *entry, int listed)
{
    char *path, *url;

    if (waiting.count == NOTES)
        return;
    path = strdup(entry->path);
    url = strdup(entry->url);
    if (path && url) {
        waiting.items[waiting.count++] = (cat_grant_item){.path = path, .url = url, .listed = listed, .renew = 1};
    } else {
        free(path);
        free(url);
    }
}

static void write_all(const notes *some)
{
    const bth_child *child = bth_this_child();

    cat_grant_many(child->catalog, some->items, some->count, child->grant);
    for (apr_size_t i = 0; i < some->count; i++) {
        free((char *)some->items[i].path);
        free((char *)some->items[i].url);
    }
}

/* Under the lock. @return 0 if nothing waits, or another thread writes */
static int take(notes *some)
{
    if (is_writing || waiting.count == 0)
        return 0;
    is_writing = 1;
    *some = waiting;
    waiting.count = 0;
    return 1;
}

void bth_note_grant(const cat_entry *entry, int listed)
{
    notes some;

    pthread_mutex_lock(&lock);
    add(entry, listed);
    for (int round = 0; round < ROUNDS && take(&some); round++) {
        pthread_mutex_unlock(&lock);
        write_all(&some);
        pthread_mutex_lock(&lock);
        is_writing = 0;
    }
    pthread_mutex_unlock(&lock);
}
