#include "command/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command/text.h"

enum { BAR_WIDTH = 24, WIDTH_MAX = 200 };

static const apr_time_t BAR_EVERY = 100000, LINE_EVERY = 10 * APR_USEC_PER_SEC, RATE_OVER = 2 * APR_USEC_PER_SEC;

static int is_on_screen; /* atomic */

void cmd_progress_hide(void)
{
    if (__atomic_exchange_n(&is_on_screen, 0, __ATOMIC_RELAXED)) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}

void cmd_progress_begin(cmd_progress *progress, const char *label, int silent)
{
    const char *terminal = getenv("TERM");

    memset(progress, 0, sizeof *progress);
    progress->label = label;
    progress->silent = silent;
    progress->bar = isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
    progress->began = progress->mark = progress->shown = apr_time_now();
}

/* The rate of the last seconds, and of all at first. */
static void measure(cmd_progress *progress, apr_int64_t done, apr_time_t now)
{
    apr_time_t since = now - progress->mark;

    if (since < 1)
        return;
    if (progress->rate <= 0 || since >= RATE_OVER) {
        double latest = (double)(done - progress->mark_done) * APR_USEC_PER_SEC / (double)since;

        progress->rate = since >= RATE_OVER && progress->rate > 0 ? (progress->rate + latest) / 2 : latest;
    }
    if (since >= RATE_OVER) {
        progress->mark = now;
        progress->mark_done = done;
    }
}

static void draw_bar(char out[BAR_WIDTH + 3], apr_int64_t done, apr_int64_t total)
{
    int full = total > 0 ? (int)((double)done / (double)total * BAR_WIDTH) : 0;

    out[0] = '[';
    for (int i = 0; i < BAR_WIDTH; i++)
        out[i + 1] = i < full ? '=' : i == full ? '>' : ' ';
    out[BAR_WIDTH + 1] = ']';
    out[BAR_WIDTH + 2] = '\0';
}

static int screen_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return 79;
    return size.ws_col > WIDTH_MAX ? WIDTH_MAX : size.ws_col - 1;
}

void cmd_progress_show(cmd_progress *progress, apr_int64_t done, apr_int64_t total, const char *note)
{
    apr_time_t now = apr_time_now();
    char bar[BAR_WIDTH + 3] = "", text[512], of[32], all[32], rate[32], left[32] = "-";

    if (progress->silent || now - progress->shown < (progress->bar ? BAR_EVERY : LINE_EVERY))
        return;
    progress->shown = now;
    measure(progress, done, now);
    if (progress->rate > 1 && total > 0)
        cmd_duration_text(left, (apr_int64_t)((double)(total - done) / progress->rate + 0.5));
    if (progress->bar)
        draw_bar(bar, done, total);
    snprintf(text, sizeof text, "%s %3d %% %s%s%s of %s, %s/s, %s left%s%s", progress->label,
             total > 0 ? (int)((double)done * 100 / (double)total) : 0, bar, *bar ? " " : "", cmd_size_text(of, done),
             cmd_size_text(all, total), cmd_size_text(rate, (apr_int64_t)progress->rate), left, note ? ", " : "",
             note ? note : "");
    if (!progress->bar) {
        cmd_line(stderr, "%s", text);
        return;
    }
    __atomic_store_n(&is_on_screen, 1, __ATOMIC_RELAXED);
    fprintf(stderr, "\r%.*s\033[K", screen_width(), text);
    fflush(stderr);
}

void cmd_progress_end(cmd_progress *progress)
{
    cmd_progress_hide();
    progress->silent = 1;
}

void cmd_progress_wait(pthread_cond_t *changed, pthread_mutex_t *lock)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(changed, lock, &until);
}
