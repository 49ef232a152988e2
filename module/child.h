/* What a child of the server holds: made in child_init, read-only afterwards, gone with the child. */
#ifndef BTH_CHILD_H
#define BTH_CHILD_H

#include <pthread.h>

#include "catalog/catalog.h"
#include "module/config.h"
#include "module/shared.h"
#include "seeder/seeder.h"
#include "tracker/swarms.h"

typedef struct {
    server_rec *server;   /* the main one */
    bth_shared *shared;   /* NULL if it could not be made: plain httpd */
    trk_swarms *swarms;   /* NULL if the tracker is off */
    trk_swarms *unpublished; /* swarms of what this server does not publish; NULL unless the tracker is open */
    cat_catalog *catalog; /* NULL if it could not be opened: plain httpd */
    seed_seeder *seeder;
    apr_uint64_t generation; /* of the configuration: as the page of counters had it when it was read */
    apr_uint64_t grant;   /* names this load of the configuration; stranger tests passed under another do not count */
} bth_child;

/** Never NULL. Any thread after child_init. */
const bth_child *bth_this_child(void);

/** The same to be filled in, by life.c alone. */
bth_child *bth_own_child(void);

/** Starts a thread that is to be joined; signals are for httpd's own threads. @return 0 if it cannot be */
int bth_start_thread(pthread_t *thread, void *(*run)(void *), void *baton);

/** Starts a thread that nobody joins; signals are for httpd's own threads. @return 0 if it cannot be */
int bth_start_detached(void *(*run)(void *), void *baton);

/* Hooks (life.c). */
int bth_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp);
int bth_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
void bth_child_init(apr_pool_t *pchild, server_rec *s);
void bth_child_stopping(apr_pool_t *pchild, int graceful);

#endif
