#include "t/unit/naive.h"

#include <dirent.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/bth-unit-XXXXXX";
static int made;

unsigned char *naive_v1(const unsigned char *data, size_t length, size_t piece_length)
{
    unsigned char *hashes = malloc(20 * (length / piece_length + 1)), *out = hashes;

    for (size_t at = 0; at < length; at += piece_length, out += 20)
        SHA1(data + at, length - at < piece_length ? length - at : piece_length, out);
    return hashes;
}

void naive_node(const unsigned char *data, size_t length, size_t first, size_t width, unsigned char *hash)
{
    unsigned char children[64];

    if (width == 1 && first * 16384 >= length) {
        memset(hash, 0, 32);
    } else if (width == 1) {
        SHA256(data + first * 16384, length - first * 16384 < 16384 ? length - first * 16384 : 16384, hash);
    } else {
        naive_node(data, length, first, width / 2, children);
        naive_node(data, length, first + width / 2, width / 2, children + 32);
        SHA256(children, 64, hash);
    }
}

void naive_root(const unsigned char *data, size_t length, unsigned char *root)
{
    size_t width = 1;

    while (width * 16384 < length)
        width *= 2;
    naive_node(data, length, 0, width, root);
}

unsigned char *naive_layer(const unsigned char *data, size_t length, size_t piece_length)
{
    unsigned char *layer = malloc(32 * (length / piece_length + 1)), *out = layer;

    for (size_t at = 0; at < length; at += piece_length, out += 32)
        naive_node(data, length, at / 16384, piece_length / 16384, out);
    return layer;
}

const char *naive_directory(void)
{
    if (!made && !mkdtemp(directory))
        abort();
    made = 1;
    return directory;
}

char *naive_file(const char *name, const void *data, size_t length)
{
    size_t size = strlen(naive_directory()) + strlen(name) + 2;
    char *path = malloc(size);
    FILE *file;

    snprintf(path, size, "%s/%s", directory, name);
    file = fopen(path, "wb");
    if (!file || fwrite(data, 1, length, file) != length || fclose(file) != 0)
        abort();
    return path;
}

void naive_clean(void)
{
    DIR *open = made ? opendir(directory) : NULL;
    struct dirent *entry;

    while (open && (entry = readdir(open)))
        if (entry->d_name[0] != '.' && unlinkat(dirfd(open), entry->d_name, 0) != 0)
            abort();
    if (open)
        closedir(open);
    if (made && rmdir(directory) != 0)
        abort();
    made = 0;
}
