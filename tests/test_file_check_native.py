"""The file check, played by the C program in tests/native without Python: what is no library, or only half of one."""

import errno
import os
import shutil
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import support
from elf_driver import Driver, elf, header, source
from elf_patch import DT_SONAME, Patch
from hosting import mapped_files

__all__ = ["elf"]

Build = Callable[..., str]

LIBRARY = "int add(int a, int b) { return a + b; }\nint counter = 3;\n"
EI_CLASS, EI_DATA = 4, 5
E_TYPE, E_MACHINE, E_PHOFF, E_SHOFF, E_PHENTSIZE, E_PHNUM, E_SHENTSIZE = 16, 18, 32, 40, 54, 56, 58
P_TYPE, P_OFFSET, P_VADDR, P_FILESZ, P_MEMSZ = 0, 8, 16, 32, 40
PT_LOAD, PT_DYNAMIC = 1, 2

pytestmark = pytest.mark.skipif(struct.calcsize("P") != 8, reason="the patched fields are those of 64-bit files")


@pytest.fixture
def library(build: Build) -> Path:
    """A small library without a manifest."""
    return Path(build(LIBRARY, "-Wl,-soname,libsmall.so.1"))


def patch(path: Path, at: int, format: str, value: int) -> Path:
    """Overwrite one field of a file."""
    data = bytearray(path.read_bytes())
    struct.pack_into(format, data, at, value)
    path.write_bytes(data)
    return path


def segment(path: Path, kind: int) -> int:
    """Where the first program header of that type stands."""
    data = path.read_bytes()
    (start,) = struct.unpack_from("Q", data, E_PHOFF)
    size, count = struct.unpack_from("HH", data, E_PHENTSIZE)
    return next(
        at for at in range(start, start + size * count, size) if struct.unpack_from("I", data, at + P_TYPE)[0] == kind
    )


class TestAccepted:
    """Files that are libraries."""

    def test_facts(self, elf: Driver, build: Build) -> None:
        """A library's soname and build-id are those that the linker was given."""
        path = build(LIBRARY, "-Wl,-soname,libsmall.so.1", "-Wl,--build-id=0x0123456789abcdef")

        facts = elf.read(path)

        assert ("OK", "", "libsmall.so.1", "0123456789abcdef") == (
            facts.status,
            facts.reason,
            facts.soname,
            facts.build_id,
        )

    def test_neither(self, elf: Driver, build: Build) -> None:
        """A library without soname and build-id is accepted."""
        facts = elf.read(build(LIBRARY, "-Wl,--build-id=none"))

        assert ("OK", "", "") == (facts.status, facts.soname, facts.build_id)

    @pytest.mark.parametrize("linker", ["gold", "lld"])
    def test_linkers(self, elf: Driver, build: Build, linker: str) -> None:
        """What other linkers make is accepted, too."""
        support.need(f"ld.{linker}")

        assert "OK" == elf.read(build(LIBRARY, f"-fuse-ld={linker}")).status

    def test_stripped_of_sections(self, elf: Driver, library: Path) -> None:
        """A library needs no section headers, as the loader never looks at them."""
        assert "OK" == elf.read(patch(library, E_SHOFF, "Q", 0)).status

    def test_libc(self, elf: Driver) -> None:
        """A library that can be run as a program is a library: libc has an interpreter."""
        path = next((name for name in mapped_files() if "/libc.so" in name), None)
        if path is None:
            pytest.skip("no libc.so in this process")

        assert "OK" == elf.read(path).status


class TestTruncated:
    """Files whose end is missing."""

    @pytest.mark.parametrize("flags", [[], ["-s"]], ids=["plain", "stripped"])
    def test_every_length(self, elf: Driver, build: Build, flags: list[str]) -> None:
        """Every truncation of a small library is refused as invalid."""
        path = build(LIBRARY + source(header()), *flags)

        assert "OK" == elf.read(path).status
        assert [] == elf.run("truncate", path)

    def test_reason(self, elf: Driver, library: Path) -> None:
        """The reason names the part that is missing, its end and the file's."""
        os.truncate(library, 9000)

        reason = elf.read(library).reason

        assert "truncated: segment" in reason
        assert "the file at 9000" in reason

    def test_sections_only(self, elf: Driver, library: Path) -> None:
        """A file that lacks nothing but the end of its section headers is refused."""
        os.truncate(library, library.stat().st_size - 1)

        assert "truncated: the section headers" in elf.read(library).reason


class TestDamaged:
    """Files whose headers contradict themselves."""

    @pytest.mark.parametrize(
        ("at", "format", "value", "words"),
        [
            (E_TYPE, "H", 4, "core dump"),
            (E_TYPE, "H", 99, "unknown ELF type 99"),
            (E_PHNUM, "H", 0, "no program headers"),
            (E_PHNUM, "H", 1025, "1025 program headers"),
            (E_PHENTSIZE, "H", 32, "32 bytes"),
            (E_PHOFF, "Q", 2**64 - 8, "program headers"),
            (E_SHOFF, "Q", 2**64 - 8, "section headers"),
            (E_SHENTSIZE, "H", 1, "section headers"),
        ],
    )
    def test_header(self, elf: Driver, library: Path, at: int, format: str, value: int, words: str) -> None:
        """A header that cannot be true is refused with what is wrong in it."""
        facts = elf.read(patch(library, at, format, value))

        assert "INVALID" == facts.status
        assert words in facts.reason

    @pytest.mark.parametrize(
        ("kind", "field", "value", "words"),
        [
            (PT_LOAD, P_OFFSET, 2**64 - 1, "impossible size"),
            (PT_LOAD, P_FILESZ, 2**63, "truncated: segment"),
            (PT_LOAD, P_MEMSZ, 1, "larger in the file than in memory"),
            (PT_DYNAMIC, P_OFFSET, 0, "dynamic section lies outside"),
            (PT_DYNAMIC, P_VADDR, 2**40, "dynamic section lies outside"),
        ],
    )
    def test_segment(self, elf: Driver, library: Path, kind: int, field: int, value: int, words: str) -> None:
        """A segment that cannot be true is refused, also where its numbers overflow."""
        facts = elf.read(patch(library, segment(library, kind) + field, "Q", value))

        assert "INVALID" == facts.status
        assert words in facts.reason

    def test_no_dynamic(self, elf: Driver, library: Path) -> None:
        """A library without a dynamic section is refused."""
        facts = elf.read(patch(library, segment(library, PT_DYNAMIC), "I", 0))

        assert "no dynamic section" in facts.reason

    def test_soname_outside(self, elf: Driver, library: Path) -> None:
        """A soname outside the strings is refused: the loader compares it with every name that is opened later."""
        patch = Patch(library)
        patch.set(DT_SONAME, 2**64 - 1)

        assert "at byte 18446744073709551615 of" in elf.read(patch.save()).reason

    def test_every_byte(self, elf: Driver, build: Build) -> None:
        """No single wrong byte in the first kilobytes, which hold every table, makes the check itself fail."""
        elf.run("flip", build(LIBRARY + source(header()), "-Wl,-z,noseparate-code"), 1500)


class TestOtherMachine:
    """ELF files that are sound, but not for this process."""

    def test_named(self, elf: Driver, library: Path) -> None:
        """The machine that the file was built for is named."""
        facts = elf.read(patch(library, E_MACHINE, "H", 22))

        assert "INCOMPATIBLE" == facts.status
        assert "found S/390" in facts.reason

    def test_number(self, elf: Driver, library: Path) -> None:
        """A machine without a name here is told by its number."""
        assert "found machine number 4242" in elf.read(patch(library, E_MACHINE, "H", 4242)).reason

    def test_class(self, elf: Driver, library: Path) -> None:
        """The same machine's other word size is refused."""
        facts = elf.read(patch(library, EI_CLASS, "B", 1))

        assert "INCOMPATIBLE" == facts.status
        assert "expected 64-bit, found 32-bit" in facts.reason

    def test_order(self, elf: Driver, library: Path) -> None:
        """The same machine's other byte order is refused, not taken for another machine."""
        data = library.read_bytes()
        (machine,) = struct.unpack_from("H", data, E_MACHINE)
        swapped = 3 - data[EI_DATA]
        patch(library, EI_DATA, "B", swapped)

        facts = elf.read(patch(library, E_MACHINE, ">H" if swapped == 2 else "<H", machine))

        assert "INCOMPATIBLE" == facts.status
        assert "another byte order" in facts.reason


class TestOtherFormat:
    """Regular files that are no shared library."""

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"", "is empty"),
            (b"\x7fELF", "too short for an ELF header"),
            (b"import os\n", "is a text file"),
            ("größer\n".encode() * 200, "is a text file"),
            (b"/* GNU ld script */\nGROUP ( libc.so.6 )\n", "linker script"),
            (b"!<arch>\nfoo.o/", "static archive"),
            (b"MZ\x90\0", "Windows"),
            (b"\xcf\xfa\xed\xfe\x07\0\0\1", "macOS"),
            (b"\x00\x01\x02\x03", "not an ELF file"),
            (b"caf\xe9 in latin-1", "not an ELF file"),
        ],
    )
    def test_bytes(self, elf: Driver, tmp_path: Path, data: bytes, words: str) -> None:
        """What the first bytes show is said."""
        path = tmp_path / "file"
        path.write_bytes(data)

        facts = elf.read(path)

        assert "INVALID" == facts.status
        assert words in facts.reason

    @pytest.mark.parametrize(
        ("flags", "words"),
        [(["-no-pie"], "executable"), (["-pie", "-fPIE"], "executable (PIE)"), (["-c"], "object file (.o)")],
    )
    def test_linked_otherwise(self, elf: Driver, tmp_path: Path, flags: list[str], words: str) -> None:
        """An executable of either kind and an object file are named, with the flag that is missing."""
        (tmp_path / "main.c").write_text("int main(void) { return 0; }\n", encoding="utf-8")
        support.run(*support.compiler_command(), *flags, tmp_path / "main.c", "-o", tmp_path / "file")

        facts = elf.read(tmp_path / "file")

        assert "INVALID" == facts.status
        assert words in facts.reason
        assert "-shared" in facts.reason


class TestNotRegular:
    """Paths of anything but a regular file; the timeout of the program shows that none blocks."""

    def test_kinds(self, elf: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A directory, a FIFO, a socket and a device are refused at once, by name."""
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        os.mkfifo("fifo")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket")
            found = [elf.read(path) for path in (".", "fifo", "socket", "/dev/zero", "/dev/tty")]

        assert {"NOT_REGULAR"} == {facts.status for facts in found}
        for word, facts in zip(["directory", "FIFO", "socket", "device", "device"], found, strict=True):
            assert word in facts.reason

    def test_system(self, elf: Driver, tmp_path: Path) -> None:
        """What the system refuses is told by its number."""
        (tmp_path / "loop").symlink_to("loop")
        found = [elf.read(tmp_path / name).error for name in ("absent", "loop", "x" * 300)]

        assert [errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG] == found

    def test_link(self, elf: Driver, library: Path, tmp_path: Path) -> None:
        """A symbolic link and a copy are as good as the library."""
        (tmp_path / "link.so").symlink_to(library)
        shutil.copy(library, tmp_path / "copy.so")

        assert ["OK", "OK"] == [elf.read(tmp_path / name).status for name in ("link.so", "copy.so")]
