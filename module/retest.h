/* The stranger test again while a load of the configuration lasts: an .htaccess file, a list of addresses or the hour
 * may have changed. What is asked for is tested again once a second, but all of it together in no more than a fiftieth
 * of a core in each child. */
#ifndef BTH_RETEST_H
#define BTH_RETEST_H

#include "catalog/catalog.h"

/** Has a file not been tested for a second, and may it be now? Any thread, never blocks. */
int bth_retest_is_due(const cat_entry *entry);

/**
 * The same, and the one who is told so is to make the test. Any thread, never blocks.
 * @return when it begins; 0: it is not due
 */
apr_time_t bth_retest_begin(const cat_entry *entry);

/** It is made. @param began  as bth_retest_begin said */
void bth_retest_end(apr_time_t began);

#endif
