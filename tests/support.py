"""What the tests share that is no fixture: compiling a plugin, and reading its records without the package."""

import os
import pathlib
import platform
import shlex
import shutil
import struct
import subprocess
import sys
from typing import NamedTuple

import pytest

TESTS = pathlib.Path(__file__).parent
PLUGINS = TESTS / "plugins"

HEADER, FUNC, VAR, STRUCT, ENUM, DECLARE, DOC, INIT, DIGEST = range(0x101, 0x10A)

PT_NOTE = 4
CHAR_MIN = -128 if platform.machine() == "x86_64" else 0  # of this machine's C


class Note(NamedTuple):
    """One record, as its note holds it."""

    kind: int
    size: int
    align: int
    name: str
    text: str


def include_directory() -> str:
    """The folder of plugin.h: the installed package's, or the source tree's before it is built."""
    try:
        import plugin

        return str(plugin.get_include())
    except (ImportError, AttributeError):
        return str(TESTS.parent / "src" / "plugin" / "include")


def compiler_command(suffix: str = ".c", compiler: str | None = None) -> list[str]:
    """The compiler for a source of that suffix, as words: `compiler`, or $CXX, $CC, c++, cc."""
    if compiler is None:
        compiler = os.environ.get("CC", "cc") if suffix == ".c" else os.environ.get("CXX", "c++")
    return shlex.split(compiler)


def need(*tools: str) -> None:
    """Skip the test unless each of these commands is there."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def run(*command: object) -> str:
    """The standard output of a command; AssertionError with its standard error if it fails."""
    words = [str(word) for word in command]
    environment = dict(os.environ)
    if words[0] != sys.executable:
        environment.pop("LD_PRELOAD", None)  # a sanitizer's: compilers and their like run without it
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", env=environment)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stderr}"
    return done.stdout


def notes(path: str | os.PathLike[str]) -> list[Note]:
    """The records of a 64-bit little-endian ELF file, in its order and as often as they stand; not the digest."""
    data = pathlib.Path(path).read_bytes()
    assert data[:6] == b"\x7fELF\x02\x01", "not a 64-bit little-endian ELF file"
    offset, entry_size, count = struct.unpack_from("<32xQ14xHH", data)[0:3]
    found: list[Note] = []
    for start in range(offset, offset + entry_size * count, entry_size):
        kind, _, at, _, _, size = struct.unpack_from("<IIQQQQ", data, start)
        if kind == PT_NOTE:
            found += _segment_notes(data[at : at + size])
    return [note for note in found if note.kind != DIGEST]


def _segment_notes(segment: bytes) -> list[Note]:
    """The records among the notes of one PT_NOTE segment; other owners' notes are stepped over."""
    found: list[Note] = []
    at = 0
    while at + 12 <= len(segment):
        owner_size, size, kind = struct.unpack_from("<III", segment, at)
        start = at + 12 + _padded(owner_size)
        assert owner_size > 0, f"a hole in the notes at {at}"
        if segment[at + 12 : at + 12 + owner_size] == b"plugin\0":
            found.append(_record(kind, segment[start : start + size]))
        at = start + _padded(size)
    return found


def _record(kind: int, description: bytes) -> Note:
    size, align = struct.unpack_from("<Ii", description)
    name, text, rest = description[8:].split(b"\0")
    assert rest == b"", "bytes after the second string"
    return Note(kind, size, align, name.decode(), text.decode())


def _padded(size: int) -> int:
    return (size + 3) & ~3
