"""A 64-bit library whose fields are changed one at a time, found as the loader finds them: without sections."""

import platform
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import support

PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_TLS = 1, 2, 4, 7
PT_GNU_EH_FRAME, PT_GNU_STACK, PT_GNU_RELRO, PT_GNU_PROPERTY = range(0x6474E550, 0x6474E554)
PF_X, PF_W, PF_R = 1, 2, 4

P_TYPE, P_FLAGS, P_OFFSET, P_VADDR, P_FILESZ, P_MEMSZ, P_ALIGN = 0, 4, 8, 16, 32, 40, 48
E_PHOFF, E_PHENTSIZE = 32, 54

DT_NEEDED, DT_PLTRELSZ, DT_PLTGOT, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_RELA, DT_RELASZ, DT_RELAENT, DT_STRSZ = range(
    1, 11
)
DT_SYMENT, DT_INIT, DT_FINI, DT_SONAME, DT_RPATH = range(11, 16)
DT_PLTREL, DT_DEBUG, DT_TEXTREL, DT_JMPREL = range(20, 24)
DT_INIT_ARRAY, DT_FINI_ARRAY, DT_INIT_ARRAYSZ, DT_FINI_ARRAYSZ, DT_RUNPATH = range(25, 30)
DT_RELRSZ, DT_RELR, DT_RELRENT = range(35, 38)
DT_GNU_HASH, DT_VERSYM, DT_RELACOUNT = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFF9
DT_VERDEF, DT_VERNEED = 0x6FFFFFFC, 0x6FFFFFFE

ST_NAME, ST_INFO, ST_OTHER, ST_SHNDX, ST_VALUE = 0, 4, 5, 6, 8
SYMBOL_SIZE = 24  # bytes, likewise below
R_OFFSET, R_INFO, R_SYMBOL, R_ADDEND = 0, 8, 12, 16
RELA_SIZE = 24

# Numbers of relocation types, by machine.
RELOCATIONS = {
    "x86_64": {"RELATIVE": 8, "IRELATIVE": 37, "GLOB_DAT": 6, "JUMP_SLOT": 7, "WORD": 1, "COPY": 5, "DTPMOD": 16},
    "aarch64": {
        **{"RELATIVE": 1027, "IRELATIVE": 1032, "GLOB_DAT": 1025, "JUMP_SLOT": 1026, "WORD": 257, "COPY": 1024},
        "DTPMOD": 1028,
    },
}.get(platform.machine(), {})
# There gcc has descriptors unless told otherwise.
TLS_FLAGS = ["-mtls-dialect=trad"] if platform.machine() == "aarch64" else []
STATIC_TLS = {"x86_64": 18, "aarch64": 1030}.get(platform.machine(), 0)


# A library of every kind of table: versions, thread-local data, an IFUNC, arrays, relocations of several types.
SOURCE = """
#include <stdio.h>
int counter = 3, *pointer = &counter;
static int ready, *hidden = &ready;
__thread int mine = 4;
int *my(void) { return &mine; }
int add(int a, int b) { return a + b; }
__attribute__((constructor)) static void begin(void) { *hidden = puts(""); }
__attribute__((destructor)) static void end(void) { ready = 0; }
static int one(void) { return 1; }
static void *choose(void) { return (void *)one; }
int chosen(void) __attribute__((ifunc("choose")));
int twice(void) { return 2 * chosen(); }
static int also(void) __attribute__((ifunc("choose")));
int thrice(void) { return 3 * also(); }
"""
VERSIONS = "V1 { global: add; my; chosen; twice; thrice; counter; pointer; mine; local: *; };"


def compiled(folder: Path, name: str, *flags: str) -> Path:
    """The library made of SOURCE."""
    (folder / "source.c").write_text(SOURCE, encoding="utf-8")
    (folder / "versions").write_text(VERSIONS, encoding="utf-8")
    support.run(
        *support.compiler_command(),
        *("-shared", "-fPIC", "-O1", "-g0", "-Wl,-soname,libpatched.so.1", *TLS_FLAGS, *flags),
        *(folder / "source.c", "-o", folder / name),
    )
    return folder / name


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with everything, not to be changed."""
    folder = tmp_path_factory.mktemp("rich")
    return compiled(folder, "rich.so", f"-Wl,--version-script={folder / 'versions'}", "-Wl,--hash-style=gnu")


@pytest.fixture
def patch(rich: Path, tmp_path: Path) -> "Patch":
    """A copy of it, to be damaged."""
    return Patch(Path(shutil.copy(rich, tmp_path / "damaged.so")))


class Patch:
    """The bytes of a library; `save` writes them back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = bytearray(path.read_bytes())

    def save(self) -> Path:
        """Write the file; its path."""
        self.path.write_bytes(self.data)
        return self.path

    def get(self, at: int, format: str) -> int:
        """One field."""
        return int(struct.unpack_from("<" + format, self.data, at)[0])

    def put(self, at: int, format: str, value: int) -> None:
        """Overwrite one field."""
        struct.pack_into("<" + format, self.data, at, value)

    def segments(self, kind: int) -> list[int]:
        """Where the program headers of that type stand."""
        start, (size, count) = self.get(E_PHOFF, "Q"), struct.unpack_from("<HH", self.data, E_PHENTSIZE)
        return [at for at in range(start, start + size * count, size) if self.get(at, "I") == kind]

    def offset(self, address: int) -> int:
        """Where an address of the library stands in the file."""
        for at in self.segments(PT_LOAD):
            distance = address - self.get(at + P_VADDR, "Q")
            if 0 <= distance < self.get(at + P_FILESZ, "Q"):
                return self.get(at + P_OFFSET, "Q") + distance
        raise LookupError(hex(address))

    def loaded(self, flags: int) -> tuple[int, int]:
        """The address and the size of the first segment with just these flags."""
        at = next(at for at in self.segments(PT_LOAD) if self.get(at + P_FLAGS, "I") == flags)
        return self.get(at + P_VADDR, "Q"), self.get(at + P_MEMSZ, "Q")

    def entries(self) -> Iterator[int]:
        """Where the entries of the dynamic section stand, the last one too."""
        at = self.get(self.segments(PT_DYNAMIC)[0] + P_OFFSET, "Q")
        while self.get(at, "Q") != 0:
            yield at
            at += 16
        yield at

    def tags(self) -> set[int]:
        """The tags of the dynamic section."""
        return {self.get(at, "Q") for at in self.entries()}

    def entry(self, tag: int) -> int:
        """Where the value of the first dynamic entry of that tag stands."""
        return next(at for at in self.entries() if self.get(at, "Q") == tag) + 8

    def value(self, tag: int) -> int:
        """The value of a dynamic entry."""
        return self.get(self.entry(tag), "Q")

    def set(self, tag: int, value: int) -> None:
        """Change the value of a dynamic entry."""
        self.put(self.entry(tag), "Q", value)

    def drop(self, tag: int) -> None:
        """Turn a dynamic entry into one that nobody knows."""
        self.put(self.entry(tag) - 8, "Q", 0x60000000)

    def table(self, tag: int) -> int:
        """Where the table that a dynamic entry names stands in the file."""
        return self.offset(self.value(tag))

    def name(self, at: int) -> str:
        """A string of the string table."""
        start = self.table(DT_STRTAB) + at
        return self.data[start : self.data.index(0, start)].decode()

    def symbol(self, name: str) -> int:
        """Where the entry of a symbol stands; the string table follows the symbols."""
        for at in range(self.table(DT_SYMTAB), self.table(DT_STRTAB), SYMBOL_SIZE):
            if self.name(self.get(at + ST_NAME, "I")) == name:
                return at
        raise LookupError(name)

    def relocation(self, kind: str) -> int:
        """Where the first relocation of that type stands."""
        tables = [(DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ)]
        for start, size in [(self.table(start), self.value(size)) for start, size in tables]:
            for at in range(start, start + size, RELA_SIZE):
                if self.get(at + R_INFO, "I") == RELOCATIONS[kind]:
                    return at
        raise LookupError(kind)

    def buckets(self) -> int:
        """Where the buckets of the GNU hash table stand."""
        start = self.table(DT_GNU_HASH)
        return start + 16 + 8 * self.get(start + 8, "I")

    def filled_bucket(self) -> int:
        """Where the first bucket that is not empty stands."""
        return next(at for at in range(self.buckets(), len(self.data), 4) if self.get(at, "I") != 0)
