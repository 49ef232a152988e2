/* The figures as JSON. */
#ifndef BTH_STATUS_JSON_H
#define BTH_STATUS_JSON_H

#include "base/buf.h"
#include "module/figures.h"

/** Writes status.json: one object. */
void bth_write_json(bt_buf *body, const bth_snapshot *snapshot);

#endif
