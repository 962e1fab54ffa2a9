"""Instructions a call, which repeat exactly: callgrind counts N and 2 N calls, and the difference is that of N.

One process for each contestant does all operations. callgrind collects only below `benchmark_collected` (probe.c), and
writes its counters out each time that this function returns.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import registry
from .children import child_command
from .measure import block_of
from .opening import probe
from .operations import OPERATIONS
from .rows import Row, single

CALLS = 500
CONTESTANTS = ["hand", "plugin", "cffi", "ctypes", "nanobind", "cython"]
KEYS = ["none", "int64", "double", "mixed8", "string", "array", "method", "create"]


def workload(name: str, keys: list[str]) -> list[str]:
    """Does N and 2 N calls of each operation, after enough calls to specialise the loop. Runs under callgrind."""
    uses = registry.load([name])[name]
    collected = probe().collected
    done = []
    for operation in OPERATIONS:
        if operation.key in keys and operation.key in uses:
            block = block_of(operation, uses[operation.key])
            block(20)
            for count in (CALLS, 2 * CALLS):
                collected(block, count // operation.unroll)
            done.append(operation.key)
    return done


def dumps(name: str, keys: list[str], folder: Path) -> dict[str, tuple[Path, Path]]:
    """Runs the workload: the dumps of N and of 2 N calls of each operation."""
    out = folder / "out"
    options = ["--tool=callgrind", f"--callgrind-out-file={out}", "--toggle-collect=benchmark_collected"]
    command = ["valgrind", *options, "--dump-after=benchmark_collected", *child_command(workload, name, keys)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"valgrind failed: {done.stderr.strip()[-500:]}")
    present = json.loads(done.stdout.splitlines()[-1])
    return {key: (Path(f"{out}.{2 * i + 1}"), Path(f"{out}.{2 * i + 2}")) for i, key in enumerate(present)}


def counted(name: str, keys: list[str]) -> dict[str, float]:
    """Instructions a call, by operation."""
    with tempfile.TemporaryDirectory(prefix="plugin-bench-") as folder:
        found = dumps(name, keys, Path(folder))
        return {key: (total(twice) - total(once)) / CALLS for key, (once, twice) in found.items()}


def by_function(name: str, key: str) -> dict[str, float]:
    """Where the instructions of one call go: the function's own, by function; those of less than one are left out."""
    with tempfile.TemporaryDirectory(prefix="plugin-bench-") as folder:
        path = dumps(name, [key], Path(folder))[key][1]
        command = ["callgrind_annotate", "--threshold=100", "--auto=no", str(path)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        whole = total(path) / (2 * CALLS)
    found: dict[str, float] = {}
    for count, function in re.findall(r"^ *([\d,]+) \([\d. ]+%\)  \S*?:(\S+)", text, re.MULTILINE):
        own = int(count.replace(",", "")) / (2 * CALLS)
        if 1 <= own < whole:  # the whole is listed for every frame above, too, with what it called
            name = function.partition("'")[0]  # 'f'2' is f in a recursion
            found[name] = round(found.get(name, 0) + own, 1)
    return found


def breakdown(names: list[str], key: str) -> dict[str, dict[str, float]]:
    """`by_function` of each contestant; empty without valgrind."""
    if shutil.which("callgrind_annotate") is None:
        return {}
    return {name: by_function(name, key) for name in names}


def total(path: Path) -> int:
    """Instructions of one dump."""
    found = re.search(r"^(?:summary|totals): (\d+)", path.read_text(), re.MULTILINE)
    return int(found.group(1)) if found else 0


def rows(names: list[str], keys: list[str]) -> list[Row]:
    """A row for each operation, or none, and a line that says so, without valgrind."""
    if shutil.which("valgrind") is None:
        print("callgrind: left out: valgrind is missing")
        return []
    chosen = [name for name in names if name in CONTESTANTS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # counting does not mind company
        futures = {name: pool.submit(counted, name, keys) for name in chosen}
    counts: dict[str, Mapping[str, float]] = {}
    for name, future in futures.items():
        try:
            counts[name] = future.result()
        except RuntimeError as error:
            print(f"callgrind: {name}: left out: {error}")
    result = []
    for operation in OPERATIONS:
        values = {name: each[operation.key] for name, each in counts.items() if operation.key in each}
        if "hand" in values:
            found = single(values, "hand")
            key = f"{operation.key}-instructions"
            result.append(Row("instructions", key, operation.title, "instructions", "hand", found))
    return result
