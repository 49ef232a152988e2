/* The forms in which a file's torrent is told: their names in headers, media types and alias URLs. Pure. */
#ifndef BTH_FORMS_H
#define BTH_FORMS_H

typedef enum {
    BTH_FORM_TORRENT, /* BEP 3, 52 */
    BTH_FORM_MAGNET,  /* BEP 9: one line of text */
    BTH_FORM_METALINK /* RFC 5854 */
} bth_form;

enum { BTH_FORMS = 3 };

#define BTH_FORM_BIT(form) (1u << (form))

/** In X-BT-Accept and X-BT-Status: "torrent", "magnet", "metalink". */
const char *bth_form_word(bth_form form);

/** Its media type. */
const char *bth_form_type(bth_form form);

/** What follows the file's name in the alias URL and in a saved file: ".torrent", ".magnet", ".meta4". */
const char *bth_form_suffix(bth_form form);

#endif
