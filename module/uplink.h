/* Counts the bytes that HTTP sends, for BTHTTPUplink; without that directive it is not there. */
#ifndef BTH_UPLINK_H
#define BTH_UPLINK_H

#include <httpd.h>

/** check_config: before httpd's core asks who counts bytes. */
int bth_uplink_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

#endif
