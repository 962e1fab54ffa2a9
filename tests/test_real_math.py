"""The system's libm: real functions over edge values, compared with Python's `math`."""

import itertools
import math
import struct
import sys

import natives
import pytest

import plugin

ONE = """acos acosh asin asinh atan atanh cbrt cos cosh erf erfc exp exp2 expm1 fabs log log10 log1p log2 sin sinh
         sqrt tan tanh""".split()
TWO = ["atan2", "copysign", "fmod", "nextafter", "pow", "remainder"]
MORE = """
    double ceil(double), floor(double), trunc(double), hypot(double x, double y);
    double frexp(double x, int *exponent plugin_out);
    double modf(double x, double *whole plugin_out);
    double remquo(double x, double y, int *quotient plugin_out);
    double lgamma_r(double x, int *sign plugin_out);
    double ldexp(double x, int exponent), scalbln(double x, long exponent), tgamma(double);
    int ilogb(double); long lround(double); long long llround(double);
    float sqrtf(float), fabsf(float), ldexpf(float, int), nextafterf(float, float);
    double nan(const char *tag);
    void sincos(double x, double *sine plugin_out, double *cosine plugin_out);
"""
DECLARATIONS = "".join(
    [*(f"double {name}(double x);" for name in ONE), *(f"double {name}(double x, double y);" for name in TWO), MORE]
)

TINY, SMALLEST, HUGE = 5e-324, sys.float_info.min, sys.float_info.max
EDGES = [0.0, TINY, SMALLEST, 1e-300, 1e-8, 0.5, 1 - 2**-53, 1.0, 1 + 2**-52, 1.5, 2.0, 2.5, math.e, math.pi / 2]
EDGES += [math.pi, 10.0, 100.0, 709.5, 745.0, 1e15 + 0.5, 2.0**53, 1e22, 1e300, HUGE, math.inf, math.nan]
EDGES += [-x for x in EDGES]
FINITE = [x for x in EDGES if math.isfinite(x)]


@pytest.fixture(scope="module")
def libm():
    """The plugin of the system's libm."""
    return plugin.open(natives.system("m"), declare=DECLARATIONS)


def bits(x):
    """The bytes of a double, one form for all NaNs: -0.0 and 0.0 differ, nan and nan do not."""
    return "nan" if math.isnan(x) else struct.pack("<d", x).hex()


def outcome(function, *arguments):
    """What `math` says, as the set of bit patterns that C may give for it: it raises where C gives inf or nan."""
    try:
        return {bits(function(*arguments))}
    except ValueError:
        return {"nan", bits(math.inf), bits(-math.inf)}
    except OverflowError:
        return {bits(math.inf), bits(-math.inf)}


def single(x):
    """The float nearest to a double."""
    return struct.unpack("f", struct.pack("f", x))[0]


class TestSameAsMath:
    """Functions that `math` takes from libm, too."""

    @pytest.mark.parametrize("name", ONE)
    def test_one_argument(self, libm, name):
        """A function of one double gives, bit for bit, what math gives."""
        function = libm.lookup(name)
        wrong = [x for x in EDGES if bits(function(x)) not in outcome(getattr(math, name), x)]

        assert [] == wrong

    @pytest.mark.parametrize("name", TWO)
    def test_two_arguments(self, libm, name):
        """A function of two doubles gives, bit for bit, what math gives, for every pair of edge values."""
        function = libm.lookup(name)
        pairs = itertools.product(EDGES, EDGES)
        wrong = [pair for pair in pairs if bits(function(*pair)) not in outcome(getattr(math, name), *pair)]

        assert [] == wrong

    @pytest.mark.parametrize("name", ["ceil", "floor", "trunc"])
    def test_rounding(self, libm, name):
        """Rounding gives the double that is equal to math's int."""
        function = libm.lookup(name)

        assert [getattr(math, name)(x) for x in FINITE] == [function(x) for x in FINITE]

    def test_hypot(self, libm):
        """hypot, which math computes itself, is equal to within the last bit."""
        hypot = libm.lookup("hypot")

        for x, y in itertools.product(EDGES, EDGES):
            expected = math.hypot(x, y)
            assert bits(expected) == bits(hypot(x, y)) or math.isclose(expected, hypot(x, y), rel_tol=2**-52), (x, y)

    def test_integer_argument(self, libm):
        """ldexp and scalbln take an int beside the double, in a register file of its own."""
        ldexp, scalbln = libm.lookup("ldexp"), libm.lookup("scalbln")

        for x, exponent in itertools.product(EDGES, [-5000, -1074, -1, 0, 1, 1023, 5000]):
            assert bits(ldexp(x, exponent)) in outcome(math.ldexp, x, exponent), (x, exponent)
            assert bits(scalbln(x, exponent)) in outcome(math.ldexp, x, exponent), (x, exponent)

    def test_too_large_exponent(self, libm):
        """An exponent beyond int is an OverflowError, where math takes it."""
        with pytest.raises(OverflowError) as caught:
            libm.lookup("ldexp")(1.0, 2**31)

        assert "ldexp" in str(caught.value)
        assert "exponent" in str(caught.value)

    def test_gamma(self, libm):
        """tgamma is near math.gamma, which has an algorithm of its own."""
        for x in (0.5, 1.0, 4.5, 10.0, 20.0, -0.5, -1.5):
            assert math.gamma(x) == pytest.approx(libm.lookup("tgamma")(x), rel=1e-14)


class TestOutArguments:
    """Results by pointer."""

    def test_frexp(self, libm):
        """frexp gives the mantissa and the int that it writes, as math does."""
        assert [math.frexp(x) for x in FINITE] == [libm.lookup("frexp")(x) for x in FINITE]

    def test_modf(self, libm):
        """modf gives the fraction and the double that it writes, signs of zeros included."""
        modf = libm.lookup("modf")

        for x in EDGES:
            assert [bits(part) for part in math.modf(x)] == [bits(part) for part in modf(x)], x

    def test_lgamma(self, libm):
        """lgamma_r gives the logarithm, and the sign of gamma as an int."""
        lgamma = libm.lookup("lgamma_r")

        for x in (0.5, 1.0, 2.0, 4.5, 171.0, 1e10, -0.5, -1.5):
            value, sign = lgamma(x)
            assert math.lgamma(x) == pytest.approx(value, rel=1e-13, abs=1e-14)
            assert (1 if x > 0 or math.floor(x) % 2 == 0 else -1) == sign
        assert (math.inf, 1) == lgamma(0.0)

    def test_remquo(self, libm):
        """remquo gives math.remainder, and the low bits of the quotient with its sign."""
        remquo = libm.lookup("remquo")

        for x, y in itertools.product([-7.5, -1.0, 0.25, 5.0, 6.5], [-2.0, 1.0, 3.0]):
            remainder, quotient = remquo(x, y)
            assert math.remainder(x, y) == remainder
            exact = round((x - remainder) / y)
            assert abs(exact) % 8 == abs(quotient) % 8
            assert exact * quotient >= 0

    def test_no_own_result(self, libm):
        """A void function with two outs gives a tuple of the two."""
        for x in FINITE:
            assert (math.sin(x), math.cos(x)) == libm.lookup("sincos")(x)


class TestOtherTypes:
    """int, long, long long, float and text."""

    def test_ilogb(self, libm):
        """ilogb gives the exponent as an int, a negative one too."""
        finite = [x for x in FINITE if x != 0]

        assert [math.frexp(x)[1] - 1 for x in finite] == [libm.lookup("ilogb")(x) for x in finite]
        assert libm.lookup("ilogb")(math.inf) == 2**31 - 1

    @pytest.mark.parametrize("name", ["lround", "llround"])
    def test_long(self, libm, name):
        """A long comes back with all its bits and its sign."""
        function = libm.lookup(name)

        assert [2**62, -(2**62), 3, -3, 0] == [function(x) for x in (2.0**62, -(2.0**62), 2.5, -2.5, -0.25)]

    def test_float(self, libm):
        """A float goes in and comes out with 32 bits: what is not a float is rounded to one first."""
        sqrtf, fabsf = libm.lookup("sqrtf"), libm.lookup("fabsf")

        for x in (0.0, 0.1, 1e-45, 2.0, 1e10, 3.4e38, math.inf):
            assert single(math.sqrt(single(x))) == sqrtf(x)
            assert single(x) == fabsf(-x)
        assert math.isnan(sqrtf(-1.0))

    def test_float_and_int(self, libm):
        """Floats and ints stand in one prototype."""
        assert libm.lookup("ldexpf")(0.75, 4) == 12.0
        assert libm.lookup("nextafterf")(1.0, 2.0) == 1 + 2**-23

    def test_text(self, libm):
        """nan takes a string."""
        assert math.isnan(libm.lookup("nan")("1"))
