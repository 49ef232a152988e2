#include "module/status_html.h"

#include <stdio.h>
#include <string.h>

#include "module/escape.h"

static const char head[] = "<!DOCTYPE html>\n"
                           "<html lang=\"en\">\n"
                           "<head>\n"
                           "<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width\">\n"
                           "<title>BitTorrent (mod_bthttp)</title>\n"
                           "<style>\n"
                           ":root { color-scheme: light dark; font-family: sans-serif; }\n"
                           "body { margin: 2em auto; max-width: 72em; padding: 0 1em; }\n"
                           "main { columns: 28em; column-gap: 3em; }\n"
                           "section { margin-bottom: 2em; }\n"
                           "h2 { break-after: avoid; }\n"
                           "table { border-collapse: collapse; width: 100%; }\n"
                           "tr { border-bottom: 1px solid #8884; break-inside: avoid; }\n"
                           "th { font-weight: normal; overflow-wrap: anywhere; text-align: left; }\n"
                           "th, td { padding: .2em 0 .2em 1em; }\n"
                           "th:first-child { padding-left: 0; }\n"
                           "th + th { text-align: right; }\n"
                           "td { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }\n"
                           "</style>\n"
                           "</head>\n"
                           "<body>\n"
                           "<h1>BitTorrent (mod_bthttp)</h1>\n"
                           "<main>\n";

static const char tail[] = "</main>\n</body>\n</html>\n";

/* 1234567 becomes 1,234,567. */
static void grouped(apr_uint64_t value, char text[BTH_ROW_TEXT])
{
    char digits[BTH_ROW_TEXT], *to = text;
    int length = snprintf(digits, sizeof digits, "%" APR_UINT64_T_FMT, value);

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
}

static void bytes(apr_uint64_t value, const char *suffix, char text[BTH_ROW_TEXT])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double amount = (double)value / 1024;
    int unit = 0;

    if (value < 1024) {
        snprintf(text, BTH_ROW_TEXT, "%u bytes%s", (unsigned)value, suffix);
        return;
    }
    for (; amount >= 1023.95; unit++)
        amount /= 1024;
    snprintf(text, BTH_ROW_TEXT, "%.1f %s%s", amount, units[unit], suffix);
}

static void time_span(apr_uint64_t seconds, char text[BTH_ROW_TEXT])
{
    unsigned rest = (unsigned)(seconds % 86400);
    apr_uint64_t days = seconds / 86400;

    if (days)
        snprintf(text, BTH_ROW_TEXT, "%" APR_UINT64_T_FMT " d %02u:%02u:%02u", days, rest / 3600, rest / 60 % 60, rest % 60);
    else
        snprintf(text, BTH_ROW_TEXT, "%u:%02u:%02u", rest / 3600, rest / 60 % 60, rest % 60);
}

/* A value as people read it. */
static const char *readable(const bth_row *row, char text[BTH_ROW_TEXT])
{
    if (row->figure->kind == BTH_STATE)
        return bth_row_text(row, text);
    if (row->value == BTH_UNKNOWN)
        return "unknown";
    switch (row->figure->unit) {
    case BTH_BYTES:
        bytes(row->value, "", text);
        break;
    case BTH_BYTES_A_SECOND:
        bytes(row->value, "/s", text);
        break;
    case BTH_SECONDS:
        time_span(row->value, text);
        break;
    case BTH_MILLIONTHS:
        return bth_row_text(row, text);
    case BTH_PLAIN:
        grouped(row->value, text);
        break;
    }
    return text;
}

/* Titles, labels and words are our own and need no escaping. */
static void add_row(bt_buf *body, const bth_row *row)
{
    char label[BTH_ROW_TEXT], exact[BTH_ROW_TEXT], text[BTH_ROW_TEXT];

    bt_buf_printf(body, "<tr><th scope=\"row\">%s</th><td title=\"%s\">%s</td></tr>\n", bth_row_label(row, label),
                  bth_row_text(row, exact), readable(row, text));
}

static void add_top(bt_buf *body, const bth_snapshot *snapshot)
{
    char hex[2 * BT_HASH_SIZE + 1];

    bt_buf_add_string(body, "<section>\n<h2>Largest swarms</h2>\n<table>\n<tr><th scope=\"col\">torrent</th><th scope=\"col\">seeds</th>"
                            "<th scope=\"col\">leechers</th><th scope=\"col\">downloaded</th></tr>\n");
    for (int i = 0; i < snapshot->top_count; i++) {
        const trk_large *swarm = &snapshot->top[i].swarm;

        bt_hex(hex, swarm->hash.b, sizeof swarm->hash.b);
        bt_buf_printf(body, "<tr><th scope=\"row\" title=\"%s\"><bdi>", hex);
        bth_add_html(body, *snapshot->top[i].name ? snapshot->top[i].name : hex);
        bt_buf_printf(body, "</bdi></th><td>%u</td><td>%u</td><td>%u</td></tr>\n", swarm->seeds, swarm->leechers, swarm->downloaded);
    }
    bt_buf_add_string(body, "</table>\n</section>\n");
}

void bth_write_html(bt_buf *body, const bth_snapshot *snapshot)
{
    const bth_section *section = NULL;
    bth_row row = {0};

    bt_buf_add_string(body, head);
    while (bth_row_next(snapshot, &row)) {
        if (row.section != section)
            bt_buf_printf(body, "%s<section>\n<h2>%s</h2>\n<table>\n", section ? "</table>\n</section>\n" : "", row.section->title);
        section = row.section;
        if (!bth_row_is_idle(&row))
            add_row(body, &row);
    }
    bt_buf_add_string(body, "</table>\n</section>\n");
    if (snapshot->top_count)
        add_top(body, snapshot);
    bt_buf_add_string(body, tail);
}
