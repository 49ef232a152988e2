#include "module/agent.h"

#include <stdlib.h>
#include <string.h>

/* The number at `text`, saturated; *end is what follows it. */
static int number_at(const char *text, const char **end)
{
    int number = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        number = number < 100000 ? number * 10 + (*text - '0') : number;
    *end = text;
    return number;
}

int bth_agent_needs_v1(const char *agent)
{
    static const struct {
        const char *product;
        int major, minor; /* the first version that can */
    } old[] = {{"Transmission/", 4, 0}, {"aria2/", 1, 37}};

    for (size_t i = 0; agent && i < sizeof old / sizeof *old; i++) {
        const char *at = agent + strlen(old[i].product);
        int major, minor;

        if (strncmp(agent, old[i].product, strlen(old[i].product)) || *at < '0' || *at > '9')
            continue;
        major = number_at(at, &at);
        minor = *at == '.' ? number_at(at + 1, &at) : 0;
        return major < old[i].major || (major == old[i].major && minor < old[i].minor);
    }
    return 0;
}
