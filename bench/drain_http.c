/* HTTP of bench/drain: one file again and again. */
#include "bench/drain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void drain_http_ask(drain_conn *c)
{
    char request[1024];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", options.path,
                     options.closing ? "Connection: close\r\n" : "");

    if (n < 0 || (size_t)n >= sizeof request)
        drain_die("the path is too long");
    drain_send(c, request, (size_t)n);
}

/* Deals with one response's head. */
int drain_http_read(drain_conn *c)
{
    unsigned char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
    const char *field;
    uint64_t length;

    if (!end) {
        if (c->have == sizeof c->in)
            drain_die("the response's head is too long");
        return 0;
    }
    *end = '\0';
    if (strncmp((char *)c->in, "HTTP/1.1 200 ", 13) != 0)
        drain_die("httpd answers %.40s", (char *)c->in);
    field = strcasestr((char *)c->in, "\r\nContent-Length: ");
    length = field ? strtoull(field + 18, NULL, 10) : 0;
    if (length == 0)
        drain_die("a response without a length");
    drain_consume(c, (size_t)(end - c->in) + 4);
    if (!options.closing)
        drain_http_ask(c); /* the next one follows without a pause */
    drain_skip(c, length, 1);
    c->ended = 1;
    return 1;
}
