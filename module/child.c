#include "module/child.h"

static bth_child this_child;

const bth_child *bth_this_child(void)
{
    return &this_child;
}

bth_child *bth_own_child(void)
{
    return &this_child;
}
