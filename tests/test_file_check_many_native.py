"""The file check: what there is too much of, or what does not end. Tables are moved to where there is room for more."""

import os
import shutil
import struct
from pathlib import Path

import elf_patch as ep
import pytest
import support
from elf_driver import Driver, elf
from elf_patch import Patch, rich

__all__ = ["elf", "rich"]

ENTRIES = 16384  # of a dynamic section
LIBRARIES = 4096  # that versions are needed of
NEIGHBOURS = 64  # files beside a library
ENTRY = 16  # bytes
NEED = struct.Struct("<HHIII")  # version, count, file, distance to versions, distance to the next
NEEDED_VERSION = struct.Struct("<IHHII")  # hash, flags, number, name, distance to the next

pytestmark = pytest.mark.skipif(struct.calcsize("P") != 8, reason="the patched fields are those of 64-bit files")


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with a great array, `room`, that may be written."""
    folder = tmp_path_factory.mktemp("roomy")
    (folder / "room.c").write_text(f"char room[{ENTRY * (ENTRIES + 2)}] = {{1}};\n", encoding="utf-8")
    (folder / "all").write_text("V1 { global: *; };", encoding="utf-8")
    flags = (f"-Wl,--version-script={folder / 'all'}", "-Wl,--hash-style=gnu", "-Wl,-z,norelro")
    return ep.compiled(folder, "roomy.so", *flags, str(folder / "room.c"))


class Room(Patch):
    """Such a library, whose array is filled with what a table is to be."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.address = self.get(self.symbol("room") + ep.ST_VALUE, "Q")

    def fill(self, content: bytes) -> None:
        """Put the content where the array begins."""
        at = self.offset(self.address)
        self.data[at : at + len(content)] = content


@pytest.fixture
def room(roomy: Path, tmp_path: Path) -> Room:
    """A copy, to be damaged."""
    return Room(Path(shutil.copy(roomy, tmp_path / "damaged.so")))


class TestDynamic:
    """Entries of the dynamic section."""

    @pytest.mark.parametrize("more", [0, 1])
    def test_many(self, elf: Driver, room: Room, more: int) -> None:
        """As many as the limit says are accepted, one more is refused."""
        entries = [room.data[at : at + ENTRY] for at in room.entries()][:-1]
        unknown = struct.pack("<QQ", 0x60000000, 0)
        count = ENTRIES + more
        room.fill(unknown * (count - len(entries)) + b"".join(entries) + bytes(ENTRY))
        at = room.segments(ep.PT_DYNAMIC)[0]
        room.put(at + ep.P_OFFSET, "Q", room.offset(room.address))
        for field, value in (
            (ep.P_VADDR, room.address),
            (ep.P_FILESZ, ENTRY * (count + 1)),
            (ep.P_MEMSZ, ENTRY * (count + 1)),
        ):
            room.put(at + field, "Q", value)

        facts = elf.read(room.save())

        assert (("INVALID", "OK")[more == 0], more == 1) == (
            facts.status,
            f"more than {ENTRIES} entries" in facts.reason,
        )


class TestVersions:
    """Lists of versions, which lead from one record to the next."""

    @pytest.mark.parametrize("more", [0, 1])
    def test_many(self, elf: Driver, room: Room, more: int) -> None:
        """Versions of as many libraries as the limit says are accepted, of one more refused."""
        count = LIBRARIES + more
        file = room.get(room.table(ep.DT_VERNEED) + 4, "I")
        need = NEED.pack(1, 1, file, NEED.size, NEED.size + NEEDED_VERSION.size)
        last = NEED.pack(1, 1, file, NEED.size, 0)
        version = NEEDED_VERSION.pack(0, 0, 99, file, 0)
        room.fill((need + version) * (count - 1) + last + version)
        room.set(ep.DT_VERNEED, room.address)

        facts = elf.read(room.save())

        assert (("INVALID", "OK")[more == 0], more == 1) == (
            facts.status,
            f"more than {LIBRARIES} libraries" in facts.reason,
        )

    def test_needed(self, elf: Driver, room: Room) -> None:
        """A list of needed versions whose records overlap without an end is refused before it has been walked."""
        file = room.get(room.table(ep.DT_VERNEED) + 4, "I")
        room.fill(NEED.pack(1, 1, file, NEED.size, 0) + struct.pack("<I", 4) * ((ENTRY * ENTRIES) // 4))
        room.set(ep.DT_VERNEED, room.address)

        facts = elf.read(room.save())

        assert "INVALID" == facts.status
        assert f"the list of versions needed, at address {room.address:#x}, does not end" in facts.reason

    def test_defined(self, elf: Driver, room: Room) -> None:
        """So is such a list of defined versions."""
        room.fill(struct.pack("<I", 4) * ((ENTRY * ENTRIES) // 4))
        room.set(ep.DT_VERDEF, room.address)

        facts = elf.read(room.save())

        assert "INVALID" == facts.status
        assert f"the list of versions defined, at address {room.address:#x}, does not end" in facts.reason


class TestNeighbours:
    """Libraries beside the file."""

    @pytest.mark.parametrize(("damaged", "status"), [(NEIGHBOURS - 1, "INVALID"), (NEIGHBOURS, "OK")])
    def test_many(self, elf: Driver, rich: Path, tmp_path: Path, damaged: int, status: str) -> None:
        """As many as the limit says are looked at, in their order; the rest is left to the loader."""
        names = [f"libn{i:02}.so" for i in range(NEIGHBOURS + 1)]
        (tmp_path / "empty.c").write_text("int empty;\n", encoding="utf-8")
        stub = tmp_path / "stub.so"
        support.run(*support.compiler_command(), "-shared", "-fPIC", tmp_path / "empty.c", "-o", stub)
        for name in names:
            shutil.copy(stub, tmp_path / name)
        needs = ("-Wl,--no-as-needed", f"-L{tmp_path}", *(f"-l:{name}" for name in names), "-Wl,-rpath,$ORIGIN")
        outer = ep.compiled(tmp_path, "outer.so", *needs)
        assert "OK" == elf.read(outer).status
        os.truncate(tmp_path / names[damaged], 3000)

        facts = elf.read(outer)

        assert (status, status == "INVALID") == (
            facts.status,
            f"needs {tmp_path}/{names[damaged]}: trunc" in facts.reason,
        )
