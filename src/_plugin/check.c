/* The file check: its parts in their order, and what they share.  What each looks at, check.h tells. */
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef __ELF__

enum { NAME_PIECE = 256 };         /* bytes that are read at once to find the end of a name */

/* ------------------------------------------------------------------ addresses */

/* Whether `size` bytes at `address` lie in the first `limit` bytes of the segment, whatever the numbers. */
static bool
holds(const ElfW(Phdr) *segment, uint64_t limit, uint64_t address, uint64_t size)
{
    return segment->p_type == PT_LOAD && address >= segment->p_vaddr && size <= limit
           && address - segment->p_vaddr <= limit - size;
}

/* What may be written can be read on every machine here. */
static bool
is_readable(const ElfW(Phdr) *segment)
{
    return (segment->p_flags & (PF_R | PF_W)) != 0;
}

bool
check_locate(const Check *check, uint64_t address, uint64_t size, uint64_t *offset)
{
    for (size_t i = 0; i < check->segment_count; i++) {
        const ElfW(Phdr) *segment = &check->segments[i];

        if (holds(segment, segment->p_filesz, address, size) && is_readable(segment)) {
            *offset = segment->p_offset + (address - segment->p_vaddr);
            return true;
        }
    }
    return false;
}

uint64_t
check_room(const Check *check, uint64_t address)
{
    for (size_t i = 0; i < check->segment_count; i++) {
        const ElfW(Phdr) *segment = &check->segments[i];

        if (holds(segment, segment->p_filesz, address, 1) && is_readable(segment)) {
            return segment->p_filesz - (address - segment->p_vaddr);
        }
    }
    return 0;
}

bool
check_is_mapped(const Check *check, uint64_t address, uint64_t size)
{
    for (size_t i = 0; i < check->segment_count; i++) {
        if (holds(&check->segments[i], check->segments[i].p_memsz, address, size)) {
            return is_readable(&check->segments[i]);
        }
    }
    return false;
}

bool
check_is_written(Check *check, uint64_t address, uint64_t size)
{
    if (check->last != NULL && holds(check->last, check->last->p_memsz, address, size)) {
        return true;
    }
    for (size_t i = 0; i < check->segment_count; i++) {
        const ElfW(Phdr) *segment = &check->segments[i];

        if (holds(segment, segment->p_memsz, address, size)) {
            check->last = check->text_is_written || (segment->p_flags & PF_W) != 0 ? segment : NULL;
            return check->last != NULL;
        }
    }
    return false;
}

/* Whether that byte is of what is never code.  Linkers that save pages map it together with code. */
static bool
is_description(const Check *check, uint64_t address)
{
    for (size_t i = 0; i < check->segment_count; i++) {
        const ElfW(Phdr) *segment = &check->segments[i];
        bool describes = segment->p_type == PT_NOTE || segment->p_type == PT_DYNAMIC || segment->p_type == PT_PHDR
                         || segment->p_type == PT_GNU_EH_FRAME;

        if (describes && address - segment->p_vaddr < segment->p_memsz) {
            return true;
        }
    }
    return false;
}

bool
check_is_code(const Check *check, uint64_t address)
{
    for (size_t i = 0; i < check->segment_count; i++) {
        const ElfW(Phdr) *segment = &check->segments[i];

        if ((segment->p_flags & PF_X) != 0 && holds(segment, segment->p_filesz, address, 1)) {
            bool is_header = segment->p_offset + (address - segment->p_vaddr) < sizeof(ElfW(Ehdr));

            return !is_header && !is_description(check, address);
        }
    }
    return false;
}

/* ------------------------------------------------------------------ reading */

const void *
check_chunk(Check *check, uint64_t offset, size_t size)
{
    const ElfFile *file = check->file;

    if (size <= file->block_size && offset <= file->block_size - size
        && (uintptr_t)(file->block + offset) % sizeof(ElfW(Addr)) == 0) {
        return file->block + offset;
    }
    return elf_pread(check->file, offset, check->chunk, size) ? check->chunk : NULL;
}

FileStatus
check_cut(Check *check)
{
    return elf_refuse(check->reason, FILE_INVALID, "truncated while it was read");
}

bool
check_symbol(Check *check, size_t index, ElfW(Sym) *symbol)
{
    uint64_t offset;

    return check_locate(check, check_value(check, DYN_SYMTAB) + index * sizeof *symbol, sizeof *symbol, &offset)
           && elf_pread(check->file, offset, symbol, sizeof *symbol);
}

/* ------------------------------------------------------------------ names */

void
check_name(Check *check, uint64_t offset, const char *what, size_t index)
{
    if (offset >= check->last_name.offset) {
        check->last_name.offset = offset;
        check->last_name.what = what;
        check->last_name.index = index;
    }
}

/* The string table need not end in a NUL, but the name that stands last in it must, somewhere in its segment. */
static FileStatus
check_names_end(Check *check)
{
    uint64_t size = check_value(check, DYN_STRSZ), at = check->last_name.offset, offset;
    char piece[NAME_PIECE];

    if (check->last_name.what == NULL) {
        return FILE_OK;
    }
    if (at >= size) {
        return elf_refuse(check->reason, FILE_INVALID, "the name of %s %zu lies outside the strings: at byte %llu of %llu",
                          check->last_name.what, check->last_name.index, (unsigned long long)at,
                          (unsigned long long)size);
    }
    for (uint64_t address = check_value(check, DYN_STRTAB) + at, room; (room = check_room(check, address)) > 0;) {
        size_t count = room < sizeof piece ? (size_t)room : sizeof piece;

        if (!check_locate(check, address, count, &offset) || !elf_pread(check->file, offset, piece, count)) {
            return check_cut(check);
        }
        if (memchr(piece, '\0', count) != NULL) {
            return FILE_OK;
        }
        address += count;
    }
    return elf_refuse(check->reason, FILE_INVALID, "the name of %s %zu does not end", check->last_name.what,
                      check->last_name.index);
}

/* ------------------------------------------------------------------ the order */

static FileStatus
check_tables(Check *check)
{
    static FileStatus (*const parts[])(Check *) = {
        dynamic_read, dynamic_check, check_names_end, hashes_check,   slots_begin,
        relocs_check, slots_end,     symbols_check,   versions_check, check_names_end,
    };
    FileStatus status = FILE_OK;

    for (size_t i = 0; status == FILE_OK && i < sizeof parts / sizeof parts[0]; i++) {
        status = parts[i](check);
    }
    return status;
}

FileStatus
check_file(ElfFile *file, const ElfW(Ehdr) *header, const FileFacts *facts, char reason[REASON_MAX])
{
    Check check;
    FileStatus status;

    memset(&check, 0, offsetof(Check, chunk));
    check.file = file;
    check.segments = (const void *)facts->headers;
    check.segment_count = facts->header_count;
    check.reason = reason;
    status = segments_check(&check, header);
    if (status == FILE_OK) {
        status = sections_check(&check, header);
    }
    if (status == FILE_OK) {
        status = check_tables(&check);
    }
    slots_free(&check);
    return status;
}

#else

typedef int NothingHere;

#endif /* __ELF__ */
