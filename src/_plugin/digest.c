/* The digest that `python -m plugin stamp` puts into a file, and that opening it checks. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "native.h"

#include <pthread.h>
#include <string.h>

#ifdef __ELF__
#include <link.h>
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#include <nmmintrin.h>
#define INSTRUCTION __attribute__((target("sse4.2")))
#define HAS_INSTRUCTION() __builtin_cpu_supports("sse4.2")
#define CRC_WORD(crc, word) ((uint32_t)_mm_crc32_u64(crc, word))
#define CRC_BYTE(crc, byte) _mm_crc32_u8(crc, byte)
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define INSTRUCTION
#define HAS_INSTRUCTION() 1
#define CRC_WORD(crc, word) __crc32cd(crc, word)
#define CRC_BYTE(crc, byte) __crc32cb(crc, byte)
#endif

#define POLYNOMIAL 0x82f63b78u     /* Castagnoli's, the lowest power in the highest bit */

enum {
    LANE = 1024,                   /* bytes: three of them at a time, as the instruction takes three cycles */
    CHUNK = 3 * LANE * 5,          /* bytes of the file that are looked at together */
    SECTIONS_AT_ONCE = 64,
    LOADS_MAX = 2,                 /* how often all of the file may be loaded: once, in truth */
};

/* ------------------------------------------------------------------ CRC-32C by table */

static uint32_t tables[8][256];
static pthread_once_t tables_made = PTHREAD_ONCE_INIT;

static void
make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        }
        tables[0][i] = crc;
    }
    for (int table = 1; table < 8; table++) {
        for (uint32_t i = 0; i < 256; i++) {
            tables[table][i] = tables[table - 1][i] >> 8 ^ tables[0][tables[table - 1][i] & 0xff];
        }
    }
}

uint32_t
digest_crc32c_plain(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *at = data;

    pthread_once(&tables_made, make_tables);
    crc = ~crc;
    for (; size >= 8; size -= 8, at += 8) {
        uint32_t next = 0;

        for (unsigned i = 0; i < 8; i++) {
            next ^= tables[7 - i][at[i] ^ (i < 4 ? crc >> 8 * i & 0xff : 0)];
        }
        crc = next;
    }
    for (; size > 0; size--, at++) {
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xff];
    }
    return ~crc;
}

/* ------------------------------------------------------------------ CRC-32C by instruction */

#ifdef INSTRUCTION

/* x to the power of 8 * LANE, modulo the polynomial: what LANE zero bytes multiply a CRC by. */
#define PAST_LANE 0xe4172b16u

/* The product of two polynomials modulo ours. */
static uint32_t
multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (uint32_t bit = 0x80000000u; bit != 0; bit >>= 1) {
        product ^= a & bit ? b : 0;
        b = b >> 1 ^ (b & 1 ? POLYNOMIAL : 0);
    }
    return product;
}

static uint64_t
word_at(const unsigned char *place)
{
    uint64_t word;

    memcpy(&word, place, sizeof word);
    return word;
}

/* Three lanes at once, each from zero but the first, then joined. */
INSTRUCTION static uint32_t
three_lanes(uint32_t crc, const unsigned char *at)
{
    uint32_t second = 0, third = 0;

    for (size_t i = 0; i < LANE; i += 8) {
        crc = CRC_WORD(crc, word_at(at + i));
        second = CRC_WORD(second, word_at(at + LANE + i));
        third = CRC_WORD(third, word_at(at + (size_t)2 * LANE + i));
    }
    return multiply(PAST_LANE, multiply(PAST_LANE, crc) ^ second) ^ third;
}

INSTRUCTION static uint32_t
crc32c_fast(uint32_t crc, const unsigned char *at, size_t size)
{
    crc = ~crc;
    for (; size >= 3 * LANE; size -= 3 * LANE, at += 3 * LANE) {
        crc = three_lanes(crc, at);
    }
    for (; size >= 8; size -= 8, at += 8) {
        crc = CRC_WORD(crc, word_at(at));
    }
    for (; size > 0; size--, at++) {
        crc = CRC_BYTE(crc, *at);
    }
    return ~crc;
}

uint32_t
digest_crc32c(uint32_t crc, const void *data, size_t size)
{
    return HAS_INSTRUCTION() ? crc32c_fast(crc, data, size) : digest_crc32c_plain(crc, data, size);
}

#else

uint32_t
digest_crc32c(uint32_t crc, const void *data, size_t size)
{
    return digest_crc32c_plain(crc, data, size);
}

#endif /* INSTRUCTION */

#ifdef __ELF__

/* ------------------------------------------------------------------ what is taken as zero */

/* Bytes of the file. */
typedef struct {
    uint64_t at, size;
} Stretch;

typedef struct {
    Stretch blanks[BLANKS_MAX + 3];
    size_t count;
} Blanks;

static void
add_blank(Blanks *blanks, uint64_t at, uint64_t size)
{
    blanks->blanks[blanks->count++] = (Stretch){at, size};
}

static void
find_blanks(const FileFacts *facts, Blanks *blanks)
{
    blanks->count = 0;
    add_blank(blanks, offsetof(ElfW(Ehdr), e_shoff), sizeof((ElfW(Ehdr) *)0)->e_shoff);
    add_blank(blanks, offsetof(ElfW(Ehdr), e_shentsize), sizeof(ElfW(Ehdr)) - offsetof(ElfW(Ehdr), e_shentsize));
    if (facts->build_id_place.size > 0) {
        add_blank(blanks, facts->build_id_place.at, facts->build_id_place.size);
    }
    for (size_t i = 0; i < facts->digest_count; i++) {
        add_blank(blanks, facts->digest_records[i].at, facts->digest_records[i].size);
    }
}

/* `data` is what stands at `at` in the file. */
static void
apply_blanks(const Blanks *blanks, uint64_t at, unsigned char *data, size_t size)
{
    for (size_t i = 0; i < blanks->count; i++) {
        uint64_t from = blanks->blanks[i].at, to = from + blanks->blanks[i].size;

        from = from > at ? from : at;
        to = to < at + size ? to : at + size;
        if (from < to) {
            memset(data + (from - at), 0, (size_t)(to - from));
        }
    }
}

/* ------------------------------------------------------------------ the digest of a file */

static FileStatus
add_stretch(ElfFile *file, const Blanks *blanks, Stretch stretch, uint32_t *crc, char reason[REASON_MAX])
{
    unsigned char chunk[CHUNK];

    while (stretch.size > 0) {
        size_t size = stretch.size < sizeof chunk ? (size_t)stretch.size : sizeof chunk;

        if (!elf_pread(file, stretch.at, chunk, size)) {
            return elf_refuse(reason, FILE_INVALID, "truncated while it was read");
        }
        apply_blanks(blanks, stretch.at, chunk, size);
        *crc = digest_crc32c(*crc, chunk, size);
        stretch.at += size;
        stretch.size -= size;
    }
    return FILE_OK;
}

/* The program headers were read already, and mostly stand in the first PT_LOAD as well. */
static FileStatus
compute(ElfFile *file, const FileFacts *facts, uint32_t *crc, char reason[REASON_MAX])
{
    const ElfW(Phdr) *segments = (const void *)facts->headers;
    uint64_t total = 0;
    Blanks blanks;
    FileStatus status;

    *crc = 0;
    find_blanks(facts, &blanks);
    status = add_stretch(file, &blanks, (Stretch){0, sizeof(ElfW(Ehdr))}, crc, reason);
    *crc = digest_crc32c(*crc, segments, facts->header_count * sizeof *segments);
    for (size_t i = 0; i < facts->header_count && status == FILE_OK; i++) {
        if (segments[i].p_type != PT_LOAD) {
            continue;
        }
        total += segments[i].p_filesz;
        if (total > LOADS_MAX * file->size) {
            return elf_refuse(reason, FILE_INVALID, "its segments overlap in the file");
        }
        status = add_stretch(file, &blanks, (Stretch){segments[i].p_offset, segments[i].p_filesz}, crc, reason);
    }
    return status;
}

/* ------------------------------------------------------------------ a digest that got lost */

#define SECTION ".note.plugin"

/* Whether the section is named SECTION.  What cannot be read has another name. */
static bool
is_manifest(ElfFile *file, const ElfW(Ehdr) *header, const ElfW(Shdr) *section)
{
    ElfW(Shdr) names;
    char name[sizeof SECTION];

    return section->sh_type == SHT_NOTE && section->sh_size > 0
           && elf_pread(file, header->e_shoff + header->e_shstrndx * sizeof names, &names, sizeof names)
           && section->sh_name < names.sh_size && sizeof name <= names.sh_size - section->sh_name
           && elf_pread(file, names.sh_offset + section->sh_name, name, sizeof name)
           && memcmp(name, SECTION, sizeof name) == 0;
}

/* A file without records must not have a section for them: else damage that hits them would turn a stamped plugin into
 * a library that nobody stamped.  elf_open has seen that the section headers are sound. */
static FileStatus
check_lost(ElfFile *file, char reason[REASON_MAX])
{
    ElfW(Shdr) sections[SECTIONS_AT_ONCE];
    ElfW(Ehdr) header;

    if (!elf_pread(file, 0, &header, sizeof header) || header.e_shoff == 0) {
        return FILE_OK;
    }
    for (size_t i = 0; i < header.e_shnum; i++) {
        size_t at = i % SECTIONS_AT_ONCE, rest = header.e_shnum - i;

        if (at == 0
            && !elf_pread(file, header.e_shoff + i * sizeof sections[0], sections,
                          (rest < SECTIONS_AT_ONCE ? rest : SECTIONS_AT_ONCE) * sizeof sections[0])) {
            break;
        }
        if (is_manifest(file, &header, &sections[at])) {
            return elf_refuse(reason, FILE_INVALID, "its manifest is damaged: it has a section " SECTION
                              ", but no record of it is loaded");
        }
    }
    return FILE_OK;
}

FileStatus
digest_check(ElfFile *file, const FileFacts *facts, char reason[REASON_MAX])
{
    uint32_t found;
    FileStatus status;

    if (facts->header == NULL) {
        return check_lost(file, reason);
    }
    if (facts->digest_state != DIGEST_STAMPED) {
        return (facts->header->size & HEADER_STAMPED) == 0
                   ? FILE_OK
                   : elf_refuse(reason, FILE_INVALID, "its manifest is damaged: a digest was stamped, and is not there");
    }
    status = compute(file, facts, &found, reason);
    if (status != FILE_OK || found == facts->digest) {
        return status;
    }
    return elf_refuse(reason, FILE_INVALID,
                      "its digest is %08x, but %08x was stamped: the file is damaged, or a tool like patchelf has "
                      "changed it since; `python -m plugin stamp` comes last",
                      found, facts->digest);
}

/* Where this byte of facts->notes stands in the file: elf_notes put the segments one after the other. */
static uint64_t
note_offset(const FileFacts *facts, size_t at)
{
    const ElfW(Phdr) *segments = (const void *)facts->headers;

    for (size_t i = 0; i < facts->header_count; i++) {
        if (!elf_note_is_mapped(segments, facts->header_count, i)) {
            continue;
        }
        if (at < segments[i].p_filesz) {
            return segments[i].p_offset + at;
        }
        at -= (size_t)segments[i].p_filesz;
    }
    return 0;
}

/* Where the header stands; more than once if equal ones were linked together. */
static void
find_headers(const FileFacts *facts, DigestPlan *plan)
{
    const Record *header = facts->header;
    const unsigned char *desc = (const unsigned char *)header->name - 2 * sizeof(uint32_t);
    size_t size = (size_t)((const unsigned char *)header->text - desc) + strlen(header->text) + 1;

    for (size_t at = (size_t)(desc - facts->notes) % 4; at + size <= facts->notes_size; at += 4) {
        if (plan->header_count < BLANKS_MAX && memcmp(facts->notes + at, desc, size) == 0) {
            plan->headers[plan->header_count++] = note_offset(facts, at);
        }
    }
}

FileStatus
digest_plan(const char *path, DigestPlan *plan, int *error, char reason[REASON_MAX])
{
    FileFacts facts;
    ElfFile file;
    FileStatus status = elf_open(path, &file, &facts, reason);

    if (status == FILE_OK) {
        status = elf_notes(&file, &facts, false, reason);
    }
    if (status == FILE_OK) {
        status = compute(&file, &facts, &plan->value, reason);
    }
    plan->state = facts.digest_state;
    plan->has_manifest = facts.header != NULL;
    plan->header_count = 0;
    if (status == FILE_OK && plan->has_manifest) {
        plan->is_told = (facts.header->size & HEADER_STAMPED) != 0;
        plan->header = facts.header->size | HEADER_STAMPED;
        find_headers(&facts, plan);
    }
    plan->place_count = facts.digest_count;
    for (size_t i = 0; i < facts.digest_count; i++) {
        plan->places[i] = facts.digest_records[i].at;
    }
    *error = file.error != 0 ? file.error : facts.error;
    elf_close(&file);
    elf_free(&facts);
    return *error != 0 ? FILE_ERRNO : status;
}

#else

FileStatus
digest_plan(const char *path, DigestPlan *plan, int *error, char reason[REASON_MAX])
{
    FileFacts facts;
    ElfFile file;
    FileStatus status = elf_open(path, &file, &facts, reason);

    *plan = (DigestPlan){.state = DIGEST_NO_ROOM};
    *error = facts.error;
    elf_close(&file);
    elf_free(&facts);
    return status;
}

#endif /* __ELF__ */
