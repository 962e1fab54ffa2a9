"""The calls: each operation by each contestant, in several processes.

Where code and objects lie in memory is chosen anew in each process, and makes some hundredths of a short call.
"""

import sys

from . import registry
from .children import child
from .measure import Use, once, timed
from .operations import OPERATIONS, Operation
from .rows import Row, cells

TIMED = [each for each in OPERATIONS if each.way != "scaling"]


def checked(operation: Operation, name: str, use: Use) -> bool:
    """Whether the contestant does what it is timed for; a message if not."""
    try:
        result = once(operation, use)
    except Exception as error:
        result = error
    same = isinstance(result, type(operation.expected)) and result == operation.expected
    right = same or (operation.expected is ... and not isinstance(result, Exception))
    if not right:
        print(f"{name}, {operation.key}: left out: gives {result!r}, not {operation.expected!r}", file=sys.stderr)
    return right


def rounds(names: list[str], keys: list[str], seconds: float, number: int) -> dict[str, list[dict[str, float]]]:
    """By operation that somebody can do: nanoseconds by contestant, the limit first, for each round."""
    tables = registry.load(names)
    found = {}
    for operation in TIMED:
        if operation.key in keys:
            uses = {name: table[operation.key] for name, table in tables.items() if operation.key in table}
            uses = {name: use for name, use in uses.items() if checked(operation, name, use)}
            if uses:
                found[operation.key] = timed(operation, uses, seconds, number)
    return found


def rows(names: list[str], keys: list[str], seconds: float, number: int, processes: int) -> list[Row]:
    """All rows of this part; the processes share the rounds."""
    share = max(1, round(number / processes))
    parts = [rounds(names, keys, seconds, share)]  # here, where what is said about contestants is seen
    parts += [child(rounds, names, keys, seconds, share) for _ in range(processes - 1)]
    result = []
    for operation in TIMED:
        times = [each for part in parts for each in part.get(operation.key, [])]
        if times:
            limit = next(iter(times[0]))
            result.append(
                Row("calls", operation.key, operation.title, "ns", limit, cells(times, limit), operation.target)
            )
    return result
