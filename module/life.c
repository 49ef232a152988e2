/* The life of the server: what the parent makes, what each child holds, and how both let go. */
#include "module/child.h"

#include <http_core.h>
#include <http_log.h>
#include <ap_mpm.h>
#include <mpm_common.h>
#include <scoreboard.h>
#include <unixd.h>
#include <apr_strings.h>

#include <openssl/rand.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "module/client_certs.h"
#include "module/collection.h"
#include "module/gate.h"
#include "module/lister.h"
#include "module/scan.h"
#include "module/steward.h"
#include "module/store.h"
#include "module/udp_tracker.h"

static bth_steward *steward;
static bth_scan *scan; /* NULL: none can be had */
static seed_config seeder_config;
static volatile sig_atomic_t is_retiring;

/* A child waits so long for its own threads when it ends. */
#define STOP_LIMIT apr_time_from_sec(3)

/* So long after it has read the configuration httpd's parent has looked which children have ended. */
#define FIRST_LOOK apr_time_from_msec(50)

APLOG_USE_MODULE(bthttp);

/* --- the parent ------------------------------------------------------------ */

static void log_to_httpd(void *baton, bt_log_level level, int number, apr_status_t status, const char *message)
{
    ap_log_error(APLOG_MARK, (int)level, status, (server_rec *)baton, "BTH%04d: %s", number, message);
}

int bth_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog;
    (void)ptemp;
    bth_server_reset(pconf);
    return OK;
}

/* The children, which run as another user, own it, and must be able to get there. */
static apr_status_t make_state_dir(const char *path, apr_pool_t *pool)
{
    const apr_fileperms_t ours = APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_UEXECUTE;
    const apr_fileperms_t everybodys = ours | APR_FPROT_GREAD | APR_FPROT_GEXECUTE | APR_FPROT_WREAD | APR_FPROT_WEXECUTE;
    const char *name = strrchr(path, '/');
    apr_status_t status = APR_SUCCESS;
    struct stat info;

    if (name && name > path)
        status = apr_dir_make_recursive(apr_pstrmemdup(pool, path, (apr_size_t)(name - path)), everybodys, pool);
    if (status == APR_SUCCESS)
        status = apr_dir_make(path, ours, pool);
    if (status != APR_SUCCESS && !APR_STATUS_IS_EEXIST(status))
        return status;
    if (stat(path, &info) < 0)
        return errno;
    if (!S_ISDIR(info.st_mode))
        return APR_ENOTDIR;
    if (geteuid() == 0 && info.st_uid != ap_unixd_config.user_id &&
        chown(path, ap_unixd_config.user_id, ap_unixd_config.group_id) < 0)
        return errno;
    return APR_SUCCESS;
}

static void load_swarms(server_rec *s, trk_swarms *swarms, const char *path)
{
    apr_status_t status = trk_swarms_load(swarms, path, apr_time_now(), bth_server()->tracker_interval);

    if (status != APR_SUCCESS && !APR_STATUS_IS_ENOENT(status))
        ap_log_error(APLOG_MARK, APLOG_INFO, status, s, "BTH0003: saved swarms in %s are damaged or old: starting empty", path);
}

/* When the configuration goes, at a stop or before a reload; not in a child that inherited the pool. */
typedef struct {
    pid_t parent;
    trk_swarms *swarms;
    const char *path;
} saving;

static apr_status_t save_swarms(void *baton)
{
    const saving *save = baton;

    if (getpid() == save->parent)
        trk_swarms_save(save->swarms, save->path, apr_time_now());
    trk_swarms_detach(save->swarms);
    return APR_SUCCESS;
}

/* @param file  of the state directory, where it is saved */
static apr_status_t prepare_table(server_rec *s, apr_pool_t *pconf, const bth_table *table, const char *file, trk_swarms **swarms)
{
    saving *save = apr_palloc(pconf, sizeof *save);
    apr_status_t status = trk_swarms_attach(swarms, table->memory, table->size);

    if (status != APR_SUCCESS)
        return status;
    *save = (saving){getpid(), *swarms, apr_pstrcat(pconf, bth_server()->state_dir, "/", file, NULL)};
    if (table->is_fresh)
        load_swarms(s, *swarms, save->path);
    apr_pool_cleanup_register(pconf, save, save_swarms, apr_pool_cleanup_null);
    return APR_SUCCESS;
}

/* What is announced from now on is for other hosts too; what was loaded is not new. */
static apr_status_t share_swarms(server_rec *s, const bth_child *child)
{
    apr_status_t status = bth_shared_outbox(child->shared, s);

    if (status == APR_SUCCESS)
        trk_swarms_share(child->swarms, child->shared->outbox);
    return status;
}

static apr_status_t prepare_tracker(server_rec *s, apr_pool_t *pconf)
{
    bth_child *child = bth_own_child();
    apr_status_t status = APR_SUCCESS;

    if (bth_server()->tracker != BTH_TRACKER_OFF)
        status = prepare_table(s, pconf, &child->shared->swarms, "swarms", &child->swarms);
    if (status == APR_SUCCESS && child->swarms && bth_server()->tracker_store)
        status = share_swarms(s, child);
    if (status == APR_SUCCESS && bth_server()->tracker == BTH_TRACKER_OPEN)
        status = prepare_table(s, pconf, &child->shared->unpublished, "swarms-unpublished", &child->unpublished);
    return status;
}

/* Without what the children share there is plain httpd, and one message that says so. */
static int degrade(server_rec *s, apr_status_t status, const char *what)
{
    ap_log_error(APLOG_MARK, APLOG_ERR, status, s, "BTH0001: %s: files are served as without mod_bthttp", what);
    bth_own_child()->shared = NULL;
    return OK;
}

int bth_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    bth_shared *shared = NULL;
    apr_status_t status;

    (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)
        return OK;
    memset(bth_own_child(), 0, sizeof(bth_child));
    bth_own_child()->server = s;
    bth_client_certs_read(ap_conftree, s, pconf);
    bt_log_install(log_to_httpd, s);
    if (RAND_bytes((unsigned char *)&bth_own_child()->grant, sizeof bth_own_child()->grant) != 1)
        return degrade(s, APR_EGENERAL, "no random numbers");
    if ((status = make_state_dir(bth_server()->state_dir, ptemp)) != APR_SUCCESS)
        return degrade(s, status, apr_pstrcat(ptemp, "cannot make the state directory ", bth_server()->state_dir, NULL));
    status = bth_shared_prepare(&shared, s, (apr_size_t)bth_server()->tracker_memory, bth_server()->tracker == BTH_TRACKER_OPEN);
    if (status != APR_SUCCESS)
        return degrade(s, status, "cannot make shared memory");
    bth_own_child()->shared = shared;
    __atomic_store_n(&shared->counters->configured, (apr_uint64_t)seed_now(), __ATOMIC_RELAXED);
    bth_own_child()->generation = __atomic_add_fetch(&shared->counters->generation, 1, __ATOMIC_RELAXED);
    if ((status = prepare_tracker(s, pconf)) != APR_SUCCESS)
        return degrade(s, status, "cannot use the table of swarms");
    if (bth_shared_listen(shared, s, bth_server()->peer_ports) != APR_SUCCESS ||
        bth_shared_listen_udp(shared, s, bth_udp_ports(ptemp), bth_server()->tracker_udp_where) != APR_SUCCESS)
        return HTTP_INTERNAL_SERVER_ERROR;
    return OK;
}

/* --- a child --------------------------------------------------------------- */

static apr_status_t permit(void *baton, const cat_entry *entry)
{
    (void)baton;
    switch (bth_gate_look(entry)) {
    case BTH_GATE_OPEN:
        if (bth_gate_is_due(entry))
            bth_steward_urge(steward, entry);
        return APR_SUCCESS;
    case BTH_GATE_UNTESTED:
        if (!entry->published)
            return APR_EACCES;
        bth_steward_urge(steward, entry);
        return APR_EAGAIN;
    case BTH_GATE_CHANGED:
    case BTH_GATE_SHUT:
        break;
    }
    return APR_EACCES;
}

static void urge(const cat_entry *entry)
{
    bth_steward_urge(steward, entry);
}

static void elected(void *baton)
{
    (void)baton;
    bth_steward_start(steward);
    bth_udp_start();
    bth_store_start();
    if (scan)
        bth_scan_start(scan);
}

static void made(void *baton, const char *path, apr_status_t status)
{
    (void)baton;
    if (scan)
        bth_scan_made(scan, path, status);
}

static int hash_threads(void)
{
    int cores = (int)sysconf(_SC_NPROCESSORS_ONLN);

    if (bth_server()->hash_threads)
        return bth_server()->hash_threads;
    return cores / 2 > 0 ? cores / 2 : 1;
}

static void configure_seeder(apr_pool_t *pool)
{
    const bth_server_config *conf = bth_server();
    bth_shared *shared = bth_own_child()->shared;
    int *listeners = apr_palloc(pool, BTH_LISTENERS_MAX * sizeof *listeners);

    for (int i = 0; i < shared->listeners.count; i++)
        listeners[i] = shared->listeners.sockets[i].fd;
    seeder_config = (seed_config){
        .state_dir = conf->state_dir,
        .mailbox = shared->mailbox,
        .counters = shared->counters,
        .catalog = bth_own_child()->catalog,
        .listeners = listeners,
        .listener_count = shared->listeners.count,
        .max_peers = conf->max_peers,
        .max_peers_per_ip = conf->max_peers_per_ip,
        .hide_private = conf->private_addresses == BTH_PRIVATE_DENY,
        .upload_rate = conf->upload_rate,
        .uplink = conf->uplink,
        .upload_slots = conf->upload_slots,
        .hash_threads = hash_threads(),
        .generation = bth_own_child()->generation,
        .encryption = conf->encryption,
        .permit = permit,
        .elected = elected,
        .made = made,
        .list = bth_collection_list,
    };
}

/* Is there room for another child while this one still is? */
static int has_free_slot(void)
{
    int most = 0;

    if (ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &most) != APR_SUCCESS)
        return 0;
    for (int i = 0; i < most; i++) {
        const process_score *slot = ap_get_scoreboard_process(i);
        if (slot && slot->pid == 0)
            return 1;
    }
    return 0;
}

/* May the seeder wait for an heir though all else in this child has ended? httpd's parent replaces children as they end, so
 * in general: no. But after a reload it looks for such only once, and then sleeps for a second before it fills whatever slots
 * are free: whoever ends in this time is not missed, and peers need not wait until it wakes. */
static int may_linger(void)
{
    const bth_child *child = bth_own_child();
    const seed_counters *counters = child->shared->counters;
    apr_time_t configured = (apr_time_t)__atomic_load_n(&counters->configured, __ATOMIC_RELAXED);

    return is_retiring && __atomic_load_n(&counters->generation, __ATOMIC_RELAXED) > child->generation &&
           seed_now() - configured > FIRST_LOOK && has_free_slot();
}

/* Before the pools of the child go: its threads use them. */
static apr_status_t stop_threads(void *baton)
{
    (void)baton;
    bth_udp_leave();
    bth_store_leave();
    bth_listing_stop();
    if (scan)
        bth_scan_leave(scan);
    if (bth_own_child()->seeder) {
        if (!may_linger())
            seed_leave(bth_own_child()->seeder, 1);
        seed_join(bth_own_child()->seeder);
        bth_own_child()->seeder = NULL;
    }
    bth_udp_stop();
    bth_store_stop(STOP_LIMIT);
    bth_steward_stop(steward, STOP_LIMIT);
    if (scan)
        bth_scan_stop(scan, STOP_LIMIT);
    bth_lister_stop(STOP_LIMIT);
    return APR_SUCCESS;
}

/* A child may be told to die at any moment, and some MPMs destroy its pools in the signal's handler: the thread and the
 * clean-up that stops it come to be in one step. */
static apr_status_t start_seeder(apr_pool_t *pool)
{
    sigset_t all, before;
    apr_status_t status;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = seed_start(&bth_own_child()->seeder, &seeder_config, pool);
    if (status != APR_SUCCESS)
        bth_own_child()->seeder = NULL;
    /* Runs first when the pool goes, before the clean-ups of what the threads use. */
    apr_pool_pre_cleanup_register(pool, NULL, stop_threads);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

void bth_child_init(apr_pool_t *pchild, server_rec *s)
{
    apr_status_t status;

    if (!bth_own_child()->shared)
        return;
    status = cat_open(&bth_own_child()->catalog, bth_server()->state_dir, pchild);
    if (status != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, status, s,
                     "BTH0002: no catalogue in %s: files are served as without mod_bthttp", bth_server()->state_dir);
        bth_own_child()->shared = NULL;
        return;
    }
    bth_lister_init();
    bth_steward_create(&steward, pchild);
    status = bth_scan_create(&scan, pchild);
    if (status != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, status, s, "BTH0089: scan: no descriptor for it: no torrents are made ahead");
        scan = NULL;
    }
    status = bth_udp_create(pchild, urge);
    if (status != APR_SUCCESS)
        ap_log_error(APLOG_MARK, APLOG_ERR, status, s, "BTH0093: no descriptor for the tracker over UDP: this child does not answer it");
    status = bth_store_create(pchild);
    if (status != APR_SUCCESS)
        ap_log_error(APLOG_MARK, APLOG_ERR, status, s, "BTH0094: no descriptor for BTHTTPTrackerStore: this child does not share its swarms");
    configure_seeder(pchild);
    status = start_seeder(pchild);
    if (status != APR_SUCCESS)
        ap_log_error(APLOG_MARK, APLOG_ERR, status, s, "BTH0004: cannot start the seeder's thread");
}

/* May run in a signal handler (prefork): only a flag and a byte. Peers are handed over at any stop: if nobody takes the
 * mailbox up, the kernel closes them with it. */
void bth_child_stopping(apr_pool_t *pchild, int graceful)
{
    (void)pchild;
    is_retiring = graceful;
    bth_udp_leave();
    bth_store_leave();
    if (bth_own_child()->seeder && graceful)
        seed_retire(bth_own_child()->seeder);
    else if (bth_own_child()->seeder)
        seed_leave(bth_own_child()->seeder, 1);
    if (scan)
        bth_scan_leave(scan);
}
