#include "seeder/rules.h"

#include <string.h>

void seed_rules_init(seed_rules *rules, const seed_rule_bound *bounds)
{
    memset(rules, 0, sizeof *rules);
    rules->bounds = bounds;
}

/* The bucket is not filled drop by drop: that it is full at a certain time says how much is in it now. */
int seed_bucket_spend(apr_time_t *full, const seed_rule_bound *bound, apr_uint32_t units, apr_time_t now)
{
    apr_time_t then = (*full > now ? *full : now) + units * bound->each;

    if (then - now > bound->at_once * bound->each)
        return 0;
    *full = then;
    return 1;
}

int seed_rules_spend_many(seed_rules *rules, seed_rule rule, apr_uint32_t units, apr_time_t now)
{
    return seed_bucket_spend(&rules->full[rule], &rules->bounds[rule], units, now);
}

int seed_rules_spend(seed_rules *rules, seed_rule rule, apr_time_t now)
{
    return seed_rules_spend_many(rules, rule, 1, now);
}

void seed_rules_earn(seed_rules *rules, seed_rule rule)
{
    rules->full[rule] -= rules->bounds[rule].each;
}

seed_close_reason seed_rule_reason(seed_rule rule)
{
    static const seed_close_reason reasons[SEED_RULE_COUNT] = {
        [SEED_RULE_USELESS] = SEED_CLOSE_FLOOD,        [SEED_RULE_HAVE] = SEED_CLOSE_HAVE_FLOOD,
        [SEED_RULE_METADATA] = SEED_CLOSE_METADATA_FLOOD, [SEED_RULE_PEX] = SEED_CLOSE_PEX_FLOOD,
        [SEED_RULE_HASHES] = SEED_CLOSE_HASH_FLOOD,    [SEED_RULE_REQUEST] = SEED_CLOSE_REQUEST_FLOOD,
    };

    return reasons[rule];
}
