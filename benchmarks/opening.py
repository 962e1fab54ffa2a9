"""Opening and looking up: the first time and again, beside the loader's own functions and the system's."""

import ctypes
import os
import random
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plugin

from . import build, libraries
from .children import child
from .contestants import load
from .measure import Use, timed
from .operations import Operation
from .rows import Row, cells

LOOKUPS = 1000


def probe() -> Any:
    """The benchmark's own extension."""
    return load("probe", build.extension("probe", [build.NATIVE / "probe.c"]))


def clocked(function: Callable[[str], Any]) -> Callable[[str], float]:
    """A function that gives the seconds that `function` takes, and keeps what it gave."""
    kept = []

    def run(path: str) -> float:
        start = time.thread_time()
        result = function(path)
        taken = time.thread_time() - start
        kept.append(result)
        return taken

    return run


def cffi_opener() -> Callable[[str], Any] | None:
    """cffi's dlopen, or None without cffi."""
    try:
        import cffi
    except ImportError:
        return None
    opener: Callable[[str], Any] = cffi.FFI().dlopen
    return opener


def tvm_opener() -> Callable[[str], Any] | None:
    """tvm-ffi's way to load a library, or None without it."""
    try:
        import tvm_ffi
    except ImportError:
        return None
    return tvm_ffi.load_module


def openers() -> dict[str, Callable[[str], float]]:
    """Who opens, and how long it takes."""
    raw = probe()
    found: dict[str, Callable[[str], float]] = {
        "dlopen": lambda path: raw.open(path)[1],
        "plugin": clocked(plugin.open),
        "ctypes": clocked(ctypes.CDLL),
    }
    for name, opener in {"cffi-abi": cffi_opener(), "tvm-ffi": tvm_opener()}.items():
        if opener is not None:
            found[name] = clocked(opener)
    return found


def first_opens(symbols: int, number: int) -> list[dict[str, float]]:
    """Seconds of opening a file that this process has not opened, by contestant, for each round. Runs in a child."""
    result = []
    contestants = openers()
    rounds = number + 2
    with tempfile.TemporaryDirectory(prefix="plugin-bench-") as folder:
        # All are written before the first is opened: what the processor still does for a file just written, the next
        # opening would wait for.
        fresh = iter(libraries.copies(symbols, Path(folder), rounds * len(contestants)))
        for _ in range(rounds):
            order = [(name, str(next(fresh))) for name in random.sample(list(contestants), len(contestants))]
            taken = {name: contestants[name](path) for name, path in order}
            result.append({name: taken[name] for name in contestants})
    return result[2:]  # the first ones import what is imported when it is needed


def first_lookups(symbols: int, number: int) -> list[dict[str, float]]:
    """Seconds of one lookup, the mean of many different ones. Runs in a child."""
    raw = probe()
    result = []
    with tempfile.TemporaryDirectory(prefix="plugin-bench-") as folder:
        fresh = iter(libraries.copies(symbols, Path(folder), 3 * (number + 1)))
        for _ in range(number + 1):
            names = [f"function_{i}" for i in random.sample(range(symbols), LOOKUPS)]
            handle = raw.open(str(next(fresh)))[0]
            mine, theirs = plugin.open(next(fresh)), ctypes.CDLL(str(next(fresh)))
            times = {"dlsym": raw.symbols(handle, names) / LOOKUPS}
            times["plugin"] = per_name(mine.lookup, names)
            times["ctypes"] = per_name(theirs.__getattr__, names)
            result.append(times)
    return result[1:]


def per_name(look: Callable[[str], Any], names: list[str]) -> float:
    """Seconds of one `look`."""
    start = time.thread_time()
    for name in names:
        look(name)
    return (time.thread_time() - start) / len(names)


def again(seconds: float, number: int) -> dict[str, list[dict[str, float]]]:
    """Opening what is open, and looking up what was looked up: loops like those of the calls, in nanoseconds by
    contestant, the limit first, for each round. Runs in a child."""
    path = str(build.work_plugin())
    opened, library = plugin.open(path), ctypes.CDLL(path)
    opened.lookup("add"), library.add
    uses = {"os.stat": Use({"f": os.stat}), "plugin": Use({"f": plugin.open}), "ctypes": Use({"f": ctypes.CDLL})}
    opener = cffi_opener()
    if opener is not None:
        uses["cffi-abi"] = Use({"f": opener})
    reopen = timed(Operation("reopen", "open again", "", "f(a)", {"a": path}), uses, seconds, number)
    uses = {
        "dict.get": Use({"o": {"add": opened.lookup("add")}}, "o.get(a)"),
        "plugin": Use({"o": opened}, "o.lookup(a)"),
        "ctypes": Use({"o": library}, "getattr(o, a)"),
    }
    lookup = timed(Operation("lookup", "lookup", "", "", {"a": "add"}), uses, seconds, number)
    module = types.ModuleType("module")
    vars(module)["add"] = opened.lookup("add")
    uses = {
        "module": Use({"o": module}, "o.add"),
        "plugin": Use({"o": opened.bind("int64_t add(int64_t a, int64_t b);")}, "o.add"),
        "ctypes": Use({"o": library}, "o.add"),
    }
    attribute = timed(Operation("attribute", "attribute", "", ""), uses, seconds, number)
    return {"reopen": reopen, "lookup": lookup, "attribute": attribute}


def rows(seconds: float, number: int, processes: int) -> list[Row]:
    """All rows of this part; the processes share the rounds of what is short."""
    parts = [child(again, seconds, max(1, round(number / processes))) for _ in range(processes)]

    def short(key: str, title: str, limit: str, target: float | None = None) -> Row:
        times = [each for part in parts for each in part[key]]
        return Row("opening", key, title, "ns", limit, cells(times, limit), target)

    small = cells([each for _ in range(3) for each in child(first_opens, 10, number)], "dlopen", 1e6)
    large = cells(child(first_opens, 10_000, number), "dlopen", 1e6)
    first = cells(child(first_lookups, 10_000, max(5, number // 3)), "dlsym", 1e9)
    return [
        Row("opening", "open10", "first open, 10 symbols", "µs", "dlopen", small, 1.35),
        Row("opening", "open10000", "first open, 10,000 symbols", "µs", "dlopen", large, 3.0),
        Row("opening", "first", "first lookup of a symbol, of 10,000", "ns", "dlsym", first),
        short("reopen", "open again", "os.stat", 1.0),
        short("lookup", "lookup of what was looked up", "dict.get", 1.3),
        short("attribute", "a bound function, as an attribute", "module"),
    ]
