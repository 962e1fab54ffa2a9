"""Ctrl-C during an open or a call: KeyboardInterrupt comes when the native code returns, and nothing is half made."""

import pytest
import support
from hosting import manifest, run_host

HOST = """
import os, signal, sys, threading, time
import plugin
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may ignore it
path = sys.argv[1]
def interrupt(seconds=0.2):
    "Send this process SIGINT, as a terminal does, while the main thread is somewhere."
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.daemon = True
    timer.start()
def timed(function, *arguments, **keywords):
    "What a call of at least half a second was ended by."
    start = time.monotonic()
    try:
        result = function(*arguments, **keywords)
    except BaseException as error:
        result = type(error).__name__
    return result, time.monotonic() - start > 0.45
"""
INITS = "static int inits; PLUGIN_FUNC(int, Inits, (void)) { return inits; }\n"
# A signal interrupts system calls in C, too; this one goes on.
SLEEP = """
#define _GNU_SOURCE
#include <time.h>
static void sleep_half(void) { struct timespec left = {0, 500000000}; while (nanosleep(&left, &left) != 0) {} }
"""


class TestOpen:
    """An open that takes half a second."""

    @pytest.mark.parametrize(
        "slow",
        [
            "__attribute__((constructor)) static void construct(void) { sleep_half(); inits++; }",
            "PLUGIN_INIT(void) { sleep_half(); inits++; }",
        ],
        ids=["constructor", "init"],
    )
    def test_opens_again(self, build, slow):
        """It is interrupted when it returns; a second open gives the plugin, whose code ran once, the same again."""
        shown = run_host(
            HOST + "interrupt(); print(*timed(plugin.open, path))\n"
            "p = plugin.open(path); print(p.lookup('Inits')(), plugin.open(path) is p)",
            build(SLEEP + manifest(INITS + slow)),
        )

        assert "KeyboardInterrupt True\n1 True\n" == shown

    def test_waiting(self, build):
        """So is one that waits for another thread's init, which goes on."""
        slow = 'PLUGIN_INIT(void) { run_python("begun.set(); time.sleep(0.7)"); inits++; }'
        shown = run_host(
            HOST + "begun, got = threading.Event(), []\n"
            "thread = threading.Thread(target=lambda: got.append(plugin.open(path)))\n"
            "thread.start(); begun.wait(30)\n"
            "interrupt(0.1); print(*timed(plugin.open, path))\n"
            "thread.join(30); p = plugin.open(path); print(p.lookup('Inits')(), [p] == got)",
            build('#include "run_python.h"\n' + manifest(INITS + slow), "-I", support.PLUGINS),
        )

        assert "KeyboardInterrupt True\n1 True\n" == shown

    def test_host_method(self, build):
        """In a method of the host that init calls, it is raised as it is, not as InitError; init failed for good."""
        source = """
PLUGIN_STRUCT(Host, { void (*Wait)(const Host *self); });
PLUGIN_INIT(const Host *host, plugin_error *error) { (void)error; host->Wait(host); }
"""
        shown = run_host(
            HOST + "class Host:\n    def Wait(self):\n        time.sleep(0.45); signal.raise_signal(signal.SIGINT)\n"
            "host = Host(); print(*timed(plugin.open, path, host=host))\n"
            "try: plugin.open(path, host=host)\n"
            "except plugin.InitError as error:\n"
            "    print('KeyboardInterrupt' in str(error), '(previous failure)' in str(error))",
            build(manifest(source)),
        )

        assert "KeyboardInterrupt True\nTrue True\n" == shown


class TestCall:
    """A plugin_blocking call of half a second."""

    SOURCE = SLEEP + manifest(
        "static int done; PLUGIN_FUNC(int, Done, (void)) { return done; }\n"
        "PLUGIN_FUNC(plugin_blocking int, wait_a_while, (void)) { sleep_half(); return ++done; }\n"
        "PLUGIN_FUNC(plugin_blocking int, call, (int (*f)(void *data), void *data))\n"
        "{ int n = f(data); done++; return n; }"
    )

    def test_returns_first(self, build):
        """It is raised when the call returns, not before, and the plugin goes on."""
        shown = run_host(
            HOST + "p = plugin.open(path).bind(); interrupt(); print(*timed(p.wait_a_while)); print(p.Done())\n"
            "print(p.wait_a_while())",
            build(self.SOURCE),
        )

        assert "KeyboardInterrupt True\n1\n2\n" == shown

    def test_other_thread(self, build):
        """In another thread's call nothing is interrupted: the signal is the main thread's."""
        shown = run_host(
            HOST + "p, got = plugin.open(path).bind(), []\n"
            "threading.Thread(target=lambda: got.append(p.wait_a_while())).start()\n"
            "interrupt(); print(*timed(time.sleep, 0.45))\n"
            "while not got: time.sleep(0.01)\n"
            "print(got)",
            build(self.SOURCE),
        )

        assert "KeyboardInterrupt False\n[1]\n" == shown

    def test_callback(self, build):
        """In a callback it ends the callback, the native function goes on to its end, and then it is raised."""
        shown = run_host(
            HOST + "p = plugin.open(path).bind()\ninterrupt(0.5)\n"
            "print(*timed(p.call, lambda: time.sleep(30)))\nprint(p.Done())",
            build(self.SOURCE),
        )

        assert "KeyboardInterrupt True\n1\n" == shown
