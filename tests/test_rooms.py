"""Text with a length, room for results, and arrays of strings."""

import natives
import numpy as np
import pytest

import plugin

SOURCE = r"""
#include <plugin.h>
#include <string.h>
PLUGIN("rooms/one", "1");
PLUGIN_FUNC(size_t, zeros, (const char *s plugin_count(n), size_t n))
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += s[i] == 0;
    return count * 1000 + n;
}
PLUGIN_FUNC(int, raw, (plugin_bytes const char *s plugin_count(n), int n)) { return n; }
PLUGIN_FUNC(bool, absent, (const char *s plugin_count(n) plugin_nullable, int n)) { return s == NULL && n == 0; }
PLUGIN_FUNC(void, text, (char *buf plugin_count(n) plugin_out, size_t n, const char *from))
{
    strncpy(buf, from, n);
}
PLUGIN_FUNC(int, print, (char *buf plugin_count(*n) plugin_out, int *n plugin_inout, const char *from, int claim))
{
    int size = (int)strlen(from) < *n ? (int)strlen(from) : *n;
    memcpy(buf, from, (size_t)size);
    *n = claim != 0 ? claim : size;
    return size;
}
PLUGIN_FUNC(void, dump, (plugin_bytes char *buf plugin_count(n) plugin_out, uint8_t n)) { memset(buf, 0xff, n); }
PLUGIN_FUNC(void, bad, (char *buf plugin_count(n) plugin_out, size_t n)) { memset(buf, 0xff, n); }
PLUGIN_FUNC(void, squares, (double *x plugin_count(n) plugin_out, int64_t n))
    { for (int i = 0; i < n; i++) x[i] = i * i; }
PLUGIN_FUNC(void, grid, (int16_t *x plugin_count(n, m) plugin_out, int n, int m))
{
    for (int i = 0; i < n * m; i++) x[i] = (int16_t)i;
}
PLUGIN_FUNC(void, twice, (const double *x plugin_count(n), double *y plugin_count(n) plugin_out, size_t n))
{
    for (size_t i = 0; i < n; i++) y[i] = 2 * x[i];
}
PLUGIN_FUNC(void, some, (double *x plugin_count(*n) plugin_out, int64_t *n plugin_inout, int64_t claim))
{
    for (int64_t i = 0; i < *n && i < claim; i++) x[i] = (double)i;
    *n = claim;
}
PLUGIN_FUNC(void, rows, (int32_t *x plugin_count(*n, 3) plugin_out, int *n plugin_inout, int claim))
{
    for (int i = 0; i < *n * 3; i++) x[i] = i;
    *n = claim;
}
PLUGIN_FUNC(int, unsigned_claim, (uint8_t *x plugin_count(*n) plugin_out, uint64_t *n plugin_inout))
    { *n = UINT64_MAX; return 1; }
PLUGIN_FUNC(int, fails, (char *buf plugin_count(n) plugin_out, size_t n, plugin_error *error))
    { plugin_fail(error, 3, "no"); return 0; }
PLUGIN_FUNC(size_t, joined, (int n, const char *const names[n]))
{
    size_t size = 0;
    for (int i = 0; i < n; i++) size = size * 10 + strlen(names[i]);
    return size;
}
PLUGIN_FUNC(size_t, pointed, (const char *const *names plugin_count(n) plugin_nullable, size_t n))
{
    return names == NULL ? 999 + n : n;
}
"""


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """The plugin of this file."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE, "-Wno-unused-parameter"))


class TestCountedText:
    """`const char *s plugin_count(n)`."""

    @pytest.mark.parametrize("text", ["", "abc", "a\0b\0", "äöü\0", b"a\0b", bytearray(b"\0\0"), memoryview(b"\xff\0")])
    def test_whole(self, p, text):
        """All of it arrives, NULs too, as text in UTF-8 or as bytes; the length is not passed."""
        raw = text.encode() if isinstance(text, str) else bytes(text)

        assert 1000 * raw.count(0) + len(raw) == p.lookup("zeros")(text)

    def test_wrong(self, p):
        """Other objects are refused, and so is a lone surrogate."""
        for wrong, error in ((5, TypeError), (None, TypeError), (["a"], TypeError), ("\ud800", ValueError)):
            with pytest.raises(error, match="'s'"):
                p.lookup("zeros")(wrong)

    def test_bytes(self, p):
        """plugin_bytes takes no str."""
        assert 3 == p.lookup("raw")(b"a\0b")
        with pytest.raises(TypeError, match="'s'"):
            p.lookup("raw")("abc")

    def test_null(self, p):
        """None is NULL of length 0 where that is allowed."""
        assert p.lookup("absent")(None)


class TestTextOut:
    """`char *buf plugin_count(n) plugin_out`."""

    @pytest.mark.parametrize(("n", "expected"), [(10, "abc"), (4, "abc"), (3, "abc"), (2, "ab"), (0, "")])
    def test_capacity(self, p, n, expected):
        """The host says how much room there is; the text ends at its NUL, or with the room."""
        assert expected == p.lookup("text")(n, "abc")

    def test_used(self, p):
        """A length by pointer is the room going in, and what was used coming back: it may hold NULs."""
        assert (3, "abc") == p.lookup("print")(10, "abc", 0)
        assert (2, "ab") == p.lookup("print")(2, "abc", 0)
        assert (3, "abc\0\0") == p.lookup("print")(10, "abc", 5)

    @pytest.mark.parametrize("claim", [11, -1, 2**31 - 1, -(2**31)])
    def test_claims(self, p, claim):
        """A plugin that says that it wrote more than there is room for is not believed."""
        with pytest.raises(ValueError, match="buf"):
            p.lookup("print")(10, "abc", claim)

    @pytest.mark.parametrize("n", [-1, -(2**63)])
    def test_negative(self, p, n):
        """A negative room is refused."""
        with pytest.raises((ValueError, OverflowError)):
            p.lookup("text")(n, "abc")
        with pytest.raises((ValueError, OverflowError)):
            p.lookup("squares")(n)

    @pytest.mark.parametrize("n", [2**62, 2**63 - 1, 2**50])
    def test_huge(self, p, n):
        """An enormous room is an error, not a crash."""
        with pytest.raises((ValueError, MemoryError)):
            p.lookup("squares")(n)
        with pytest.raises((ValueError, MemoryError, OverflowError)):
            p.lookup("text")(n, "abc")

    def test_not_utf8(self, p):
        """What is not UTF-8 raises, naming function and parameter; plugin_bytes gives all the bytes."""
        with pytest.raises(ValueError, match=r"bad.*buf.*UTF-8"):
            p.lookup("bad")(3)
        assert b"\xff" * 3 == p.lookup("dump")(3)
        assert b"" == p.lookup("dump")(0)

    def test_failure(self, p):
        """A failure of the function is what is raised."""
        with pytest.raises(plugin.CallError, match="no"):
            p.lookup("fails")(3)


class TestNumbersOut:
    """`double *x plugin_count(n) plugin_out`."""

    def test_one_dimension(self, p):
        """The result is a writable buffer of so many items."""
        x = p.lookup("squares")(4)

        assert ([0, 1, 4, 9], (4,), "d") == (x.tolist(), x.shape, x.format)
        np.asarray(x)[0] = 5
        assert 5 == x[0]
        assert 0 == len(p.lookup("squares")(0))

    def test_two_dimensions(self, p):
        """Two lengths make two dimensions."""
        x = p.lookup("grid")(2, 3)

        assert [[0, 1, 2], [3, 4, 5]] == x.tolist()
        assert 0 == p.lookup("grid")(0, 3).nbytes == p.lookup("grid")(3, 0).nbytes

    def test_shared_length(self, p):
        """A length that an input array tells is not passed, and is the result's as well."""
        assert [2.0, 4.0, 6.0] == p.lookup("twice")(np.array([1.0, 2.0, 3.0])).tolist()
        assert [] == p.lookup("twice")(np.array([])).tolist()

    def test_trimmed(self, p):
        """The result has as many items as the plugin says that it wrote."""
        assert [0.0, 1.0] == p.lookup("some")(10, 2).tolist()
        assert [] == p.lookup("some")(10, 0).tolist()
        assert [0.0] * 10 != p.lookup("some")(10, 10).tolist()

    @pytest.mark.parametrize("claim", [11, -1, 2**60 + 1, 2**61, 2**62, 2**63 - 1, -(2**63)])
    def test_claims(self, p, claim):
        """More than there is room for is an error, even when its size in bytes overflows."""
        with pytest.raises(ValueError, match=r"'x'.*room"):
            p.lookup("some")(10, claim)

    def test_unsigned(self, p):
        """The same for an unsigned length."""
        with pytest.raises(ValueError, match="room"):
            p.lookup("unsigned_claim")(4)

    def test_rows(self, p):
        """Of several dimensions, the first may be trimmed."""
        assert [[0, 1, 2], [3, 4, 5]] == p.lookup("rows")(4, 2).tolist()
        with pytest.raises(ValueError, match="room"):
            p.lookup("rows")(4, 5)


class TestStrings:
    """`const char *const names[n]`."""

    @pytest.mark.parametrize("make", [list, tuple, iter, lambda names: (name for name in names), dict.fromkeys])
    def test_any(self, p, make):
        """Whatever can be iterated over gives the strings, as many as it has."""
        assert 123 == p.lookup("joined")(make(["a", "bb", "ccc"]))
        assert 0 == p.lookup("joined")(make([]))

    def test_bytes(self, p):
        """str in UTF-8, and bytes."""
        assert 24 == p.lookup("joined")(["ä", b"\xff\xff\xff\xff"])

    @pytest.mark.parametrize("wrong", [["a", 5], ["a", None], "abc", b"abc", 5, None, ["a\0b"], ["\ud800"]])
    def test_wrong(self, p, wrong):
        """Items that are no strings are refused, and so is one string in place of many."""
        with pytest.raises((TypeError, ValueError), match="'names'"):
            p.lookup("joined")(wrong)

    def test_iterator_fails(self, p):
        """An error of the iterator itself is not hidden."""

        def names():
            yield "a"
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            p.lookup("joined")(names())

    def test_null(self, p):
        """None is NULL of length 0 where that is allowed, and an empty list is not NULL."""
        assert 999 == p.lookup("pointed")(None)
        assert 0 == p.lookup("pointed")([])
        assert 500 == p.lookup("pointed")(["x"] * 500)
