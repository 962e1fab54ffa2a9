"""Plugins whose records are wrong: what is refused when the file is opened, and what at its own lookup only."""

import pathlib
import re
import struct

import pytest
from hosting import manifest, mapped_files, unique

import plugin

FUNC, VAR, STRUCT, DECLARE, INIT = 0x102, 0x103, 0x104, 0x106, 0x108
ANSWER = "PLUGIN_FUNC(int, answer, (void)) { return 42; }"
RAN = "__attribute__((constructor)) static void ran(void) { __builtin_trap(); }\n"  # code that must never run


def record(kind, name, text, size=0, align=0):
    """The C source of a record, as no macro of plugin.h would write it."""
    return f'PLUGIN_RECORD_(0x{kind:x}, {size}, {align}, "{name}", "{text}");\n'


def refused(path, kind, *parts):
    """The error of plugin.open(path): of that class, with all of `parts`, and the library is not loaded."""
    with pytest.raises(kind) as caught:
        plugin.open(path)
    error = caught.value
    assert kind is type(error)
    assert "read" == error.phase
    for part in (path, *parts):
        assert part in str(error)
    assert path not in mapped_files()
    return error


def note(kind, description, owner=b"plugin\0"):
    """One ELF note as bytes."""
    pad = lambda data: data + bytes(-len(data) % 4)  # noqa: E731
    return struct.pack("<III", len(owner), len(description), kind) + pad(owner) + pad(description)


class TestHeader:
    """The record of PLUGIN."""

    def test_missing(self, build):
        """Declarations without PLUGIN are refused, and the error names the macro."""
        path = build("#include <plugin.h>\n" + RAN + ANSWER)

        refused(path, plugin.InvalidPluginError, "PLUGIN(name, version)")

    def test_two(self, build):
        """Two PLUGINs that the linker let through are refused, both shown."""
        one, two = unique(), unique()
        path = build(manifest(RAN + record(0x101, two, "2", 1 << 16), one))

        refused(path, plugin.InvalidPluginError, one, two)

    def test_two_files(self, build, tmp_path):
        """A second PLUGIN in another file of a plugin does not link, and the linker's words tell why."""
        (tmp_path / "second.c").write_text(manifest())

        with pytest.raises(AssertionError, match="PLUGIN_stands_in_more_than_one_file"):
            build(manifest(), tmp_path / "second.c")

    @pytest.mark.parametrize("major", [0, 2, 7, 0xFFFF])
    def test_other_major(self, build, major):
        """Another major number of the ABI is incompatible: `different version`, with both numbers."""
        path = build(f"#include <plugin.h>\n{RAN}" + record(0x101, unique(), "1", major << 16))

        error = refused(path, plugin.IncompatiblePluginError, "different version", "expected 1", f"found {major}")

        assert 1 == len(error.differences)

    def test_other_minor(self, build):
        """Another minor number is compatible: it only grows when something is added."""
        path = build("#include <plugin.h>\n" + record(0x101, unique(), "1", 1 << 16 | 99) + ANSWER)

        assert 42 == plugin.open(path).lookup("answer")()

    def test_empty_name(self, build):
        """An empty plugin name is refused."""
        path = build("#include <plugin.h>\n" + RAN + 'PLUGIN("", "1");\n')

        refused(path, plugin.InvalidPluginError, "name is empty")

    def test_empty_version(self, build):
        """An empty version is allowed: it is any text."""
        assert "" == plugin.open(build(manifest(version=""))).version


class TestKinds:
    """Kinds of records that this version does not know."""

    def test_must_understand(self, build):
        """An unknown record that must be understood makes the plugin incompatible, and its number is told."""
        path = build(manifest(RAN + record(0x800001F0, "x", "y")))

        refused(path, plugin.IncompatiblePluginError, "newer version", "0x1f0")

    def test_skipped(self, build):
        """Any other unknown record is skipped, whatever is in it."""
        raw = 'PLUGIN_RECORD_(0x1f0, 1, 2, "\\xff\\xff", "");\n'

        assert 42 == plugin.open(build(manifest(raw + ANSWER))).lookup("answer")()

    def test_known_must_understand(self, build):
        """A known record that must be understood counts as what it is."""
        source = 'int hidden(void); __attribute__((visibility("default"))) int hidden(void) { return 3; }\n'
        source += record(0x80000000 | FUNC, "hidden", "int hidden(void)")

        assert 3 == plugin.open(build(manifest(source))).lookup("hidden")()


class TestPairs:
    """Two records of one name."""

    def test_equal(self, build):
        """Equal records, as of a header that is included twice, count once."""
        source = ANSWER + record(FUNC, "answer", "int answer(void)") * 3
        p = plugin.open(build(manifest(source)))

        assert ["answer"] == list(p.symbols)
        assert 42 == p.lookup("answer")()

    @pytest.mark.parametrize(
        ("kind", "name", "one", "two"),
        [
            (FUNC, "f", "int f(void)", "long f(int)"),
            (VAR, "v", "int v", "double v"),
            (STRUCT, "S", "struct S { int a; }", "struct S { int b; }"),
        ],
    )
    def test_different(self, build, kind, name, one, two):
        """Two different records of one name are refused, both shown."""
        path = build(manifest(RAN + record(kind, name, one, 4, 4) + record(kind, name, two, 4, 4)))

        refused(path, plugin.InvalidPluginError, one, two)

    def test_different_sizes(self, build):
        """One text that was compiled to two sizes is refused, both shown."""
        text = "struct S { long a; }"
        path = build(manifest(RAN + record(STRUCT, "S", text, 8, 8) + record(STRUCT, "S", text, 4, 4)))

        refused(path, plugin.InvalidPluginError, "S", "size 8", "size 4")

    def test_names_of_records(self, build):
        """A function whose name is that of a record's kind, and a struct of a function's name, are no pairs."""
        source = "PLUGIN_STRUCT(header, {int x;}); PLUGIN_FUNC(int, struct_S, (void)) { return 1; }"
        source += "PLUGIN_FUNC(int, init, (void)) { return 2; }"
        p = plugin.open(build(manifest(source)))

        assert (1, 2) == (p.lookup("struct_S")(), p.lookup("init")())


class TestMalformed:
    """Notes that are damaged."""

    @pytest.mark.parametrize(
        ("description", "said"),
        [
            (b"", "damaged"),
            (b"\0" * 7, "damaged"),
            (b"\0" * 8, "damaged"),
            (b"\0" * 8 + b"name\0", "two strings"),
            (b"\0" * 8 + b"name\0text", "two strings"),
            (b"\0" * 8 + b"name\0te\0xt\0", "two strings"),
            (b"\0" * 8 + b"name\0t\xe9xt\0", "UTF-8"),
            (b"\0" * 8 + b"n\xc3\0text\0", "UTF-8"),
            (b"\0" * 8 + b"\0text\0", "no name"),
        ],
    )
    def test_description(self, build, tmp_path, description, said):
        """A record that does not consist of numbers and two strings of UTF-8 is refused, and its kind is told."""
        path = self.build_note(build, tmp_path, note(FUNC, description))

        refused(path, plugin.InvalidPluginError, "function record", said)

    def test_beyond_the_segment(self, build, tmp_path):
        """A record that says that it is longer than its segment is refused."""
        path = self.build_note(build, tmp_path, struct.pack("<III", 7, 0xFFFFFFF0, FUNC) + b"plugin\0\0")

        refused(path, plugin.InvalidPluginError, "damaged")

    def test_of_others(self, build, tmp_path):
        """Notes of other owners may be as damaged as they like."""
        path = self.build_note(build, tmp_path, struct.pack("<III", 4, 0xFFFFFFF0, 1) + b"GNU\0" + b"\xff" * 64)

        assert 42 == plugin.open(path).lookup("answer")()

    def build_note(self, build, folder, data):
        """A plugin with these bytes as a note of its own among the others; it may be opened once."""
        (folder / "note.bin").write_bytes(data)
        section = f'.section .note.extra,\\"a\\",%note\\n.balign 4\\n.incbin \\"{folder}/note.bin\\"\\n.balign 4'
        return build(manifest(ANSWER) + f'__asm__("{section}\\n.previous");\n')


class TestOwnLookup:
    """Declarations that are not understood fail their own lookup, not the plugin's opening."""

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("int odd(void) plugin_frobnicate", ["plugin_frobnicate", "version"]),
            ("plugin_frobnicate(7) int odd(void)", ["plugin_frobnicate", "version"]),
            ("int odd(struct)", []),
            ("int odd(", []),
            ("int odd(unknown_t x)", ["unknown_t", "PLUGIN_DECLARE"]),
            ("int odd(const char *format, ...)", ["..."]),
            ("long double odd(void)", ["long double"]),
            ("int odd(int x __attribute__(()))", []),
            ("int other(void)", ["other"]),
            ("int odd", ["odd"]),
            ("", []),
        ],
    )
    def test_function(self, build, text, parts):
        """What cannot be understood or called is refused by name at its own lookup; its neighbour is callable."""
        code = 'int odd(void); __attribute__((visibility("default"))) int odd(void) { __builtin_trap(); }\n'
        p = plugin.open(build(manifest(ANSWER + code + record(FUNC, "odd", text))))

        for _ in range(2):
            with pytest.raises(plugin.DeclarationError) as caught:
                p.lookup("odd")
            for part in ("odd", p.name, *parts):
                assert part in str(caught.value)
        assert 42 == p.lookup("answer")()
        assert "odd" in p.symbols

    def test_expanded_words(self, build):
        """Words that a macro of the author's own expanded before they were stored are refused, saying so."""
        source = "#define MY_FUNC(result, name, parameters) PLUGIN_FUNC(result, name, parameters)\n"
        source += "MY_FUNC(int, total, (const int *x plugin_count(n), int n)) { return x[n - 1]; }\n"
        p = plugin.open(build(manifest(source + ANSWER)))

        with pytest.raises(plugin.DeclarationError) as caught:
            p.lookup("total")

        assert "total" in str(caught.value)
        assert re.search("macro|expanded", str(caught.value))
        assert 42 == p.lookup("answer")()

    def test_expanded_nothing(self, build):
        """A macro of the author's own around a prototype without words is fine."""
        source = "#define MY_FUNC(result, name, parameters) PLUGIN_FUNC(result, name, parameters)\n"

        assert 3 == plugin.open(build(manifest(source + "MY_FUNC(int, f, (int x)) { return x; }"))).lookup("f")(3)

    def test_sizes_differ(self, build):
        """A variable whose size by its declaration is not that of the plugin's compiler is refused."""
        source = "int v; int w; " + record(VAR, "v", "int v", 8, 8) + record(VAR, "w", "int w", 4, 4)
        p = plugin.open(build(manifest(source), "-fvisibility=default"))

        with pytest.raises(plugin.DeclarationError) as caught:
            p.lookup("v")
        assert "8 bytes" in str(caught.value)
        assert 0 == p.lookup("w").value

    def test_struct(self, build):
        """A struct that cannot be laid out fails the functions that use it, and no others."""
        source = "PLUGIN_STRUCT(Odd, { int a : 3; }); PLUGIN_FUNC(Odd *, get, (void)) { return 0; }"
        p = plugin.open(build(manifest(source + ANSWER)))

        with pytest.raises(plugin.DeclarationError) as caught:
            p.lookup("get")
        assert "Odd" in str(caught.value)
        assert 42 == p.lookup("answer")()

    @pytest.mark.parametrize("odd", ["__int128", "plugin_frobnicate int", "%"])
    def test_declare(self, build, odd):
        """A PLUGIN_DECLARE that is not understood fails what needs it, telling why, and no others."""
        source = record(DECLARE, "", f"typedef {odd} wide;") + record(FUNC, "odd", "int odd(wide x)") + ANSWER
        p = plugin.open(build(manifest(source)))

        with pytest.raises(plugin.DeclarationError) as caught:
            p.lookup("odd")
        assert odd.split()[0] in str(caught.value)
        assert 42 == p.lookup("answer")()

    def test_text_shows(self, build, tmp_path):
        """inspect shows a record that lookup refuses, as it was written."""
        path = build(manifest(record(FUNC, "odd", "plugin_frobnicate int odd(void)")))

        assert "plugin_frobnicate int odd(void)" in [item.text for item in plugin.inspect(pathlib.Path(path)).records]
