/* All figures that the module tells of itself: one list of them, which every page that shows figures walks through
 * (status.json, status, metrics, and the section in mod_status). docs/protocol.md says what each means. */
#ifndef BTH_FIGURES_H
#define BTH_FIGURES_H

#include "catalog/catalog.h"
#include "seeder/counters.h"
#include "tracker/counters.h"
#include "tracker/swarms.h"

enum { BTH_TOP_MAX = 20 };

/* A swarm among the largest. */
typedef struct {
    trk_large swarm;
    const char *name; /* any bytes; "" if it is not published any more */
} bth_top;

/* What is not on the page of counters, or must be reckoned, at one moment. */
typedef struct {
    const seed_counters *page;
    const trk_counters *announces;
    trk_totals tracker, unpublished; /* swarms of what is published, and of what is not */
    trk_store_counters store;
    apr_uint64_t announce_rate; /* millionths a second */
    apr_uint64_t torrents;     /* published */
    apr_uint64_t banned;       /* addresses, now */
    apr_uint64_t upload_rate;  /* bytes a second; 0, as the next two, if the seeder does not measure any more */
    apr_uint64_t waiting;      /* peers, for their turn */
    apr_uint64_t saturated;    /* 1: the upload is at its limit */
    apr_uint64_t hashing_left; /* seconds, or BTH_UNKNOWN */
    apr_uint64_t scan_left;    /* likewise */
    bth_top top[BTH_TOP_MAX];  /* largest first; filled by bth_top_find */
    int top_count;
} bth_snapshot;

#define BTH_UNKNOWN APR_UINT64_MAX

/** Looks. `swarms`, `unpublished` and `catalog` may be NULL. Any thread; takes the tracker's locks one by one. */
void bth_snapshot_take(bth_snapshot *snapshot, const seed_counters *page, const trk_counters *announces, trk_swarms *swarms,
                       trk_swarms *unpublished, cat_catalog *catalog);

typedef enum {
    BTH_COUNTER, /* only rises, or begins anew */
    BTH_GAUGE,
    BTH_STATE /* an index into `words` */
} bth_figure_kind;

typedef enum { BTH_PLAIN, BTH_BYTES, BTH_BYTES_A_SECOND, BTH_SECONDS, BTH_MILLIONTHS /* told as a fraction */ } bth_figure_unit;

typedef enum { BTH_OF_PAGE, BTH_OF_ANNOUNCES, BTH_OF_SNAPSHOT } bth_figure_source;

enum { BTH_LABELS_MAX = 2 };

/* What tells a figure's values apart. */
typedef struct {
    const char *name;
    int count;
    const char *(*value)(int at); /* from 0 to count - 1 */
} bth_label;

/* Constant. */
typedef struct {
    const char *name;  /* in status.json: "hashing.rate" is in the object "hashing" */
    const char *label; /* for people */
    bth_figure_source source;
    apr_size_t offset; /* there, of an apr_uint64_t, or of an array of them if there are labels, the last one's values side by side */
    bth_figure_kind kind;
    bth_figure_unit unit;
    const char *const *words; /* of a state, ending with NULL */
    const bth_label *labels[BTH_LABELS_MAX];
} bth_figure;

typedef struct {
    const char *title;
    const bth_figure *figures; /* ends with a name of NULL */
} bth_section;

extern const bth_section bth_sections[]; /* ends with a title of NULL */

/* One value of one figure. */
typedef struct {
    const bth_section *section;
    const bth_figure *figure;
    int at;                             /* among the figure's values */
    const char *labels[BTH_LABELS_MAX]; /* their values; NULL: none */
    apr_uint64_t value;
} bth_row;

/** Goes to the next row, from a zeroed one to the first. @return 0 if there is none */
int bth_row_next(const bth_snapshot *snapshot, bth_row *row);

enum { BTH_ROW_TEXT = 128 };

/** Name and labels with dots: "closed.gone". @return `text` */
const char *bth_row_name(const bth_row *row, char text[BTH_ROW_TEXT]);

/** The same for people: "peers closed, gone". @return `text` */
const char *bth_row_label(const bth_row *row, char text[BTH_ROW_TEXT]);

/** The value: an integer (-1: unknown), a fraction, or a word. @return `text` */
const char *bth_row_text(const bth_row *row, char text[BTH_ROW_TEXT]);

/** Does it say no more than that something never happened? People need not see it. */
int bth_row_is_idle(const bth_row *row);

#endif
