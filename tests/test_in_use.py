"""An object that a ready-made call was given is not released under it, whoever runs Python meanwhile.

With a GIL such a call pins nothing until native code was given some way to call Python: so each test has a process of
its own, in which nobody was before.
"""

import subprocess
import sys

import pytest
from hosting import manifest
from natives import compiled

PLUGIN = r"""
#include <stdlib.h>
PLUGIN_DECLARE(typedef struct Thing Thing;)
struct Thing { int64_t number; };
static void (*hook)(void);
static int64_t live;
PLUGIN_FUNC(plugin_owned Thing *, make, (int64_t number))
{
    Thing *thing = malloc(sizeof *thing);
    thing->number = number;
    live++;
    return thing;
}
PLUGIN_FUNC(plugin_destructor void, release, (Thing *thing)) { thing->number = -1; live--; free(thing); }
PLUGIN_FUNC(void, set_hook, (void *address)) { hook = (void (*)(void))address; }
PLUGIN_FUNC(int64_t, number, (Thing *thing))
{
    if (hook != NULL) hook();
    return live > 0 ? thing->number : -2;
}
PLUGIN_FUNC(double, first, (Thing *thing, const double *x plugin_count(n), size_t n))
{
    if (hook != NULL) hook();
    return live > 0 && n > 0 ? (double)thing->number + x[0] : -2;
}
"""
START = """
import array, ctypes, sys
import plugin
p = plugin.open(sys.argv[1])
number, first, set_hook = p.lookup("number"), p.lookup("first"), p.lookup("set_hook")
thing = p.lookup("make")(7)
assert number(thing) == 7
refused = []
def close():
    try:
        thing.__exit__(None, None, None)
    except ValueError as error:
        refused.append(str(error))
"""
HOOK = """
hook = ctypes.CFUNCTYPE(None)(close)
set_hook({})
assert number(thing) == 7, number(thing)
assert len(refused) == 1 and "in use" in refused[0], refused
assert not thing.closed
hook = ctypes.CFUNCTYPE(None)(lambda: None)
set_hook(hook)
close()
assert thing.closed and len(refused) == 1
"""
BUFFER = """
class Closing:
    def __buffer__(self, flags):
        close()
        return memoryview(array.array("d", [1.0]))
try:
    given = first(thing, Closing())
except plugin.ClosedError:
    assert thing.closed and refused == []
else:  # without a GIL it was pinned before
    assert given == 8.0 and "in use" in refused[0] and not thing.closed
"""
GIVEN = """
class Giving:
    def __buffer__(self, flags):
        set_hook(hook)
        return memoryview(array.array("d", [1.0]))
hook = ctypes.CFUNCTYPE(None)(close)
assert first(thing, Giving()) == 8.0
assert len(refused) == 1 and "in use" in refused[0]
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The plugin."""
    return compiled(tmp_path_factory, manifest(PLUGIN))


def run(path, script):
    """Run it in a process of its own."""
    done = subprocess.run([sys.executable, "-c", START + script, path], capture_output=True, text=True, timeout=60)
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("given", ["hook", "plugin.Pointer(ctypes.cast(hook, ctypes.c_void_p).value)"])
def test_foreign_callback(path, given):
    """A callback of ctypes, as itself or as a number, cannot release the object of the call that it is called from."""
    run(path, HOOK.format(given))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="classes have no __buffer__ before")
@pytest.mark.parametrize("script", [BUFFER, GIVEN])
def test_conversion(path, script):
    """Nor is one used that the conversion of another argument released, or that a callback could by now."""
    run(path, script)
