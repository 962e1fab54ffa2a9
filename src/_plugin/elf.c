/* Check the file of a shared library, before anything is mapped.  What its first bytes tell is format.c's, its
 * records are note.c's. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "check.h"
#include "note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <unistd.h>

enum {
    HEADERS_MAX = 1024,            /* program headers; real libraries have about ten */
    PATH_SHOWN = 500,              /* bytes of a path in a reason */
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
    identity->is_regular = S_ISREG(status->st_mode);
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

enum {
    OPEN_FLAGS = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
    NO_SYMLINKS = 4,               /* RESOLVE_NO_SYMLINKS of openat2 */
};

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

static FileStatus
take_descriptor(ElfFile *file, FileFacts *facts, char reason[REASON_MAX])
{
    struct stat status;

    if (fstat(file->fd, &status) != 0) {
        return system_refused(facts, errno);
    }
    fill_identity(&status, &facts->identity);
    file->size = (uint64_t)status.st_size;
    return check_regular(status.st_mode, reason);
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
    file->fd = open(path, OPEN_FLAGS);
    return file->fd < 0 ? system_refused(facts, errno) : take_descriptor(file, facts, reason);
}

#if defined __linux__ && defined SYS_openat2
/* Absolute, and without empty parts, `.` and `..`. */
static bool
is_normal(const char *path)
{
    size_t size;

    do {
        if (*path != '/') {
            return *path == '\0';
        }
        path++;
        size = strcspn(path, "/");
        if (size == 0 || (size <= 2 && strncmp(path, "..", size) == 0)) {
            return false;
        }
        path += size;
    } while (true);
}
#endif

/* The call that opens the file tells at once whether a symbolic link was on the way; realpath asks for each folder. */
int
elf_open_real(const char *path)
{
#if defined __linux__ && defined SYS_openat2
    const struct {
        uint64_t flags, mode, resolve;
    } how = {.flags = OPEN_FLAGS, .resolve = NO_SYMLINKS};

    return is_normal(path) ? (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how) : -1;
#else
    (void)path;
    return -1;
#endif
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
#ifdef __ELF__
    ledger_free(facts->ledger);
    settled_free(facts->settled);
#endif
    free(facts->headers);
    free(facts->notes);
    free(facts->records);
    free(facts->index);
    free(facts->soname);
    *facts = (FileFacts){.identity = facts->identity, .error = facts->error};
}

#ifdef __ELF__

/* ------------------------------------------------------------------ headers */

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

bool
elf_make_headers(FileFacts *facts, size_t count)
{
    size_t size = count * sizeof(ElfW(Phdr));

    facts->headers = malloc(size + BLANKS_MAX * sizeof *facts->digest_records);
    if (facts->headers != NULL) {
        facts->header_count = count;
        facts->digest_records = (void *)(facts->headers + size);
    }
    return facts->headers != NULL;
}

bool
elf_make_notes(FileFacts *facts, size_t size)
{
    facts->notes = malloc(size + NOTE_SLACK);
    if (facts->notes != NULL) {
        memset(facts->notes + size, 0, NOTE_SLACK);
    }
    return facts->notes != NULL;
}

void
elf_free_headers(FileFacts *facts)
{
    free(facts->headers);
    facts->headers = NULL;
    facts->digest_records = NULL;
    facts->header_count = facts->digest_count = 0;
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
    if (!elf_make_headers(facts, header->e_phnum)) {
        return system_refused(facts, ENOMEM);
    }
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

/* One that is too long counts as none: nothing depends on it but the name that is shown. */
static FileStatus
read_soname(ElfFile *file, FileFacts *facts)
{
    uint64_t at = file->dynamic.value[DYN_SONAME], strings_size = file->dynamic.value[DYN_STRSZ], offset;
    char name[NAME_MAX_READ];
    size_t size;

    if (at == 0 || at >= strings_size
        || !elf_locate(facts->headers, facts->header_count, file->dynamic.value[DYN_STRTAB], strings_size, &offset)) {
        return FILE_OK;
    }
    size = least(strings_size - at, sizeof name);
    if (!elf_pread(file, offset + at, name, size) || memchr(name, '\0', size) == NULL || name[0] == '\0') {
        return FILE_OK;
    }
    facts->soname = strdup(name);
    return facts->soname == NULL ? system_refused(facts, ENOMEM) : FILE_OK;
}

/* ------------------------------------------------------------------ notes */

#ifndef NOTES_KEPT
#define NOTES_KEPT 32768           /* bytes: as much of each library is simply copied */
#endif
#define NOTES_PROVEN (1 << 30)     /* bytes: as much can have a ledger */

/* Whether a segment that can be written to holds this one. */
static bool
is_written(const ElfW(Phdr) *segments, size_t count, size_t index)
{
    for (size_t i = 0; i < count; i++) {
        if (segments[i].p_type == PT_LOAD && (segments[i].p_flags & PF_W) != 0
            && segments[index].p_vaddr - segments[i].p_vaddr < segments[i].p_memsz) {
            return true;
        }
    }
    return false;
}

/* Whether all notes lie in segments that nobody writes to; `total` is their size. */
static FileStatus
measure_notes(const ElfFile *file, const FileFacts *facts, uint64_t *total, bool *constant, char reason[REASON_MAX])
{
    const ElfW(Phdr) *segments = (const void *)facts->headers;

    *total = 0;
    *constant = (file->dynamic.present >> DYN_TEXTREL & 1) == 0 && (file->dynamic.value[DYN_FLAGS] & DF_TEXTREL) == 0;
    for (size_t i = 0; i < facts->header_count; i++) {
        *total += elf_note_is_mapped(segments, facts->header_count, i) ? segments[i].p_filesz : 0;
        *constant = *constant && (segments[i].p_type != PT_NOTE || !is_written(segments, facts->header_count, i));
        if (*total > file->size) {
            return elf_refuse(reason, FILE_INVALID, "has more notes than bytes");
        }
    }
    return FILE_OK;
}

static FileStatus
copy_notes(ElfFile *file, FileFacts *facts, size_t total, char reason[REASON_MAX])
{
    const ElfW(Phdr) *segments = (const void *)facts->headers;

    if (!elf_make_notes(facts, total)) {
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
    return records_parse(facts, reason);
}

static void
forget_notes(FileFacts *facts)
{
    ledger_free(facts->ledger);
    facts->ledger = NULL;
    facts->header = NULL;
    facts->has_init = false;
    facts->record_count = facts->digest_count = facts->build_id_size = 0;
}

FileStatus
elf_notes(ElfFile *file, FileFacts *facts, bool lightly, char reason[REASON_MAX])
{
    uint64_t total;
    bool constant;
    FileStatus status = measure_notes(file, facts, &total, &constant, reason);

    facts->notes_stay = status == FILE_OK && constant;
    if (status == FILE_OK && lightly && constant && total > NOTES_KEPT && total <= NOTES_PROVEN) {
        status = ledger_read(file, facts, reason);
        if (status != FILE_INVALID && status != FILE_INCOMPATIBLE) {
            return status;
        }
        forget_notes(facts);
        reason[0] = '\0';
        status = FILE_OK;          /* as far as is known: whether it is refused, and why, records_parse says */
    }
    return status == FILE_OK ? copy_notes(file, facts, (size_t)total, reason) : status;
}

static FileStatus
check_structure(ElfFile *file, FileFacts *facts, char reason[REASON_MAX])
{
    ElfW(Ehdr) header;
    FileStatus status = read_header(file, &header, reason);

    if (status == FILE_OK) {
        status = read_headers(file, &header, facts, reason);
    }
    return status == FILE_OK ? check_file(file, &header, facts, reason) : status;
}

#endif /* __ELF__ */

/* ------------------------------------------------------------------ the whole */

/* `fd` is one of the file at `path`, and taken over, or -1. */
static FileStatus
open_file(int fd, const char *path, ElfFile *file, FileFacts *facts, char reason[REASON_MAX])
{
    FileStatus status;

    memset(file, 0, offsetof(ElfFile, block));
    memset(facts, 0, sizeof *facts);
    reason[0] = '\0';
    file->fd = fd;
    status = fd >= 0 ? take_descriptor(file, facts, reason) : open_regular(path, file, facts, reason);
#ifdef __ELF__
    if (status == FILE_OK) {
        status = check_structure(file, facts, reason);
    }
#endif
    return file->error != 0 ? system_refused(facts, file->error) : status;
}

FileStatus
elf_open(const char *path, ElfFile *file, FileFacts *facts, char reason[REASON_MAX])
{
    return open_file(-1, path, file, facts, reason);
}

#ifdef __ELF__

/* One file; those that are to be checked because of it are added to `neighbours`. */
static FileStatus
read_one(int fd, const char *path, bool lightly, FileFacts *facts, Neighbours *neighbours, char reason[REASON_MAX])
{
    ElfFile file;
    FileStatus status = open_file(fd, path, &file, facts, reason);

    if (status == FILE_OK) {
        status = elf_notes(&file, facts, lightly, reason);
    }
    if (status == FILE_OK) {
        status = digest_check(&file, facts, reason);
    }
    if (status == FILE_OK) {
        status = read_soname(&file, facts);
    }
    if (status == FILE_OK && needed_find(&file, facts, path, neighbours) != 0) {
        status = system_refused(facts, ENOMEM);
    }
    if (file.error != 0) {
        status = system_refused(facts, file.error);
    }
    if (status == FILE_OK && facts->ledger != NULL) {
        ledger_keep(facts->ledger, &file.fd);
    }
    elf_close(&file);
    if (status != FILE_OK) {
        elf_free(facts);
    }
    return status;
}

/* The loader passes over a file that is absent, or for another machine, and looks further; one that is damaged it takes. */
static FileStatus
read_neighbours(FileFacts *facts, Neighbours *neighbours, char reason[REASON_MAX])
{
    for (size_t i = 0; i < neighbours->count; i++) {
        char what[REASON_MAX];
        FileFacts other;
        FileStatus status = read_one(-1, neighbours->paths[i], true, &other, neighbours, what);

        elf_free(&other);
        if (status == FILE_ERRNO && other.error == ENOMEM) {
            return system_refused(facts, ENOMEM);
        }
        if (status == FILE_INVALID) {
            return elf_refuse(reason, status, "needs %.*s: %s", PATH_SHOWN, neighbours->paths[i], what);
        }
    }
    return FILE_OK;
}

static FileStatus
read_all(int fd, const char *path, bool lightly, FileFacts *facts, char reason[REASON_MAX])
{
    Neighbours neighbours;
    FileStatus status;

    neighbours.count = 0;
    status = read_one(fd, path, lightly, facts, &neighbours, reason);
    if (status == FILE_OK) {
        status = read_neighbours(facts, &neighbours, reason);
    }
    needed_free(&neighbours);
    if (status != FILE_OK) {
        elf_free(facts);
    }
    return status;
}

#else

static FileStatus
read_all(int fd, const char *path, bool lightly, FileFacts *facts, char reason[REASON_MAX])
{
    ElfFile file;
    FileStatus status = open_file(fd, path, &file, facts, reason);

    (void)lightly;
    elf_close(&file);
    return status;
}

#endif /* __ELF__ */

FileStatus
elf_read(const char *path, FileFacts *facts, char reason[REASON_MAX])
{
    return read_all(-1, path, false, facts, reason);
}

FileStatus
elf_read_open(int fd, const char *path, FileFacts *facts, char reason[REASON_MAX])
{
    return read_all(fd, path, true, facts, reason);
}
