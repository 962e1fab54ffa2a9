"""plugin_retained: what a plugin keeps lives until it is replaced, until its owner is released, or for ever."""

import weakref
from typing import Any

import numpy as np
import pytest
from hosting import manifest
from natives import alive, compiled

import plugin

SOURCE = (
    manifest(name="example.com/retained")
    + """
#include <stdlib.h>
PLUGIN_STRUCT(Item, { int (*get)(Item *self); });
PLUGIN_STRUCT(Effect, {
    void (*connect)(Effect *self, unsigned long port, float *data plugin_retained plugin_nullable);
    void (*hook)(Effect *self, int (*f)(int n, void *data) plugin_retained plugin_nullable, void *data);
    int (*run)(Effect *self, int n);
    plugin_destructor void (*cleanup)(Effect *self);
    void *ports;
    int (*f)(int n, void *data) plugin_nullable;
    const void *data plugin_nullable;
});
static void effect_connect(Effect *self, unsigned long port, float *data) { ((float **)self->ports)[port] = data; }
static void effect_hook(Effect *self, int (*f)(int, void *), void *data) { self->f = f; self->data = data; }
static int effect_run(Effect *self, int n)
{
    for (int i = 0; i < 4; i++) { float *x = ((float **)self->ports)[i]; if (x) { x[0] += (float)n; } }
    return self->f ? self->f(n, (void *)self->data) : -1;
}
static void effect_cleanup(Effect *self) { effect_run(self, 1000); free(self); }
PLUGIN_FUNC(plugin_owned Effect *, make, (void))
{
    Effect *effect = calloc(1, sizeof *effect + 4 * sizeof(float *));
    effect->ports = effect + 1;
    effect->connect = effect_connect;
    effect->hook = effect_hook;
    effect->run = effect_run;
    effect->cleanup = effect_cleanup;
    return effect;
}

static const char *kept_text;
static const double *kept_numbers;
static const void *kept_bytes;
static Item *kept_item;
static const char *const *kept_names;
static int name_count;
static int (*kept_f)(int n);
PLUGIN_FUNC(void, keep_text, (const char *text plugin_retained plugin_nullable)) { kept_text = text; }
PLUGIN_FUNC(void, keep_numbers, (const double *x plugin_count(n) plugin_retained, size_t n))
{
    kept_numbers = n ? x : NULL;
}
PLUGIN_FUNC(void, keep_bytes, (const void *x plugin_retained plugin_nullable)) { kept_bytes = x; }
PLUGIN_FUNC(void, keep_item, (Item *item plugin_retained plugin_nullable)) { kept_item = item; }
PLUGIN_FUNC(void, keep_names, (const char *const *names plugin_count(n) plugin_retained, int n))
{
    kept_names = names;
    name_count = n;
}
PLUGIN_FUNC(void, keep_f, (int (*f)(int n) plugin_retained plugin_nullable)) { kept_f = f; }
PLUGIN_FUNC(void, fail_to_keep, (int (*f)(int n) plugin_retained, plugin_error *error))
{
    kept_f = f;
    plugin_fail(error, 1, "kept all the same");
}
PLUGIN_FUNC(const char *, text, (void)) { return kept_text; }
PLUGIN_FUNC(double, number, (void)) { return *kept_numbers; }
PLUGIN_FUNC(int, item, (void)) { return kept_item->get(kept_item); }
PLUGIN_FUNC(Item *, same_item, (void)) { return kept_item; }
PLUGIN_FUNC(const char *, name, (int i)) { return i < name_count ? kept_names[i] : "none"; }
PLUGIN_FUNC(int, call_f, (int n)) { return kept_f(n); }
"""
)


class Callable:
    """A callable that can be watched."""

    def __call__(self, n):
        return n + 1


class Item:
    """Stands for an Item."""

    def get(self):
        return 6


@pytest.fixture(scope="module")
def p(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin of this file, everything in one namespace."""
    return plugin.open(compiled(tmp_path_factory, SOURCE)).bind()


class TestReplaced:
    """Kept by a function of the plugin: until another is given at the same place."""

    def test_callback(self, p):
        """A callable lives while the plugin may call it, and goes when another or None is given."""
        f, g = Callable(), Callable()
        first, second = weakref.ref(f), weakref.ref(g)
        p.keep_f(f)
        del f

        assert 3 == p.call_f(2)
        assert alive(first)
        p.keep_f(g)
        del g
        assert not alive(first)
        assert 3 == p.call_f(2)
        p.keep_f(None)
        assert not alive(second)

    def test_failure(self, p):
        """A function that fails may have kept it all the same: it stays."""
        f = Callable()
        gone = weakref.ref(f)
        with pytest.raises(plugin.CallError, match="kept all the same"):
            p.fail_to_keep(f)
        del f

        assert alive(gone)
        assert 3 == p.call_f(2)

    def test_refused(self, p):
        """An argument that is refused leaves what was kept before."""
        p.keep_f(Callable())
        with pytest.raises(TypeError):
            p.keep_f(5)

        assert 3 == p.call_f(2)
        p.keep_f(None)

    def test_exception_later(self, p):
        """What a kept callable raises is raised at the call that led to it."""

        def fails(n):
            raise LookupError(n)

        p.keep_f(fails)
        with pytest.raises(LookupError, match="8"):
            p.call_f(8)
        p.keep_f(None)

    def test_text(self, p):
        """A string's text stays."""
        p.keep_text("".join(["gr", "üß", "e" * 50]))
        junk = ["x" * 53 for _ in range(1000)]

        assert "grüß" + "e" * 50 == p.text()
        p.keep_text(None)
        del junk

    def test_buffer(self, p):
        """An array lives, and a bytearray that is kept cannot be resized until it is replaced."""
        numbers = np.full(3, 2.5)
        gone = weakref.ref(numbers)
        p.keep_numbers(numbers)
        del numbers

        assert alive(gone)
        assert 2.5 == p.number()
        p.keep_numbers(np.zeros(1))
        assert not alive(gone)

    def test_resize(self, p):
        """A bytearray that is kept cannot be resized until it is let go."""
        data = bytearray(8)
        p.keep_bytes(data)

        with pytest.raises(BufferError):
            data.append(1)
        p.keep_bytes(None)
        data.append(1)
        assert 9 == len(data)

    def test_object(self, p):
        """A Python object that stands for a struct lives, is called, and comes back as itself."""
        item = Item()
        gone = weakref.ref(item)
        p.keep_item(item)

        assert item is p.same_item()
        del item
        assert alive(gone)
        assert 6 == p.item()
        p.keep_item(None)
        assert not alive(gone)

    def test_names(self, p):
        """An array of strings stays, with its texts."""
        p.keep_names(["na" + "me" * n for n in range(3)])
        junk = [["x" * n] for n in range(1000)]

        assert ["na", "name", "nameme"] == [p.name(n) for n in range(3)]
        p.keep_names([])
        assert "none" == p.name(0)
        del junk


class TestPlaces:
    """LADSPA's connect_port: a place is the object, the function, the parameter, and the numbers beside it."""

    def test_ports(self, p):
        """Each port keeps its own buffer; the same port gives up the old one."""
        effect = p.make()
        buffers = [np.zeros(2, np.float32) for _ in range(4)]
        references = [weakref.ref(buffer) for buffer in buffers]
        for port in range(3):
            effect.connect(port, buffers[port])
        effect.connect(1, buffers[3])
        effect.run(1)
        assert [1, 0, 1, 1] == [buffer[0] for buffer in buffers]
        buffers.clear()

        assert [True, False, True, True] == [alive(reference) for reference in references]
        effect.connect(2, None)
        assert [True, False, False, True] == [alive(reference) for reference in references]
        effect.connect(0, None)
        effect.connect(1, None)

    def test_objects(self, p):
        """The same port of two objects is two places."""
        one, two = p.make(), p.make()
        first, second = np.zeros(1, np.float32), np.zeros(1, np.float32)
        reference: Any = weakref.ref(first)
        one.connect(0, first)
        two.connect(0, second)
        del first

        assert alive(reference)
        one.run(2)
        assert 2 == reference()[0]

    def test_until_released(self, p):
        """What an object keeps lives until the object is released, and during its destructor."""
        effect = p.make()
        f: Any = Callable()
        seen: Any = []
        f.seen = seen
        buffer = np.zeros(1, np.float32)
        references = [weakref.ref(f), weakref.ref(buffer)]
        effect.hook(lambda n, f=f: seen.append(n) or f(n))
        effect.connect(0, buffer)
        del f, buffer

        assert 2 == effect.run(1)
        assert all(map(alive, references))
        effect.cleanup()
        assert [1, 1000] == seen
        assert not any(map(alive, references))

    def test_dropped(self, p):
        """The same when the last reference to the object goes."""
        effect, buffer = p.make(), np.zeros(1, np.float32)
        reference = weakref.ref(buffer)
        effect.connect(0, buffer)
        del buffer
        assert alive(reference)
        del effect

        assert not alive(reference)

    def test_with_data(self, p):
        """None takes a callable with data away, data and all."""
        effect, f = p.make(), Callable()
        reference = weakref.ref(f)
        effect.hook(f)
        del f
        assert 2 == effect.run(1)
        effect.hook(None)

        assert -1 == effect.run(1)
        assert effect.data is None
        assert not alive(reference)
