/* The padding files of a collection (BEP 47), for clients that do not know what they are and ask a web seed for them:
 * "DIR/.pad/N" is N zeros. aria2 would never end without. */
#ifndef BTH_PADDING_H
#define BTH_PADDING_H

#include <httpd.h>

/** Handler hook. */
int bth_padding_handler(request_rec *r);

#endif
