/* How far it is: a bar on a terminal, a line now and then elsewhere, always on standard error. One at a time in the
 * process. */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include <pthread.h>

#include <apr_general.h>
#include <apr_time.h>

/* Used by the thread that began it. */
typedef struct {
    const char *label;
    int bar; /* else lines */
    int silent;
    apr_time_t began, shown;
    apr_time_t mark;       /* the rate is that since here, some seconds ago */
    apr_int64_t mark_done;
    double rate; /* bytes a second */
} cmd_progress;

void cmd_progress_begin(cmd_progress *progress, const char *label, int silent);

/**
 * Shows it, if it is time to; call it as often as you like.
 * @param done, total  bytes; a total of 0 is not known
 * @param note  further words, or NULL
 */
void cmd_progress_show(cmd_progress *progress, apr_int64_t done, apr_int64_t total, const char *note);

/** Takes the bar away. */
void cmd_progress_end(cmd_progress *progress);

/** Takes the bar away until it is next shown, because a line is to be written. Any thread. */
void cmd_progress_hide(void);

/** Waits for the condition for a tenth of a second at most: how long a progress may stand still. */
void cmd_progress_wait(pthread_cond_t *changed, pthread_mutex_t *lock);

#endif
