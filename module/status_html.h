/* The figures as a page for people: one document that needs no script and nothing from elsewhere. */
#ifndef BTH_STATUS_HTML_H
#define BTH_STATUS_HTML_H

#include "base/buf.h"
#include "module/figures.h"

/* What the page may load or run: nothing but its own style. */
#define BTH_STATUS_POLICY "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Writes the page; what never happened is left out where a figure has many values. */
void bth_write_html(bt_buf *body, const bth_snapshot *snapshot);

#endif
