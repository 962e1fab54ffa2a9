"""Buffers as arrays: lengths, layout, and that the memory itself is passed."""

import array
import ctypes
import mmap

import natives
import numpy as np
import pytest

import plugin

SOURCE = """
#include <plugin.h>
#include <stddef.h>
PLUGIN("buffers/one", "1");
PLUGIN_FUNC(double, sum, (const double *x plugin_count(n), size_t n))
{
    double total = 0;
    for (size_t i = 0; i < n; i++) total += x[i];
    return total;
}
PLUGIN_FUNC(double, sum_array, (size_t n, const double x[n])) { return sum(x, n); }
PLUGIN_FUNC(double, dot, (size_t n, const double x[n], const double *y plugin_count(n)))
{
    double total = 0;
    for (size_t i = 0; i < n; i++) total += x[i] * y[i];
    return total;
}
PLUGIN_FUNC(void, twice, (double *x plugin_count(n), size_t n)) { for (size_t i = 0; i < n; i++) x[i] *= 2; }
PLUGIN_FUNC(int, three, (const int x[3])) { return x[0] + 10 * x[1] + 100 * x[2]; }
PLUGIN_FUNC(int, bare, (const int *x, int n)) { return x[n]; }
PLUGIN_FUNC(void, bare_write, (int *x)) { *x = 42; }
PLUGIN_FUNC(uint8_t, small, (const uint8_t *x plugin_count(n), uint8_t n)) { return n; }
PLUGIN_FUNC(int, signed_length, (const void *x plugin_count(n), int n)) { return n; }
PLUGIN_FUNC(bool, maybe, (const double *x plugin_count(n) plugin_nullable, size_t n)) { return x == NULL && n == 0; }
PLUGIN_FUNC(void, fill, (int *x plugin_count(*n), uint16_t *n plugin_inout))
{
    uint16_t used = *n < 3 ? *n : 3;
    for (int i = 0; i < used; i++) x[i] = i + 1;
    *n = used;
}
PLUGIN_FUNC(uintptr_t, where, (const uint8_t *x plugin_count(n), size_t n)) { return (uintptr_t)x; }
PLUGIN_FUNC(uintptr_t, where_read, (const void *x)) { return (uintptr_t)x; }
PLUGIN_FUNC(uintptr_t, where_write, (void *x)) { return (uintptr_t)x; }
PLUGIN_FUNC(int, fails, (const uint8_t *x plugin_count(n), size_t n, plugin_error *error))
{
    plugin_fail(error, 5, "%zu", n);
    return x != NULL;
}
PLUGIN_FUNC(int, then, (uint8_t *x plugin_count(n), size_t n, int8_t last)) { return last; }
"""
ITEMS = {
    "bool": "?", "signed char": "b", "unsigned char": "B", "int8_t": "b", "uint8_t": "B", "short": "h", "uint16_t": "H",
    "int": "i", "unsigned": "I", "long": "l", "unsigned long": "L", "int64_t": "q", "uint64_t": "Q", "float": "f",
    "double": "d",
}  # fmt: skip
TAKERS = "".join(
    f"PLUGIN_FUNC(size_t, take_{kind.replace(' ', '_')}, (const {kind} *x plugin_count(n), size_t n)) {{ return n; }}\n"
    for kind in ITEMS
)


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """The plugin of this file."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE + TAKERS))


def address(data):
    """Where a writable buffer's memory is."""
    return ctypes.addressof(ctypes.c_char.from_buffer(data))


def refused(function, *arguments, error=TypeError, words=()):
    """The call raises that error, and its message has the words."""
    with pytest.raises(error) as caught:
        function(*arguments)
    for word in words:
        assert word in str(caught.value)


class TestLengths:
    """Lengths that arrays tell."""

    @pytest.mark.parametrize("name", ["sum", "sum_array"])
    @pytest.mark.parametrize("n", [0, 1, 2, 1000])
    def test_one(self, p, name, n):
        """The length is the buffer's, for `plugin_count(n)` and `x[n]` alike, before the array or after it."""
        x = np.arange(n, dtype=float)

        assert x.sum() == p.lookup(name)(x)
        assert x.sum() == p.lookup(name)(x=array.array("d", x))

    def test_two_agree(self, p):
        """Two arrays of one length are taken; lengths that differ are a ValueError that names both and the length."""
        dot = p.lookup("dot")

        assert dot(np.arange(4.0), array.array("d", [1, 1, 1, 2])) == 9.0
        refused(dot, np.ones(3), np.ones(4), error=ValueError, words=["dot()", "'x'", "'y'", "'n'", "3", "4"])
        refused(dot, np.ones(0), np.ones(4), error=ValueError, words=["'x'", "'y'", "0", "4"])

    def test_not_passed(self, p):
        """A length is not passed, by position or by name."""
        refused(p.lookup("sum"), np.ones(3), 3)
        refused(lambda x: p.lookup("sum")(x, n=3), np.ones(3), words=["'n'"])

    def test_constant(self, p):
        """A constant length must be met."""
        three = p.lookup("three")

        assert three(array.array("i", [1, 2, 3])) == three((ctypes.c_int * 3)(1, 2, 3)) == 321
        for n in (0, 2, 4):
            refused(three, array.array("i", [0] * n), error=ValueError, words=["'x'", "3", str(n)])

    def test_too_small(self, p):
        """A length that its C type cannot hold is an OverflowError that names the length, never a smaller one."""
        assert p.lookup("small")(bytes(255)) == 255
        refused(p.lookup("small"), bytes(300), error=OverflowError, words=["small()", "'n'", "300"])
        refused(p.lookup("fill"), array.array("i", bytes(4 * 70_000)), error=OverflowError, words=["'n'", "70000"])

    def test_bytes_of_void(self, p):
        """The length of a counted `void *` is in bytes."""
        assert p.lookup("signed_length")(array.array("d", [0] * 5)) == 40

    def test_nullable(self, p):
        """None is NULL and a length of 0; without plugin_nullable it is refused."""
        assert p.lookup("maybe")(None)
        assert not p.lookup("maybe")(np.ones(1))
        refused(p.lookup("sum"), None, words=["'x'", "None"])

    @pytest.mark.parametrize("room", [0, 2, 3, 10])
    def test_capacity(self, p, room):
        """Room goes in by the buffer's length; the length that was used comes out."""
        x = np.zeros(room, np.intc)

        assert min(room, 3) == p.lookup("fill")(x)
        assert ([1, 2, 3] + [0] * 7)[:room] == x.tolist()

    def test_bare(self, p):
        """A pointer without a word takes a buffer of at least one item; lengths stay arguments."""
        assert p.lookup("bare")(array.array("i", [7, 8, 9]), 2) == 9
        one = array.array("i", [0])
        p.lookup("bare_write")(one)
        assert one[0] == 42
        refused(p.lookup("bare"), array.array("i"), 0, error=ValueError, words=["'x'", "empty"])


class TestLayout:
    """What the items must be."""

    @pytest.mark.parametrize("kind", ITEMS)
    def test_items(self, p, kind):
        """Of all NumPy's numbers, those of the same kind and size are taken, and no others."""
        wanted = np.dtype(ITEMS[kind])
        take = p.lookup(f"take_{kind.replace(' ', '_')}")

        for letter in "?bBhHiIlLqQefdgFD":
            dtype = np.dtype(letter)
            if (dtype.kind, dtype.itemsize) == (wanted.kind, wanted.itemsize):
                assert take(np.zeros(3, dtype)) == 3
            else:
                refused(take, np.zeros(3, dtype), words=["'x'", kind, "buffer"])

    @pytest.mark.parametrize("kind", ["short", "uint16_t", "int", "int64_t", "uint64_t", "float", "double"])
    def test_byte_order(self, p, kind):
        """Items of the other byte order are refused; of this one they are taken, however it is spelled."""
        take = p.lookup(f"take_{kind}")
        dtype = np.dtype(ITEMS[kind])

        assert take(np.zeros(3, dtype.newbyteorder("="))) == 3
        assert take(np.zeros(3, dtype.newbyteorder("<"))) == 3
        refused(take, np.zeros(3, dtype.newbyteorder(">")), words=["'x'", kind])

    @pytest.mark.parametrize("wrong", [*(np.zeros(2, kind) for kind in ("S8", "i4,i4", "c16")), b"12345678", "text"])
    def test_no_doubles(self, p, wrong):
        """Text, records, complex numbers and raw bytes are no doubles."""
        refused(p.lookup("sum"), wrong, words=["sum()", "'x'"])

    @pytest.mark.parametrize("wrong", [1.0, [1.0], None, object()])
    def test_no_buffer(self, p, wrong):
        """Lists and single numbers are no buffers; the error names the type that came."""
        refused(p.lookup("sum"), wrong, words=["sum()", "'x'", "buffer", type(wrong).__name__])

    @pytest.mark.parametrize("view", [np.arange(6.0)[::2], np.arange(6.0)[::-1], np.zeros((2, 3)).T[0]])
    def test_strided(self, p, view):
        """What is not contiguous is a ValueError that says so, and is not copied."""
        refused(p.lookup("sum"), view, error=ValueError, words=["'x'", "contiguous"])

    def test_dimensions(self, p):
        """One extent wants one dimension; a bare pointer takes any."""
        refused(p.lookup("sum"), np.zeros((2, 3)), error=ValueError, words=["'x'", "dimension", "2"])
        refused(p.lookup("sum"), np.array(1.0), error=ValueError, words=["'x'", "dimension"])
        assert p.lookup("bare")(np.arange(6, dtype=np.intc).reshape(2, 3), 4) == 4

    def test_aligned(self, p):
        """Items that are not aligned as C wants them are a ValueError."""
        odd = np.frombuffer(bytearray(17), np.uint8)[1:].view(np.float64)
        refused(p.lookup("sum"), odd, error=ValueError, words=["'x'", "aligned"])

    def test_read_only(self, p):
        """A written array must be writable; a const one need not be."""
        x = np.arange(3.0)
        p.lookup("twice")(x)
        assert [0, 2, 4] == x.tolist()
        x.flags.writeable = False

        assert p.lookup("sum")(x) == 6.0
        refused(p.lookup("twice"), x, words=["twice()", "'x'", "read-only"])
        assert [0, 2, 4] == x.tolist()


class TestNoCopy:
    """The memory itself is passed, whoever owns it."""

    @pytest.mark.parametrize(
        "make",
        [
            bytearray,
            lambda n: array.array("B", bytes(n)),
            lambda n: memoryview(bytearray(n)),
            lambda n: (ctypes.c_ubyte * n)(),
            lambda n: mmap.mmap(-1, n),
            lambda n: np.zeros(n, np.uint8),
        ],
        ids=["bytearray", "array", "memoryview", "ctypes", "mmap", "numpy"],
    )
    @pytest.mark.parametrize("name", ["where", "where_read", "where_write"])
    def test_writable(self, p, name, make):
        """C sees the address of the buffer."""
        data = make(64)

        assert address(data) == p.lookup(name)(data)

    def test_read_only(self, p):
        """bytes are passed without a copy as well, and a slice from where it begins."""
        data = b"some bytes"
        whole = np.frombuffer(data, np.uint8).ctypes.data

        assert whole == p.lookup("where")(data) == p.lookup("where_read")(data)
        assert whole + 5 == p.lookup("where")(memoryview(data)[5:])
        refused(p.lookup("where_write"), data, words=["'x'", "read-only"])


class TestRelease:
    """Buffers are held for the call, and no longer."""

    @pytest.mark.parametrize(
        ("name", "more", "error"),
        [
            ("where", (), None),
            ("where_write", (), None),
            ("fails", (), plugin.CallError),
            ("then", (1000,), OverflowError),
            ("then", ("x",), TypeError),
            ("small", (), OverflowError),
            ("three", (), TypeError),
        ],
    )
    def test_resized(self, p, name, more, error):
        """A bytearray can be resized after a call that worked, that failed in C, and that was refused."""
        data = bytearray(300)
        if error is None:
            p.lookup(name)(data, *more)
        else:
            refused(p.lookup(name), data, *more, error=error)
        data.append(1)

        assert 301 == len(data)

    def test_held(self, p):
        """While later arguments are converted, the buffer is held: it cannot be resized under the call."""
        data = bytearray(10)
        tried = []

        class Resizing:
            def __index__(self):
                with pytest.raises(BufferError):
                    data.append(1)
                tried.append(True)
                return 5

        assert p.lookup("then")(data, Resizing()) == 5
        assert [True] == tried

    def test_released_view(self, p):
        """A released memoryview is refused, not read."""
        view = memoryview(bytearray(10))
        view.release()
        refused(p.lookup("where"), view, error=ValueError)
