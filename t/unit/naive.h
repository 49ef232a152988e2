/* The hashes of a file, computed in the plainest way from the whole file in memory: what the real ones must equal. */
#ifndef NAIVE_H
#define NAIVE_H

#include <stddef.h>
#include <stdint.h>

/** SHA-1 of each piece, 20 bytes each. @return malloc'd */
unsigned char *naive_v1(const unsigned char *data, size_t length, size_t piece_length);

/** The root of the tree over all blocks. `length` is not 0. */
void naive_root(const unsigned char *data, size_t length, unsigned char *root);

/** The nodes that stand `piece_length` above the leaves, one a piece, taken out of the whole tree. @return malloc'd */
unsigned char *naive_layer(const unsigned char *data, size_t length, size_t piece_length);

/** The node over blocks first to first + width - 1, straight from the definition. */
void naive_node(const unsigned char *data, size_t length, size_t first, size_t width, unsigned char *hash);

/** Makes a temporary directory, once. @return its path */
const char *naive_directory(void);

/** Writes a file there. @return its path, malloc'd */
char *naive_file(const char *name, const void *data, size_t length);

/** Removes the directory and the files in it. */
void naive_clean(void);

#endif
