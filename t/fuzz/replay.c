/* A main for fuzz targets that are built without libFuzzer: gives each file of a corpus to LLVMFuzzerTestOneInput, so
 * that `make check` runs every input that the fuzzer ever found worth keeping.
 *
 *   fuzz_x [DIR | FILE]...     without arguments: $srcdir/t/fuzz/corpus/x
 *
 * An empty or unreadable corpus is a failure: it would test nothing. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void give_up(const char *what, const char *path)
{
    fprintf(stderr, "%s: %s: %s\n", path, what, errno ? strerror(errno) : "not as expected");
    exit(1);
}

static void replay_file(const char *path, size_t size)
{
    uint8_t *data = malloc(size ? size : 1); /* exactly as large as the input, so that reading past it is seen */
    FILE *file = fopen(path, "rb");

    if (!data || !file || fread(data, 1, size, file) != size)
        give_up("cannot read", path);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static int replay_path(const char *path);

static int replay_directory(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    int replayed = 0;

    if (!directory)
        give_up("cannot open", path);
    while ((entry = readdir(directory))) {
        char inside[4096];

        if (entry->d_name[0] == '.')
            continue;
        if ((size_t)snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name) >= sizeof inside)
            give_up("name too long", path);
        replayed += replay_path(inside);
    }
    closedir(directory);
    return replayed;
}

/* @return the number of inputs */
static int replay_path(const char *path)
{
    struct stat info;

    errno = 0;
    if (stat(path, &info) != 0)
        give_up("cannot stat", path);
    if (S_ISDIR(info.st_mode))
        return replay_directory(path);
    replay_file(path, (size_t)info.st_size);
    return 1;
}

static void corpus_of(const char *program, char *path, size_t size)
{
    const char *slash = strrchr(program, '/');
    const char *name = strstr(slash ? slash : program, "fuzz_");
    const char *srcdir = getenv("srcdir");

    errno = 0;
    if (!name || (size_t)snprintf(path, size, "%s/t/fuzz/corpus/%s", srcdir ? srcdir : ".", name + 5) >= size)
        give_up("no corpus by that name", program);
}

int main(int argc, char **argv)
{
    char corpus[4096];
    int replayed = 0;

    for (int i = 1; i < argc; i++)
        replayed += replay_path(argv[i]);
    if (argc == 1) {
        corpus_of(argv[0], corpus, sizeof corpus);
        replayed = replay_path(corpus);
    }
    errno = 0;
    if (replayed == 0)
        give_up("the corpus is empty", argc > 1 ? argv[1] : corpus);
    printf("%d inputs\n", replayed);
    return 0;
}
