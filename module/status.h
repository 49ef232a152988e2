/* What the module has done, in numbers: status.json. */
#ifndef BTH_STATUS_H
#define BTH_STATUS_H

#include <httpd.h>

/** Handler "bthttp-status". Under BTHTTPPath it answers to this machine only; mounted elsewhere, to whom httpd lets in. */
int bth_status_handler(request_rec *r);

#endif
