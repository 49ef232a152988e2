#include "catalog/resident.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

long long cat_resident_bytes(void)
{
    long long size, resident, shared = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file)
        return 0;
    if (fscanf(file, "%lld %lld %lld", &size, &resident, &shared) != 3)
        shared = 0;
    fclose(file);
    return shared * sysconf(_SC_PAGESIZE);
}

/* LMDB does not say where its map is; the system does. */
static int find_map(MDB_env *mdb, uintptr_t *start, size_t *length)
{
    unsigned long long from, to, offset, inode;
    char line[512], mode[5];
    MDB_envinfo info;
    struct stat stat;
    FILE *file;
    int fd, found = 0;

    if (mdb_env_get_fd(mdb, &fd) != 0 || fstat(fd, &stat) != 0 || mdb_env_info(mdb, &info) != 0 ||
        (file = fopen("/proc/self/maps", "re")) == NULL)
        return 0;
    while (!found && fgets(line, sizeof line, file))
        found = sscanf(line, "%llx-%llx %4s %llx %*s %llu", &from, &to, mode, &offset, &inode) == 5 &&
                inode == stat.st_ino && offset == 0 && mode[3] == 's' && to - from == info.me_mapsize;
    fclose(file);
    *start = (uintptr_t)from;
    *length = info.me_mapsize;
    return found;
}

void cat_resident_drop(MDB_env *mdb)
{
    uintptr_t start;
    size_t length;

    if (find_map(mdb, &start, &length))
        madvise((void *)start, length, MADV_DONTNEED);
}
