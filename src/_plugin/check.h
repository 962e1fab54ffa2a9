/* The parts of the file check: what the loader will trust, and would crash or hang on if it were wrong.
 *
 * elf.c reads the file's headers and calls check_file, which calls the parts in their order.  Each part checks one kind
 * of table, returns FILE_OK or fills in the reason, and leaves what the next ones need in the Check.  The measure is
 * glibc's loader: what it survives is accepted, whatever the standard says; tags and types that are not known here are
 * skipped.  Tables are read piece by piece, so that a file of any size costs what its tables cost. */
#ifndef PLUGIN_CHECK_H
#define PLUGIN_CHECK_H

#include "native.h"

#ifdef __ELF__

#include <link.h>

enum {
    CHUNK = 16384,                 /* bytes of a table that are read at once */
    SLOTS_INLINE = 512,            /* entries of an init array that need no memory of their own */
};

/* An init or fini array: which of its entries a relocation fills in, with the address of code. */
typedef struct {
    const char *name;
    uint64_t start, size;          /* address and bytes; size 0 if there is none */
    unsigned char *filled;         /* a bit an entry; `few` or owned */
    unsigned char few[SLOTS_INLINE / 8];
} Slots;

/* One file that is being checked. */
typedef struct {
    ElfFile *file;                 /* borrowed, likewise below */
    const ElfW(Phdr) *segments;
    size_t segment_count;
    char *reason;
    uint64_t start, end;           /* addresses: what the PT_LOADs span */
    uint64_t dynamic_start, dynamic_size;        /* address and bytes of the dynamic section */
    const ElfW(Phdr) *tls;         /* NULL if none, or empty */
    const ElfW(Phdr) *last;        /* where `check_is_written` last found a place */
    bool text_is_written;          /* DT_TEXTREL: all segments are writable during relocation */
    size_t symbol_count;           /* as the hash table tells; 0 if it names no symbol */
    size_t symbol_room;            /* as many as fit between the symbol table and what comes next */
    size_t symbol_used;            /* one more than the highest index that a relocation names */
    struct {
        uint64_t offset;           /* bytes into the strings */
        const char *what;
        size_t index;
    } last_name;                   /* of all names seen, the one that stands last: if it ends, all end */
    Slots arrays[2];               /* init and fini */
    _Alignas(16) unsigned char chunk[CHUNK];
} Check;

/* ------------------------------------------------------------------ check.c: the order, and what the parts share */

/* Check everything that the loader reads of a file whose program headers are in `facts`. */
FileStatus check_file(ElfFile *file, const ElfW(Ehdr) *header, const FileFacts *facts, char reason[REASON_MAX]);

/* Where `size` bytes at `address` stand in the file, if one PT_LOAD that can be read has them all in the file. */
bool check_locate(const Check *check, uint64_t address, uint64_t size, uint64_t *offset);

/* The number of bytes from `address` to the end of what the file has of its segment; 0 if none. */
uint64_t check_room(const Check *check, uint64_t address);

/* Whether `size` bytes at `address` lie in the memory of one segment; in one that is writable during relocation; whether
 * `address` is one of code that stands in the file, and not of what describes the file. */
bool check_is_mapped(const Check *check, uint64_t address, uint64_t size);
bool check_is_written(Check *check, uint64_t address, uint64_t size);
bool check_is_code(const Check *check, uint64_t address);

/* `size` bytes of the file, at most CHUNK, aligned for any table; good until the next call.  NULL if the file is cut
 * while it is read. */
const void *check_chunk(Check *check, uint64_t offset, size_t size);

/* FILE_INVALID, "truncated while it was read", or the error of the system. */
FileStatus check_cut(Check *check);

/* The name of a string's owner, which must end: see last_name. */
void check_name(Check *check, uint64_t offset, const char *what, size_t index);

/* Symbol `index` of the table; false if it cannot be read. */
bool check_symbol(Check *check, size_t index, ElfW(Sym) *symbol);

static inline bool
check_has(const Check *check, DynamicTag tag)
{
    return (check->file->dynamic.present >> tag & 1) != 0;
}

static inline uint64_t
check_value(const Check *check, DynamicTag tag)
{
    return check->file->dynamic.value[tag];
}

/* ------------------------------------------------------------------ the parts, in their order */

/* segments.c: program headers, which fill in start, end and tls; section headers. */
FileStatus segments_check(Check *check, const ElfW(Ehdr) *header);
FileStatus sections_check(Check *check, const ElfW(Ehdr) *header);

/* dynamic.c: read the dynamic section into file->dynamic, then look where its tables lie.  Fills in symbol_room. */
FileStatus dynamic_read(Check *check);
FileStatus dynamic_check(Check *check);

/* hashes.c: the hash table that the loader uses.  Fills in symbol_count. */
FileStatus hashes_check(Check *check);

/* slots.c: what the loader calls.  Begin before the relocations, tell each of them, end after them. */
FileStatus slots_begin(Check *check);
FileStatus slots_end(Check *check);
void slots_free(Check *check);

/* Whether a relocation of that place concerns an init or fini array, and must be told. */
static inline bool
slots_concern(const Check *check, uint64_t place)
{
    return place - check->arrays[0].start < check->arrays[0].size || place - check->arrays[1].start < check->arrays[1].size;
}

/* The entry at `place` becomes the load address plus `value`; or what the stored value makes of it; or what a symbol
 * does, wherever that is found. */
FileStatus slots_fill(Check *check, uint64_t place, uint64_t value);
FileStatus slots_fill_stored(Check *check, uint64_t place);
FileStatus slots_fill_symbol(Check *check, uint64_t place, size_t index, uint64_t addend);

/* relocs.c: relocations of each kind.  Fills in symbol_used. */
FileStatus relocs_check(Check *check);

/* symbols.c: the symbols that can be reached. */
FileStatus symbols_check(Check *check);

/* versions.c: versions that are needed and defined, and those of the symbols. */
FileStatus versions_check(Check *check);

/* ------------------------------------------------------------------ needed.c: libraries beside the file */

enum { NEIGHBOURS_MAX = 64 };      /* the rest is left to the loader */

/* Files that are to be checked too.  Owned: needed_free.  Zeroed, it is empty. */
typedef struct {
    char *paths[NEIGHBOURS_MAX];
    FileIdentity files[NEIGHBOURS_MAX];
    size_t count;
} Neighbours;

/* Add the libraries that the accepted file at `path` needs and that exist where its $ORIGIN leads, each file once.
 * Returns 0, or -1 if memory is short. */
int needed_find(ElfFile *file, const FileFacts *facts, const char *path, Neighbours *neighbours);
void needed_free(Neighbours *neighbours);

#endif /* __ELF__ */

#endif
