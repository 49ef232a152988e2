#include "command/state.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_strings.h>

#include "command/command.h"
#include "command/text.h"

/* --- whose it is ---------------------------------------------------------------------------------------------------- */

static int become(const struct stat *owner, const char *directory)
{
    const struct passwd *user = getpwuid(owner->st_uid);
    int failed = user ? initgroups(user->pw_name, owner->st_gid) : setgroups(0, NULL);
    char reason[160];

    if (!failed && setresgid(owner->st_gid, owner->st_gid, owner->st_gid) == 0 &&
        setresuid(owner->st_uid, owner->st_uid, owner->st_uid) == 0)
        return CMD_OK;
    cmd_complain("cannot become user %lu, who owns %s: %s", (unsigned long)owner->st_uid, directory,
                 cmd_reason(errno, reason));
    return CMD_FAILED;
}

static int cannot_open(const char *directory, apr_status_t status, const struct stat *info)
{
    const struct passwd *user = info ? getpwuid(info->st_uid) : NULL;
    char reason[160];

    if (status == EACCES && user)
        cmd_complain("%s: it belongs to user %s: run this as that user, or as root", directory, user->pw_name);
    else if (status == EACCES)
        cmd_complain("%s: permission denied: run this as the user of httpd's children, or as root", directory);
    else if (status == ENOENT)
        cmd_complain("%s: there is no such directory: httpd makes it when it starts with mod_bthttp; --state-dir names another",
                     directory);
    else
        cmd_complain("%s: %s", directory, cmd_reason(status, reason));
    return CMD_FAILED;
}

static int find_catalogue(const char *directory, const struct stat *info, apr_pool_t *pool)
{
    if (access(apr_pstrcat(pool, directory, "/catalog.mdb", NULL), F_OK) == 0)
        return CMD_OK;
    if (errno != ENOENT)
        return cannot_open(directory, errno, info);
    cmd_complain("%s: there is no catalogue in it", directory);
    return CMD_FAILED;
}

int cmd_state_open(cat_catalog **catalog, const char *directory, int make, apr_pool_t *pool)
{
    struct stat info;
    apr_status_t status;

    if (stat(directory, &info) != 0)
        return cannot_open(directory, errno, NULL);
    if (!S_ISDIR(info.st_mode))
        return cannot_open(directory, ENOTDIR, NULL);
    if (geteuid() == 0 && info.st_uid != 0 && become(&info, directory) != CMD_OK)
        return CMD_FAILED;
    if (!make && find_catalogue(directory, &info, pool) != CMD_OK)
        return CMD_FAILED;
    status = cat_open(catalog, directory, pool);
    return status == APR_SUCCESS ? CMD_OK : cannot_open(directory, status, &info);
}

int cmd_state_failed(apr_status_t status)
{
    char reason[160];

    cmd_complain("the catalogue: %s", status == ENOSPC ? "the disk is full" : cmd_reason(status, reason));
    return CMD_FAILED;
}

/* --- paths ---------------------------------------------------------------------------------------------------------- */

const char *cmd_absolute(const char *path, apr_pool_t *pool)
{
    char *merged;

    return apr_filepath_merge(&merged, NULL, path, 0, pool) == APR_SUCCESS ? merged : path;
}

int cmd_is_below(const char *path, const char *directory)
{
    apr_size_t length = strlen(directory);

    if (length && directory[length - 1] == '/')
        return strncmp(path, directory, length) == 0;
    return strncmp(path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* --- signals -------------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t signal_that_came;

static void note_signal(int number)
{
    signal_that_came = number;
}

void cmd_catch_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* whoever stops reading what we say does not stop the work */
}

int cmd_signal(void)
{
    return signal_that_came;
}
