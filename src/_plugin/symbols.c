/* The symbols that can be reached, by name or by a relocation. */
#include "check.h"

#include <string.h>

#ifdef __ELF__

enum { SYMBOLS_AT_ONCE = CHUNK / sizeof(ElfW(Sym)) };

#ifndef STT_GNU_IFUNC
#define STT_GNU_IFUNC 10
#endif

/* Some linkers give the place one behind the last byte a name. */
static inline bool
is_inside(const Check *check, uint64_t value)
{
    return value - check->start <= check->end - check->start;
}

/* The loader calls an IFUNC wherever a symbol of that name is wanted. */
static FileStatus
check_defined(Check *check, const ElfW(Sym) *symbol, size_t index)
{
    unsigned type = symbol->st_info & 0xf;

    if (type == STT_TLS || symbol->st_shndx == SHN_ABS) {
        return FILE_OK;
    }
    if (!is_inside(check, symbol->st_value)) {
        return elf_refuse(check->reason, FILE_INVALID, "symbol %zu, address 0x%llx, lies outside every segment that is loaded",
                          index, (unsigned long long)symbol->st_value);
    }
    if (type == STT_GNU_IFUNC && !check_is_code(check, symbol->st_value)) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "symbol %zu is chosen by a function at address 0x%llx, which is no code", index,
                          (unsigned long long)symbol->st_value);
    }
    return FILE_OK;
}

/* The loader looks for a symbol in other libraries if its binding and its visibility say so; otherwise it would take one
 * that is not defined for the library's first byte. */
static inline bool
is_lost(const ElfW(Sym) *symbol)
{
    unsigned visibility = symbol->st_other & 3;

    return symbol->st_info >> 4 == STB_LOCAL || visibility == STV_HIDDEN || visibility == STV_INTERNAL;
}

static FileStatus
check_undefined(Check *check, const ElfW(Sym) *symbol, size_t index)
{
    static const ElfW(Sym) none;

    if (index != 0) {
        return elf_refuse(check->reason, FILE_INVALID, "symbol %zu is defined nowhere, but is not to be found elsewhere", index);
    }
    if (memcmp(symbol, &none, sizeof none) != 0) {
        return elf_refuse(check->reason, FILE_INVALID, "the symbol table does not begin with the symbol that is none");
    }
    return FILE_OK;
}

static FileStatus
check_piece(Check *check, const ElfW(Sym) *symbols, size_t first, size_t count)
{
    uint32_t last_name = 0;
    size_t last = 0;

    for (size_t i = 0; i < count; i++) {
        const ElfW(Sym) *symbol = &symbols[i];
        FileStatus status = FILE_OK;

        if (symbol->st_name > last_name) {
            last_name = symbol->st_name;
            last = i;
        }
        if (symbol->st_shndx == SHN_UNDEF) {
            status = is_lost(symbol) ? check_undefined(check, symbol, first + i) : FILE_OK;
        }
        else if (!is_inside(check, symbol->st_value) || (symbol->st_info & 0xf) == STT_GNU_IFUNC) {
            status = check_defined(check, symbol, first + i);
        }
        if (status != FILE_OK) {
            return status;
        }
    }
    check_name(check, last_name, "symbol", first + last);
    return FILE_OK;
}

FileStatus
symbols_check(Check *check)
{
    size_t total = check->symbol_count > check->symbol_used ? check->symbol_count : check->symbol_used;
    uint64_t offset;

    total = total == 0 ? 1 : total;
    if (!check_locate(check, check_value(check, DYN_SYMTAB), total * sizeof(ElfW(Sym)), &offset)) {
        return check_cut(check);
    }
    for (size_t i = 0; i < total;) {
        size_t count = total - i < SYMBOLS_AT_ONCE ? total - i : SYMBOLS_AT_ONCE;
        const ElfW(Sym) *symbols = check_chunk(check, offset + i * sizeof *symbols, count * sizeof *symbols);
        FileStatus status = symbols == NULL ? check_cut(check) : check_piece(check, symbols, i, count);

        if (status != FILE_OK) {
            return status;
        }
        i += count;
    }
    return FILE_OK;
}

#else

typedef int NothingHere;

#endif /* __ELF__ */
