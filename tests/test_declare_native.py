"""Texts of C to types, played by the C program in tests/native without Python, under the sanitizers."""

import pytest
from declare_driver import Parser, parser

__all__ = ["parser"]


class TestSpelling:
    """What is understood is spelled in one way, which is understood as the same."""

    @pytest.mark.parametrize(
        ("text", "spelled"),
        [
            ("int (void)", "int name(void)"),
            ("int ()", "int name(void)"),
            ("double f(double x);", "double name(double x)"),
            ("double f(double)", "double name(double)"),
            ("unsigned f(long unsigned int, signed char)", "unsigned int name(unsigned long, signed char)"),
            ("long int long unsigned f(_Bool)", "unsigned long long name(bool)"),
            ("uint8_t (int64_t, size_t, char)", "uint8_t name(int64_t, size_t, char)"),
            ("const char *const *f(char const *)", "const char *const *name(const char *)"),
            ("int (int *const, int (*const)(void))", "int name(int *const, int (*const)(void))"),
            ("void (*signal(int, void (*)(int)))(int)", "void (*name(int, void (*)(int)))(int)"),
            ("int (*table[4])(const char *)", "int (*name[4])(const char *)"),
            ("int (*(*f)(void))[3]", "int (*(*name)(void))[3]"),
            ("double x[2][3][4]", "double name[2][3][4]"),
            ("void (int n, const double x[n])", "void name(int n, const double *x plugin_count(n))"),
            ("void (int x[static 3][4])", "void name(int *x plugin_count(3, 4))"),
            ("void (int x[const restrict], int *restrict y)", "void name(int *x, int *y)"),
            ("int (int f(int))", "int name(int (*f)(int))"),
            ("struct S *(S **x plugin_out, const S *)", "S *name(S **x plugin_out, const S *)"),
            ("union U *(union U *)", "U *name(U *)"),
            ("void *(const void *, void const *const)", "void *name(const void *, const void *const)"),
            ("plugin_free(done) plugin_bytes char *f(void)", "plugin_bytes plugin_free(done) char *name(void)"),
            ("plugin_owned plugin_nullable S *(void)", "plugin_nullable plugin_owned S *name(void)"),
            ("void f(char *b plugin_count(*n) , size_t *n plugin_inout)",
             "void name(char *b plugin_count(*n), size_t *n plugin_inout)"),
            ("int (double *x plugin_nullable plugin_count(2, n), int n)",
             "int name(double *x plugin_count(2, n) plugin_nullable, int n)"),
            ("char *name plugin_nullable", "char *name"),
            ("int grüße(int größe)", "int name(int größe)"),
        ],
    )  # fmt: skip
    def test_types(self, parser: Parser, text: str, spelled: str) -> None:
        """A declaration means what C means by it, words included."""
        assert spelled == parser.spell(text)

    @pytest.mark.parametrize(
        ("noise", "plain"),
        [
            ("extern int f(int)", "int name(int)"),
            ("static inline __attribute__((noinline, pure)) int f(int)", "int name(int)"),
            ("[[nodiscard]] int f(int)", "int name(int)"),
            ('extern "C" int f(int) noexcept', "int name(int)"),
            ("int f(register int x __attribute__((unused)))", "int name(int x)"),
            ("int /* a ; */ f( // b\n int)", "int name(int)"),
            ("volatile int *f(volatile void *)", "int *name(void *)"),
            ("_Noreturn void f(void)", "void name(void)"),
            ("__extension__ int f(__const char *__restrict x)", "int name(const char *x)"),
        ],
    )
    def test_noise(self, parser: Parser, noise: str, plain: str) -> None:
        """What changes nothing for a caller is ignored."""
        assert plain == parser.spell(noise)

    @pytest.mark.parametrize(
        ("before", "text", "spelled"),
        [
            ("typedef float a; typedef a b; typedef b c;", "c (c x)", "float name(float x)"),
            ("typedef int row[4];", "row x[3]", "int name[3][4]"),
            ("typedef int row[4];", "void (row *x)", "void name(int (*x)[4])"),
            ("typedef int row[4];", "void (row x)", "void name(int *x plugin_count(4))"),
            ("typedef void (*cb)(int);", "cb (cb)", "void (*name(void (*)(int)))(int)"),
            ("typedef void F(int);", "F *f", "void (*name)(int)"),
            ("typedef struct { int x; } P;", "P *(const P *)", "P *name(const P *)"),
            ("typedef struct S S, *SP;", "SP (S *)", "S *name(S *)"),
            ("enum E { A, B = 1 << 3 | 2, C };", "int x[A + B][C]", "int name[10][11]"),
            ("enum { N = ~-3 & 0xff, M = (7 - 4) >> 1 };", "int x[N + M + '\\n']", "int name[13]"),
            ("enum E { A };", "enum E (enum E)", "E name(E)"),
            ("enum { N = 3 };", "void (int N, int *x plugin_count(2))", "void name(int N, int *x plugin_count(2))"),
        ],
    )
    def test_names(self, parser: Parser, before: str, text: str, spelled: str) -> None:
        """Typedefs, tags and enumerators mean what was declared."""
        assert spelled == parser.spell(text, before)

    def test_function_of_that_name(self, parser: Parser) -> None:
        """A length may have the name of a function that is declared elsewhere."""
        text = "void (int *x plugin_count(count), int count, double y[count])"

        spelled = parser.spell(text, "int count(int); typedef int size;")

        assert spelled.count("plugin_count(count)") == 2

    @pytest.mark.parametrize(("value", "length"), [("0x7f", 127), ("010", 8), ("0b101", 5), ("3uL", 3), ("'A'", 65)])
    def test_literals(self, parser: Parser, value: str, length: int) -> None:
        """Integer literals of every base and suffix, and characters, are constants."""
        assert f"char name[{length}]" == parser.spell(f"char x[{value}]")

    def test_last_enumerator(self, parser: Parser) -> None:
        """The largest constant of 63 bits is one; only what would follow it is refused."""
        assert "char name[1]" == parser.spell("char x[A - 0x7ffffffffffffffe]", "enum E { A = 0x7fffffffffffffff };")
        assert '"B"' in parser.refuse("enum E { A = 0x7fffffffffffffff, B };")


class TestLayout:
    """Structs are laid out as the compiler does it."""

    @pytest.mark.parametrize(
        ("members", "layout"),
        [
            ("char a; int b; char c;", "12 4 0 4 8"),
            ("char a; double b; short c;", "24 8 0 8 16"),
            ("void *a; char b[3]; short c;", "16 8 0 8 12"),
            ("struct T { char a; short b; } x[3]; char y;", "14 2 0 12"),
            ("int (*a)(int), *b, c[2];", "24 8 0 8 16"),
            ("enum E { A = -1, B = 0x80000000 } a; char b;", "16 8 0 8"),
        ],
    )
    def test_offsets(self, parser: Parser, members: str, layout: str) -> None:
        """Size, alignment and offsets follow from the members."""
        answers = parser.play(("d", f"struct S {{ {members} }};"), ("s", "S"))

        assert ["ok", layout] == answers[1][:2]

    def test_alike(self, parser: Parser) -> None:
        """Structs that differ only in what a typedef means have different keys; in blanks only, the same."""
        texts = [
            "typedef int T; struct S { T x; };",
            "typedef long T; struct S { T x; };",
            "typedef int T;struct S{T x;};",
        ]

        keys = [parser.play(("d", text), ("k", "S"))[1][1] for text in texts]

        assert keys[0] == keys[2]
        assert keys[0] != keys[1]

    def test_far_alike(self, parser: Parser) -> None:
        """A difference in the last of a hundred structs that name each other is one of the first."""
        chain = " ".join(f"struct S{i} {{ struct S{i + 1} *next; }};" for i in range(100))

        keys = [
            parser.play(("d", f"{chain} struct S100 {{ {end} x; }};"), ("k", "S0"))[1][1] for end in ("int", "long")
        ]

        assert keys[0] != keys[1]
