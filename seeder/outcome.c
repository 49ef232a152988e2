#include "seeder/outcome.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

void seed_outcome_published(seed_counters *counters, const seed_make *make, apr_status_t status)
{
    if (status == APR_SUCCESS) {
        bt_log(BT_LOG_INFO, 404, APR_SUCCESS, "made the torrent of %s", make->path);
        seed_count(&counters->hashed_files, 1);
    } else if (status != APR_EACCES) {
        /* A full disk the catalogue tells of, once a minute. */
        bt_log(status == APR_ENOSPC ? BT_LOG_INFO : BT_LOG_ERR, 405, status, "the torrent of %s could not be published", make->path);
        seed_count(&counters->hash_failures, 1);
    }
}

/* A file that changes or goes while it is read is nobody's fault. */
void seed_outcome_failed(seed_counters *counters, const seed_make *make, apr_status_t status, const char *culprit)
{
    const char *file = culprit ? culprit : make->path;
    int of_another = strcmp(file, make->path) != 0;

    seed_count(&counters->hash_failures, 1);
    if (status == APR_EBUSY)
        bt_log(BT_LOG_INFO, 416, APR_SUCCESS, "%s changes again and again while it is hashed: given up for now", file);
    else if (status == EFBIG)
        bt_log(BT_LOG_WARNING, 417, APR_SUCCESS, "%s: too large or too many files for a torrent that clients take",
               make->path);
    else if (status == APR_EINVAL)
        bt_log(BT_LOG_WARNING, 418, APR_SUCCESS, "%s is no file, or has no name, that can be in a torrent", file);
    else
        bt_log(APR_STATUS_IS_ENOENT(status) || status == APR_NOTFOUND ? BT_LOG_INFO : BT_LOG_WARNING, 403, status,
               "%s could not be hashed%s%s", file, of_another ? ", and so no torrent made of " : "",
               of_another ? make->path : "");
}

void seed_outcome_sidecar(const seed_make *make, const char *why)
{
    bt_log(BT_LOG_WARNING, 419, APR_SUCCESS, "%s is left alone, a torrent of %s is made instead: %s", make->sidecar,
           make->path, why);
}
