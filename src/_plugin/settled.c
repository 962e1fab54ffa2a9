/* What stays of a file's facts once its library is mapped.  Of a small manifest that nobody has asked for a record, nothing
 * but what proves it: the loader has it mapped, and most of those who open many plugins use few.  The first record that is
 * wanted has all of them read again from there, and believed if they are what was checked.  Of a large manifest ledger.c
 * does so from the beginning. */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#ifdef __ELF__

#include <link.h>

struct Settled {
    const unsigned char *base;     /* load address; borrowed, like the headers, for as long as the library is mapped */
    const void *headers;           /* ElfW(Phdr) */
    size_t header_count;
    size_t notes_size;             /* bytes */
    uint64_t headers_proof, notes_proof;
    FileFacts *again;              /* owned, shared: notes, records and index as they were; NULL until they are wanted */
};

/* ------------------------------------------------------------------ reading again: NULL, or the text of what is lost */

static const char SHORT[] = "\"memory was too short to read it again\"";

/* Who can write to the file changes what is mapped: no number of it is used before all are proven. */
static const char *
copy_headers(const Settled *settled, FileFacts *again)
{
    size_t size = settled->header_count * sizeof(ElfW(Phdr));

    if (!elf_make_headers(again, settled->header_count)) {
        return SHORT;
    }
    memcpy(again->headers, settled->headers, size);
    return ledger_proof(again->headers, size) == settled->headers_proof ? NULL : LOST;
}

static const char *
copy_notes(const Settled *settled, FileFacts *again)
{
    const ElfW(Phdr) *segments = (const void *)again->headers;

    if (!elf_make_notes(again, settled->notes_size)) {
        return SHORT;
    }
    for (size_t i = 0; i < again->header_count; i++) {
        if (elf_note_is_mapped(segments, again->header_count, i)) {
            memcpy(again->notes + again->notes_size, settled->base + segments[i].p_vaddr, (size_t)segments[i].p_filesz);
            again->notes_size += (size_t)segments[i].p_filesz;
        }
    }
    return ledger_proof(again->notes, again->notes_size) == settled->notes_proof ? NULL : LOST;
}

static const char *
read_again(const Settled *settled, FileFacts *again)
{
    char reason[REASON_MAX];
    const char *lost = copy_headers(settled, again);

    lost = lost == NULL ? copy_notes(settled, again) : lost;
    if (lost == NULL && records_parse(again, reason) != FILE_OK) {
        lost = SHORT;              /* all else it has seen before */
    }
    elf_free_headers(again);
    return lost;
}

static void
free_again(FileFacts *again)
{
    if (again != NULL) {
        elf_free(again);
        free(again);
    }
}

/* Without a lock, which a fork would have to wait for: of several threads that read, one is believed.  NULL with `lost`. */
static const FileFacts *
facts_again(Settled *settled, const char **lost)
{
    FileFacts *found = __atomic_load_n(&settled->again, __ATOMIC_ACQUIRE), *made;

    if (found != NULL) {
        return found;
    }
    made = calloc(1, sizeof *made);
    *lost = made != NULL ? read_again(settled, made) : SHORT;
    if (*lost == NULL
        && __atomic_compare_exchange_n(&settled->again, &found, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        return made;
    }
    free_again(made);
    return found;
}

bool
settled_find(const FileFacts *facts, RecordKind kind, const char *name, size_t size, Record *record)
{
    const char *lost;
    const FileFacts *again = facts_again(facts->settled, &lost);

    if (again != NULL || memchr(name, '\0', size) != NULL) {
        return again != NULL && elf_find(again, kind, name, size, record);
    }
    *record = (Record){kind, 0, 0, "", lost};
    return true;
}

Records
settled_records(const FileFacts *facts)
{
    static const Record written_to = {RECORD_FUNC, 0, 0, LOST, LOST}, too_large = {RECORD_FUNC, 0, 0, SHORT, SHORT};
    const char *lost;
    const FileFacts *again = facts_again(facts->settled, &lost);

    if (again != NULL) {
        return elf_records(again, false);
    }
    return (Records){lost == SHORT ? &too_large : &written_to, 1};
}

/* ------------------------------------------------------------------ settling */

/* Where memory is short, all is kept. */
static void
let_go(FileFacts *facts, const void *headers, const unsigned char *base)
{
    Settled *settled = malloc(sizeof *settled);

    if (settled == NULL) {
        return;
    }
    *settled = (Settled){base, headers, facts->header_count, facts->notes_size,
                         ledger_proof(facts->headers, facts->header_count * sizeof(ElfW(Phdr))),
                         ledger_proof(facts->notes, facts->notes_size), NULL};
    free(facts->notes);
    free(facts->records);
    free(facts->index);
    facts->notes = NULL;
    facts->records = NULL;
    facts->index = NULL;
    facts->header = NULL;
    facts->notes_size = facts->record_count = facts->index_size = 0;
    facts->settled = settled;
}

void
settled_make(FileFacts *facts, const void *headers, const unsigned char *base, bool is_unused)
{
    if (facts->ledger == NULL && facts->record_count == 0) {
        free(facts->notes);
        facts->notes = NULL;
        facts->notes_size = 0;
    }
    else if (facts->ledger == NULL && is_unused && facts->notes_stay) {
        let_go(facts, headers, base);
    }
    elf_free_headers(facts);
    free(facts->soname);
    facts->soname = NULL;
}

void
settled_free(Settled *settled)
{
    if (settled != NULL) {
        free_again(settled->again);
        free(settled);
    }
}

#else

typedef int NothingHere;

#endif /* __ELF__ */
