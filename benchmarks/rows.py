"""The table's rows, whatever was measured: cells by contestant, each with a ratio to the row's limit."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

# Limits that are contestants, too: ratios refer to them where there is no hand-written form.
RIVALS = ("ctypes",)


@dataclass(frozen=True)
class Cell:
    """What was measured, in the row's unit, and its ratio to the limit: the median, and the middle half's ends."""

    value: float
    best: float
    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One row of the results.

    Args:
        group: the table that it stands in.
        key: its name in options and results.
        title: what the table says.
        unit: of the values.
        limit: the contestant that the ratios refer to.
        cells: by contestant, the limit first.
        target: the largest ratio, or with `absolute` the largest value, that is good enough for plugin.
        absolute: whether the target is a value.
        aside: contestants that are no rivals: the limit's variants, the empty loop, Go, which calls from Go.
    """

    group: str
    key: str
    title: str
    unit: str
    limit: str
    cells: Mapping[str, Cell]
    target: float | None = None
    absolute: bool = False
    aside: Sequence[str] = field(default=("plain", "general", "loop", "Go"))

    def met(self) -> bool | None:
        """Whether plugin meets the target; None where there is none, or nothing was measured."""
        mine = self.cells.get("plugin")
        if mine is None or self.target is None:
            return None
        return (mine.value if self.absolute else mine.ratio) <= self.target

    def best_rival(self) -> str | None:
        """The fastest of those who compete."""
        limit = () if self.limit in RIVALS else (self.limit,)
        rivals = [name for name in self.cells if name not in ("plugin", *limit, *self.aside)]
        return min(rivals, key=lambda name: self.cells[name].ratio, default=None)

    def behind(self) -> bool:
        """Whether a rival is ahead by more than the middle half of the rounds can explain."""
        rival, mine = self.best_rival(), self.cells.get("plugin")
        return rival is not None and mine is not None and self.cells[rival].high < mine.low

    def data(self) -> dict[str, Any]:
        """The row for JSON."""
        return {**asdict(self), "met": self.met(), "best_rival": self.best_rival(), "behind": self.behind()}


def cells(rounds: Sequence[Mapping[str, float]], limit: str, scale: float = 1.0) -> dict[str, Cell]:
    """Cells from values by round: ratios are taken inside a round. The limit comes first."""
    names = [limit, *(name for name in rounds[0] if name != limit)]
    found = {}
    for name in names:
        own = [each[name] for each in rounds]
        ratios = sorted(each[name] / each[limit] for each in rounds)
        quarter = len(ratios) // 4
        middle = statistics.median(ratios)
        found[name] = Cell(
            statistics.median(own) * scale, min(own) * scale, middle, ratios[quarter], ratios[-1 - quarter]
        )
    return found


def single(values: Mapping[str, float], limit: str, scale: float = 1.0) -> dict[str, Cell]:
    """Cells from one value each, for what repeats exactly."""
    return cells([values], limit, scale)
