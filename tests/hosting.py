"""What the tests that open plugins share: names used once, hosts in a process of their own, what a process holds."""

import itertools
import os
import subprocess
import sys
import threading

import parallel

_numbers = itertools.count(1)


def unique() -> str:
    """A plugin name that no other test of this process uses: plugins are never unloaded."""
    return f"example.com/unique/{next(_numbers)}"


def manifest(source: str = "", name: str | None = None, version: str = "1.0.0") -> str:
    """The C source of a plugin: the header, PLUGIN with a name of its own unless given, and `source`."""
    return f'#include <plugin.h>\nPLUGIN("{name or unique()}", "{version}");\n{source}\n'


def run_host(script: str, *arguments: object, timeout: float = 120, **environment: str) -> str:
    """The standard output of a Python script in a process of its own, which has `arguments` in sys.argv[1:].

    Raises:
        AssertionError: it failed or crashed, with its standard error.
        subprocess.TimeoutExpired: it hangs.
    """
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=timeout, env=os.environ | environment
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def count_descriptors() -> int:
    """How many file descriptors this process has open; beside other tests, those that the calling thread has.

    From the first time on, such a thread has a table of descriptors of its own.  ThreadSanitizer takes equal numbers of
    two tables for one file, and sees races: there such a thread counts none.
    """
    if sys.version_info >= (3, 12) and threading.current_thread() is not threading.main_thread():
        if parallel.under_tsan():
            return 0
        os.unshare(os.CLONE_FILES)
        return len(os.listdir("/proc/thread-self/fd"))
    return len(os.listdir("/proc/self/fd"))


def mapped_files() -> set[str]:
    """The paths of the files that this process has mapped."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        return {line.split(None, 5)[5].rstrip("\n") for line in maps if line.count("/")}
