/* The records of a library's notes, all at hand: in file order, and found by name.  Those of a large manifest are
 * ledger.c's. */
#include "note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef __ELF__

#include <link.h>

/* ------------------------------------------------------------------ the index */

/* An entry of the index is the record's number, from 1, in as many bits as the index needs, and above it the same bits
 * of the hash: records are compared only if those are equal. */
static const Record *
record_of(const FileFacts *facts, uint32_t entry)
{
    return &facts->records[(entry & (facts->index_size - 1)) - 1];
}

/* The slot of the record with that key, or the empty one where it belongs. */
static size_t
slot_of(const FileFacts *facts, uint64_t hash, RecordKind kind, const char *key, size_t size)
{
    size_t mask = facts->index_size - 1;
    size_t slot = (size_t)(hash >> 32) & mask;

    for (; facts->index[slot] != 0; slot = (slot + 1) & mask) {
        if (((facts->index[slot] ^ (uint32_t)hash) & ~(uint32_t)mask) == 0
            && note_has_key(record_of(facts, facts->index[slot]), kind, key, size)) {
            break;
        }
    }
    return slot;
}

bool
elf_find(const FileFacts *facts, RecordKind kind, const char *name, size_t size, Record *record)
{
    uint32_t entry;

    if (facts->ledger != NULL) {
        return ledger_find(facts, kind, name, size, record);
    }
    if (facts->settled != NULL) {
        return settled_find(facts, kind, name, size, record);
    }
    if (facts->index_size == 0 || memchr(name, '\0', size) != NULL) {
        return false;
    }
    entry = facts->index[slot_of(facts, note_hash(kind, name, size), kind, name, size)];
    if (entry != 0) {
        *record = *record_of(facts, entry);
    }
    return entry != 0;
}

Records
elf_records(const FileFacts *facts, bool rare)
{
    if (facts->ledger != NULL) {
        return ledger_records(facts, rare);
    }
    return facts->settled != NULL ? settled_records(facts) : (Records){facts->records, facts->record_count};
}

/* ------------------------------------------------------------------ all records */

/* Append `record` to the array, whose first size is a guess from the size of the notes. */
static FileStatus
append(FileFacts *facts, size_t *room, const Record *record)
{
    if (facts->record_count == *room) {
        size_t wanted = *room == 0 ? facts->notes_size / RECORD_GUESS + 1 : 2 * *room;
        Record *larger = wanted > UINT32_MAX / 4 ? NULL : realloc(facts->records, wanted * sizeof *record);

        if (larger == NULL) {
            facts->error = ENOMEM;
            return FILE_ERRNO;
        }

        facts->records = larger;
        *room = wanted;
    }
    facts->records[facts->record_count++] = *record;
    return FILE_OK;
}

typedef FileStatus (*SegmentVisitor)(NoteWalk *walk, FileFacts *facts, size_t *room, char *reason);

static FileStatus
each_segment(FileFacts *facts, SegmentVisitor visit, char *reason)
{
    const ElfW(Phdr) *segments = (const void *)facts->headers;
    const unsigned char *start = facts->notes;
    size_t room = 0;
    FileStatus status = FILE_OK;

    for (size_t i = 0; i < facts->header_count && status == FILE_OK; i++) {
        if (elf_note_is_mapped(segments, facts->header_count, i)) {
            NoteWalk walk = {start, start + segments[i].p_filesz, start, segments[i].p_offset, 0};

            status = visit(&walk, facts, &room, reason);
            start += segments[i].p_filesz;
        }
    }
    return status;
}

static FileStatus
take_records(NoteWalk *walk, FileFacts *facts, size_t *room, char *reason)
{
    Note note;
    Record record;
    FileStatus status = FILE_OK;

    while (status == FILE_OK) {
        if (!note_usual(walk, &record)) {
            if (!note_next(walk, &note, facts)) {
                break;
            }
            status = note_take(facts, walk, &note, &record, reason);
        }
        if (status == FILE_OK && record.name != NULL) {
            status = append(facts, room, &record);
        }
    }
    return status;
}

/* ------------------------------------------------------------------ equal records once */

static uint32_t
entry_of(const FileFacts *facts, size_t number, uint64_t hash)
{
    uint32_t mask = (uint32_t)(facts->index_size - 1);

    return ((uint32_t)hash & ~mask) | ((uint32_t)number & mask);
}

/* Put `record` into the index and, unless an equal one stands there, after those that are kept. */
static FileStatus
keep(FileFacts *facts, const Record *record, char reason[REASON_MAX])
{
    size_t size;
    const char *key = note_key(record, &size);
    uint64_t hash = note_hash(record->kind, key, size);
    size_t slot = slot_of(facts, hash, record->kind, key, size);
    const Record *other = facts->index[slot] == 0 ? NULL : record_of(facts, facts->index[slot]);

    if (record->kind == RECORD_HEADER && other == NULL) {
        other = facts->header;
    }
    if (other == NULL) {
        Record *kept = &facts->records[facts->record_count++];

        *kept = *record;
        facts->header = kept->kind == RECORD_HEADER ? kept : facts->header;
        facts->has_init = facts->has_init || kept->kind == RECORD_INIT;
        facts->index[slot] = entry_of(facts, facts->record_count, hash);
        return FILE_OK;
    }
    return note_unite(other, record, reason);
}

/* The index has at least twice as many slots as there are records. */
static FileStatus
make_index(FileFacts *facts, char reason[REASON_MAX])
{
    size_t count = facts->record_count;
    size_t slots = 4;
    FileStatus status = FILE_OK;

    while (slots < 2 * count) {
        slots *= 2;
    }
    facts->index = calloc(slots, sizeof *facts->index);
    if (facts->index == NULL) {
        facts->error = ENOMEM;
        return FILE_ERRNO;
    }
    facts->index_size = slots;
    facts->record_count = 0;
    for (size_t i = 0; i < count && status == FILE_OK; i++) {
        Record record = facts->records[i];

        status = keep(facts, &record, reason);
    }
    return status;
}

FileStatus
records_parse(FileFacts *facts, char reason[REASON_MAX])
{
    FileStatus status;

    facts->digest_state = DIGEST_NO_ROOM;
    status = each_segment(facts, take_records, reason);
    if (status != FILE_OK) {
        FileStatus abi = each_segment(facts, note_check_abi, reason);

        return abi != FILE_OK ? abi : status;
    }
    if (facts->record_count > 0) {
        status = make_index(facts, reason);
    }
    if (status == FILE_OK && facts->header == NULL && facts->record_count > 0) {
        return elf_refuse(reason, FILE_INVALID, "has declarations but no name: PLUGIN(name, version) is missing");
    }
    return status;
}

#else

bool
elf_find(const FileFacts *facts, RecordKind kind, const char *name, size_t size, Record *record)
{
    (void)facts;
    (void)kind;
    (void)name;
    (void)size;
    (void)record;
    return false;
}

Records
elf_records(const FileFacts *facts, bool rare)
{
    (void)facts;
    (void)rare;
    return (Records){NULL, 0};
}

#endif /* __ELF__ */
