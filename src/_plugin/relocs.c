/* Relocations: each writes where the loader may write, and names symbols that are there.  Types that are not known here
 * are skipped. */
#include "check.h"

#ifdef __ELF__

enum {
    RELAS_AT_ONCE = CHUNK / sizeof(ElfW(Rela)),
    WORDS_AT_ONCE = CHUNK / sizeof(ElfW(Addr)),
    WORD = sizeof(ElfW(Addr)),
    BITS = 8 * WORD - 1,           /* places that one word of a DT_RELR bitmap speaks of */
};

/* What a relocation does, as far as it matters here. */
typedef enum {
    DOES_NOTHING,                  /* or nothing that is known here */
    DOES_RELATIVE,                 /* writes the load address plus the addend */
    DOES_IRELATIVE,                /* calls the function there, writes what it returns */
    DOES_ADDRESS,                  /* writes a symbol's address in a word */
    DOES_SLOT,                     /* the same, in a word of the table of addresses */
    DOES_HALF,                     /* the same or less in four bytes */
    DOES_COPY,                     /* copies the symbol's object */
    DOES_TLS,                      /* writes a word about a thread-local symbol */
    DOES_STATIC_TLS,               /* the same, and the library needs a place in the static block */
    DOES_DESCRIPTOR,               /* two words, with the library's own block in mind */
} Deed;

#if defined __x86_64__ && defined __LP64__

#define SYMBOL_OF(info) ((size_t)ELF64_R_SYM(info))
#define TYPE_OF(info) ((uint32_t)ELF64_R_TYPE(info))

static inline Deed
deed_of(uint32_t type)
{
    switch (type) {
    case R_X86_64_RELATIVE: return DOES_RELATIVE;
    case R_X86_64_IRELATIVE: return DOES_IRELATIVE;
    case R_X86_64_GLOB_DAT:
    case R_X86_64_JUMP_SLOT: return DOES_SLOT;
    case R_X86_64_64:
    case R_X86_64_SIZE64: return DOES_ADDRESS;
    case R_X86_64_32:
    case R_X86_64_PC32:
    case R_X86_64_SIZE32: return DOES_HALF;
    case R_X86_64_COPY: return DOES_COPY;
    case R_X86_64_DTPMOD64:
    case R_X86_64_DTPOFF64: return DOES_TLS;
    case R_X86_64_TPOFF64: return DOES_STATIC_TLS;
    case R_X86_64_TLSDESC: return DOES_DESCRIPTOR;
    default: return DOES_NOTHING;
    }
}

static inline bool
wants_size(uint32_t type)
{
    return type == R_X86_64_SIZE64 || type == R_X86_64_SIZE32;
}

#elif defined __aarch64__ && defined __LP64__

#ifndef R_AARCH64_IRELATIVE
#define R_AARCH64_IRELATIVE 1032
#endif

#define SYMBOL_OF(info) ((size_t)ELF64_R_SYM(info))
#define TYPE_OF(info) ((uint32_t)ELF64_R_TYPE(info))

static inline Deed
deed_of(uint32_t type)
{
    switch (type) {
    case R_AARCH64_RELATIVE: return DOES_RELATIVE;
    case R_AARCH64_IRELATIVE: return DOES_IRELATIVE;
    case R_AARCH64_GLOB_DAT:
    case R_AARCH64_JUMP_SLOT: return DOES_SLOT;
    case R_AARCH64_ABS64: return DOES_ADDRESS;
    case R_AARCH64_COPY: return DOES_COPY;
    case R_AARCH64_TLS_DTPMOD:
    case R_AARCH64_TLS_DTPREL: return DOES_TLS;
    case R_AARCH64_TLS_TPREL: return DOES_STATIC_TLS;
    case R_AARCH64_TLSDESC: return DOES_DESCRIPTOR;
    default: return DOES_NOTHING;
    }
}

static inline bool
wants_size(uint32_t type)
{
    (void)type;
    return false;
}

#else

#define NO_RELOCATIONS_KNOWN

#endif

#ifndef NO_RELOCATIONS_KNOWN

/* One table of relocations, for reasons. */
typedef struct {
    const char *name;
    bool calls;                    /* it fills in what the library's calls go through */
    size_t relative_count;         /* so many at the beginning, the loader believes, are relative */
    size_t index;                  /* of the first of the relocations in hand */
} Table;

/* ------------------------------------------------------------------ places */

static FileStatus
refuse_place(const Check *check, const Table *table, size_t index, uint64_t place)
{
    return elf_refuse(check->reason, FILE_INVALID, "relocation %zu of the %s writes to address 0x%llx: no place to write to",
                      table->index + index, table->name, (unsigned long long)place);
}

/* The dynamic section lies in a segment that is writable, but the loader is reading it. */
static inline bool
may_write(Check *check, uint64_t place, uint64_t size)
{
    return check_is_written(check, place, size) && place - check->dynamic_start >= check->dynamic_size;
}

/* ------------------------------------------------------------------ one relocation */

static FileStatus
refuse_symbol(const Check *check, const Table *table, size_t index, size_t symbol, const char *what)
{
    return elf_refuse(check->reason, FILE_INVALID, "relocation %zu of the %s: symbol %zu %s", table->index + index,
                      table->name, symbol, what);
}

/* The index is below the count of the hash table, if that knows one. */
static inline bool
has_symbol(Check *check, size_t symbol)
{
    if (symbol >= check->symbol_used) {
        if (symbol >= (check->symbol_count != 0 ? check->symbol_count : check->symbol_room)) {
            return false;
        }
        check->symbol_used = symbol + 1;
    }
    return true;
}

static FileStatus
check_tls(Check *check, const Table *table, size_t index, const ElfW(Rela) *rela, Deed deed)
{
    size_t symbol = SYMBOL_OF(rela->r_info);
    bool own = true;
    ElfW(Sym) entry;

    if (!may_write(check, rela->r_offset, deed == DOES_DESCRIPTOR ? 2 * WORD : WORD) || rela->r_offset % WORD != 0) {
        return refuse_place(check, table, index, rela->r_offset);
    }
    if (symbol != 0) {
        if (!check_symbol(check, symbol, &entry)) {
            return check_cut(check);
        }
        if ((entry.st_info & 0xf) != STT_TLS) {
            return refuse_symbol(check, table, index, symbol, "is not thread-local");
        }
        own = entry.st_shndx != SHN_UNDEF;
    }
    if (own && deed != DOES_TLS && check->tls == NULL) {
        return refuse_symbol(check, table, index, symbol, "is thread-local, but there is no thread-local segment");
    }
    return FILE_OK;
}

static FileStatus
check_copy(Check *check, const Table *table, size_t index, const ElfW(Rela) *rela)
{
    ElfW(Sym) entry;

    if (!check_symbol(check, SYMBOL_OF(rela->r_info), &entry)) {
        return check_cut(check);
    }
    return may_write(check, rela->r_offset, entry.st_size) ? FILE_OK
                                                           : refuse_place(check, table, index, rela->r_offset);
}

/* glibc reads the size of a weak symbol that it found nowhere at address 0.  It might find this one; no library does so. */
static FileStatus
check_size(Check *check, const Table *table, size_t index, size_t symbol)
{
    ElfW(Sym) entry;

    if (!check_symbol(check, symbol, &entry)) {
        return check_cut(check);
    }
    return entry.st_shndx == SHN_UNDEF && entry.st_info >> 4 == STB_WEAK
               ? refuse_symbol(check, table, index, symbol, "is weak and not defined here: it may have no size") : FILE_OK;
}

static FileStatus
check_irelative(Check *check, const Table *table, size_t index, const ElfW(Rela) *rela)
{
    if (!check_is_code(check, (uint64_t)rela->r_addend)) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "relocation %zu of the %s calls a function at address 0x%llx, which is no code",
                          table->index + index, table->name, (unsigned long long)rela->r_addend);
    }
    return FILE_OK;
}

/* A place that calls go through must become the address of a function, sooner or later. */
static bool
is_odd(const Table *table, const ElfW(Rela) *rela, Deed deed)
{
    if (deed == DOES_SLOT) {
        return SYMBOL_OF(rela->r_info) == 0;
    }
    return table->calls && deed != DOES_IRELATIVE && deed != DOES_DESCRIPTOR
           && (deed != DOES_NOTHING || TYPE_OF(rela->r_info) == 0);
}

static FileStatus
check_one(Check *check, const Table *table, size_t index, const ElfW(Rela) *rela)
{
    Deed deed = deed_of(TYPE_OF(rela->r_info));
    FileStatus status = FILE_OK;

    if (is_odd(table, rela, deed)) {
        return elf_refuse(check->reason, FILE_INVALID, "relocation %zu of the %s, of type %u and for symbol %zu, gives no address",
                          table->index + index, table->name, (unsigned)TYPE_OF(rela->r_info), SYMBOL_OF(rela->r_info));
    }
    if (deed == DOES_TLS || deed == DOES_STATIC_TLS || deed == DOES_DESCRIPTOR) {
        status = check_tls(check, table, index, rela, deed);
    }
    else if (deed == DOES_COPY) {
        status = check_copy(check, table, index, rela);
    }
    else if (deed != DOES_NOTHING
             && (!may_write(check, rela->r_offset, deed == DOES_HALF ? 4 : WORD)
                 || (deed == DOES_SLOT && rela->r_offset % WORD != 0))) {
        status = refuse_place(check, table, index, rela->r_offset);
    }
    if (status == FILE_OK && wants_size(TYPE_OF(rela->r_info))) {
        status = check_size(check, table, index, SYMBOL_OF(rela->r_info));
    }
    if (status == FILE_OK && deed == DOES_IRELATIVE) {
        status = check_irelative(check, table, index, rela);
    }
    if (status == FILE_OK && deed != DOES_NOTHING && slots_concern(check, rela->r_offset)) {
        bool by_symbol = deed == DOES_ADDRESS || deed == DOES_SLOT;

        status = by_symbol ? slots_fill_symbol(check, rela->r_offset, SYMBOL_OF(rela->r_info), (uint64_t)rela->r_addend)
                           : slots_fill(check, rela->r_offset, deed == DOES_RELATIVE ? (uint64_t)rela->r_addend : 0);
    }
    return status;
}

/* Most of a large table writes addresses to the same segment: what these want is done here, the rest in check_one. */
static FileStatus
check_piece(Check *check, const Table *table, const ElfW(Rela) *relas, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const ElfW(Rela) *rela = &relas[i];
        size_t symbol = SYMBOL_OF(rela->r_info);
        FileStatus status;

        if (table->index + i < table->relative_count && deed_of(TYPE_OF(rela->r_info)) != DOES_RELATIVE) {
            return elf_refuse(check->reason, FILE_INVALID, "relocation %zu of the %s is not relative, but DT_RELACOUNT is %zu",
                              table->index + i, table->name, table->relative_count);
        }
        if (symbol != 0 && !has_symbol(check, symbol)) {
            return elf_refuse(check->reason, FILE_INVALID, "relocation %zu of the %s names symbol %zu of %zu",
                              table->index + i, table->name, symbol,
                              check->symbol_count != 0 ? check->symbol_count : check->symbol_room);
        }
        status = check_one(check, table, i, rela);
        if (status != FILE_OK) {
            return status;
        }
    }
    return FILE_OK;
}

static FileStatus
check_relas(Check *check, Table *table, DynamicTag start, DynamicTag size)
{
    size_t count = (size_t)(check_value(check, size) / sizeof(ElfW(Rela)));
    uint64_t offset;

    if (!check_has(check, start) || count == 0) {
        return FILE_OK;
    }
    if (!check_locate(check, check_value(check, start), count * sizeof(ElfW(Rela)), &offset)) {
        return check_cut(check);
    }
    while (table->index < count) {
        size_t left = count - table->index, piece = left < RELAS_AT_ONCE ? left : RELAS_AT_ONCE;
        const ElfW(Rela) *relas = check_chunk(check, offset + table->index * sizeof *relas, piece * sizeof *relas);
        FileStatus status = relas == NULL ? check_cut(check) : check_piece(check, table, relas, piece);

        if (status != FILE_OK) {
            return status;
        }
        table->index += piece;
    }
    return FILE_OK;
}

/* ------------------------------------------------------------------ DT_RELR */

/* One place, whose stored value is relocated. */
static FileStatus
check_stored(Check *check, const Table *table, uint64_t place)
{
    if (!may_write(check, place, WORD)) {
        return refuse_place(check, table, 0, place);
    }
    return slots_concern(check, place) ? slots_fill_stored(check, place) : FILE_OK;
}

/* `next` is where the bits of the next bitmap begin, 0 before the first address. */
static FileStatus
check_word(Check *check, const Table *table, ElfW(Addr) word, uint64_t *next)
{
    FileStatus status = FILE_OK;

    if ((word & 1) == 0) {
        *next = word + WORD;
        return check_stored(check, table, word);
    }
    if (*next == 0) {
        return elf_refuse(check->reason, FILE_INVALID, "the %s begins with a bitmap, which has no address", table->name);
    }
    for (uint64_t place = *next; status == FILE_OK && (word >>= 1) != 0; place += WORD) {
        if ((word & 1) != 0) {
            status = check_stored(check, table, place);
        }
    }
    *next += (uint64_t)BITS * WORD;
    return status;
}

static FileStatus
check_relr(Check *check)
{
    Table table = {.name = "table of relative relocations"};
    size_t count = (size_t)(check_value(check, DYN_RELRSZ) / WORD);
    uint64_t offset, next = 0;

    if (!check_has(check, DYN_RELR) || count == 0) {
        return FILE_OK;
    }
    if (!check_locate(check, check_value(check, DYN_RELR), count * WORD, &offset)) {
        return check_cut(check);
    }
    for (const ElfW(Addr) *words = NULL; table.index < count; table.index++) {
        size_t at = table.index % WORDS_AT_ONCE, left = count - table.index;
        FileStatus status;

        if (at == 0) {
            words = check_chunk(check, offset + table.index * WORD, (left < WORDS_AT_ONCE ? left : WORDS_AT_ONCE) * WORD);
        }
        status = words == NULL ? check_cut(check) : check_word(check, &table, words[at], &next);
        if (status != FILE_OK) {
            return status;
        }
    }
    return FILE_OK;
}

/* ------------------------------------------------------------------ all */

FileStatus
relocs_check(Check *check)
{
    Table data = {.name = "relocation table", .relative_count = (size_t)check_value(check, DYN_RELACOUNT)};
    Table functions = {.name = "relocation table of functions", .calls = true};
    FileStatus status = check_relr(check);

    if (status == FILE_OK) {
        status = check_relas(check, &data, DYN_RELA, DYN_RELASZ);
    }
    if (status == FILE_OK && check_has(check, DYN_PLTREL) && check_value(check, DYN_PLTREL) == DT_RELA) {
        status = check_relas(check, &functions, DYN_JMPREL, DYN_PLTRELSZ);
    }
    return status;
}

#else

/* Nothing is known of this machine's relocations; what they fill in is taken for good. */
FileStatus
relocs_check(Check *check)
{
    check->symbol_used = check->symbol_count;
    check->arrays[0].size = check->arrays[1].size = 0;
    return FILE_OK;
}

#endif

#else

typedef int NothingHere;

#endif /* __ELF__ */
