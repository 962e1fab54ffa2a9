/* A large manifest is read piece by piece, and its records entered into a ledger. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef __ELF__

#include <link.h>

/* ------------------------------------------------------------------ proofs */

static inline uint64_t
word_at(const unsigned char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

enum { LANES = 8 };                /* multiplications that do not wait for each other */

/* It tells apart what was built from what was built anew; who can write to the file as he likes needs no collision. */
uint64_t
ledger_proof(const unsigned char *at, size_t size)
{
    uint64_t lanes[LANES], proof = size;
    unsigned char last[16 * LANES] = {0};

    for (unsigned i = 0; i < LANES; i++) {
        lanes[i] = NOTE_ODD * (i + 1);
    }
    for (; size >= sizeof last; size -= sizeof last, at += sizeof last) {
        for (unsigned i = 0; i < LANES; i++) {
            lanes[i] = note_fold(word_at(at + (size_t)16 * i) ^ 0xe7037ed1a0b428dbu, word_at(at + (size_t)16 * i + 8) ^ lanes[i]);
        }
    }
    memcpy(last, at, size);
    for (unsigned i = 0; i < LANES; i++) {
        proof = note_fold(word_at(last + (size_t)16 * i) ^ lanes[i], word_at(last + (size_t)16 * i + 8) ^ proof);
    }
    return proof;
}

/* ------------------------------------------------------------------ reading */

/* One reading of all notes. */
typedef struct {
    ElfFile *file;                 /* borrowed, as the next two */
    FileFacts *facts;
    Ledger *ledger;
    char *reason;
    const Stretch *stretch;        /* that is being read */
    unsigned char *window;         /* owned */
    size_t room;                   /* bytes of it */
    uint64_t window_at;            /* byte of the stretch that it begins with */
    size_t window_size;            /* bytes that it has */
    unsigned char *other;          /* owned: a note that was read again */
    bool is_full;                  /* more records than the index was made for */
} Reader;

static FileStatus
no_memory(Reader *reader)
{
    reader->facts->error = ENOMEM;
    return FILE_ERRNO;
}

/* The record at a place that was passed: from the window, or from the file anew. */
static FileStatus
look_back(Reader *reader, uint32_t place, Record *record)
{
    const Stretch *stretch = ledger_stretch(reader->ledger, ledger_at(place));
    uint64_t at = ledger_at(place) - stretch->at;
    unsigned char head[NOTE_OWN];
    uint32_t desc_size;
    size_t size;

    if (stretch == reader->stretch && at >= reader->window_at) {
        const unsigned char *note = reader->window + (at - reader->window_at);

        memcpy(&desc_size, note + 4, sizeof desc_size);
        return note_again(note, NOTE_OWN + (size_t)desc_size, record) ? FILE_OK : FILE_INVALID;
    }
    if (!elf_pread(reader->file, stretch->offset + at, head, sizeof head)) {
        return FILE_INVALID;
    }
    memcpy(&desc_size, head + 4, sizeof desc_size);
    size = NOTE_OWN + (size_t)desc_size;
    free(reader->other);
    reader->other = at + size <= stretch->size ? malloc(size) : NULL;
    return reader->other != NULL && elf_pread(reader->file, stretch->offset + at, reader->other, size)
                   && note_again(reader->other, size, record)
               ? FILE_OK
               : FILE_INVALID;
}

static FileStatus
keep_header(Reader *reader, const Record *record)
{
    Record *header = &reader->ledger->header;

    *header = *record;
    header->name = strdup(record->name);
    header->text = strdup(record->text);
    reader->facts->header = header;
    return header->name != NULL && header->text != NULL ? FILE_OK : no_memory(reader);
}

static FileStatus
keep_rare(Reader *reader, uint32_t place)
{
    Ledger *ledger = reader->ledger;

    if (ledger->rare_count == ledger->rare_room) {
        size_t room = ledger->rare_room == 0 ? 16 : 2 * ledger->rare_room;
        uint32_t *larger = realloc(ledger->rare, room * sizeof *larger);

        if (larger == NULL) {
            return no_memory(reader);
        }
        ledger->rare = larger;
        ledger->rare_room = room;
    }
    ledger->rare[ledger->rare_count++] = place;
    return FILE_OK;
}

/* More would make a search too long. */
static size_t
most_records(const Ledger *ledger)
{
    return ledger->slots / 8 * 7;
}

/* A record whose key is new, in the empty slot. */
static FileStatus
enter_new(Reader *reader, size_t slot, uint32_t entry, const Record *record)
{
    Ledger *ledger = reader->ledger;

    ledger->index[slot] = entry;
    reader->facts->record_count++;
    reader->is_full = reader->facts->record_count > most_records(ledger);
    reader->facts->has_init = reader->facts->has_init || record->kind == RECORD_INIT;
    if (note_is_common(record->kind)) {
        return FILE_OK;
    }
    if (record->kind == RECORD_HEADER && keep_header(reader, record) != FILE_OK) {
        return FILE_ERRNO;
    }
    return keep_rare(reader, entry & ledger->place_mask);
}

/* An entry with the same bits of the hash: the same key, or seldom another one; `slot` is where the search goes on. */
static FileStatus
meet(Reader *reader, size_t *slot, const Record *record, bool *is_known)
{
    const Ledger *ledger = reader->ledger;
    size_t size;
    const char *key = note_key(record, &size);
    Record other;

    if (look_back(reader, ledger->index[*slot] & ledger->place_mask, &other) != FILE_OK) {
        return elf_refuse(reader->reason, FILE_INVALID, "changed while it was read");
    }
    *is_known = note_has_key(&other, record->kind, key, size);
    *slot = (*slot + 1) & (ledger->slots - 1);
    return *is_known ? note_unite(&other, record, reader->reason) : FILE_OK;
}

static FileStatus
enter(Reader *reader, uint32_t place, const Record *record, uint64_t hash)
{
    const Ledger *ledger = reader->ledger;
    const uint32_t mark = (uint32_t)hash & ~ledger->place_mask;
    size_t slot = ledger_bucket(ledger, hash);
    uint32_t entry;

    while ((entry = ledger->index[slot]) != 0) {
        bool is_known = false;

        if ((entry & ~ledger->place_mask) != mark) {
            slot = (slot + 1) & (ledger->slots - 1);
            continue;
        }
        if (meet(reader, &slot, record, &is_known) != FILE_OK) {
            return FILE_INVALID;
        }
        if (is_known) {
            return FILE_OK;
        }
    }
    if (record->kind == RECORD_HEADER && reader->facts->header != NULL) {
        return note_unite(reader->facts->header, record, reader->reason);
    }
    return enter_new(reader, slot, mark | place, record);
}

/* The place of a byte of the window. */
static uint32_t
place_of(const Reader *reader, const unsigned char *at)
{
    return (uint32_t)((reader->stretch->at + reader->window_at + (size_t)(at - reader->window)) / 4 + 1);
}

/* Enter the next notes as far as they are usual. */
static void
take_usual(Reader *reader, NoteWalk *walk)
{
    size_t *count = &reader->facts->record_count;

    *count += usual_enter(walk, reader->ledger, place_of(reader, reader->window), most_records(reader->ledger) - *count);
}

/* Enter the next note, whatever it is; `is_end` tells that there is none. */
static FileStatus
take_next(Reader *reader, NoteWalk *walk, bool *is_end)
{
    const char *key;
    size_t size;
    Note note;
    Record record;
    FileStatus status;

    *is_end = !note_next(walk, &note, reader->facts);
    if (*is_end) {
        return FILE_OK;
    }
    if (walk->rest > 0 && note.desc_size > (size_t)(walk->end - note.desc)) {
        return elf_refuse(reader->reason, FILE_INVALID, "a note is longer than its segment");      /* it hides what follows */
    }
    status = note_take(reader->facts, walk, &note, &record, reader->reason);
    if (status != FILE_OK || record.name == NULL) {
        return status;
    }
    key = note_key(&record, &size);
    return enter(reader, place_of(reader, note.desc - NOTE_OWN), &record, note_hash(record.kind, key, size));
}

/* Take the records that the window has whole.  `used` is set to where the rest begins. */
static FileStatus
take_window(Reader *reader, size_t *used)
{
    const Stretch *stretch = reader->stretch;
    const unsigned char *window = reader->window;
    NoteWalk walk = {window, window + reader->window_size, window, stretch->offset + reader->window_at,
                     stretch->size - reader->window_at - reader->window_size};
    FileStatus status = FILE_OK;
    bool is_end = false;

    while (status == FILE_OK && !reader->is_full && !is_end) {
        take_usual(reader, &walk);
        status = take_next(reader, &walk, &is_end);
    }
    *used = (size_t)(walk.at - window);
    return status;
}

/* Add what follows to the window, a whole number of blocks unless the stretch ends, and note their proofs. */
static FileStatus
fill_window(Reader *reader)
{
    uint64_t at = reader->window_at + reader->window_size, left = reader->stretch->size - at;
    size_t size = left < LEDGER_WINDOW ? (size_t)left : LEDGER_WINDOW;
    unsigned char *to;

    if (reader->room - reader->window_size < size) {
        size_t room = reader->room == 0 ? LEDGER_WINDOW + BLOCK : 2 * reader->room + size;
        unsigned char *larger = realloc(reader->window, room + NOTE_SLACK);

        if (larger == NULL) {
            return no_memory(reader);
        }
        reader->window = larger;
        reader->room = room;
    }
    to = reader->window + reader->window_size;
    if (!elf_pread(reader->file, reader->stretch->offset + at, to, size)) {
        return elf_refuse(reader->reason, FILE_INVALID, "truncated while it was read");
    }
    for (size_t i = 0; i < size; i += BLOCK) {
        reader->ledger->proofs[(reader->stretch->at + at + i) / BLOCK] = ledger_proof(to + i, size - i < BLOCK ? size - i : BLOCK);
    }
    reader->window_size += size;
    memset(to + size, 0, NOTE_SLACK);
    return FILE_OK;
}

static FileStatus
read_stretch(Reader *reader, const Stretch *stretch)
{
    FileStatus status = FILE_OK;

    reader->stretch = stretch;
    reader->window_at = reader->window_size = 0;
    while (status == FILE_OK && !reader->is_full && reader->window_at + reader->window_size < stretch->size) {
        size_t used = 0;

        status = fill_window(reader);
        if (status == FILE_OK) {
            status = take_window(reader, &used);
        }
        if (used > 0) {
            memmove(reader->window, reader->window + used, reader->window_size - used);
        }
        reader->window_at += used;
        reader->window_size -= used;
    }
    return status;
}

static FileStatus
read_with(Reader *reader, size_t slots)
{
    Ledger *ledger = reader->ledger;
    FileFacts *facts = reader->facts;
    FileStatus status = FILE_OK;

    free(ledger->index);
    free((void *)(uintptr_t)ledger->header.name);
    free((void *)(uintptr_t)ledger->header.text);
    ledger->header = (Record){.name = NULL};
    ledger->index = aligned_alloc(sizeof *ledger->index * LEDGER_BUCKET, slots * sizeof *ledger->index);
    ledger->slots = slots;
    ledger->rare_count = 0;
    facts->record_count = facts->digest_count = facts->build_id_size = 0;
    facts->digest_state = DIGEST_NO_ROOM;
    facts->header = NULL;
    facts->has_init = reader->is_full = false;
    if (ledger->index == NULL) {
        return no_memory(reader);
    }
    memset(ledger->index, 0, slots * sizeof *ledger->index);
    for (size_t i = 0; i < ledger->stretch_count && status == FILE_OK && !reader->is_full; i++) {
        status = read_stretch(reader, &ledger->stretches[i]);
    }
    return status;
}

/* How many bits of an entry are for the place. */
static void
divide_entries(Ledger *ledger)
{
    ledger->place_mask = 1;
    while (ledger->place_mask < ledger->size / 4 + 2) {
        ledger->place_mask = ledger->place_mask << 1 | 1;
    }
}

static Ledger *
new_ledger(const FileFacts *facts)
{
    const ElfW(Phdr) *segments = (const void *)facts->headers;
    Ledger *ledger = calloc(1, sizeof *ledger);

    if (ledger == NULL) {
        return NULL;
    }
    ledger->fd = -1;
    ledger->stretches = malloc((facts->header_count + 1) * sizeof *ledger->stretches);
    for (size_t i = 0; i < facts->header_count && ledger->stretches != NULL; i++) {
        if (elf_note_is_mapped(segments, facts->header_count, i)) {
            ledger->stretches[ledger->stretch_count++] =
                (Stretch){ledger->size, segments[i].p_filesz, segments[i].p_offset, segments[i].p_vaddr};
            ledger->size += (segments[i].p_filesz + BLOCK - 1) / BLOCK * BLOCK;
        }
    }
    ledger->states = calloc(ledger->size / BLOCK + 1, 1);
    ledger->proofs = malloc((ledger->size / BLOCK + 1) * sizeof *ledger->proofs);
    divide_entries(ledger);
    if (ledger->stretches == NULL || ledger->states == NULL || ledger->proofs == NULL) {
        ledger_free(ledger);
        return NULL;
    }
    return ledger;
}

FileStatus
ledger_read(ElfFile *file, FileFacts *facts, char reason[REASON_MAX])
{
    Reader reader = {.file = file, .facts = facts, .ledger = new_ledger(facts), .reason = reason};
    FileStatus status;
    size_t slots = 16;

    facts->ledger = reader.ledger;
    if (reader.ledger == NULL) {
        return no_memory(&reader);
    }
    while (slots / 4 * 3 < reader.ledger->size / RECORD_GUESS) {
        slots *= 2;
    }
    do {
        status = read_with(&reader, slots);
        slots *= 2;
    } while (status == FILE_OK && reader.is_full);
    if (status == FILE_OK && facts->header == NULL) {
        status = FILE_INVALID;     /* records_parse has the sentence, or nothing against it if there is no record either */
    }
    free(reader.window);
    free(reader.other);
    return status;
}

#else

typedef int NothingHere;

#endif /* __ELF__ */
