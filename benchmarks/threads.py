"""Two threads without a GIL: how the calls of a threadsafe function scale, beside the hand-written function's."""

import importlib
import sys
import sysconfig
import threading
import time

from . import registry
from .children import child
from .measure import Block, calibrated, loop
from .operations import OPERATIONS
from .rows import Row, cells

THREADS = 2
CONTESTANTS = ["hand", "plugin", "ctypes"]
OPERATION = next(each for each in OPERATIONS if each.way == "scaling")


def without_gil_after_import() -> bool:
    """Whether plugin leaves the GIL off. Runs in a child."""
    importlib.import_module("plugin")
    return not getattr(sys, "_is_gil_enabled", lambda: True)()


def together(blocks: list[Block], count: int) -> float:
    """Seconds until all have run, from the moment at which all are ready."""
    ready = threading.Barrier(len(blocks) + 1)

    def work(block: Block) -> None:
        ready.wait()
        block(count)

    threads = [threading.Thread(target=work, args=(block,)) for block in blocks]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def times(number: int) -> list[dict[str, float]]:
    """Time of two threads in units of one's, by contestant, for each round. Runs in a child: other extensions than
    these would turn the GIL on."""
    uses = {name: table[OPERATION.key] for name, table in registry.load(CONTESTANTS).items()}
    # each thread has a loop, and so code, of its own: what is shared is the function
    loops = {name: [loop(OPERATION, use, time.perf_counter) for _ in range(THREADS)] for name, use in uses.items()}
    counts = {name: calibrated(each[0], 0.03) for name, each in loops.items()}
    for each in loops.values():
        together(each, 1000)
    rounds = []
    for _ in range(number):
        one = {name: together(each[:1], counts[name]) for name, each in loops.items()}
        two = {name: together(each, counts[name]) for name, each in loops.items()}
        rounds.append({name: two[name] / one[name] for name in loops})
    return rounds


def rows(number: int) -> list[Row]:
    """One row: the time in which two threads each do what one does alone in 1.0; none if there is a GIL.

    1.0 is perfect scaling, 2.0 is none.
    """
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        print("scaling: left out: this Python has a GIL")
        return []
    if not child(without_gil_after_import):
        print("scaling: importing plugin turns the GIL on; it is measured with PYTHON_GIL=0")
    rounds = child(times, number, environment={"PYTHON_GIL": "0"})
    found = cells(rounds, CONTESTANTS[0])
    title = f"{OPERATION.title}: time, in units of one thread's"
    return [Row("process", OPERATION.key, title, "x", "hand", found, OPERATION.target)]
