/* The records that stand in a library's notes, in file order and found by name.  docs/manifest.md has the bytes. */
#include "native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef __ELF__
#include <link.h>
#endif

enum {
    NOTE_HEADER = 12,              /* bytes: namesz, descsz, type */
    OWNER_SIZE = 7,                /* "plugin", the NUL included; padded to 8 */
    OWN_HEADER = 20,               /* bytes: the note's header and its owner */
    TEXT_SHOWN = 380,              /* bytes of each of two texts in a reason */
    NAME_SHOWN = 100,
};

/* ------------------------------------------------------------------ text */

#define HIGH_BITS 0x8080808080808080u

/* The length of the UTF-8 sequence at `text`, 0 if it is not valid. */
static size_t
sequence_length(const unsigned char *text, size_t size)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned first = text[0];
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    unsigned value = length > 1 ? first & (0x7fu >> length) : first;

    if (length == 0 || length > size) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (text[i] & 0x3fu);
    }
    return value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? 0 : length;
}

bool
note_is_utf8(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    uint64_t word;

    while (size > 0) {
        size_t length = sizeof word;

        if (size >= sizeof word) {
            memcpy(&word, bytes, sizeof word);
        }
        if (size < sizeof word || (word & HIGH_BITS) != 0) {
            length = sequence_length(bytes, size);
        }
        if (length == 0) {
            return false;
        }
        bytes += length;
        size -= length;
    }
    return true;
}

/* The number of bytes of `text` to show: at most `most`, whole characters. */
static int
shown(const char *text, size_t most)
{
    size_t length = strlen(text);

    if (length <= most) {
        return (int)length;
    }
    while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80) {
        most--;
    }
    return (int)most;
}

/* ------------------------------------------------------------------ the index */

static uint64_t
mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/* Words of eight bytes, the last one overlapping: names are short, and there may be thousands. */
static uint64_t
hash_key(RecordKind kind, const char *key, size_t size)
{
    uint64_t hash = (uint64_t)kind << 32 | (uint32_t)size;
    uint64_t word;
    uint32_t half[2];

    for (size_t i = 0; i + 8 < size; i += 8) {
        memcpy(&word, key + i, 8);
        hash = mix(hash, word);
    }
    if (size >= 8) {
        memcpy(&word, key + size - 8, 8);
    }
    else if (size >= 4) {
        memcpy(&half[0], key, 4);
        memcpy(&half[1], key + size - 4, 4);
        word = (uint64_t)half[0] << 32 | half[1];
    }
    else {
        word = size == 0 ? 0
                         : (uint64_t)(unsigned char)key[0] << 16 | (uint64_t)(unsigned char)key[size / 2] << 8
                               | (unsigned char)key[size - 1];
    }
    return mix(hash, word);
}

static const char *
key_of(const Record *record)
{
    return record->kind == RECORD_DECLARE ? record->text : record->name;
}

/* The slot of the record with that key, or the empty one where it belongs. */
static size_t
slot_of(const FileFacts *facts, RecordKind kind, const char *key, size_t size)
{
    size_t slot = hash_key(kind, key, size) & (facts->index_size - 1);

    while (facts->index[slot] != 0) {
        const Record *other = &facts->records[facts->index[slot] - 1];
        const char *other_key = key_of(other);

        if (other->kind == kind && strncmp(other_key, key, size) == 0 && other_key[size] == '\0') {
            break;
        }
        slot = (slot + 1) & (facts->index_size - 1);
    }
    return slot;
}

const Record *
elf_find(const FileFacts *facts, RecordKind kind, const char *name, size_t size)
{
    uint32_t number;

    if (facts->index_size == 0 || memchr(name, '\0', size) != NULL) {
        return NULL;
    }
    number = facts->index[slot_of(facts, kind, name, size)];
    return number == 0 ? NULL : &facts->records[number - 1];
}

#ifdef __ELF__

/* ------------------------------------------------------------------ notes */

typedef struct {
    const unsigned char *at, *end;
} Walk;

typedef struct {
    uint32_t type;
    size_t desc_size;              /* bytes, as the note says */
    const unsigned char *desc;
} Note;

static uint32_t
word_at(const unsigned char *place)
{
    uint32_t word;

    memcpy(&word, place, sizeof word);
    return word;
}

/* Go to the next note of ours, or return false at the end.  It is looked for at every fourth byte rather than by
 * stepping over the notes of others: those may be padded to 4 or 8 (gold joins both kinds in one segment) or be
 * damaged (patchelf), and no record may get lost behind them.  A build-id on the way is taken along. */
static bool
next_note(Walk *walk, Note *note, FileFacts *facts)
{
    for (; walk->end - walk->at >= OWN_HEADER; walk->at += 4) {
        const unsigned char *at = walk->at;
        size_t rest = (size_t)(walk->end - at);
        uint32_t owner_size = word_at(at);

        if (owner_size == OWNER_SIZE && memcmp(at + NOTE_HEADER, "plugin", OWNER_SIZE) == 0) {
            size_t room = rest - OWN_HEADER;
            size_t padded;

            note->desc_size = word_at(at + 4);
            note->type = word_at(at + 8);
            note->desc = at + OWN_HEADER;
            padded = note->desc_size < room ? (note->desc_size + 3) & ~(size_t)3 : room;
            walk->at = note->desc + (padded < room ? padded : room);
            return true;
        }
        if (owner_size == 4 && word_at(at + 8) == NT_GNU_BUILD_ID && memcmp(at + NOTE_HEADER, "GNU", 4) == 0
            && word_at(at + 4) <= sizeof facts->build_id && word_at(at + 4) <= rest - 16
            && facts->build_id_size == 0) {
            facts->build_id_size = word_at(at + 4);
            memcpy(facts->build_id, at + 16, facts->build_id_size);
        }
    }
    return false;
}

/* ------------------------------------------------------------------ one record */

static const char *
kind_name(uint32_t kind)
{
    static const char *const names[] = {"header", "function",      "variable", "struct", "enum",
                                        "declaration", "documentation", "init",     "digest"};

    return kind >= RECORD_HEADER && kind <= RECORD_DIGEST ? names[kind - RECORD_HEADER] : NULL;
}

static FileStatus
refuse_abi(uint32_t size, char reason[REASON_MAX])
{
    return elf_refuse(reason, FILE_INCOMPATIBLE,
                      "built with a different version of plugin's ABI: expected %d, found %u", ABI_MAJOR, size >> 16);
}

/* `room` is what the segment has after the note's header; a record of a known kind. */
static FileStatus
read_record(const Note *note, size_t room, Record *record, size_t *name_size, char reason[REASON_MAX])
{
    const char *kind = kind_name(note->type & ~RECORD_MUST_UNDERSTAND);
    const char *text, *end;

    if (note->desc_size > room || note->desc_size < 10) {
        return elf_refuse(reason, FILE_INVALID, "a %s record is damaged: it says that it has %zu bytes", kind,
                          note->desc_size);
    }
    record->kind = (RecordKind)(note->type & ~RECORD_MUST_UNDERSTAND);
    record->size = word_at(note->desc);
    record->align = word_at(note->desc + 4);
    record->name = (const char *)note->desc + 8;
    end = (const char *)note->desc + note->desc_size;
    text = memchr(record->name, '\0', (size_t)(end - record->name));
    if (text == NULL || text + 1 == end || memchr(text + 1, '\0', (size_t)(end - text) - 1) != end - 1) {
        return elf_refuse(reason, FILE_INVALID, "a %s record is damaged: it does not consist of two strings", kind);
    }
    record->text = text + 1;
    *name_size = (size_t)(text - record->name);
    if (!note_is_utf8(record->name, (size_t)(end - record->name))) {
        return elf_refuse(reason, FILE_INVALID, "a %s record is not valid UTF-8", kind);
    }
    if (*name_size == 0 && record->kind == RECORD_HEADER) {
        return elf_refuse(reason, FILE_INVALID, "the plugin's name is empty: PLUGIN(name, version) wants one");
    }
    if (*name_size == 0 && record->kind != RECORD_DECLARE) {
        return elf_refuse(reason, FILE_INVALID, "a %s record has no name", kind);
    }
    return FILE_OK;
}

/* ------------------------------------------------------------------ all records */

static FileStatus
refuse_pair(const Record *first, const Record *second, char reason[REASON_MAX])
{
    const char *kind = kind_name(first->kind);

    if (first->kind == RECORD_HEADER) {
        return elf_refuse(reason, FILE_INVALID, "has two PLUGINs: %.*s %.*s and %.*s %.*s",
                          shown(first->name, NAME_SHOWN), first->name, shown(first->text, NAME_SHOWN), first->text,
                          shown(second->name, NAME_SHOWN), second->name, shown(second->text, NAME_SHOWN), second->text);
    }
    if (strcmp(first->text, second->text) == 0) {
        return elf_refuse(reason, FILE_INVALID,
                          "%s %.*s was compiled in two ways: size %u, alignment %u and size %u, alignment %u", kind,
                          shown(first->name, NAME_SHOWN), first->name, first->size, first->align, second->size,
                          second->align);
    }
    return elf_refuse(reason, FILE_INVALID, "%s %.*s is declared in two ways: `%.*s` and `%.*s`", kind,
                      shown(first->name, NAME_SHOWN), first->name, shown(first->text, TEXT_SHOWN), first->text,
                      shown(second->text, TEXT_SHOWN), second->text);
}

/* Keep `record` unless an equal one stands there. */
static FileStatus
add_record(FileFacts *facts, const Record *record, size_t name_size, char reason[REASON_MAX])
{
    const char *key = key_of(record);
    size_t size = record->kind == RECORD_DECLARE ? strlen(key) : name_size;
    size_t slot = slot_of(facts, record->kind, key, size);
    const Record *other = facts->index[slot] == 0 ? NULL : &facts->records[facts->index[slot] - 1];

    if (record->kind == RECORD_HEADER && other == NULL) {
        other = facts->header;
    }
    if (other == NULL) {
        facts->records[facts->record_count] = *record;
        facts->header = record->kind == RECORD_HEADER ? &facts->records[facts->record_count] : facts->header;
        facts->has_init = facts->has_init || record->kind == RECORD_INIT;
        facts->record_count++;
        facts->index[slot] = (uint32_t)facts->record_count;
        return FILE_OK;
    }
    if (record->size == other->size && record->align == other->align && strcmp(record->text, other->text) == 0
        && strcmp(record->name, other->name) == 0) {
        return FILE_OK;
    }
    return record->kind == RECORD_DECLARE ? FILE_OK : refuse_pair(other, record, reason);
}

static FileStatus
take_note(FileFacts *facts, const Note *note, size_t room, char reason[REASON_MAX])
{
    uint32_t kind = note->type & ~RECORD_MUST_UNDERSTAND;
    Record record;
    size_t name_size = 0;
    FileStatus status;

    if (kind_name(kind) == NULL) {
        if ((note->type & RECORD_MUST_UNDERSTAND) == 0) {
            return FILE_OK;
        }
        return elf_refuse(reason, FILE_INCOMPATIBLE, "a newer version of plugin is needed: unknown record kind 0x%x",
                          kind);
    }
    status = read_record(note, room, &record, &name_size, reason);
    return status == FILE_OK ? add_record(facts, &record, name_size, reason) : status;
}

/* First pass over one segment: how many records there may be, and whether the ABI is ours, since everything else may
 * look different in another one. */
static FileStatus
count_records(Walk walk, FileFacts *facts, size_t *count, char reason[REASON_MAX])
{
    Note note;

    while (next_note(&walk, &note, facts)) {
        ++*count;
        if ((note.type & ~RECORD_MUST_UNDERSTAND) == RECORD_HEADER && note.desc_size >= 4
            && walk.end - note.desc >= 4 && word_at(note.desc) >> 16 != ABI_MAJOR) {
            return refuse_abi(word_at(note.desc), reason);
        }
    }
    return FILE_OK;
}

static FileStatus
take_records(Walk walk, FileFacts *facts, size_t *count, char reason[REASON_MAX])
{
    Note note;
    FileStatus status = FILE_OK;

    (void)count;
    while (status == FILE_OK && next_note(&walk, &note, facts)) {
        status = take_note(facts, &note, (size_t)(walk.end - note.desc), reason);
    }
    return status;
}

/* The index has at least twice as many slots as there are records. */
static FileStatus
make_room(FileFacts *facts, size_t count)
{
    size_t slots = 4;

    while (slots < 2 * count) {
        slots *= 2;
    }
    facts->records = malloc(count * sizeof *facts->records);
    facts->index = calloc(slots, sizeof *facts->index);
    if (facts->records == NULL || facts->index == NULL || count >= UINT32_MAX) {
        facts->error = ENOMEM;
        return FILE_ERRNO;
    }
    facts->index_size = slots;
    return FILE_OK;
}

typedef FileStatus (*SegmentVisitor)(Walk walk, FileFacts *facts, size_t *count, char *reason);

static FileStatus
each_segment(FileFacts *facts, SegmentVisitor visit, size_t *count, char *reason)
{
    const ElfW(Phdr) *segments = (const void *)facts->headers;
    const unsigned char *start = facts->notes;
    FileStatus status = FILE_OK;

    for (size_t i = 0; i < facts->header_count && status == FILE_OK; i++) {
        if (elf_note_is_mapped(segments, facts->header_count, i)) {
            status = visit((Walk){start, start + segments[i].p_filesz}, facts, count, reason);
            start += segments[i].p_filesz;
        }
    }
    return status;
}

FileStatus
note_parse(FileFacts *facts, char reason[REASON_MAX])
{
    size_t count = 0;
    FileStatus status = each_segment(facts, count_records, &count, reason);

    if (status != FILE_OK || count == 0) {
        return status;
    }
    status = make_room(facts, count);
    if (status == FILE_OK) {
        status = each_segment(facts, take_records, &count, reason);
    }
    if (status == FILE_OK && facts->header == NULL && facts->record_count > 0) {
        return elf_refuse(reason, FILE_INVALID, "has declarations but no name: PLUGIN(name, version) is missing");
    }
    return status;
}

#endif /* __ELF__ */
