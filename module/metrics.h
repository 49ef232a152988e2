/* The figures as OpenMetrics 1.0, for Prometheus and its like. */
#ifndef BTH_METRICS_H
#define BTH_METRICS_H

#include "base/buf.h"
#include "module/figures.h"

#define BTH_METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/**
 * Writes a family for each figure: "hashing.rate" is bthttp_hashing_rate, a counter's samples end in "_total". Which samples there are never
 * depends on their values.
 */
void bth_write_metrics(bt_buf *body, const bth_snapshot *snapshot);

#endif
