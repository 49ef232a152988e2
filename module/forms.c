#include "module/forms.h"

static const struct {
    const char *word, *type, *suffix;
} forms[BTH_FORMS] = {[BTH_FORM_TORRENT] = {"torrent", "application/x-bittorrent", ".torrent"},
                      [BTH_FORM_MAGNET] = {"magnet", "application/x-magnet", ".magnet"},
                      [BTH_FORM_METALINK] = {"metalink", "application/metalink4+xml", ".meta4"}};

const char *bth_form_word(bth_form form)
{
    return forms[form].word;
}

const char *bth_form_type(bth_form form)
{
    return forms[form].type;
}

const char *bth_form_suffix(bth_form form)
{
    return forms[form].suffix;
}
