"""The file check: relocations, the functions that the loader calls, and libraries beside the file."""

import os
import platform
import shutil
import struct
from pathlib import Path

import elf_patch as ep
import pytest
import support
from elf_driver import Driver, elf
from elf_patch import Patch, patch, rich

__all__ = ["elf", "patch", "rich"]

FAR = 2**40

pytestmark = [
    pytest.mark.skipif(struct.calcsize("P") != 8, reason="the patched fields are those of 64-bit files"),
    pytest.mark.skipif(not ep.RELOCATIONS, reason="relocations are checked on x86-64 and AArch64"),
]


def refused(elf: Driver, patch: Patch) -> str:
    """Why the damaged file is refused."""
    facts = elf.read(patch.save())
    assert "INVALID" == facts.status
    return facts.reason


class TestRelocations:
    """What the loader writes, and where."""

    @pytest.mark.parametrize("kind", ["RELATIVE", "IRELATIVE", "GLOB_DAT", "JUMP_SLOT", "WORD"])
    @pytest.mark.parametrize("place", ["far", "text", "dynamic", "end"])
    def test_place(self, elf: Driver, patch: Patch, kind: str, place: str) -> None:
        """No type may write outside the library, to code, over the dynamic section, or beyond a segment's end."""
        last = patch.segments(ep.PT_LOAD)[-1]
        address = {
            "far": FAR,
            "text": patch.loaded(ep.PF_R | ep.PF_X)[0],
            "dynamic": patch.get(patch.segments(ep.PT_DYNAMIC)[0] + ep.P_VADDR, "Q") + 24,
            "end": patch.get(last + ep.P_VADDR, "Q") + patch.get(last + ep.P_MEMSZ, "Q") - 7,
        }[place]
        patch.put(patch.relocation(kind) + ep.R_OFFSET, "Q", address)

        assert f"writes to address {address:#x}: no place to write to" in refused(elf, patch)

    @pytest.mark.parametrize("kind", ["GLOB_DAT", "JUMP_SLOT", "DTPMOD"])
    def test_aligned(self, elf: Driver, patch: Patch, kind: str) -> None:
        """Words of the table of addresses are aligned."""
        at = patch.relocation(kind) + ep.R_OFFSET
        patch.put(at, "Q", patch.get(at, "Q") + 1)

        assert "no place to write to" in refused(elf, patch)

    def test_text(self, elf: Driver, patch: Patch) -> None:
        """Code may be written if the library says so; real ones do."""
        patch.put(patch.relocation("WORD") + ep.R_OFFSET, "Q", patch.loaded(ep.PF_R | ep.PF_X)[0])
        patch.put(list(patch.entries())[-1], "Q", ep.DT_TEXTREL)

        assert "OK" == elf.read(patch.save()).status

    @pytest.mark.parametrize("kind", ["GLOB_DAT", "JUMP_SLOT", "WORD"])
    def test_symbol(self, elf: Driver, patch: Patch, kind: str) -> None:
        """No relocation names a symbol beyond those that the hash table knows."""
        patch.put(patch.relocation(kind) + ep.R_SYMBOL, "I", 2**31)

        assert "names symbol 2147483648 of" in refused(elf, patch)

    def test_no_hash(self, elf: Driver, patch: Patch) -> None:
        """Without a hash table the place of the next table bounds the symbols."""
        patch.drop(ep.DT_GNU_HASH)
        assert "OK" == elf.read(patch.save()).status
        room = (patch.value(ep.DT_STRTAB) - patch.value(ep.DT_SYMTAB)) // ep.SYMBOL_SIZE
        patch.put(patch.relocation("GLOB_DAT") + ep.R_SYMBOL, "I", room)

        assert f"names symbol {room} of {room}" in refused(elf, patch)

    def test_resolver(self, elf: Driver, patch: Patch) -> None:
        """The function that an IRELATIVE calls is code."""
        patch.put(patch.relocation("IRELATIVE") + ep.R_ADDEND, "q", -8)

        assert "calls a function at address 0xfffffffffffffff8" in refused(elf, patch)

    @pytest.mark.parametrize(("type", "symbol"), [("COPY", 1), ("RELATIVE", 0), ("JUMP_SLOT", 0)])
    def test_function(self, elf: Driver, patch: Patch, type: str, symbol: int) -> None:
        """What calls go through becomes the address of a symbol, not of anything else."""
        at = patch.relocation("JUMP_SLOT")
        patch.put(at + ep.R_INFO, "I", ep.RELOCATIONS[type])
        patch.put(at + ep.R_SYMBOL, "I", symbol)

        assert f"of type {ep.RELOCATIONS[type]} and for symbol {symbol}, gives no address" in refused(elf, patch)

    def test_addend(self, elf: Driver, patch: Patch) -> None:
        """A JUMP_SLOT may have any addend."""
        patch.put(patch.relocation("JUMP_SLOT") + ep.R_ADDEND, "q", -1)

        assert "OK" == elf.read(patch.save()).status

    def test_unknown(self, elf: Driver, patch: Patch) -> None:
        """A type that nobody knows is skipped, wherever it would write."""
        patch.put(patch.relocation("WORD") + ep.R_INFO, "I", 0xF00)
        patch.put(patch.table(ep.DT_JMPREL) + ep.R_OFFSET, "Q", FAR)
        patch.put(patch.table(ep.DT_JMPREL) + ep.R_INFO, "I", 0xF01)

        assert "OK" == elf.read(patch.save()).status

    def test_relative_count(self, elf: Driver, patch: Patch) -> None:
        """The relocations that DT_RELACOUNT calls relative are: the loader stops the process otherwise."""
        patch.put(patch.table(ep.DT_RELA) + ep.R_INFO, "I", 0xF00)

        assert "relocation 0 of the relocation table is not relative, but DT_RELACOUNT is" in refused(elf, patch)

    def test_thread_local(self, elf: Driver, patch: Patch) -> None:
        """A thread-local relocation names a thread-local symbol."""
        patch.put(patch.symbol("mine") + ep.ST_INFO, "B", 0x11)

        assert "is not thread-local" in refused(elf, patch)

    def test_no_thread_local(self, elf: Driver, patch: Patch) -> None:
        """A place in the static block is not asked for by a library without thread-local data: the loader divides by
        its alignment."""
        patch.put(patch.relocation("DTPMOD") + ep.R_INFO, "I", ep.STATIC_TLS)
        assert "OK" == elf.read(patch.save()).status
        patch.put(patch.segments(ep.PT_TLS)[0] + ep.P_MEMSZ, "Q", 0)

        assert "there is no thread-local segment" in refused(elf, patch)

    def test_copy(self, elf: Driver, patch: Patch) -> None:
        """A copy that is larger than what is left of the segment is refused."""
        patch.put(patch.relocation("GLOB_DAT") + ep.R_INFO, "I", ep.RELOCATIONS["COPY"])
        at = patch.table(ep.DT_SYMTAB) + ep.SYMBOL_SIZE * patch.get(patch.relocation("COPY") + ep.R_SYMBOL, "I")
        patch.put(at + 16, "Q", FAR)

        assert "no place to write to" in refused(elf, patch)

    @pytest.mark.skipif(platform.machine() != "x86_64", reason="AArch64 has no such relocation")
    @pytest.mark.parametrize("type", [32, 33])
    def test_size(self, elf: Driver, patch: Patch, type: int) -> None:
        """The size of a weak symbol that is not defined here is not asked for: the loader crashes if it finds none."""
        at = patch.relocation("WORD")
        for name in ("add", "puts", "__gmon_start__"):
            patch.put(at + ep.R_INFO, "I", type)
            patch.put(at + ep.R_SYMBOL, "I", (patch.symbol(name) - patch.table(ep.DT_SYMTAB)) // ep.SYMBOL_SIZE)
            if name != "__gmon_start__":
                assert "OK" == elf.read(patch.save()).status

        assert "is weak and not defined here" in refused(elf, patch)


@pytest.fixture
def packed(tmp_path: Path) -> Patch:
    """A library whose relative relocations are packed."""
    try:
        return Patch(ep.compiled(tmp_path, "packed.so", "-Wl,-z,pack-relative-relocs", "-Wl,-z,norelro"))
    except AssertionError:
        pytest.skip("the linker has no -z pack-relative-relocs")


class TestPacked:
    """DT_RELR: addresses, each followed by bitmaps."""

    @pytest.mark.parametrize(
        ("at", "value", "words"),
        [
            (0, FAR, "writes to address 0x10000000000"),
            (0, 3, "begins with a bitmap"),
            (8, 2**64 - 1, "no place to write to"),
        ],
    )
    def test_word(self, elf: Driver, packed: Patch, at: int, value: int, words: str) -> None:
        """Each damage of a word is refused with what is wrong."""
        if ep.DT_RELR not in packed.tags():
            pytest.skip("the linker packs nothing")
        assert "OK" == elf.read(packed.path).status
        packed.put(packed.table(ep.DT_RELR) + at, "Q", value)

        assert words in refused(elf, packed)

    def test_array(self, elf: Driver, packed: Patch) -> None:
        """An entry of an init array that is relocated in place must be code as it is stored."""
        if ep.DT_RELR not in packed.tags():
            pytest.skip("the linker packs nothing")
        packed.put(packed.table(ep.DT_INIT_ARRAY), "Q", 8)

        assert "entry 0 of the init array, address 0x8, is no code" in refused(elf, packed)


class TestArrays:
    """Functions that the loader calls when it opens and closes the library."""

    @pytest.mark.parametrize("name", ["init", "fini"])
    def test_place(self, elf: Driver, patch: Patch, name: str) -> None:
        """An array outside the library is refused, also by its size."""
        start, size = (
            (ep.DT_INIT_ARRAY, ep.DT_INIT_ARRAYSZ) if name == "init" else (ep.DT_FINI_ARRAY, ep.DT_FINI_ARRAYSZ)
        )
        before = patch.value(start)
        patch.set(start, FAR)
        assert f"the {name} array (" in refused(elf, patch)
        patch.set(start, before)
        patch.set(size, 2**63)

        assert f"the {name} array (9223372036854775808 bytes" in refused(elf, patch)

    def test_not_relocated(self, elf: Driver, patch: Patch) -> None:
        """An entry that no relocation fills in would be called as it stands in the file."""
        patch.set(ep.DT_INIT_ARRAYSZ, patch.value(ep.DT_INIT_ARRAYSZ) + patch.value(ep.DT_FINI_ARRAYSZ) + 8)

        assert "of the init array is no address: nothing relocates it" in refused(elf, patch)

    def test_data(self, elf: Driver, patch: Patch) -> None:
        """An entry that becomes the address of data is refused."""
        first = patch.value(ep.DT_INIT_ARRAY)
        at = next(
            at for at in range(patch.table(ep.DT_RELA), len(patch.data), ep.RELA_SIZE) if patch.get(at, "Q") == first
        )
        patch.put(at + ep.R_ADDEND, "Q", first)

        assert f"entry 0 of the init array, address {first:#x}, is no code" in refused(elf, patch)

    def test_split(self, elf: Driver, patch: Patch) -> None:
        """A relocation of half an entry and half of the next is refused."""
        at = patch.relocation("WORD")
        patch.put(at + ep.R_OFFSET, "Q", patch.value(ep.DT_INIT_ARRAY) + 4)

        assert "splits entry 0 of the init array" in refused(elf, patch)

    def test_many(self, elf: Driver, tmp_path: Path) -> None:
        """Arrays of a thousand entries are checked to the last."""
        (tmp_path / "versions").write_text(ep.VERSIONS, encoding="utf-8")
        (tmp_path / "many.c").write_text(
            "".join(f"__attribute__((constructor)) static void f{i}(void) {{ }}\n" for i in range(1000)),
            encoding="utf-8",
        )
        many = Patch(ep.compiled(tmp_path, "many.so", str(tmp_path / "many.c")))
        assert "OK" == elf.read(many.path).status
        many.set(ep.DT_INIT_ARRAYSZ, many.value(ep.DT_INIT_ARRAYSZ) + 8 * 8)

        assert "of the init array is no address" in refused(elf, many)


class TestNeighbours:
    """Libraries that a file needs and that stand beside it."""

    @pytest.fixture
    def pair(self, rich: Path, tmp_path: Path) -> tuple[Path, Path]:
        """A library that needs another one in the folder `lib` beside it, found by $ORIGIN; and that one."""
        (tmp_path / "lib").mkdir()
        inner = tmp_path / "lib" / "libpatched.so.1"
        shutil.copy(rich, inner)
        flags = ("-Wl,--no-as-needed", inner, "-Wl,-rpath,/nowhere:$ORIGIN/lib", "-Wl,-soname,outer.so")
        return ep.compiled(tmp_path, "outer.so", *map(str, flags)), inner

    def test_sound(self, elf: Driver, pair: tuple[Path, Path]) -> None:
        """A sound pair is accepted, as is one that lacks the inner library: the loader may find it elsewhere."""
        assert "OK" == elf.read(pair[0]).status
        pair[1].unlink()

        assert "OK" == elf.read(pair[0]).status

    def test_damaged(self, elf: Driver, pair: tuple[Path, Path]) -> None:
        """A damaged library beside a sound one is refused, by its path."""
        os.truncate(pair[1], 3000)

        facts = elf.read(pair[0])

        assert "INVALID" == facts.status
        assert f"needs {pair[1]}: truncated" in facts.reason

    def test_relative(self, elf: Driver, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        """A path without a folder is of the current one."""
        os.truncate(pair[1], 3000)
        monkeypatch.chdir(pair[0].parent)

        assert "needs ./lib/libpatched.so.1: truncated" in elf.read(pair[0].name).reason

    def test_other_machine(self, elf: Driver, pair: tuple[Path, Path]) -> None:
        """One for another machine is passed over, as the loader does."""
        inner = Patch(pair[1])
        inner.put(18, "H", 22)
        inner.save()

        assert "OK" == elf.read(pair[0]).status

    def test_ring(self, elf: Driver, tmp_path: Path) -> None:
        """Libraries that need each other are each looked at once; the damage of the last is found."""
        for name, other in (("a.so", "b.so"), ("b.so", "c.so"), ("c.so", "a.so")):
            (tmp_path / "empty.c").write_text("int empty;\n", encoding="utf-8")
            stub = (*support.compiler_command(), "-shared", "-fPIC", tmp_path / "empty.c", f"-Wl,-soname,{other}")
            support.run(*stub, "-o", tmp_path / f"stub_{other}")
            needs = ("-Wl,--no-as-needed", str(tmp_path / f"stub_{other}"), "-Wl,-rpath,${ORIGIN}")
            ep.compiled(tmp_path, name, *needs)
        assert "OK" == elf.read(tmp_path / "a.so").status
        os.truncate(tmp_path / "c.so", 3000)

        assert f"needs {tmp_path}/c.so: truncated" in elf.read(tmp_path / "a.so").reason
