#include "seeder/fair.h"

void seed_fair_init(seed_fair *fair, apr_size_t quantum)
{
    APR_RING_INIT(&fair->line, seed_flow, line);
    fair->quantum = (apr_int64_t)quantum;
}

void seed_flow_init(seed_flow *flow)
{
    APR_RING_ELEM_INIT(flow, line);
    flow->credit = 0;
    flow->waits = flow->begun = 0;
}

static void to_the_end(seed_fair *fair, seed_flow *flow)
{
    APR_RING_REMOVE(flow, line);
    APR_RING_INSERT_TAIL(&fair->line, flow, seed_flow, line);
    flow->begun = 0;
}

void seed_fair_add(seed_fair *fair, seed_flow *flow)
{
    if (flow->waits)
        return;
    flow->waits = 1;
    APR_RING_INSERT_TAIL(&fair->line, flow, seed_flow, line);
}

void seed_fair_remove(seed_fair *fair, seed_flow *flow)
{
    (void)fair;
    if (!flow->waits)
        return;
    APR_RING_REMOVE(flow, line);
    flow->waits = flow->begun = 0;
    if (flow->credit > 0)
        flow->credit = 0;
}

seed_flow *seed_fair_next(seed_fair *fair)
{
    while (!APR_RING_EMPTY(&fair->line, seed_flow, line)) {
        seed_flow *first = APR_RING_FIRST(&fair->line);

        if (!first->begun)
            first->credit += fair->quantum;
        first->begun = 1;
        if (first->credit > 0)
            return first;
        to_the_end(fair, first);
    }
    return NULL;
}

void seed_fair_spend(seed_fair *fair, seed_flow *flow, apr_size_t bytes)
{
    flow->credit -= (apr_int64_t)bytes;
    if (flow->credit <= 0 && flow->waits)
        to_the_end(fair, flow);
}
