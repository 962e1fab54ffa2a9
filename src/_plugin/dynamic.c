/* The dynamic section: read, ended, complete, and where the tables lie that it names. */
#include "check.h"

#ifdef __ELF__

#ifndef DT_RELR
#define DT_RELRSZ 35
#define DT_RELR 36
#define DT_RELRENT 37
#endif
#ifndef DF_1_PIE
#define DF_1_PIE 0x08000000
#endif

enum {
    ENTRIES_AT_ONCE = CHUNK / sizeof(ElfW(Dyn)),
    ENTRIES_MAX = 16384,           /* a library that needs a thousand others has a tenth of that; each is looked at often */
    ALIGNMENT = sizeof(ElfW(Addr)),
#if defined __LP64__
    PLT_RELOCATIONS = DT_RELA,
#else
    PLT_RELOCATIONS = 0,           /* either kind */
#endif
};

/* ------------------------------------------------------------------ reading */

/* The tags wanted here lie far apart, hence a switch.  Unknown ones are skipped, never refused. */
static DynamicTag
tag_of(const ElfW(Dyn) *entry)
{
    switch (entry->d_tag) {
    case DT_STRTAB: return DYN_STRTAB;
    case DT_STRSZ: return DYN_STRSZ;
    case DT_SYMTAB: return DYN_SYMTAB;
    case DT_SYMENT: return DYN_SYMENT;
    case DT_HASH: return DYN_HASH;
    case DT_GNU_HASH: return DYN_GNU_HASH;
    case DT_VERSYM: return DYN_VERSYM;
    case DT_VERDEF: return DYN_VERDEF;
    case DT_VERNEED: return DYN_VERNEED;
    case DT_RELA: return DYN_RELA;
    case DT_RELASZ: return DYN_RELASZ;
    case DT_RELAENT: return DYN_RELAENT;
    case DT_RELACOUNT: return DYN_RELACOUNT;
    case DT_RELR: return DYN_RELR;
    case DT_RELRSZ: return DYN_RELRSZ;
    case DT_RELRENT: return DYN_RELRENT;
    case DT_JMPREL: return DYN_JMPREL;
    case DT_PLTRELSZ: return DYN_PLTRELSZ;
    case DT_PLTREL: return DYN_PLTREL;
    case DT_PLTGOT: return DYN_PLTGOT;
    case DT_INIT: return DYN_INIT;
    case DT_FINI: return DYN_FINI;
    case DT_INIT_ARRAY: return DYN_INIT_ARRAY;
    case DT_INIT_ARRAYSZ: return DYN_INIT_ARRAYSZ;
    case DT_FINI_ARRAY: return DYN_FINI_ARRAY;
    case DT_FINI_ARRAYSZ: return DYN_FINI_ARRAYSZ;
    case DT_SONAME: return DYN_SONAME;
    case DT_RPATH: return DYN_RPATH;
    case DT_RUNPATH: return DYN_RUNPATH;
    case DT_TEXTREL: return DYN_TEXTREL;
    case DT_FLAGS: return DYN_FLAGS;
    case DT_FLAGS_1: return DYN_FLAGS_1;
    default: return DYN_COUNT;
    }
}

/* Of several entries of one tag the loader takes the last. */
static void
take_entry(Check *check, const ElfW(Dyn) *entry, size_t index)
{
    ElfDynamic *dynamic = &check->file->dynamic;
    DynamicTag tag = tag_of(entry);

    if (tag != DYN_COUNT) {
        dynamic->value[tag] = entry->d_un.d_val;
        dynamic->present |= (uint64_t)1 << tag;
    }
    switch (entry->d_tag) {
    case DT_NEEDED:
    case DT_SONAME:
    case DT_RPATH:
    case DT_RUNPATH:
    case DT_AUXILIARY:
    case DT_FILTER:
        check_name(check, entry->d_un.d_val, "dynamic entry", index);
        break;
    default:
        break;
    }
}

FileStatus
dynamic_read(Check *check)
{
    const ElfW(Dyn) *entries = NULL;
    size_t count = check->file->dynamic_count;

    for (size_t i = 0; i < count; i++) {
        size_t at = i % ENTRIES_AT_ONCE, left = count - i;

        if (at == 0) {
            entries = check_chunk(check, check->file->dynamic_offset + i * sizeof *entries,
                                  (left < ENTRIES_AT_ONCE ? left : ENTRIES_AT_ONCE) * sizeof *entries);
        }
        if (entries == NULL) {
            return check_cut(check);
        }
        if (entries[at].d_tag == DT_NULL) {
            check->file->dynamic_count = i;
            return FILE_OK;
        }
        if (i == ENTRIES_MAX) {
            return elf_refuse(check->reason, FILE_INVALID, "the dynamic section has more than %d entries", ENTRIES_MAX);
        }
        take_entry(check, &entries[at], i);
    }
    return elf_refuse(check->reason, FILE_INVALID, "the dynamic section does not end: none of its %zu entries is DT_NULL",
                      count);
}

/* ------------------------------------------------------------------ what it must tell */

static FileStatus
refuse_missing(const Check *check, const char *name, const char *missing)
{
    return elf_refuse(check->reason, FILE_INVALID, "the dynamic section has %s, but no %s", name, missing);
}

/* The loader believes that these come together, and that records have the sizes that it knows. */
static FileStatus
check_complete(Check *check)
{
    static const struct {
        DynamicTag tag;
        DynamicTag other;
        const char *name;
        const char *other_name;
        uint64_t value;            /* what `other` must be, if not 0 */
    } pairs[] = {
        {DYN_STRTAB, DYN_STRSZ, "DT_STRTAB", "DT_STRSZ", 0},
        {DYN_RELA, DYN_RELASZ, "DT_RELA", "DT_RELASZ", 0},
        {DYN_RELA, DYN_RELAENT, "DT_RELA", "DT_RELAENT", sizeof(ElfW(Rela))},
        {DYN_RELR, DYN_RELRSZ, "DT_RELR", "DT_RELRSZ", 0},
        {DYN_RELR, DYN_RELRENT, "DT_RELR", "DT_RELRENT", sizeof(ElfW(Addr))},
        {DYN_PLTREL, DYN_JMPREL, "DT_PLTREL", "DT_JMPREL", 0},
        {DYN_JMPREL, DYN_PLTRELSZ, "DT_JMPREL", "DT_PLTRELSZ", 0},
        {DYN_JMPREL, DYN_PLTREL, "DT_JMPREL", "DT_PLTREL", PLT_RELOCATIONS},
        {DYN_INIT_ARRAY, DYN_INIT_ARRAYSZ, "DT_INIT_ARRAY", "DT_INIT_ARRAYSZ", 0},
        {DYN_FINI_ARRAY, DYN_FINI_ARRAYSZ, "DT_FINI_ARRAY", "DT_FINI_ARRAYSZ", 0},
        {DYN_VERNEED, DYN_VERSYM, "DT_VERNEED", "DT_VERSYM", 0},
        {DYN_VERDEF, DYN_VERSYM, "DT_VERDEF", "DT_VERSYM", 0},
        {DYN_SYMTAB, DYN_SYMENT, NULL, "DT_SYMENT", sizeof(ElfW(Sym))},
    };

    if (!check_has(check, DYN_STRTAB) || !check_has(check, DYN_SYMTAB)) {
        return elf_refuse(check->reason, FILE_INVALID, "the dynamic section has no %s",
                          check_has(check, DYN_STRTAB) ? "symbol table" : "string table");
    }
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        uint64_t value = check_value(check, pairs[i].other);

        if (!check_has(check, pairs[i].tag)) {
            continue;
        }
        if (!check_has(check, pairs[i].other)) {
            if (pairs[i].name == NULL) {
                continue;
            }
            return refuse_missing(check, pairs[i].name, pairs[i].other_name);
        }
        if (pairs[i].value != 0 && value != pairs[i].value) {
            return elf_refuse(check->reason, FILE_INVALID, "%s is %llu, expected %llu", pairs[i].other_name,
                              (unsigned long long)value, (unsigned long long)pairs[i].value);
        }
    }
    return FILE_OK;
}

/* ------------------------------------------------------------------ where its tables lie */

static FileStatus
refuse_place(const Check *check, const char *name, uint64_t address, uint64_t size)
{
    return elf_refuse(check->reason, FILE_INVALID,
                      "the %s (%llu bytes at address 0x%llx) lies outside every segment that is loaded", name,
                      (unsigned long long)size, (unsigned long long)address);
}

static FileStatus
check_tables_lie(Check *check)
{
    static const struct {
        DynamicTag tag;
        DynamicTag size;           /* DYN_COUNT: only the least size is known here */
        uint64_t item;             /* bytes; the size is a multiple, or the least size */
        const char *name;
    } tables[] = {
        {DYN_STRTAB, DYN_STRSZ, 1, "string table"},
        {DYN_SYMTAB, DYN_COUNT, sizeof(ElfW(Sym)), "symbol table"},
        {DYN_VERSYM, DYN_COUNT, sizeof(ElfW(Half)), "table of versions"},
        {DYN_RELA, DYN_RELASZ, sizeof(ElfW(Rela)), "relocation table"},
        {DYN_RELR, DYN_RELRSZ, sizeof(ElfW(Addr)), "table of relative relocations"},
        {DYN_JMPREL, DYN_PLTRELSZ, PLT_RELOCATIONS == 0 ? ALIGNMENT : sizeof(ElfW(Rela)), "relocation table of functions"},
    };

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        uint64_t address = check_value(check, tables[i].tag), item = tables[i].item, offset;
        uint64_t size = tables[i].size == DYN_COUNT ? item : check_value(check, tables[i].size);

        if (!check_has(check, tables[i].tag) || size == 0) {
            continue;
        }
        if (!check_locate(check, address, size, &offset)) {
            return refuse_place(check, tables[i].name, address, size);
        }
        if (item >= ALIGNMENT && address % ALIGNMENT != 0) {
            return elf_refuse(check->reason, FILE_INVALID, "the %s is not aligned: it lies at address 0x%llx", tables[i].name,
                              (unsigned long long)address);
        }
        if (size % item != 0) {
            return elf_refuse(check->reason, FILE_INVALID, "the %s has %llu bytes, expected a multiple of %llu",
                              tables[i].name, (unsigned long long)size, (unsigned long long)item);
        }
    }
    return FILE_OK;
}

/* The symbol table does not tell its own size; at most it ends where another table begins. */
static void
find_symbol_room(Check *check)
{
    static const DynamicTag others[] = {DYN_STRTAB, DYN_HASH,    DYN_GNU_HASH, DYN_VERSYM, DYN_VERDEF,
                                        DYN_VERNEED, DYN_RELA,    DYN_RELR,     DYN_JMPREL};
    uint64_t start = check_value(check, DYN_SYMTAB), room = check_room(check, start);

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        uint64_t distance = check_value(check, others[i]) - start;

        if (check_has(check, others[i]) && distance != 0 && distance < room) {
            room = distance;
        }
    }
    check->symbol_room = (size_t)(room / sizeof(ElfW(Sym)));
}

/* Functions that the loader calls itself, and the words that it writes into the table of addresses: the stub that binds
 * functions at their first call, and what that is told. */
static FileStatus
check_places(Check *check)
{
    static const struct {
        DynamicTag tag;
        const char *name;
    } functions[] = {{DYN_INIT, "init"}, {DYN_FINI, "fini"}};
    const uint64_t stub = 3 * sizeof(ElfW(Addr));

    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        uint64_t address = check_value(check, functions[i].tag);

        if (check_has(check, functions[i].tag) && !check_is_code(check, address)) {
            return elf_refuse(check->reason, FILE_INVALID, "the %s function at address 0x%llx is no code",
                              functions[i].name, (unsigned long long)address);
        }
    }
    if (check_has(check, DYN_PLTGOT) && check_has(check, DYN_PLTREL) && check_value(check, DYN_PLTRELSZ) != 0
        && !check_is_written(check, check_value(check, DYN_PLTGOT), stub)) {
        return elf_refuse(check->reason, FILE_INVALID, "the table of addresses (DT_PLTGOT, 0x%llx) lies in no writable segment",
                          (unsigned long long)check_value(check, DYN_PLTGOT));
    }
    return FILE_OK;
}

FileStatus
dynamic_check(Check *check)
{
    FileStatus status;

    if ((check_value(check, DYN_FLAGS_1) & DF_1_PIE) != 0) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "is an executable (PIE), not a shared library: link it with -shared");
    }
    status = check_complete(check);
    if (status == FILE_OK) {
        status = check_tables_lie(check);
    }
    if (status == FILE_OK) {
        check->text_is_written = check_has(check, DYN_TEXTREL) || (check_value(check, DYN_FLAGS) & DF_TEXTREL) != 0;
        find_symbol_room(check);
        status = check_places(check);
    }
    return status;
}

#else

typedef int NothingHere;

#endif /* __ELF__ */
