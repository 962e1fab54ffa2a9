"""The file check: segments, and the tables that the dynamic section names. One damage, one reason."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import elf_patch as ep
import pytest
from elf_driver import Driver, elf
from elf_patch import Patch, patch, rich

__all__ = ["elf", "patch", "rich"]

Damage = Callable[[Patch], None]
FAR = 2**40

pytestmark = pytest.mark.skipif(struct.calcsize("P") != 8, reason="the patched fields are those of 64-bit files")


def reason(elf: Driver, patch: Patch, damage: Damage) -> str:
    """Why the file is refused once it is damaged; it was accepted before."""
    assert "OK" == elf.read(patch.path).status
    damage(patch)
    facts = elf.read(patch.save())
    assert "INVALID" == facts.status
    return facts.reason


def segment(kind: int, field: int, value: int, index: int = 0, format: str = "Q") -> Damage:
    """A damage: one field of a program header."""
    return lambda patch: patch.put(patch.segments(kind)[index] + field, format, value)


def dynamic(tag: int, value: int) -> Damage:
    """A damage: the value of one dynamic entry."""
    return lambda patch: patch.set(tag, value)


def moved(tag: int, distance: int) -> Damage:
    """A damage: the value of one dynamic entry is off by some bytes."""
    return lambda patch: patch.set(tag, patch.value(tag) + distance)


def dropped(tag: int) -> Damage:
    """A damage: one dynamic entry is missing."""
    return lambda patch: patch.drop(tag)


def symbol(name: str, field: int, format: str, value: int) -> Damage:
    """A damage: one field of a symbol."""
    return lambda patch: patch.put(patch.symbol(name) + field, format, value)


def in_table(tag: int, at: int, format: str, value: int) -> Damage:
    """A damage: one field of a table that a dynamic entry names."""
    return lambda patch: patch.put(patch.table(tag) + at, format, value)


def swap_loads(patch: Patch) -> None:
    """A damage: two segments in the wrong order."""
    first, second = patch.segments(ep.PT_LOAD)[:2]
    a, b = patch.data[first : first + 56], patch.data[second : second + 56]
    patch.data[first : first + 56], patch.data[second : second + 56] = b, a


def endless_dynamic(patch: Patch) -> None:
    """A damage: the segment of the dynamic section ends before its last entry."""
    count = len(list(patch.entries()))
    patch.put(patch.segments(ep.PT_DYNAMIC)[0] + ep.P_FILESZ, "Q", 16 * (count - 1))


def read_only_dynamic(patch: Patch) -> None:
    """A damage: the dynamic section, which is to be written, in a segment that is not."""
    at = patch.segments(ep.PT_LOAD)[-1]
    patch.put(at + ep.P_FLAGS, "I", ep.PF_R)


class TestSegments:
    """Program headers that the loader would believe."""

    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            (swap_loads, "before the one before it ends"),
            (segment(ep.PT_LOAD, ep.P_MEMSZ, 2**62), "too large for memory"),
            (segment(ep.PT_LOAD, ep.P_ALIGN, 4097), "alignment 4097"),
            (segment(ep.PT_LOAD, ep.P_VADDR, 4096 + 8, -1), "cannot be mapped"),
            (segment(ep.PT_TLS, ep.P_ALIGN, 0), "impossible alignment: 0"),
            (segment(ep.PT_TLS, ep.P_ALIGN, 24), "impossible alignment: 24"),
            (segment(ep.PT_TLS, ep.P_MEMSZ, 2**50), "impossible size"),
            (segment(ep.PT_TLS, ep.P_MEMSZ, 1), "impossible size"),
            (segment(ep.PT_TLS, ep.P_VADDR, FAR), "thread-local segment (4 bytes at address 0x10000000000)"),
            (segment(ep.PT_GNU_RELRO, ep.P_VADDR, FAR), "PT_GNU_RELRO"),
            (segment(ep.PT_GNU_RELRO, ep.P_MEMSZ, FAR), "PT_GNU_RELRO"),
            (segment(ep.PT_GNU_EH_FRAME, ep.P_VADDR, FAR), "PT_GNU_EH_FRAME"),
            (segment(ep.PT_GNU_STACK, ep.P_FLAGS, 7, 0, "I"), "executable stack"),
            (segment(ep.PT_GNU_STACK, ep.P_TYPE, 6, 0, "I"), "PT_PHDR"),
            (segment(ep.PT_GNU_STACK, ep.P_TYPE, 0x60000000, 0, "I"), "no PT_GNU_STACK"),
            (segment(ep.PT_NOTE, ep.P_ALIGN, 8), "GNU property"),
            (endless_dynamic, "does not end"),
            (read_only_dynamic, "read-only segment"),
        ],
    )
    def test_damaged(self, elf: Driver, patch: Patch, damage: Damage, words: str) -> None:
        """Each damage is refused with what is wrong."""
        if words == "GNU property":  # the build-id, made one: four bytes of which 2**31 are said to follow
            note = patch.get(patch.segments(ep.PT_NOTE)[0] + ep.P_OFFSET, "Q")
            patch.put(note + 4, "I", 2**31)
            patch.put(note + 8, "I", 5)

        assert words in reason(elf, patch, damage)


class TestDynamic:
    """The dynamic section: what it must name, and where that lies."""

    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            (dropped(ep.DT_STRTAB), "no string table"),
            (dropped(ep.DT_SYMTAB), "no symbol table"),
            (dropped(ep.DT_RELASZ), "DT_RELA, but no DT_RELASZ"),
            (dropped(ep.DT_RELAENT), "DT_RELA, but no DT_RELAENT"),
            (dropped(ep.DT_JMPREL), "DT_PLTREL, but no DT_JMPREL"),
            (dropped(ep.DT_PLTRELSZ), "DT_JMPREL, but no DT_PLTRELSZ"),
            (dropped(ep.DT_PLTREL), "DT_JMPREL, but no DT_PLTREL"),
            (dropped(ep.DT_INIT_ARRAYSZ), "DT_INIT_ARRAY, but no DT_INIT_ARRAYSZ"),
            (dropped(ep.DT_FINI_ARRAYSZ), "DT_FINI_ARRAY, but no DT_FINI_ARRAYSZ"),
            (dropped(ep.DT_VERSYM), "but no DT_VERSYM"),
            (dynamic(ep.DT_RELAENT, 16), "DT_RELAENT is 16, expected 24"),
            (dynamic(ep.DT_SYMENT, 16), "DT_SYMENT is 16, expected 24"),
            (dynamic(ep.DT_PLTREL, 17), "DT_PLTREL is 17, expected 7"),
            (dynamic(ep.DT_STRTAB, FAR), "string table"),
            (dynamic(ep.DT_STRSZ, FAR), "string table"),
            (dynamic(ep.DT_STRSZ, 3), "lies outside the strings"),
            (dynamic(ep.DT_SYMTAB, FAR), "symbol table"),
            (moved(ep.DT_SYMTAB, 4), "symbol table is not aligned"),
            (moved(ep.DT_SYMTAB, 24), "the symbol table has room for"),
            (in_table(ep.DT_SYMTAB, 0, "I", 1), "symbol that is none"),
            (dynamic(ep.DT_VERSYM, FAR), "table of versions"),
            (dynamic(ep.DT_RELA, FAR), "relocation table ("),
            (moved(ep.DT_RELASZ, 1), "expected a multiple of 24"),
            (dynamic(ep.DT_RELASZ, FAR), "relocation table (1099511627776 bytes"),
            (dynamic(ep.DT_JMPREL, FAR), "relocation table of functions"),
            (dynamic(ep.DT_PLTGOT, 0), "DT_PLTGOT"),
            (dynamic(ep.DT_INIT, 0), "the init function at address 0x0"),
            (dynamic(ep.DT_FINI, FAR), "the fini function at address 0x10000000000"),
            (dynamic(ep.DT_NEEDED, FAR), "the name of dynamic entry 0"),
            (dynamic(ep.DT_SONAME, FAR), "lies outside the strings"),
        ],
    )
    def test_damaged(self, elf: Driver, patch: Patch, damage: Damage, words: str) -> None:
        """Each damage is refused with what is wrong."""
        if "function at" in words and not {ep.DT_INIT, ep.DT_FINI} <= patch.tags():
            pytest.skip("this compiler's libraries have no DT_INIT")

        assert words in reason(elf, patch, damage)

    @pytest.mark.parametrize("kind", [None, ep.PT_NOTE, ep.PT_GNU_EH_FRAME], ids=["header", "note", "frames"])
    def test_no_code(self, elf: Driver, tmp_path: Path, kind: int | None) -> None:
        """What describes the file is no code, though linkers that save pages make it executable as well."""
        patch = Patch(ep.compiled(tmp_path, "saved.so", "-Wl,-z,noseparate-code"))
        address = 0 if kind is None else patch.get(patch.segments(kind)[0] + ep.P_VADDR, "Q")
        start, size = patch.loaded(ep.PF_R | ep.PF_X)

        assert start <= address < start + size
        assert f"the init function at address {address:#x} is no code" in reason(
            elf, patch, dynamic(ep.DT_INIT, address)
        )

    def test_last_one_counts(self, elf: Driver, patch: Patch) -> None:
        """Of two entries of one tag the last is what the loader takes: a damaged one before it does no harm."""
        end = list(patch.entries())[-1]
        for at, value in ((end, patch.value(ep.DT_SONAME)), (patch.entry(ep.DT_SONAME) - 8, 1)):
            patch.put(at, "Q", ep.DT_SONAME)
            patch.put(at + 8, "Q", value)

        facts = elf.read(patch.save())

        assert ("OK", "libpatched.so.1") == (facts.status, facts.soname)

    def test_unknown_tag(self, elf: Driver, patch: Patch) -> None:
        """An entry that nobody knows is skipped."""
        end = list(patch.entries())[-1]
        patch.put(end, "Q", 0x6000BEEF)
        patch.put(end + 8, "Q", 2**64 - 1)

        assert "OK" == elf.read(patch.save()).status

    def test_unended_strings(self, elf: Driver, patch: Patch) -> None:
        """The string table need not end in a NUL, if the last name does."""
        patch.set(ep.DT_STRSZ, patch.value(ep.DT_STRSZ) - 1)

        assert "OK" == elf.read(patch.save()).status


class TestHashes:
    """Hash tables, which the loader follows wherever they lead."""

    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            (dynamic(ep.DT_GNU_HASH, FAR), "does not fit into its segment"),
            (in_table(ep.DT_GNU_HASH, 0, "I", 0), "has no buckets"),
            (in_table(ep.DT_GNU_HASH, 0, "I", 2**31), "does not fit into its segment"),
            (in_table(ep.DT_GNU_HASH, 8, "I", 0), "Bloom filter of 0 words"),
            (in_table(ep.DT_GNU_HASH, 8, "I", 3), "Bloom filter of 3 words"),
            (in_table(ep.DT_GNU_HASH, 8, "I", 2**31), "does not fit into its segment"),
            (lambda patch: patch.put(patch.filled_bucket(), "I", 1), "leads to symbol 1, its first is"),
            (lambda patch: patch.put(patch.filled_bucket(), "I", 2**31), "does not end, from symbol 2147483648"),
            (lambda patch: patch.put(patch.filled_bucket(), "I", 40), "the symbol table has room for"),
        ],
    )
    def test_gnu(self, elf: Driver, patch: Patch, damage: Damage, words: str) -> None:
        """Each damage of a GNU_HASH is refused with what is wrong."""
        assert words in reason(elf, patch, damage)

    @pytest.mark.parametrize(
        ("at", "value", "words"),
        [
            (0, 0, "has no buckets"),
            (0, 2**31, "does not fit into its segment"),
            (4, 2**31, "does not fit into its segment"),
            (4, 3, " of 3"),
            (8, 2**31, "leads to symbol 2147483648 of"),
            (-1, 1, "leads to symbol 1 twice"),
        ],
    )
    def test_sysv(self, elf: Driver, tmp_path: Path, at: int, value: int, words: str) -> None:
        """Each damage of the older HASH is refused with what is wrong, chains that come back to themselves too."""
        patch = Patch(ep.compiled(tmp_path, "sysv.so", "-Wl,--hash-style=sysv"))
        if at < 0:  # the two symbols behind which the chain goes on to symbol 1
            links = patch.table(ep.DT_HASH) + 8 + 4 * patch.get(patch.table(ep.DT_HASH), "I")
            patch.put(links + 4, "I", 1)
            patch.put(links + 8, "I", 1)
            assert words in elf.read(patch.save()).reason
        else:
            assert words in reason(elf, patch, in_table(ep.DT_HASH, at, "I", value))


class TestSymbols:
    """Symbols and their versions."""

    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            (symbol("add", ep.ST_NAME, "I", 2**31), "at byte 2147483648 of"),
            (symbol("add", ep.ST_VALUE, "Q", FAR), "address 0x10000000000, lies outside"),
            (symbol("chosen", ep.ST_VALUE, "Q", 0), "chosen by a function at address 0x0"),
            (symbol("puts", ep.ST_INFO, "B", 2), "not to be found elsewhere"),
            (symbol("puts", ep.ST_OTHER, "B", 2), "not to be found elsewhere"),
            (in_table(ep.DT_VERSYM, 2, "H", 99), "version 99, the last one is"),
            (in_table(ep.DT_VERNEED, 8, "I", 2**31), "versions needed leads to address"),
            (in_table(ep.DT_VERNEED, 12, "I", 2**31), "versions needed leads to address"),
            (in_table(ep.DT_VERNEED, 4, "I", 1), "a library that is not among those it needs"),
            (in_table(ep.DT_VERDEF, 12, "I", 2**31), "versions defined leads to address"),
            (in_table(ep.DT_VERDEF, 16, "I", 2**31), "versions defined leads to address"),
            (dynamic(ep.DT_VERDEF, FAR), "versions defined leads to address"),
        ],
    )
    def test_damaged(self, elf: Driver, patch: Patch, damage: Damage, words: str) -> None:
        """Each damage is refused with what is wrong."""
        assert words in reason(elf, patch, damage)

    def test_absolute(self, elf: Driver, patch: Patch) -> None:
        """An absolute symbol may have any value."""
        patch.put(patch.symbol("counter") + ep.ST_SHNDX, "H", 0xFFF1)
        patch.put(patch.symbol("counter") + ep.ST_VALUE, "Q", 2**63)

        assert "OK" == elf.read(patch.save()).status

    def test_back(self, elf: Driver, rich: Path, tmp_path: Path) -> None:
        """A version list whose distance would lead back, were it signed, is refused."""
        patch = Patch(Path(shutil.copy(rich, tmp_path / "ring.so")))
        patch.put(patch.table(ep.DT_VERNEED) + 12, "I", 2**32 - 16)

        assert "versions needed" in elf.read(patch.save()).reason
