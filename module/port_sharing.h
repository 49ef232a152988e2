/* Port sharing: peers come to httpd's own ports, and are passed on to the seeder. */
#ifndef BTH_PORT_SHARING_H
#define BTH_PORT_SHARING_H

#include <httpd.h>

/**
 * Process-connection hook, really first: looks at the first byte of a new connection without taking it. A peer's socket
 * goes to the mailbox, httpd's own copy is closed without a shutdown, and the MPM's thread is free at once.
 */
int bth_port_sharing(conn_rec *c);

#endif
