/* What the command writes: lines that no file name can forge, sizes, times, and JSON. */
#ifndef CMD_TEXT_H
#define CMD_TEXT_H

#include <stdio.h>

#include <apr_errno.h>
#include <apr_time.h>

#include "base/buf.h"

/**
 * Appends text as it may be shown: control characters, backslashes, bytes that are not UTF-8 and characters that move what
 * stands beside them are escaped as in C.
 */
void cmd_text_add(bt_buf *buf, const char *bytes);

/** Writes one line, escaped as a whole. Any thread. */
void cmd_line(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Writes "bthttp-torrentgen: ..." to standard error, above the progress bar if there is one. Any thread. */
void cmd_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** What an error means. @param out  filled, and returned */
const char *cmd_reason(apr_status_t status, char out[160]);

/** "512 B", "1.5 GiB". @return out */
const char *cmd_size_text(char out[32], apr_int64_t bytes);

/** "0:07", "1:02:03". @return out */
const char *cmd_duration_text(char out[32], apr_int64_t seconds);

/** "2026-01-31T12:00:00Z". @return out */
const char *cmd_time_text(char out[40], apr_time_t when);

/* One JSON document on one line. Keys are NULL within lists. Failures stick in buf.status. */
typedef struct {
    bt_buf buf;
} cmd_json;

/** Begins with "{". Ends with cmd_json_print. */
void cmd_json_begin(cmd_json *json);
void cmd_json_open(cmd_json *json, const char *key, char bracket);
void cmd_json_close(cmd_json *json, char bracket);
void cmd_json_number(cmd_json *json, const char *key, apr_int64_t value);
void cmd_json_bool(cmd_json *json, const char *key, int value);
/** @param value  NULL is null; bytes that are not UTF-8 become U+FFFD */
void cmd_json_text(cmd_json *json, const char *key, const char *value);
/** The same, and if anything was lost, KEY_hex with the bytes themselves. Not in a list. */
void cmd_json_path(cmd_json *json, const char *key, const char *value);
/** @param hex  `size` bytes as hex digits; all zero is left out */
void cmd_json_hash(cmd_json *json, const char *key, const unsigned char *bytes, apr_size_t size);
/** Closes it, writes it as one line and frees it. */
void cmd_json_print(cmd_json *json, FILE *to);

/** Flushes standard output. @return APR_SUCCESS, or why not all of it could be written */
apr_status_t cmd_flush(void);

#endif
