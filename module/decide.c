#include "module/decide.h"

static bth_verdict verdict(bth_action action, const char *status)
{
    return (bth_verdict){.action = action, .status = status};
}

static bth_verdict deliver(bth_form form)
{
    return (bth_verdict){.action = BTH_SEND_FORM, .form = form};
}

/* Why the file is not offered whatever the catalogue says, or NULL. */
static const char *refusal(const bth_facts *facts)
{
    if (!facts->enabled)
        return "off";
    if (facts->transformed)
        return "transformed";
    if (facts->size < facts->min_size || facts->size == 0) /* no client takes a torrent of nothing */
        return "too-small";
    if (facts->max_size >= 0 && facts->size > facts->max_size)
        return "too-large";
    return NULL;
}

/* The torrent is not wanted, but there may be one to tell of. */
static bth_verdict pass_plain(const bth_facts *facts)
{
    if (refusal(facts))
        return verdict(BTH_PASS, NULL);
    if (facts->torrent == BTH_TORRENT_UNASKED)
        return verdict(BTH_ASK_TORRENT, NULL);
    return verdict(facts->torrent == BTH_TORRENT_READY ? BTH_PASS_LINK : BTH_PASS_VARY, NULL);
}

/* The file in place of what was asked for. A client that asked by Accept is served as one that did not ask, so that it
 * makes no difference to it that the module is there. */
static bth_verdict refuse(const bth_facts *facts, const char *why)
{
    return facts->by_type ? pass_plain(facts) : verdict(BTH_PASS_STATUS, why);
}

static bth_verdict by_header(const bth_facts *facts)
{
    const char *why = refusal(facts);
    const bth_choice *choice;

    if (why)
        return refuse(facts, why);
    if (facts->stranger == BTH_STRANGER_UNASKED)
        return verdict(BTH_ASK_STRANGER, NULL);
    if (facts->stranger == BTH_STRANGER_MAY_NOT)
        return refuse(facts, "protected");
    switch (facts->torrent) {
    case BTH_TORRENT_UNASKED:
        return verdict(BTH_ASK_TORRENT, NULL);
    case BTH_TORRENT_NONE:
        if (!bth_accept_choose(facts->accept, facts->new_version, facts->forms))
            return refuse(facts, "unavailable");
        return verdict(BTH_ASK_MAKE, NULL);
    case BTH_TORRENT_READY:
        choice = bth_accept_choose(facts->accept, facts->version, facts->forms);
        return choice ? deliver(choice->form) : refuse(facts, "unavailable");
    case BTH_TORRENT_PENDING:
        return verdict(BTH_PASS_STATUS, "pending");
    case BTH_TORRENT_FAILED:
        break;
    }
    return refuse(facts, "unavailable");
}

static bth_verdict by_alias(const bth_facts *facts)
{
    if (refusal(facts) || !(facts->forms & BTH_FORM_BIT(facts->alias_form)))
        return verdict(BTH_SEND_NOT_FOUND, NULL);
    if (facts->stranger == BTH_STRANGER_UNASKED)
        return verdict(BTH_ASK_STRANGER, NULL);
    if (facts->stranger == BTH_STRANGER_MAY_NOT)
        return verdict(BTH_SEND_NOT_FOUND, NULL);
    switch (facts->torrent) {
    case BTH_TORRENT_UNASKED:
        return verdict(BTH_ASK_TORRENT, NULL);
    case BTH_TORRENT_NONE:
        return verdict(BTH_ASK_MAKE, NULL);
    case BTH_TORRENT_READY:
        return deliver(facts->alias_form);
    case BTH_TORRENT_PENDING:
        return verdict(BTH_SEND_WAIT, NULL);
    case BTH_TORRENT_FAILED:
        break;
    }
    return verdict(BTH_SEND_NOT_FOUND, NULL);
}

bth_verdict bth_decide(const bth_facts *facts)
{
    if (!facts->is_main_get || facts->force_file)
        return verdict(BTH_PASS, NULL);
    /* Where the module is off, "?torrent" is a query like any other. */
    if (facts->alias == BTH_ALIAS_QUERY && !facts->enabled)
        return verdict(BTH_PASS, NULL);
    if (facts->alias != BTH_ALIAS_NONE)
        return by_alias(facts);
    if (facts->accept->count == 0 || facts->has_range)
        return pass_plain(facts);
    return by_header(facts);
}
