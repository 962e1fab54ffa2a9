"""Opaque objects that a plugin makes: which are taken, while they are used, and when the host ends."""

import copy
import gc
import pickle
import subprocess
import sys
import weakref

import natives
import pytest

import plugin

SOURCE = r"""
#include <plugin.h>
#include <stdio.h>
#include <stdlib.h>
PLUGIN("%s", "1");
PLUGIN_DECLARE(typedef struct Thing Thing; typedef struct Part Part;)
struct Thing { int parts, number; };
struct Part { Thing *thing; };
static int things, parts;
PLUGIN_FUNC(plugin_owned Thing *, make, (int number))
{
    Thing *thing = calloc(1, sizeof *thing);
    thing->number = number;
    things++;
    return thing;
}
PLUGIN_FUNC(plugin_destructor int, release, (Thing *thing))
{
    int number = thing->number;
    if (thing->parts > 0) {
        puts("released before its parts");
        abort();
    }
    free(thing);
    things--;
    return number;
}
PLUGIN_FUNC(plugin_owned Part *, part, (Thing *thing))
{
    Part *part = malloc(sizeof *part);
    part->thing = thing;
    thing->parts++;
    parts++;
    return part;
}
PLUGIN_FUNC(plugin_destructor void, drop, (Part *part, plugin_error *error))
{
    part->thing->parts--;
    parts--;
    if (part->thing->number < 0) {
        plugin_fail(error, 9, "a part of a negative thing");
    }
    free(part);
}
PLUGIN_FUNC(Thing *, whole, (Part *part)) { return part->thing; }
PLUGIN_FUNC(int, number, (const Thing *thing, int factor)) { return thing->number * factor; }
PLUGIN_FUNC(int, two, (const Thing *a, const Thing *b)) { return a->number + b->number; }
PLUGIN_FUNC(int, swallow, (Thing *a plugin_owned, const Thing *b)) { return release(a) + (a == b); }
PLUGIN_FUNC(int, live, (void)) { return things + parts; }
"""
AT_EXIT = """
import sys, plugin
p = plugin.open(sys.argv[1])
thing = p.lookup("make")(1)
part = p.lookup("part")(thing)
keep = [thing, part, p.lookup("whole")(part), p.lookup("make")]
keep.append(keep)
sys.stdout = None
"""


class Acting:
    """An int whose conversion does something first."""

    def __init__(self, action):
        self.action = action

    def __index__(self):
        self.action()
        return 1


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """The plugin of this file."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE % "owned/one"))


@pytest.fixture(autouse=True)
def _no_leak(p):
    """What a test makes is released by its end."""
    assert p.lookup("live")() == 0
    yield
    gc.collect()
    assert p.lookup("live")() == 0


class TestUse:
    """An object and the calls that it is in."""

    @pytest.mark.parametrize("how", ["destructor", "with"])
    def test_closed_while_converting(self, p, how):
        """It cannot be released while the other arguments of its call are converted: the call sees it alive."""
        thing = p.lookup("make")(21)
        release = p.lookup("release") if how == "destructor" else lambda thing: thing.__exit__(None, None, None)
        refused = []

        def action():
            with pytest.raises(ValueError) as caught:
                release(thing)
            refused.append(str(caught.value))

        assert p.lookup("number")(thing, Acting(action)) == 21
        assert "in use" in refused[0]
        assert not thing.closed

    def test_dropped_while_converting(self, p):
        """The call keeps what it was given: the last name of it may go meanwhile."""
        names = {"thing": p.lookup("make")(5)}

        assert p.lookup("number")(names["thing"], Acting(names.clear)) == 5
        assert p.lookup("live")() == 0

    def test_twice(self, p):
        """One object may be two arguments, unless the call takes it over: then nothing is called."""
        thing = p.lookup("make")(2)

        assert p.lookup("two")(thing, thing) == 4
        with pytest.raises(ValueError) as caught:
            p.lookup("swallow")(thing, thing)
        assert "twice" in str(caught.value)
        assert not thing.closed

    def test_free_again(self, p):
        """After a call that failed the object is free again."""
        thing = p.lookup("make")(3)
        with pytest.raises(TypeError):
            p.lookup("number")(thing, "x")

        assert p.lookup("release")(thing) == 3


class TestOrder:
    """An object keeps what it came from."""

    def test_part(self, p):
        """A part keeps its whole, which is released after it (the plugin aborts if it is not)."""
        part = p.lookup("part")(p.lookup("make")(1))
        gc.collect()
        assert p.lookup("live")() == 2
        del part

        assert p.lookup("live")() == 0

    def test_release_result(self, p):
        """The destructor by name gives its result; a second time is a ClosedError."""
        thing = p.lookup("make")(7)

        assert p.lookup("release")(thing) == 7
        with pytest.raises(plugin.ClosedError) as caught:
            p.lookup("release")(thing)
        assert "Thing *" in str(caught.value)

    def test_failing_destructor(self, p, monkeypatch):
        """A failure of the destructor is raised when it is called by name, and reported when Python calls it."""
        seen = []
        monkeypatch.setattr(sys, "unraisablehook", lambda failure: seen.append(failure.exc_value))
        thing = p.lookup("make")(-1)
        with pytest.raises(plugin.CallError) as caught:
            p.lookup("drop")(p.lookup("part")(thing))
        assert caught.value.code == 9
        assert [] == seen
        p.lookup("part")(thing)

        assert [9] == [error.code for error in seen]
        assert "negative thing" in str(seen[0])

    def test_body_raises(self, p):
        """A with block that raises releases the object, and the exception goes on."""
        with pytest.raises(ZeroDivisionError), p.lookup("make")(1) as thing:
            raise ZeroDivisionError
        assert thing.closed

    def test_exit(self, p):
        """Objects that live when the host ends are released without a crash."""
        done = subprocess.run([sys.executable, "-c", AT_EXIT, p.path], capture_output=True, text=True)

        assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


class TestObject:
    """An opaque object as an object of Python."""

    def test_what_it_is(self, p):
        """It is a Pointer of its type and plugin, and its repr says all that."""
        thing = p.lookup("make")(1)

        assert isinstance(thing, plugin.Pointer)
        assert ("Thing", p) == (thing.type, thing.plugin)
        for word in ("Thing", "owned/one", hex(thing.address)[2:], "owned"):
            assert word in repr(thing)
        p.lookup("release")(thing)
        assert "closed" in repr(thing)

    def test_no_copy(self, p):
        """It is not copied or pickled: two owners would release it twice."""
        thing = p.lookup("make")(1)

        for copying in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                copying(thing)

    def test_weak(self, p):
        """A weak reference to it dies with it."""
        thing = p.lookup("make")(1)
        reference = weakref.ref(thing)
        del thing

        assert reference() is None

    def test_other_plugin(self, p, build):
        """An object of one plugin is a TypeError in another that declares the type alike; both are named."""
        other = plugin.open(build(SOURCE % "owned/other"))
        thing = p.lookup("make")(1)
        with pytest.raises(TypeError) as caught:
            other.lookup("number")(thing, 1)

        assert "owned/one" in str(caught.value)
        assert "owned/other" in str(caught.value)
