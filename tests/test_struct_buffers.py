"""Structs as buffers and NumPy structured arrays, and variables of array and struct type."""

import array

import natives
import numpy as np
import pytest

import plugin

SOURCE = r"""
#include <plugin.h>
#include <string.h>
PLUGIN("structs/buffers", "1");
PLUGIN_STRUCT(Point, { int16_t x; double y; });
PLUGIN_STRUCT(Path, { int8_t id; Point ends[2]; char name[300]; uint8_t grid[2][3]; bool closed; });
PLUGIN_STRUCT(Bag, { int n; Point *points plugin_count(n); const Path *paths plugin_count(n); });
PLUGIN_FUNC(double, total, (const Point *p plugin_count(n), size_t n))
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += p[i].x * p[i].y;
    return sum;
}
PLUGIN_FUNC(void, raise, (Point *p plugin_count(n), size_t n)) { for (size_t i = 0; i < n; i++) p[i].x++; }
PLUGIN_FUNC(int, grid_at, (const Path *p plugin_count(n), int n, int i))
    { return p[i].grid[1][2] + p[i].name[299] + p[i].closed; }
PLUGIN_VAR(double, gains, [4]) = { 1, 2, 3, 4 };
PLUGIN_VAR(int16_t, table, [2][3]) = { { 1, 2, 3 }, { 4, 5, 6 } };
PLUGIN_VAR(const int, primes, [3]) = { 2, 3, 5 };
PLUGIN_VAR(Point, origin) = { 3, 4.5 };
PLUGIN_VAR(const Point, fixed) = { 7, 8.5 };
PLUGIN_VAR(Point, corners, [2]) = { { 1, 2 }, { 3, 4 } };
PLUGIN_VAR(char, label, [8]) = "abc";
PLUGIN_VAR(const char *, name) = "first";
PLUGIN_VAR(const char *plugin_nullable, maybe) = NULL;
PLUGIN_VAR(int, number) = 5;
PLUGIN_FUNC(double, gain, (int i)) { return gains[i]; }
PLUGIN_FUNC(double, origin_y, (void)) { return origin.y; }
PLUGIN_FUNC(bool, named, (const char *text)) { return strcmp(name, text) == 0; }
"""
READ_ONLY = "__attribute__((visibility(\"default\"))) const double limits[3] = { 1, 2, 3 };"  # fmt: skip
POINT = np.dtype([("x", "i2"), ("y", "f8")], align=True)
PATH = np.dtype(
    [("id", "i1"), ("ends", POINT, (2,)), ("name", "S300"), ("grid", "u1", (2, 3)), ("closed", "?")], align=True
)


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """The plugin of this file."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE))


class TestOneStruct:
    """memoryview of a struct object."""

    def test_bytes(self, p):
        """It is the struct's memory: its size, its bytes, writable."""
        point = p.lookup("Point")(x=-2, y=0.5)
        view = memoryview(point)

        assert (16, 16, 0, False) == (view.nbytes, view.itemsize, view.ndim, view.readonly)
        assert np.array((-2, 0.5), POINT)["y"].tobytes() == bytes(view)[8:]
        np.asarray(view)["x"] = 9
        assert 9 == point.x

    @pytest.mark.parametrize(("name", "dtype"), [("Point", POINT), ("Path", PATH)])
    def test_dtype(self, p, name, dtype):
        """NumPy reads its format as the aligned dtype of the same members: offsets, shapes and size."""
        mine = np.asarray(memoryview(p.lookup(name)())).dtype

        assert dtype.itemsize == mine.itemsize
        theirs, ours = dict(dtype.fields or {}), dict(mine.fields or {})
        assert theirs == {name: ours[name] for name in theirs}
        assert set(theirs) == {name for name in mine.names or () if name}


class TestArraysOfStructs:
    """`const S *x plugin_count(n)` takes structured arrays."""

    def test_read(self, p):
        """The plugin reads NumPy's memory."""
        points = np.array([(1, 2.0), (3, 4.0)], POINT)

        assert 14.0 == p.lookup("total")(points)
        assert 0.0 == p.lookup("total")(points[:0])

    def test_written(self, p):
        """The plugin writes it, without a copy; a read-only array is refused."""
        points = np.array([(1, 2.0), (3, 4.0)], POINT)
        p.lookup("raise")(points)

        assert [2, 4] == points["x"].tolist()
        points.flags.writeable = False
        with pytest.raises(TypeError, match="read-only"):
            p.lookup("raise")(points)

    def test_first(self, build):
        """A function that takes an array of structs needs nothing to have been looked up before it."""
        path = build(SOURCE.replace("structs/buffers", "structs/first"))

        assert 2.0 == plugin.open(path).lookup("total")(np.array([(1, 2.0)], POINT))

    def test_large(self, p):
        """Long text, arrays and nested structs in a struct do not matter."""
        paths = np.zeros(3, PATH)
        paths[2]["grid"][1, 2], paths[2]["closed"], paths[2]["name"] = 40, True, b"\1" * 300

        assert [0, 42] == [p.lookup("grid_at")(paths, 1), p.lookup("grid_at")(paths, 2)]

    def test_own(self, p):
        """The plugin's own arrays of structs serve as well."""
        assert 14.0 == p.lookup("total")(p.lookup("corners"))

    @pytest.mark.parametrize(
        "dtype",
        [
            np.dtype([("x", "i2"), ("y", "f8")]),
            np.dtype([("x", "u2"), ("y", "f8")], align=True),
            np.dtype([("x", "i2"), ("y", "i8")], align=True),
            np.dtype([("x", "i4"), ("y", "f8")], align=True),
            np.dtype([("x", "i2"), ("y", ">f8")], align=True),
            np.dtype([("x", "i2"), ("z", "i2"), ("y", "f8")], align=True),
            np.dtype([("x", "i2"), ("y", "f8"), ("z", "f8")], align=True),
            np.dtype("V16"),
            np.dtype("f8"),
        ],
    )
    def test_wrong(self, p, dtype):
        """Another layout, kind, size, order or number of members is refused, naming argument and struct."""
        with pytest.raises((TypeError, ValueError)) as caught:
            p.lookup("total")(np.zeros(4, dtype))
        assert "'p'" in str(caught.value)
        assert "Point" in str(caught.value)

    def test_member(self, p):
        """A counted member takes a structured array and reads as one."""
        points = np.array([(1, 2.0), (3, 4.0)], POINT)
        bag = p.lookup("Bag")(points=points)

        assert 2 == bag.n
        np.asarray(bag.points)["y"][1] = 9
        assert 9.0 == points["y"][1]
        with pytest.raises((TypeError, ValueError), match="points"):
            bag.points = np.zeros(4, PATH)


class TestArrayVariables:
    """Variables that are arrays."""

    def test_value(self, p):
        """.value is a view of the plugin's memory; the shape is that of the declaration."""
        gains, table = p.lookup("gains"), p.lookup("table")

        assert ((4,), (2, 3)) == (gains.value.shape, table.value.shape)
        assert [[1, 2, 3], [4, 5, 6]] == table.value.tolist()
        gains.value[3] = 40.0
        assert 40.0 == p.lookup("gain")(3)

    def test_numpy(self, p):
        """NumPy's view of it is writable and shares the memory."""
        view = np.asarray(p.lookup("gains"))

        assert np.shares_memory(view, np.asarray(p.lookup("gains").value))
        view[:] = [1, 2, 3, 5]
        assert [1.0, 2.0, 3.0, 5.0] == [p.lookup("gain")(i) for i in range(4)]

    def test_assign(self, p):
        """.value takes a buffer of the same items and shape, and refuses others."""
        p.lookup("gains").value = array.array("d", [4, 3, 2, 1])

        assert 4.0 == p.lookup("gain")(0)
        for wrong in (array.array("d", [1]), array.array("f", [1, 2, 3, 4]), 5):
            with pytest.raises((TypeError, ValueError), match="gains"):
                p.lookup("gains").value = wrong
        with pytest.raises((TypeError, ValueError), match="table"):
            p.lookup("table").value = np.zeros((3, 2), "i2")

    def test_const(self, p):
        """A const array is read, never written."""
        primes = p.lookup("primes")

        assert [2, 3, 5] == primes.value.tolist()
        assert primes.value.readonly
        assert not np.asarray(primes).flags.writeable
        with pytest.raises(TypeError, match="primes"):
            primes.value = array.array("i", [1, 2, 3])

    def test_read_only(self, build):
        """What the file keeps in read-only memory is not written, whatever was declared."""
        limits = plugin.open(build(READ_ONLY), declare="double limits[3];").lookup("limits")

        assert memoryview(limits).readonly
        assert limits.value.readonly
        with pytest.raises(TypeError, match="limits"):
            limits.value = array.array("d", [4, 5, 6])

    def test_text(self, p):
        """char[8] is text."""
        label = p.lookup("label")

        assert "abc" == label.value
        label.value = "defghij"
        assert "defghij" == label.value
        with pytest.raises(ValueError, match="label"):
            label.value = "12345678"


class TestOtherVariables:
    """Variables that are structs, strings and numbers."""

    def test_struct(self, p):
        """.value of a struct is an object on the plugin's memory."""
        origin = p.lookup("origin")
        origin.value.y = 6.5

        assert (6.5, 6.5, 3) == (p.lookup("origin_y")(), origin.value.y, origin.value.x)
        origin.value = p.lookup("Point")(x=1, y=2)
        assert 2.0 == p.lookup("origin_y")()
        np.asarray(origin)["y"] = 1.5
        assert 1.5 == p.lookup("origin_y")()

    def test_const_struct(self, p):
        """A const struct is read; it is not written, nor are its members, nor by its buffer."""
        fixed = p.lookup("fixed")

        assert (7, 8.5) == (fixed.value.x, fixed.value.y)
        with pytest.raises(TypeError):
            fixed.value = p.lookup("Point")()
        assert memoryview(fixed).readonly
        assert memoryview(fixed.value).readonly
        with pytest.raises(TypeError, match="x"):
            fixed.value.x = 1

    def test_structs(self, p):
        """An array of structs is a structured array."""
        corners = np.asarray(p.lookup("corners"))

        assert ([1, 3], [2.0, 4.0]) == (corners["x"].tolist(), corners["y"].tolist())

    def test_string(self, p):
        """A string variable owns the text that Python wrote."""
        name = p.lookup("name")

        assert "first" == name.value
        for n in range(40):
            name.value = "x" * n + str(n)
            assert p.lookup("named")("x" * n + str(n))
        assert p.lookup("maybe").value is None
        p.lookup("maybe").value = "there"
        assert "there" == p.lookup("maybe").value

    def test_number(self, p):
        """A number is a buffer without dimensions."""
        view = memoryview(p.lookup("number"))
        view[()] = 17

        assert (0, 17) == (view.ndim, p.lookup("number").value)
