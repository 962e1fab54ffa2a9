"""The end of a process with plugins in use: status 0, nothing on standard error, no hang.

Threads of a plugin that go on calling are in test_callback_threads.py.
"""

import subprocess
import sys

import pytest
from hosting import manifest
from natives import compiled

SOURCE = """
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
typedef struct Thing Thing;
PLUGIN_STRUCT(Thing, { int (*Use)(Thing *self); plugin_destructor void (*Close)(Thing *self); });
static int live;
static int Use(Thing *self) { (void)self; return live; }
static void Close(Thing *self) { live--; free(self); }
PLUGIN_FUNC(plugin_owned Thing *, make, (void))
{
    Thing *thing = malloc(sizeof *thing);
    *thing = (Thing){Use, Close};
    live++;
    return thing;
}
PLUGIN_FUNC(plugin_blocking int, slowly, (Thing *thing, int ms)) { usleep((useconds_t)ms * 1000); return Use(thing); }
PLUGIN_FUNC(plugin_blocking int, call, (int (*f)(void *data), void *data)) { return f(data); }
typedef int (*Hook)(void *data);
static Hook kept;
static void *kept_data;
PLUGIN_FUNC(void, keep, (int (*f)(void *data) plugin_retained, void *data)) { kept = f; kept_data = data; }
static void *hammer(void *unused) { for (;;) { kept(kept_data); usleep(100); } return unused; }
PLUGIN_FUNC(void, begin, (int threads))
{
    pthread_t thread;
    while (threads--) { pthread_create(&thread, NULL, hammer, NULL); pthread_detach(thread); }
}
PLUGIN_VAR(const char *, text) = "from C";
"""
HOST = """
import atexit, gc, sys, threading, time
import plugin
p = plugin.open(sys.argv[1]).bind()
def daemon(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()
class Last:
    def __init__(self, function): self.function = function
    def __del__(self): self.function()
"""
ENDS = {
    "daemons in calls": "for _ in range(4): daemon(p.slowly, p.make(), 60000)\ntime.sleep(0.1)",
    "daemons that begin and end calls": (
        "def work():\n    thing = p.make()\n    while True: p.slowly(thing, 1)\n"
        "for _ in range(4): daemon(work)\ntime.sleep(0.1)"
    ),
    "daemons in callbacks": "for _ in range(4): daemon(p.call, lambda: time.sleep(60))\ntime.sleep(0.1)",
    "daemons that open": (
        "import os, shutil\ndef work():\n"
        "    for i in range(100000):\n        p2 = plugin.open(sys.argv[1])\n"
        "        p2.lookup('make')().Close(); p2.symbols['call']\n"
        "for _ in range(3): daemon(work)\ntime.sleep(0.1)"
    ),
    "plugin's threads in callbacks": (
        "seen = []\ndef f():\n    seen.append(1)\n    return sum(range(100))\n"
        "p.keep(f); p.begin(3)\nwhile len(seen) < 50: time.sleep(0.001)"
    ),
    "atexit": (
        "thing = p.make()\nsame = lambda: plugin.open(sys.argv[1]).lookup('make') is p.make\n"
        "atexit.register(lambda: print(thing.Use(), p.call(lambda: 3), same()))"
    ),
    "destructors": (
        "thing, p.text.value = p.make(), 'from Python'\nsys.last = Last(lambda: (thing.Use(), thing.Close()))\n"
        "cycle = [Last(lambda f=p.make: f().Close())]; cycle.append(cycle)"
    ),
    "release under a daemon's call": (
        "thing = p.make()\ndaemon(p.slowly, thing, 60000)\ntime.sleep(0.1)\n"
        "def close(thing=thing):\n    try: thing.Close()\n    except ValueError: pass\nsys.last = Last(close)"
    ),
    "system exit in a callback": "def f(): raise SystemExit(0)\np.call(f)",
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The plugin of this file."""
    return compiled(tmp_path_factory, manifest(SOURCE), "-pthread")


class TestEnd:
    """What was under way when the interpreter ended."""

    @pytest.mark.parametrize("what", ENDS)
    def test_quiet(self, path, what):
        """The process ends by itself, with status 0 and without a word."""
        command = [sys.executable, "-c", HOST + ENDS[what] + "\nprint('end')", path]

        done = subprocess.run(command, capture_output=True, text=True, timeout=60)

        assert (0, "") == (done.returncode, done.stderr)
        assert what == "system exit in a callback" or done.stdout.startswith("end\n")

    def test_atexit_calls(self, path):
        """A handler that was registered after the import of plugin calls, is called back, and opens."""
        command = [sys.executable, "-c", HOST + ENDS["atexit"], path]

        assert "1 3 True\n" == subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
