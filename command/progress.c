#include "command/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command/text.h"

enum { BAR_WIDTH = 24, WIDTH_MIN = 40, WIDTH_MAX = 200, TEXT_MAX = 256 };

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

/* As wide as there is room for, with a space after it; or nothing. */
static void draw_bar(char out[BAR_WIDTH + 4], int room, apr_int64_t done, apr_int64_t total)
{
    int width = room - 3 < BAR_WIDTH ? room - 3 : BAR_WIDTH;
    int full = total > 0 ? (int)((double)done / (double)total * width) : 0;
    char *at = out;

    if (width >= 5) {
        *at++ = '[';
        for (int i = 0; i < width; i++)
            *at++ = i < full ? '=' : i == full ? '>' : ' ';
        *at++ = ']';
        *at++ = ' ';
    }
    *at = '\0';
}

static int screen_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < WIDTH_MIN)
        return 79;
    return size.ws_col > WIDTH_MAX ? WIDTH_MAX : size.ws_col - 1;
}

/* "1.00 GiB of 3.00 GiB, 500.0 MiB/s, 0:04 left, NOTE" */
static void describe(const cmd_progress *progress, char out[TEXT_MAX], apr_int64_t done, apr_int64_t total, const char *note)
{
    char of[32], all[32], rate[32], left[32] = "-";

    if (progress->rate > 1 && total > 0)
        cmd_duration_text(left, (apr_int64_t)((double)(total - done) / progress->rate + 0.5));
    snprintf(out, TEXT_MAX, "%s of %s, %s/s, %s left%s%s", cmd_size_text(of, done), cmd_size_text(all, total),
             cmd_size_text(rate, (apr_int64_t)progress->rate), left, note ? ", " : "", note ? note : "");
}

void cmd_progress_show(cmd_progress *progress, apr_int64_t done, apr_int64_t total, const char *note)
{
    apr_time_t now = apr_time_now();
    char bar[BAR_WIDTH + 4], head[64], text[TEXT_MAX];
    int width = screen_width();

    if (progress->silent || now - progress->shown < (progress->bar ? BAR_EVERY : LINE_EVERY))
        return;
    progress->shown = now;
    measure(progress, done, now);
    snprintf(head, sizeof head, "%s %3d %% ", progress->label, total > 0 ? (int)((double)done * 100 / (double)total) : 0);
    describe(progress, text, done, total, note);
    if (!progress->bar) {
        cmd_line(stderr, "%s%s", head, text);
        return;
    }
    draw_bar(bar, width - (int)(strlen(head) + strlen(text)), done, total);
    __atomic_store_n(&is_on_screen, 1, __ATOMIC_RELAXED);
    fprintf(stderr, "\r%s%s%.*s\033[K", head, bar, width - (int)(strlen(head) + strlen(bar)), text);
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
