"""The command: python -m benchmarks [--quick] [--only int64,string] [--contestants hand,plugin]."""

import argparse
import sys

from . import registry
from .measure import Timing, Use, measure, once
from .operations import OPERATIONS, Operation


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--only", metavar="KEYS", help="operations: " + ",".join(each.key for each in OPERATIONS))
    parser.add_argument("--contestants", metavar="NAMES", help=",".join(registry.CONTESTANTS))
    parser.add_argument("--rounds", type=int, help="number of rounds")
    parser.add_argument("--block", type=float, help="milliseconds of a block")
    return parser.parse_args()


def checked(operation: Operation, name: str, use: Use) -> bool:
    """Whether the contestant does what it is timed for; a message if not."""
    try:
        result = once(operation, use)
    except Exception as error:
        result = error
    right = operation.expected is ... or (result == operation.expected and isinstance(result, type(operation.expected)))
    if not right:
        print(f"{name}, {operation.key}: left out: gives {result!r}, not {operation.expected!r}", file=sys.stderr)
    return right


def show(operation: Operation, timings: dict[str, Timing]) -> None:
    """One row as text."""
    cells = [f"{name} {timing.median:.1f} ns {timing.ratio:.2f}" for name, timing in timings.items()]
    print(f"{operation.key:10}", " | ".join(cells), flush=True)


def main() -> int:
    """Measure what was asked for."""
    chosen = options()
    keys = chosen.only.split(",") if chosen.only else [each.key for each in OPERATIONS]
    names = chosen.contestants.split(",") if chosen.contestants else list(registry.CONTESTANTS)
    contestants = registry.load(names)
    rounds = chosen.rounds or (7 if chosen.quick else 21)
    seconds = (chosen.block or (2 if chosen.quick else 5)) / 1000
    for operation in OPERATIONS:
        if operation.key not in keys:
            continue
        uses = {name: table[operation.key] for name, table in contestants.items() if operation.key in table}
        uses = {name: use for name, use in uses.items() if checked(operation, name, use)}
        if uses:
            show(operation, measure(operation, uses, seconds, rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
