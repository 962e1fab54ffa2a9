"""Memory of an open plugin and of a function, counted by malloc itself.

Each number is from a process of its own with PYTHONMALLOC=malloc, so that Python's objects are malloc's blocks, too,
and `mallinfo2` tells the bytes given out. What the loader takes is in all of them; for an open plugin it is taken off.
"""

import ctypes
import gc
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plugin

from . import libraries
from .children import child
from .opening import probe
from .rows import Row, single

OPENED = 100
FUNCTIONS = 2000
MALLOC = {"PYTHONMALLOC": "malloc"}
OPENERS: dict[str, Callable[[str], Any]] = {"plugin": plugin.open, "ctypes": ctypes.CDLL}


def per_open(name: str) -> float:
    """Bytes of an open library of 10 symbols, what dlopen takes included. Runs in a child."""
    raw = probe()
    opener = raw.open if name == "dlopen" else OPENERS[name]
    with tempfile.TemporaryDirectory(prefix="plugin-bench-") as folder:
        paths = [str(path) for path in libraries.copies(10, Path(folder), OPENED + 5)]
        kept: list[Any] = [None] * OPENED
        for path in paths[OPENED:]:
            opener(path)
        gc.collect()
        before = raw.heap()
        for i in range(OPENED):
            kept[i] = opener(paths[i])
        gc.collect()
        return float(raw.heap() - before) / OPENED


def per_function(name: str) -> float:
    """Bytes of a function that was looked up, its name included. Runs in a child."""
    raw = probe()
    opened = OPENERS[name](str(libraries.library(10_000)))
    for i in range(100):
        look_up(opened, f"function_{i}")
    gc.collect()
    before = raw.heap()
    for i in range(1000, 1000 + FUNCTIONS):
        look_up(opened, f"function_{i}")
    gc.collect()
    return float(raw.heap() - before) / FUNCTIONS


def look_up(opened: Any, name: str) -> None:
    """Make the function usable; the library keeps it."""
    if isinstance(opened, ctypes.CDLL):
        function = getattr(opened, name)
        function.restype, function.argtypes = ctypes.c_int64, [ctypes.c_int64]
    else:
        opened.lookup(name)


def rows() -> list[Row]:
    """Both rows; the targets are bytes."""
    opens = {name: child(per_open, name, environment=MALLOC) for name in ("dlopen", "plugin", "ctypes")}
    beyond = {name: opens[name] - opens["dlopen"] for name in ("ctypes", "plugin")}
    functions = {name: child(per_function, name, environment=MALLOC) for name in ("ctypes", "plugin")}
    return [
        Row("process", "memory-open", "memory of an open plugin, beyond dlopen", "bytes", "ctypes",
            single(beyond, "ctypes"), 6 * 1024, absolute=True),
        Row("process", "memory-function", "memory of a function", "bytes", "ctypes",
            single(functions, "ctypes"), 360, absolute=True),
    ]  # fmt: skip
