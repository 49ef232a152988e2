#include "module/metrics.h"

#include <string.h>

#include <apr_strings.h>

static const char *family_of(const bth_figure *figure, char text[BTH_ROW_TEXT])
{
    apr_cpystrn(text, "bthttp_", BTH_ROW_TEXT);
    apr_cpystrn(text + strlen(text), figure->name, BTH_ROW_TEXT - strlen(text));
    for (char *at = text; *at; at++)
        if (*at == '.')
            *at = '_';
    return text;
}

/* Names and labels are our own and need no escaping. */
static void add_head(bt_buf *body, const bth_figure *figure, const char *family)
{
    static const char *const types[] = {[BTH_COUNTER] = "counter", [BTH_GAUGE] = "gauge", [BTH_STATE] = "stateset"};

    bt_buf_printf(body, "# TYPE %s %s\n# HELP %s %s\n", family, types[figure->kind], family, figure->label);
}

/* One sample for each state, which has the family's own name for a label. */
static void add_states(bt_buf *body, const bth_row *row, const char *family)
{
    char now[BTH_ROW_TEXT];

    bth_row_text(row, now);
    for (const char *const *word = row->figure->words; *word; word++)
        bt_buf_printf(body, "%s{%s=\"%s\"} %d\n", family, family, *word, !strcmp(*word, now));
}

static void add_sample(bt_buf *body, const bth_row *row, const char *family)
{
    char text[BTH_ROW_TEXT];

    bt_buf_printf(body, "%s%s", family, row->figure->kind == BTH_COUNTER ? "_total" : "");
    for (int i = 0; i < BTH_LABELS_MAX && row->labels[i]; i++)
        bt_buf_printf(body, "%s%s=\"%s\"", i ? "," : "{", row->figure->labels[i]->name, row->labels[i]);
    bt_buf_printf(body, "%s %s\n", row->labels[0] ? "}" : "", row->value == BTH_UNKNOWN ? "NaN" : bth_row_text(row, text));
}

void bth_write_metrics(bt_buf *body, const bth_snapshot *snapshot)
{
    bth_row row = {0};
    char family[BTH_ROW_TEXT];

    while (bth_row_next(snapshot, &row)) {
        family_of(row.figure, family);
        if (row.at == 0)
            add_head(body, row.figure, family);
        if (row.figure->kind == BTH_STATE)
            add_states(body, &row, family);
        else
            add_sample(body, &row, family);
    }
    bt_buf_add_string(body, "# EOF\n");
}
