/* A fuzz target for the file check, which knows no Python: an input is a file, which stands in memory only.
 *
 * What is accepted is used as an opener would: its records are looked for, its exports are visited.  `make fuzz` builds
 * and runs it; seeds are libraries that fuzz/make_seeds.sh compiles. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds, const char *claim)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", claim);
        abort();
    }
}

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

/* Of a manifest that is not kept the same is told as of one that is.  `make fuzz` makes nearly all of them large. */
static void
compare(const char *path, const FileFacts *kept, FileStatus status, const char *reason)
{
    char other[REASON_MAX];
    FileFacts proven;
    Records all;

    require(elf_read_open(-1, path, &proven, other) == status && strcmp(other, reason) == 0, "both say the same");
    all = elf_records(&proven, false);
    require(all.count == kept->record_count && proven.has_init == kept->has_init, "both have as many records");
    require((proven.header == NULL) == (kept->header == NULL), "both have a header, or none");
    for (size_t i = 0; i < all.count; i++) {
        const Record *record = &kept->records[i];
        const char *key = record->kind == RECORD_DECLARE ? record->text : record->name;
        Record found;

        require(elf_find(&proven, record->kind, key, strlen(key), &found) && found.kind == record->kind
                    && strcmp(found.name, record->name) == 0 && strcmp(found.text, record->text) == 0
                    && found.size == record->size && found.align == record->align,
                "both find the same");
        require(strcmp(all.items[i].text, record->text) == 0, "both have the same order");
    }
    elf_free(&proven);
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
    compare(path, &facts, status, reason);
    elf_free(&facts);
    elf_exports(path, visit_name, visit_symbol, &sum, reason);
    return 0;
}
