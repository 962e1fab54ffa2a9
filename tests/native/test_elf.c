/* The file check and the mapped image, played from the command line for tests/test_file_check_native.py and
 * tests/test_image_native.py.  Prints facts, one a line, fields separated by tabs; judges nothing but what every file
 * must satisfy. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "both_ways.h"
#include "settled_ways.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const STATUS[] = {"OK", "ERRNO", "NOT_REGULAR", "INVALID", "INCOMPATIBLE"};
static const char *const KIND[] = {"unknown", "function", "object", "thread-local", "other"};

/* What elf_read promises whatever the file is. */
static FileStatus
read_checked(const char *path, FileFacts *facts, char reason[REASON_MAX])
{
    FileStatus status = elf_read(path, facts, reason);

    require((status == FILE_ERRNO) == (facts->error != 0), "errno goes with FILE_ERRNO");
    require(status == FILE_OK || status == FILE_ERRNO || reason[0] != '\0', "a refusal has a reason");
    require(note_is_utf8(reason, strlen(reason)), "a reason is UTF-8");
    if (status != FILE_OK) {
        require(facts->headers == NULL && facts->notes == NULL && facts->records == NULL && facts->index == NULL
                    && facts->soname == NULL,
                "a refusal leaves nothing to free");
    }
    for (size_t i = 0; i < facts->record_count; i++) {
        const Record *record = &facts->records[i];
        const char *key = record->kind == RECORD_DECLARE ? record->text : record->name;

        Record found;

        require(elf_find(facts, record->kind, key, strlen(key), &found) && found.text == record->text, "each record is found");
        require(!elf_find(facts, record->kind, key, strlen(key) + 1, &found), "a name with a NUL is not found");
    }
    compare_ways(path, facts, status, reason);
    return status;
}

static void
print_file(const char *path)
{
    FileFacts facts;
    char reason[REASON_MAX];
    FileStatus status = read_checked(path, &facts, reason);

    printf("%s\t%s\t%s\t%zu\t%d\t", STATUS[status], reason, facts.soname == NULL ? "" : facts.soname,
           facts.record_count, facts.has_init);
    for (size_t i = 0; i < facts.build_id_size; i++) {
        printf("%02x", facts.build_id[i]);
    }
    printf("\t%s\t%d\n", facts.header == NULL ? "" : facts.header->name, facts.error);
    elf_free(&facts);
    elf_free(&facts);
}

static void
print_records(const char *path)
{
    FileFacts facts;
    char reason[REASON_MAX];

    require(read_checked(path, &facts, reason) == FILE_OK, reason);
    for (size_t i = 0; i < facts.record_count; i++) {
        const Record *record = &facts.records[i];

        printf("%x\t%u\t%d\t%s\t%s\n", (unsigned)record->kind, record->size, (int32_t)record->align, record->name,
               record->text);
    }
    elf_free(&facts);
}

/* Cut the file (it is spoiled) byte by byte, and print each length that was accepted. */
static void
truncate_all(const char *path)
{
    FileIdentity identity;
    FileFacts facts;
    char reason[REASON_MAX];

    require(elf_identify(path, &identity) == 0, "stat");
    for (off_t size = identity.size - 1; size >= 0; size--) {
        FileStatus status;

        require(truncate(path, size) == 0, "truncate");
        status = read_checked(path, &facts, reason);
        if (status != FILE_INVALID) {
            printf("%lld\t%s\t%s\n", (long long)size, STATUS[status], reason);
        }
        elf_free(&facts);
    }
}

static int
ignore_name(void *context, const char *name)
{
    (void)context;
    return strlen(name) > SIZE_MAX / 2;
}

static int
ignore_symbol(void *context, const char *name, const SymbolFacts *facts)
{
    (void)facts;
    return ignore_name(context, name);
}

/* Set each byte of the file's first `limit` to a few values, one at a time; it is enough to survive that. */
static void
flip_all(const char *path, off_t limit)
{
    static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    FileFacts facts;
    char reason[REASON_MAX];
    int fd = open(path, O_RDWR);

    require(fd >= 0, "open");
    for (off_t at = 0; at < limit; at++) {
        unsigned char before;

        require(pread(fd, &before, 1, at) == 1, "pread");
        for (size_t i = 0; i < sizeof values; i++) {
            require(pwrite(fd, &values[i], 1, at) == 1, "pwrite");
            read_checked(path, &facts, reason);
            elf_free(&facts);
            elf_exports(path, ignore_name, ignore_symbol, NULL, reason);
        }
        require(pwrite(fd, &before, 1, at) == 1, "pwrite");
    }
    close(fd);
}

static int
print_symbol(void *context, const char *name, const SymbolFacts *facts)
{
    (void)context;
    printf("%s\t%s\t%zu\t%d\n", name, KIND[facts->kind], facts->size, facts->writable);
    return 0;
}

static int
print_needed(void *context, const char *name)
{
    (void)context;
    printf("needs\t%s\n", name);
    return 0;
}

static void *
load(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    require(handle != NULL, "dlopen");
    return handle;
}

/* Whether `loaded` is, in memory, what `path` is on disk. */
static void
print_match(const char *path, const char *loaded)
{
    FileFacts facts;
    char reason[REASON_MAX] = "", other[REASON_MAX];
    void *handle = load(loaded);
    bool seems, differs = false;
    int matches;

    require(elf_read_open(-1, path, &facts, reason) == FILE_OK, reason);
    seems = image_matches(handle, &facts, false, other) == 1;
    for (size_t i = 0; seems && i < elf_records(&facts, false).count; i++) {
        differs = differs || strncmp(elf_records(&facts, false).items[i].text, "\"the file was", 13) == 0;
    }
    elf_free(&facts);
    require(read_checked(path, &facts, reason) == FILE_OK, reason);
    matches = image_matches(handle, &facts, false, reason);
    require((seems && !differs) == (matches == 1), "what is proven when it is used is what is compared");
    printf("%d\t%s\n", matches, matches ? "" : reason);
    elf_free(&facts);
    if (matches) {
        compare_settled(path, handle, true);
        compare_settled(path, handle, false);
    }
}

static void
print_lookup(const char *path, const char *name)
{
    void *handle = load(path);
    SymbolFacts facts;
    char reason[REASON_MAX];
    void *address = dlsym(handle, name);

    if (image_symbol(handle, name, address, &facts, reason) == 0) {
        print_symbol(NULL, name, &facts);
    }
    else {
        printf("refused\t%s\n", reason);
    }
}

/* Both ways to compute a CRC must agree at every length and alignment, in one piece and in two. */
static void
print_crc(const char *text)
{
    static unsigned char data[20000];

    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)(i * i >> 7 ^ i);
    }
    for (size_t size = 0; size < sizeof data - 8; size += size < 70 ? 1 : 509) {
        const unsigned char *start = data + size % 8;
        uint32_t whole = digest_crc32c(0, start, size);

        require(whole == digest_crc32c_plain(0, start, size), "the instruction gives what the tables give");
        require(whole == digest_crc32c(digest_crc32c(0, start, size / 3), start + size / 3, size - size / 3),
                "two pieces give what one gives");
    }
    printf("%08x\n", digest_crc32c(0, text, strlen(text)));
}

int
main(int count, char **words)
{
    char reason[REASON_MAX];
    const char *verb = count > 2 ? words[1] : "";

    if (strcmp(verb, "read") == 0) {
        for (int i = 2; i < count; i++) {
            print_file(words[i]);
        }
    }
    else if (strcmp(verb, "records") == 0) {
        print_records(words[2]);
    }
    else if (strcmp(verb, "truncate") == 0) {
        truncate_all(words[2]);
    }
    else if (strcmp(verb, "flip") == 0 && count > 3) {
        flip_all(words[2], atol(words[3]));
    }
    else if (strcmp(verb, "symbols") == 0) {
        image_each(load(words[2]), print_symbol, NULL);
    }
    else if (strcmp(verb, "exports") == 0) {
        if (elf_exports(words[2], print_needed, print_symbol, NULL, reason) != 0) {
            printf("refused\t%s\n", reason);
        }
    }
    else if (strcmp(verb, "matches") == 0 && count > 3) {
        print_match(words[2], words[3]);
    }
    else if (strcmp(verb, "lookup") == 0 && count > 3) {
        print_lookup(words[2], words[3]);
    }
    else if (strcmp(verb, "crc") == 0) {
        print_crc(words[2]);
    }
    else {
        return 1;
    }
    return 0;
}
