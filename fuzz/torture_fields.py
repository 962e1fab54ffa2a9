"""Where the numbers stand in a 64-bit little-endian shared library: what torture.py damages one by one."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

PT_LOAD, PT_DYNAMIC, PT_NOTE = 1, 2, 4
DT_HASH, DT_STRTAB, DT_SYMTAB, DT_RELA, DT_RELASZ, DT_INIT_ARRAY, DT_FINI_ARRAY = 4, 5, 6, 7, 8, 25, 26
DT_INIT_ARRAYSZ, DT_FINI_ARRAYSZ, DT_PLTRELSZ, DT_JMPREL, DT_RELRSZ, DT_RELR = 27, 28, 2, 23, 35, 36
DT_GNU_HASH, DT_VERSYM, DT_VERNEED, DT_VERDEF = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFE, 0x6FFFFFFC

EHDR = "type:2 machine:2 version:4 entry:8 phoff:8 shoff:8 flags:4 ehsize:2 phentsize:2 phnum:2 shentsize:2 shnum:2"
PHDR = "type:4 flags:4 offset:8 vaddr:8 paddr:8 filesz:8 memsz:8 align:8"
SHDR = "name:4 type:4 flags:8 addr:8 offset:8 size:8 link:4 info:4 addralign:8 entsize:8"
DYN = "tag:8 value:8"
SYM = "name:4 info:1 other:1 shndx:2 value:8 size:8"
RELA = "offset:8 type:4 symbol:4 addend:8"
VERNEED = "version:2 count:2 file:4 aux:4 next:4"
VERNAUX = "hash:4 flags:2 other:2 name:4 next:4"
VERDEF = "version:2 flags:2 index:2 count:2 hash:4 aux:4 next:4"
NOTE = "namesz:4 descsz:4 type:4"


class Field(NamedTuple):
    """One number: what it belongs to, what it is called, where it stands (bytes)."""

    kind: str
    name: str
    offset: int
    size: int


def _row(kind: str, label: str, layout: str, offset: int) -> Iterator[Field]:
    for word in layout.split():
        name, size = word.split(":")
        yield Field(kind, f"{label}.{name}", offset, int(size))
        offset += int(size)


def _rows(kind: str, label: str, layout: str, offset: int, count: int) -> Iterator[Field]:
    size = sum(int(word.split(":")[1]) for word in layout.split())
    for i in range(count):
        yield from _row(kind, f"{label}[{i}]", layout, offset + i * size)


class Library:
    """The tables of one file, found by its program headers and dynamic section."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.phoff, self.shoff = struct.unpack_from("<QQ", data, 32)
        self.phnum, _, self.shnum = struct.unpack_from("<HHH", data, 56)
        self.headers = [struct.unpack_from("<IIQQQQQQ", data, self.phoff + 56 * i) for i in range(self.phnum)]
        self.dynamic = next((offset, size) for kind, _, offset, _, _, size, *_ in self.headers if kind == PT_DYNAMIC)
        entries = struct.iter_unpack("<QQ", data[self.dynamic[0] : sum(self.dynamic)])
        self.entries = [entry for entry in entries if entry[0] != 0]
        self.tags = dict(self.entries)

    def place(self, tag: int) -> int:
        """The offset in the file of the table that a dynamic entry names; 0 if there is none."""
        address = self.tags.get(tag, 0)
        for kind, _, offset, start, _, size, *_ in self.headers:
            if kind == PT_LOAD and address and start <= address < start + size:
                return int(offset + address - start)
        return 0

    def mapped(self) -> list[tuple[int, int]]:
        """Offset and size of what each PT_LOAD has in the file."""
        return [(offset, size) for kind, _, offset, _, _, size, *_ in self.headers if kind == PT_LOAD and size]

    def fields(self) -> Iterator[Field]:
        """Every number of every table."""
        yield from (Field("ELF header", f"ident[{i}]", i, 1) for i in range(16))
        yield from _row("ELF header", "header", EHDR + " shstrndx:2", 16)
        yield from _rows("program headers", "segment", PHDR, self.phoff, self.phnum)
        yield from _rows("section headers", "section", SHDR, self.shoff, self.shnum)
        yield from _rows("dynamic section", "dynamic", DYN, self.dynamic[0], len(self.entries) + 1)
        yield from self._symbols()
        yield from self._relocations()
        yield from self._versions()
        for tag, size, name in ((DT_INIT_ARRAY, DT_INIT_ARRAYSZ, "init"), (DT_FINI_ARRAY, DT_FINI_ARRAYSZ, "fini")):
            if self.place(tag):
                yield from _rows("init arrays", name, "function:8", self.place(tag), self.tags[size] // 8)
        yield from self._notes()

    def _symbol_count(self) -> int:
        if self.place(DT_HASH):
            return int(struct.unpack_from("<I", self.data, self.place(DT_HASH) + 4)[0])
        table, strings = self.place(DT_SYMTAB), self.place(DT_STRTAB)
        return (strings - table) // 24 if strings > table else 16

    def _symbols(self) -> Iterator[Field]:
        count = self._symbol_count()
        yield from _rows("symbols", "symbol", SYM, self.place(DT_SYMTAB), count)
        old, new = self.place(DT_HASH), self.place(DT_GNU_HASH)
        if old:
            buckets, chains = struct.unpack_from("<II", self.data, old)
            yield from _rows("hash tables", "hash", "word:4", old, 2 + buckets + chains)
        if new:
            buckets, first, bloom, _ = struct.unpack_from("<IIII", self.data, new)
            words = 4 + 2 * bloom + buckets + max(count - first, 0)
            yield from _rows("hash tables", "gnu", "word:4", new, words)

    def _relocations(self) -> Iterator[Field]:
        for tag, size, name in ((DT_RELA, DT_RELASZ, "rela"), (DT_JMPREL, DT_PLTRELSZ, "plt")):
            if self.place(tag):
                yield from _rows("relocations", name, RELA, self.place(tag), self.tags[size] // 24)
        if self.place(DT_RELR):
            yield from _rows("relocations", "relr", "word:8", self.place(DT_RELR), self.tags[DT_RELRSZ] // 8)

    def _versions(self) -> Iterator[Field]:
        if self.place(DT_VERSYM):
            yield from _rows("versions", "versym", "index:2", self.place(DT_VERSYM), self._symbol_count())
        at = self.place(DT_VERNEED)
        while at:
            yield from _row("versions", "need", VERNEED, at)
            count, aux, following = struct.unpack_from("<2xH4xII", self.data, at)
            yield from _rows("versions", "aux", VERNAUX, at + aux, count)
            at = at + following if following else 0
        at = self.place(DT_VERDEF)
        while at:
            yield from _row("versions", "definition", VERDEF, at)
            aux, following = struct.unpack_from("<12xII", self.data, at)
            yield from _row("versions", "name", "name:4 next:4", at + aux)
            at = at + following if following else 0

    def _notes(self) -> Iterator[Field]:
        for kind, _, at, _, _, size, *_ in self.headers:
            end = at + size
            while kind == PT_NOTE and at + 12 <= end:
                owner, described, _ = struct.unpack_from("<III", self.data, at)
                yield from _row("notes", f"note@{at}", NOTE, at)
                start = at + 12 + (owner + 3 & ~3)
                yield from (Field("notes", f"byte@{place}", place, 1) for place in range(at + 12, start + described))
                at = start + (described + 3 & ~3)
