#include "tracker/redis_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tracker/address.h"

/* A connection that hears nothing for a while is asked whether it lives. */
#define PROVE_EVERY apr_time_from_sec(2)
#define SILENT_LIMIT apr_time_from_sec(5)

static int fail(trk_redis_link *link, const char *what)
{
    snprintf(link->why, sizeof link->why, "%.150s", what);
    return 0;
}

static int fail_of(trk_redis_link *link, const redisContext *of)
{
    if (of->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK))
        return fail(link, "no answer in time");
    return fail(link, of->errstr);
}

void trk_link_close(trk_redis_link *link)
{
    if (link->commands)
        redisFree(link->commands);
    if (link->bulletins)
        redisFree(link->bulletins);
    link->commands = link->bulletins = NULL;
}

/* Takes the answer to one command. @return 0 if it is an error, or none came */
static int succeeded(trk_redis_link *link, redisContext *context)
{
    void *got = NULL;
    redisReply *reply;
    int good;

    if (redisGetReply(context, &got) != REDIS_OK)
        return fail_of(link, context);
    reply = got;
    good = reply->type != REDIS_REPLY_ERROR;
    if (!good)
        fail(link, reply->str);
    freeReplyObject(reply);
    return good;
}

static int log_in(trk_redis_link *link, redisContext *context, const trk_redis_place *place)
{
    if (place->user[0])
        redisAppendCommand(context, "AUTH %s %s", place->user, place->password);
    else if (place->password[0])
        redisAppendCommand(context, "AUTH %s", place->password);
    if (place->password[0] && !succeeded(link, context))
        return 0;
    redisAppendCommand(context, "SELECT %d", place->database);
    return succeeded(link, context);
}

static int connect_one(trk_redis_link *link, redisContext **context, const trk_redis_place *place)
{
    const struct timeval limit = {TRK_REDIS_WAIT_MS / 1000, TRK_REDIS_WAIT_MS % 1000 * 1000};

    *context = redisConnectWithTimeout(place->host, place->port, limit);
    if (!*context)
        return fail(link, "no memory");
    if ((*context)->err)
        return fail_of(link, *context);
    redisSetTimeout(*context, limit);
    return log_in(link, *context, place);
}

static void note_local(trk_redis_link *link)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } name;
    socklen_t length = sizeof name;
    trk_address local = {{0}, 0, 0};

    if (getsockname(link->commands->fd, &name.any, &length) == 0)
        trk_address_of_socket(&name.any, &local);
    link->local = trk_address_normal(&local);
    link->local.port = 0;
}

/* The channels of all databases are one space: so the name has the database. */
static int subscribe(trk_redis_link *link, const trk_redis_place *place)
{
    redisAppendCommand(link->bulletins, "SUBSCRIBE bthttp:bulletins:%d", place->database);
    return succeeded(link, link->bulletins);
}

/* Its answer is the time. */
static int ask_time(trk_redis_link *link, apr_time_t now)
{
    redisReply *reply;

    redisAppendCommand(link->commands, "TIME");
    if (!(reply = trk_link_reply(link)))
        return 0;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[0]->type == REDIS_REPLY_STRING) {
        link->ahead = strtoll(reply->element[0]->str, NULL, 10) - apr_time_sec(now);
        link->proven = now;
    } else {
        fail(link, reply->type == REDIS_REPLY_ERROR ? reply->str : "it does not say its time");
    }
    freeReplyObject(reply);
    return !link->why[0];
}

int trk_link_open(trk_redis_link *link, const trk_redis_place *place, apr_time_t now)
{
    memset(link, 0, sizeof *link);
    if (connect_one(link, &link->commands, place) && connect_one(link, &link->bulletins, place) && subscribe(link, place) &&
        ask_time(link, now)) {
        note_local(link);
        link->asked = link->heard = now;
        return 1;
    }
    trk_link_close(link);
    return 0;
}

redisReply *trk_link_reply(trk_redis_link *link)
{
    void *got = NULL;

    if (link->why[0] || redisGetReply(link->commands, &got) != REDIS_OK) {
        if (!link->why[0])
            fail_of(link, link->commands);
        return NULL;
    }
    return got;
}

int trk_link_prove(trk_redis_link *link, apr_time_t now)
{
    int done = 0;

    if (link->why[0])
        return 0;
    if ((now - link->proven >= PROVE_EVERY || now < link->proven) && !ask_time(link, now))
        return 0;
    if (now - link->heard >= SILENT_LIMIT && now - link->asked < SILENT_LIMIT)
        return fail(link, "no bulletins come");
    if (now - link->asked >= PROVE_EVERY && now - link->heard >= PROVE_EVERY) {
        redisAppendCommand(link->bulletins, "PING");
        while (!done)
            if (redisBufferWrite(link->bulletins, &done) != REDIS_OK)
                return fail_of(link, link->bulletins);
        link->asked = now;
    }
    return 1;
}

/* @return 0 if nothing can be read now */
static int read_more(trk_redis_link *link, apr_time_t now)
{
    struct pollfd poller = {.fd = link->bulletins->fd, .events = POLLIN};

    if (poll(&poller, 1, 0) <= 0)
        return 0;
    if (redisBufferRead(link->bulletins) != REDIS_OK)
        return fail_of(link, link->bulletins);
    link->heard = now;
    return 1;
}

static int is_bulletin(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 && reply->element[0]->type == REDIS_REPLY_STRING &&
           strcmp(reply->element[0]->str, "message") == 0 && reply->element[2]->type == REDIS_REPLY_STRING;
}

redisReply *trk_link_hear(trk_redis_link *link, apr_time_t now)
{
    for (;;) {
        void *got = NULL;

        if (redisGetReplyFromReader(link->bulletins, &got) != REDIS_OK) {
            fail_of(link, link->bulletins);
            return NULL;
        }
        if (got && is_bulletin(got))
            return got;
        if (got)
            freeReplyObject(got);
        else if (!read_more(link, now))
            return NULL;
    }
}
