"""The command: python -m benchmarks [--quick] [--only int64,string,opening] [--contestants hand,plugin]."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

from . import build, callgrind, calls, golang, importing, memory, opening, registry, report, threads
from .calls import TIMED
from .rows import Cell, Row

PARTS = ["opening", "importing", "memory", "callgrind", "go", "scaling"]
SLOW = ["callgrind", "go"]  # parts that a quick run leaves out


def options() -> argparse.Namespace:
    """What the command line says."""
    keys = ",".join([each.key for each in TIMED] + PARTS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds; nothing in results/ changes")
    parser.add_argument("--only", metavar="KEYS", help=f"operations and parts: {keys}; nothing in results/ changes")
    parser.add_argument("--contestants", metavar="NAMES", help=",".join(registry.CONTESTANTS))
    parser.add_argument("--rounds", type=int, help="number of rounds: 21, quick 9")
    parser.add_argument("--processes", type=int, help="for short rows, which share the rounds: 7, quick 1")
    parser.add_argument("--block", type=float, help="milliseconds of a block: 5, quick 2")
    parser.add_argument("--merge", action="store_true", help="put the rows of an --only into results/ all the same")
    parser.add_argument("--readme", action="store_true", help="only put results/ into README.md again")
    return parser.parse_args()


def show(row: Row) -> Row:
    """Prints a row when it is there."""
    shown = [f"{name} {report.number(cell.value)} ({cell.ratio:.2f})" for name, cell in row.cells.items()]
    print(f"{row.key:16} {row.unit:5}", " | ".join(shown), flush=True)
    return row


def with_go(rows: list[Row]) -> list[Row]:
    """The rows with Go's medians, which come from processes of their own."""
    found = golang.medians()
    scales = {"ns": 1.0, "µs": 1e-3}
    result = []
    for row in rows:
        if row.key in found and row.group in ("calls", "opening"):
            value, best = (each * scales[row.unit] for each in found[row.key])
            share = value / row.cells[row.limit].value
            row = replace(row, cells={**row.cells, "Go": Cell(value, best, share, share, share)})
        result.append(row)
    return result


def measured(chosen: argparse.Namespace) -> list[Row]:
    """All rows that were asked for."""
    keys = chosen.only.split(",") if chosen.only else [each.key for each in TIMED] + PARTS
    if chosen.quick and not chosen.only:
        keys = [key for key in keys if key not in SLOW]
    unknown = set(keys) - {each.key for each in TIMED} - set(PARTS)
    if unknown:
        sys.exit(f"benchmarks: unknown in --only: {', '.join(sorted(unknown))}")
    names = chosen.contestants.split(",") if chosen.contestants else list(registry.CONTESTANTS)
    rounds = chosen.rounds or (9 if chosen.quick else 21)
    seconds = (chosen.block or (2 if chosen.quick else 5)) / 1000
    processes = chosen.processes or (1 if chosen.quick else 7)
    timed = any(each.key in keys for each in TIMED)
    rows = [show(row) for row in calls.rows(names, keys, seconds, rounds, processes)] if timed else []
    parts: dict[str, Callable[[], list[Row]]] = {
        "opening": lambda: opening.rows(seconds, rounds, processes),
        "importing": lambda: importing.rows(rounds),
        "memory": memory.rows,
        "scaling": lambda: threads.rows(rounds),
        "callgrind": lambda: callgrind.rows(names, callgrind.KEYS),
    }
    for key, part in parts.items():
        if key in keys:
            rows += [show(row) for row in part()]
    return with_go(rows) if "go" in keys else rows


def main() -> int:
    """Measure what was asked for; a full run's results are kept."""
    chosen = options()
    if not chosen.readme:
        rows = measured(chosen)
        partial = chosen.quick or chosen.only or chosen.contestants
        folder = build.FOLDER / "results" if partial else report.RESULTS
        counted = any(row.group == "instructions" for row in rows)
        parts: report.Breakdown = callgrind.breakdown(["hand", "plugin"], "int64") if counted else {}
        if chosen.merge:
            partial, folder = False, report.RESULTS
            rows, parts = report.merged(rows, parts)
        report.write(rows, parts, folder)
        print(f"\nwritten to {folder.relative_to(build.HERE.parent)}/")
        if partial:
            return 0
    report.update_readme()
    return 0


if __name__ == "__main__":
    sys.exit(main())
