/* TLS client certificates: who lets in by them does not let in strangers. mod_ssl asks for them while the connection is
 * made, before there is a request that the stranger test could make, so the configuration itself is read. */
#ifndef BTH_CLIENT_CERTS_H
#define BTH_CLIENT_CERTS_H

#include <httpd.h>
#include <http_config.h>

/** Notes which virtual hosts have SSLVerifyClient (other than none) or SSLRequire anywhere: post_config. */
void bth_client_certs_read(const ap_directive_t *tree, server_rec *first, apr_pool_t *pconf);

/** Does this virtual host ask for certificates, be it for some of its files? Then none of them is for strangers. */
int bth_client_certs_wanted(const server_rec *s);

/** Came this request with a certificate? Then its grant says nothing about a stranger's (rules in .htaccess as well). */
int bth_client_cert_given(request_rec *r);

#endif
