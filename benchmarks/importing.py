"""The time of an import in a new process, by the clock of its thread: what other processes do is not in it."""

import importlib.util
import random
import subprocess
import sys

from .rows import Row, cells

# What each contestant imports. "bare" imports nothing: the cost of asking.
IMPORTS = {"ctypes": "ctypes", "plugin": "plugin", "bare": "", "cffi": "cffi", "tvm-ffi": "tvm_ffi"}


def seconds_of(module: str) -> float:
    """Seconds of the import in a new process."""
    line = f"import {module}" if module else "pass"
    code = f"from time import thread_time as t\ns = t()\n{line}\nprint(t() - s)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def rows(number: int) -> list[Row]:
    """One row; the limit is ctypes, which the target refers to."""
    found = {name: module for name, module in IMPORTS.items() if not module or importlib.util.find_spec(module)}
    rounds = []
    for _ in range(number + 1):  # the first one reads the files from the disk
        order = random.sample(list(found), len(found))
        taken = {name: seconds_of(found[name]) for name in order}
        rounds.append({name: taken[name] for name in found})
    times = cells(rounds[1:], "ctypes", 1e3)
    return [Row("process", "import", "import in a new process", "ms", "ctypes", times, 0.5, aside=("bare",))]
