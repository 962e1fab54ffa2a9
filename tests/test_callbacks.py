"""Callables as function pointers: where their data goes, what they are given and give back, and what they raise."""

import weakref
from typing import Any

import numpy as np
import pytest
from hosting import manifest
from natives import compiled

import plugin

REGISTERS = 8
PLACES = "".join(
    f"""
PLUGIN_FUNC(int64_t, place_{k}, (int64_t (*f)({"int64_t a, " * k}void *data), void *data))
{{
    return f({"".join(f"{n + 1}, " for n in range(k))}data);
}}
"""
    for k in range(REGISTERS + 2)
).replace("int64_t a, ", "int64_t, ")

SOURCE = (
    manifest(name="example.com/callbacks")
    + PLACES
    + """
PLUGIN_STRUCT(Point, { double x; double y; });
PLUGIN_FUNC(int, named, (void *user, int (*f)(int n, void *user))) { return f(20, user) + f(1, user); }
PLUGIN_FUNC(int, next, (int (*f)(void *context, int n), void *closure)) { return f(closure, 5); }
PLUGIN_FUNC(int, bare, (int (*f)(int n), int n)) { return f(n); }
PLUGIN_FUNC(int, maybe, (int (*f)(int n) plugin_nullable)) { return f ? f(2) : -1; }
PLUGIN_FUNC(void, two, (void (*f)(int n), void (*g)(int n))) { f(1); g(2); f(3); }
PLUGIN_FUNC(double, f64, (double (*f)(double a, int n, double b))) { return f(1.5, 2, 0.25); }
PLUGIN_FUNC(float, f32, (float (*f)(float a))) { return f(0.5f); }
PLUGIN_FUNC(bool, flip, (bool (*f)(bool a))) { return f(true); }
PLUGIN_FUNC(int8_t, i8, (int8_t (*f)(int8_t a))) { return f(-128); }
PLUGIN_FUNC(uint16_t, u16, (uint16_t (*f)(uint16_t a))) { return f(65535); }
PLUGIN_FUNC(uint64_t, u64, (uint64_t (*f)(uint64_t a))) { return f(UINT64_MAX); }
PLUGIN_FUNC(double, many, (double (*f)(int a, double b, int c, double d, int e, int g, int h, int i, int j, float k)))
{
    return f(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
}
PLUGIN_FUNC(void, text, (void (*f)(const char *s, const char *none plugin_nullable, const char *raw plugin_bytes)))
{
    f("gr\\xc3\\xbc\\xc3\\x9f", NULL, "\\xff");
}
PLUGIN_FUNC(void, broken, (void (*f)(const char *s))) { f("\\xff"); }
PLUGIN_FUNC(double, point, (void (*f)(Point *p))) { Point p = {1, 2}; f(&p); return p.x + p.y; }
PLUGIN_FUNC(double, filled, (void (*f)(double *x plugin_count(n), size_t n)))
{
    double x[3] = {1, 2, 3};
    f(x, 3);
    return x[0] + x[1] + x[2];
}
PLUGIN_FUNC(void, read_only, (void (*f)(const int32_t *x plugin_count(n, m), int8_t n, int m)))
{
    const int32_t x[6] = {0, 1, 2, 3, 4, 5};
    f(x, 2, 3);
}
PLUGIN_FUNC(void, empty, (void (*f)(const int *x plugin_count(n), int n))) { f(NULL, 0); }
PLUGIN_FUNC(void, negative, (void (*f)(const int *x plugin_count(n), int n))) { int x = 0; f(&x, -1); }
PLUGIN_FUNC(void, bytes, (void (*f)(const void *x plugin_count(n), size_t n))) { f("a\\0b", 3); }
PLUGIN_FUNC(void, names, (void (*f)(const char *const *x plugin_count(n), int n)))
{
    const char *x[] = {"one", NULL, "three"};
    f(x, 3);
}
PLUGIN_FUNC(void, points, (void (*f)(Point **x plugin_count(n), int n)))
{
    static Point a = {1, 2}, b = {3, 4};
    Point *x[] = {&a, &b};
    f(x, 2);
}
PLUGIN_FUNC(void, address, (void (*f)(const void *x))) { f("x"); }
"""
)


@pytest.fixture(scope="module")
def p(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin of this file, everything in one namespace."""
    return plugin.open(compiled(tmp_path_factory, SOURCE)).bind()


class TestData:
    """Which `void *` carries the callable, and where it stands."""

    @pytest.mark.parametrize("k", range(REGISTERS + 2))
    def test_place(self, p, k):
        """Data is found in every integer register and on the stack, and is no argument of the callable."""
        seen: Any = []

        assert 7 == getattr(p, f"place_{k}")(lambda *numbers: seen.append(numbers) or 7)
        assert [tuple(range(1, k + 1))] == seen

    def test_same_name(self, p):
        """The void * of the same name is the data, wherever it stands."""
        assert 23 == p.named(lambda n: n + 1)

    def test_following(self, p):
        """Without one of the same name it is the void * that follows."""
        assert 10 == p.next(lambda n: 2 * n)

    def test_without(self, p):
        """A callback without data takes a callable for the call, two of them each their own."""
        seen: Any = []
        p.two(lambda n: seen.append(("f", n)), lambda n: seen.append(("g", n)))

        assert 9 == p.bare(lambda n: n * n, 3)
        assert [("f", 1), ("g", 2), ("f", 3)] == seen

    def test_freed(self, p):
        """The callable is let go when the call is over."""

        class Callable:
            def __call__(self, *numbers):
                return len(numbers)

        f = Callable()
        gone = weakref.ref(f)
        assert 1 == p.bare(f, 3) == p.next(f)
        del f

        assert gone() is None


class TestValues:
    """What a callable is given and gives back."""

    def test_numbers(self, p):
        """Numbers of every kind come and go unharmed, at the ends of their ranges too."""
        assert 1.5 * 2 - 0.25 == p.f64(lambda a, n, b: a * n - b)
        assert 0.25 == p.f32(lambda a: a / 2)
        assert p.flip(lambda a: not a) is False
        assert -128 == p.i8(lambda a: a)
        assert 65535 == p.u16(lambda a: a)
        assert 2**64 - 1 == p.u64(lambda a: a)

    def test_stack(self, p):
        """Arguments beyond the registers are those that the plugin gave, in order."""
        seen: Any = []

        assert 55.0 == p.many(lambda *x: seen.extend(x) or sum(x))
        assert [1, 2.0, 3, 4.0, 5, 6, 7, 8, 9, 10.0] == seen
        assert [int, float] == [type(x) for x in seen[:2]]

    def test_strings(self, p):
        """Text comes as str, NULL as None, plugin_bytes as bytes."""
        seen: Any = []
        p.text(lambda *x: seen.extend(x))

        assert ["grüß", None, b"\xff"] == seen

    def test_not_utf8(self, p):
        """Text that is not UTF-8 raises at the call, and names the function."""
        with pytest.raises(ValueError, match=r"broken.*UTF-8"):
            p.broken(print)

    def test_struct(self, p):
        """A struct comes as its object, and what is written to it is what the plugin sees."""

        def double(point):
            point.x, point.y = 10 * point.x, 10 * point.y

        assert 30.0 == p.point(double)

    def test_array(self, p):
        """`T *x plugin_count(n)` is a writable view of the plugin's memory; the length is not passed."""

        def negate(x):
            np.asarray(x)[:] *= -1

        assert -6.0 == p.filled(negate)

    def test_array_read_only(self, p):
        """A const array is read-only, of as many dimensions as declared, with lengths of any integer type."""
        seen: Any = []
        p.read_only(lambda x: seen.extend([x.tolist(), x.readonly, x.shape]))

        assert [[[0, 1, 2], [3, 4, 5]], True, (2, 3)] == seen

    def test_array_of_nothing(self, p):
        """A zero length is an empty view, even of NULL; a negative one raises."""
        seen: Any = []
        p.empty(lambda x: seen.append(x.tolist()))

        assert [[]] == seen
        with pytest.raises(ValueError, match="negative"):
            p.negative(print)

    def test_bytes(self, p):
        """`const void *x plugin_count(n)` is a view of bytes; without a length it is a Pointer."""
        seen: Any = []
        p.bytes(lambda x: seen.append(bytes(x)))
        p.address(lambda x: seen.append(type(x)))

        assert [b"a\0b", plugin.Pointer] == seen

    def test_arrays_of_pointers(self, p):
        """Arrays of strings and of objects come as tuples, NULL as None."""
        seen: Any = []
        p.names(seen.append)
        p.points(lambda x: seen.append([point.y for point in x]))

        assert [("one", None, "three"), [2.0, 4.0]] == seen

    def test_view_kept(self, p):
        """A view that was kept is dead after the call: use of it is a ValueError."""
        kept: Any = []
        p.filled(kept.append)

        with pytest.raises(ValueError, match="released"):
            kept[0][0]

    def test_view_exported(self, p):
        """Something that still looks through the view when the callback returns is an error of it."""
        kept: Any = []
        with pytest.raises(BufferError):
            p.filled(lambda x: kept.append(np.asarray(x)))

    @pytest.mark.parametrize(
        ("name", "wrong", "error"),
        [
            ("bare", "text", TypeError),
            ("bare", None, TypeError),
            ("bare", 2**31, OverflowError),
            ("bare", 1.5, TypeError),
        ],
    )
    def test_wrong_result(self, p, name, wrong, error):
        """A result of a wrong type or out of range raises at the call, and names function and parameter."""
        with pytest.raises(error) as caught:
            getattr(p, name)(lambda n: wrong, 1)

        assert "bare" in str(caught.value)
        assert "'f'" in str(caught.value)

    def test_void_ignores(self, p):
        """What a callable without a result returns does not matter."""
        assert p.two(lambda n: "anything", lambda n: object()) is None

    def test_wrong_arity(self, p):
        """A callable of other parameters raises Python's own TypeError."""
        with pytest.raises(TypeError, match="positional argument"):
            p.bare(lambda: 1, 1)

    @pytest.mark.parametrize("wrong", [5, "f", None, object(), [print]])
    def test_not_callable(self, p, wrong):
        """What is not callable is a TypeError; None only where plugin_nullable says so."""
        with pytest.raises(TypeError, match="callable"):
            p.bare(wrong, 1)
        if wrong is not None:
            with pytest.raises(TypeError, match="callable"):
                p.maybe(wrong)

    def test_nullable(self, p):
        """None is NULL where plugin_nullable says so."""
        assert (-1, 4) == (p.maybe(None), p.maybe(lambda n: 2 * n))
