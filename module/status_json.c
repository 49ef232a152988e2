#include "module/status_json.h"

#include <string.h>

#include "module/escape.h"

/* Objects that are open, by the path of the last row: "closed" while at "closed.gone". */
typedef struct {
    bt_buf *body;
    char path[BTH_ROW_TEXT];
    int is_first; /* in its object */
} writer;

static void begin_member(writer *w)
{
    bt_buf_add_string(w->body, w->is_first ? "\n" : ",\n");
    w->is_first = 0;
}

static void add_key(writer *w, const char *key, apr_size_t length)
{
    begin_member(w);
    bt_buf_printf(w->body, "\"%.*s\": ", (int)length, key);
}

/* Closes the objects that are not those of `path`. @return how much of `path` is open, its dot included */
static apr_size_t close_others(writer *w, const char *path)
{
    for (;;) {
        apr_size_t length = strlen(w->path);
        char *dot = strrchr(w->path, '.');

        if (length == 0)
            return 0;
        if (!strncmp(path, w->path, length) && path[length] == '.')
            return length + 1;
        bt_buf_add_string(w->body, "}");
        w->is_first = 0;
        *(dot ? dot : w->path) = '\0';
    }
}

static void open_objects(writer *w, const char *path, apr_size_t done)
{
    const char *dot;

    while ((dot = strchr(path + done, '.')) != NULL) {
        add_key(w, path + done, (apr_size_t)(dot - path) - done);
        bt_buf_add_string(w->body, "{");
        w->is_first = 1;
        done = (apr_size_t)(dot - path) + 1;
        memcpy(w->path, path, done - 1);
        w->path[done - 1] = '\0';
    }
    add_key(w, path + done, strlen(path + done));
}

static void add_top(writer *w, const bth_snapshot *snapshot)
{
    char hex[2 * BT_HASH_SIZE + 1];

    add_key(w, "top", strlen("top"));
    bt_buf_add_string(w->body, "[");
    for (int i = 0; i < snapshot->top_count; i++) {
        const trk_large *swarm = &snapshot->top[i].swarm;

        bt_hex(hex, swarm->hash.b, sizeof swarm->hash.b);
        bt_buf_printf(w->body, "%s\n{\"info_hash\": \"%s\", \"name\": \"", i ? "," : "", hex);
        bth_add_json(w->body, snapshot->top[i].name);
        bt_buf_printf(w->body, "\", \"seeds\": %u, \"leechers\": %u, \"downloaded\": %u}", swarm->seeds, swarm->leechers, swarm->downloaded);
    }
    bt_buf_add_string(w->body, "]");
}

void bth_write_json(bt_buf *body, const bth_snapshot *snapshot)
{
    writer w = {body, "", 1};
    bth_row row = {0};
    char name[BTH_ROW_TEXT], text[BTH_ROW_TEXT];

    bt_buf_add_string(body, "{");
    while (bth_row_next(snapshot, &row)) {
        const char *quote = row.figure->kind == BTH_STATE ? "\"" : "";

        bth_row_name(&row, name);
        open_objects(&w, name, close_others(&w, name));
        bt_buf_printf(body, "%s%s%s", quote, bth_row_text(&row, text), quote);
    }
    close_others(&w, "");
    add_top(&w, snapshot);
    bt_buf_add_string(body, "\n}\n");
}
