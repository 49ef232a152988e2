#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static bt_log_fn *log_receiver;
static void *log_baton;

void bt_log_install(bt_log_fn *receiver, void *baton)
{
    log_receiver = receiver;
    log_baton = baton;
}

void bt_log(bt_log_level level, int number, apr_status_t status, const char *format, ...)
{
    char message[1024];
    va_list args;

    if (!log_receiver)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    log_receiver(log_baton, level, number, status, message);
}
