"""Many declarations beside each other, played by the C program in tests/native without Python, under the sanitizers."""

import itertools

import pytest
import support
from declare_driver import Parser, Record, parser

__all__ = ["parser"]


def declare(text: str) -> Record:
    """The record of a PLUGIN_DECLARE."""
    return Record(support.DECLARE, "", text)


class TestAgain:
    """One name, declared twice."""

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("int f(int a);", "extern int f( signed b );"),
            ("typedef int T;", "typedef signed int T;"),
            ("struct S { int x; };", "struct S {int x;};"),
            ("enum E { A, B };", "enum E { A = 0, B = 1 };"),
            ("size_t f(void);", "unsigned long f(void);"),
            ("int f();", "int f(void);"),
            ("struct S; typedef struct S S;", "struct S { int x; };"),
            ("int x[3];", "int x[1 + 2];"),
        ],
    )
    def test_equal(self, parser: Parser, first: str, second: str) -> None:
        """An equal declaration is accepted again, however it is written."""
        assert ["ok", "ok"] == [answer[0] for answer in parser.play(("d", first), ("d", second))]

    @pytest.mark.parametrize(
        ("first", "second", "shown"),
        [
            ("int f(int);", "long f(int);", ["int f(int)", "long f(int)"]),
            ("int f(int);", "int f;", ["int f(int)", "int f"]),
            ("typedef int T;", "typedef long T;", ["int T", "long T"]),
            ("typedef int T;", "int T;", ["int T"]),
            ("struct S { int x; };", "struct S { int y; };", ["{ int x ; }", "{ int y ; }"]),
            ("enum E { A = 1 };", "enum E { A = 2 };", ["A = 1", "A = 2"]),
            ("enum E { A = 1 };", "struct E { int x; };", ['"E"', "enum"]),
            ("struct E { int x; };", "enum E { A };", ['"E"']),
            ("int f(const char *);", "int f(char *);", ["const char *", "char *"]),
            ("int f(int *x plugin_out);", "int f(int *x plugin_inout);", ["plugin_out", "plugin_inout"]),
        ],
    )
    def test_contradiction(self, parser: Parser, first: str, second: str, shown: list[str]) -> None:
        """A contradiction is refused, and both sides are shown."""
        reason = parser.refuse(second, first)

        assert [] == [text for text in shown if text not in reason], reason

    def test_after_types(self, parser: Parser) -> None:
        """What a type assertion declared counts for later texts as what a text declared."""
        answers = parser.play(
            ("t", "struct S { int x; } *(void)"), ("d", "int f(struct S *); struct S { long x; };"), ("e", "")
        )

        assert ["ok", "no"] == [answer[0] for answer in answers[:2]]
        assert "long x" in answers[1][1]
        assert "" == answers[2][1]

    def test_shape_later(self, parser: Parser) -> None:
        """A struct that gets its shape after a type assertion named it is no other struct then."""
        answers = parser.play(("t", "struct S *(void)"), ("d", "struct S { int x; };"), ("d", "struct S { long x; };"))

        assert ["ok", "ok", "no"] == [answer[0] for answer in answers]
        assert "{ int x ; }" in answers[2][1]


class TestAllOrNothing:
    """A text that fails declares nothing."""

    FAILING = "int good(int); typedef int G; struct P { int x; }; enum E { A }; int h(struct P *); void bad(unknown x);"

    def test_names(self, parser: Parser) -> None:
        """Of a text whose last declaration fails, no function, type or constant is known."""
        failed, names, *after = parser.play(
            ("d", self.FAILING), ("e", ""), ("d", "G x;"), ("d", "int y[A];"), ("s", "P")
        )

        assert "unknown" in failed[1]
        assert "" == names[1]
        assert ["no", "no", "none"] == [answer[0] for answer in after]

    def test_memory(self, parser: Parser) -> None:
        """Twenty thousand failing texts leave no memory behind."""
        plain = Parser(parser.program.parent / "..", sanitize=False)
        first, *_, last = plain.play(
            ("d", self.FAILING, 10), ("m", ""), ("d", self.FAILING, 20_000), ("d", "int f(int);"), ("m", "")
        )[1:]

        assert int(last[1]) - int(first[1]) < 10_000

    def test_types(self, parser: Parser) -> None:
        """Reading a type again and again declares nothing new."""
        answers = parser.play(
            *[("t", "struct S *(int)")] * 50, ("d", "typedef struct S { int x; } S;"), ("t", "S *(S *)")
        )

        assert {"ok"} == {answer[0] for answer in answers}


class TestRecords:
    """Records of a plugin stand in any order."""

    ORDER = (
        declare("typedef float sample_t;"),
        declare("typedef sample_t row[WIDTH]; typedef const sample_t *samples;"),
        Record(support.ENUM, "Size", "enum Size { WIDTH = 3, HEIGHT }", 4, 4),
        declare("typedef enum Size Size; typedef struct Image *Picture;"),
        Record(support.STRUCT, "Image", "struct Image { row rows[HEIGHT]; Size size; }", 52, 4),
        Record(support.FUNC, "f", "Size f(samples x, Image *i, Picture p, row r)"),
    )

    def test_orders(self, parser: Parser) -> None:
        """A name means the same whether its record comes first or last."""
        found = {
            tuple(answer)
            for order in itertools.permutations(self.ORDER)
            if order.index(self.ORDER[5]) == 0
            for answer in parser.play(("f", "f"), ("s", "Image"), records=order)
        }

        spelled = "Size f(const float *x, Image *i, Image *p, float *r plugin_count(3))"
        assert {("ok", spelled, self.ORDER[5].text), ("ok", "52 4 0 48", "")} == found

    def test_chain(self, parser: Parser) -> None:
        """Two hundred typedefs, each made of the one that stands behind it, are understood."""
        chain = [declare(f"typedef T{i} T{i + 1};") for i in range(200)]
        records = [*reversed(chain), declare("typedef float T0;"), Record(support.FUNC, "f", "T200 f(void)")]

        assert ["ok", "float f(void)"] == parser.find("f", *records)

    def test_opaque(self, parser: Parser) -> None:
        """A name that a thousand declarations use and none makes a type is an opaque type."""
        records = [declare(f"typedef Context *T{i}; typedef int (*C{i})(Context *, T{i});") for i in range(1000)]

        assert ["ok", "Context *f(Context *x)"] == parser.find("f", *records, Record(support.FUNC, "f", "T7 f(T999 x)"))

    @pytest.mark.parametrize("late", ["typedef T S", "typedef T S; int a(void", "typedef T S unknown;"])
    def test_declared_too(self, parser: Parser, late: str) -> None:
        """A function that a PLUGIN_DECLARE names as well is read when all names are known, however they are written."""
        records = (declare("S *a(void);"), Record(support.FUNC, "a", "S *a(void)"), declare(late))

        for order in itertools.permutations(records):
            (status, found, _), (_, _, spelled) = parser.play(("f", "a"), ("t", "S *f(void)"), records=order)
            assert ("ok", spelled.replace("name(", "a(")) == (status, found)

    def test_misread(self, parser: Parser) -> None:
        """What stands in a record that is not understood is refused with the record's text, by every function."""
        broken = declare("typedef int fine; typedef struct { int x : 3; } Flags;")

        for text in ("int f(Flags *x)", "Flags f(void)"):
            status, reason = parser.find("f", broken, Record(support.FUNC, "f", text))
            assert "no" == status
            assert "bit-field" in reason
        assert ["ok", "int g(int)"] == parser.find("g", broken, Record(support.FUNC, "g", "fine g(fine)"))

    def test_struct_later(self, parser: Parser) -> None:
        """A struct in a PLUGIN_DECLARE may hold one of a later PLUGIN_DECLARE."""
        records = (declare("struct A { struct B b; int x; };"), declare("struct B { short y; };"))

        assert ["ok", "8 4 0 4"] == parser.play(("s", "A"), records=records)[0][:2]

    @pytest.mark.parametrize(("size", "align"), [(4, 4), (8, 8), (16, 4)])
    def test_layout(self, parser: Parser, size: int, align: int) -> None:
        """A struct that the compiler laid out otherwise is refused with both layouts; who holds one, too."""
        inner = Record(support.STRUCT, "S", "struct S { int x, y; }", size, align)
        outer = Record(support.STRUCT, "T", "struct T { S s; }", size, align)

        for answer in parser.play(("s", "S"), ("s", "T"), ("s", "S"), records=(inner, outer)):
            assert "no" == answer[0]
            assert f"{size} bytes aligned to {align}" in answer[1]
            assert "8 aligned to 4" in answer[1]

    def test_host_struct(self, parser: Parser) -> None:
        """A host cannot declare a plugin's struct differently, even at the same size."""
        record = Record(support.STRUCT, "S", "struct S { int x, y; }", 8, 4)

        same, other = parser.play(("d", "struct S { int x, y; };"), ("d", "struct S { int y, x; };"), records=(record,))

        assert "ok" == same[0]
        assert "no" == other[0]
        assert "{ int x , y ; }" in other[1]

    def test_host_typedefs(self, parser: Parser) -> None:
        """A host's texts may use a plugin's typedefs by value, one text after the other."""
        answers = parser.play(
            *(("d", f"T f{i}(T);") for i in range(3)), ("e", ""), records=(declare("typedef float T;"),)
        )

        assert ["ok", "ok", "ok"] == [answer[0] for answer in answers[:3]]
        assert {"f0", "f1", "f2"} == set(answers[3][1].split())

    def test_wrong_record(self, parser: Parser) -> None:
        """A record whose text declares another name, or whose name is a type's, is refused, not passed over."""
        assert "no" == parser.find("f", Record(support.FUNC, "f", "int g(void)"))[0]
        assert "no" == parser.find("f", Record(support.FUNC, "f", "int f"))[0]
        assert "no" == parser.find("v", Record(support.VAR, "v", "int v(void)", 4, 4))[0]
        assert "no" == parser.find("f", declare("typedef int f;"), Record(support.FUNC, "f", "int f(void)"))[0]

    def test_newer_word(self, parser: Parser) -> None:
        """A word that is not known says what version the file was built for."""
        header = Record(support.HEADER, "p", "1.0", 1 << 16 | 7)

        reason = parser.find("f", header, Record(support.FUNC, "f", "plugin_newer int f(void)"))[1]

        assert "plugin_newer" in reason
        assert "1.7" in reason
