"""The mapped library and the exports of a file, played by the C program in tests/native without Python."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import support
from elf_driver import Driver, elf, func, header, source
from hosting import mapped_files

__all__ = ["elf"]

Build = Callable[..., str]

SYMBOLS = """
#define EXPORT __attribute__((visibility("default")))
#include <string.h>
EXPORT int add(int a, int b) { return a + b; }
EXPORT int variable = 1;
EXPORT const int constant = 2;
EXPORT int *const relocated = &variable;
EXPORT _Thread_local int local;
EXPORT size_t measure(const char *text) { return strlen(text); }
int hidden = 3;
static int (*choose(void))(int, int) { return add; }
EXPORT int chosen(int, int) __attribute__((ifunc("choose")));
"""
VERSIONS = """
__attribute__((visibility("default"))) int old_version(void) { return 1; }
__attribute__((visibility("default"))) int new_version(void) { return 2; }
__asm__(".symver old_version,answer@V1\\n.symver new_version,answer@@V2");
"""
EXPECTED = {
    ("add", "function", False),
    ("variable", "object", True),
    ("constant", "object", False),
    ("relocated", "object", False),
    ("local", "thread-local", True),
    ("measure", "function", False),
    ("chosen", "function", False),
}
HASHES = pytest.mark.parametrize("style", ["gnu", "sysv", "both"])


def facts(lines: list[list[str]]) -> set[tuple[str, str, bool]]:
    """Name, kind and writability of the symbols that the program printed."""
    return {(words[0], words[1], words[3] == "1") for words in lines if len(words) == 4}


@pytest.fixture
def versioned(build: Build, tmp_path: Path) -> str:
    """A library that has `answer` in two versions."""
    script = tmp_path / "script"
    script.write_text("V1 { global: answer; local: *; };\nV2 { global: answer; } V1;\n", encoding="utf-8")
    return build(VERSIONS, f"-Wl,--version-script={script}")


class TestMatches:
    """Whether the mapped library is the file that was read."""

    def test_same(self, elf: Driver, build: Build) -> None:
        """A library equals its own file."""
        path = build(source(header()))

        assert [["1", ""]] == elf.run("matches", path, path)

    def test_copy(self, elf: Driver, build: Build, tmp_path: Path) -> None:
        """A copy of it, too: the bytes count, not the path."""
        path = build(source(header()))

        assert [["1", ""]] == elf.run("matches", path, shutil.copy(path, tmp_path / "copy.so"))

    def test_other_notes(self, elf: Driver, build: Build) -> None:
        """A library of the same shape with other records does not match."""
        paths = [
            build(source(header(), func(b"f", text)), "-Wl,--build-id=none") for text in (b"int f(int)", b"int f(car)")
        ]

        ((matches, reason),) = elf.run("matches", *paths)

        assert "0" == matches
        assert "notes differ" in reason

    @pytest.mark.parametrize("other", [SYMBOLS, source(header()) + "char space[9999];"], ids=["number", "bytes"])
    def test_other_headers(self, elf: Driver, build: Build, other: str) -> None:
        """A library with more segments, or with larger ones, does not match."""
        paths = [build(text, "-Wl,--build-id=none") for text in (source(header()), other)]

        ((matches, reason),) = elf.run("matches", *paths)

        assert "0" == matches
        assert "program headers differ" in reason


class TestSymbol:
    """One symbol of the mapped library."""

    @HASHES
    def test_facts(self, elf: Driver, build: Build, style: str) -> None:
        """Kind and writability are those of the definition, RELRO being read-only, by either hash table."""
        path = build(SYMBOLS, f"-Wl,--hash-style={style}", "-Wl,-z,relro,-z,now")

        found = {entry for name, _, _ in EXPECTED for entry in facts(elf.run("lookup", path, name))}

        assert {entry for entry in EXPECTED if entry[0] != "local"} == found

    def test_size(self, elf: Driver, build: Build) -> None:
        """The size of a variable is that of its type."""
        path = build('__attribute__((visibility("default"))) char text[123];')

        assert [["text", "object", "123", "1"]] == elf.run("lookup", path, "text")

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("local", ["thread-local", "one thread only"]),
            ("strlen", ["belongs to", "merely links", "plugin_1.so"]),
            ("hidden", ["no definition", "plugin_1.so"]),
            ("absent", ["no definition", "plugin_1.so"]),
        ],
    )
    def test_refused(self, elf: Driver, build: Build, name: str, words: list[str]) -> None:
        """What is thread-local, another library's or not defined is refused by name."""
        ((verdict, reason),) = elf.run("lookup", build(SYMBOLS), name)

        assert "refused" == verdict
        assert name in reason
        for word in words:
            assert word in reason

    def test_versions(self, elf: Driver, versioned: str) -> None:
        """Of two versions of one name, the one whose address dlsym gave is found."""
        assert {("answer", "function", False)} == facts(elf.run("lookup", versioned, "answer"))


class TestExports:
    """All symbols, of the mapped library and of the file."""

    @HASHES
    @pytest.mark.parametrize("verb", ["symbols", "exports"])
    def test_all(self, elf: Driver, build: Build, style: str, verb: str) -> None:
        """Everything exported is visited once; what is hidden or undefined and linker's marks are not."""
        lines = elf.run(verb, build(SYMBOLS, f"-Wl,--hash-style={style}", "-Wl,-z,relro,-z,now"))

        assert EXPECTED == facts(lines)
        assert len(EXPECTED) == len([words for words in lines if len(words) == 4])

    @pytest.mark.parametrize("verb", ["symbols", "exports"])
    def test_versions(self, elf: Driver, versioned: str, verb: str) -> None:
        """Only the default version of a name is visited, and the names of versions are not."""
        lines = [words for words in elf.run(verb, versioned) if len(words) == 4]

        assert [["answer", "function"]] == [words[:2] for words in lines]

    def test_needed(self, elf: Driver, build: Build) -> None:
        """The libraries that the file needs are visited by name."""
        path = build(SYMBOLS, "-Wl,--no-as-needed", "-lm")

        assert "libm.so" in str([words for words in elf.run("exports", path) if words[0] == "needs"])

    def test_nothing(self, elf: Driver, build: Build) -> None:
        """A library that exports nothing has nothing to visit."""
        path = build("static int unused;", "-nostdlib")

        assert [] == elf.run("symbols", path)
        assert [] == elf.run("exports", path)

    def test_refused(self, elf: Driver, tmp_path: Path) -> None:
        """A file that is no library is refused as by the file check, and a missing one by the system."""
        (tmp_path / "text").write_text("text\n", encoding="utf-8")

        assert "text file" in str(elf.run("exports", tmp_path / "text"))
        assert "No such file" in str(elf.run("exports", tmp_path / "absent"))

    def test_libc(self, elf: Driver, build: Build) -> None:
        """The exports of a large library are those that nm lists."""
        support.need("nm")
        path = next((name for name in mapped_files() if "/libc.so" in name), None)
        if path is None:
            pytest.skip("no libc.so in this process")
        listed = {line.split()[-1] for line in support.run("nm", "-D", "--defined-only", path).splitlines()}

        found = {words[0] for words in elf.run("exports", path) if len(words) == 4}

        assert {name.split("@@")[0] for name in listed if "@@" in name and "GLIBC" not in name.split("@@")[0]} == found
