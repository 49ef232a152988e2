#include "seeder/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "base/log.h"
#include "seeder/answer_hashes.h"
#include "seeder/batch.h"
#include "seeder/mail.h"

apr_time_t seed_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (apr_time_t)now.tv_sec * APR_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* --- opening --- */

/* Descriptors that are there for peers: the soft limit is raised as far as is needed and allowed, and some are left for
 * httpd itself. */
static int affordable_peers(int wanted)
{
    enum { FOR_HTTPD = 256 };
    struct rlimit limit;
    rlim_t needed = (rlim_t)wanted + SEED_FILES_MAX + SEED_READER_MOST + FOR_HTTPD * 2;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= (rlim_t)wanted + FOR_HTTPD)
        return wanted;
    wanted = limit.rlim_cur > 2 * FOR_HTTPD ? (int)limit.rlim_cur - FOR_HTTPD : (int)limit.rlim_cur / 2;
    bt_log(BT_LOG_NOTICE, 407, APR_SUCCESS, "the limit of open files (%ld) leaves room for %d peers only",
           (long)limit.rlim_cur, wanted);
    return wanted;
}

static apr_status_t watch(seed_loop *loop, seed_watch *watched)
{
    /* Nobody reads what wakes us: each new call counts, not that there was one. */
    struct epoll_event event = {.events = watched == &loop->wake ? EPOLLIN | EPOLLET : EPOLLIN, .data.ptr = watched};

    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watched->fd, &event) == 0 ? APR_SUCCESS : errno;
}

static apr_status_t watch_all(seed_loop *loop, int wake)
{
    const seed_config *config = loop->config;
    apr_status_t status;
    int i;

    loop->wake = (seed_watch){SEED_WATCH_WAKE, wake};
    loop->mailbox = (seed_watch){SEED_WATCH_MAILBOX, config->mailbox->read_fd};
    loop->disk = (seed_watch){SEED_WATCH_READER, seed_reader_fd(loop->reader)};
    loop->listeners = apr_pcalloc(loop->pool, (apr_size_t)(config->listener_count + 1) * sizeof *loop->listeners);
    status = watch(loop, &loop->wake);
    if (status == APR_SUCCESS)
        status = watch(loop, &loop->mailbox);
    if (status == APR_SUCCESS)
        status = watch(loop, &loop->disk);
    for (i = 0; status == APR_SUCCESS && i < config->listener_count; i++) {
        loop->listeners[i] = (seed_watch){SEED_WATCH_LISTENER, config->listeners[i]};
        status = watch(loop, &loop->listeners[i]);
    }
    return status;
}

static void init_rings(seed_loop *loop)
{
    APR_RING_INIT(&loop->all, seed_conn, all);
    APR_RING_INIT(&loop->running, seed_conn, here);
    APR_RING_INIT(&loop->batch, seed_conn, here);
    seed_line_init(&loop->strangers);
    APR_RING_INIT(&loop->asking, seed_conn, here);
    APR_RING_INIT(&loop->dead, seed_conn, here);
    APR_RING_INIT(&loop->thirsty, seed_conn, thirst);
    APR_RING_INIT(&loop->due, seed_swarm, due);
    APR_RING_INIT(&loop->known, seed_swarm, all);
    APR_RING_INIT(&loop->active, seed_swarm, active);
    APR_RING_INIT(&loop->crowds, seed_swarm, crowds);
}

/* "-BH" and a version, as others do it; the rest is drawn by lot. */
static int make_own_id(seed_loop *loop)
{
    memcpy(loop->own_id, "-BH0100-", 8);
    return RAND_bytes(loop->own_id + 8, PW_PEER_ID_SIZE - 8) == 1;
}

/* What the last seeder reached counts until this one has measured: its peers are not choked in between. */
static void start_uplink(seed_loop *loop)
{
    const seed_config *config = loop->config;
    apr_time_t measured = (apr_time_t)__atomic_load_n(&config->counters->measured, __ATOMIC_RELAXED);
    apr_int64_t known = (apr_int64_t)__atomic_load_n(&config->counters->upload_rate, __ATOMIC_RELAXED);

    if (measured == 0 || loop->now - measured > 10 * APR_USEC_PER_SEC)
        known = 0;
    seed_uplink_init(&loop->uplink, known);
    loop->slots = seed_choker_slots(config->upload_slots, config->upload_rate, known);
}

static apr_uint64_t http_sent(const seed_config *config)
{
    return __atomic_load_n(&config->counters->http_sent, __ATOMIC_RELAXED);
}

apr_status_t seed_loop_open(seed_loop **opened, const seed_config *config, const seed_limits *limits, int wake,
                            apr_pool_t *pool)
{
    seed_loop *loop = apr_pcalloc(pool, sizeof *loop);

    *opened = loop;
    loop->config = config;
    loop->limits = limits;
    loop->pool = pool;
    apr_pool_create(&loop->scratch, pool);
    loop->now = seed_now();
    loop->next_tick = loop->now + limits->tick;
    loop->max_peers = affordable_peers(config->max_peers > 0 ? config->max_peers : 1);
    start_uplink(loop);
    loop->files = seed_files_make(SEED_FILES_MAX, limits->disk);
    loop->addresses = seed_addresses_make();
    loop->swarms = apr_hash_make(pool);
    loop->input = apr_palloc(pool, SEED_INPUT_SIZE);
    loop->output = apr_palloc(pool, SEED_BATCH_SIZE);
    loop->mail_buffer = apr_palloc(pool, SEED_MAIL_MAX);
    seed_leftover_init(&loop->leftover, config->uplink, config->upload_rate, http_sent(config), loop->now);
    seed_rate_init(&loop->rate, seed_leftover_rate(&loop->leftover), loop->now);
    init_rings(loop);
    seed_fair_init(&loop->fair, limits->quantum);
    seed_library_init(&loop->library);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0)
        return errno;
    if (!loop->addresses || !loop->files || !make_own_id(loop) ||
        seed_reader_open(&loop->reader, limits->disk) != APR_SUCCESS)
        return APR_ENOMEM;
    return watch_all(loop, wake);
}

/* --- what comes in --- */

static void take_withdraw(seed_loop *loop, const char *path)
{
    seed_swarm *swarm = apr_hash_get(loop->swarms, path, APR_HASH_KEY_STRING);

    if (loop->jobs)
        seed_jobs_withdraw(loop->jobs, path);
    if (swarm)
        seed_dissolve(loop, swarm, SEED_CLOSE_WITHDRAWN);
}

static void take_mail(seed_loop *loop, const seed_mail *mail)
{
    switch (mail->kind) {
    case SEED_MAIL_PEER:
        seed_conn_take(loop, mail->socket, 1);
        break;
    case SEED_MAIL_LIVE:
        seed_take_live(loop, mail->socket, mail->record, mail->record_length);
        break;
    case SEED_MAIL_MAKE:
        if (loop->jobs)
            seed_jobs_add(loop->jobs, &mail->make);
        break;
    case SEED_MAIL_WITHDRAW:
        take_withdraw(loop, mail->path);
        break;
    case SEED_MAIL_HEIR: /* it was to wake us: seed_loop_run asks whether to stay */
        break;
    }
}

static void read_mailbox(seed_loop *loop)
{
    seed_mail mail;
    int i;

    for (i = 0; i < SEED_MAIL_BURST; i++) {
        apr_status_t status = seed_mail_read(loop->config->mailbox, loop->mail_buffer, &mail);
        if (APR_STATUS_IS_EAGAIN(status))
            return;
        if (status == APR_SUCCESS) {
            take_mail(loop, &mail);
            seed_mail_done(&mail);
        } else if (status == APR_EMFILE) {
            seed_count(&loop->config->counters->closed[SEED_CLOSE_FULL], 1);
        } else {
            bt_log(BT_LOG_WARNING, 408, status, "a message in the mailbox was not understood");
        }
    }
}

static void listen_again(seed_loop *loop, int on)
{
    int i;

    loop->listeners_off = !on;
    for (i = 0; i < loop->config->listener_count; i++) {
        struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = &loop->listeners[i]};
        epoll_ctl(loop->epoll, EPOLL_CTL_MOD, loop->listeners[i].fd, &event);
    }
}

static void accept_peers(seed_loop *loop, int listener)
{
    int i, fd;

    for (i = 0; i < SEED_ACCEPT_BURST; i++) {
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            seed_conn_take(loop, fd, 1);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            bt_log(BT_LOG_WARNING, 412, errno, "no peer can be accepted for now");
            listen_again(loop, 0);
            return;
        } else if (errno == EAGAIN || errno == EINVAL || errno == EBADF) {
            return;
        } /* else: that connection broke; on to the next */
    }
}

static void dispatch(seed_loop *loop, const struct epoll_event *event)
{
    seed_watch *watched = event->data.ptr;
    seed_conn *conn;

    switch (watched->kind) {
    case SEED_WATCH_WAKE:
        break;
    case SEED_WATCH_MAILBOX:
        read_mailbox(loop);
        break;
    case SEED_WATCH_LISTENER:
        accept_peers(loop, watched->fd);
        break;
    case SEED_WATCH_READER:
        seed_take_read(loop);
        break;
    case SEED_WATCH_PEER:
        conn = (seed_conn *)watched;
        if (conn->place == SEED_DEAD)
            break;
        conn->readable |= (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;
        conn->hung_up |= (event->events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;
        conn->writable |= (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
        seed_conn_park(loop, conn);
        break;
    case SEED_WATCH_LEAVES:
        seed_leaves_ready(loop);
        break;
    }
}

/* --- a turn --- */

/* Lets each peer that has work run once, in order; who has more comes again after all others, in the next turn. */
static void run_peers(seed_loop *loop)
{
    APR_RING_CONCAT(&loop->batch, &loop->running, seed_conn, here);
    while (!APR_RING_EMPTY(&loop->batch, seed_conn, here)) { /* closing one takes it out of the batch as well */
        seed_conn *conn = APR_RING_FIRST(&loop->batch);
        seed_conn_place(loop, conn, SEED_NOWHERE);
        seed_conn_run(loop, conn);
    }
}

/* Nobody is there, nothing is hashed, and nothing is kept that would be dropped in time. */
static int is_idle(const seed_loop *loop)
{
    return loop->peers == 0 && !loop->listeners_off && !(loop->jobs && seed_jobs_are_busy(loop->jobs)) &&
           loop->library.size == 0 && !seed_leaves_hold_any(loop->leaves);
}

/* Milliseconds until something is due; -1: nothing but an event. */
static int next_wait(const seed_loop *loop)
{
    apr_interval_time_t wait = loop->next_tick - loop->now, other;

    if (!APR_RING_EMPTY(&loop->running, seed_conn, here) || !APR_RING_EMPTY(&loop->due, seed_swarm, due) ||
        loop->to_look_up > 0)
        return 0;
    if (is_idle(loop))
        return -1;
    if (loop->sending > 0 && (other = seed_rate_wait(&loop->rate, loop->now)) < wait)
        wait = other;
    if (loop->sending > 0 && loop->leftover.uplink && SEED_LEFTOVER_EVERY < wait)
        wait = SEED_LEFTOVER_EVERY;
    if (!APR_RING_EMPTY(&loop->asking, seed_conn, here) && loop->limits->ask < wait)
        wait = loop->limits->ask;
    return wait <= 0 ? 0 : (int)((wait + 999) / 1000);
}

/* HTTP comes first. */
static void share_uplink(seed_loop *loop)
{
    seed_leftover_look(&loop->leftover, http_sent(loop->config), loop->now);
    seed_rate_set(&loop->rate, seed_leftover_rate(&loop->leftover), loop->now);
}

static void run_timers(seed_loop *loop)
{
    if (!APR_RING_EMPTY(&loop->asking, seed_conn, here) && loop->now >= loop->next_ask) {
        loop->next_ask = loop->now + loop->limits->ask;
        seed_ask_again(loop);
    }
    if (loop->now >= loop->next_tick) {
        loop->next_tick = loop->now + loop->limits->tick;
        if (loop->listeners_off)
            listen_again(loop, 1);
        seed_tick(loop);
        seed_measure_tick(&loop->measure, loop->config->counters, loop->now);
    }
    if (seed_leftover_is_due(&loop->leftover, loop->now))
        share_uplink(loop);
    seed_look_up_some(loop);
    seed_choke_due(loop);
}

/* Only whoever holds the lock says how many there are: one that is leaving still counts its own down. */
static void show_numbers(const seed_loop *loop, apr_uint64_t peers, apr_uint64_t swarms, apr_uint64_t reading)
{
    seed_counters *counters = loop->config->counters;

    if (__atomic_load_n(&counters->peers, __ATOMIC_RELAXED) != peers)
        __atomic_store_n(&counters->peers, peers, __ATOMIC_RELAXED);
    if (__atomic_load_n(&counters->swarms, __ATOMIC_RELAXED) != swarms)
        __atomic_store_n(&counters->swarms, swarms, __ATOMIC_RELAXED);
    if (__atomic_load_n(&counters->reading, __ATOMIC_RELAXED) != reading)
        __atomic_store_n(&counters->reading, reading, __ATOMIC_RELAXED);
}

void seed_loop_run(seed_loop *loop, int (*stay)(void *baton), void *baton)
{
    struct epoll_event events[SEED_EVENTS];
    int count, i, most;

    while ((most = stay(baton)) != 0) {
        int wait = next_wait(loop);

        count = epoll_wait(loop->epoll, events, SEED_EVENTS, most > 0 && (wait < 0 || wait > most) ? most : wait);
        loop->now = seed_now();
        for (i = 0; i < count; i++)
            dispatch(loop, &events[i]);
        run_timers(loop);
        run_peers(loop);
        seed_transmit(loop);
        seed_conn_bury(loop);
        show_numbers(loop, (apr_uint64_t)loop->peers, apr_hash_count(loop->swarms), (apr_uint64_t)loop->reading);
    }
    show_numbers(loop, 0, 0, 0);
    seed_measure_tick(&loop->measure, loop->config->counters, loop->now);
}

void seed_loop_close(seed_loop *loop)
{
    while (!APR_RING_EMPTY(&loop->all, seed_conn, all))
        seed_conn_close(loop, APR_RING_FIRST(&loop->all), SEED_CLOSE_SHUTDOWN);
    seed_conn_bury(loop);
    seed_leaves_close(loop->leaves);
    seed_addresses_free(loop->addresses);
    seed_reader_close(loop->reader);
    seed_files_free(loop->files);
    if (loop->epoll >= 0)
        close(loop->epoll);
}
