/* What ledger.c and entering.c share: how a large manifest is kept.  Why it is kept so, ledger.c tells.  settled.c proves
 * small ones in the same way. */
#ifndef PLUGIN_LEDGER_H
#define PLUGIN_LEDGER_H

#include "note.h"

#ifndef LEDGER_WINDOW
#define LEDGER_WINDOW 65536        /* bytes of the file that are read at once, a multiple of BLOCK */
#endif

enum {
#ifndef LEDGER_BLOCK
    BLOCK = 4096,                  /* bytes that are proven together */
#else
    BLOCK = LEDGER_BLOCK,
#endif
    LEDGER_BUCKET = 16,            /* slots of the index that are looked at together; from the next one a search goes on */
};

/* The text of a record that is not what it was.  No declaration begins so, and whoever refuses it shows it. */
#define LOST "\"the file was written to since it was opened\""

/* One segment of notes.  In the ledger each begins at the beginning of a block. */
typedef struct {
    uint64_t at;                   /* bytes of the ledger's space */
    uint64_t size;                 /* bytes */
    uint64_t offset, address;      /* in the file; in the library */
} Stretch;

typedef enum { UNREAD, PROVEN, WRONG } BlockState;

struct Ledger {
    int fd;                        /* owned: of the file, until the library is mapped; then -1 */
    const unsigned char *base;     /* load address; NULL until the library is mapped */
    Stretch *stretches;            /* owned, as all below */
    size_t stretch_count;
    size_t size;                   /* bytes of the space */
    unsigned char *bytes;          /* the space, of which PROVEN blocks are filled in; NULL until one is wanted */
    unsigned char *states;         /* BlockState of each block */
    uint64_t *proofs;              /* hash of each block */
    uint32_t *index;               /* hash table in buckets: place, and above it bits of the hash; see place_mask */
    size_t slots;                  /* a power of two */
    uint32_t place_mask;           /* a place is a note's fourth of a byte plus 1 */
    uint32_t *rare;                /* places of records that are few: types, declarations, init */
    size_t rare_count, rare_room;
    Record header;                 /* its strings are owned */
    Record *rare_records, *records;  /* for ledger_records, or NULL */
    size_t rare_known, known;      /* how many */
};

/* The hash of a block. */
uint64_t ledger_proof(const unsigned char *at, size_t size);

/* The segment that holds this byte of the space. */
const Stretch *ledger_stretch(const Ledger *ledger, uint64_t at);

/* The slot where a search begins. */
static inline size_t
ledger_bucket(const Ledger *ledger, uint64_t hash)
{
    return (size_t)(hash >> 32) & (ledger->slots - LEDGER_BUCKET);
}

/* usual.c: enter notes of functions, variables and documentation as long as they are usual, new, and find room in their bucket; at
 * most so many.  `place` is that of walk->from.  Returns how many. */
size_t usual_enter(NoteWalk *walk, const Ledger *ledger, uint32_t place, size_t most);

/* Where the note of a place begins. */
static inline uint64_t
ledger_at(uint32_t place)
{
    return (uint64_t)(place - 1) * 4;
}

#endif
