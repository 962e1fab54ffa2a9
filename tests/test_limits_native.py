"""Enormous and senseless texts of C, played by the C program in tests/native without Python, under the sanitizers."""

import pytest
import support
from declare_driver import Parser, Record, parser

__all__ = ["parser"]

MEGABYTE = 1 << 20


def refuse(parser: Parser, text: str) -> str:
    """The reason why a text is refused, read as declarations and as a type."""
    answers = parser.play(("d", text), ("t", text))
    assert ["no", "no"] == [answer[0] for answer in answers]
    return answers[0][1]


class TestDepth:
    """Deep nesting is refused before the stack ends."""

    @pytest.mark.parametrize("count", [1_000, 100_000])
    @pytest.mark.parametrize(
        ("opening", "middle", "closing"),
        [
            ("int ", "(", "x"),
            ("int ", "(*", "x"),
            ("int x[", "(", "1"),
            ("int x[", "-", "1"),
            ("int x[", "~+", "1"),
            ("int x", "[1]", ";"),
            ("int f(int ", "(*)(int ", ")"),
            ("", "struct {", "int x;"),
            ("int f(", "int f(", ")"),
        ],
    )
    def test_brackets(self, parser: Parser, opening: str, middle: str, closing: str, count: int) -> None:
        """Brackets of every kind, a hundred thousand deep, are refused for their depth."""
        assert "deep" in refuse(parser, opening + middle * count + closing)

    def test_stars(self, parser: Parser) -> None:
        """A pointer to a pointer to a pointer, ten thousand times, is refused for its size."""
        assert "too large" in refuse(parser, f"int {'*' * 10_000}x;")

    @pytest.mark.parametrize(
        "step", ["*T{n}", "T{n}[1]", "(*T{n})(void)", "(*T{n})(T{m})", "(*T{n})(T{m}, T{m}, T{m})"]
    )
    def test_typedefs(self, parser: Parser, step: str) -> None:
        """Typedefs of typedefs that build up an ever larger type are refused, with the time they take."""
        text = "typedef int T0; " + " ".join(f"typedef T{i - 1} {step.format(n=i, m=i - 1)};" for i in range(1, 2_000))

        assert "too large" in parser.refuse(text)

    def test_aliases(self, parser: Parser) -> None:
        """Typedefs that only rename, ten thousand of them, are no larger type."""
        text = "typedef int T0; " + " ".join(f"typedef T{i} T{i + 1};" for i in range(10_000))

        assert "int name(int)" == parser.spell("T10000 (T9999)", text)

    def test_structs(self, parser: Parser) -> None:
        """Ten thousand structs of a plugin, each inside the next, are refused for their depth; the first is fine."""
        records = [Record(support.STRUCT, "S0", "struct S0 { int x; }", 4, 4)]
        records += [Record(support.STRUCT, f"S{i}", f"struct S{i} {{ S{i - 1} x; }}", 4, 4) for i in range(1, 10_000)]

        last, first = parser.play(("s", "S9999"), ("s", "S0"), records=tuple(records))

        assert "no" == last[0]
        assert "ok" == first[0]


class TestSize:
    """Large texts."""

    def test_limit(self, parser: Parser) -> None:
        """A megabyte is read, one byte more is refused with the limit."""
        text = "int f(int);"
        text += " " * (MEGABYTE - len(text))

        assert "ok" == parser.play(("d", text))[0][0]
        assert str(MEGABYTE) in refuse(parser, text + " ")

    @pytest.mark.parametrize(
        "part",
        [
            "a ",
            "a,",
            "*",
            "int x;",
            "int f(int);",
            "/**/",
            "'a'",
            '"a"',
            "#\n",
            "[[",
            "__attribute__((",
            "enum E {",
            "\x01",
        ],
    )
    def test_repeated(self, parser: Parser, part: str) -> None:
        """A megabyte of one token is answered, without a crash or a complaint."""
        answers = parser.play(("d", part * (MEGABYTE // len(part))))

        assert answers[0][0] in ("ok", "no")

    def test_members(self, parser: Parser) -> None:
        """A struct with a hundred thousand members is refused with the limit."""
        assert "4096" in parser.refuse(f"struct S {{ {' '.join(f'int m{i};' for i in range(80_000))} }};")

    def test_enumerators(self, parser: Parser) -> None:
        """An enum with ten thousand enumerators is read."""
        text = f"enum E {{ {', '.join(f'E{i}' for i in range(10_000))} }};"

        assert "char name[9999]" == parser.spell("char x[E9999]", text)

    def test_reasons(self, parser: Parser) -> None:
        """A reason stays short, however long the names in it are."""
        name = "n" * 100_000

        for text in (
            f"{name} f(void);",
            f"void f({name} x);",
            f"int x[{name}];",
            f"plugin_{name} int f(void);",
            f"#{name}",
        ):
            assert 20 < len(refuse(parser, text)) < 1024


class TestSenseless:
    """Texts that are no C."""

    @pytest.mark.parametrize(
        "text",
        "int | int f( | int f(int | int f(int,) | int f(int)) | int x[ | struct | struct { | struct S { int x } | enum | "  # noqa: E501
        "enum { | enum E { A B }; | enum { 1 }; | typedef | ( | ) | * | ; x | = | int x = 3; | int f(void) { } | \\ | \" | "  # noqa: E501
        "' | '' | /* | / | int f(int) g | @ | extern \"C\" { int f(int); } | using T = int; | template<class T> T f(T); | "  # noqa: E501
        "int& f(int&); | int f(int x = 3); | auto f() -> int; | class C; | namespace n { } | plugin_count(n) | "
        "int f(int a b); | int 3x; | int x, f(int) y; | __attribute__(( | [[ | [[a]] | static_assert(1);".split(" | "),
    )  # fmt: skip
    def test_refused(self, parser: Parser, text: str) -> None:
        """Each is refused with a reason."""
        assert len(parser.refuse(text)) > 8

    @pytest.mark.parametrize("line", ["#define X 1", "#include <x.h>", "#pragma pack(1)", '# 1 "x.c"'])
    def test_preprocessor(self, parser: Parser, line: str) -> None:
        """A preprocessor line is refused as one, and shown."""
        reason = parser.refuse(f"int f(int);\n{line}\nint g(int);")

        assert "preprocessor" in reason
        assert line in reason

    def test_every_byte(self, parser: Parser) -> None:
        """Any character at any place of a declaration is answered without a crash or a complaint."""
        text = "int f(const struct S *x plugin_count(n), char y[A + 1]);"
        commands = [
            ("d", text[:i] + chr(code) + text[i + 1 :]) for code in range(1, 256, 3) for i in range(0, len(text), 2)
        ]

        assert len(commands) == len(parser.play(*commands))

    def test_every_length(self, parser: Parser) -> None:
        """A declaration that is cut off anywhere is answered without a crash or a complaint."""
        text = "extern \"C\" plugin_free(g) char *f(enum E { A = 'x' } e, struct S *x plugin_count(*n) /* */, size_t *n plugin_inout);"  # noqa: E501
        commands = [(letter, text[:i]) for i in range(len(text)) for letter in "dt"]

        assert len(commands) == len(parser.play(*commands))
