"""Texts of C that are refused, played by the C program in tests/native without Python, under the sanitizers."""

import pytest
from declare_driver import Parser, parser

__all__ = ["parser"]


class TestCalls:
    """What cannot be called or laid out is refused when it is read, by name."""

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("int printf(const char *, ...);", ["printf", "..."]),
            ("struct S { int x; }; void f(struct S s);", ['"s"', "struct S", "by value"]),
            ("struct S { int x; }; struct S f(void);", ["struct S", "by value"]),
            ("long double f(int);", ["long double", '"f"']),
            ("int f(long double x);", ["long double", '"x"']),
            ("double _Complex f(int);", ["_Complex"]),
            ("float __complex__ f(int);", ["_Complex"]),
            ("void f(va_list list);", ["va_list", '"list"']),
            ("__int128 f(void);", ["__int128"]),
            ("void f(void x);", ['"x"', "void"]),
            ("typedef int F(int); F f(void);", ['"f"']),
            ("typedef int F(int); F table[3];", ["table"]),
            ("void v;", ['"v"', "void"]),
            ("time f(void);", ['"time"', "PLUGIN_DECLARE"]),
            ("void f(unknown x);", ["unknown", "PLUGIN_DECLARE", '"x"']),
            ("unknown v;", ["unknown", "PLUGIN_DECLARE", '"v"']),
            ("_Atomic int x;", ["_Atomic"]),
            ("typeof(1) x;", ["typeof"]),
            ("short long x;", ["do not make a type"]),
            ("unsigned double x;", ["do not make a type"]),
            ("union U { int x; } *f(void);", ["union"]),
            ("typedef union { int x; } U;", ["union"]),
            ("union U f(void);", ["U", "PLUGIN_DECLARE"]),
            ("struct _Bool { int x; };", ["keyword", "_Bool"]),
            ("struct int;", ["keyword", "int"]),
            ("enum void { A };", ["keyword", "void"]),
        ],
    )
    def test_types(self, parser: Parser, text: str, words: list[str]) -> None:
        """The reason names what is wrong, and where it stands."""
        reason = parser.refuse(text)

        assert [] == [word for word in words if word not in reason], reason

    @pytest.mark.parametrize(
        ("members", "words"),
        [
            ("int x : 3;", ["bit-field", '"x"']),
            ("int n; char x[];", ["array", '"x"']),
            ("int n; char x[n];", ["array", '"x"', '"n"']),
            ("int : 3;", ["bit-field"]),
            ("union { int a; } x;", ["union"]),
            ("struct S x;", ["S", "itself"]),
            ("struct S x[2];", ["S", "itself"]),
            ("struct T x;", ["T", "PLUGIN_DECLARE"]),
            ("int x, y; long x;", ['two members "x"']),
            ("int;", ["no name"]),
            ("int f(int);", ['"f"']),
            ("char a[65536][65536][65536][65536];", ["2 GiB", '"a"']),
            ("char a[2147483647]; char b[2147483647];", ["2 GiB"]),
            ("int x plugin_count(n), n;", ["plugin_count", '"x"']),
            ("int *x plugin_count(m), n;", ['"m"']),
            ("int *x plugin_out;", ["plugin_out"]),
            ("int (*f)(int, ...);", ["..."]),
            ("int x", [";"]),
            ("long double x;", ["long double"]),
        ],
    )
    def test_structs(self, parser: Parser, members: str, words: list[str]) -> None:
        """A struct that cannot be laid out is refused for the member that is in the way."""
        reason = parser.refuse(f"struct S {{ {members} }};")

        assert [] == [word for word in words if word not in reason], reason

    @pytest.mark.parametrize(
        "attribute", ["packed", "aligned(16)", "__packed__", "mode(SI)", "vector_size(16)", "ms_abi"]
    )
    def test_attributes(self, parser: Parser, attribute: str) -> None:
        """An attribute that changes a layout or a call is refused by name, wherever it stands."""
        for text in ("struct {} S {{ int x; }};", "struct S {{ int x; }} {};", "typedef int {} T;", "int f(int) {};"):
            assert attribute.split("(")[0] in parser.refuse(text.format(f"__attribute__(({attribute}))"))

    def test_stack(self, parser: Parser) -> None:
        """Thirty-two words on the stack are passed, one more is refused with both numbers."""
        floats = ", ".join(["double"] * 40)

        assert "ok" == parser.play(("d", f"void f({floats});"))[0][0]
        reason = parser.refuse(f"void f({floats}, float x);")
        assert "33" in reason
        assert "32" in reason

    def test_parameters(self, parser: Parser) -> None:
        """More than 64 parameters are refused with the number that is allowed."""
        assert "64" in parser.refuse(f"void f({', '.join(['int'] * 65)});")


class TestWords:
    """Words of plugin where they have no meaning."""

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("void f(int *x plugin_maybe);", ['"plugin_maybe"']),
            ("plugin_frobnicate int f(void);", ['"plugin_frobnicate"']),
            ("plugin_out int f(void);", ["plugin_out", "before a result"]),
            ("plugin_owned int f(void);", ["plugin_owned", "not a pointer"]),
            ("void f(int x plugin_out);", ["plugin_out", '"x"']),
            ("void f(int x plugin_nullable);", ["plugin_nullable", '"x"']),
            ("void f(const int *x plugin_out);", ['"x"', "const"]),
            ("void f(int *x plugin_out plugin_inout);", ['"x"', "both"]),
            ("void f(int *x plugin_blocking);", ["plugin_blocking", "on a parameter"]),
            ("void f(int *x plugin_destructor);", ["plugin_destructor"]),
            ("int f(void) plugin_nullable;", ["plugin_nullable"]),
            ("int v plugin_nullable;", ["plugin_nullable", '"v"']),
            ("char *v plugin_out;", ["plugin_out", "variable"]),
            ("typedef char *s plugin_nullable;", ["plugin_nullable", "typedef"]),
            ("typedef plugin_nullable char *s;", ["plugin_nullable", "typedef"]),
            ("void f(int *x plugin_count(n));", ['"n"']),
            ("void f(int *x plugin_count(n), double n);", ['"n"', "integer"]),
            ("void f(int *x plugin_count(*n), size_t n);", ['"n"']),
            ("void f(int *x plugin_count(*n), size_t *n);", ['"n"', "plugin_inout"]),
            ("void f(int *x plugin_count(n) plugin_count(n), size_t n);", ["plugin_count"]),
            ("void f(int x[n] plugin_count(n), size_t n);", ["twice"]),
            ("void f(int *x plugin_count(1, 2, 3, 4, 5));", ["4"]),
            ("void f(int *x plugin_count(-1));", ["plugin_count"]),
            ("plugin_free() char *f(void);", ["plugin_free"]),
            ("plugin_free char *f(void);", ['"("']),
            ("void f(char *x plugin_free(g));", ["plugin_free"]),
        ],
    )
    def test_places(self, parser: Parser, text: str, words: list[str]) -> None:
        """A word at a wrong place, or one that does not exist, is refused by name."""
        reason = parser.refuse(text)

        assert [] == [word for word in words if word not in reason], reason

    @pytest.mark.parametrize(
        "text",
        [
            "__attribute__(()) char *f(void);",
            "void f(int *x __attribute__(()), int n);",
            "void f(const char *a, __attribute__(()) a_type_with_a_long_name *b);",
            "void f(int *x __attribute__ (( )) );",
        ],
    )
    def test_expanded(self, parser: Parser, text: str) -> None:
        """A word that a macro expanded is refused, whatever follows it, with the reason."""
        assert "expanded" in parser.refuse(text)


class TestConstants:
    """Constants that are none."""

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("int x[LENGTH];", ['"LENGTH"']),
            ("struct S { int x[LENGTH]; };", ['"LENGTH"']),
            ("enum E { A = LENGTH };", ['"LENGTH"']),
            ("typedef int T; enum E { A = T };", ['"T"']),
            ("enum E { A = sizeof(int) };", ['"sizeof"']),
            ("enum E { A = 1 * 2 };", ['"*"']),
            ("enum E { A = 1.5 };", ["1.5"]),
            ("enum E { A = 08 };", ["08"]),
            ("enum E { A = 0b };", ["0b"]),
            ("enum E { A = 9223372036854775808 };", ["63 bits"]),
            ("enum E { A = 99999999999999999999999 };", ["63 bits"]),
            ("enum E { A = 0x7fffffffffffffff + 1 };", ["64 bits"]),
            ("enum E { A = -0x7fffffffffffffff - 2 };", ["64 bits"]),
            ("enum E { A = -(-0x7fffffffffffffff - 1) };", ["64 bits"]),
            ("enum E { A = 1 << 63 };", ["shift"]),
            ("enum E { A = 1 << 64 };", ["shift"]),
            ("enum E { A = 1 << -1 };", ["shift"]),
            ("enum E { A = -1 >> 1 };", ["shift"]),
            ("enum E { A = 'ab' };", ["character"]),
            ("enum E { A = '\\q' };", ["character"]),
            ("enum E { A, A };", ['"A"']),
            ("int x[-1];", ["negative"]),
            ("int x[1 << 40];", ["enormous"]),
            ("int x[];", ['"x"', "length"]),
        ],
    )
    def test_constants(self, parser: Parser, text: str, words: list[str]) -> None:
        """What is no constant, or does not fit, is refused by name."""
        reason = parser.refuse(text)

        assert [] == [word for word in words if word not in reason], reason
