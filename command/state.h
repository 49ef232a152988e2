/* The catalogue of a server, running or not, for the command. */
#ifndef CMD_STATE_H
#define CMD_STATE_H

#include "catalog/catalog.h"

/* Options that all have who work on a catalogue. */
#define CMD_STATE_HELP "      --state-dir DIR       where httpd keeps its catalogue (default: " CMD_STATEDIR ")\n"

/**
 * Opens it. Root becomes the owner of the state directory first, for good: what is made there must be the server's, and
 * nothing is read that the server could not read. Says by itself what is wrong.
 * @param make  make a catalogue if there is none
 * @return an exit code
 */
int cmd_state_open(cat_catalog **catalog, const char *directory, int make, apr_pool_t *pool);

/** Absolute as httpd would have it: "." and ".." are resolved, links are not; a "/" at the end is kept. */
const char *cmd_absolute(const char *path, apr_pool_t *pool);

/** After an error of the catalogue. @return CMD_FAILED */
int cmd_state_failed(apr_status_t status);

/** Is `path` the same as `directory`, or below it? `directory` has no "/" at its end, unless it is the root. */
int cmd_is_below(const char *path, const char *directory);

/* --- signals: SIGINT and SIGTERM end the work between two steps; the second one ends the process --- */

void cmd_catch_signals(void);

/** @return the signal that came, or 0 */
int cmd_signal(void);

#endif
