/* Libraries that a file needs and the loader finds beside it, by $ORIGIN in its DT_RUNPATH or DT_RPATH. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __ELF__

enum { FILE_NAME_MAX = 256 };      /* bytes, the NUL included */

/* One file whose neighbours are looked for. */
typedef struct {
    ElfFile *file;
    const FileFacts *facts;
    char folder[PATH_MAX];         /* what $ORIGIN stands for */
    char paths[PATH_MAX];          /* of the dynamic section, separated by colons */
} Search;

/* A string of the file; false if it is longer than `size`, which is no name of a file then. */
static bool
read_string(Search *search, uint64_t at, char *to, size_t size)
{
    const ElfDynamic *dynamic = &search->file->dynamic;
    uint64_t strings = dynamic->value[DYN_STRTAB], strings_size = dynamic->value[DYN_STRSZ], offset;
    size_t room;

    if (at >= strings_size
        || !elf_locate(search->facts->headers, search->facts->header_count, strings, strings_size, &offset)) {
        return false;
    }
    room = strings_size - at < size ? (size_t)(strings_size - at) : size;
    return elf_pread(search->file, offset + at, to, room) && memchr(to, '\0', room) != NULL;
}

/* Write one element of the search path with the folder in place of $ORIGIN.  False if there is none in it, or another
 * variable, or if it becomes too long. */
static bool
expand(const Search *search, const char *element, size_t size, char to[PATH_MAX])
{
    static const char *const names[] = {"$ORIGIN", "${ORIGIN}"};
    size_t folder = strlen(search->folder), length = 0;
    bool found = false;

    for (size_t i = 0; i < size;) {
        size_t skipped = 0;

        for (size_t k = 0; k < 2; k++) {
            size_t name = strlen(names[k]);

            skipped = size - i >= name && memcmp(element + i, names[k], name) == 0 ? name : skipped;
        }
        if (length + (skipped > 0 ? folder : 1) >= PATH_MAX || (skipped == 0 && element[i] == '$')) {
            return false;
        }
        memcpy(to + length, skipped > 0 ? search->folder : element + i, skipped > 0 ? folder : 1);
        length += skipped > 0 ? folder : 1;
        i += skipped > 0 ? skipped : 1;
        found = found || skipped > 0;
    }
    to[length] = '\0';
    return found;
}

/* Take the file in, unless it is known, absent, or one too many. */
static int
add(Neighbours *neighbours, const char *path)
{
    FileIdentity identity;

    if (neighbours->count == NEIGHBOURS_MAX || elf_identify(path, &identity) != 0) {
        return 0;
    }
    for (size_t i = 0; i < neighbours->count; i++) {
        if (elf_same_file(&neighbours->files[i], &identity)) {
            return 0;
        }
    }
    neighbours->paths[neighbours->count] = strdup(path);
    if (neighbours->paths[neighbours->count] == NULL) {
        return -1;
    }
    neighbours->files[neighbours->count++] = identity;
    return 0;
}

static int
add_everywhere(const Search *search, const char *name, Neighbours *neighbours)
{
    const char *element = search->paths;

    for (const char *end; *element != '\0'; element = *end == '\0' ? end : end + 1) {
        char folder[PATH_MAX], path[PATH_MAX];

        end = element + strcspn(element, ":");
        if (expand(search, element, (size_t)(end - element), folder)
            && (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) < sizeof path && add(neighbours, path) != 0) {
            return -1;
        }
    }
    return 0;
}

static bool
begin(Search *search, const char *path)
{
    const ElfDynamic *dynamic = &search->file->dynamic;
    DynamicTag tag = (dynamic->present >> DYN_RUNPATH & 1) != 0 ? DYN_RUNPATH : DYN_RPATH;
    const char *slash = strrchr(path, '/');

    if ((dynamic->present >> tag & 1) == 0 || !read_string(search, dynamic->value[tag], search->paths, PATH_MAX)
        || strchr(search->paths, '$') == NULL) {
        return false;
    }
    return (size_t)snprintf(search->folder, PATH_MAX, "%.*s", slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path),
                            slash == NULL ? "." : path) < PATH_MAX;
}

int
needed_find(ElfFile *file, const FileFacts *facts, const char *path, Neighbours *neighbours)
{
    Search search;                 /* not zeroed: most files need none of it */

    search.file = file;
    search.facts = facts;
    if (!begin(&search, path)) {
        return 0;
    }
    for (size_t i = 0; i < file->dynamic_count; i++) {
        char name[FILE_NAME_MAX];
        ElfW(Dyn) entry;

        if (elf_pread(file, file->dynamic_offset + i * sizeof entry, &entry, sizeof entry) && entry.d_tag == DT_NEEDED
            && read_string(&search, entry.d_un.d_val, name, sizeof name) && strchr(name, '/') == NULL
            && add_everywhere(&search, name, neighbours) != 0) {
            return -1;
        }
    }
    return 0;
}

void
needed_free(Neighbours *neighbours)
{
    for (size_t i = 0; i < neighbours->count; i++) {
        free(neighbours->paths[i]);
    }
    neighbours->count = 0;
}

#else

typedef int NothingHere;

#endif /* __ELF__ */
