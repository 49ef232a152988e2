/* What a cat_catalog is, for the files of this room. */
#ifndef CAT_HANDLE_H
#define CAT_HANDLE_H

#include "catalog/catalog.h"
#include "catalog/env.h"

/* Read-only once made. */
struct cat_catalog {
    cat_env *env;
};

/** Takes an entry out of the database's memory. */
void cat_copy_entry(cat_entry *to, const cat_entry *from, apr_pool_t *pool);

#endif
