/* Check the file of a shared library, before anything is mapped.  What its first bytes tell is format.c's, its
 * records are note.c's. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __ELF__
#include <link.h>
#endif

enum {
    HEADERS_MAX = 1024,            /* program headers; real libraries have about ten */
    SECTIONS_AT_ONCE = 64,
    ENTRIES_AT_ONCE = 256,         /* of the dynamic section */
    NAME_MAX_READ = 256,           /* bytes of a soname, the NUL included */
};

FileStatus
elf_refuse(char reason[REASON_MAX], FileStatus status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, REASON_MAX, format, arguments);
    va_end(arguments);
    return status;
}

/* ------------------------------------------------------------------ identity */

static void
fill_identity(const struct stat *status, FileIdentity *identity)
{
    identity->device = status->st_dev;
    identity->inode = status->st_ino;
    identity->size = status->st_size;
#ifdef __APPLE__
    identity->modified = status->st_mtimespec;
#else
    identity->modified = status->st_mtim;
#endif
}

int
elf_identify(const char *path, FileIdentity *identity)
{
    struct stat status;

    if (stat(path, &status) != 0) {
        return -1;
    }
    fill_identity(&status, identity);
    return 0;
}

bool
elf_same_file(const FileIdentity *a, const FileIdentity *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* ------------------------------------------------------------------ opening and reading */

static FileStatus
check_regular(mode_t mode, char reason[REASON_MAX])
{
    const char *kind = S_ISDIR(mode)    ? "directory"
                       : S_ISFIFO(mode) ? "FIFO"
                       : S_ISCHR(mode)  ? "character device"
                       : S_ISBLK(mode)  ? "block device"
                       : S_ISSOCK(mode) ? "socket"
                                        : "special file";

    if (S_ISREG(mode)) {
        return FILE_OK;
    }
    return elf_refuse(reason, FILE_NOT_REGULAR, "is a %s, not a regular file", kind);
}

static FileStatus
system_refused(FileFacts *facts, int error)
{
    facts->error = error;
    return FILE_ERRNO;
}

/* Stat first, as the opening of a device can have effects; then again, as the path may be another file by now. */
static FileStatus
open_regular(const char *path, ElfFile *file, FileFacts *facts, char reason[REASON_MAX])
{
    struct stat status;

    if (stat(path, &status) != 0) {
        return system_refused(facts, errno);
    }
    if (check_regular(status.st_mode, reason) != FILE_OK) {
        return FILE_NOT_REGULAR;
    }
    file->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (file->fd < 0 || fstat(file->fd, &status) != 0) {
        return system_refused(facts, errno);
    }
    fill_identity(&status, &facts->identity);
    file->size = (uint64_t)status.st_size;
    return check_regular(status.st_mode, reason);
}

/* The number of bytes read, fewer at the end of the file or with file->error set. */
static size_t
read_fully(ElfFile *file, uint64_t offset, unsigned char *to, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t count = pread(file->fd, to + done, size - done, (off_t)(offset + done));

        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            file->error = count < 0 ? errno : 0;
            break;
        }
        done += (size_t)count;
    }
    return done;
}

/* Whether `size` bytes at `offset` end at `limit` or before, whatever the numbers. */
static bool
is_inside(uint64_t offset, uint64_t size, uint64_t limit)
{
    return size <= limit && offset <= limit - size;
}

bool
elf_pread(ElfFile *file, uint64_t offset, void *to, size_t size)
{
    if (!is_inside(offset, size, file->size)) {
        return false;
    }
    if (is_inside(offset, size, file->block_size)) {
        memcpy(to, file->block + offset, size);
        return true;
    }
    return read_fully(file, offset, to, size) == size;
}

void
elf_close(ElfFile *file)
{
    if (file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
}

void
elf_free(FileFacts *facts)
{
    free(facts->headers);
    free(facts->notes);
    free(facts->records);
    free(facts->index);
    free(facts->soname);
    *facts = (FileFacts){.identity = facts->identity, .error = facts->error};
}

#ifdef __ELF__

/* ------------------------------------------------------------------ segments and sections */

static size_t
least(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

static FileStatus
read_header(ElfFile *file, ElfW(Ehdr) *header, char reason[REASON_MAX])
{
    FileStatus status;

    file->block_size = read_fully(file, 0, file->block, least(file->size, ELF_BLOCK));
    status = format_check(file->block, file->block_size, reason);
    if (status == FILE_OK) {
        memcpy(header, file->block, sizeof *header);
    }
    return status;
}

static FileStatus
refuse_range(const ElfFile *file, const char *what, size_t index, uint64_t offset, uint64_t size, char *reason)
{
    if (offset + size < offset) {
        return elf_refuse(reason, FILE_INVALID, "%s %zu has an impossible size", what, index);
    }
    return elf_refuse(reason, FILE_INVALID, "truncated: %s %zu ends at byte %llu, the file at %llu", what, index,
                      (unsigned long long)(offset + size), (unsigned long long)file->size);
}

static FileStatus
read_headers(ElfFile *file, const ElfW(Ehdr) *header, FileFacts *facts, char reason[REASON_MAX])
{
    size_t size = header->e_phnum * sizeof(ElfW(Phdr));

    if (header->e_phnum == 0) {
        return elf_refuse(reason, FILE_INVALID, "has no program headers");
    }
    if (header->e_phnum > HEADERS_MAX || header->e_phentsize != sizeof(ElfW(Phdr))) {
        return elf_refuse(reason, FILE_INVALID, "has %u program headers of %u bytes: expected at most %d of %zu bytes",
                          (unsigned)header->e_phnum, (unsigned)header->e_phentsize, HEADERS_MAX, sizeof(ElfW(Phdr)));
    }
    facts->headers = malloc(size);
    if (facts->headers == NULL) {
        return system_refused(facts, ENOMEM);
    }
    facts->header_count = header->e_phnum;
    if (!elf_pread(file, header->e_phoff, facts->headers, size)) {
        return elf_refuse(reason, FILE_INVALID, "truncated: the program headers end after the file");
    }
    return FILE_OK;
}

bool
elf_locate(const void *headers, size_t count, uint64_t address, uint64_t size, uint64_t *offset)
{
    const ElfW(Phdr) *segments = headers;

    for (size_t i = 0; i < count; i++) {
        if (segments[i].p_type == PT_LOAD && address >= segments[i].p_vaddr
            && is_inside(address - segments[i].p_vaddr, size, segments[i].p_filesz)) {
            *offset = segments[i].p_offset + (address - segments[i].p_vaddr);
            return true;
        }
    }
    return false;
}

bool
elf_note_is_mapped(const void *headers, size_t count, size_t index)
{
    const ElfW(Phdr) *note = (const ElfW(Phdr) *)headers + index;
    uint64_t offset;

    return note->p_type == PT_NOTE && note->p_filesz > 0
           && elf_locate(headers, count, note->p_vaddr, note->p_filesz, &offset) && offset == note->p_offset;
}

static FileStatus
check_dynamic_segment(ElfFile *file, const FileFacts *facts, const ElfW(Phdr) *dynamic, char reason[REASON_MAX])
{
    uint64_t offset;

    if (dynamic == NULL) {
        return elf_refuse(reason, FILE_INVALID, "has no dynamic section");
    }
    if (!elf_locate(facts->headers, facts->header_count, dynamic->p_vaddr, dynamic->p_filesz, &offset)
        || offset != dynamic->p_offset) {
        return elf_refuse(reason, FILE_INVALID, "the dynamic section lies outside every segment that is loaded");
    }
    file->dynamic_offset = offset;
    file->dynamic_count = dynamic->p_filesz / sizeof(ElfW(Dyn));
    return FILE_OK;
}

static FileStatus
check_segments(ElfFile *file, const FileFacts *facts, char reason[REASON_MAX])
{
    const ElfW(Phdr) *segments = (const void *)facts->headers;
    const ElfW(Phdr) *dynamic = NULL;
    bool loads = false;

    for (size_t i = 0; i < facts->header_count; i++) {
        const ElfW(Phdr) *segment = &segments[i];

        if (segment->p_filesz > 0 && !is_inside(segment->p_offset, segment->p_filesz, file->size)) {
            return refuse_range(file, "segment", i, segment->p_offset, segment->p_filesz, reason);
        }
        if (segment->p_type == PT_LOAD && segment->p_filesz > segment->p_memsz) {
            return elf_refuse(reason, FILE_INVALID, "segment %zu is larger in the file than in memory", i);
        }
        if (segment->p_type == PT_DYNAMIC && dynamic != NULL) {
            return elf_refuse(reason, FILE_INVALID, "has two dynamic sections");
        }
        dynamic = segment->p_type == PT_DYNAMIC ? segment : dynamic;
        loads = loads || segment->p_type == PT_LOAD;
    }
    if (!loads) {
        return elf_refuse(reason, FILE_INVALID, "has no segment to load");
    }
    return check_dynamic_segment(file, facts, dynamic, reason);
}

/* The loader never looks at sections; but they mostly stand last, so they show that the file's end is missing. */
static FileStatus
check_sections(ElfFile *file, const ElfW(Ehdr) *header, char reason[REASON_MAX])
{
    ElfW(Shdr) sections[SECTIONS_AT_ONCE];

    if (header->e_shoff == 0 || header->e_shnum == 0) {
        return FILE_OK;
    }
    if (header->e_shentsize != sizeof sections[0]) {
        return elf_refuse(reason, FILE_INVALID, "has section headers of %u bytes, expected %zu",
                          (unsigned)header->e_shentsize, sizeof sections[0]);
    }
    if (!is_inside(header->e_shoff, header->e_shnum * sizeof sections[0], file->size)) {
        return elf_refuse(reason, FILE_INVALID, "truncated: the section headers end after the file");
    }
    for (size_t i = 0; i < header->e_shnum; i++) {
        const ElfW(Shdr) *section = &sections[i % SECTIONS_AT_ONCE];
        size_t wanted = least(header->e_shnum - i, SECTIONS_AT_ONCE) * sizeof sections[0];

        if (i % SECTIONS_AT_ONCE == 0
            && !elf_pread(file, header->e_shoff + i * sizeof sections[0], sections, wanted)) {
            return elf_refuse(reason, FILE_INVALID, "truncated while it was read");
        }
        if (section->sh_type != SHT_NULL && section->sh_type != SHT_NOBITS
            && !is_inside(section->sh_offset, section->sh_size, file->size)) {
            return refuse_range(file, "section", i, section->sh_offset, section->sh_size, reason);
        }
    }
    return FILE_OK;
}

/* ------------------------------------------------------------------ the dynamic section */

/* The tags wanted here lie far apart, hence a switch.  Unknown ones are skipped, never refused. */
static void
take_entry(ElfDynamic *dynamic, const ElfW(Dyn) *entry)
{
    uint64_t value = entry->d_un.d_val;

    switch (entry->d_tag) {
    case DT_STRTAB: dynamic->strtab = value; break;
    case DT_STRSZ: dynamic->strsz = value; break;
    case DT_SYMTAB: dynamic->symtab = value; break;
    case DT_HASH: dynamic->hash = value; break;
    case DT_GNU_HASH: dynamic->gnu_hash = value; break;
    case DT_VERSYM: dynamic->versym = value; break;
    case DT_SONAME: dynamic->soname = value; break;
    case DT_FLAGS_1: dynamic->flags_1 = value; break;
    default: break;
    }
}

static FileStatus
read_dynamic(ElfFile *file, char reason[REASON_MAX])
{
    ElfW(Dyn) entries[ENTRIES_AT_ONCE];

    for (size_t i = 0; i < file->dynamic_count; i++) {
        const ElfW(Dyn) *entry = &entries[i % ENTRIES_AT_ONCE];
        size_t wanted = least(file->dynamic_count - i, ENTRIES_AT_ONCE) * sizeof entries[0];

        if (i % ENTRIES_AT_ONCE == 0
            && !elf_pread(file, file->dynamic_offset + i * sizeof entries[0], entries, wanted)) {
            return elf_refuse(reason, FILE_INVALID, "truncated while it was read");
        }
        if (entry->d_tag == DT_NULL) {
            file->dynamic_count = i;
            break;
        }
        take_entry(&file->dynamic, entry);
    }
#ifndef DF_1_PIE
#define DF_1_PIE 0x08000000
#endif
    if (file->dynamic.flags_1 & DF_1_PIE) {
        return elf_refuse(reason, FILE_INVALID,
                          "is an executable (PIE), not a shared library: link it with -shared");
    }
    return FILE_OK;
}

/* An unreadable one counts as none: nothing depends on it but the name that is shown. */
static FileStatus
read_soname(ElfFile *file, FileFacts *facts)
{
    const ElfDynamic *dynamic = &file->dynamic;
    char name[NAME_MAX_READ];
    uint64_t offset;
    size_t size;

    if (dynamic->soname == 0 || dynamic->soname >= dynamic->strsz
        || !elf_locate(facts->headers, facts->header_count, dynamic->strtab, dynamic->strsz, &offset)) {
        return FILE_OK;
    }
    size = least(dynamic->strsz - dynamic->soname, sizeof name);
    if (!elf_pread(file, offset + dynamic->soname, name, size) || memchr(name, '\0', size) == NULL || name[0] == '\0') {
        return FILE_OK;
    }
    facts->soname = strdup(name);
    return facts->soname == NULL ? system_refused(facts, ENOMEM) : FILE_OK;
}

/* ------------------------------------------------------------------ notes */

FileStatus
elf_notes(ElfFile *file, FileFacts *facts, char reason[REASON_MAX])
{
    const ElfW(Phdr) *segments = (const void *)facts->headers;
    uint64_t total = 0;

    for (size_t i = 0; i < facts->header_count; i++) {
        total += elf_note_is_mapped(segments, facts->header_count, i) ? segments[i].p_filesz : 0;
        if (total > file->size) {
            return elf_refuse(reason, FILE_INVALID, "has more notes than bytes");
        }
    }
    facts->notes = malloc((size_t)total + 1);
    if (facts->notes == NULL) {
        return system_refused(facts, ENOMEM);
    }
    for (size_t i = 0; i < facts->header_count; i++) {
        size_t size = (size_t)segments[i].p_filesz;

        if (!elf_note_is_mapped(segments, facts->header_count, i)) {
            continue;
        }
        if (!elf_pread(file, segments[i].p_offset, facts->notes + facts->notes_size, size)) {
            return elf_refuse(reason, FILE_INVALID, "truncated while it was read");
        }
        facts->notes_size += size;
    }
    return note_parse(facts, reason);
}

static FileStatus
check_structure(ElfFile *file, FileFacts *facts, char reason[REASON_MAX])
{
    ElfW(Ehdr) header;
    FileStatus status = read_header(file, &header, reason);

    if (status == FILE_OK) {
        status = read_headers(file, &header, facts, reason);
    }
    if (status == FILE_OK) {
        status = check_segments(file, facts, reason);
    }
    if (status == FILE_OK) {
        status = check_sections(file, &header, reason);
    }
    return status == FILE_OK ? read_dynamic(file, reason) : status;
}

#endif /* __ELF__ */

/* ------------------------------------------------------------------ the whole */

FileStatus
elf_open(const char *path, ElfFile *file, FileFacts *facts, char reason[REASON_MAX])
{
    FileStatus status;

    memset(file, 0, offsetof(ElfFile, block));
    memset(facts, 0, sizeof *facts);
    reason[0] = '\0';
    file->fd = -1;
    status = open_regular(path, file, facts, reason);
#ifdef __ELF__
    if (status == FILE_OK) {
        status = check_structure(file, facts, reason);
    }
#endif
    return file->error != 0 ? system_refused(facts, file->error) : status;
}

FileStatus
elf_read(const char *path, FileFacts *facts, char reason[REASON_MAX])
{
    ElfFile file;
    FileStatus status = elf_open(path, &file, facts, reason);

#ifdef __ELF__
    if (status == FILE_OK) {
        status = elf_notes(&file, facts, reason);
    }
    if (status == FILE_OK) {
        status = digest_check(&file, facts, reason);
    }
    if (status == FILE_OK) {
        status = read_soname(&file, facts);
    }
    if (file.error != 0) {
        status = system_refused(facts, file.error);
    }
#endif
    elf_close(&file);
    if (status != FILE_OK) {
        elf_free(facts);
    }
    return status;
}
