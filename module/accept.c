#include "module/accept.h"

#include <string.h>
#include <strings.h>

/* An element of the list while it is read. */
typedef struct {
    int is_known, is_wildcard;
    bth_choice choice;
} element;

typedef struct {
    const char *at;
    apr_size_t length;
} token;

static int is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t");
}

/* A media type is two tokens with a slash between: `extra` is that slash, or 0. */
static const char *read_token(const char *at, char extra, token *out)
{
    out->at = at;
    while (is_token_char(*at) || (extra && *at == extra))
        at++;
    out->length = (apr_size_t)(at - out->at);
    return out->length ? at : NULL;
}

static int token_is(const token *word, const char *name)
{
    return word->length == strlen(name) && strncasecmp(word->at, name, word->length) == 0;
}

static const char *read_quoted(const char *at, token *out)
{
    out->at = ++at;
    while (*at && *at != '"')
        at += *at == '\\' && at[1] ? 2 : 1;
    out->length = (apr_size_t)(at - out->at);
    return *at ? at + 1 : NULL;
}

/* RFC 9110, 12.4.2: 0 to 1 with at most three decimals. @return thousandths, or -1 */
static int parse_quality(const token *word)
{
    int quality, scale = 100;

    if (word->length < 1 || word->length > 5 || (word->at[0] != '0' && word->at[0] != '1'))
        return -1;
    if (word->length > 1 && word->at[1] != '.')
        return -1;
    quality = word->at[0] == '1' ? 1000 : 0;
    for (apr_size_t i = 2; i < word->length; i++, scale /= 10) {
        if (word->at[i] < '0' || word->at[i] > '9')
            return -1;
        quality += (word->at[i] - '0') * scale;
    }
    return quality <= 1000 ? quality : -1;
}

/* Whole seconds, or with decimals. @return microseconds, or -1; more than a day is a day */
static apr_time_t parse_seconds(const token *word)
{
    const apr_time_t day = apr_time_from_sec(86400);
    apr_time_t value = 0, unit = 0;

    for (apr_size_t i = 0; i < word->length; i++) {
        char c = word->at[i];

        if (c == '.' && !unit && i > 0 && i + 1 < word->length) {
            unit = APR_USEC_PER_SEC;
        } else if (c < '0' || c > '9') {
            return -1;
        } else if (unit) {
            unit /= 10;
            value += (c - '0') * unit;
        } else {
            value = value * 10 + apr_time_from_sec(c - '0');
            value = value > day ? day : value;
        }
    }
    return word->length ? value : -1;
}

static int parse_versions(const token *word)
{
    if (token_is(word, "1"))
        return BTH_TAKES(TG_V1) | BTH_TAKES(TG_HYBRID);
    if (token_is(word, "2"))
        return BTH_TAKES(TG_V2) | BTH_TAKES(TG_HYBRID);
    if (token_is(word, "hybrid"))
        return BTH_TAKES(TG_HYBRID);
    return -1;
}

/* @return 0 if a parameter that we know has a value that we do not understand */
static int apply_param(element *item, const token *name, const token *value)
{
    if (token_is(name, "q"))
        return (item->choice.quality = parse_quality(value)) >= 0;
    if (token_is(name, "v"))
        return (item->choice.versions = parse_versions(value)) >= 0;
    if (token_is(name, "wait"))
        return (item->choice.wait = parse_seconds(value)) >= 0;
    return 1;
}

static const char *read_params(const char *at, element *item)
{
    token name, value;

    for (at = skip_space(at); *at == ';'; at = skip_space(at)) {
        at = read_token(skip_space(at + 1), 0, &name);
        if (!at)
            return NULL;
        value = (token){at, 0};
        if (*at == '=')
            at = at[1] == '"' ? read_quoted(at + 1, &value) : read_token(at + 1, 0, &value);
        if (!at || !apply_param(item, &name, &value))
            return NULL;
    }
    return at;
}

/* What a naive client says is a torrent. @return 0 for a form that nobody here knows */
static int recognize(const token *word, bth_form *form)
{
    static const char *const naive[] = {"*", "1", "yes", "true", "on"};

    for (int i = 0; i < BTH_FORMS; i++) {
        *form = (bth_form)i;
        if (token_is(word, bth_form_word(*form)) || token_is(word, bth_form_type(*form)))
            return 1;
    }
    *form = BTH_FORM_TORRENT;
    for (apr_size_t i = 0; i < sizeof naive / sizeof *naive; i++)
        if (token_is(word, naive[i]))
            return 1;
    return 0;
}

static const char *read_element(const char *at, element *item)
{
    token form;

    memset(item, 0, sizeof *item);
    item->choice = (bth_choice){BTH_FORM_TORRENT, BTH_TAKES_ANY, 1000, -1};
    at = read_token(at, '/', &form);
    if (!at || *form.at == '/' || at[-1] == '/')
        return NULL;
    item->is_wildcard = token_is(&form, "*");
    item->is_known = recognize(&form, &item->choice.form);
    at = read_params(at, item);
    return at && (*at == ',' || *at == '\0') ? at : NULL;
}

/* Keeps the list in order of quality; equals stay in the order in which they were written. */
static void insert_choice(bth_accept *accept, const bth_choice *choice)
{
    int place = accept->count;

    if (choice->quality == 0 || accept->count == BTH_ACCEPT_MAX)
        return;
    while (place > 0 && accept->choices[place - 1].quality < choice->quality) {
        accept->choices[place] = accept->choices[place - 1];
        place--;
    }
    accept->choices[place] = *choice;
    accept->count++;
}

void bth_accept_parse(const char *value, bth_accept *accept)
{
    bth_accept with_wildcards = {.count = 0};
    int torrent_named = 0;
    element item;

    *accept = with_wildcards;
    for (const char *at = value ? skip_space(value) : ""; *at; at = skip_space(at + (*at == ','))) {
        if (*at == ',')
            continue;
        at = read_element(at, &item);
        if (!at) {
            accept->count = 0;
            accept->is_said = 0;
            return;
        }
        accept->is_said = with_wildcards.is_said = 1;
        if (!item.is_known)
            continue;
        insert_choice(&with_wildcards, &item.choice);
        if (item.is_wildcard)
            continue;
        insert_choice(accept, &item.choice);
        torrent_named |= item.choice.form == BTH_FORM_TORRENT;
    }
    /* As in Accept, a form that is named is not what "*" stands for: "torrent;q=0, *" refuses torrents. */
    if (!torrent_named)
        *accept = with_wildcards;
}

/* --- Accept ---------------------------------------------------------------- */

/* Reads a media range and its weight; other parameters are those of the type. @return 0 if it breaks the grammar */
static int read_range(const char *at, token *type, int *quality)
{
    token name, value;

    *quality = 1000;
    at = read_token(at, '/', type);
    for (at = at ? skip_space(at) : NULL; at && *at == ';'; at = at ? skip_space(at) : NULL) {
        at = read_token(skip_space(at + 1), 0, &name);
        value = (token){at, 0};
        if (at && *at == '=')
            at = at[1] == '"' ? read_quoted(at + 1, &value) : read_token(at + 1, 0, &value);
        if (at && token_is(&name, "q") && (*quality = parse_quality(&value)) < 0)
            return 0;
    }
    return at && (*at == ',' || *at == '\0');
}

/* The comma after an element; those in quoted strings are none. */
static const char *end_of_element(const char *at)
{
    token quoted;

    while (at && *at && *at != ',')
        at = *at == '"' ? read_quoted(at, &quoted) : at + 1;
    return at ? at : "";
}

void bth_accept_parse_types(const char *value, bth_accept *accept)
{
    bth_choice metalink = {BTH_FORM_METALINK, BTH_TAKES_ANY, 0, -1};
    int any = 0, quality;
    token type;

    *accept = (bth_accept){.count = 0};
    for (const char *at = value ? skip_space(value) : ""; *at; at = skip_space(at + (*at == ','))) {
        if (*at == ',')
            continue;
        if (read_range(at, &type, &quality)) {
            accept->is_said = 1;
            if (token_is(&type, bth_form_type(BTH_FORM_METALINK)) && quality > metalink.quality)
                metalink.quality = quality;
            else if (token_is(&type, "*/*") && quality > any)
                any = quality;
        }
        at = end_of_element(at);
    }
    if (metalink.quality >= any)
        insert_choice(accept, &metalink);
}

/* --- choosing -------------------------------------------------------------- */

const bth_choice *bth_accept_choose(const bth_accept *accept, tg_version version, unsigned forms)
{
    for (int i = 0; i < accept->count; i++)
        if ((accept->choices[i].versions & BTH_TAKES(version)) && (forms & BTH_FORM_BIT(accept->choices[i].form)))
            return &accept->choices[i];
    return NULL;
}

apr_time_t bth_accept_wait(const bth_choice *choice, apr_time_t limit)
{
    return choice && choice->wait >= 0 && choice->wait < limit ? choice->wait : limit;
}
