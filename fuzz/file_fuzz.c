/* A fuzz target for the file check, which knows no Python: an input is a file, which stands in memory only.
 *
 * What is accepted is used as an opener would: its records are looked for, its exports are visited.  `make fuzz` builds
 * and runs it; seeds are libraries that fuzz/make_seeds.sh compiles. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "../tests/native/both_ways.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read every byte that is handed out. */
static int
visit_name(void *sum, const char *name)
{
    *(size_t *)sum += strlen(name);
    return 0;
}

static int
visit_symbol(void *sum, const char *name, const SymbolFacts *facts)
{
    *(size_t *)sum += facts->size;
    return visit_name(sum, name);
}

static void
use_accepted(const FileFacts *facts)
{
    Record found;

    for (size_t i = 0; i < facts->record_count; i++) {
        const Record *record = &facts->records[i];
        const char *key = record->kind == RECORD_DECLARE ? record->text : record->name;

        require(elf_find(facts, record->kind, key, strlen(key), &found) && found.text == record->text, "each record is found");
    }
    require(!elf_find(facts, RECORD_FUNC, "", 0, &found), "no function has an empty name");
    require(facts->header_count > 0, "an accepted file has headers");
}

/* The file that all inputs are written to, by its path. */
static const char *
write_input(const uint8_t *data, size_t size)
{
    static char path[64];
    static int fd = -1;

    if (fd < 0) {
        fd = memfd_create("input", MFD_CLOEXEC);
        require(fd >= 0, "a file in memory");
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    require(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size, "the input is written");
    return path;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = write_input(data, size);
    char reason[REASON_MAX];
    FileFacts facts;
    size_t sum = 0;
    FileStatus status = elf_read(path, &facts, reason);

    if (status == FILE_OK) {
        use_accepted(&facts);
    }
    else {
        require(status != FILE_ERRNO && status != FILE_NOT_REGULAR, "the system does not refuse");
        require(reason[0] != '\0' && memchr(reason, '\0', REASON_MAX) != NULL, "a refusal has a reason");
        require(facts.headers == NULL && facts.records == NULL, "a refusal leaves nothing to free");
    }
    compare_ways(path, &facts, status, reason);
    elf_free(&facts);
    elf_exports(path, visit_name, visit_symbol, &sum, reason);
    return 0;
}
