"""Python objects that stand for an `S *`: their methods are the struct's."""

import gc
import types
import weakref
from typing import Any

import pytest
from hosting import manifest
from natives import compiled

import plugin

SOURCE = (
    manifest(name="example.com/implement")
    + """
#include <pthread.h>
PLUGIN_STRUCT(Point, { double x; double y; });
PLUGIN_STRUCT(Shape, {
    double (*area)(const Shape *self);
    void (*move)(Shape *self, const Point *by, int32_t *steps plugin_count(n), size_t n);
    int (*fail)(Shape *self, plugin_error *error) plugin_nullable;
    int (*helper)(int n) plugin_nullable;
    bool (*like)(const Shape *self, const Shape *other) plugin_nullable;
    plugin_destructor void (*close)(Shape *self) plugin_nullable;
    int sides;
    const char *label plugin_nullable;
});
static Shape *kept;
PLUGIN_FUNC(double, area, (const Shape *shape)) { return shape->area(shape); }
PLUGIN_FUNC(double, area_or, (const Shape *shape plugin_nullable)) { return shape ? shape->area(shape) : -1; }
PLUGIN_FUNC(int, move, (Shape *shape))
{
    Point by = {3, 4};
    int32_t steps[2] = {1, 2};
    shape->move(shape, &by, steps, 2);
    return steps[0] + steps[1];
}
PLUGIN_FUNC(int, fail, (Shape *shape, plugin_error *error)) { return shape->fail(shape, error); }
PLUGIN_FUNC(int, help, (const Shape *shape, int n)) { return shape->helper ? shape->helper(n) : -1; }
PLUGIN_FUNC(bool, like, (const Shape *a, const Shape *b)) { return a->like(a, b); }
PLUGIN_FUNC(int, sides, (const Shape *shape)) { return shape->sides; }
PLUGIN_FUNC(const char *, label, (const Shape *shape)) { return shape->label ? shape->label : "none"; }
PLUGIN_FUNC(Shape *, same, (Shape *shape)) { return shape; }
PLUGIN_FUNC(void, keep, (Shape *shape plugin_retained plugin_nullable)) { kept = shape; }
PLUGIN_FUNC(void, take, (Shape *shape plugin_owned)) { kept = shape; }
PLUGIN_FUNC(void, drop, (void)) { if (kept->close) { kept->close(kept); } kept = NULL; }
PLUGIN_FUNC(double, kept_area, (void)) { return kept->area(kept); }
static void *run(void *result) { *(double *)result = kept->area(kept); return NULL; }
PLUGIN_FUNC(plugin_blocking double, area_in_thread, (void))
{
    pthread_t thread;
    double result = 0;
    pthread_create(&thread, NULL, run, &result);
    pthread_join(thread, NULL);
    return result;
}
"""
)


class Square:
    """A Shape in Python."""

    sides = 4
    label = "squ\xe4re"

    def __init__(self, side: float = 3.0) -> None:
        self.side = side
        self.seen: list[Any] = []

    def area(self) -> float:
        return self.side**2

    def move(self, by: Any, steps: Any) -> None:
        self.seen.append((by.x, by.y, steps.tolist()))
        steps[0] = 40


@pytest.fixture(scope="module")
def p(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin of this file, everything in one namespace."""
    return plugin.open(compiled(tmp_path_factory, SOURCE, "-pthread")).bind()


class TestMethods:
    """What the plugin calls."""

    def test_called(self, p):
        """Methods get their arguments as callbacks do, without self, and arrays that can be written."""
        square = Square()

        assert 9.0 == p.area(square)
        assert 42 == p.move(square)
        assert [(3.0, 4.0, [1, 2])] == square.seen

    def test_exception(self, p):
        """What a method raises is raised at the call; one with a plugin_error fills that in."""
        square: Any = Square()
        square.area = lambda: 1 // 0
        square.fail = lambda: [][1]

        with pytest.raises(ZeroDivisionError):
            p.area(square)
        with pytest.raises(plugin.CallError, match="list index out of range"):
            p.fail(square)

    def test_wrong_result(self, p):
        """A wrong result names struct and method."""
        square: Any = Square()
        square.area = lambda: "large"

        with pytest.raises(TypeError, match=r"Shape\.area"):
            p.area(square)

    def test_nullable(self, p):
        """A method that may be missing is NULL if it is missing or None, and called if it is there."""
        square: Any = Square()
        assert -1 == p.help(square, 5)
        square.helper = None
        assert -1 == p.help(square, 5)
        square.helper = lambda n: n + 1
        assert 6 == p.help(square, 5)

    def test_data(self, p):
        """Attributes fill in the struct's data; those that are missing are zero and NULL."""
        bare = types.SimpleNamespace(area=lambda: 1.0, move=print)

        assert (4, "squ\xe4re") == (p.sides(Square()), p.label(Square()))
        assert (0, "none") == (p.sides(bare), p.label(bare))

    def test_subclass(self, p):
        """An overridden method of a subclass is what is called."""

        class Half(Square):
            def area(self):
                return super().area() / 2

        assert 4.5 == p.area(Half())

    def test_two(self, p):
        """One object is given the other as itself."""

        class Same(Square):
            def like(self, other):
                return other is self

        one, two = Same(), Same()

        assert not p.like(one, two)
        assert p.like(one, one)


class TestRefused:
    """Objects that do not stand for it."""

    @pytest.mark.parametrize("wrong", [5, "text", object(), [], print, {"area": 1}, Square])
    def test_wrong(self, p, wrong):
        """What lacks the methods, and a class instead of its instance, is a TypeError that names the struct."""
        with pytest.raises(TypeError, match=r"Shape \*"):
            p.area(wrong)

    def test_missing_method(self, p):
        """The method that is missing is named."""
        with pytest.raises(TypeError, match="move"):
            p.area(types.SimpleNamespace(area=lambda: 1.0))

    def test_wrong_data(self, p):
        """An attribute of a wrong type is named."""
        square: Any = Square()
        square.sides = "four"

        with pytest.raises(TypeError, match="sides"):
            p.area(square)

    def test_property_fails(self, p):
        """What a property raises while the methods are looked for is raised."""

        class Failing(Square):
            @property
            def sides(self):  # type: ignore[override]
                raise LookupError("not ready")

        with pytest.raises(LookupError, match="not ready"):
            p.area(Failing())

    def test_none(self, p):
        """None is NULL only where plugin_nullable says so."""
        assert -1 == p.area_or(None)
        with pytest.raises(TypeError):
            p.area(None)


class TestLife:
    """How long it lives, and who it is."""

    def test_identity(self, p):
        """The object that the plugin hands back is the object."""
        square = Square()

        assert square is p.same(square)

    def test_freed(self, p):
        """It is let go after the call."""
        square = Square()
        gone = weakref.ref(square)
        p.area(square)
        del square
        gc.collect()

        assert gone() is None

    def test_retained(self, p):
        """One that the plugin keeps lives, and is called from threads of the plugin."""
        square = Square(5.0)
        gone = weakref.ref(square)
        p.keep(square)
        del square
        gc.collect()

        assert 25.0 == p.kept_area() == p.area_in_thread()
        p.keep(None)
        gc.collect()
        assert gone() is None

    def test_owned(self, p):
        """One that the plugin takes over lives until the plugin calls its destructor, and no longer."""

        class Closing(Square):
            closed = 0

            def close(self):
                Closing.closed += 1

        square = Closing(2.0)
        gone = weakref.ref(square)
        p.take(square)
        del square
        gc.collect()
        assert gone() is not None
        assert 4.0 == p.kept_area()
        p.drop()
        gc.collect()

        assert 1 == Closing.closed
        assert gone() is None

    def test_owned_twice(self, p):
        """An object may be taken over twice: each is released by itself."""

        class Closing(Square):
            closed = 0

            def close(self):
                Closing.closed += 1

        square = Closing()
        for _ in range(2):
            p.take(square)
            p.drop()

        assert 2 == Closing.closed
        assert 9.0 == p.area(square)
