"""The C program of tests/native/test_elf.c, which plays the file check, and notes to feed it with."""

import os
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
import support

PARTS = support.TESTS.parent / "src" / "_plugin"
CHECK = ["check", "segments", "dynamic", "hashes", "slots", "relocs", "symbols", "versions", "needed"]
NOTES = ["note", "usual", "records", "ledger", "entering", "settled"]
NAMES = ["elf", "format", "digest", "symtab", "exports", "image", *NOTES, *CHECK]
SOURCES = [support.TESTS / "native" / "test_elf.c", *(PARTS / f"{name}.c" for name in NAMES)]
SMALL = ["-DNOTES_KEPT=64", "-DLEDGER_WINDOW=512", "-DLEDGER_BLOCK=64"]  # as the fuzz target: see compare_ways
FLAGS = [*SMALL, "-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror", "-g", "-O1"]
PORTABLE = ["-U__SSE2__"]  # as on other processors
WRAPPED = ["-Wl,--wrap=malloc", "-Wl,--wrap=calloc"]  # see settled_ways.h
TIMEOUT = 120  # seconds
UNDERSTAND = 0x80000000


class Facts(NamedTuple):
    """One file, as elf_read reports it."""

    status: str
    reason: str
    soname: str
    records: int
    has_init: bool
    build_id: str
    name: str
    error: int


class Driver:
    """The compiled program, and what it prints as Python values."""

    def __init__(self, folder: Path, sanitize: str) -> None:
        self.program = folder / "test_elf"
        flags = [f"-fsanitize={sanitize}", "-fno-sanitize-recover=all", *PORTABLE] if sanitize else []
        if sanitize:
            self.require(folder, flags)
        support.run(
            *support.compiler_command(), *FLAGS, *flags, "-I", PARTS, *SOURCES, "-o", self.program, "-ldl", *WRAPPED
        )

    @staticmethod
    def require(folder: Path, flags: list[str]) -> None:
        """Skip where the machine cannot run so much as an empty program under the sanitizer."""
        (folder / "empty.c").write_text("int main(void) { return 0; }\n", encoding="utf-8")
        try:
            support.run(*support.compiler_command(), *flags, folder / "empty.c", "-o", folder / "empty")
            support.run(folder / "empty")
        except AssertionError:
            pytest.skip(f"no {flags[0]} here")

    def run(self, *words: object) -> list[list[str]]:
        """The lines that the program prints, each as its fields; AssertionError if it crashes or complains."""
        done = subprocess.run(
            [str(self.program), *(str(word) for word in words)], capture_output=True, text=True, timeout=TIMEOUT
        )
        assert (0, "") == (done.returncode, done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def read(self, path: str | os.PathLike[str]) -> Facts:
        """What elf_read says of one file."""
        ((status, reason, soname, records, has_init, build_id, name, error),) = self.run("read", path)
        return Facts(status, reason, soname, int(records), has_init == "1", build_id, name, int(error))

    def records(self, path: str | os.PathLike[str]) -> list[tuple[int, int, int, str, str]]:
        """The records of a file that must be accepted: kind, size, align, name, text."""
        return [
            (int(kind, 16), int(size), int(align), name, text)
            for kind, size, align, name, text in self.run("records", path)
        ]


@pytest.fixture(scope="module", params=["", "address,undefined"], ids=["plain", "sanitized"])
def elf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """The program, as built and under the address and undefined-behaviour sanitizers."""
    return Driver(tmp_path_factory.mktemp("elf"), request.param)


def note(owner: bytes, kind: int, desc: bytes, align: int = 4) -> bytes:
    """One note of any owner, padded to `align`."""
    data = struct.pack("III", len(owner), len(desc), kind) + owner
    data += bytes(-len(data) % align) + desc
    return data + bytes(-len(data) % align)


def record(kind: int, name: bytes, text: bytes, size: int = 0, align: int = 0) -> bytes:
    """One record."""
    return note(b"plugin\0", kind, struct.pack("II", size, align) + name + b"\0" + text + b"\0")


def header(name: bytes = b"example.com/p", version: bytes = b"1.0", major: int = 1) -> bytes:
    """The record of a PLUGIN."""
    return record(support.HEADER, name, version, major << 16)


def func(name: bytes, text: bytes) -> bytes:
    """The record of a PLUGIN_FUNC."""
    return record(support.FUNC, name, text)


def source(*notes: bytes, section: str = ".note.plugin", align: int = 4) -> str:
    """C source of a library whose section holds these notes, one after the other."""
    data = ",".join(str(byte) for byte in b"".join(notes))
    return (
        f'__asm__(".pushsection {section},\\"a\\",%note\\n.balign {align}\\n.byte {data}\\n.popsection");\n'
        "int unused;\n"
    )
