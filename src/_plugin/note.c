/* Single notes of a library: found, checked, and made records of.  docs/manifest.md has the bytes. */
#include "note.h"

#include <string.h>

#ifdef __ELF__
#include <link.h>
#endif

enum {
    AT_HAND = 128,                 /* bytes, more than a build-id's note has */
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

/* ------------------------------------------------------------------ keys */

/* Names are short: most are hashed at once. */
uint64_t
note_hash(RecordKind kind, const char *key, size_t size)
{
    uint64_t words[2] = {0, 0}, hash = kind;

    if (size <= sizeof words) {
        memcpy(words, key, size);
        return note_hash_short(kind, words, size);
    }
    for (size_t i = 0; i + sizeof words < size; i += sizeof words) {
        memcpy(words, key + i, sizeof words);
        hash = note_fold(words[0] ^ hash, words[1] ^ NOTE_ODD);
    }
    memcpy(words, key + size - sizeof words, sizeof words);
    return note_fold(words[0] ^ hash, words[1] ^ NOTE_ODD ^ size);
}

const char *
note_key(const Record *record, size_t *size)
{
    bool has_name = record->kind != RECORD_DECLARE;

    *size = has_name ? (size_t)(record->text - record->name) - 1 : strlen(record->text);
    return has_name ? record->name : record->text;
}

bool
note_has_key(const Record *record, RecordKind kind, const char *key, size_t size)
{
    const char *own = record->kind == RECORD_DECLARE ? record->text : record->name;

    return record->kind == kind && strncmp(own, key, size) == 0 && own[size] == '\0';
}

#ifdef __ELF__

/* ------------------------------------------------------------------ notes */

/* A note of ours is looked for at every fourth byte rather than by
 * stepping over the notes of others: those may be padded to 4 or 8 (gold joins both kinds in one segment) or be
 * damaged (patchelf), and no record may get lost behind them.  A build-id on the way is taken along. */
bool
note_next(NoteWalk *walk, Note *note, FileFacts *facts)
{
    const ptrdiff_t least = walk->rest > 0 ? AT_HAND : NOTE_OWN;

    for (; walk->end - walk->at >= least; walk->at += 4) {
        const unsigned char *at = walk->at;
        size_t rest = (size_t)(walk->end - at);
        uint32_t owner_size = note_word(at);

        if (owner_size == OWNER_SIZE && memcmp(at + NOTE_HEADER, "plugin", OWNER_SIZE) == 0) {
            size_t room = rest - NOTE_OWN;
            size_t padded;

            note->desc_size = note_word(at + 4);
            note->type = note_word(at + 8);
            note->desc = at + NOTE_OWN;
            padded = (note->desc_size + 3) & ~(size_t)3;
            if (padded > room && note->desc_size <= room + walk->rest && walk->rest > 0) {
                return false;
            }
            walk->at = note->desc + (padded < room ? padded : room);
            return true;
        }
        if (owner_size == 4 && note_word(at + 8) == NT_GNU_BUILD_ID && memcmp(at + NOTE_HEADER, "GNU", 4) == 0
            && note_word(at + 4) <= sizeof facts->build_id && note_word(at + 4) <= rest - 16
            && facts->build_id_size == 0) {
            facts->build_id_size = note_word(at + 4);
            memcpy(facts->build_id, at + 16, facts->build_id_size);
            facts->build_id_place = (Blank){walk->offset + (size_t)(at + 16 - walk->from), facts->build_id_size};
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
    record->size = note_word(note->desc);
    record->align = note_word(note->desc + 4);
    record->name = (const char *)note->desc + 8;
    end = (const char *)note->desc + note->desc_size;
    text = memchr(record->name, '\0', (size_t)(end - record->name));
    if (text == NULL || text + 1 == end || end[-1] != '\0') {
        return refuse_strings(kind, reason);
    }
    record->text = text + 1;
    return check_text(record, (size_t)(text - record->name), (size_t)(end - record->text) - 1, reason);
}

bool
note_again(const unsigned char *note, size_t size, Record *record)
{
    const char *name = (const char *)note + NOTE_OWN + 8, *end = (const char *)note + size;
    const char *text = size < NOTE_OWN + DESC_MIN ? NULL : memchr(name, '\0', (size_t)(end - name));

    if (text == NULL || text + 1 == end || end[-1] != '\0') {
        return false;
    }
    *record = (Record){(RecordKind)(note_word(note + 8) & ~RECORD_MUST_UNDERSTAND), note_word(note + NOTE_OWN),
                       note_word(note + NOTE_OWN + 4), name, text + 1};
    return true;
}

/* ------------------------------------------------------------------ any record */

/* The digest is no declaration: it is kept apart from the records.  A number without its state is damage that would
 * pass for a file that was never stamped. */
static FileStatus
take_digest(FileFacts *facts, uint64_t place, const Record *record, char reason[REASON_MAX])
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
        (Blank){place, sizeof record->size + sizeof record->align};
    return FILE_OK;
}

FileStatus
note_take(FileFacts *facts, const NoteWalk *walk, const Note *note, Record *record, char reason[REASON_MAX])
{
    uint32_t kind = note->type & ~RECORD_MUST_UNDERSTAND;
    FileStatus status;

    record->name = NULL;
    if (kind_name(kind) == NULL) {
        if ((note->type & RECORD_MUST_UNDERSTAND) == 0) {
            return FILE_OK;
        }
        return elf_refuse(reason, FILE_INCOMPATIBLE, "a newer version of plugin is needed: unknown record kind 0x%x",
                          kind);
    }
    status = read_record(note, (size_t)(walk->end - note->desc), record, reason);
    if (status == FILE_OK && kind == RECORD_HEADER) {
        status = check_major(record->size, reason);
    }
    if (status == FILE_OK && kind == RECORD_DIGEST) {
        status = take_digest(facts, walk->offset + (size_t)(note->desc - walk->from), record, reason);
        record->name = NULL;
    }
    return status;
}

FileStatus
note_check_abi(NoteWalk *walk, FileFacts *facts, size_t *room, char *reason)
{
    Note note;
    FileStatus status = FILE_OK;

    (void)room;
    while (status == FILE_OK && note_next(walk, &note, facts)) {
        if ((note.type & ~RECORD_MUST_UNDERSTAND) == RECORD_HEADER && note.desc_size >= 4
            && walk->end - note.desc >= 4) {
            status = check_major(note_word(note.desc), reason);
        }
    }
    return status;
}

/* ------------------------------------------------------------------ equal records, and others of one name */

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

FileStatus
note_unite(const Record *first, const Record *second, char reason[REASON_MAX])
{
    if (second->kind == RECORD_DECLARE
        || (second->size == first->size && second->align == first->align && strcmp(second->text, first->text) == 0
            && strcmp(second->name, first->name) == 0)) {
        return FILE_OK;
    }
    return refuse_pair(first, second, reason);
}

#endif /* __ELF__ */
