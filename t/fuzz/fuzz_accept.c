/* The values of X-BT-Accept and Accept: any bytes without a NUL. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "module/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const bth_accept *accept)
{
    if (accept->count < 0 || accept->count > BTH_ACCEPT_MAX)
        abort();
    for (int i = 0; i < accept->count; i++)
        if (accept->choices[i].quality <= 0 || accept->choices[i].versions <= 0 || (int)accept->choices[i].form >= BTH_FORMS ||
            (i > 0 && accept->choices[i].quality > accept->choices[i - 1].quality))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *value = malloc(size + 1);
    bth_accept accept;

    if (!value)
        abort();
    if (size)
        memcpy(value, data, size);
    value[size] = '\0';
    bth_accept_parse(value, &accept);
    check(&accept);
    bth_accept_parse_types(value, &accept);
    check(&accept);
    free(value);
    return 0;
}
