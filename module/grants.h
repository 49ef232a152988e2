/* Notes of passed stranger tests, on requests' threads: many in one transaction, so that after a reload not every first announce of a
 * torrent waits for the disk. */
#ifndef BTH_GRANTS_H
#define BTH_GRANTS_H

#include "catalog/catalog.h"

/**
 * Notes that a published entry passed the test just now; not what somebody withdrew meanwhile. One thread writes, for all who come
 * while it does. What does not fit, or cannot be written, is tested again when it is asked for. Any thread; may wait for the disk.
 */
void bth_note_grant(const cat_entry *entry, int listed);

#endif
