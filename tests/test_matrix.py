"""A matrix product in both spellings, and arrays of up to four dimensions."""

import array

import natives
import numpy as np
import pytest

import plugin

BODY = """
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) {
            double sum = 0;
            for (size_t l = 0; l < k; l++) sum += AT(a, i, l, k) * AT(b, l, j, m);
            AT(c, i, j, m) = sum;
        }
}
"""
SOURCE = (
    """
#include <plugin.h>
PLUGIN("matrix/product", "1");
#define AT(x, i, j, width) x[i][j]
PLUGIN_FUNC(void, product, (size_t n, size_t k, size_t m, const double a[n][k], const double b[k][m],
    double c[n][m]))"""
    + BODY
    + """
#undef AT
#define AT(x, i, j, width) x[(i) * (width) + (j)]
PLUGIN_FUNC(void, product_counted, (const double *a plugin_count(n, k), const double *b plugin_count(k, m),
                                    double *c plugin_count(n, m), size_t n, size_t k, size_t m))"""
    + BODY
    + """
PLUGIN_FUNC(int, cube, (size_t n, size_t m, size_t k, const int x[n][m][k])) { return x[n - 1][m - 1][k - 1]; }
PLUGIN_FUNC(int, four, (size_t n, size_t m, size_t k, const int x[n][m][k][2])) { return x[n - 1][m - 1][k - 1][1]; }
PLUGIN_FUNC(int, square, (size_t n, const int x[n][n])) { return x[n - 1][0]; }
"""
)
BOTH = pytest.mark.parametrize("name", ["product", "product_counted"])


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """The plugin of this file."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE))


class TestProduct:
    """c = a b."""

    @BOTH
    @pytest.mark.parametrize(("n", "k", "m"), [(1, 1, 1), (2, 3, 4), (7, 5, 1), (1, 30, 20), (16, 16, 16)])
    def test_numpy(self, p, name, n, k, m):
        """It equals NumPy's."""
        rng = np.random.default_rng(n * k * m)
        a, b, c = rng.normal(size=(n, k)), rng.normal(size=(k, m)), np.full((n, m), np.nan)
        p.lookup(name)(a, b, c)

        assert np.allclose(a @ b, c)

    @BOTH
    @pytest.mark.parametrize(("n", "k", "m"), [(0, 3, 4), (2, 0, 4), (2, 3, 0), (0, 0, 0)])
    def test_empty(self, p, name, n, k, m):
        """Lengths of zero are lengths."""
        c = np.full((n, m), np.nan)
        p.lookup(name)(np.ones((n, k)), np.ones((k, m)), c)

        assert np.array_equal(np.ones((n, k)) @ np.ones((k, m)), c)

    @BOTH
    @pytest.mark.parametrize(
        ("shapes", "words"),
        [
            (((2, 3), (4, 5), (2, 5)), ("'b'", "'k'", "4", "3", "'a'")),
            (((2, 3), (3, 5), (9, 5)), ("'c'", "'n'", "9", "2", "'a'")),
            (((2, 3), (3, 5), (2, 9)), ("'c'", "'m'", "9", "5", "'b'")),
        ],
    )
    def test_disagree(self, p, name, shapes, words):
        """Lengths that disagree are named, with both extents and both arguments."""
        with pytest.raises(ValueError) as caught:
            p.lookup(name)(*map(np.ones, shapes))
        for word in words:
            assert word in str(caught.value)

    @BOTH
    def test_dimensions(self, p, name):
        """So many dimensions, no more and no less."""
        for wrong in (np.ones(6), np.ones((1, 2, 3)), np.float64(1)):
            with pytest.raises(ValueError, match=r"'a'.*dimension"):
                p.lookup(name)(wrong, np.ones((3, 4)), np.ones((2, 4)))


class TestRefused:
    """Memory of another layout: never copied in secret."""

    @pytest.mark.parametrize(
        "wrong", [np.ones((3, 2)).T, np.ones((4, 3))[::2], np.ones((2, 6))[:, ::2], np.ones((2, 3))[::-1]]
    )
    def test_order(self, p, wrong):
        """Fortran order and strides are refused; the sentence says how to make a right one."""
        with pytest.raises(ValueError, match=r"'a'.*numpy.ascontiguousarray"):
            p.lookup("product")(wrong, np.ones((3, 4)), np.ones((2, 4)))

    @pytest.mark.parametrize("dtype", ["f4", "i8", ">f8", "c16", "?", "S8"])
    def test_items(self, p, dtype):
        """Items of another kind, size or byte order are refused, naming what is wanted."""
        with pytest.raises((TypeError, ValueError), match=r"'a'"):
            p.lookup("product")(np.zeros((2, 3), dtype), np.ones((3, 4)), np.ones((2, 4)))

    def test_items_sentence(self, p):
        """The sentence names the wanted items and those that there are."""
        with pytest.raises(TypeError, match=r"double.*'f'"):
            p.lookup("product")(np.zeros((2, 3), "f4"), np.ones((3, 4)), np.ones((2, 4)))

    def test_read_only(self, p):
        """The result is written, so it must be writable."""
        c = np.ones((2, 4))
        c.flags.writeable = False
        with pytest.raises(TypeError, match=r"'c'.*read-only"):
            p.lookup("product")(np.ones((2, 3)), np.ones((3, 4)), c)

    def test_alignment(self, p):
        """An array at an odd address is refused."""
        odd = np.frombuffer(bytearray(6 * 8 + 1), "u1")[1:].view("f8").reshape(2, 3)
        with pytest.raises(ValueError, match=r"'a'.*aligned"):
            p.lookup("product")(odd, np.ones((3, 4)), np.ones((2, 4)))

    def test_no_array(self, p):
        """Lists are not arrays."""
        with pytest.raises(TypeError, match="'a'"):
            p.lookup("product")([[1.0]], np.ones((1, 1)), np.ones((1, 1)))


class TestDimensions:
    """More than two dimensions."""

    def test_three_and_four(self, p):
        """Three and four dimensions are counted in C's order, and a constant one is demanded."""
        assert 23 == p.lookup("cube")(np.arange(24, dtype="i").reshape(2, 3, 4))
        assert 47 == p.lookup("four")(np.arange(48, dtype="i").reshape(2, 3, 4, 2))
        with pytest.raises(ValueError, match=r"dimension 4.*2"):
            p.lookup("four")(np.zeros((2, 3, 4, 3), "i"))

    def test_casts(self, p):
        """A memoryview of several dimensions serves as well as an array of NumPy's."""
        view = memoryview(array.array("i", range(24))).cast("B").cast("i", (2, 3, 4))

        assert 23 == p.lookup("cube")(view)

    def test_same_twice(self, p):
        """One length named twice by one array makes it square."""
        assert 6 == p.lookup("square")(np.arange(9, dtype="i").reshape(3, 3))
        with pytest.raises(ValueError, match="'n'"):
            p.lookup("square")(np.zeros((2, 3), "i"))

    def test_five(self, build):
        """Five dimensions are refused when the declaration is read."""
        with pytest.raises(plugin.DeclarationError, match="dimensions"):
            plugin.open(build("int x;")).declare("void f(const int x[1][2][3][4][5]);")
