"""Times statements: a compiled loop for each contestant and operation, short blocks in turn, ratios inside a round."""

import gc
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .operations import Operation

THREADS = 4
# Runs the loop `count` times; gives the seconds that it took.
Block = Callable[[int], float]


@dataclass(frozen=True)
class Use:
    """How a contestant does an operation: what the names in the statement stand for, and its own statement if any."""

    names: Mapping[str, Any]
    statement: str | None = None


def compiled(head: str, body: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    """A function whose local variables are `names`. Each is code of its own: the interpreter specialises code, not
    functions, and one contestant must not meet what another's calls have left there."""
    local = ", ".join(f"{name}={name}" for name in names)
    source = f"def run({head}{', ' if head and local else ''}{local}):\n{body}"
    scope = dict(names)
    exec(compile(source, "<benchmark>", "exec"), scope)
    return scope["run"]  # type: ignore[no-any-return]


def once(operation: Operation, use: Use) -> Any:
    """The result of the statement, or None if it is an assignment."""
    statement = use.statement or operation.statement
    body = f"    {statement}" if " = " in statement else f"    return {statement}"
    return compiled("", body, {**operation.names, **use.names})()


def loop(operation: Operation, use: Use, clock: Callable[[], float]) -> Block:
    """The statement in a for loop, several times in its body."""
    line = f"        {use.statement or operation.statement}\n"
    body = "    start = clock_()\n    for _ in it_:\n" + line * operation.unroll + "    return clock_() - start"
    run = compiled("it_, clock_", body, {**operation.names, **use.names})
    return lambda count: run(itertools.repeat(None, count), clock)


def mapped(operation: Operation, use: Use) -> Block:
    """The function given to map, whose results are thrown away."""
    f = use.names["f"]
    values = [use.names.get(name, value) for name, value in operation.names.items()]

    def block(count: int) -> float:
        columns = [itertools.repeat(value, count * operation.unroll) for value in values]
        start = time.thread_time()
        deque(map(f, *columns), 0)
        return time.thread_time() - start

    return block


def from_threads(operation: Operation, use: Use) -> Block:
    """The loop in several threads at once. The time is that of a call in one of them: starting them counts, too."""
    run = loop(operation, use, time.perf_counter)

    def block(count: int) -> float:
        threads = [threading.Thread(target=run, args=(count,)) for _ in range(THREADS)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - start

    return block


def beside_python(operation: Operation, use: Use) -> Block:
    """The loop, while another thread runs Python code that never waits."""
    run = loop(operation, use, time.perf_counter)

    def block(count: int) -> float:
        stop = False

        def work() -> None:
            while not stop:
                pass

        thread = threading.Thread(target=work)
        thread.start()
        try:
            return run(count)
        finally:
            stop = True
            thread.join()

    return block


def block_of(operation: Operation, use: Use) -> Block:
    """What runs the operation in the way that it asks for."""
    match operation.way:
        case "map":
            return mapped(operation, use)
        case "threads":
            return from_threads(operation, use)
        case "busy":
            return beside_python(operation, use)
    return loop(operation, use, time.thread_time)


def calibrated(block: Block, seconds: float) -> int:
    """The count with which `block` takes about `seconds`; by then the loop's code is specialised and warm."""
    count = 1
    while True:
        block(max(1, count // 2))
        taken = block(count)
        if taken >= seconds / 4:
            return max(1, round(count * seconds / taken))
        count = max(count * 2, min(count * 16, round(count * seconds / 2 / max(taken, 1e-7))))


def rounds(blocks: Mapping[str, tuple[Block, int]], number: int) -> Iterator[dict[str, float]]:
    """Seconds a unit of each block, for each round; the order is another one each time."""
    order = list(blocks)
    for _ in range(number):
        random.shuffle(order)
        yield {name: blocks[name][0](blocks[name][1]) / blocks[name][1] for name in order}


def timed(operation: Operation, uses: Mapping[str, Use], seconds: float, number: int) -> list[dict[str, float]]:
    """Nanoseconds a call of `operation` by contestant, for each round.

    The first one is the limit; "loop" is the empty loop, which is in all.

    Args:
        operation: what is timed.
        uses: how each contestant does it.
        seconds: the length of a block.
        number: of rounds.
    """
    if operation.way in ("busy", "threads"):  # they wait: for a GIL that changes hands every 5 ms, for a nap of 1 ms
        seconds, number = 20 * seconds, max(3, number // 3)
    blocks = {name: block_of(operation, use) for name, use in uses.items()}
    if operation.way == "loop":
        blocks["loop"] = loop(operation, Use({}, "pass"), time.thread_time)
    gc.collect()
    gc.disable()
    try:
        counted = {name: (block, calibrated(block, seconds)) for name, block in blocks.items()}
        times = list(rounds(counted, number))
    finally:
        gc.enable()
    return [{name: each[name] * 1e9 / operation.unroll for name in blocks} for each in times]
