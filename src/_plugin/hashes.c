/* Hash tables of symbols: the one that the loader uses must lead to symbols only, and to an end. */
#include "check.h"

#include <errno.h>
#include <stdlib.h>

#ifdef __ELF__

enum {
    WORDS_AT_ONCE = CHUNK / sizeof(uint32_t),
    HASH_WORDS_AT_ONCE = CHUNK / sizeof(HashWord),
};

static size_t
least(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

static FileStatus
refuse_size(const Check *check, uint64_t address)
{
    return elf_refuse(check->reason, FILE_INVALID, "the hash table at address 0x%llx does not fit into its segment",
                      (unsigned long long)address);
}

/* ------------------------------------------------------------------ GNU_HASH */

/* Each chain begins at its bucket's symbol and goes on until an odd hash.  So the one that begins last ends last, and
 * if that one ends, all do. */
static FileStatus
last_chain(Check *check, uint64_t address, uint64_t offset, size_t buckets, size_t first, size_t *last)
{
    *last = 0;
    for (size_t i = 0; i < buckets;) {
        size_t count = least(buckets - i, WORDS_AT_ONCE);
        const uint32_t *words = check_chunk(check, offset + i * sizeof *words, count * sizeof *words);
        uint32_t highest = 0, lowest = UINT32_MAX;

        if (words == NULL) {
            return check_cut(check);
        }
        for (size_t k = 0; k < count; k++) {
            uint32_t start = words[k] - 1;       /* empty buckets, 0, come out highest */

            highest = words[k] > highest ? words[k] : highest;
            lowest = start < lowest ? start : lowest;
        }
        if (lowest != UINT32_MAX && (size_t)lowest + 1 < first) {
            return elf_refuse(check->reason, FILE_INVALID,
                              "the hash table at address 0x%llx leads to symbol %zu, its first is %zu",
                              (unsigned long long)address, (size_t)lowest + 1, first);
        }
        *last = highest > *last ? highest : *last;
        i += count;
    }
    return FILE_OK;
}

static FileStatus
find_end(Check *check, uint64_t address, uint64_t chains, size_t first, size_t last)
{
    uint64_t room = check_room(check, chains) / sizeof(uint32_t), offset;

    for (uint64_t i = last - first; i < room;) {
        size_t count = least(room - i, i == last - first ? 16 : WORDS_AT_ONCE);
        const uint32_t *words = check_locate(check, chains + i * sizeof *words, count * sizeof *words, &offset)
                                    ? check_chunk(check, offset, count * sizeof *words)
                                    : NULL;

        if (words == NULL) {
            return check_cut(check);
        }
        for (size_t k = 0; k < count; k++) {
            if ((words[k] & 1) != 0) {
                check->symbol_count = (size_t)(first + i + k + 1);
                return FILE_OK;
            }
        }
        i += count;
    }
    return elf_refuse(check->reason, FILE_INVALID, "the hash table at address 0x%llx has a chain that does not end, from symbol %zu",
                      (unsigned long long)address, last);
}

static FileStatus
check_gnu(Check *check, uint64_t address)
{
    uint64_t offset, buckets_at;
    uint32_t header[4];            /* buckets, first symbol, words of the Bloom filter, shift */
    size_t last;
    FileStatus status;

    if (!check_locate(check, address, sizeof header, &offset)) {
        return refuse_size(check, address);
    }
    if (!elf_pread(check->file, offset, header, sizeof header)) {
        return check_cut(check);
    }
    if (header[0] == 0) {
        return elf_refuse(check->reason, FILE_INVALID, "the hash table at address 0x%llx has no buckets",
                          (unsigned long long)address);
    }
    if (header[2] == 0 || (header[2] & (header[2] - 1)) != 0) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "the hash table at address 0x%llx has a Bloom filter of %u words, expected a power of two",
                          (unsigned long long)address, (unsigned)header[2]);
    }
    buckets_at = sizeof header + header[2] * (uint64_t)sizeof(ElfW(Addr));
    if (!check_locate(check, address, buckets_at + header[0] * (uint64_t)sizeof(uint32_t), &offset)) {
        return refuse_size(check, address);
    }
    status = last_chain(check, address, offset + buckets_at, header[0], header[1], &last);
    if (status != FILE_OK || last == 0) {
        return status;
    }
    return find_end(check, address, address + buckets_at + header[0] * (uint64_t)sizeof(uint32_t), header[1], last);
}

/* ------------------------------------------------------------------ HASH */

/* Each symbol has one place, in a bucket or behind another symbol; if none has two, no chain comes back to itself. */
static FileStatus
check_links(Check *check, uint64_t address, uint64_t offset, size_t words_count, size_t symbols, unsigned char *seen)
{
    for (size_t i = 0; i < words_count;) {
        size_t count = least(words_count - i, HASH_WORDS_AT_ONCE);
        const HashWord *words = check_chunk(check, offset + i * sizeof *words, count * sizeof *words);

        if (words == NULL) {
            return check_cut(check);
        }
        for (size_t k = 0; k < count; k++) {
            size_t symbol = (size_t)words[k];

            if (symbol == 0) {
                continue;
            }
            if (symbol >= symbols) {
                return elf_refuse(check->reason, FILE_INVALID,
                                  "the hash table at address 0x%llx leads to symbol %zu of %zu",
                                  (unsigned long long)address, symbol, symbols);
            }
            if ((seen[symbol / 8] >> symbol % 8 & 1) != 0) {
                return elf_refuse(check->reason, FILE_INVALID,
                                  "the hash table at address 0x%llx leads to symbol %zu twice",
                                  (unsigned long long)address, symbol);
            }
            seen[symbol / 8] = (unsigned char)(seen[symbol / 8] | 1u << symbol % 8);
        }
        i += count;
    }
    return FILE_OK;
}

static FileStatus
check_sysv(Check *check, uint64_t address)
{
    const uint64_t word = sizeof(HashWord);
    uint64_t offset, room = check_room(check, address) / word;
    HashWord header[2];            /* buckets, symbols */
    unsigned char *seen;
    FileStatus status;

    if (room < 2 || !check_locate(check, address, sizeof header, &offset)) {
        return refuse_size(check, address);
    }
    if (!elf_pread(check->file, offset, header, sizeof header)) {
        return check_cut(check);
    }
    if (header[0] == 0) {
        return elf_refuse(check->reason, FILE_INVALID, "the hash table at address 0x%llx has no buckets",
                          (unsigned long long)address);
    }
    if (header[0] > room - 2 || header[1] > room - 2 - header[0]) {
        return refuse_size(check, address);
    }
    seen = calloc(1, (size_t)header[1] / 8 + 1);
    if (seen == NULL) {
        check->file->error = ENOMEM;
        return FILE_ERRNO;
    }
    status = check_links(check, address, offset + sizeof header, (size_t)(header[0] + header[1]), (size_t)header[1], seen);
    free(seen);
    check->symbol_count = (size_t)header[1];
    return status;
}

/* ------------------------------------------------------------------ the one that is used */

FileStatus
hashes_check(Check *check)
{
    FileStatus status = FILE_OK;

    if (check_has(check, DYN_GNU_HASH)) {
        status = check_gnu(check, check_value(check, DYN_GNU_HASH));
    }
    else if (check_has(check, DYN_HASH)) {
        status = check_sysv(check, check_value(check, DYN_HASH));
    }
    if (status == FILE_OK && check->symbol_count > check->symbol_room) {
        return elf_refuse(check->reason, FILE_INVALID,
                          "the hash table speaks of %zu symbols, the symbol table has room for %zu", check->symbol_count,
                          check->symbol_room);
    }
    return status;
}

#else

typedef int NothingHere;

#endif /* __ELF__ */
