/* What elf_read and elf_read_open promise together, for the tests and for the fuzzer.  Compiled so that nearly all manifests
 * are large, the second reads in small pieces, and keeps no copy. */
#ifndef BOTH_WAYS_H
#define BOTH_WAYS_H

#include "native.h"
#include "require.h"

#include <string.h>

static void
require_same(const FileFacts *proven, const Record *record, const Record *in_order)
{
    const char *key = record->kind == RECORD_DECLARE ? record->text : record->name;
    Record found;

    require(elf_find(proven, record->kind, key, strlen(key), &found) && found.kind == record->kind
                && strcmp(found.name, record->name) == 0 && strcmp(found.text, record->text) == 0
                && found.size == record->size && found.align == record->align,
            "both find the same");
    require(!elf_find(proven, record->kind, key, strlen(key) + 1, &found), "a name with a NUL is not found");
    require(strcmp(in_order->name, record->name) == 0 && strcmp(in_order->text, record->text) == 0, "both have the same order");
}

/* `kept`, `status` and `reason` are what elf_read made of the file. */
static void
compare_ways(const char *path, const FileFacts *kept, FileStatus status, const char *reason)
{
    char other[REASON_MAX];
    FileFacts proven;
    Records all, rare;
    size_t seen = 0;

    require(elf_read_open(-1, path, &proven, other) == status && strcmp(other, reason) == 0, "both say the same");
    all = elf_records(&proven, false);
    rare = elf_records(&proven, true);
    require(all.count == kept->record_count && proven.has_init == kept->has_init, "both have as many records");
    require((proven.header == NULL) == (kept->header == NULL), "both have a header, or none");
    for (size_t i = 0; i < all.count; i++) {
        const Record *record = &kept->records[i];

        require_same(&proven, record, &all.items[i]);
        seen += seen < rare.count && rare.items[seen].kind == record->kind
                && strcmp(rare.items[seen].text, record->text) == 0;
    }
    require(seen == rare.count, "the rarer ones are among them, in order");
    elf_free(&proven);
}

#endif
