#include "command/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "command/command.h"
#include "command/progress.h"

enum { LINE_MAX_BYTES = 64 * 1024 * 1024 };

/* --- lines --------------------------------------------------------------------------------------------------------- */

/* Line and paragraph ends, C1 controls, and what makes text run the other way. */
static int is_unruly(unsigned long code)
{
    return (code >= 0x7f && code <= 0x9f) || code == 0x061c || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

void cmd_text_add(bt_buf *buf, const char *bytes)
{
    const unsigned char *at = (const unsigned char *)bytes;

    while (*at) {
        int length = bt_utf8_length(at);
        unsigned long code = length ? bt_utf8_code(at, length) : 0;

        if (!length)
            bt_buf_printf(buf, "\\x%02x", *at), length = 1;
        else if (*at == '\n')
            bt_buf_add_string(buf, "\\n");
        else if (*at == '\t')
            bt_buf_add_string(buf, "\\t");
        else if (*at == '\r')
            bt_buf_add_string(buf, "\\r");
        else if (*at == '\\')
            bt_buf_add_string(buf, "\\\\");
        else if (code < ' ' || code == 0x7f)
            bt_buf_printf(buf, "\\x%02x", *at);
        else if (is_unruly(code))
            bt_buf_printf(buf, "\\u%04lx", code);
        else
            bt_buf_add(buf, at, (apr_size_t)length);
        at += length;
    }
}

__attribute__((format(printf, 3, 0))) static void write_line(FILE *to, const char *before, const char *format, va_list args)
{
    char *text;
    bt_buf line;

    bt_buf_init(&line, LINE_MAX_BYTES);
    if (vasprintf(&text, format, args) < 0)
        return;
    bt_buf_add_string(&line, before);
    cmd_text_add(&line, text);
    bt_buf_add(&line, "\n", 1);
    cmd_progress_hide();
    fwrite(line.data, 1, line.length, to);
    bt_buf_free(&line);
    free(text);
}

void cmd_line(FILE *to, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_line(to, "", format, args);
    va_end(args);
}

void cmd_complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_line(stderr, CMD_NAME ": ", format, args);
    va_end(args);
}

apr_status_t cmd_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return APR_SUCCESS;
    return errno ? errno : EIO;
}

/* --- errors, sizes, times ------------------------------------------------------------------------------------------ */

const char *cmd_reason(apr_status_t status, char out[160])
{
    static const struct {
        apr_status_t status;
        const char *text;
    } own[] = {{APR_EBUSY, "it changes while it is read"},
               {APR_EINVAL, "not a regular file"},
               {APR_EINTR, "interrupted"},
               {EFBIG, "too many pieces or files: choose larger pieces"},
               {ELOOP, "links that lead round in a circle"}};

    for (apr_size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i].status == status)
            return own[i].text;
    return apr_strerror(status, out, 160);
}

const char *cmd_size_text(char out[32], apr_int64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes / 1024;
    int unit = 0;

    if (bytes < 1024) {
        snprintf(out, 32, "%d B", (int)bytes);
        return out;
    }
    for (; value >= 1023.95 && unit < 5; unit++)
        value /= 1024;
    snprintf(out, 32, value < 10 ? "%.2f %s" : "%.1f %s", value, units[unit]);
    return out;
}

const char *cmd_duration_text(char out[32], apr_int64_t seconds)
{
    long long all = seconds < 0 ? 0 : seconds, hours = all / 3600;
    int minutes = (int)(all / 60 % 60), rest = (int)(all % 60);

    if (hours)
        snprintf(out, 32, "%lld:%02d:%02d", hours, minutes, rest);
    else
        snprintf(out, 32, "%d:%02d", minutes, rest);
    return out;
}

const char *cmd_time_text(char out[40], apr_time_t when)
{
    time_t seconds = (time_t)apr_time_sec(when);
    struct tm parts;

    if (!gmtime_r(&seconds, &parts) || !strftime(out, 40, "%Y-%m-%dT%H:%M:%SZ", &parts))
        snprintf(out, 40, "?");
    return out;
}
