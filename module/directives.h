/* What the directives do with their values: each checks one and puts it into the configuration. For the table of them. */
#ifndef BTH_DIRECTIVES_H
#define BTH_DIRECTIVES_H

#include "module/config.h"

/** A message that names the directive and the value; httpd puts file and line in front. Of the command's pool. */
const char *bth_complain(cmd_parms *cmd, const char *value, const char *what);

/** @return NULL, or the message that the directive stands where the whole server is not meant */
const char *bth_global_only(cmd_parms *cmd);

/** Reads "500ms", "2s", "30min", "1h". @return NULL, or the message */
const char *bth_read_span(cmd_parms *cmd, const char *value, apr_interval_time_t least, apr_interval_time_t most,
                          apr_interval_time_t *span);

/* Directives that are one word of a few: where it goes, what it may be, and what is said of another. */
enum { BTH_CHOICES_MAX = 3 };
typedef struct {
    apr_size_t offset; /* of an enumeration */
    struct {
        const char *word;
        int value;
    } choices[BTH_CHOICES_MAX];
    const char *wrong;
} bth_choice_rule;

/* Directives that are one number: where it goes and its bounds. */
typedef struct {
    apr_size_t offset;
    int least, most;
    const char *zero_word; /* stands for 0, or NULL */
} bth_number_rule;

/* --- directives_dir.c --- */

const char *bth_set_min_size(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_max_size(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_version(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_piece_size(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_wait(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_alias(cmd_parms *cmd, void *dir, int argc, char *const argv[]);
const char *bth_add_mirror(cmd_parms *cmd, void *dir, const char *url);
const char *bth_add_announce(cmd_parms *cmd, void *dir, const char *url);

/* --- directives_server.c --- */

const char *bth_set_state_dir(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_path(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_peer_ports(cmd_parms *cmd, void *dir, int argc, char *const argv[]);
const char *bth_add_peer_address(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_number(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_choice(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_upload_rate(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_uplink(cmd_parms *cmd, void *dir, const char *value);

/* --- directives_tracker.c --- */

const char *bth_set_tracker_udp(cmd_parms *cmd, void *dir, int argc, char *const argv[]);
const char *bth_set_tracker_interval(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_tracker_memory(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_tracker_store(cmd_parms *cmd, void *dir, const char *value);
const char *bth_set_tracker_geo(cmd_parms *cmd, void *dir, int argc, char *const argv[]);
const char *bth_set_announce_token(cmd_parms *cmd, void *dir, const char *value, const char *time);

#endif
