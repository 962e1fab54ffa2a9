/* Contracts of note.c for records.c and entering.c: single notes, their checks, and their keys. */
#ifndef PLUGIN_NOTE_H
#define PLUGIN_NOTE_H

#include "native.h"

enum {
    NOTE_OWN = 20,                 /* bytes: the header of a note of ours, and its owner */
    RECORD_GUESS = 72,             /* bytes of a note of ours, rather less than usual */
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
 * in ASCII.  It steps over it.  False says nothing, and does nothing.  NOTE_SLACK bytes behind walk->end can be read. */
enum { NOTE_SLACK = 64 };

bool note_usual(NoteWalk *walk, Record *record, uint64_t *hash);

/* The same for a note that was checked before. */
bool note_again(const unsigned char *note, size_t size, Record *record);

/* What a record is found by, and how it is spread. */
const char *note_key(const Record *record, size_t *size);
uint64_t note_hash(RecordKind kind, const char *key, size_t size);
bool note_has_key(const Record *record, RecordKind kind, const char *key, size_t size);

/* Of two records of one key: nothing if they are equal, else the reason why there cannot be both. */
FileStatus note_unite(const Record *first, const Record *second, char reason[REASON_MAX]);

#endif
