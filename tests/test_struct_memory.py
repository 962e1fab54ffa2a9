"""Whose memory the members of structs are: pointers, counted buffers, text, and views of what is released."""

import array
import subprocess
import sys
from typing import Any

import natives
import numpy as np
import pytest

import plugin

SOURCE = r"""
#include <plugin.h>
#include <stdlib.h>
PLUGIN("structs/memory", "1");
PLUGIN_STRUCT(Inner, { const char *name; const char *title plugin_nullable; plugin_bytes const char *raw;
    double v[64]; });
PLUGIN_STRUCT(Outer, { Inner inner; Inner more[2]; });
PLUGIN_STRUCT(Many, { double *x plugin_count(n) plugin_nullable; const double *y plugin_count(n); int n; });
PLUGIN_STRUCT(Grid, { float *g plugin_count(rows, cols); uint8_t rows; int64_t cols;
    const int *four plugin_count(4); });
PLUGIN_STRUCT(Refs, { Inner *to plugin_nullable; Inner *sure; void *any plugin_nullable; const int fixed; });
PLUGIN_STRUCT(Hooks, { int (*twice)(int x); int (*maybe)(int x) plugin_nullable; });
PLUGIN_STRUCT(Thing, { int n; Inner inner; Thing *next; plugin_destructor void (*close)(Thing *self); });
static void close_thing(Thing *t) { memset(t, 0x55, sizeof *t); free(t); }
PLUGIN_FUNC(plugin_owned Thing *, make, (void))
{
    Thing *t = calloc(1, sizeof *t);
    t->close = close_thing;
    t->inner.v[0] = 42;
    return t;
}
PLUGIN_FUNC(int, first, (const Inner *i)) { return i->name[0] + (i->title != NULL ? i->title[0] : 0); }
PLUGIN_FUNC(void, spoil, (Inner *i)) { i->name = "\xff"; i->raw = "\xff"; }
PLUGIN_FUNC(void, set_n, (Many *m, int n)) { m->n = n; }
PLUGIN_FUNC(double, sum, (const Many *m)) { double s = 0; for (int i = 0; i < m->n; i++) s += m->x[i]; return s; }
static double own[3] = { 1, 2, 3 };
PLUGIN_FUNC(void, lend, (Many *m)) { m->x = own; m->n = 3; }
PLUGIN_FUNC(double, followed, (const Refs *r)) { return r->to->v[1]; }
static int twice(int x) { return 2 * x; }
static Hooks the_hooks = { twice, NULL };
PLUGIN_FUNC(Hooks *, hooks, (void)) { return &the_hooks; }
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The library of this file."""
    return natives.compiled(tmp_path_factory, SOURCE)


@pytest.fixture(scope="module")
def p(path):
    """The plugin of this file."""
    return plugin.open(path)


def run(path, code):
    """What the code prints, run in a process of its own, with p the plugin: it may end the process."""
    head = "import gc, sys, numpy as np, plugin\np = plugin.open(sys.argv[1])\nInner = p.lookup('Inner')\n"
    churn = (
        "def churn():\n    gc.collect()\n"
        "    return [bytearray(b'Z' * n) for n in range(16, 700, 4) for _ in range(9)]\n"
    )
    done = subprocess.run([sys.executable, "-c", head + churn + code, path], capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    return done.stdout.split()


class TestStrings:
    """Members that are strings."""

    def test_read(self, p):
        """Text and bytes; NULL is None; what is not UTF-8 names the member."""
        i = p.lookup("Inner")(name="ä", raw=b"\xff")

        assert ("ä", None, b"\xff") == (i.name, i.title, i.raw)
        p.lookup("spoil")(i)
        assert b"\xff" == i.raw
        with pytest.raises(ValueError, match=r"name.*UTF-8"):
            _ = i.name

    def test_owned(self, p):
        """Written text is a copy: it outlives the str, and each new one takes the place of the last."""
        i = p.lookup("Inner")()
        for n in range(50):
            i.name, i.title = "n" * n + str(n), "t" * n + str(n)
            assert ("n" * n + str(n), "t" * n + str(n)) == (i.name, i.title)

    def test_null(self, p):
        """None is for nullable members."""
        i = p.lookup("Inner")(name="a", title="b")
        i.title = None

        assert ord("a") == p.lookup("first")(i)
        with pytest.raises(TypeError, match="name"):
            i.name = None

    def test_wrong(self, p):
        """Embedded NULs, lone surrogates and other types are refused, and what stood there stays."""
        i = p.lookup("Inner")(name="a")
        for wrong, error in (("a\0b", ValueError), ("\ud800", ValueError), (5, TypeError), (b"a\0", ValueError)):
            with pytest.raises(error, match="name"):
                i.name = wrong
        with pytest.raises(TypeError, match="raw"):
            i.raw = "text"
        assert "a" == i.name

    def test_first_member(self, path):
        """A string at the address of its struct does not take the struct's other strings with it."""
        text = "print(o.inner.title == 't' * 99, o.inner.name)"
        copy = "o = p.lookup('Outer')(inner=Inner(name='n' * 99, title=''.join(['t'] * 99)))\n"

        assert ["True", "z"] == run(path, copy + "o.inner.name = 'z'\nx = churn()\n" + text)


class TestCounted:
    """Members `T *x plugin_count(n)`."""

    def test_written(self, p):
        """The buffer itself is pointed to, and its length written to the member that counts."""
        x = np.arange(5.0)
        m = p.lookup("Many")(x=x)

        assert (5, 10.0) == (m.n, p.lookup("sum")(m))
        m.x[0] = 7
        assert 7 == x[0]
        x[1] = 8
        assert [7, 8, 2, 3, 4] == m.x.tolist()

    def test_read(self, p):
        """What the plugin put there is a view of as many items as the count says; NULL is None."""
        m: Any = p.lookup("Many")()

        assert (None, 0) == (m.x, m.n)
        p.lookup("lend")(m)
        assert [1.0, 2.0, 3.0] == m.x.tolist()
        assert not m.x.readonly
        p.lookup("set_n")(m, 0)
        assert [] == m.x.tolist()

    def test_kept(self, p):
        """The buffer is held as long as it is pointed to: a bytearray cannot be resized until then."""
        memory = bytearray(24)
        m = p.lookup("Many")(x=memoryview(memory).cast("d"))

        with pytest.raises(BufferError):
            memory.append(1)
        m.x = None
        memory.append(1)

    def test_const(self, p):
        """Const items are taken from read-only memory, and read as such; others are not."""
        still = np.arange(3.0)
        still.flags.writeable = False
        m = p.lookup("Many")(y=still)

        assert m.y.readonly
        with pytest.raises(TypeError, match="read-only"):
            m.x = still

    def test_wrong(self, p):
        """Wrong items, strides, dimensions and counts that do not fit are refused, naming the member."""
        m, g = p.lookup("Many")(), p.lookup("Grid")()
        for wrong in (array.array("f", [1]), np.arange(6.0)[::2], np.zeros((2, 2)), [1.0], 5):
            with pytest.raises((TypeError, ValueError), match="x"):
                m.x = wrong
        assert (m.x, m.n) == (None, 0)
        with pytest.raises(OverflowError, match="rows"):
            g.g = np.zeros((300, 2), "f")
        assert g.g is None

    def test_two_dimensions(self, p):
        """plugin_count(n, m) is two-dimensional, and a constant count needs just so many."""
        g = p.lookup("Grid")(g=np.arange(6, dtype="f").reshape(2, 3), four=array.array("i", [1, 2, 3, 4]))

        assert (2, 3) == (g.rows, g.cols) == g.g.shape
        assert 5.0 == g.g[1, 2]
        assert [1, 2, 3, 4] == g.four.tolist()
        with pytest.raises(ValueError, match="4"):
            g.four = array.array("i", [1, 2])

    def test_negative(self, p):
        """A count below zero is refused, naming it."""
        m = p.lookup("Many")(x=np.zeros(3))
        p.lookup("set_n")(m, -1)
        with pytest.raises(ValueError, match=r"n.*negative"):
            _ = m.x

    def test_no_more(self, path):
        """A count larger than the buffer that Python gave is refused: nothing is read beyond its end."""
        code = (
            "m = p.lookup('Many')(x=np.arange(3.))\nm.n = 10**8\ntry: m.x[10**7]\nexcept ValueError: print('refused')"
        )

        assert ["refused"] == run(path, code)

    def test_replaced(self, path):
        """A view keeps the buffer that it views, though another one takes its place."""
        code = "m = p.lookup('Many')(x=np.full(500, 3.))\nv = m.x\nm.x = np.zeros(500)\nx = churn()\n"
        more = "y = [np.full(500, 7.) for _ in range(99)]\nprint(v[9], m.x[9])"

        assert ["3.0", "0.0"] == run(path, code + more)


class TestPointers:
    """Members that point to structs, to anything, or to functions."""

    def test_struct(self, p):
        """A pointer to a struct takes an object, keeps it alive, and gives it back."""
        r = p.lookup("Refs")(to=p.lookup("Inner")(v=np.arange(64.0)))

        assert 1.0 == p.lookup("followed")(r) == r.to.v[1]
        r.to.v[1] = 5
        assert 5.0 == p.lookup("followed")(r)
        r.to = None
        assert r.to is None
        with pytest.raises(TypeError, match="sure"):
            r.sure = None
        with pytest.raises(TypeError, match="Inner"):
            r.to = r

    def test_replaced(self, path):
        """An object that was read stays whole, though another one takes its place."""
        code = "r = p.lookup('Refs')(to=Inner(v=np.full(64, 3.)))\nq = r.to\nr.to = Inner()\nx = churn()\n"
        more = "y = [Inner(v=np.full(64, 7.)) for _ in range(99)]\nprint(q.v[3], r.to.v[3])"

        assert ["3.0", "0.0"] == run(path, code + more)

    def test_void(self, p):
        """A void * reads as a Pointer, and takes objects."""
        i = p.lookup("Inner")()
        r = p.lookup("Refs")(any=i)

        assert r.any is i
        r.any = plugin.Pointer(4096)
        assert 4096 == r.any.address
        r.any = None
        assert r.any is None
        with pytest.raises(TypeError, match="any"):
            r.any = 4096

    def test_const(self, p):
        """A const member cannot be written."""
        with pytest.raises(TypeError, match=r"fixed.*const"):
            p.lookup("Refs")(fixed=1)

    def test_function(self, p):
        """A function pointer without self is called without the object; one that is NULL is None."""
        h = p.lookup("hooks")()

        assert 42 == h.twice(21)
        assert h.maybe is None
        with pytest.raises(AttributeError):
            h.maybe = abs


class TestReleased:
    """What is left of a released object."""

    def test_members(self, p):
        """Every member of it, and of what was borrowed from it, raises ClosedError, read or written."""
        thing = p.lookup("make")()
        inner = thing.inner
        thing.close()

        uses = [lambda: thing.n, lambda: thing.inner, lambda: inner.v, lambda: inner.name, lambda: memoryview(inner)]
        for use in uses:
            with pytest.raises(plugin.ClosedError):
                use()
        with pytest.raises(plugin.ClosedError):
            thing.n = 1
        with pytest.raises(plugin.ClosedError):
            inner.name = "x"

    @pytest.mark.parametrize("view", ["thing.inner.v", "memoryview(thing)", "memoryview(thing.inner)"])
    @pytest.mark.parametrize("release", ["thing.close()", "thing.__exit__()"])
    def test_views(self, path, view, release):
        """An object whose memory is being viewed is not released; afterwards it is."""
        code = (
            f"thing = p.lookup('make')()\nv = {view}\ntry: {release}\n"
            f"except ValueError: print('refused', v.nbytes > 0)\n"
        )

        after = f"del v\n{release}\ntry: thing.n\nexcept plugin.ClosedError: print('closed')"
        assert ["refused", "True", "closed"] == run(path, code + after)

    def test_outlives(self, path):
        """A view alone keeps the object alive."""
        code = (
            "v = p.lookup('make')().inner.v\nx = churn()\nprint(v[0])\n"
            "w = Inner(v=np.full(64, 2.)).v\nx = churn()\nprint(w[3])"
        )

        assert ["42.0", "2.0"] == run(path, code)
