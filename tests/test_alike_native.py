"""Functions whose declarations differ in their names alone, played without Python: read once, and never mixed up."""

from pathlib import Path

import pytest
import support
from declare_driver import Parser, Record, parser

__all__ = ["parser"]


def function(name: str, text: str) -> Record:
    """The record of a PLUGIN_FUNC."""
    return Record(support.FUNC, name, text)


def pair(text: str) -> tuple[Record, Record]:
    """Two functions, a and b, of that declaration, in which @ stands for the name."""
    return function("a", text.replace("@", "a")), function("b", text.replace("@", "b"))


class TestShared:
    """What is read once."""

    def test_memory(self, tmp_path: Path) -> None:
        """A hundred functions more take next to no memory; of other parameters, they do."""
        parser = Parser(tmp_path, sanitize=False)
        alike = tuple(function(f"f{i}", f"double f{i}(const double *x plugin_count(n), size_t n)") for i in range(102))
        other = tuple(
            function(f"f{i}", f"double f{i}(const double *x{i} plugin_count(n), size_t n)") for i in range(102)
        )
        reads = [("f", f"f{i}") for i in range(102)]

        def taken(records: tuple[Record, ...]) -> int:
            answers = parser.play(*reads[:2], ("m", ""), *reads[2:], ("m", ""), records=records)
            assert ["ok"] * 104 == [answer[0] for answer in answers]
            if answers[2][1] == "0":
                pytest.skip("a sanitizer's malloc tells nothing")
            return int(answers[-1][1]) - int(answers[2][1])

        assert taken(alike) < 100 * 8 < 100 * 64 < taken(other)

    def test_own(self, parser: Parser) -> None:
        """Each has its own name and text."""
        answers = parser.play(("f", "b"), ("f", "a"), ("f", "b"), records=pair("int @(int a)"))

        assert [["ok", "int b(int a)"], ["ok", "int a(int a)"], ["ok", "int b(int a)"]] == [x[:2] for x in answers]
        assert ["int b(int a)", "int a(int a)", "int b(int a)"] == [x[2] for x in answers]

    @pytest.mark.parametrize(
        "text",
        [
            "void (*@(int n))(double x)",
            "struct @ *@(struct @ *x)",
            "int @ (int x)",
            "int (@)(int x)",
            "enum { ZERO } @(void)",
            "int /* @( */ @(int x)",
        ],
    )
    def test_any(self, parser: Parser, text: str) -> None:
        """Wherever the name stands, the second function is what it is without the first."""
        records = pair(text)
        alone = parser.find("b", records[1])

        assert alone == parser.play(("f", "a"), ("f", "b"), records=records)[1][:2]
        assert "ok" == alone[0]


class TestApart:
    """What looks alike and is not."""

    def test_another_name(self, parser: Parser) -> None:
        """A record whose text declares another function is refused, though its text without its name is known."""
        first = function("a", "__attribute__((cold(a(1)))) int a(int x)")
        second = function("b", "__attribute__((cold(b(1)))) int a(int x)")
        first_answer, second_answer = parser.play(("f", "a"), ("f", "b"), records=(first, second))

        assert "ok" == first_answer[0]
        assert "no" == second_answer[0]

    @pytest.mark.parametrize("name", ["inline", "long", "plugin_nullable", "__attribute__", "const", "9"])
    def test_words(self, parser: Parser, name: str) -> None:
        """A word that means something is no name, whatever was read before."""
        records = (function("a", "int a(int x)"), function(name, f"int {name}(int x)"))
        first, second = parser.play(("f", "a"), ("f", name), records=records)

        assert "ok" == first[0]
        assert "no" == second[0]
        assert parser.find(name, records[1]) == second[:2]

    def test_failed(self, parser: Parser) -> None:
        """Those that cannot be understood are refused each by itself, and so they stay."""
        records = pair("int @(long double x, int y)")
        answers = parser.play(("f", "a"), ("f", "b"), ("f", "a"), records=records)

        assert ["no", "no", "no"] == [answer[0] for answer in answers]
        assert answers[0] == answers[2]

    def test_typedef_later(self, parser: Parser) -> None:
        """A type that the host declares meanwhile counts for what is read after it."""
        answers = parser.play(("f", "a"), ("d", "typedef int T;"), ("f", "b"), records=pair("T *@(void)"))

        assert ["T *a(void)", "", "int *b(void)"] == [answer[1] for answer in answers]

    def test_constant_later(self, parser: Parser) -> None:
        """A constant that the host declares meanwhile counts, too."""
        answers = parser.play(
            ("f", "a"), ("d", "enum { N = 3 };"), ("f", "b"), records=pair("void @(double x[N], int N)")
        )

        assert "plugin_count(N)" in answers[0][1]
        assert "plugin_count(3)" in answers[2][1]

    def test_struct_later(self, parser: Parser) -> None:
        """So does a constant in a struct of the plugin's, whose members are read when they are asked for."""
        record = Record(support.STRUCT, "S", "struct S { enum { N = 3 } x; }", 4, 4)
        records = (record, *pair("void @(double x[N], int N)"))
        answers = parser.play(("f", "a"), ("s", "S"), ("f", "b"), records=records)

        assert "plugin_count(N)" in answers[0][1]
        assert "plugin_count(3)" in answers[2][1]

    def test_contradiction(self, parser: Parser) -> None:
        """What the host says of a function that is shared must agree with it."""
        commands = (("f", "a"), ("f", "b"), ("d", "int b(int);"), ("d", "long b(int);"))
        answers = parser.play(*commands, records=pair("int @(int x)"))

        assert ["ok", "ok", "ok", "no"] == [answer[0] for answer in answers]
        assert "long b(int)" in answers[3][1]
