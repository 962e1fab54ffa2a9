"""Numbers in and out: every scalar type at its edges, and what is refused."""

import decimal
import enum
import fractions
import math
import struct

import natives
import numpy as np
import pytest
import support

import plugin

INTEGERS = {
    "char": (8, support.CHAR_MIN < 0),
    **dict.fromkeys(["signed char", "int8_t"], (8, True)),
    **dict.fromkeys(["unsigned char", "uint8_t"], (8, False)),
    **dict.fromkeys(["short", "short int", "signed short", "int16_t"], (16, True)),
    **dict.fromkeys(["unsigned short", "short unsigned int", "uint16_t"], (16, False)),
    **dict.fromkeys(["int", "signed", "signed int", "int32_t"], (32, True)),
    **dict.fromkeys(["unsigned", "unsigned int", "uint32_t"], (32, False)),
    **dict.fromkeys(["long", "long int", "signed long", "long long", "long long int", "int64_t"], (64, True)),
    **dict.fromkeys(["ssize_t", "ptrdiff_t", "intptr_t"], (64, True)),
    **dict.fromkeys(["unsigned long", "unsigned long long", "long long unsigned int", "uint64_t"], (64, False)),
    **dict.fromkeys(["size_t", "uintptr_t"], (64, False)),
}
# What no declaration of the host would say: whole registers, in which the test sees every bit.
SOURCE = """
#include <stdint.h>
#define EXPORT __attribute__((visibility("default")))
EXPORT int64_t word(int64_t x) { return x; }
EXPORT double real(double x) { return x; }
EXPORT float single(float x) { return x; }
typedef int64_t W;
EXPORT W ninth(W a, W b, W c, W d, W e, W f, W g, W h, W i) { return i; }
EXPORT void write_word(int64_t *x) { *x = -2; }
"""
FLT_MAX = struct.unpack("f", b"\xff\xff\x7f\x7f")[0]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A function that gives a symbol of the library as a function of the type that it is told."""
    p = plugin.open(natives.compiled(tmp_path_factory, SOURCE))
    return lambda name, declaration: p.symbols[name].as_type(declaration)


def limits(bits, signed):
    """The least and the greatest integer of that width."""
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


class Index:
    """An integer by __index__ alone."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class Member(enum.IntEnum):
    """Integers by inheritance."""

    ONE = 1
    FIVE = 5


class Float:
    """A float by __float__ alone."""

    def __float__(self):
        return 2.5


@pytest.mark.parametrize("spelling", INTEGERS)
class TestIntegers:
    """Every integer type, in all its spellings."""

    def test_range(self, library, spelling):
        """Both ends of the range and what lies between go in and come out."""
        function = library("word", f"{spelling} ({spelling} x)")
        least, most = limits(*INTEGERS[spelling])

        for value in (least, least + 1, -1 if least else 1, 0, 1, most // 2, most - 1, most):
            assert value == function(value)
            assert type(function(value)) is int
            assert value == function(Index(value))

    def test_beyond(self, library, spelling):
        """One beyond either end is an OverflowError that names the argument and the type, never another number."""
        function = library("word", f"{spelling} ({spelling} x)")
        least, most = limits(*INTEGERS[spelling])

        for value in (least - 1, most + 1, 2**63, 2**64, -(2**63) - 1, 10**30, -(10**30)):
            if least <= value <= most:
                continue
            for number in (value, Index(value)):
                with pytest.raises(OverflowError) as caught:
                    function(number)
                assert "'x'" in str(caught.value)
                assert str(value) in str(caught.value)
                assert str(INTEGERS[spelling][0]) in str(caught.value)

    def test_extended(self, library, spelling):
        """A narrow argument fills its whole register, as its sign says; on the stack too."""
        least, most = limits(*INTEGERS[spelling])
        whole = "int64_t" if least else "uint64_t"
        register = library("word", f"{whole} ({spelling} x)")
        stack = library("ninth", f"{whole} ({', '.join([spelling] * 9)})")

        for value in (least, most):
            assert value == register(value)
            assert value == stack(*[0] * 8, value)

    def test_garbage(self, library, spelling):
        """Only the type's own bits of a result count: the others are not the function's to fill."""
        bits, _ = INTEGERS[spelling]
        least, most = limits(*INTEGERS[spelling])
        function = library("word", f"{spelling} (uint64_t x)")
        garbage = (0x5A5A5A5A5A5A5A5A << bits) % 2**64

        for value in (least, -1 if least else 1, 0, 1, most):
            assert value == function(value % 2**bits | garbage)

    def test_out(self, library, spelling):
        """A result by pointer is read in the type's own width."""
        bits, signed = INTEGERS[spelling]
        function = library("write_word", f"void ({spelling} *x plugin_out)")

        assert (-2 if signed else 2**bits - 2) == function()

    @pytest.mark.parametrize("wrong", [1.0, np.float64(1), "1", b"1", None, 1j, decimal.Decimal(1), [1], Float()])
    def test_no_integer(self, library, spelling, wrong):
        """What has no __index__ is a TypeError that names its type."""
        with pytest.raises(TypeError) as caught:
            library("word", f"{spelling} ({spelling} x)")(wrong)

        assert "'x'" in str(caught.value)
        assert type(wrong).__name__ in str(caught.value)


class TestIntegerObjects:
    """What counts as an integer."""

    @pytest.mark.parametrize("kind", "int8 uint8 int16 uint16 int32 uint32 int64 uint64".split())
    def test_numpy(self, library, kind):
        """NumPy's integers are integers, in range or not."""
        function = library("word", "int (int x)")
        most = np.iinfo(kind).max

        assert function(np.dtype(kind).type(7)) == 7
        if most >= 2**31:
            with pytest.raises(OverflowError):
                function(np.dtype(kind).type(most))

    def test_subclasses(self, library):
        """True is 1, and a member of an IntEnum its number."""
        function = library("word", "int (int x)")

        assert [1, 0, 5] == [function(x) for x in (True, False, Member.FIVE)]

    def test_enormous(self, library):
        """A number too long to be printed is an OverflowError as well."""
        with pytest.raises(OverflowError) as caught:
            library("word", "int (int x)")(10**10_000)

        assert "'x'" in str(caught.value)

    def test_failing_index(self, library):
        """What __index__ raises is what the caller gets; what it returns must be an int."""

        class Failing:
            def __index__(self):
                raise ZeroDivisionError("by __index__")

        with pytest.raises(ZeroDivisionError):
            library("word", "int (int x)")(Failing())
        with pytest.raises(TypeError):
            library("word", "int (int x)")(Index(1.0))

    @pytest.mark.parametrize(("flag", "least", "most"), [("-funsigned-char", 0, 255), ("-fsigned-char", -128, 127)])
    def test_char(self, build, flag, least, most):
        """char has the sign that the plugin was compiled with, whatever the host's is."""
        source = (
            f'#include <plugin.h>\nPLUGIN("numbers{flag}", "1");\nPLUGIN_FUNC(char, same, (char x)) {{ return x; }}'
        )
        same = plugin.open(build(source, flag)).lookup("same")

        assert (least, most) == (same(least), same(most))
        for value in (least - 1, most + 1):
            with pytest.raises(OverflowError):
                same(value)


class TestBool:
    """bool."""

    @pytest.mark.parametrize("true", [True, 1, np.True_, np.bool_(1), Member.ONE])
    @pytest.mark.parametrize("spelling", ["bool", "_Bool"])
    def test_true(self, library, true, spelling):
        """True, NumPy's and 1 are true, and come back as True itself."""
        assert library("word", f"{spelling} ({spelling} x)")(true) is True
        assert library("word", f"int64_t ({spelling} x)")(true) == 1

    @pytest.mark.parametrize("false", [False, 0, np.False_])
    def test_false(self, library, false):
        """False, NumPy's and 0 are false, and come back as False itself."""
        assert library("word", "bool (bool x)")(false) is False

    @pytest.mark.parametrize("wrong", [2, -1, 256, 2**64, pytest.param(10**10_000, id="enormous")])
    def test_other_numbers(self, library, wrong):
        """Another number is an OverflowError, not true."""
        with pytest.raises(OverflowError) as caught:
            library("word", "bool (bool x)")(wrong)

        assert "'x'" in str(caught.value)

    @pytest.mark.parametrize("wrong", [1.0, "", None, [], b"x", np.float64(1), Index(1)])
    def test_no_bool(self, library, wrong):
        """Truth of other objects is not asked."""
        with pytest.raises(TypeError) as caught:
            library("word", "bool (bool x)")(wrong)

        assert type(wrong).__name__ in str(caught.value)

    @pytest.mark.parametrize(("word", "truth"), [(0x5A5A00, False), (0x5A5A01, True), (-256, False)])
    def test_garbage(self, library, word, truth):
        """Only the lowest byte of a result counts."""
        assert library("word", "bool (int64_t x)")(word) is truth


EDGES = [0.0, -0.0, 1.5, -1.5, 5e-324, 1e308, math.inf, -math.inf, math.pi]


class TestFloats:
    """double and float."""

    @pytest.mark.parametrize("value", EDGES)
    def test_double(self, library, value):
        """A double comes back as it went in, sign of zero and denormals included."""
        result = library("real", "double (double x)")(value)

        assert struct.pack("d", value) == struct.pack("d", result)

    @pytest.mark.parametrize("value", [0.0, -0.0, 1.5, 1e-45, -1e-45, FLT_MAX, -FLT_MAX, math.inf, -math.inf, 2**-126])
    def test_float(self, library, value):
        """A value that a float can hold comes back as it went in."""
        result = library("single", "float (float x)")(value)

        assert struct.pack("f", value) == struct.pack("f", result)

    def test_rounded(self, library):
        """What a float cannot hold is rounded to the nearest, and vanishes to a signed zero."""
        function = library("single", "float (float x)")

        assert [struct.unpack("f", struct.pack("f", x))[0] for x in (0.1, 1e-40, 16777217)] == [
            function(x) for x in (0.1, 1e-40, 16777217)
        ]
        assert math.copysign(1, function(-1e-300)) == -1
        assert FLT_MAX == function(math.nextafter(2.0**128 - 2.0**103, 0))

    def test_nan(self, library):
        """nan is nan in both widths."""
        assert math.isnan(library("real", "double (double x)")(math.nan))
        assert math.isnan(library("single", "float (float x)")(math.nan))

    @pytest.mark.parametrize("value", [2.0**128 - 2.0**103, 2.0**128, 1e308, -1e39])
    def test_too_large(self, library, value):
        """A finite number beyond float is an OverflowError, never inf."""
        with pytest.raises(OverflowError) as caught:
            library("single", "float (float x)")(value)

        assert "'x'" in str(caught.value)
        assert "float" in str(caught.value)

    @pytest.mark.parametrize(("declaration", "name"), [("double (double x)", "real"), ("float (float x)", "single")])
    def test_other_numbers(self, library, declaration, name):
        """Ints, bools, NumPy's numbers and whatever has __float__ or __index__ are floats."""
        function = library(name, declaration)
        numbers = [3, True, np.float32(2.5), np.float64(-1), np.int8(4), Index(7), Float(), fractions.Fraction(1, 2)]

        assert [3.0, 1.0, 2.5, -1.0, 4.0, 7.0, 2.5, 0.5] == [function(x) for x in numbers]
        with pytest.raises(OverflowError):
            function(10**400)

    @pytest.mark.parametrize("wrong", ["1.0", b"1", None, 1j, [1.0], np.array([1.0, 2.0])])
    def test_no_number(self, library, wrong):
        """Text, None, complex numbers and arrays are a TypeError."""
        with pytest.raises(TypeError):
            library("real", "double (double x)")(wrong)
