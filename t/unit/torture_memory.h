/* Memory that runs short when a test says so: the linker sends malloc, calloc and realloc of our own objects here
 * (-Wl,--wrap), not those of libraries. The thread that arms it is spared, and so is a seeder that begins. */
#ifndef TORTURE_MEMORY_H
#define TORTURE_MEMORY_H

/**
 * From now on counts allocations of all threads but this one, and fails the nth.
 * @param nth       from 1
 * @param in_a_row  how many fail, that one included
 */
void torture_arm(int nth, int in_a_row);

/** All succeed again. @return how many there were since torture_arm() */
int torture_disarm(void);

#endif
