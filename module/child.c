#include "module/child.h"

#include <pthread.h>
#include <signal.h>

static bth_child this_child;

const bth_child *bth_this_child(void)
{
    return &this_child;
}

bth_child *bth_own_child(void)
{
    return &this_child;
}

int bth_start_thread(pthread_t *thread, void *(*run)(void *), void *baton)
{
    sigset_t all, before;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for httpd's own threads */
    failed = pthread_create(thread, NULL, run, baton);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed;
}

int bth_start_detached(void *(*run)(void *), void *baton)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    int failed;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for httpd's own threads */
    failed = pthread_create(&thread, &attributes, run, baton);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return !failed;
}
