/* What a small manifest promises that was let go of.  Linked with --wrap for malloc and calloc. */
#ifndef SETTLED_WAYS_H
#define SETTLED_WAYS_H

#include "both_ways.h"

/* ------------------------------------------------------------------ few blocks of memory */

static int blocks_left = -1;       /* -1: as many as there are */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static int
take_block(void)
{
    blocks_left -= blocks_left > 0;
    return blocks_left != 0;
}

void *
__wrap_malloc(size_t size)
{
    return take_block() ? __real_malloc(size) : NULL;
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return take_block() ? __real_calloc(count, size) : NULL;
}

/* ------------------------------------------------------------------ reading again */

/* Where memory is short a record says so, and says nothing else when there is enough.  How many blocks it takes. */
static int
read_with_few_blocks(const FileFacts *facts)
{
    for (int blocks = 1;; blocks++) {
        Records records;
        Record found;

        blocks_left = blocks;      /* the last of them is not given */
        records = elf_records(facts, false);
        blocks_left = blocks;
        if (!elf_find(facts, RECORD_FUNC, "", 0, &found)) {
            blocks_left = -1;
            return blocks - 1;
        }
        blocks_left = -1;
        require(strstr(found.text, "memory") != NULL && records.count == 1, "what is lost says so");
        require(strstr(records.items[0].text, "memory") != NULL, "whoever asks");
    }
}

/* What was let go of is read again as it was. */
static void
compare_settled(const char *path, void *handle, bool is_unused)
{
    FileFacts kept, facts;
    char reason[REASON_MAX];

    require(elf_read(path, &kept, reason) == FILE_OK && elf_read(path, &facts, reason) == FILE_OK, reason);
    require(image_matches(handle, &facts, is_unused, reason) == 1, reason);
    require(facts.headers == NULL && (facts.notes == NULL) == (is_unused || kept.record_count == 0), "it is let go of");
    require(kept.record_count == 0 || read_with_few_blocks(&facts) == (is_unused ? 4 : 0), "each block can be missing");
    require(elf_records(&facts, false).count == kept.record_count, "as many records");
    for (size_t i = 0; i < kept.record_count; i++) {
        require_same(&facts, &kept.records[i], &elf_records(&facts, false).items[i]);
    }
    elf_free(&facts);
    elf_free(&kept);
}

#endif
