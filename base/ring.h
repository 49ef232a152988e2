/* APR's rings, with the compiler's own offsetof: APR's subtracts from a null pointer, which clang refuses. */
#ifndef BT_RING_H
#define BT_RING_H

#include <stddef.h>

#include <apr_ring.h>

#undef APR_OFFSETOF
#define APR_OFFSETOF(type, field) offsetof(type, field)

#endif
