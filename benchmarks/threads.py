"""Two threads without a GIL: how the calls of a threadsafe function scale, beside the hand-written function's."""

import sys
import threading
import time
from collections.abc import Mapping

from .measure import Block, Use, calibrated, loop
from .operations import OPERATIONS
from .rows import Row, cells

THREADS = 2
OPERATION = next(each for each in OPERATIONS if each.way == "scaling")


def without_gil() -> bool:
    """Whether this interpreter runs threads at the same time."""
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


def rows(tables: Mapping[str, Mapping[str, Use]], number: int) -> list[Row]:
    """One row: the time in which two threads do what one does alone in 1.0, each; none if there is a GIL.

    1.0 is perfect scaling, 2.0 is none.
    """
    if not without_gil():
        print("threads: left out: this interpreter has a GIL")
        return []
    uses = {name: table[OPERATION.key] for name, table in tables.items() if OPERATION.key in table}
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
    found = cells(rounds, next(iter(uses)))
    title = f"{OPERATION.title}: time, in units of one thread's"
    return [Row("process", OPERATION.key, title, "x", "hand", found, OPERATION.target)]
