/* The seeder's figures on the page of counters: one list for status.json and for the section in mod_status. */
#ifndef BTH_FIGURES_H
#define BTH_FIGURES_H

#include "seeder/counters.h"

typedef enum {
    BTH_FIGURE_COUNT,
    BTH_FIGURE_SECONDS, /* the page counts microseconds */
    BTH_FIGURE_RECENT   /* holds while the seeder goes on measuring; otherwise it is 0 */
} bth_figure_kind;

/* Constant. docs/protocol.md lists each by its name. */
typedef struct {
    const char *name;  /* in status.json */
    const char *label; /* for people */
    apr_size_t offset; /* in seed_counters, of an apr_uint64_t */
    bth_figure_kind kind;
} bth_figure;

extern const bth_figure bth_figures[]; /* ends with a name of NULL */

/** What a figure is now. Any thread. */
apr_uint64_t bth_figure_value(const seed_counters *page, const bth_figure *figure);

enum { BTH_FIGURE_TEXT = 32 };

/** The same as text: an integer, or seconds with a fraction. @return `text` */
const char *bth_figure_text(const seed_counters *page, const bth_figure *figure, char text[BTH_FIGURE_TEXT]);

#endif
