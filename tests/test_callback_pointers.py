"""Callables and objects of Python that give pointers to a plugin: text, objects, and objects that stand for them."""

import contextlib
import gc
import itertools
import sys
import weakref

import natives
import pytest

import plugin

SOURCE = """
#include <plugin.h>
#include <stdlib.h>
#include <string.h>
PLUGIN("callbacks/pointers", "1");
PLUGIN_STRUCT(Named, {
    const char *(*Name)(struct Named *self);
    plugin_nullable const char *(*Title)(struct Named *self);
    struct Named *(*Next)(struct Named *self);
    plugin_nullable struct Named *(*Maybe)(struct Named *self);
    plugin_owned char *(*Copy)(struct Named *self);
});
static const char *fixed(Named *self) { (void)self; return "fixed"; }
static Named own = { fixed, NULL, NULL, NULL, NULL };
PLUGIN_FUNC(Named *, native, (void)) { return &own; }
static size_t size(const char *text) { return text != NULL ? strlen(text) : 1000; }
PLUGIN_FUNC(size_t, name, (Named *n)) { return size(n->Name(n)); }
PLUGIN_FUNC(size_t, title, (Named *n)) { return size(n->Title(n)); }
PLUGIN_FUNC(size_t, next, (Named *n)) { Named *m = n->Next(n); return m != NULL ? size(m->Name(m)) : 2000; }
PLUGIN_FUNC(bool, maybe, (Named *n)) { return n->Maybe(n) != NULL; }
PLUGIN_FUNC(size_t, copy, (Named *n)) { char *text = n->Copy(n); size_t k = size(text); free(text); return k; }
PLUGIN_FUNC(size_t, twice, (const char *(*f)(int i, void *data), void *data))
{
    const char *first = f(1, data);
    size_t all = size(first);

    return all + size(f(2, data));
}
PLUGIN_FUNC(bool, same, (void *(*f)(void *data), void *data, const void *wanted)) { return f(data) == wanted; }
"""


class Named:
    """A Python object with the struct's methods."""

    def __init__(self, name, other=None):
        self.name, self.other = name, other

    def Name(self):
        return self.name

    Title = Copy = Name

    def Next(self):
        return self.other

    Maybe = Next


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """The plugin of this file, as a namespace."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE)).bind()


class TestText:
    """Text as a result."""

    def test_method(self, p):
        """A str that a method returns is text for the plugin, in UTF-8."""
        assert (3, 5) == (p.name(Named("abc")), p.name(Named("äöx")))

    def test_callable(self, p):
        """The text of one call is good until the next call of the same callable."""
        assert 3 == p.twice(lambda i: "x" * i)

    def test_owned(self, p):
        """What is plugin_owned is a copy that the plugin frees."""
        assert 4 == p.copy(Named("four"))

    def test_null(self, p):
        """None is NULL where the result may be that, and a TypeError elsewhere."""
        assert 1000 == p.title(Named(None))
        with pytest.raises(TypeError, match="NoneType"):
            p.name(Named(None))

    @pytest.mark.parametrize("wrong", [5, "a\0b", ["x"]])
    def test_wrong(self, p, wrong):
        """What is no text is an error at the call, and the plugin got NULL."""
        with pytest.raises((TypeError, ValueError), match=r"Named\.Name"):
            p.name(Named(wrong))

    def test_let_go(self, p):
        """What stood behind the last result is let go with the callable."""
        other = Named("other")
        watch = weakref.ref(other)

        assert 5 == p.next(Named("x", other))
        del other
        gc.collect()
        assert watch() is None


class TestObjects:
    """Objects as a result."""

    def test_native(self, p):
        """An object of the plugin goes back as the pointer that it is."""
        assert 5 == p.next(Named("x", p.native()))

    def test_python(self, p):
        """A Python object with the struct's methods stands for one."""
        assert 3 == p.next(Named("x", Named("yes")))

    def test_null(self, p):
        """None is NULL where the method may give that, and a TypeError elsewhere."""
        assert p.maybe(Named("x")) is False
        assert p.maybe(Named("x", p.native())) is True
        with pytest.raises(TypeError):
            p.next(Named("x"))

    def test_address(self, p):
        """A `void *` result takes any object of a plugin."""
        native = p.native()

        assert p.same(lambda: native, native) is True
        with pytest.raises(TypeError, match="must be an object"):
            p.same(lambda: 5, native)

    def test_wrong(self, p):
        """An object without the methods is refused by name."""
        with pytest.raises(TypeError, match=r"no method Name"):
            p.next(Named("x", object()))


class TestMemory:
    """What is kept for a result."""

    def test_nothing_grows(self, p):
        """Thousands of results of each kind, and of each failure, leave nothing behind."""
        native = p.native()
        calls = [
            lambda: p.name(Named("abc")),
            lambda: p.copy(Named("abc")),
            lambda: p.twice(lambda i: "x" * i),
            lambda: p.next(Named("x", Named("yes"))),
            lambda: p.next(Named("x", native)),
            lambda: p.same(lambda: native, native),
            lambda: p.name(Named(5)),
            lambda: p.next(Named("x", object())),
        ]

        def rounds(count):
            for call in calls * count:
                with contextlib.suppress(TypeError):
                    call()
            gc.collect()
            return sys.getallocatedblocks()

        sizes = [rounds(500) for _ in range(5)]
        # Other threads of the process come and go; a leak grows by 500 and more each time.
        assert 250 > min(after - before for before, after in itertools.pairwise(sizes))
