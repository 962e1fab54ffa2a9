/* Init and fini arrays: the loader calls every entry, so each must become the address of code. */
#include "check.h"

#include <errno.h>
#include <stdlib.h>

#ifdef __ELF__

static FileStatus
begin(Check *check, Slots *slots, const char *name, DynamicTag start, DynamicTag size)
{
    size_t count;

    slots->name = name;
    slots->filled = slots->few;
    if (!check_has(check, start) || check_value(check, size) < sizeof(ElfW(Addr))) {
        return FILE_OK;
    }
    slots->start = check_value(check, start);
    slots->size = check_value(check, size) / sizeof(ElfW(Addr)) * sizeof(ElfW(Addr));
    if (!check_is_mapped(check, slots->start, slots->size)) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "the %s array (%llu bytes at address 0x%llx) lies outside every segment that is loaded", name,
                          (unsigned long long)slots->size, (unsigned long long)slots->start);
    }
    if (slots->size > check->file->size) {
        return elf_refuse(check->reason, FILE_INVALID, "the %s array has %llu bytes, the file %llu", name,
                          (unsigned long long)slots->size, (unsigned long long)check->file->size);
    }
    count = (size_t)slots->size / sizeof(ElfW(Addr));
    if (count > SLOTS_INLINE) {
        slots->filled = calloc(1, count / 8 + 1);
    }
    if (slots->filled == NULL) {
        check->file->error = ENOMEM;
        return FILE_ERRNO;
    }
    return FILE_OK;
}

FileStatus
slots_begin(Check *check)
{
    FileStatus status = begin(check, &check->arrays[0], "init", DYN_INIT_ARRAY, DYN_INIT_ARRAYSZ);

    return status == FILE_OK ? begin(check, &check->arrays[1], "fini", DYN_FINI_ARRAY, DYN_FINI_ARRAYSZ) : status;
}

void
slots_free(Check *check)
{
    for (size_t i = 0; i < 2; i++) {
        if (check->arrays[i].filled != check->arrays[i].few) {
            free(check->arrays[i].filled);
        }
    }
}

static FileStatus
fill(Check *check, Slots *slots, uint64_t place, bool is_code, uint64_t value)
{
    size_t index = (size_t)(place - slots->start) / sizeof(ElfW(Addr));

    if ((place - slots->start) % sizeof(ElfW(Addr)) != 0) {
        return elf_refuse(check->reason, FILE_INVALID, "a relocation splits entry %zu of the %s array", index, slots->name);
    }
    if (!is_code) {
        return elf_refuse(check->reason, FILE_INVALID, "entry %zu of the %s array, address 0x%llx, is no code",
                          index, slots->name, (unsigned long long)value);
    }
    slots->filled[index / 8] = (unsigned char)(slots->filled[index / 8] | 1u << index % 8);
    return FILE_OK;
}

static FileStatus
fill_both(Check *check, uint64_t place, bool is_code, uint64_t value)
{
    FileStatus status = FILE_OK;

    for (size_t i = 0; status == FILE_OK && i < 2; i++) {
        if (place - check->arrays[i].start < check->arrays[i].size) {
            status = fill(check, &check->arrays[i], place, is_code, value);
        }
    }
    return status;
}

FileStatus
slots_fill(Check *check, uint64_t place, uint64_t value)
{
    return fill_both(check, place, check_is_code(check, value), value);
}

FileStatus
slots_fill_stored(Check *check, uint64_t place)
{
    ElfW(Addr) value = 0;
    uint64_t offset;

    if (check_locate(check, place, sizeof value, &offset) && !elf_pread(check->file, offset, &value, sizeof value)) {
        return check_cut(check);
    }
    return slots_fill(check, place, value);
}

FileStatus
slots_fill_symbol(Check *check, uint64_t place, size_t index, uint64_t addend)
{
    ElfW(Sym) symbol;

    if (!check_symbol(check, index, &symbol)) {
        return check_cut(check);
    }
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS) {
        return fill_both(check, place, true, 0);
    }
    return slots_fill(check, place, symbol.st_value + addend);
}

FileStatus
slots_end(Check *check)
{
    for (size_t i = 0; i < 2; i++) {
        const Slots *slots = &check->arrays[i];

        for (size_t k = 0; k < slots->size / sizeof(ElfW(Addr)); k++) {
            if ((slots->filled[k / 8] >> k % 8 & 1) == 0) {
                return elf_refuse(check->reason, FILE_INVALID, "entry %zu of the %s array is no address: nothing relocates it",
                                  k, slots->name);
            }
        }
    }
    return FILE_OK;
}

#else

typedef int NothingHere;

#endif /* __ELF__ */
