/* Contracts of note.c and usual.c for records.c and entering.c: single notes, their checks, and their keys. */
#ifndef PLUGIN_NOTE_H
#define PLUGIN_NOTE_H

#include "native.h"

#include <string.h>

enum {
    NOTE_HEADER = 12,              /* bytes: namesz, descsz, type */
    OWNER_SIZE = 7,                /* "plugin", the NUL included; padded to 8 */
    NOTE_OWN = 20,                 /* bytes: the header of a note of ours, and its owner */
    DESC_MIN = 10,                 /* bytes: two numbers and two empty strings */
    RECORD_GUESS = 72,             /* bytes of a note of ours, rather less than usual */
    NOTE_SLACK = 64,               /* bytes behind walk->end that can be read, and are zeros */
};

/* A way through a segment of notes, or a piece of one. */
typedef struct {
    const unsigned char *at, *end;
    const unsigned char *from;     /* where what is at hand begins: */
    uint64_t offset;               /* byte of the file */
    uint64_t rest;                 /* bytes of the segment that follow `end` */
} NoteWalk;

typedef struct {
    uint32_t type;
    size_t desc_size;              /* bytes, as the note says */
    const unsigned char *desc;
} Note;

static inline uint32_t
note_word(const unsigned char *place)
{
    uint32_t word;

    memcpy(&word, place, sizeof word);
    return word;
}

/* Whether there may be thousands of that kind. */
static inline bool
note_is_common(uint32_t kind)
{
    return (kind == RECORD_FUNC) | (kind == RECORD_VAR) | (kind == RECORD_DOC);
}

/* Go to the next note of ours; false at the end, or where the next one is not all at hand: then `at` is where it begins,
 * or a little before. */
bool note_next(NoteWalk *walk, Note *note, FileFacts *facts);

/* Check a note, and make a record of it, which points into it; the digest, and what may be skipped, is none and leaves
 * record->name at NULL. */
FileStatus note_take(FileFacts *facts, const NoteWalk *walk, const Note *note, Record *record, char reason[REASON_MAX]);

/* After a failure: everything but the header's first number may look different in another version of the ABI, so if it
 * is that of another, this is the reason.  `room` is not looked at. */
FileStatus note_check_abi(NoteWalk *walk, FileFacts *facts, size_t *room, char *reason);

/* The usual case of both: the walk stands before a sound note of ours, of a function, a variable, a type or documentation,
 * in ASCII.  It steps over it.  False says nothing, and does nothing. */
bool note_usual(NoteWalk *walk, Record *record);

/* A record of a note that was checked before. */
bool note_again(const unsigned char *note, size_t size, Record *record);

/* What a record is found by, and how it is spread. */
const char *note_key(const Record *record, size_t *size);
uint64_t note_hash(RecordKind kind, const char *key, size_t size);
bool note_has_key(const Record *record, RecordKind kind, const char *key, size_t size);

/* Two words to one, every bit of which depends on all. */
#ifdef __SIZEOF_INT128__
static inline uint64_t
note_fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}
#else
static inline uint64_t
note_fold(uint64_t a, uint64_t b)
{
    a = (a ^ b) * 0x9e3779b97f4a7c15u;
    return (a ^ a >> 32) * 0xc2b2ae3d27d4eb4fu ^ (b << 29 | b >> 35);
}
#endif

#define NOTE_ODD 0xa0761d6478bd642fu

/* note_hash of a key of at most 16 bytes, which are in `words`, zeros behind them. */
static inline uint64_t
note_hash_short(RecordKind kind, const uint64_t words[2], size_t size)
{
    return note_fold(words[0] ^ 0xe7037ed1a0b428dbu, words[1] ^ NOTE_ODD ^ (uint64_t)kind << 32 ^ size);
}

/* Of two records of one key: nothing if they are equal, else the reason why there cannot be both. */
FileStatus note_unite(const Record *first, const Record *second, char reason[REASON_MAX]);

#endif
