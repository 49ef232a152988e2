/* From "make" mail to the catalogue, without a seeder around it. */
#include "t/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>
#include <openssl/sha.h>

#include "base/log.h"
#include "seeder/jobs.h"
#include "seeder/mail.h"
#include "t/unit/seed_world.h"

static world *w;
static seed_jobs *jobs;

/* What was told and said; guarded by the lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int made[4]; /* successes, interruptions, withdrawals, all else */
    apr_status_t last;
    int said[30]; /* messages 400 to 429 */
    char message[1100]; /* the last one of 403 or 416 to 419 */
    int gate_closed, at_gate, lists;
    const tg_source_file *files;
    apr_size_t file_count;
} heard;

static void hear_made(void *baton, const char *path, apr_status_t status)
{
    pthread_mutex_lock(&heard.lock);
    heard.made[status == APR_SUCCESS ? 0 : status == APR_EINTR ? 1 : status == APR_EACCES ? 2 : 3]++;
    heard.last = status;
    pthread_cond_broadcast(&heard.changed);
    pthread_mutex_unlock(&heard.lock);
}

static void hear_log(void *baton, bt_log_level level, int number, apr_status_t status, const char *message)
{
    pthread_mutex_lock(&heard.lock);
    if (number >= 400 && number < 430)
        heard.said[number - 400]++;
    if (number == 403 || (number >= 416 && number <= 419))
        snprintf(heard.message, sizeof heard.message, "%s", message);
    pthread_mutex_unlock(&heard.lock);
}

/* Holds a worker up, so that what is added meanwhile waits. */
static apr_status_t list(void *baton, const seed_make *make, apr_pool_t *pool, const tg_source_file **files,
                         apr_size_t *count)
{
    pthread_mutex_lock(&heard.lock);
    heard.lists++;
    heard.at_gate = 1;
    pthread_cond_broadcast(&heard.changed);
    while (heard.gate_closed)
        pthread_cond_wait(&heard.changed, &heard.lock);
    *files = heard.files;
    *count = heard.file_count;
    pthread_mutex_unlock(&heard.lock);
    return APR_SUCCESS;
}

static int set_up(void **state)
{
    w = world_make();
    memset(&heard, 0, sizeof heard);
    pthread_mutex_init(&heard.lock, NULL);
    pthread_cond_init(&heard.changed, NULL);
    bt_log_install(hear_log, NULL);
    w->config.made = hear_made;
    w->config.list = list;
    assert_int_equal(seed_jobs_start(&jobs, &w->config, w->pool), APR_SUCCESS);
    return 0;
}

static int tear_down(void **state)
{
    if (jobs)
        seed_jobs_stop(jobs, 0);
    jobs = NULL;
    bt_log_install(NULL, NULL);
    world_free(w);
    return 0;
}

/* --- helpers ------------------------------------------------------------------------------------------------------------ */

static const char *write_file(const char *name, const void *bytes, apr_size_t length)
{
    const char *path = apr_psprintf(w->pool, "%s/%s", w->directory, name);
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    return path;
}

static seed_make make_of(const char *path, int urgent)
{
    return (seed_make){.path = path, .name = "f", .url = "t http://x/f", .grant = 7, .version = TG_HYBRID, .urgent = urgent};
}

static void add(const char *path, int urgent)
{
    const seed_make make = make_of(path, urgent);

    seed_jobs_add(jobs, &make);
}

static void wait_made(int kind, int count)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&heard.lock);
    while (heard.made[kind] < count)
        if (pthread_cond_timedwait(&heard.changed, &heard.lock, &until) != 0)
            fail_msg("%d of %d told, the last with status %d", heard.made[kind], count, heard.last);
    pthread_mutex_unlock(&heard.lock);
}

static void close_gate(void)
{
    static seed_make make = {.path = "/gate/", .name = "gate", .url = "", .version = TG_V1, .collection = 1};

    heard.gate_closed = 1;
    heard.at_gate = 0;
    seed_jobs_add(jobs, &make);
    pthread_mutex_lock(&heard.lock);
    while (!heard.at_gate)
        pthread_cond_wait(&heard.changed, &heard.lock);
    pthread_mutex_unlock(&heard.lock);
}

static void open_gate(void)
{
    pthread_mutex_lock(&heard.lock);
    heard.gate_closed = 0;
    pthread_cond_broadcast(&heard.changed);
    pthread_mutex_unlock(&heard.lock);
}

static cat_entry entry_of(const char *path)
{
    cat_entry entry = {0};

    cat_find_path(w->config.catalog, path, w->pool, &entry);
    return entry;
}

static void wait_digest(const char *path)
{
    const struct timespec moment = {0, 2000000};

    for (int i = 0; i < 10000 && !entry_of(path).has_digest; i++)
        nanosleep(&moment, NULL);
    assert_true(entry_of(path).has_digest);
}

/* --- what goes well ----------------------------------------------------------------------------------------------------- */

static void many_that_nobody_waits_for(void **state)
{
    enum { FILES = 600 };
    unsigned char digest[32];
    char text[20];

    for (int i = 0; i < FILES; i++) {
        snprintf(text, sizeof text, "%d", i);
        add(write_file(apr_psprintf(w->pool, "f%d", i), text, strlen(text)), 0);
    }
    wait_made(0, FILES);
    for (int i = 0; i < FILES; i++) {
        cat_entry entry = entry_of(apr_psprintf(w->pool, "%s/f%d", w->directory, i));

        snprintf(text, sizeof text, "%d", i);
        SHA256((const unsigned char *)text, strlen(text), digest);
        assert_true(entry.published && entry.has_digest && entry.grant == 7);
        assert_memory_equal(entry.digest, digest, 32);
    }
    assert_int_equal(w->config.counters->hashed_files, FILES);
    assert_int_equal(heard.said[4], FILES);
}

static void the_digest_follows_what_was_urgent(void **state)
{
    const char *path = write_file("f", "hello", 5);
    unsigned char digest[32];

    assert_false(seed_jobs_are_busy(jobs));
    add(path, 1);
    assert_true(seed_jobs_are_busy(jobs));
    wait_made(0, 1);
    assert_true(entry_of(path).published);
    wait_digest(path);
    for (int i = 0; seed_jobs_are_busy(jobs); i++) { /* until the page says that nothing is left */
        const struct timespec moment = {0, 2000000};

        assert_true(i < 30000);
        nanosleep(&moment, NULL);
        seed_jobs_tick(jobs);
    }
    SHA256((const unsigned char *)"hello", 5, digest);
    assert_memory_equal(entry_of(path).digest, digest, 32);
    assert_int_equal(heard.made[0], 1);
}

static void only_what_is_missing_is_made(void **state)
{
    const char *path = write_file("f", "hello", 5);
    cat_publication publication = {.path = path, .url = "t http://x/f", .grant = 7, .published = 1};
    const tg_request request = {.path = path, .name = "f", .version = TG_HYBRID};
    tg_torrent torrent;

    assert_int_equal(tg_make(&request, w->pool, &torrent, &publication.stamp), APR_SUCCESS);
    publication.torrent = &torrent;
    assert_int_equal(cat_publish(w->config.catalog, &publication, 1), APR_SUCCESS);
    add(path, 0);
    wait_made(0, 1);
    assert_true(entry_of(path).has_digest); /* told when that is in the catalogue */
    add(path, 0);
    wait_made(0, 2);
    add(path, 1);
    wait_made(0, 3);
    assert_int_equal(w->config.counters->hashed_files, 0);
    write_file("f", "another", 7);
    add(path, 0);
    wait_made(0, 4);
    assert_int_equal(w->config.counters->hashed_files, 1);
    assert_int_equal(entry_of(path).stamp.size, 7);
}

static void made_without_a_url_it_waits_for_a_stranger(void **state)
{
    const char *path = write_file("f", "hello", 5);
    seed_make make = make_of(path, 0);

    make.url = "";
    make.listed = 1;
    seed_jobs_add(jobs, &make);
    wait_made(0, 1);
    assert_false(entry_of(path).published);
    assert_true(entry_of(path).listed);
    seed_jobs_add(jobs, &make);
    wait_made(0, 2);
    assert_int_equal(w->config.counters->hashed_files, 1);
}

static void a_collection(void **state)
{
    const tg_source_file files[] = {{write_file("one", "1", 1), "sub/one"}, {write_file("two", "22", 2), "a"}};
    seed_make make = make_of("/the/directory/", 1);
    const tg_member *members;
    apr_size_t count;
    cat_entry entry;

    heard.files = files;
    heard.file_count = 2;
    make.collection = 1;
    seed_jobs_add(jobs, &make);
    wait_made(0, 1);
    entry = entry_of("/the/directory/");
    assert_true(entry.published && entry.stamp.size == 3 && !entry.has_digest);
    assert_int_equal(cat_read_members(w->config.catalog, &entry, w->pool, &members, &count), APR_SUCCESS);
    assert_int_equal(count, 2);
    assert_string_equal(members[0].path, "a");
    assert_string_equal(members[1].path, "sub/one");
}

/* --- torrents beside files ------------------------------------------------------------------------------------------------ */

static void a_sidecar(void **state)
{
    const char *path = write_file("f", "hello", 5);
    const char *good = write_file("f.torrent",
                                  "d4:infod6:lengthi5e4:name1:f12:piece lengthi20000e6:pieces20:"
                                  "\xaa\xf4\xc6\x1d\xdc\xc5\xe8\xa2\xda\xbe\xde\x0f\x3b\x48\x2c\xd9\xae\xa9\x43\x4d" "ee",
                                  83);
    seed_make make = make_of(path, 0);
    bt_stamp stamp;

    make.sidecar = good;
    seed_jobs_add(jobs, &make);
    wait_made(0, 1);
    assert_int_equal(bt_stamp_path(good, &stamp), APR_SUCCESS);
    assert_true(entry_of(path).adopted && entry_of(path).piece_length == 20000);
    assert_true(entry_of(path).sidecar.inode == stamp.inode && entry_of(path).sidecar.mtime_ns == stamp.mtime_ns);
    assert_int_equal(heard.said[19], 0);

    write_file("f.torrent", "no torrent", 10); /* is looked at because its stamp is another one */
    seed_jobs_add(jobs, &make);
    wait_made(0, 2);
    assert_int_equal(bt_stamp_path(good, &stamp), APR_SUCCESS);
    assert_true(!entry_of(path).adopted && entry_of(path).version == TG_HYBRID);
    assert_true(entry_of(path).sidecar.inode == stamp.inode && entry_of(path).sidecar.mtime_ns == stamp.mtime_ns);
    assert_int_equal(heard.said[19], 1);
    assert_non_null(strstr(heard.message, "not bencoded"));

    seed_jobs_add(jobs, &make); /* nothing has changed: said once */
    wait_made(0, 3);
    assert_int_equal(heard.said[19], 1);

    assert_int_equal(unlink(good), 0);
    seed_jobs_add(jobs, &make);
    wait_made(0, 4);
    assert_int_equal(entry_of(path).sidecar.inode, 0);
}

/* --- order ------------------------------------------------------------------------------------------------------------------ */

static void somebody_waits_for_what_nobody_waited_for(void **state)
{
    const char *path = write_file("f", "hello", 5);

    close_gate();
    add(path, 0);
    assert_int_equal(seed_job_progress(w->config.counters, path), -1);
    add(path, 1);
    assert_int_equal(seed_job_progress(w->config.counters, path), 0);
    seed_jobs_tick(jobs);
    assert_int_equal(w->config.counters->hashing.urgent, 1);
    assert_int_equal(w->config.counters->hashing.waiting, 0);
    open_gate();
    wait_made(0, 1);
    assert_int_equal(seed_job_progress(w->config.counters, path), -1);
    wait_digest(path);
}

static void more_than_there_is_room_for(void **state)
{
    close_gate();
    for (int i = 1; i < SEED_WAITING_MAX; i++) /* the one at the gate is one, too */
        add(apr_psprintf(w->pool, "%s/none%d", w->directory, i), 0);
    assert_int_equal(heard.made[3], 0);
    add("/one/more", 0);
    assert_int_equal(heard.last, APR_EAGAIN);
    add("/urgent", 1); /* finds room all the same */
    assert_int_equal(heard.made[3], 1);
    open_gate();
    wait_made(3, SEED_WAITING_MAX + 2); /* all are told: there is no such file */
}

/* --- what goes wrong ---------------------------------------------------------------------------------------------------------- */

static void withdrawn_meanwhile(void **state)
{
    const char *path = write_file("f", "hello", 5), *other = write_file("g", "world", 5);

    close_gate();
    add(path, 0);
    add(other, 1);
    seed_jobs_withdraw(jobs, path);
    seed_jobs_withdraw(jobs, other);
    open_gate();
    wait_made(2, 2);
    assert_int_equal(entry_of(path).version, 0);
    assert_int_equal(entry_of(other).version, 0);
    assert_int_equal(seed_job_progress(w->config.counters, other), -1);
}

static void expect_one_message(int number, const char *part)
{
    int total = heard.said[3] + heard.said[16] + heard.said[17] + heard.said[18];

    assert_int_equal(heard.said[number - 400], 1);
    assert_int_equal(total, 1);
    if (!strstr(heard.message, part))
        fail_msg("\"%s\" does not say \"%s\"", heard.message, part);
    memset(heard.said, 0, sizeof heard.said);
}

static void each_failure_has_one_message(void **state)
{
    const char *large = write_file("large", "", 0), *fine = write_file("fine", "x", 1), *gone;
    const tg_source_file files[] = {{fine, "a"}, {gone = apr_psprintf(w->pool, "%s/gone", w->directory), "b"}};
    seed_make make = make_of(large, 0), collection = make_of("/the/directory/", 1);

    add(gone, 1);
    wait_made(3, 1);
    expect_one_message(403, "/gone could not be hashed");
    assert_int_equal(seed_job_progress(w->config.counters, gone), -2);
    add(w->directory, 0);
    wait_made(3, 2);
    expect_one_message(418, w->directory);
    assert_int_equal(truncate(large, (off_t)40 << 30), 0); /* a hole; more than 2^21 pieces */
    make.piece_length = 16384;
    seed_jobs_add(jobs, &make);
    wait_made(3, 3);
    assert_int_equal(heard.last, EFBIG);
    expect_one_message(417, "/large");
    heard.files = files;
    heard.file_count = 2;
    collection.collection = 1;
    seed_jobs_add(jobs, &collection);
    wait_made(3, 4);
    expect_one_message(403, "gone could not be hashed, and so no torrent made of /the/directory/");
    make.name = "..";
    seed_jobs_add(jobs, &make);
    wait_made(3, 5);
    expect_one_message(418, "/large");
    add(fine, 1); /* nothing else was disturbed */
    wait_made(0, 1);
}

/* Changes a file all the time, until told to stop. */
typedef struct {
    const char *path;
    int stop; /* atomic */
} changer;

static void *change(void *baton)
{
    const struct timespec moment = {0, 1000000};
    changer *one = baton;
    int fd = open(one->path, O_WRONLY | O_CLOEXEC);

    for (unsigned char i = 0; !__atomic_load_n(&one->stop, __ATOMIC_RELAXED); i++) {
        if (pwrite(fd, &i, 1, 0) != 1)
            break;
        nanosleep(&moment, NULL);
    }
    close(fd);
    return NULL;
}

static void tick_until_told(int kind, int count)
{
    const struct timespec moment = {0, 2000000};
    int told = 0;

    for (int i = 0; i < 30000 && told < count; i++) {
        seed_jobs_tick(jobs);
        nanosleep(&moment, NULL);
        pthread_mutex_lock(&heard.lock);
        told = heard.made[kind];
        pthread_mutex_unlock(&heard.lock);
    }
    assert_int_equal(told, count);
}

static void a_file_that_changes_all_the_time(void **state)
{
    static char bytes[20000000];
    changer one = {write_file("changing", bytes, sizeof bytes), 0};
    pthread_t thread;

    for (int urgent = 0; urgent <= 1; urgent++) {
        one.stop = 0;
        assert_int_equal(pthread_create(&thread, NULL, change, &one), 0);
        add(one.path, urgent);
        tick_until_told(3, urgent + 1);
        assert_int_equal(heard.last, APR_EBUSY);
        expect_one_message(416, "/changing");
        __atomic_store_n(&one.stop, 1, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
    }
    add(one.path, 1); /* it has calmed down */
    tick_until_told(0, 1);
    assert_true(entry_of(one.path).published);
}

/* A change is not the end: what is listed again differs. */
static void a_collection_that_changes_once(void **state)
{
    static char bytes[20000000];
    changer one = {write_file("changing", bytes, sizeof bytes), 0};
    const tg_source_file file = {one.path, "sub/f"};
    seed_make make = make_of("/the/directory/", 1);
    pthread_t thread;
    int lists = 0;

    heard.files = &file;
    heard.file_count = 1;
    make.collection = 1;
    assert_int_equal(pthread_create(&thread, NULL, change, &one), 0);
    seed_jobs_add(jobs, &make);
    while (lists < 2) { /* tried again at once */
        pthread_mutex_lock(&heard.lock);
        lists = heard.lists;
        pthread_mutex_unlock(&heard.lock);
    }
    __atomic_store_n(&one.stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    tick_until_told(0, 1);
    assert_int_equal(heard.said[3] + heard.said[16], 0);
}

/* --- the end -------------------------------------------------------------------------------------------------------------------- */

static void what_is_not_done_is_for_the_next_seeder(void **state)
{
    enum { FILES = 200 };
    static unsigned char buffer[SEED_MAIL_MAX];
    static char bytes[300000];
    seed_mail mail;
    int reposted = 0;

    for (int i = 0; i < FILES; i++)
        add(write_file(apr_psprintf(w->pool, "f%d", i), bytes, sizeof bytes), i % 3 == 0);
    wait_made(0, 1);
    seed_jobs_stop(jobs, 1);
    jobs = NULL;
    while (seed_mail_read(w->config.mailbox, buffer, &mail) == APR_SUCCESS) {
        assert_int_equal(mail.kind, SEED_MAIL_MAKE);
        reposted += entry_of(mail.make.path).version == 0; /* the others want their digest only */
    }
    assert_int_equal(heard.made[0] + heard.made[1], FILES);
    assert_int_equal(heard.made[1], reposted);
    assert_int_equal(heard.made[0], w->config.counters->hashed_files);
    assert_int_equal(w->config.counters->hashing.waiting, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_that_nobody_waits_for),
        TEST(the_digest_follows_what_was_urgent),
        TEST(only_what_is_missing_is_made),
        TEST(made_without_a_url_it_waits_for_a_stranger),
        TEST(a_collection),
        TEST(a_sidecar),
        TEST(somebody_waits_for_what_nobody_waited_for),
        TEST(more_than_there_is_room_for),
        TEST(withdrawn_meanwhile),
        TEST(each_failure_has_one_message),
        TEST(a_file_that_changes_all_the_time),
        TEST(a_collection_that_changes_once),
        TEST(what_is_not_done_is_for_the_next_seeder),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
