"""Plugins that open plugins, from init and from constructors: what works, and what would wait for ever.

The plugins here run Python code in the host's __main__.  Each host is a process of its own, with a time limit.
"""

import pytest
import support
from hosting import run_host

HOST = """
import faulthandler, os, sys, threading
import plugin
faulthandler.dump_traceback_later(60, exit=True)
paths = dict(zip("abc", sys.argv[1:]))
log = []
def attempt(name):
    try:
        found = plugin.open(paths[name])
        log.append((name, found.name, found.lookup("ready").value))
        return found
    except plugin.OpenError as error:
        log.append((name, type(error).__name__, str(error)))
def show(*parts):
    "Print what the first attempt was refused with, whether it named all parts, and the other attempts."
    print(log[0][:2], all(part in log[0][2] for part in parts), log[1:])
"""


@pytest.fixture
def host(build):
    """A function that builds plugins a, b, c from code to run, and runs a host script that may `attempt` them."""

    def host(script, *plugins):
        paths = []
        for letter, body in zip("abc", plugins, strict=False):
            source = f'#include "run_python.h"\nPLUGIN("example.com/{letter}", "1");\nPLUGIN_VAR(int, ready);\n'
            paths.append(build(source + body, "-I", support.PLUGINS))
        return run_host(HOST + script, *paths)

    return host


def init(code):
    """An init that runs Python code."""
    return f'PLUGIN_INIT(void) {{ run_python("{code}"); ready = 1; }}'


def constructor(code):
    """A constructor that runs Python code, and an init that does nothing else than to run."""
    return f'__attribute__((constructor)) static void construct(void) {{ run_python("{code}"); }}\n' + (
        "PLUGIN_INIT(void) { ready = 1; }"
    )


class TestFromInit:
    """An init that opens."""

    def test_another(self, host):
        """An init that opens another plugin gets it, initialised."""
        shown = host("attempt('a'); print(log)", init("attempt('b')"), init("pass"))

        assert "[('b', 'example.com/b', 1), ('a', 'example.com/a', 1)]\n" == shown

    def test_itself(self, host):
        """An init that opens its own plugin gets an InitError that names the ring; the outer open goes on."""
        shown = host("attempt('a'); show('example.com/a -> example.com/a')", init("attempt('a')"))

        assert "('a', 'InitError') True [('a', 'example.com/a', 1)]\n" == shown

    def test_itself_later(self, host):
        """A refused self-open is not remembered as a failure: the plugin opens as the same object afterwards."""
        shown = host("one = attempt('a'); print(attempt('a') is one, one is not None)", init("attempt('a')"))

        assert "True True\n" == shown

    def test_ring(self, host):
        """Where a opens b and b opens a, the inner open of a is refused, naming the ring in order; both open."""
        shown = host(
            "attempt('a'); show('example.com/a -> example.com/b -> example.com/a')",
            init("attempt('b')"),
            init("attempt('a')"),
        )

        assert "('a', 'InitError') True [('b', 'example.com/b', 1), ('a', 'example.com/a', 1)]\n" == shown

    def test_ring_of_three(self, host):
        """A ring of three is named whole."""
        shown = host(
            "attempt('a'); print('a -> example.com/b -> example.com/c -> example.com/a' in log[0][2], len(log))",
            *(init(f"attempt('{next_one}')") for next_one in "bca"),
        )

        assert "True 4\n" == shown

    def test_ring_of_threads(self, host):
        """Two threads whose inits open each other's plugin: one is refused and names the ring, the other waits."""
        shown = host(
            """
gate = threading.Barrier(2)
threads = [threading.Thread(target=attempt, args=(name,)) for name in "ab"]
[t.start() for t in threads]; [t.join(30) for t in threads]
refused = [entry for entry in log if entry[1] == "InitError"]
print(len(log), len(refused), [part in refused[0][2] for part in ("a ring", "example.com/a", "example.com/b")])
""",
            init("gate.wait(); attempt('b')"),
            init("gate.wait(); attempt('a')"),
        )

        assert "4 1 [True, True, True]\n" == shown

    def test_waiting(self, host):
        """A thread that opens while another runs init waits, and then gets the plugin initialised."""
        shown = host(
            """
begun, go = threading.Event(), threading.Event()
first = threading.Thread(target=attempt, args=("a",))
second = threading.Thread(target=attempt, args=("a",))
first.start(); begun.wait(30); second.start()
second.join(0.3)
print(log, second.is_alive())
go.set(); first.join(30); second.join(30)
print(log)
""",
            init("begun.set(); go.wait(30)"),
        )

        assert f"[] True\n{[('a', 'example.com/a', 1)] * 2}\n" == shown

    def test_fork(self, host):
        """A child that was forked while another thread ran init gets an error for that plugin, and no wait."""
        shown = host(
            """
begun, go = threading.Event(), threading.Event()
thread = threading.Thread(target=attempt, args=("a",))
thread.start(); begun.wait(30)
child = os.fork()
if child == 0:
    attempt("a")
    print(log[0][:2], "forked" in log[0][2], flush=True)
    os._exit(0)
os.waitpid(child, 0)
go.set(); thread.join(30)
print(log, flush=True)
""",
            init("begun.set(); go.wait(30)"),
        )

        assert "('a', 'InitError') True\n[('a', 'example.com/a', 1)]\n" == shown


class TestFromConstructor:
    """A constructor that opens."""

    def test_another(self, host):
        """A constructor that opens another plugin gets it, initialised."""
        shown = host("attempt('a'); print(log)", constructor("attempt('b')"), init("pass"))

        assert "[('b', 'example.com/b', 1), ('a', 'example.com/a', 1)]\n" == shown

    def test_itself(self, host):
        """A constructor that opens its own plugin gets an error that names it, not a hang; the outer open goes on."""
        shown = host("attempt('a'); show('example.com/a')", constructor("attempt('a')"))

        assert "('a', 'InitError') True [('a', 'example.com/a', 1)]\n" == shown

    def test_ring(self, host):
        """Constructors that open each other's plugins end with an error that names the ring."""
        shown = host(
            "attempt('a'); show('example.com/a -> example.com/b -> example.com/a')",
            constructor("attempt('b')"),
            constructor("attempt('a')"),
        )

        assert "('a', 'InitError') True [('b', 'example.com/b', 1), ('a', 'example.com/a', 1)]\n" == shown

    def test_initialising_elsewhere(self, host):
        """A constructor that opens what another thread is initialising gets an error that names both, at once."""
        shown = host(
            """
begun, go = threading.Event(), threading.Event()
first = threading.Thread(target=attempt, args=("b",))
first.start(); begun.wait(30)
attempt("a")
show("example.com/a", "example.com/b")
go.set(); first.join(30)
print(attempt("b") is plugin.open(paths["b"]))
""",
            constructor("attempt('b')"),
            init("begun.set(); go.wait(30)"),
        )

        assert "('b', 'InitError') True [('a', 'example.com/a', 1)]\nTrue\n" == shown

    def test_other_thread(self, host):
        """While a constructor runs Python code, another thread's Python code runs and its lookups too."""
        shown = host(
            """
begun, go = threading.Event(), threading.Event()
def other():
    begun.wait(30)
    log.append("other")
    go.set()
thread = threading.Thread(target=other)
thread.start()
attempt("a"); thread.join(30)
print(log)
""",
            constructor("begun.set(); go.wait(30)"),
        )

        assert "['other', ('a', 'example.com/a', 1)]\n" == shown

    def test_ctypes(self, host):
        """A plugin that somebody else loaded before, its constructors run, is initialised by the first open."""
        shown = host(
            """
import ctypes
ready = ctypes.c_int.in_dll(ctypes.CDLL(paths["a"]), "ready")
print(ready.value, end=" ")
print(attempt("a").lookup("ready").value, ready.value)
""",
            init("pass"),
        )

        assert "0 1 1\n" == shown
