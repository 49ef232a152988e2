/* Random numbers for the tracker's choices, many a second. */
#ifndef BTH_RANDOM_H
#define BTH_RANDOM_H

#include <apr.h>

/** Nobody can tell the next from those before, and it takes no system call. For choices, not for secrets. Any thread. */
apr_uint64_t bth_random(void);

#endif
