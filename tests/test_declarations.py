"""Declarations: the host's for a library without a manifest, and what a plugin's records say."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import support
from elf_driver import func, header, record, source

import plugin

Build = Callable[..., str]

PLAIN = """__attribute__((visibility("default"))) int add(int a, int b) { return a + b; }
__attribute__((visibility("default"))) double half(double x) { return x / 2; }
__attribute__((visibility("default"))) int level = 3;
__attribute__((visibility("default"))) const char *title = "title";"""

LATER = """
#include <plugin.h>
PLUGIN("example.com/later{number}", "1.0");
PLUGIN_STRUCT(Item, {{ int n; }});
PLUGIN_STRUCT(Text, {{ plugin_destructor void (*close)(Text *self); }});
PLUGIN_STRUCT(Names, {{ const char *all[2][2]; }});
PLUGIN_STRUCT(Counted, {{ const char *const *all plugin_count(n, n); int n; }});
PLUGIN_VAR(const char *, names, [2][2]);
PLUGIN_FUNC({declaration}) {{ {body}; }}
PLUGIN_FUNC(int, good, (void)) {{ return 1; }}
"""
EXPORTED_F = '__attribute__((visibility("default"))) void f(void *x) { (void)x; }'
NUMBERS = itertools.count()


@pytest.fixture
def plain(build: Build) -> Any:
    """A library without a manifest, new for each test."""
    return plugin.open(build(PLAIN, name=f"plain{next(NUMBERS)}.so"))


class TestHost:
    """What the host declares of a library that declares nothing."""

    def test_untyped(self, plain: Any) -> None:
        """Before that, a call is refused with the two ways to declare it."""
        with pytest.raises(plugin.SymbolTypeError) as caught:
            plain.lookup("add")(1, 2)

        assert "declare(" in str(caught.value)
        assert 'lookup("add", ' in str(caught.value)

    def test_open(self, build: Build) -> None:
        """open takes declarations, and unites them with others when the plugin is open already."""
        path = build(PLAIN)
        p = plugin.open(path, declare="int add(int a, int b);")

        assert p is plugin.open(path, declare="double half(double x); int level;")
        assert (3, 1.5, 3) == (p.lookup("add")(1, 2), p.lookup("half")(3), p.lookup("level").value)

    def test_open_fails(self, build: Build) -> None:
        """An open whose declarations are refused can be repeated with better ones."""
        path = build(PLAIN)

        with pytest.raises(plugin.DeclarationError):
            plugin.open(path, declare="int add(int a, unknown b);")
        assert 3 == plugin.open(path, declare="int add(int a, int b);").lookup("add")(1, 2)

    def test_all_or_nothing(self, plain: Any) -> None:
        """A text whose end is refused declares nothing; the error names the library and the reason."""
        with pytest.raises(plugin.DeclarationError) as caught:
            plain.declare("int add(int a, int b); double half(unknown x);")

        assert plain.path in str(caught.value)
        assert "unknown" in str(caught.value)
        assert plain.symbols["add"].declaration is None

    def test_contradiction(self, plain: Any) -> None:
        """A contradiction shows both sides, and leaves the first; the same again is accepted."""
        plain.declare("int add(int a, int b);")
        with pytest.raises(plugin.DeclarationError) as caught:
            plain.declare("long add(long a, long b);")

        assert "int add(int a, int b)" in str(caught.value)
        assert "long add(long a, long b)" in str(caught.value)
        plain.declare("extern int add(int x, int y);")
        assert 3 == plain.lookup("add")(a=1, b=2)

    def test_one(self, plain: Any) -> None:
        """C text in lookup and as_type types one symbol; the same question has the same answer."""
        add = plain.lookup("add", "int (int, int)")

        assert 3 == add(1, 2) == plain.symbols["add"].as_type("int add(int a, int b);")(b=2, a=1)
        assert add is plain.lookup("add", "int (int, int)")
        assert "title" == plain.lookup("title", "const char *").value

    def test_checked(self, plain: Any) -> None:
        """Against a declaration, C text is checked, and both sides are shown."""
        plain.declare("int add(int a, int b);")

        assert 3 == plain.lookup("add", "int (int, int)")(1, 2)
        with pytest.raises(plugin.SymbolTypeError) as caught:
            plain.lookup("add", "long (long, long)")
        assert "int add(int a, int b)" in str(caught.value)
        assert "long (long, long)" in str(caught.value)

    def test_typedefs(self, plain: Any) -> None:
        """Typedefs of typedefs, and constants, serve later declarations and types."""
        plain.declare("typedef int number; typedef number *numbers; enum { TWO = 1 << 1 };")
        plain.declare("number add(number a, number b); typedef number pair[TWO];")

        assert 3 == plain.lookup("add", "int (int, number)")(1, 2)
        assert 3 == plain.lookup("level", "number").value

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("int add;", ["add", "function"]),
            ("int level(void);", ["level"]),
            ("long level;", ["level", "8", "4"]),
            ("char level;", ["level", "1", "4"]),
        ],
    )
    def test_file_knows_better(self, plain: Any, text: str, words: list[str]) -> None:
        """What the file says of a symbol's kind and size is believed, and the declaration refused."""
        plain.declare(text)

        with pytest.raises(plugin.DeclarationError) as caught:
            plain.lookup(words[0])
        assert [] == [word for word in words if word not in str(caught.value)], str(caught.value)

    @pytest.mark.parametrize("wrong", [5, b"int add(int, int);", None, ["int x;"]])
    def test_no_text(self, plain: Any, wrong: Any) -> None:
        """What is no str is a TypeError."""
        with pytest.raises(TypeError):
            plain.declare(wrong)

    @pytest.mark.parametrize("wrong", ["int add(int, int)\0;", "int add(\udc80);"])
    def test_no_c(self, plain: Any, wrong: str) -> None:
        """A NUL or a lone surrogate in a text is a ValueError."""
        with pytest.raises(ValueError):
            plain.declare(wrong)

    def test_other_name(self, plain: Any) -> None:
        """C text for one symbol cannot declare another."""
        with pytest.raises(plugin.DeclarationError) as caught:
            plain.lookup("add", "int subtract(int, int)")

        assert "subtract" in str(caught.value)


class TestLater:
    """What this version does not do yet is refused by name when it is looked up."""

    @pytest.mark.parametrize(
        ("declaration", "body", "words"),
        [
            ("void, f, (Item *x plugin_out)", "(void)x", ['"x"', "numbers and pointers"]),
            ("void, f, (Item **x plugin_inout)", "(void)x", ['"x"', "plugin_inout"]),
            (
                "plugin_owned Text *, f, (Text **x plugin_out plugin_owned)",
                "*x = NULL; return NULL",
                ['"x"', "second owned result"],
            ),
            ("void, f, (Item *x plugin_out plugin_count(n), size_t n)", "(void)x; (void)n", ['"x"', "room"]),
            ("void, f, (void (*call)(void (*inner)(int)))", "(void)call", ['"call"', '"inner"', "function pointer"]),
            ("void, f, (void (*call)(int *x plugin_out))", "(void)call", ['"call"', '"x"', "results by pointer"]),
            (
                "void, f, (void (*call)(int *x plugin_count(*n), size_t *n plugin_inout))",
                "(void)call",
                ['"call"', "lengths"],
            ),
            ("void, f, (plugin_owned Item *(*call)(int))", "(void)call", ['"call"', "hands over"]),
            ("void, f, (char *x plugin_owned)", "(void)x", ['"x"', "taken over"]),
            ("void, f, (double *const *x plugin_count(n), size_t n)", "(void)x; (void)n", ['"x"', "arrays of such"]),
            ("void, f, (Names *x)", "(void)x", ['"all"', "pointers"]),
            ("void, f, (Counted *x)", "(void)x", ['"all"', "2 dimensions"]),
            ("int *, f, (void)", "return NULL", ["int *"]),
            ("plugin_owned Item *, f, (void)", "return NULL", ["plugin_destructor", "Item *"]),
            ("plugin_destructor void, f, (int x)", "(void)x", ["plugin_destructor"]),
        ],
    )
    def test_refused(self, build: Build, declaration: str, body: str, words: list[str]) -> None:
        """The error names word or parameter, function and plugin; the plugin's other functions work."""
        p = plugin.open(build(LATER.format(number=next(NUMBERS), declaration=declaration, body=body)))

        with pytest.raises(plugin.DeclarationError) as caught:
            p.lookup("f")
        assert [] == [word for word in ["f of example.com/later", *words] if word not in str(caught.value)], str(
            caught.value
        )
        assert 1 == p.lookup("good")()

    def test_variable(self, build: Build) -> None:
        """So does the error for a variable."""
        p = plugin.open(build(LATER.format(number=next(NUMBERS), declaration="void, f, (void)", body="")))

        with pytest.raises(plugin.DeclarationError) as caught:
            p.lookup("names")
        assert "variables of the type of" in str(caught.value)
        assert "names" in str(caught.value)
        assert 1 == p.lookup("good")()


class TestRecords:
    """What a plugin's own records say."""

    def test_any_order(self, build: Build) -> None:
        """Typedefs, constants and structs mean the same in whatever order the compiler left the records."""
        records = [
            record(support.DECLARE, b"", b"typedef float sample_t;"),
            record(support.DECLARE, b"", b"typedef const sample_t *samples; typedef sample_t block[WIDTH];"),
            record(support.ENUM, b"Size", b"enum Size { WIDTH = 1 << 1 }", 4, 4),
            func(b"f", b"float f(samples x plugin_count(n), size_t n, block y)"),
        ]
        code = '__attribute__((visibility("default"))) float f(const float *x, unsigned long n, float *y) '
        code += "{ return x[n - 1] + y[1]; }"
        for order in itertools.permutations(records):
            name = f"example.com/order{next(NUMBERS)}".encode()
            p = plugin.open(build(source(header(name), *order) + code))

            f = p.lookup("f", "float (const float *, size_t, float *)")
            assert 7.0 == f(
                memoryview(bytearray(8)).cast("f"), memoryview(bytearray(b"\0\0\0\0\0\0\xe0\x40")).cast("f")
            )

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            (record(support.STRUCT, b"S", b"struct S { int x; }", 8, 4), ["8 bytes", "4 aligned to 4"]),
            (record(support.STRUCT, b"S", b"struct S { int x; }", 4, 8), ["4 bytes aligned to 8"]),
            (record(support.STRUCT, b"S", b"struct T { int x; }", 4, 4), ['"S"', "another name"]),
        ],
    )
    def test_struct_layout(self, build: Build, wrong: bytes, words: list[str]) -> None:
        """A struct whose compiled layout is not the declared one is refused, with both."""
        name = f"example.com/layout{next(NUMBERS)}".encode()
        p = plugin.open(build(source(header(name), wrong, func(b"f", b"void f(S *x)")) + EXPORTED_F))

        with pytest.raises(plugin.DeclarationError) as caught:
            p.lookup("f")
        assert [] == [word for word in words if word not in str(caught.value)], str(caught.value)

    @pytest.mark.parametrize(("size", "align"), [(8, 8), (2, 4), (4, 2)])
    def test_variable_size(self, build: Build, size: int, align: int) -> None:
        """A variable that the compiler made of another size is refused."""
        name = f"example.com/size{next(NUMBERS)}".encode()
        wrong = record(support.VAR, b"v", b"int v", size, align)
        p = plugin.open(build(source(header(name), wrong) + '__attribute__((visibility("default"))) int v = 3;'))

        with pytest.raises(plugin.DeclarationError) as caught:
            p.lookup("v")
        assert f"{size} bytes aligned to {align}" in str(caught.value)
