/* HTTP of bench/drain: one file again and again, or some in turn. */
#include "bench/drain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_path(char *path)
{
    options.paths = reallocarray(options.paths, options.path_count + 1, sizeof *options.paths);
    if (!path || !options.paths)
        drain_die("out of memory");
    options.paths[options.path_count++] = path;
}

void drain_http_paths(char *name)
{
    FILE *file = *name == '@' ? fopen(name + 1, "r") : NULL;
    char line[1024];

    if (*name != '@') {
        add_path(name);
        return;
    }
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        add_path(strdup(line));
    }
    if (options.path_count == 0)
        drain_die("no paths in %s: %s", name + 1, strerror(errno));
    fclose(file);
}

void drain_http_ask(drain_conn *c)
{
    static size_t turn;
    char request[1200];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", options.paths[turn++ % options.path_count],
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
    c->responses++;
    if (!options.closing)
        drain_http_ask(c); /* the next one follows without a pause */
    drain_skip(c, length, 1);
    c->ended = 1;
    return 1;
}
