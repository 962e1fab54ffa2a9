/* Segments and sections: inside the file, apart from each other, and such that the loader can map them. */
#include "check.h"

#include <string.h>

#ifdef __ELF__

enum {
    SECTIONS_AT_ONCE = CHUNK / sizeof(ElfW(Shdr)),
    PAGE_LEAST = 4096,             /* bytes; the smallest page that ELF systems have */
    TLS_ALIGN_MAX = 1 << 20,       /* bytes; each thread's block gets that much room more */
    PROPERTY_ALIGN = sizeof(ElfW(Addr)),
    PROPERTY_TYPE = 5,             /* NT_GNU_PROPERTY_TYPE_0 */
};

#define TLS_SIZE_MAX ((uint64_t)1 << 30)         /* bytes; a thread dies where its block finds no memory */
#define ADDRESS_MAX ((uint64_t)1 << (sizeof(ElfW(Addr)) == 8 ? 47 : 32))

#ifndef PT_GNU_PROPERTY
#define PT_GNU_PROPERTY 0x6474e553
#endif

static bool
is_inside(uint64_t offset, uint64_t size, uint64_t limit)
{
    return size <= limit && offset <= limit - size;
}

static bool
is_power(uint64_t number)
{
    return (number & (number - 1)) == 0;
}

static FileStatus
refuse_range(const Check *check, const char *what, size_t index, uint64_t offset, uint64_t size)
{
    if (offset + size < offset) {
        return elf_refuse(check->reason, FILE_INVALID, "%s %zu has an impossible size", what, index);
    }
    return elf_refuse(check->reason, FILE_INVALID, "truncated: %s %zu ends at byte %llu, the file at %llu", what, index,
                      (unsigned long long)(offset + size), (unsigned long long)check->file->size);
}

/* ------------------------------------------------------------------ what is loaded */

/* The loader reserves what lies between the first segment and the end of the last one, then maps each at its place:
 * one out of order would be mapped over something else. */
static FileStatus
check_load(Check *check, size_t i)
{
    const ElfW(Phdr) *segment = &check->segments[i];
    uint64_t align = segment->p_align;

    if (segment->p_filesz > segment->p_memsz) {
        return elf_refuse(check->reason, FILE_INVALID, "segment %zu is larger in the file than in memory: %llu and %llu bytes",
                          i, (unsigned long long)segment->p_filesz, (unsigned long long)segment->p_memsz);
    }
    if (!is_power(align) || (segment->p_vaddr - segment->p_offset) % (align > PAGE_LEAST ? align : PAGE_LEAST) != 0) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "segment %zu cannot be mapped: byte %llu of the file at address 0x%llx, alignment %llu", i,
                          (unsigned long long)segment->p_offset, (unsigned long long)segment->p_vaddr,
                          (unsigned long long)align);
    }
    if (!is_inside(segment->p_vaddr, segment->p_memsz, ADDRESS_MAX)) {
        return elf_refuse(check->reason, FILE_INVALID, "segment %zu is too large for memory: %llu bytes at address 0x%llx",
                          i, (unsigned long long)segment->p_memsz, (unsigned long long)segment->p_vaddr);
    }
    if (check->end != 0 && segment->p_vaddr < check->end) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "segment %zu begins at address 0x%llx, before the one before it ends at 0x%llx", i,
                          (unsigned long long)segment->p_vaddr, (unsigned long long)check->end);
    }
    check->start = check->end == 0 ? segment->p_vaddr : check->start;
    check->end = segment->p_vaddr + segment->p_memsz;
    return FILE_OK;
}

static FileStatus
check_dynamic_place(Check *check, const ElfW(Phdr) *dynamic)
{
    uint64_t offset;

    if (dynamic == NULL) {
        return elf_refuse(check->reason, FILE_INVALID, "has no dynamic section");
    }
    if (!check_locate(check, dynamic->p_vaddr, dynamic->p_filesz, &offset) || offset != dynamic->p_offset) {
        return elf_refuse(check->reason, FILE_INVALID, "the dynamic section lies outside every segment that is loaded");
    }
    if ((dynamic->p_flags & PF_W) != 0 && !check_is_written(check, dynamic->p_vaddr, dynamic->p_filesz)) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "the dynamic section is to be written, but lies in a read-only segment");
    }
    check->dynamic_start = dynamic->p_vaddr;
    check->dynamic_size = dynamic->p_filesz;
    check->file->dynamic_offset = offset;
    check->file->dynamic_count = dynamic->p_filesz / sizeof(ElfW(Dyn));
    return FILE_OK;
}

static FileStatus
check_loads(Check *check)
{
    const ElfW(Phdr) *dynamic = NULL;

    for (size_t i = 0; i < check->segment_count; i++) {
        const ElfW(Phdr) *segment = &check->segments[i];
        FileStatus status = FILE_OK;

        if (segment->p_filesz > 0 && !is_inside(segment->p_offset, segment->p_filesz, check->file->size)) {
            return refuse_range(check, "segment", i, segment->p_offset, segment->p_filesz);
        }
        if (segment->p_type == PT_LOAD) {
            status = check_load(check, i);
        }
        else if (segment->p_type == PT_DYNAMIC && dynamic != NULL) {
            return elf_refuse(check->reason, FILE_INVALID, "has two dynamic sections");
        }
        else if (segment->p_type == PT_DYNAMIC) {
            dynamic = segment;
        }
        if (status != FILE_OK) {
            return status;
        }
    }
    if (check->end == 0) {
        return elf_refuse(check->reason, FILE_INVALID, "has no segment to load");
    }
    return check_dynamic_place(check, dynamic);
}

/* ------------------------------------------------------------------ the others */

static FileStatus
check_tls(Check *check, const ElfW(Phdr) *tls)
{
    uint64_t offset;

    if (tls->p_memsz == 0) {
        return FILE_OK;
    }
    if (tls->p_filesz > tls->p_memsz || tls->p_memsz > TLS_SIZE_MAX) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "the thread-local segment has an impossible size: %llu bytes in the file, %llu in memory",
                          (unsigned long long)tls->p_filesz, (unsigned long long)tls->p_memsz);
    }
    if (tls->p_align == 0 || !is_power(tls->p_align) || tls->p_align > TLS_ALIGN_MAX) {
        return elf_refuse(check->reason, FILE_INVALID, "the thread-local segment has an impossible alignment: %llu",
                          (unsigned long long)tls->p_align);
    }
    if (tls->p_filesz > 0 && !check_locate(check, tls->p_vaddr, tls->p_filesz, &offset)) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "the thread-local segment (%llu bytes at address 0x%llx) lies outside every segment that is loaded",
                          (unsigned long long)tls->p_filesz, (unsigned long long)tls->p_vaddr);
    }
    check->tls = tls;
    return FILE_OK;
}

/* The loader believes it when it looks for notes, long after it has mapped the file. */
static FileStatus
check_phdr(const Check *check, const ElfW(Phdr) *segment, const ElfW(Ehdr) *header)
{
    uint64_t offset;

    if (!check_locate(check, segment->p_vaddr, header->e_phnum * sizeof *segment, &offset) || offset != header->e_phoff) {
        return elf_refuse(check->reason, FILE_INVALID, "the program headers do not stand where PT_PHDR says: at address 0x%llx",
                          (unsigned long long)segment->p_vaddr);
    }
    return FILE_OK;
}

/* Whoever throws an exception, or unwinds the stack for another reason, reads it. */
static FileStatus
check_unwinding(Check *check, const ElfW(Phdr) *table)
{
    uint64_t offset;

    if (table->p_filesz > 0 && !check_locate(check, table->p_vaddr, table->p_filesz, &offset)) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "PT_GNU_EH_FRAME (%llu bytes at address 0x%llx) lies outside every segment that is loaded",
                          (unsigned long long)table->p_filesz, (unsigned long long)table->p_vaddr);
    }
    return FILE_OK;
}

/* It is made read-only at last, in whole pages: linkers round its end up, beyond that of its segment. */
static FileStatus
check_relro(Check *check, const ElfW(Phdr) *relro)
{
    for (size_t i = 0; i < check->segment_count && relro->p_memsz > 0; i++) {
        const ElfW(Phdr) *segment = &check->segments[i];
        uint64_t align = segment->p_align > PAGE_LEAST ? segment->p_align : PAGE_LEAST;
        uint64_t end = (segment->p_vaddr + segment->p_memsz + align - 1) & ~(align - 1);

        if (segment->p_type == PT_LOAD && relro->p_vaddr >= segment->p_vaddr
            && is_inside(relro->p_vaddr, relro->p_memsz, end)) {
            return FILE_OK;
        }
    }
    if (relro->p_memsz == 0) {
        return FILE_OK;
    }
    return elf_refuse(check->reason, FILE_INVALID,
                      "PT_GNU_RELRO (%llu bytes at address 0x%llx) lies outside every segment that is loaded",
                      (unsigned long long)relro->p_memsz, (unsigned long long)relro->p_vaddr);
}

static uint64_t
padded(uint64_t size)
{
    return (size + PROPERTY_ALIGN - 1) & ~(uint64_t)(PROPERTY_ALIGN - 1);
}

/* The loader steps over the notes, looking for its properties, which it believes. */
static FileStatus
check_notes(Check *check, uint64_t offset, uint64_t size)
{
    struct {
        ElfW(Nhdr) note;
        char owner[4];
    } head;
    const unsigned char *piece = NULL;
    uint64_t from = 0, have = 0;   /* what `piece` holds of the segment */

    for (uint64_t at = 0; at + sizeof head <= size;) {
        uint64_t desc;

        if (at < from || at + sizeof head > from + have) {
            from = at;
            have = size - at < CHUNK ? size - at : CHUNK;
            piece = check_chunk(check, offset + from, (size_t)have);
        }
        if (piece == NULL) {
            return check_cut(check);
        }
        memcpy(&head, piece + (at - from), sizeof head);
        desc = at + padded(sizeof head.note + (uint64_t)head.note.n_namesz);
        if (head.note.n_namesz == sizeof head.owner && head.note.n_type == PROPERTY_TYPE
            && memcmp(head.owner, "GNU", sizeof head.owner) == 0 && desc + head.note.n_descsz > size) {
            return elf_refuse(check->reason, FILE_INVALID, "the GNU property note ends at byte %llu of %llu",
                              (unsigned long long)(desc + head.note.n_descsz), (unsigned long long)size);
        }
        at = desc + padded(head.note.n_descsz);
    }
    return FILE_OK;
}

/* Notes of this alignment only; others the loader passes over. */
static FileStatus
check_properties(Check *check, size_t i)
{
    const ElfW(Phdr) *segment = &check->segments[i];
    uint64_t size = segment->p_memsz, offset;

    if (segment->p_align != PROPERTY_ALIGN || size < sizeof(ElfW(Nhdr))) {
        return FILE_OK;
    }
    if (!check_locate(check, segment->p_vaddr, size, &offset)) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "segment %zu (notes, %llu bytes at address 0x%llx) lies outside every segment that is loaded", i,
                          (unsigned long long)size, (unsigned long long)segment->p_vaddr);
    }
    return check_notes(check, offset, size);
}

static FileStatus
check_other(Check *check, size_t i, const ElfW(Ehdr) *header)
{
    const ElfW(Phdr) *segment = &check->segments[i];

    switch (segment->p_type) {
    case PT_TLS:
        return check_tls(check, segment);
    case PT_PHDR:
        return check_phdr(check, segment, header);
    case PT_GNU_EH_FRAME:
        return check_unwinding(check, segment);
    case PT_GNU_RELRO:
        return check_relro(check, segment);
    case PT_NOTE:
    case PT_GNU_PROPERTY:
        return check_properties(check, i);
    default:
        return FILE_OK;
    }
}

/* Where a library does not tell, the loader of these machines takes it that it wants to execute its stack. */
static FileStatus
check_stack(const Check *check)
{
    const ElfW(Phdr) *stack = NULL;

    for (size_t i = 0; i < check->segment_count; i++) {
        stack = check->segments[i].p_type == PT_GNU_STACK ? &check->segments[i] : stack;
    }
    if (stack != NULL && (stack->p_flags & PF_X) != 0) {
        return elf_refuse(check->reason, FILE_INVALID, "asks for an executable stack: link it with -z noexecstack");
    }
#if defined __GLIBC__ && (defined __x86_64__ || defined __aarch64__)
    if (stack == NULL) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "asks for an executable stack, as it has no PT_GNU_STACK: link it with -z noexecstack");
    }
#endif
    return FILE_OK;
}

FileStatus
segments_check(Check *check, const ElfW(Ehdr) *header)
{
    FileStatus status = check_loads(check);

    for (size_t i = 0; status == FILE_OK && i < check->segment_count; i++) {
        status = check_other(check, i, header);
    }
    return status == FILE_OK ? check_stack(check) : status;
}

/* ------------------------------------------------------------------ sections */

/* The loader never looks at sections; but they mostly stand last, so they show that the file's end is missing. */
FileStatus
sections_check(Check *check, const ElfW(Ehdr) *header)
{
    const ElfW(Shdr) *sections = NULL;

    if (header->e_shoff == 0 || header->e_shnum == 0) {
        return FILE_OK;
    }
    if (header->e_shentsize != sizeof *sections) {
        return elf_refuse(check->reason, FILE_INVALID, "has section headers of %u bytes, expected %zu",
                          (unsigned)header->e_shentsize, sizeof *sections);
    }
    if (!is_inside(header->e_shoff, header->e_shnum * sizeof *sections, check->file->size)) {
        return elf_refuse(check->reason, FILE_INVALID, "truncated: the section headers end after the file");
    }
    for (size_t i = 0; i < header->e_shnum; i++) {
        size_t at = i % SECTIONS_AT_ONCE, left = header->e_shnum - i;

        if (at == 0) {
            sections = check_chunk(check, header->e_shoff + i * sizeof *sections,
                                   (left < SECTIONS_AT_ONCE ? left : SECTIONS_AT_ONCE) * sizeof *sections);
        }
        if (sections == NULL) {
            return check_cut(check);
        }
        if (sections[at].sh_type != SHT_NULL && sections[at].sh_type != SHT_NOBITS
            && !is_inside(sections[at].sh_offset, sections[at].sh_size, check->file->size)) {
            return refuse_range(check, "section", i, sections[at].sh_offset, sections[at].sh_size);
        }
    }
    return FILE_OK;
}

#else

typedef int NothingHere;

#endif /* __ELF__ */
