/* What the first bytes of a file tell: another format, another machine, an executable. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "native.h"

#include <stdio.h>
#include <string.h>

#ifdef __ELF__
#include <link.h>

enum { TEXT_LOOKED_AT = 512 };     /* bytes, to tell text from other data */

static const struct {
    const char *magic;
    size_t size;                   /* bytes */
    const char *what;
} OTHER_FORMATS[] = {
    {"!<arch>\n", 8, "is a static archive (.a)"},
    {"!<thin>\n", 8, "is a thin static archive (.a)"},
    {"MZ", 2, "is a Windows file (PE: .dll, .exe)"},
    {"\xcf\xfa\xed\xfe", 4, "is a macOS file (Mach-O)"},
    {"\xce\xfa\xed\xfe", 4, "is a macOS file (Mach-O)"},
    {"\xfe\xed\xfa\xcf", 4, "is a macOS file (Mach-O)"},
    {"\xfe\xed\xfa\xce", 4, "is a macOS file (Mach-O)"},
    {"\xca\xfe\xba\xbe", 4, "is a macOS universal file (Mach-O) or a Java class"},
    {"BC\xc0\xde", 4, "is LLVM bitcode"},
    {"\0asm", 4, "is a WebAssembly module"},
};

static const struct {
    unsigned number;
    const char *name;
} MACHINES[] = {
    {EM_386, "x86 (i386)"},
    {EM_X86_64, "x86-64"},
    {EM_ARM, "ARM"},
    {183, "AArch64"},
    {243, "RISC-V"},
    {258, "LoongArch"},
    {EM_PPC, "PowerPC"},
    {EM_PPC64, "PowerPC64"},
    {EM_S390, "S/390"},
    {EM_MIPS, "MIPS"},
    {EM_SPARC, "SPARC"},
    {EM_SPARCV9, "SPARC V9"},
    {EM_68K, "m68k"},
    {EM_SH, "SuperH"},
    {EM_IA_64, "Itanium"},
    {EM_PARISC, "PA-RISC"},
    {0x9026, "Alpha"},
};

/* This library's own header: what class, data order and machine the process has, on any machine. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* Printable UTF-8 as far as one can see; the last character may be cut by the end of what is looked at. */
static bool
looks_like_text(const unsigned char *data, size_t size)
{
    size_t whole = size;

    for (size_t i = 0; i < size; i++) {
        if ((data[i] < 0x20 && strchr("\t\n\r\f\v\b\033", data[i]) == NULL) || data[i] == 0 || data[i] == 0x7f) {
            return false;
        }
    }
    for (int cut = 0; cut < 3 && whole > 0 && size == TEXT_LOOKED_AT && data[whole - 1] >= 0x80; cut++) {
        whole--;
    }
    return note_is_utf8((const char *)data, whole) || note_is_utf8((const char *)data, size);
}

/* Linkers accept such a script in place of a library, so /usr/lib/libc.so may be one. */
static bool
is_linker_script(const unsigned char *data, size_t size)
{
    return memmem(data, size, "GROUP", 5) != NULL || memmem(data, size, "INPUT", 5) != NULL
           || memmem(data, size, "OUTPUT_FORMAT", 13) != NULL;
}

static FileStatus
refuse_other_format(const unsigned char *data, size_t size, char reason[REASON_MAX])
{
    size_t looked_at = size < TEXT_LOOKED_AT ? size : TEXT_LOOKED_AT;

    for (size_t i = 0; i < sizeof OTHER_FORMATS / sizeof OTHER_FORMATS[0]; i++) {
        if (looked_at >= OTHER_FORMATS[i].size
            && memcmp(data, OTHER_FORMATS[i].magic, OTHER_FORMATS[i].size) == 0) {
            return elf_refuse(reason, FILE_INVALID, "%s, not an ELF file", OTHER_FORMATS[i].what);
        }
    }
    if (!looks_like_text(data, looked_at)) {
        return elf_refuse(reason, FILE_INVALID, "not an ELF file");
    }
    if (is_linker_script(data, looked_at)) {
        return elf_refuse(reason, FILE_INVALID,
                          "is a text file (a linker script: open the library that it names), not an ELF file");
    }
    return elf_refuse(reason, FILE_INVALID, "is a text file, not an ELF file");
}

static const char *
machine_name(unsigned number, char unnamed[32])
{
    for (size_t i = 0; i < sizeof MACHINES / sizeof MACHINES[0]; i++) {
        if (MACHINES[i].number == number) {
            return MACHINES[i].name;
        }
    }
    snprintf(unnamed, 32, "machine number %u", number);
    return unnamed;
}

/* The machine stands at the same place in both classes, in the byte order that the file says. */
static FileStatus
check_machine(const unsigned char *header, char reason[REASON_MAX])
{
    const unsigned char *own = __ehdr_start.e_ident;
    const size_t place = offsetof(ElfW(Ehdr), e_machine);
    bool big = header[EI_DATA] == ELFDATA2MSB;
    unsigned machine = (unsigned)(header[place + (big ? 0 : 1)] << 8 | header[place + (big ? 1 : 0)]);
    char expected[32], found[32];

    if (machine != __ehdr_start.e_machine) {
        return elf_refuse(reason, FILE_INCOMPATIBLE, "built for another machine: expected %s, found %s",
                          machine_name(__ehdr_start.e_machine, expected), machine_name(machine, found));
    }
    if (header[EI_CLASS] != own[EI_CLASS]) {
        return elf_refuse(reason, FILE_INCOMPATIBLE, "built for another word size: expected %d-bit, found %s",
                          own[EI_CLASS] == ELFCLASS64 ? 64 : 32,
                          header[EI_CLASS] == ELFCLASS64   ? "64-bit"
                          : header[EI_CLASS] == ELFCLASS32 ? "32-bit"
                                                           : "an unknown one");
    }
    if (header[EI_DATA] != own[EI_DATA]) {
        return elf_refuse(reason, FILE_INCOMPATIBLE, "built for another byte order: expected %s, found %s",
                          own[EI_DATA] == ELFDATA2LSB ? "little-endian" : "big-endian",
                          header[EI_DATA] == ELFDATA2LSB   ? "little-endian"
                          : header[EI_DATA] == ELFDATA2MSB ? "big-endian"
                                                           : "an unknown one");
    }
    return FILE_OK;
}

static FileStatus
check_type(unsigned type, char reason[REASON_MAX])
{
    switch (type) {
    case ET_DYN:
        return FILE_OK;
    case ET_EXEC:
        return elf_refuse(reason, FILE_INVALID, "is an executable, not a shared library: link it with -shared");
    case ET_REL:
        return elf_refuse(reason, FILE_INVALID, "is an object file (.o), not a shared library: link it with -shared");
    case ET_CORE:
        return elf_refuse(reason, FILE_INVALID, "is a core dump, not a shared library");
    default:
        return elf_refuse(reason, FILE_INVALID, "is no shared library: unknown ELF type %u", type);
    }
}

FileStatus
format_check(const unsigned char *data, size_t size, char reason[REASON_MAX])
{
    ElfW(Ehdr) header;
    FileStatus status;

    if (size == 0) {
        return elf_refuse(reason, FILE_INVALID, "is empty");
    }
    if (size < SELFMAG || memcmp(data, ELFMAG, SELFMAG) != 0) {
        return refuse_other_format(data, size, reason);
    }
    if (size < sizeof(Elf32_Ehdr)) {
        return elf_refuse(reason, FILE_INVALID, "truncated: too short for an ELF header");
    }
    status = check_machine(data, reason);
    if (status != FILE_OK) {
        return status;
    }
    if (size < sizeof header) {
        return elf_refuse(reason, FILE_INVALID, "truncated: too short for an ELF header");
    }
    memcpy(&header, data, sizeof header);
    if (header.e_version != EV_CURRENT) {
        return elf_refuse(reason, FILE_INVALID, "unknown ELF version %u", (unsigned)header.e_version);
    }
    return check_type(header.e_type, reason);
}

#else

typedef int NothingHere;

#endif /* __ELF__ */
