/* The log seam: rooms say what happened; httpd, the command and the tests each decide where it goes. */
#ifndef BT_LOG_H
#define BT_LOG_H

#include <apr_errno.h>

/* Values are those of syslog and of httpd's APLOG_ levels. */
typedef enum {
    BT_LOG_ERR = 3,
    BT_LOG_WARNING = 4,
    BT_LOG_NOTICE = 5,
    BT_LOG_INFO = 6,
    BT_LOG_DEBUG = 7
} bt_log_level;

/**
 * Receives each message.
 * @param number  the N of BTHNNNN: stable, listed in docs/errors.md. Ranges: 1- module, 100- catalog, 200- torrentgen,
 *                300- tracker, 400- seeder.
 * @param status  APR_SUCCESS when the message is not about an error of APR or the system
 * @param message one line, valid only during the call
 * May be called on any thread.
 */
typedef void bt_log_fn(void *baton, bt_log_level level, int number, apr_status_t status, const char *message);

/** Installs the receiver for this process (NULL: silence). Call before threads are made. */
void bt_log_install(bt_log_fn *receiver, void *baton);

/** Sends one message to the receiver; longer than 1 KiB is cut. Any thread. */
void bt_log(bt_log_level level, int number, apr_status_t status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
