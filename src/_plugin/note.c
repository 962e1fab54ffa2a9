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
    DESC_MIN = 10,                 /* bytes: two numbers and two empty strings */
    RECORD_GUESS = 72,             /* bytes of a note of ours, rather less than usual */
    TEXT_SHOWN = 380,              /* bytes of each of two texts in a reason */
    NAME_SHOWN = 100,
};

/* ------------------------------------------------------------------ text */

#define HIGH_BITS 0x8080808080808080u
#define LOW_BITS 0x0101010101010101u

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

/* ------------------------------------------------------------------ the index */

/* The upper half is folded into the lower before it is spread: names that differ in their last characters only, which
 * stand there, would fill one stretch of the index. */
static uint64_t
mix(uint64_t hash, uint64_t word)
{
    hash ^= word;
    hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15u;
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
        const Record *other;
        const char *other_key;

        if (((facts->index[slot] ^ (uint32_t)hash) & ~(uint32_t)mask) != 0) {
            continue;
        }
        other = record_of(facts, facts->index[slot]);
        other_key = key_of(other);
        if (other->kind == kind && strncmp(other_key, key, size) == 0 && other_key[size] == '\0') {
            break;
        }
    }
    return slot;
}

const Record *
elf_find(const FileFacts *facts, RecordKind kind, const char *name, size_t size)
{
    uint32_t entry;

    if (facts->index_size == 0 || memchr(name, '\0', size) != NULL) {
        return NULL;
    }
    entry = facts->index[slot_of(facts, hash_key(kind, name, size), kind, name, size)];
    return entry == 0 ? NULL : record_of(facts, entry);
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
            facts->build_id_place = (Blank){(size_t)(at + 16 - facts->notes), facts->build_id_size};
        }
    }
    return false;
}

/* ------------------------------------------------------------------ one record */

/* Whether the bytes are ASCII without a NUL, as nearly all records are.  Looked at eight at a time, the last word
 * overlapping the one before. */
static bool
is_plain(const char *text, size_t size)
{
    uint64_t odd = 0, word;

    if (size < 8) {
        for (size_t i = 0; i < size; i++) {
            odd |= (unsigned char)text[i] | ((unsigned char)text[i] - 1u);
        }
        return (odd & 0x80) == 0;
    }
    for (size_t i = 0; i < size - 8; i += 8) {
        memcpy(&word, text + i, 8);
        odd |= word | (word - LOW_BITS);
    }
    memcpy(&word, text + size - 8, 8);
    return ((odd | word | (word - LOW_BITS)) & HIGH_BITS) == 0;
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

static const char *
kind_name(uint32_t kind)
{
    static const char *const names[] = {"header", "function",      "variable", "struct", "enum",
                                        "declaration", "documentation", "init",     "digest"};

    return kind >= RECORD_HEADER && kind <= RECORD_DIGEST ? names[kind - RECORD_HEADER] : NULL;
}

static FileStatus
check_major(uint32_t abi, char reason[REASON_MAX])
{
    if (abi >> 16 == ABI_MAJOR) {
        return FILE_OK;
    }
    return elf_refuse(reason, FILE_INCOMPATIBLE,
                      "built with a different version of plugin's ABI: expected %d, found %u", ABI_MAJOR, abi >> 16);
}

static FileStatus
refuse_strings(const char *kind, char reason[REASON_MAX])
{
    return elf_refuse(reason, FILE_INVALID,
                      "a %s record is damaged: it does not consist of two strings (a NUL in one?)", kind);
}

static FileStatus
check_text(const Record *record, size_t name_size, size_t text_size, char reason[REASON_MAX])
{
    const char *kind = kind_name(record->kind);
    bool plain = is_plain(record->text, text_size);

    if (!plain && memchr(record->text, '\0', text_size) != NULL) {
        return refuse_strings(kind, reason);
    }
    if ((!is_plain(record->name, name_size) && !note_is_utf8(record->name, name_size))
        || (!plain && !note_is_utf8(record->text, text_size))) {
        return elf_refuse(reason, FILE_INVALID, "a %s record is not valid UTF-8", kind);
    }
    if (name_size == 0 && record->kind == RECORD_HEADER) {
        return elf_refuse(reason, FILE_INVALID, "the plugin's name is empty: PLUGIN(name, version) wants one");
    }
    if (name_size == 0 && record->kind != RECORD_DECLARE && record->kind != RECORD_DIGEST) {
        return elf_refuse(reason, FILE_INVALID, "a %s record has no name", kind);
    }
    return FILE_OK;
}

/* `room` is what the segment has after the note's header; a record of a known kind. */
static FileStatus
read_record(const Note *note, size_t room, Record *record, char reason[REASON_MAX])
{
    const char *kind = kind_name(note->type & ~RECORD_MUST_UNDERSTAND);
    const char *text, *end;

    if (note->desc_size > room || note->desc_size < DESC_MIN) {
        return elf_refuse(reason, FILE_INVALID, "a %s record is damaged: it says that it has %zu bytes", kind,
                          note->desc_size);
    }
    record->kind = (RecordKind)(note->type & ~RECORD_MUST_UNDERSTAND);
    record->size = word_at(note->desc);
    record->align = word_at(note->desc + 4);
    record->name = (const char *)note->desc + 8;
    end = (const char *)note->desc + note->desc_size;
    text = memchr(record->name, '\0', (size_t)(end - record->name));
    if (text == NULL || text + 1 == end || end[-1] != '\0') {
        return refuse_strings(kind, reason);
    }
    record->text = text + 1;
    return check_text(record, (size_t)(text - record->name), (size_t)(end - record->text) - 1, reason);
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

/* The digest is no declaration: it is kept apart from the records.  A number without its state is damage that would
 * pass for a file that was never stamped. */
static FileStatus
take_digest(FileFacts *facts, const Note *note, const Record *record, char reason[REASON_MAX])
{
    if (record->align != DIGEST_EMPTY && record->align != DIGEST_STAMPED) {
        return elf_refuse(reason, FILE_INCOMPATIBLE, "a newer version of plugin is needed: unknown kind of digest %u",
                          record->align);
    }
    if (record->align == DIGEST_EMPTY && record->size != 0) {
        return elf_refuse(reason, FILE_INVALID, "the digest record is damaged: it is not stamped, but has a value");
    }
    if (facts->digest_count == BLANKS_MAX
        || (facts->digest_count > 0
            && (facts->digest_state != (DigestState)record->align || facts->digest != record->size))) {
        return elf_refuse(reason, FILE_INVALID, "has several digest records");
    }
    facts->digest_state = (DigestState)record->align;
    facts->digest = record->size;
    facts->digest_records[facts->digest_count++] =
        (Blank){(size_t)(note->desc - facts->notes), sizeof record->size + sizeof record->align};
    return FILE_OK;
}

static FileStatus
take_note(FileFacts *facts, size_t *room, const Note *note, size_t size, char reason[REASON_MAX])
{
    uint32_t kind = note->type & ~RECORD_MUST_UNDERSTAND;
    Record record;
    FileStatus status;

    if (kind_name(kind) == NULL) {
        if ((note->type & RECORD_MUST_UNDERSTAND) == 0) {
            return FILE_OK;
        }
        return elf_refuse(reason, FILE_INCOMPATIBLE, "a newer version of plugin is needed: unknown record kind 0x%x",
                          kind);
    }
    status = read_record(note, size, &record, reason);
    if (status == FILE_OK && kind == RECORD_HEADER) {
        status = check_major(record.size, reason);
    }
    if (status == FILE_OK && kind == RECORD_DIGEST) {
        return take_digest(facts, note, &record, reason);
    }
    return status == FILE_OK ? append(facts, room, &record) : status;
}

typedef FileStatus (*SegmentVisitor)(Walk walk, FileFacts *facts, size_t *room, char *reason);

static FileStatus
each_segment(FileFacts *facts, SegmentVisitor visit, char *reason)
{
    const ElfW(Phdr) *segments = (const void *)facts->headers;
    const unsigned char *start = facts->notes;
    size_t room = 0;
    FileStatus status = FILE_OK;

    for (size_t i = 0; i < facts->header_count && status == FILE_OK; i++) {
        if (elf_note_is_mapped(segments, facts->header_count, i)) {
            status = visit((Walk){start, start + segments[i].p_filesz}, facts, &room, reason);
            start += segments[i].p_filesz;
        }
    }
    return status;
}

static FileStatus
take_records(Walk walk, FileFacts *facts, size_t *room, char *reason)
{
    Note note;
    FileStatus status = FILE_OK;

    while (status == FILE_OK && next_note(&walk, &note, facts)) {
        status = take_note(facts, room, &note, (size_t)(walk.end - note.desc), reason);
    }
    return status;
}

/* After a failure: everything but the header's first number may look different in another version of the ABI, so if it
 * is that of another, this is the reason. */
static FileStatus
check_abi(Walk walk, FileFacts *facts, size_t *room, char *reason)
{
    Note note;
    FileStatus status = FILE_OK;

    (void)room;
    while (status == FILE_OK && next_note(&walk, &note, facts)) {
        if ((note.type & ~RECORD_MUST_UNDERSTAND) == RECORD_HEADER && note.desc_size >= 4
            && walk.end - note.desc >= 4) {
            status = check_major(word_at(note.desc), reason);
        }
    }
    return status;
}

/* ------------------------------------------------------------------ the index, and equal records once */

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
    const char *key = key_of(record);
    size_t size = record->kind == RECORD_DECLARE ? strlen(key) : (size_t)(record->text - record->name) - 1;
    uint64_t hash = hash_key(record->kind, key, size);
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
    if (record->kind == RECORD_DECLARE
        || (record->size == other->size && record->align == other->align && strcmp(record->text, other->text) == 0
            && strcmp(record->name, other->name) == 0)) {
        return FILE_OK;
    }
    return refuse_pair(other, record, reason);
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
note_parse(FileFacts *facts, char reason[REASON_MAX])
{
    FileStatus status;

    facts->digest_state = DIGEST_NO_ROOM;
    status = each_segment(facts, take_records, reason);
    if (status != FILE_OK) {
        FileStatus abi = each_segment(facts, check_abi, reason);

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

#endif /* __ELF__ */
