/* A library that the loader has mapped: is it the file that was read, and what does its symbol table say? */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "native.h"

#include <dlfcn.h>
#include <string.h>

#ifdef __ELF__

#include <link.h>

enum { NAME_SHOWN = 200 };         /* bytes of a symbol's or library's name in a reason */

/* One mapped library.  Everything is borrowed from the loader, for as long as the handle is open. */
typedef struct {
    const struct link_map *map;
    const ElfW(Phdr) *headers;     /* NULL until found */
    size_t header_count;
} Image;

/* ------------------------------------------------------------------ finding the image */

static int
match_image(struct dl_phdr_info *info, size_t size, void *context)
{
    Image *image = context;

    (void)size;
    if (info->dlpi_addr != image->map->l_addr) {
        return 0;
    }
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC
            && info->dlpi_addr + info->dlpi_phdr[i].p_vaddr == (ElfW(Addr))(uintptr_t)image->map->l_ld) {
            image->headers = info->dlpi_phdr;
            image->header_count = info->dlpi_phnum;
            return 1;
        }
    }
    return 0;
}

/* The loader's own word, from glibc 2.36 on: a walk over all libraries takes the longer the more there are. */
static bool
ask_headers(void *handle, Image *image)
{
#ifdef __GLIBC__
    enum { HEADERS = 11 };         /* RTLD_DI_PHDR, which older headers lack and older loaders refuse */
    const ElfW(Phdr) *headers = NULL;
    int count = dlinfo(handle, HEADERS, &headers);

    if (count > 0 && headers != NULL) {
        image->headers = headers;
        image->header_count = (size_t)count;
        return true;
    }
#endif
    (void)handle;
    (void)image;
    return false;
}

static bool
find_image(void *handle, Image *image, char reason[REASON_MAX])
{
    struct link_map *map = NULL;

    *image = (Image){0};
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map != NULL) {
        image->map = map;
        if (!ask_headers(handle, image)) {
            dl_iterate_phdr(match_image, image);
        }
    }
    if (image->headers == NULL) {
        elf_refuse(reason, FILE_INVALID, "the loader does not tell where the library is mapped");
    }
    return image->headers != NULL;
}

/* Where `address` of the library stands in memory. */
static const void *
in_memory(const Image *image, uint64_t address)
{
    return (const void *)(uintptr_t)(image->map->l_addr + (ElfW(Addr))address);
}

/* The segment that holds this address of the process, or NULL. */
static const ElfW(Phdr) *
segment_of(const Image *image, uint64_t place)
{
    uint64_t address = (ElfW(Addr))place - image->map->l_addr;

    for (size_t i = 0; i < image->header_count; i++) {
        const ElfW(Phdr) *segment = &image->headers[i];

        if (segment->p_type == PT_LOAD && address >= segment->p_vaddr
            && address - segment->p_vaddr < segment->p_memsz) {
            return segment;
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------ is it the file that was read? */

static bool
notes_match(const Image *image, const FileFacts *facts)
{
    const ElfW(Phdr) *segments = (const void *)facts->headers;
    size_t at = 0;

    for (size_t i = 0; i < facts->header_count; i++) {
        size_t size = (size_t)segments[i].p_filesz;

        if (!elf_note_is_mapped(segments, facts->header_count, i)) {
            continue;
        }
        if (size > facts->notes_size - at
            || memcmp(facts->notes + at, in_memory(image, segments[i].p_vaddr), size) != 0) {
            return false;
        }
        at += size;
    }
    return at == facts->notes_size;
}

int
image_matches(void *handle, FileFacts *facts, bool is_unused, char reason[REASON_MAX])
{
    Image image;

    if (!find_image(handle, &image, reason)) {
        return 0;
    }
    if (image.header_count != facts->header_count
        || memcmp(image.headers, facts->headers, image.header_count * sizeof *image.headers) != 0) {
        elf_refuse(reason, FILE_INVALID, "the loader mapped another file than the one that was read: "
                                         "their program headers differ");
        return 0;
    }
    if (facts->ledger != NULL ? !ledger_map(facts, in_memory(&image, 0)) : !notes_match(&image, facts)) {
        elf_refuse(reason, FILE_INVALID, "the loader mapped another file than the one that was read: "
                                         "their notes differ");
        return 0;
    }
    settled_make(facts, image.headers, in_memory(&image, 0), is_unused);
    return 1;
}

/* ------------------------------------------------------------------ the symbol table in memory */

/* A table that the dynamic section names.  Some C libraries relocate these pointers in place, others do not: the one
 * that lies in the library is right.  `size` is set to what its segment has from there on. */
static const void *
table_at(const Image *image, const ElfW(Dyn) *entry, size_t alignment, size_t *size)
{
    uint64_t place = entry->d_un.d_ptr;
    const ElfW(Phdr) *segment = segment_of(image, place);

    if (segment == NULL) {
        place = (ElfW(Addr))(place + image->map->l_addr);
        segment = segment_of(image, place);
    }
    if (segment == NULL || place % alignment != 0) {
        *size = 0;
        return NULL;
    }
    *size = (size_t)(segment->p_vaddr + segment->p_memsz - (ElfW(Addr))(place - image->map->l_addr));
    return (const void *)(uintptr_t)place;
}

static void
open_table(const Image *image, SymbolTable *table)
{
    size_t symbols_size = 0, versions_size = 0, strings_room = 0, strings_size = 0;

    *table = (SymbolTable){.headers = image->headers, .header_count = image->header_count};
    for (const ElfW(Dyn) *entry = image->map->l_ld; entry->d_tag != DT_NULL; entry++) {
        switch (entry->d_tag) {
        case DT_SYMTAB: table->symbols = table_at(image, entry, sizeof(ElfW(Addr)), &symbols_size); break;
        case DT_STRTAB: table->strings = table_at(image, entry, 1, &strings_room); break;
        case DT_STRSZ: strings_size = (size_t)entry->d_un.d_val; break;
        case DT_VERSYM: table->versions = table_at(image, entry, sizeof(uint16_t), &versions_size); break;
        case DT_HASH: table->hash = table_at(image, entry, sizeof(uint32_t), &table->hash_size); break;
        case DT_GNU_HASH:
            table->gnu_hash = table_at(image, entry, sizeof(uint32_t), &table->gnu_hash_size);
            break;
        default: break;
        }
    }
    table->strings_size = strings_size < strings_room ? strings_size : strings_room;
    table->symbol_count = symbols_size / sizeof(ElfW(Sym));
    if (table->versions != NULL && versions_size / sizeof *table->versions < table->symbol_count) {
        table->symbol_count = versions_size / sizeof *table->versions;
    }
}

/* ------------------------------------------------------------------ one symbol */

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static int
refuse_foreign(const Image *image, const char *name, const void *address, char reason[REASON_MAX])
{
    const char *own = base_name(image->map->l_name);
    Dl_info info;

    if (segment_of(image, (uintptr_t)address) != NULL) {
        elf_refuse(reason, FILE_INVALID, "%.*s has no definition in the symbol table of %.*s", NAME_SHOWN, name,
                   NAME_SHOWN, own);
    }
    else if (dladdr(address, &info) != 0 && info.dli_fname != NULL) {
        elf_refuse(reason, FILE_INVALID, "%.*s belongs to %.*s, which %.*s merely links", NAME_SHOWN, name, NAME_SHOWN,
                   base_name(info.dli_fname), NAME_SHOWN, own);
    }
    else {
        elf_refuse(reason, FILE_INVALID, "%.*s has no definition in %.*s", NAME_SHOWN, name, NAME_SHOWN, own);
    }
    return -1;
}

/* Whether dlsym's address can be that of this symbol: an IFUNC's is what its resolver returned, an absolute symbol's
 * is relocated by some C libraries only. */
static bool
explains(const Image *image, const ElfW(Sym) *symbol, const void *address)
{
    uintptr_t place = (uintptr_t)address;

    if ((symbol->st_info & 0xf) == STT_GNU_IFUNC || (symbol->st_info & 0xf) == STT_TLS) {
        return true;
    }
    return place == (uintptr_t)in_memory(image, symbol->st_value)
           || (symbol->st_shndx == SHN_ABS && place == symbol->st_value);
}

int
image_symbol(void *handle, const char *name, const void *address, SymbolFacts *facts, char reason[REASON_MAX])
{
    Image image;
    SymbolTable table;
    size_t index;

    if (!find_image(handle, &image, reason)) {
        return -1;
    }
    open_table(&image, &table);
    index = table.symbols == NULL || table.strings == NULL
                ? 0
                : symtab_find(&table, name, (ElfW(Addr))(uintptr_t)address - image.map->l_addr);
    if (index == 0 || !explains(&image, (const ElfW(Sym) *)table.symbols + index, address)) {
        return refuse_foreign(&image, name, address, reason);
    }
    symtab_facts(&table, index, facts);
    if (facts->kind == SYMBOL_THREAD_LOCAL) {
        elf_refuse(reason, FILE_INVALID, "%.*s is thread-local: its address is good for one thread only", NAME_SHOWN,
                   name);
        return -1;
    }
    return 0;
}

int
image_each(void *handle, ImageVisitor visit, void *context)
{
    char reason[REASON_MAX];
    Image image;
    SymbolTable table;
    size_t count;

    if (!find_image(handle, &image, reason)) {
        return 0;
    }
    open_table(&image, &table);
    if (table.symbols == NULL || table.strings == NULL) {
        return 0;
    }
    count = symtab_count(&table);
    table.symbol_count = count < table.symbol_count ? count : table.symbol_count;
    return symtab_each(&table, visit, context);
}

#else

int
image_matches(void *handle, FileFacts *facts, bool is_unused, char reason[REASON_MAX])
{
    (void)handle;
    (void)facts;
    (void)is_unused;
    (void)reason;
    return 1;
}

int
image_symbol(void *handle, const char *name, const void *address, SymbolFacts *facts, char reason[REASON_MAX])
{
    (void)handle;
    (void)name;
    (void)address;
    (void)reason;
    *facts = (SymbolFacts){.kind = SYMBOL_UNKNOWN};
    return 0;
}

int
image_each(void *handle, ImageVisitor visit, void *context)
{
    (void)handle;
    (void)visit;
    (void)context;
    return 0;
}

#endif /* __ELF__ */
