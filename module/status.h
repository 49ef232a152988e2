/* What the module has done, in numbers: status, status.json and metrics. Under BTHTTPPath they answer to this machine
 * only; mounted elsewhere, to whom httpd lets in. */
#ifndef BTH_STATUS_H
#define BTH_STATUS_H

#include <httpd.h>

/** Handler "bthttp-status": the page for people, or JSON if the URL's path ends in ".json". */
int bth_status_handler(request_rec *r);

/** Handler "bthttp-metrics". */
int bth_metrics_handler(request_rec *r);

#endif
