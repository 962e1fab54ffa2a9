"""Notes to records, played by the C program in tests/native without Python."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import support
from elf_driver import UNDERSTAND, Driver, elf, func, header, note, record, source

__all__ = ["elf"]

Build = Callable[..., str]

ADD = func(b"add", b"int add(int a, int b)")


class TestRecords:
    """Records as a plugin's author makes them."""

    def test_header_file(self, elf: Driver, build: Build) -> None:
        """Every record of plugin.h is found, in the order of the file, with what the compiler stored."""
        path = build(Path("everything.c"))

        assert [tuple(note) for note in support.notes(path)] == elf.records(path)
        assert ("OK", True) == (elf.read(path).status, elf.read(path).has_init)

    @pytest.mark.parametrize("linker", ["gold", "lld"])
    def test_linkers(self, elf: Driver, build: Build, linker: str) -> None:
        """Other linkers lose none."""
        support.need(f"ld.{linker}")

        found = elf.records(build(Path("everything.c"), f"-fuse-ld={linker}"))

        assert sorted(elf.records(build(Path("everything.c")))) == sorted(found)

    def test_without(self, elf: Driver, build: Build) -> None:
        """A library without records has none, and no name."""
        facts = elf.read(build("int unused;"))

        assert ("OK", 0, "") == (facts.status, facts.records, facts.name)

    def test_many(self, elf: Driver, build: Build) -> None:
        """Of 3,000 functions each one is found by its name."""
        many = [func(b"f%d" % i, b"int f%d(int x)" % i) for i in range(3000)]

        assert 3001 == elf.read(build(source(header(), *many))).records

    def test_lengths(self, elf: Driver, build: Build) -> None:
        """Names and texts of every small length, ASCII or not, are found by name."""
        names = [b"n" * i for i in range(1, 40)] + ["é".encode() * i for i in range(1, 40)]
        many = [func(name, b"t" * i) for i, name in enumerate(names)]

        found = elf.records(build(source(header(), *many)))

        assert [name.decode() for name in names] == [name for _, _, _, name, _ in found[1:]]

    @pytest.mark.parametrize("size", [15, 16, 17, 63, 64, 65, 127, 128, 129])
    def test_usual(self, elf: Driver, build: Build, size: int) -> None:
        """Wherever a name ends among so many bytes, and whatever is not ASCII: each is found."""
        texts = {}
        for i in range(1, size - 2):
            texts[b"%d" % i + b"n" * (i - len(b"%d" % i))] = b"t" * (size - 2 - i)
            texts["é".encode() + b"%d" % i] = b"t" * (size - i)
            texts[b"odd%d" % i] = b"t" * i + "é".encode() + b"t" * (size - i)

        found = elf.records(build(source(header(), *(func(name, text) for name, text in texts.items()))))

        assert [(name.decode(), text.decode()) for name, text in texts.items()] == [x[3:] for x in found[1:]]

    @pytest.mark.parametrize("size", [20, 60, 64, 65, 130, 200])
    @pytest.mark.parametrize("place", [0, 0.3, 0.99])
    def test_damage(self, elf: Driver, build: Build, size: int, place: float) -> None:
        """A NUL too many, none at the end, what is not UTF-8: damage wherever it stands, among many that are sound."""
        many = [func(b"f%d" % i, b"int f%d(int x)" % i) for i in range(50)]
        text, name = b"t" * size, b"n" * (1 + int(place * size))
        at = int(place * size)
        strings = "a function record is damaged: it does not consist of two strings (a NUL in one?)"
        bad = {
            func(b"bad", text[:at] + b"\0" + text[at + 1 :]): strings,
            note(b"plugin\0", support.FUNC, bytes(8) + name + b"\0" + text): strings,
            note(b"plugin\0", support.FUNC, bytes(8) + name + text + b"\0"): strings,
            note(b"plugin\0", support.FUNC, bytes(8) + name + b"\0" + text + b"\0t"): strings,
            func(b"bad", text[:at] + b"\xff" + text[at + 1 :]): "a function record is not valid UTF-8",
            func(name[:at] + b"\xff", text): "a function record is not valid UTF-8",
        }

        for damaged, reason in bad.items():
            facts = elf.read(build(source(header(), *many, damaged, *many)))

            assert ("INVALID", True) == (facts.status, reason in facts.reason)


class TestRepeated:
    """Records that stand in the file more than once."""

    def test_equal(self, elf: Driver, build: Build) -> None:
        """Equal records count once, headers too."""
        path = build(source(header(), ADD, header(), ADD, ADD))

        assert ["example.com/p", "add"] == [name for _, _, _, name, _ in elf.records(path)]

    def test_declarations(self, elf: Driver, build: Build) -> None:
        """Declarations have no name: equal texts count once, different ones all stay."""
        a, b = (record(support.DECLARE, b"", text) for text in (b"typedef int a;", b"typedef int b;"))

        found = elf.records(build(source(header(), a, b, a)))

        assert ["typedef int a;", "typedef int b;"] == [text for _, _, _, _, text in found[1:]]

    def test_kinds(self, elf: Driver, build: Build) -> None:
        """Records of different kinds may share a name."""
        path = build(source(header(), ADD, record(support.DOC, b"add", b"Adds."), record(support.VAR, b"x", b"int x")))

        assert 4 == elf.read(path).records

    def test_contradiction(self, elf: Driver, build: Build) -> None:
        """Two different declarations of one name are refused, both shown."""
        facts = elf.read(build(source(header(), ADD, func(b"add", b"long add(long a)"))))

        assert "INVALID" == facts.status
        assert "`int add(int a, int b)`" in facts.reason
        assert "`long add(long a)`" in facts.reason

    def test_long_contradiction(self, elf: Driver, build: Build) -> None:
        """Texts too long to be shown are both cut, at a whole character."""
        texts = [("é" * 4000 + end).encode() for end in "ab"]

        facts = elf.read(build(source(header(), *(func(b"long", text) for text in texts))))

        assert "` and `é" in facts.reason
        assert facts.reason.endswith("é`")

    def test_layout(self, elf: Driver, build: Build) -> None:
        """One struct that was compiled in two layouts is refused, with both."""
        structs = [record(support.STRUCT, b"S", b"struct S { long x; }", size, size) for size in (4, 8)]

        reason = elf.read(build(source(header(), *structs))).reason

        assert "size 4" in reason
        assert "size 8" in reason

    def test_two_plugins(self, elf: Driver, build: Build) -> None:
        """Two PLUGINs that differ are refused, both named."""
        facts = elf.read(build(source(header(b"one"), header(b"two", b"2.0"))))

        assert "INVALID" == facts.status
        assert "one 1.0 and two 2.0" in facts.reason


class TestRefused:
    """Records that cannot be understood."""

    def test_abi(self, elf: Driver, build: Build) -> None:
        """Another ABI is incompatible, whatever else this version makes of the records before the header."""
        damaged = note(b"plugin\0", support.FUNC, b"short")

        facts = elf.read(build(source(damaged, record(UNDERSTAND | 0x1FF, b"", b""), header(major=2))))

        assert "INCOMPATIBLE" == facts.status
        assert "expected 1, found 2" in facts.reason

    def test_must_understand(self, elf: Driver, build: Build) -> None:
        """A record of unknown kind that must be understood asks for a newer version."""
        facts = elf.read(build(source(header(), record(UNDERSTAND | 0x1FF, b"x", b"y"))))

        assert "INCOMPATIBLE" == facts.status
        assert "newer version of plugin" in facts.reason

    def test_may_skip(self, elf: Driver, build: Build) -> None:
        """Another record of unknown kind is skipped, whatever it holds."""
        assert 1 == elf.read(build(source(header(), note(b"plugin\0", 0x1FF, b"\xff")))).records

    def test_overlong(self, elf: Driver, build: Build) -> None:
        """One that is longer than its segment hides what follows, however the notes are read."""
        overlong = struct.pack("III", 7, 2**20, 0x1FF) + b"plugin\0\0"

        assert 2 == elf.read(build(source(header(), ADD, overlong, bytes(2000), func(b"sub", b"int sub(int)")))).records

    def test_known_must(self, elf: Driver, build: Build) -> None:
        """A known kind is understood, also where it must be."""
        path = build(source(header(), record(UNDERSTAND | support.FUNC, b"f", b"void f(void)")))

        assert (support.FUNC, 0, 0, "f", "void f(void)") == elf.records(path)[1]

    def test_no_plugin(self, elf: Driver, build: Build) -> None:
        """Records without a header are refused, naming the macro that is missing."""
        assert "PLUGIN(name, version)" in elf.read(build(source(ADD))).reason

    @pytest.mark.parametrize(
        ("damaged", "words"),
        [
            (header(b""), "name is empty"),
            (func(b"", b"int f(void)"), "no name"),
            (func(b"f\xff", b"int f(void)"), "not valid UTF-8"),
            (func(b"f", b"int f(void) // \xed\xa0\x80"), "not valid UTF-8"),
            (func(b"f", b"nul\0inside the text"), "two strings"),
            (note(b"plugin\0", support.FUNC, b"12345678f\0unended"), "two strings"),
            (note(b"plugin\0", support.FUNC, b"12345678nothing"), "two strings"),
            (note(b"plugin\0", support.FUNC, b"12345678\0"), "9 bytes"),
            (note(b"plugin\0", support.FUNC, b""), "0 bytes"),
            (struct.pack("III", 7, 2**32 - 1, support.FUNC) + b"plugin\0\0", "4294967295 bytes"),
        ],
    )
    def test_damaged(self, elf: Driver, build: Build, damaged: bytes, words: str) -> None:
        """A damaged record of ours is refused with what is wrong."""
        facts = elf.read(build(source(header(b"sound"), damaged) if b"PLUGIN" not in damaged else source(damaged)))

        assert "INVALID" == facts.status
        assert words in facts.reason


class TestOtherOwners:
    """Notes that are not ours."""

    @pytest.mark.parametrize("align", [4, 8, 16])
    def test_mixed(self, elf: Driver, build: Build, align: int) -> None:
        """Records among the notes of others are found, in segments of any alignment."""
        others = [note(b"GNU\0", 5, bytes(12), min(align, 8)), note(b"Xen\0", 6, b"abc", min(align, 8))]
        path = build(source(others[0], header(), others[1], ADD, *others, align=align))

        assert ["example.com/p", "add"] == [name for _, _, _, name, _ in elf.records(path)]

    @pytest.mark.parametrize(
        "foreign",
        [
            struct.pack("III", 2**32 - 1, 2**32 - 1, 5) + b"GNU\0",
            b"X" * 64,
            bytes(64),
            struct.pack("III", 4, 2**31, 3) + b"GNU\0",
        ],
        ids=["sizes", "letters", "zeros", "build-id"],
    )
    def test_damaged(self, elf: Driver, build: Build, foreign: bytes) -> None:
        """A damaged note of another owner hides no record behind it."""
        path = build(source(foreign, header(), foreign, ADD))

        assert ["example.com/p", "add"] == [name for _, _, _, name, _ in elf.records(path)]

    def test_segments(self, elf: Driver, build: Build) -> None:
        """Records in several segments are joined."""
        other = source(ADD, section=".note.other", align=8).replace("unused", "second")
        path = build(source(header()) + other)

        assert {"example.com/p", "add"} == {name for _, _, _, name, _ in elf.records(path)}
