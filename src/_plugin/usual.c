/* The usual note, as nearly all are: a sound one of ours, in ASCII.  It is known at a glance, 64 bytes at a time; what is
 * not, note.c looks at again. */
#include "ledger.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#if defined(__ELF__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

/* ------------------------------------------------------------------ two strings */

#ifdef __SSE2__

/* A bit for each byte of 64 that is NUL, and whether all are ASCII. */
static inline uint64_t
look_at(const unsigned char *at, bool *plain)
{
    const __m128i none = _mm_setzero_si128();
    __m128i a = _mm_loadu_si128((const void *)at), b = _mm_loadu_si128((const void *)(at + 16));
    __m128i c = _mm_loadu_si128((const void *)(at + 32)), d = _mm_loadu_si128((const void *)(at + 48));

    *plain = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d))) == 0;
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(a, none))
           | (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(b, none)) << 16
           | (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(c, none)) << 32
           | (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(d, none)) << 48;
}

#else

static inline uint64_t
look_at(const unsigned char *at, bool *plain)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7fu;
    uint64_t word, all = 0, nuls = 0;

    for (unsigned i = 0; i < 8; i++) {
        memcpy(&word, at + (size_t)8 * i, sizeof word);
        all |= word;
        word = ~(((word & low) + low) | word | low) >> 7;          /* 1 in each byte that is NUL */
        nuls |= (word * 0x0102040810204080u >> 56) << 8 * i;
    }
    *plain = (all & ~low) == 0;
    return nuls;
}

#endif

/* Whether none of `size` bytes, at most 64, has its highest bit set. */
static bool
is_ascii(const unsigned char *at, size_t size)
{
    unsigned char all = 0;

    for (size_t i = 0; i < size; i++) {
        all |= at[i];
    }
    return all < 0x80;
}

/* The same question as below, of more than 64 bytes. */
static bool
are_two_long_strings(const unsigned char *at, size_t size, size_t *name_size)
{
    size_t found = 0;

    *name_size = 0;
    for (size_t from = 0; from < size; from += 64) {
        size_t left = size - from < 64 ? size - from : 64;
        bool plain;
        uint64_t nuls = look_at(at + from, &plain) & (left == 64 ? UINT64_MAX : ((uint64_t)1 << left) - 1);

        if (!plain && !is_ascii(at + from, left)) {
            return false;
        }
        if (found == 0 && nuls != 0) {
            *name_size = from + (size_t)__builtin_ctzll(nuls);
        }
        found += (size_t)__builtin_popcountll(nuls);
    }
    return found == 2 && at[size - 1] == '\0';
}

/* Whether these bytes are two strings of ASCII and nothing else; then `name_size` is the length of the first.  64 bytes
 * from the beginning of the last can be read. */
static inline bool
are_two_strings(const unsigned char *at, size_t size, size_t *name_size)
{
    uint64_t nuls, last;
    bool plain;

    if (size > 64) {
        return are_two_long_strings(at, size, name_size);
    }
    last = (uint64_t)1 << (size - 1);
    nuls = look_at(at, &plain) & (last | (last - 1));
    *name_size = (size_t)__builtin_ctzll(nuls | last);
    return (nuls & (nuls - 1)) == last && (plain || is_ascii(at, size));
}

/* ------------------------------------------------------------------ one note */

typedef struct {
    const unsigned char *name;
    size_t name_size;
    uint32_t kind;
    size_t size;                   /* bytes of the whole note, padding included */
} Glance;

static inline bool
glance(const unsigned char *at, const unsigned char *end, Glance *note)
{
    size_t room = (size_t)(end - at), size;
    uint64_t owner;

    if (room < NOTE_OWN + DESC_MIN || note_word(at) != OWNER_SIZE) {
        return false;
    }
    memcpy(&owner, at + NOTE_HEADER, sizeof owner);
    size = note_word(at + 4);
    note->kind = note_word(at + 8);
    note->name = at + NOTE_OWN + 8;
    note->size = NOTE_OWN + ((size + 3) & ~(size_t)3);
    return (owner & 0xffffffffffffffu) == 0x6e6967756c70u /* "plugin" and a NUL */
           && size >= DESC_MIN && size <= room - NOTE_OWN - 3
           && are_two_strings(note->name, size - 8, &note->name_size) && note->name_size > 0;
}

bool
note_usual(NoteWalk *walk, Record *record)
{
    Glance note;

    if (!glance(walk->at, walk->end, &note) || note.kind < RECORD_FUNC || note.kind > RECORD_DOC
        || note.kind == RECORD_DECLARE) {
        return false;
    }
    *record = (Record){(RecordKind)note.kind, note_word(note.name - 8), note_word(note.name - 4), (const char *)note.name,
                       (const char *)note.name + note.name_size + 1};
    walk->at += note.size;
    return true;
}

/* ------------------------------------------------------------------ many notes */

/* note_hash of a name behind which there is more. */
static inline uint64_t
hash_of(const Glance *note)
{
    size_t size = note->name_size;
    uint64_t words[2];

    if (size > sizeof words) {
        return note_hash((RecordKind)note->kind, (const char *)note->name, size);
    }
    memcpy(words, note->name, sizeof words);
    words[0] &= size < 8 ? UINT64_MAX >> (64 - 8 * size) : UINT64_MAX;
    words[1] &= size > 8 ? UINT64_MAX >> (128 - 8 * size) : 0;
    return note_hash_short((RecordKind)note->kind, words, size);
}

/* The number of slots of the bucket that are in use, which come first; all of them if the mark may be there already. */
#ifdef __SSE2__
static inline unsigned
room_for(const uint32_t *bucket, uint32_t mark, uint32_t mask)
{
    const __m128i none = _mm_setzero_si128(), wanted = _mm_set1_epi32((int)mark), marks = _mm_set1_epi32((int)mask);
    __m128i same = none, empty[LEDGER_BUCKET / 4];
    unsigned first_empty;

    for (int i = 0; i < LEDGER_BUCKET / 4; i++) {
        __m128i entries = _mm_loadu_si128((const void *)(bucket + 4 * i));

        same = _mm_or_si128(same, _mm_cmpeq_epi32(_mm_and_si128(entries, marks), wanted));
        empty[i] = _mm_cmpeq_epi32(entries, none);
    }
    first_empty = (unsigned)_mm_movemask_epi8(
        _mm_packs_epi16(_mm_packs_epi32(empty[0], empty[1]), _mm_packs_epi32(empty[2], empty[3])));
    return _mm_movemask_epi8(same) != 0 ? LEDGER_BUCKET : (unsigned)__builtin_ctz(first_empty | 1u << LEDGER_BUCKET);
}
#else
static inline unsigned
room_for(const uint32_t *bucket, uint32_t mark, uint32_t mask)
{
    unsigned used = 0;

    while (used < LEDGER_BUCKET && bucket[used] != 0) {
        if ((bucket[used++] & mask) == mark) {
            return LEDGER_BUCKET;
        }
    }
    return used;
}
#endif

size_t
usual_enter(NoteWalk *walk, const Ledger *ledger, uint32_t place, size_t most)
{
    const uint32_t mask = ~ledger->place_mask;
    const unsigned char *at = walk->at;
    size_t entered = 0;
    Glance note;

    for (; entered < most && glance(at, walk->end, &note) && note_is_common(note.kind); entered++) {
        uint64_t hash = hash_of(&note);
        uint32_t *bucket = &ledger->index[ledger_bucket(ledger, hash)];
        uint32_t mark = (uint32_t)hash & mask;
        unsigned used = room_for(bucket, mark, mask);

        if (used == LEDGER_BUCKET) {
            break;
        }
        bucket[used] = mark | (place + (uint32_t)((size_t)(at - walk->from) / 4));
        at += note.size;
    }
    walk->at = at;
    return entered;
}

#else

bool
note_usual(NoteWalk *walk, Record *record)
{
    (void)walk;
    (void)record;
    return false;
}

size_t
usual_enter(NoteWalk *walk, const Ledger *ledger, uint32_t place, size_t most)
{
    (void)walk;
    (void)ledger;
    (void)place;
    (void)most;
    return 0;
}

#endif
