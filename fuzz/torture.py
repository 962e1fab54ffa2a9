"""Open tens of thousands of damaged libraries, and count what becomes of the process: `make torture`.

Each case is tried in a forked child: plugin.open, lookup, and a call; every few also with ctypes.  The cases are the
same each time.  Exits with 1 if a target is missed: a stamped library that crashes or hangs the process, more than
2 % of those that are not stamped, a truncated one that opens, or an exception of a foreign class.
"""

import argparse
import itertools
import os
import pickle
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torture_bases
import torture_damage
from torture_run import ATTEMPTS, CRASH, FOREIGN, HANG, OUTCOMES, REFUSED, WORKED, Runner

UNSTAMPED_LIMIT = 0.02  # of the cases
AT_ONCE = 500  # cases
WIDTH = {name: max(len(name) + 2, 8) for name in OUTCOMES}


class Key(NamedTuple):
    """What is counted apart."""

    tool: str
    stamped: bool
    kind: str
    outcome: int
    name: str


class Total:
    """Counts, and what must be told one by one."""

    def __init__(self) -> None:
        self.counts: Counter[Key] = Counter()
        self.bad: list[str] = []

    def count(
        self, tool: str | None = None, stamped: bool | None = None, kind: str | None = None, *outcomes: int
    ) -> int:
        """How many cases; None is any."""
        return sum(
            number
            for key, number in self.counts.items()
            if tool in (None, key.tool)
            and stamped in (None, key.stamped)
            and kind in (None, key.kind)
            and (not outcomes or key.outcome in outcomes)
        )

    def missed(self) -> list[str]:
        """A sentence for each target that was missed."""
        found = []
        stamped = self.count("plugin", True, None, CRASH, HANG)
        plain = self.count("plugin", False, None, CRASH, HANG)
        plain_cases = self.count("plugin", False)
        opened = self.count("plugin", None, "cut off") - self.count("plugin", None, "cut off", REFUSED)
        foreign = self.count("plugin", None, None, FOREIGN)
        sound = self.count("plugin", None, "none") - self.count("plugin", None, "none", WORKED)
        if stamped:
            found.append(f"{stamped} stamped libraries crashed or hung: there must be none")
        if plain > UNSTAMPED_LIMIT * plain_cases:
            found.append(f"{plain} of {plain_cases} not stamped crashed or hung: more than {UNSTAMPED_LIMIT:.0%}")
        if opened:
            found.append(f"{opened} truncated libraries were not refused before they were loaded")
        if sound:
            found.append(f"{sound} undamaged libraries did not work")
        if foreign:
            found.append(f"{foreign} exceptions were of a foreign class")
        return found

    def table(self, stamped: bool) -> str:
        """Kinds of damage down, outcomes across."""
        lines = [f"{'stamped' if stamped else 'not stamped':<16}{'cases':>7}"]
        lines[0] += "".join(f"{name:>{WIDTH[name]}}" for name in OUTCOMES) + f"{'ctypes':>8}{'crash, hang':>13}"
        kinds = dict.fromkeys(key.kind for key in self.counts if key.stamped == stamped)
        for kind in [*kinds, None]:
            line = f"{kind or 'all':<16}{self.count('plugin', stamped, kind):>7}"
            for number, name in enumerate(OUTCOMES):
                line += f"{self.count('plugin', stamped, kind, number) or '.':>{WIDTH[name]}}"
            tried, died = self.count("ctypes", stamped, kind), self.count("ctypes", stamped, kind, CRASH, HANG)
            lines.append(line + f"{tried:>8}{f'{died / tried:.1%}' if tried else '.':>13}")
        return "\n".join(lines)

    def names(self) -> str:
        """The classes of exceptions and the signals, with plugin."""
        names: Counter[str] = Counter()
        for key, number in self.counts.items():
            names[key.name] += number if key.tool == "plugin" and key.name else 0
        return ", ".join(f"{name} {number}" for name, number in names.most_common() if number)


def chosen(base: torture_bases.Base, worker: int, options: argparse.Namespace) -> Iterator[torture_damage.Case]:
    """One worker's share of the cases of one library: those whose number says so."""
    for number, case in enumerate(torture_damage.cases(base.data, every_cut=base.name == "C")):
        if (number % options.every == 0 or case.kind == "none") and number // options.every % options.jobs == worker:
            yield case


def work(bases: list[torture_bases.Base], folder: Path, worker: int, options: argparse.Namespace) -> Total:
    """One worker's part, a few cases at a time: a process that holds little forks fast."""
    total, runner = Total(), Runner(folder, worker)
    for base in bases:
        cases = chosen(base, worker, options)
        while some := list(itertools.islice(cases, AT_ONCE)):
            for tool, attempt in ATTEMPTS.items():
                step = 1 if tool == "plugin" else options.ctypes
                tried = some[::step] if step else []
                for case, (outcome, name) in zip(tried, runner.run(base, tried, attempt), strict=True):
                    total.counts[Key(tool, base.stamped, case.kind, outcome, name)] += 1
                    if tool == "plugin" and outcome in (FOREIGN, CRASH, HANG):
                        stamped = "stamped" if base.stamped else "not stamped"
                        what = f"{case.kind}: {case.detail}: {OUTCOMES[outcome]} {name}"
                        total.bad.append(f"{base.name}, {stamped}: {what}")
    return total


def share(bases: list[torture_bases.Base], folder: Path, options: argparse.Namespace) -> Total:
    """All workers, each in a process of its own."""
    readers, total = [], Total()
    for worker in range(options.jobs):
        reader, writer = os.pipe()
        if os.fork() == 0:
            with os.fdopen(writer, "wb") as stream:
                pickle.dump(work(bases, folder, worker, options), stream)
            os._exit(0)
        os.close(writer)
        readers.append(reader)
    for reader in readers:
        with os.fdopen(reader, "rb") as stream:
            part: Total = pickle.load(stream)
        total.counts += part.counts
        total.bad += part.bad
        os.wait()
    return total


def parse(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description="Open damaged libraries and count what becomes of the process.")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="try every Nth case only")
    parser.add_argument(
        "--ctypes", type=int, default=5, metavar="N", help="every Nth of these with ctypes too; 0: none"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument("--bad", metavar="FILE", help="write there what crashed, hung, or raised a foreign exception")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Run, print the tables, and return the exit status."""
    options = parse(words)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torture-", dir=memory) as folder:
        total = share(torture_bases.bases(Path(folder)), Path(folder), options)
    spent = time.monotonic() - started
    print(total.table(stamped=True), total.table(stamped=False), sep="\n\n")
    print(f"\n{total.names()}\n{total.count('plugin')} cases, {total.count('ctypes')} with ctypes, in {spent:.0f} s")
    if options.bad:
        Path(options.bad).write_text("".join(f"{line}\n" for line in total.bad), encoding="utf-8")
    for sentence in total.missed():
        print(f"missed: {sentence}")
    return 1 if total.missed() else 0


if __name__ == "__main__":
    sys.exit(main())
