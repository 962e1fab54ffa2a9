"""Callables that fail, that call the plugin again, that are too many, and that are interrupted."""

import array
import random
import signal
import traceback
from typing import Any

import pytest
from hosting import manifest
from natives import compiled, system

import plugin

SOURCE = (
    manifest(name="example.com/callback-errors")
    + """
#include <signal.h>
PLUGIN_STRUCT(Box, { int n; plugin_destructor void (*close)(Box *self); void (*hook)(int n); });
static __thread int closed;
static void box_close(Box *self) { closed++; self->n = -1; }
static __thread Box box;
PLUGIN_FUNC(plugin_owned Box *, make, (void)) { box = (Box){7, box_close, NULL}; return &box; }
PLUGIN_FUNC(int, closes, (void)) { return closed; }
PLUGIN_FUNC(int, use, (Box *b, void (*f)(void))) { f(); return b->n; }
PLUGIN_FUNC(void, set_hook, (Box *b, void (*f)(int n) plugin_retained)) { b->hook = f; }
PLUGIN_FUNC(int, bare, (int (*f)(int n), int n)) { return f(n); }
PLUGIN_FUNC(int, with_data, (int (*f)(int n, void *data), void *data, int n)) { return f(n, data); }
PLUGIN_FUNC(void, keep, (void (*f)(void) plugin_retained plugin_nullable)) { (void)f; }
PLUGIN_FUNC(void, keep_at, (int place, void (*f)(void) plugin_retained plugin_nullable)) { (void)f; (void)place; }
PLUGIN_FUNC(void, interrupt, (void (*f)(void))) { raise(SIGINT); f(); }
PLUGIN_FUNC(int, failing, (int (*f)(int n, plugin_error *error), plugin_error *error))
{
    plugin_error inner = {0, ""};
    int result = f(1, &inner);
    if (inner.code != 0) { plugin_fail(error, 40 + inner.code, "callback said: %s", inner.message); }
    return result;
}
PLUGIN_FUNC(int, calls, (void (*f)(int n), int times))
{
    int n = 0;
    while (n < times) { f(n++); }
    return n;
}
PLUGIN_FUNC(int, reported, (void (*f)(void), plugin_error *error)) { f(); plugin_fail(error, 1, "mine"); return 0; }
PLUGIN_FUNC(const char *, texted, (void (*f)(void))) { f(); return "text"; }
"""
)


@pytest.fixture(scope="module")
def p(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin of this file, everything in one namespace."""
    return plugin.open(compiled(tmp_path_factory, SOURCE)).bind()


class TestExceptions:
    """An exception in a callable."""

    def test_raised(self, p):
        """It is raised at the call as it is, with the traceback of the callable."""

        def fails(n):
            raise LookupError("from inside")

        with pytest.raises(LookupError, match="from inside") as caught:
            p.bare(fails, 1)

        names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert ["test_raised", "fails"] == names

    def test_stops(self, p):
        """It stops later callbacks of that call, and none of the next."""
        seen: Any = []

        def fails(n):
            seen.append(n)
            if n == 2:
                raise StopIteration(n)

        with pytest.raises(StopIteration):
            p.calls(fails, 10)
        assert [0, 1, 2] == seen
        assert 2 == p.calls(lambda n: None, 2)

    @pytest.mark.parametrize("name", ["reported", "texted"])
    def test_over_results(self, p, name):
        """It is raised whatever the function returns, and its plugin_error is the exception's context at most."""
        with pytest.raises(ZeroDivisionError):
            getattr(p, name)(lambda: 1 // 0)

    def test_own_error(self, p):
        """A callback with a plugin_error of its own has it filled, and nothing is raised behind the plugin's back."""

        def fails(n):
            raise LookupError("gr\u00fc\u00df")

        with pytest.raises(plugin.CallError, match="callback said: gr\u00fc\u00df") as caught:
            p.failing(fails)

        assert 41 == caught.value.code
        assert 5 == p.failing(lambda n: n + 4)

    def test_own_error_long(self, p):
        """A text that is too long for plugin_error is cut on a whole character."""
        for shift in range(4):

            def fails(n, text="x" * shift + "\U0001f600" * 400):
                raise LookupError(text)

            with pytest.raises(plugin.CallError) as caught:
                p.failing(fails)
            assert "\ufffd" not in str(caught.value)

    def test_own_error_empty(self, p):
        """An exception without a text fills in its type's name."""

        def fails(n):
            raise KeyboardInterrupt

        with pytest.raises(plugin.CallError, match="KeyboardInterrupt"):
            p.failing(fails)

    def test_through_another_plugin(self, p, build):
        """It is raised at the call of whatever plugin led to it, one that was never given a callable too."""
        other = plugin.open(
            build(
                manifest(
                    "PLUGIN_STRUCT(Box, { int n; plugin_destructor void (*close)(Box *self); void (*hook)(int n); });"
                    "PLUGIN_FUNC(int, run, (Box *b)) { b->hook(3); return 5; }"
                )
            )
        ).bind()
        box = p.make()

        def hook(n):
            raise LookupError(n)

        p.set_hook(box, hook)
        with pytest.raises(LookupError, match="3"):
            other.run(box)


class TestAgain:
    """Callables that call the plugin."""

    @pytest.mark.parametrize("name", ["bare", "with_data"])
    def test_recursion(self, p, name):
        """A callback calls the function that called it, 30 deep."""
        function = getattr(p, name)

        def factorial(n):
            return n * function(factorial, n - 1) % 1009 if n > 1 else 1

        expected = 1
        for n in range(2, 31):
            expected = n * expected % 1009
        assert expected == function(factorial, 30)

    def test_endless(self, p):
        """Endless recursion through a plugin is a RecursionError."""

        def forever(n):
            return p.with_data(forever, n)

        with pytest.raises(RecursionError):
            p.with_data(forever, 1)

    def test_qsort(self):
        """A comparator of qsort that sorts inside itself: both results are right."""
        qsort = plugin.open(system("c")).lookup(
            "qsort", "void (void *base, size_t n, size_t size, int (*compare)(const int *a, const int *b))"
        )
        numbers = array.array("i", random.Random(3).sample(range(1000), 50))
        expected, inner = sorted(numbers), array.array("i", [3, 1, 2])

        def compare(a, b):
            inner.reverse()
            qsort(inner, 3, 4, lambda x, y: x[0] - y[0])
            return a[0] - b[0]

        qsort(numbers, 50, 4, compare)

        assert expected == list(numbers)
        assert [1, 2, 3] == list(inner)

    def test_closes_object(self, p):
        """A callback cannot release an object that the call uses, which is still whole."""
        box, before = p.make(), p.closes()

        with pytest.raises(ValueError, match="in use"):
            p.use(box, lambda: box.close())
        with pytest.raises(ValueError, match="in use"):
            p.use(box, lambda: box.__exit__())

        assert before == p.closes()
        assert 7 == p.use(box, lambda: None)

    def test_drops_object(self, p):
        """An object whose last name goes in a callback lives until the call is over."""
        boxes, before = [p.make()], p.closes()
        seen: Any = []
        function = p.use

        def drop():
            boxes.clear()
            seen.append(p.closes())

        assert 7 == function(boxes[0], drop)
        assert [before] == seen
        assert before + 1 == p.closes()


class TestPool:
    """The places for callables without data."""

    def test_exhausted(self, p):
        """The 65th at one time is a RuntimeError that names the limit; those with data have none; all come back."""
        depths: Any = []

        def deeper(n):
            depths.append(n)
            return p.bare(deeper, n + 1)

        with pytest.raises(RuntimeError, match="64"):
            p.bare(deeper, 1)
        assert list(range(1, 65)) == depths
        for n in range(200):
            assert n == p.bare(lambda x: x, n)

    def test_deep_with_data(self, p):
        """Callables with data nest deeper than the pool."""

        def deeper(n):
            return p.with_data(deeper, n + 1) if n < 100 else n

        assert 100 == p.with_data(deeper, 1)

    def test_retained(self, p):
        """What is retained takes a place until it is replaced."""
        for place in range(40):
            p.keep_at(place, print)
        for _ in range(100):
            p.keep(print)
            p.keep_at(3, print)
        depth = [0]

        def deeper(n):
            depth[0] = n
            return p.bare(deeper, n + 1)

        with pytest.raises(RuntimeError, match="64"):
            p.bare(deeper, 1)
        for place in range(40):
            p.keep_at(place, None)
        p.keep(None)

        assert 64 - 41 == depth[0]
        assert 3 == p.bare(lambda n: n, 3)


class TestInterrupt:
    """Ctrl-C."""

    def test_in_callback(self, p):
        """Ctrl-C in a callback is raised there, and then at the call."""
        old = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                p.interrupt(lambda: [None for _ in range(100_000)] and None)
        finally:
            signal.signal(signal.SIGINT, old)
