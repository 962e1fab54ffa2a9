/* A dynamic symbol table: count, find by hash, visit.  Where it stands, in memory or in a buffer, it does not know. */
#include "native.h"

#include <string.h>

#ifdef __ELF__

#include <link.h>

#ifndef STB_GNU_UNIQUE
#define STB_GNU_UNIQUE 10
#endif

enum {
    VERSION_LOCAL = 0,
    VERSION_HIDDEN = 0x8000,       /* flag: not the default version of its name */
    TYPE_OF = 0xf,                 /* of st_info; the binding is above */
    VISIBILITY_OF = 3,             /* of st_other */
};

/* ------------------------------------------------------------------ one symbol */

static const ElfW(Sym) *
symbol_at(const SymbolTable *table, size_t index)
{
    return (const ElfW(Sym) *)table->symbols + index;
}

/* NULL if it stands outside the strings or does not end there. */
static const char *
name_of(const SymbolTable *table, const ElfW(Sym) *symbol)
{
    size_t offset = symbol->st_name;

    if (offset >= table->strings_size || memchr(table->strings + offset, '\0', table->strings_size - offset) == NULL) {
        return NULL;
    }
    return table->strings + offset;
}

static bool
is_named(const SymbolTable *table, const ElfW(Sym) *symbol, const char *name, size_t size)
{
    size_t offset = symbol->st_name;

    return offset < table->strings_size && size < table->strings_size - offset
           && memcmp(table->strings + offset, name, size + 1) == 0;
}

static bool
is_defined(const ElfW(Sym) *symbol)
{
    unsigned binding = symbol->st_info >> 4;

    return symbol->st_shndx != SHN_UNDEF
           && (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE);
}

static bool
is_default_version(const SymbolTable *table, size_t index)
{
    return table->versions == NULL
           || ((table->versions[index] & VERSION_HIDDEN) == 0 && table->versions[index] != VERSION_LOCAL);
}

/* What linkers put into every library, and the names of its versions (absolute symbols that are zero). */
static bool
is_mark(const ElfW(Sym) *symbol, const char *name)
{
    static const char *const marks[] = {"_init", "_fini", "__bss_start", "_edata", "_end"};

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (strcmp(name, marks[i]) == 0) {
            return true;
        }
    }
    return symbol->st_shndx == SHN_ABS && symbol->st_value == 0;
}

static bool
is_exported(const SymbolTable *table, size_t index)
{
    const ElfW(Sym) *symbol = symbol_at(table, index);
    unsigned visibility = symbol->st_other & VISIBILITY_OF;

    return is_defined(symbol) && (visibility == STV_DEFAULT || visibility == STV_PROTECTED)
           && is_default_version(table, index);
}

static bool
holds(const ElfW(Phdr) *segment, uint64_t address)
{
    return address >= segment->p_vaddr && address - segment->p_vaddr < segment->p_memsz;
}

static bool
is_writable(const SymbolTable *table, uint64_t address)
{
    const ElfW(Phdr) *segments = table->headers;
    bool writable = false;

    for (size_t i = 0; i < table->header_count; i++) {
        if (segments[i].p_type == PT_LOAD && holds(&segments[i], address)) {
            writable = (segments[i].p_flags & PF_W) != 0;
        }
    }
    for (size_t i = 0; i < table->header_count; i++) {
        writable = writable && !(segments[i].p_type == PT_GNU_RELRO && holds(&segments[i], address));
    }
    return writable;
}

void
symtab_facts(const SymbolTable *table, size_t index, SymbolFacts *facts)
{
    const ElfW(Sym) *symbol = symbol_at(table, index);

    switch (symbol->st_info & TYPE_OF) {
    case STT_FUNC:
    case STT_GNU_IFUNC:
        facts->kind = SYMBOL_FUNCTION;
        break;
    case STT_OBJECT:
    case STT_COMMON:
        facts->kind = SYMBOL_OBJECT;
        break;
    case STT_TLS:
        facts->kind = SYMBOL_THREAD_LOCAL;
        break;
    default:
        facts->kind = SYMBOL_OTHER;
    }
    facts->size = symbol->st_size;
    facts->writable = facts->kind == SYMBOL_THREAD_LOCAL || is_writable(table, symbol->st_value);
}

/* ------------------------------------------------------------------ the hash tables */

/* The GNU table, with sizes that were found to fit. */
typedef struct {
    const uint32_t *buckets, *chains;
    size_t bucket_count, chain_count;
    size_t first;                  /* index of the first symbol that the table speaks of */
} GnuHash;

static bool
open_gnu(const SymbolTable *table, GnuHash *gnu)
{
    const uint32_t *words = table->gnu_hash;
    size_t word_count = table->gnu_hash_size / sizeof *words;
    uint64_t before;

    if (words == NULL || word_count < 4) {
        return false;
    }
    before = 4 + (uint64_t)words[2] * (sizeof(ElfW(Addr)) / sizeof *words);
    if (words[0] == 0 || before + words[0] > word_count) {
        return false;
    }
    gnu->bucket_count = words[0];
    gnu->first = words[1];
    gnu->buckets = words + before;
    gnu->chains = gnu->buckets + gnu->bucket_count;
    gnu->chain_count = word_count - (size_t)before - gnu->bucket_count;
    return true;
}

/* The last chain ends with the last symbol; without one, only undefined symbols stand before `first`. */
static size_t
count_gnu(const GnuHash *gnu)
{
    size_t last = 0;

    for (size_t i = 0; i < gnu->bucket_count; i++) {
        last = gnu->buckets[i] > last ? gnu->buckets[i] : last;
    }
    if (last < gnu->first) {
        return gnu->first;
    }
    while (last - gnu->first < gnu->chain_count && (gnu->chains[last - gnu->first] & 1) == 0) {
        last++;
    }
    return last - gnu->first < gnu->chain_count ? last + 1 : 0;
}

static const HashWord *
open_hash(const SymbolTable *table, size_t *buckets, size_t *chains)
{
    const HashWord *words = table->hash;
    size_t word_count = table->hash_size / sizeof *words;

    if (words == NULL || word_count < 2 || words[0] == 0 || words[0] > word_count - 2
        || words[1] > word_count - 2 - words[0]) {
        return NULL;
    }
    *buckets = (size_t)words[0];
    *chains = (size_t)words[1];
    return words + 2;
}

size_t
symtab_count(const SymbolTable *table)
{
    GnuHash gnu;
    size_t buckets, chains;

    if (open_hash(table, &buckets, &chains) != NULL) {
        return chains;
    }
    return open_gnu(table, &gnu) ? count_gnu(&gnu) : 0;
}

/* ------------------------------------------------------------------ finding */

typedef struct {
    const SymbolTable *table;
    const char *name;
    size_t name_size;              /* bytes, without the NUL */
    uint64_t value;
    size_t best;                   /* index, 0 if none yet */
    bool best_is_default;
} Search;

/* Take symbol `index` if it is better than what was found; true if it is the very one. */
static bool
consider(Search *search, size_t index)
{
    const ElfW(Sym) *symbol = symbol_at(search->table, index);
    bool is_default;

    if (!is_defined(symbol) || !is_named(search->table, symbol, search->name, search->name_size)) {
        return false;
    }
    is_default = is_default_version(search->table, index);
    if (symbol->st_value == search->value || search->best == 0 || (is_default && !search->best_is_default)) {
        search->best = index;
        search->best_is_default = is_default;
    }
    return symbol->st_value == search->value;
}

static void
search_gnu(Search *search, const GnuHash *gnu)
{
    uint32_t hash = 5381;
    size_t index;

    for (const char *c = search->name; *c != '\0'; c++) {
        hash = hash * 33 + (unsigned char)*c;
    }
    index = gnu->buckets[hash % gnu->bucket_count];
    if (index < gnu->first) {
        return;
    }
    for (; index < search->table->symbol_count && index - gnu->first < gnu->chain_count; index++) {
        uint32_t link = gnu->chains[index - gnu->first];

        if (((link ^ hash) | 1) == 1 && consider(search, index)) {
            return;
        }
        if ((link & 1) != 0) {
            return;
        }
    }
}

static void
search_hash(Search *search, const HashWord *words, size_t buckets, size_t chains)
{
    uint32_t hash = 0;
    size_t index;

    for (const char *c = search->name; *c != '\0'; c++) {
        hash = (hash << 4) + (unsigned char)*c;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    index = (size_t)words[hash % buckets];
    for (size_t steps = 0; index != 0 && index < chains && index < search->table->symbol_count && steps < chains;
         steps++) {
        if (consider(search, index)) {
            return;
        }
        index = (size_t)words[buckets + index];
    }
}

size_t
symtab_find(const SymbolTable *table, const char *name, uint64_t value)
{
    Search search = {.table = table, .name = name, .name_size = strlen(name), .value = value};
    GnuHash gnu;
    size_t buckets, chains;
    const HashWord *words;

    if (open_gnu(table, &gnu)) {
        search_gnu(&search, &gnu);
    }
    else if ((words = open_hash(table, &buckets, &chains)) != NULL) {
        search_hash(&search, words, buckets, chains);
    }
    return search.best;
}

int
symtab_each(const SymbolTable *table, ImageVisitor visit, void *context)
{
    for (size_t i = 1; i < table->symbol_count; i++) {
        const char *name = is_exported(table, i) ? name_of(table, symbol_at(table, i)) : NULL;
        SymbolFacts facts;
        int result;

        if (name == NULL || name[0] == '\0' || is_mark(symbol_at(table, i), name)) {
            continue;
        }
        symtab_facts(table, i, &facts);
        result = visit(context, name, &facts);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

#else

typedef int NothingHere;

#endif /* __ELF__ */
