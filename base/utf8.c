#include "base/utf8.h"

int bt_utf8_length(const unsigned char *at)
{
    int length = *at < 0x80                 ? 1
                 : *at >= 0xc2 && *at < 0xe0 ? 2
                 : *at >= 0xe0 && *at < 0xf0 ? 3
                 : *at >= 0xf0 && *at < 0xf5 ? 4
                                             : 0;

    for (int i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) || (*at == 0xf0 && at[1] < 0x90) ||
        (*at == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

unsigned long bt_utf8_code(const unsigned char *at, int length)
{
    unsigned long code = length == 1 ? *at : *at & (0xffu >> (length + 1));

    for (int i = 1; i < length; i++)
        code = code << 6 | (at[i] & 0x3fu);
    return code;
}
