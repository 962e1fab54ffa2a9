/* What a library exports and needs, read from its file without loading it. */
#include "native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef __ELF__

#include <link.h>

/* A table of the file in memory of ours. */
typedef struct {
    void *data;                    /* owned; NULL if the library has none */
    size_t size;                   /* bytes */
} Table;

typedef struct {
    ElfFile file;
    FileFacts facts;               /* of which only the headers are used */
    Table dynamic, strings, symbols, versions, hash, gnu_hash;
    char *reason;                  /* borrowed */
} Exports;

/* Read `size` bytes at `address` of the library.  Returns 0, or -1 with a reason that names the table. */
static int
read_table(Exports *exports, const char *what, uint64_t address, uint64_t size, Table *table)
{
    uint64_t offset;

    if (address == 0) {
        elf_refuse(exports->reason, FILE_INVALID, "has no %s", what);
        return -1;
    }
    if (!elf_locate(exports->facts.headers, exports->facts.header_count, address, size, &offset)) {
        elf_refuse(exports->reason, FILE_INVALID, "the %s lies outside every segment that is loaded", what);
        return -1;
    }
    table->data = malloc((size_t)size + 1);
    if (table->data == NULL) {
        elf_refuse(exports->reason, FILE_ERRNO, "%s", strerror(ENOMEM));
        return -1;
    }
    table->size = (size_t)size;
    if (!elf_pread(&exports->file, offset, table->data, table->size)) {
        elf_refuse(exports->reason, FILE_INVALID, "truncated while it was read");
        return -1;
    }
    return 0;
}

/* The number of bytes from `address` to the end of what the file has of its segment, 0 if it is in none. */
static uint64_t
bytes_from(const Exports *exports, uint64_t address)
{
    const ElfW(Phdr) *segments = (const void *)exports->facts.headers;

    for (size_t i = 0; i < exports->facts.header_count; i++) {
        if (segments[i].p_type == PT_LOAD && address >= segments[i].p_vaddr
            && address - segments[i].p_vaddr < segments[i].p_filesz) {
            return segments[i].p_filesz - (address - segments[i].p_vaddr);
        }
    }
    return 0;
}

/* Neither hash table tells its own size; the end of its segment bounds both. */
static int
read_hashes(Exports *exports)
{
    const ElfDynamic *dynamic = &exports->file.dynamic;

    if (dynamic->value[DYN_HASH] != 0) {
        return read_table(exports, "hash table", dynamic->value[DYN_HASH], bytes_from(exports, dynamic->value[DYN_HASH]), &exports->hash);
    }
    if (dynamic->value[DYN_GNU_HASH] != 0) {
        return read_table(exports, "hash table", dynamic->value[DYN_GNU_HASH], bytes_from(exports, dynamic->value[DYN_GNU_HASH]),
                          &exports->gnu_hash);
    }
    return 0;
}

static int
visit_needed(Exports *exports, NeededVisitor visit, void *context)
{
    const ElfW(Dyn) *entries = exports->dynamic.data;
    const char *strings = exports->strings.data;

    for (size_t i = 0; i < exports->file.dynamic_count; i++) {
        uint64_t offset = entries[i].d_un.d_val;
        int result;

        if (entries[i].d_tag != DT_NEEDED) {
            continue;
        }
        if (offset >= exports->strings.size
            || memchr(strings + offset, '\0', exports->strings.size - (size_t)offset) == NULL) {
            elf_refuse(exports->reason, FILE_INVALID, "the name of a needed library lies outside the strings");
            return -1;
        }
        result = visit(context, strings + offset);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

static int
visit_symbols(Exports *exports, ImageVisitor visit, void *context)
{
    const ElfDynamic *dynamic = &exports->file.dynamic;
    SymbolTable table = {.headers = exports->facts.headers, .header_count = exports->facts.header_count,
                         .strings = exports->strings.data, .strings_size = exports->strings.size};

    if (read_hashes(exports) != 0) {
        return -1;
    }
    table.hash = exports->hash.data;
    table.hash_size = exports->hash.size;
    table.gnu_hash = exports->gnu_hash.data;
    table.gnu_hash_size = exports->gnu_hash.size;
    table.symbol_count = symtab_count(&table);
    if (table.symbol_count == 0) {
        if (table.hash == NULL && table.gnu_hash == NULL) {
            return 0;
        }
        elf_refuse(exports->reason, FILE_INVALID, "the hash table does not fit into its segment");
        return -1;
    }
    if (read_table(exports, "symbol table", dynamic->value[DYN_SYMTAB], table.symbol_count * (uint64_t)sizeof(ElfW(Sym)),
                   &exports->symbols) != 0
        || (dynamic->value[DYN_VERSYM] != 0
            && read_table(exports, "table of versions", dynamic->value[DYN_VERSYM],
                          table.symbol_count * (uint64_t)sizeof *table.versions, &exports->versions) != 0)) {
        return -1;
    }
    table.symbols = exports->symbols.data;
    table.versions = exports->versions.data;
    return symtab_each(&table, visit, context);
}

static int
visit_all(Exports *exports, NeededVisitor needed, ImageVisitor symbol, void *context)
{
    const ElfFile *file = &exports->file;
    int result = 0;

    exports->dynamic.size = file->dynamic_count * sizeof(ElfW(Dyn));
    exports->dynamic.data = malloc(exports->dynamic.size + 1);
    if (exports->dynamic.data == NULL
        || !elf_pread(&exports->file, file->dynamic_offset, exports->dynamic.data, exports->dynamic.size)) {
        elf_refuse(exports->reason, FILE_INVALID, "the dynamic section could not be read");
        return -1;
    }
    if (read_table(exports, "string table", file->dynamic.value[DYN_STRTAB], file->dynamic.value[DYN_STRSZ], &exports->strings) != 0) {
        return -1;
    }
    if (needed != NULL) {
        result = visit_needed(exports, needed, context);
    }
    return result == 0 && symbol != NULL ? visit_symbols(exports, symbol, context) : result;
}

int
elf_exports(const char *path, NeededVisitor needed, ImageVisitor symbol, void *context, char reason[REASON_MAX])
{
    Exports exports = {.reason = reason};
    FileStatus status = elf_open(path, &exports.file, &exports.facts, reason);
    int result = -1;

    if (status == FILE_ERRNO) {
        elf_refuse(reason, status, "%s", strerror(exports.facts.error));
    }
    if (status == FILE_OK) {
        result = visit_all(&exports, needed, symbol, context);
    }
    elf_close(&exports.file);
    elf_free(&exports.facts);
    free(exports.dynamic.data);
    free(exports.strings.data);
    free(exports.symbols.data);
    free(exports.versions.data);
    free(exports.hash.data);
    free(exports.gnu_hash.data);
    return result;
}

#else

int
elf_exports(const char *path, NeededVisitor needed, ImageVisitor symbol, void *context, char reason[REASON_MAX])
{
    (void)path;
    (void)needed;
    (void)symbol;
    (void)context;
    elf_refuse(reason, FILE_INVALID, "the exports of a file can be read on ELF systems only");
    return -1;
}

#endif /* __ELF__ */
