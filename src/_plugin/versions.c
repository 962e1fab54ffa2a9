/* Versions: the lists of those that are needed and defined, which end, and the numbers that symbols have, which are in
 * these lists: the loader makes an array of them. */
#include "check.h"

#include <string.h>

#ifdef __ELF__

enum {
    VERSIONS_AT_ONCE = CHUNK / sizeof(ElfW(Half)),
    LIBRARIES_MAX = 4096,          /* that versions are needed of; each is looked for among those that are needed */
    PIECE = 1024,                  /* bytes of a list that are read at once */
    NUMBER = 0x7fff,               /* of a version; the bit above tells that it is hidden */
    NAME_COMPARED = 256,           /* bytes; no file name is longer */
};

/* A list of records that lead from one to the next by distances, always forward. */
typedef struct {
    Check *check;
    const char *name;
    uint64_t address;
    uint64_t steps;                /* so many are left: records do not overlap, so there are only so many */
    uint64_t have, have_size;      /* what `piece` holds */
    _Alignas(8) unsigned char piece[PIECE];
} List;

/* ------------------------------------------------------------------ lists */

static void
open_list(List *list, Check *check, const char *name, uint64_t address)
{
    list->check = check;
    list->name = name;
    list->address = address;
    list->steps = check_room(check, address) / sizeof(ElfW(Vernaux)) + 1;
    list->have_size = 0;
}

static FileStatus
read_record(List *list, uint64_t address, void *record, size_t size)
{
    Check *check = list->check;
    uint64_t room = check_room(check, address), offset;

    if (room < size) {
        return elf_refuse(check->reason, FILE_INVALID, "the list of versions %s leads to address 0x%llx, outside its segment",
                          list->name, (unsigned long long)address);
    }
    if (list->steps-- == 0) {
        return elf_refuse(check->reason, FILE_INVALID, "the list of versions %s, at address 0x%llx, does not end", list->name,
                          (unsigned long long)list->address);
    }
    if (list->have_size < size || address - list->have > list->have_size - size) {
        list->have = address;
        list->have_size = room < PIECE ? room : PIECE;
        if (!check_locate(check, address, list->have_size, &offset)
            || !elf_pread(check->file, offset, list->piece, (size_t)list->have_size)) {
            return check_cut(check);
        }
    }
    memcpy(record, list->piece + (address - list->have), size);
    return FILE_OK;
}

/* ------------------------------------------------------------------ versions that are needed */

static bool
read_name(Check *check, uint64_t at, char name[NAME_COMPARED])
{
    uint64_t address = check_value(check, DYN_STRTAB) + at, room = check_room(check, address), offset;
    size_t size = room < NAME_COMPARED ? (size_t)room : NAME_COMPARED;

    return check_locate(check, address, size, &offset) && elf_pread(check->file, offset, name, size)
           && memchr(name, '\0', size) != NULL;
}

/* Whether the library that is to have the versions is one that this one needs: the loader stops the process if it finds
 * none of that name.  Linkers store a name once, so the place tells mostly. */
static FileStatus
check_library(Check *check, uint64_t name, bool by_text, bool *found)
{
    const size_t at_once = CHUNK / sizeof(ElfW(Dyn));
    char wanted[NAME_COMPARED], needed[NAME_COMPARED];
    const ElfW(Dyn) *entries = NULL;
    size_t count = check->file->dynamic_count;

    *found = by_text && !read_name(check, name, wanted);
    for (size_t i = 0; i < count && !*found; i++) {
        if (i % at_once == 0) {
            entries = check_chunk(check, check->file->dynamic_offset + i * sizeof *entries,
                                  (count - i < at_once ? count - i : at_once) * sizeof *entries);
        }
        if (entries == NULL) {
            return check_cut(check);
        }
        if (entries[i % at_once].d_tag == DT_NEEDED) {
            uint64_t at = entries[i % at_once].d_un.d_val;

            *found = by_text ? read_name(check, at, needed) && strcmp(wanted, needed) == 0 : at == name;
        }
    }
    return FILE_OK;
}

static FileStatus
check_needed_by(Check *check, uint64_t name, size_t index)
{
    bool found;
    FileStatus status = check_library(check, name, false, &found);

    if (status == FILE_OK && !found) {
        status = check_library(check, name, true, &found);
    }
    if (status == FILE_OK && !found) {
        return elf_refuse(check->reason, FILE_INVALID, "needs versions (%zu) of a library that is not among those it needs",
                          index);
    }
    return status;
}

static FileStatus
check_needs(Check *check, uint64_t address, size_t *last)
{
    List list;
    ElfW(Verneed) need = {.vn_next = 1};
    FileStatus status = FILE_OK;

    open_list(&list, check, "needed", address);
    for (size_t i = 0; status == FILE_OK && need.vn_next != 0; i++) {
        ElfW(Vernaux) version = {.vna_next = 1};
        uint64_t at;

        status = read_record(&list, address, &need, sizeof need);
        if (status != FILE_OK) {
            return status;
        }
        check_name(check, need.vn_file, "the library of needed version", i);
        at = address + need.vn_aux;
        while (status == FILE_OK && version.vna_next != 0) {
            status = read_record(&list, at, &version, sizeof version);
            check_name(check, version.vna_name, "needed version", i);
            *last = (version.vna_other & NUMBER) > *last ? version.vna_other & NUMBER : *last;
            at += version.vna_next;
        }
        if (status == FILE_OK && i == LIBRARIES_MAX) {
            return elf_refuse(check->reason, FILE_INVALID, "needs versions of more than %d libraries", LIBRARIES_MAX);
        }
        if (status == FILE_OK) {
            status = check_needed_by(check, need.vn_file, i);
        }
        address += need.vn_next;
    }
    return status;
}

/* ------------------------------------------------------------------ versions that are defined */

static FileStatus
check_definitions(Check *check, uint64_t address, size_t *last)
{
    List list;
    ElfW(Verdef) definition = {.vd_next = 1};
    FileStatus status = FILE_OK;

    open_list(&list, check, "defined", address);
    for (size_t i = 0; status == FILE_OK && definition.vd_next != 0; i++) {
        ElfW(Verdaux) name = {0};

        status = read_record(&list, address, &definition, sizeof definition);
        if (status == FILE_OK) {
            status = read_record(&list, address + definition.vd_aux, &name, sizeof name);
        }
        check_name(check, name.vda_name, "defined version", i);
        *last = (definition.vd_ndx & NUMBER) > *last ? definition.vd_ndx & NUMBER : *last;
        address += definition.vd_next;
    }
    return status;
}

/* ------------------------------------------------------------------ the numbers of symbols */

static FileStatus
check_numbers(Check *check, size_t total, size_t last)
{
    uint64_t offset;

    if (!check_locate(check, check_value(check, DYN_VERSYM), total * sizeof(ElfW(Half)), &offset)) {
        return elf_refuse(check->reason, FILE_INVALID, "the table of versions (%zu entries) does not fit into its segment",
                          total);
    }
    for (size_t i = 0; i < total;) {
        size_t count = total - i < VERSIONS_AT_ONCE ? total - i : VERSIONS_AT_ONCE;
        const ElfW(Half) *versions = check_chunk(check, offset + i * sizeof *versions, count * sizeof *versions);
        unsigned highest = 0;

        if (versions == NULL) {
            return check_cut(check);
        }
        for (size_t k = 0; k < count; k++) {
            unsigned number = versions[k] & NUMBER;

            highest = number > highest ? number : highest;
        }
        if (highest > last) {
            return elf_refuse(check->reason, FILE_INVALID, "a symbol has version %u, the last one is %zu", highest, last);
        }
        i += count;
    }
    return FILE_OK;
}

FileStatus
versions_check(Check *check)
{
    size_t total = check->symbol_count > check->symbol_used ? check->symbol_count : check->symbol_used;
    size_t last = 0;
    FileStatus status = FILE_OK;

    if (check_has(check, DYN_VERNEED)) {
        status = check_needs(check, check_value(check, DYN_VERNEED), &last);
    }
    if (status == FILE_OK && check_has(check, DYN_VERDEF)) {
        status = check_definitions(check, check_value(check, DYN_VERDEF), &last);
    }
    if (status == FILE_OK && check_has(check, DYN_VERSYM) && total > 0) {
        status = check_numbers(check, total, last);
    }
    return status;
}

#else

typedef int NothingHere;

#endif /* __ELF__ */
