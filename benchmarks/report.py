"""Writes what was measured: Markdown, JSON and a plot for each Python, and the newest results into README.md."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import machine
from .rows import Cell, Row

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
README = HERE / "README.md"
# Instructions by function, by contestant.
Breakdown = Mapping[str, Mapping[str, float]]
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
GROUPS = {
    "calls": "Calls",
    "opening": "Opening and looking up",
    "process": "Processes, memory, threads",
    "instructions": "Instructions a call",
}


def number(value: float) -> str:
    """Three digits or so."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratio(cell: Cell | None) -> str:
    """A ratio, or nothing."""
    return "" if cell is None else number(cell.ratio)


def verdict(row: Row) -> tuple[str, str]:
    """The target, and whether it is met."""
    if row.target is None:
        return "", ""
    shown = f"{row.target:,.0f} {row.unit}" if row.absolute else f"{row.target:.2f}"
    return shown, {True: "met", False: "**not met**", None: "not measured"}[row.met()]


def rival(row: Row) -> str:
    """The best rival, marked if it is ahead."""
    name = row.best_rival()
    if name is None:
        return ""
    mark = " **ahead**" if row.behind() else ""
    return f"{name} {ratio(row.cells[name])}{mark}"


def line(row: Row) -> list[str]:
    """The first columns of a row."""
    limit = row.cells[row.limit]
    mine = row.cells.get("plugin")
    own = "" if mine is None else f"**{ratio(mine)}**"
    if row.absolute and mine is not None:
        own = f"**{number(mine.value)}** {row.unit}"
    return [row.title, f"{row.limit} {number(limit.value)} {row.unit}", own, *verdict(row), rival(row)]


def table(rows: Sequence[Row], full: bool) -> list[str]:
    """A table in Markdown; in full with a column for each contestant."""
    names = list(dict.fromkeys(name for row in rows for name in row.cells if name != "plugin"))
    names = [name for name in names if any(name in row.cells and name != row.limit for row in rows)] if full else []
    head = ["what", "limit", "plugin", "target", "", "best rival", *names]
    lines = [head, ["---"] * len(head)]
    lines += [[*line(row), *(ratio(row.cells.get(name)) for name in names)] for row in rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def shares(found: Breakdown) -> list[str]:
    """Where the instructions of one call go, as a table."""
    names = list(found)
    functions = list(dict.fromkeys(each for name in reversed(names) for each in found[name]))
    lines = [["function", *names], ["---"] * (1 + len(names))]
    for each in functions:
        lines.append([f"`{each}`", *(number(own[each]) if each in own else "" for own in found.values())])
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def markdown(rows: Sequence[Row], facts: dict[str, str], found: Breakdown, full: bool = True) -> str:
    """The results as a page, or as a section of one."""
    parts = []
    for key, title in GROUPS.items():
        chosen = [row for row in rows if row.group == key]
        if chosen:
            parts += [f"{'##' if full else '####'} {title}", "", *table(chosen, full), ""]
    if found:
        title = "Where the instructions of one call of (int64, int64) go, the loop's included"
        parts += [f"{'##' if full else '####'} {title}", "", *shares(found), ""]
    named = "; ".join(f"{name} {value}" for name, value in facts.items())
    return "\n".join([*parts, f"Measured with: {named}.", ""])


def plot(rows: Sequence[Row], path: Path, title: str) -> None:
    """Ratios to the limit, one line a row, one mark a contestant; targets are ticks."""
    try:
        import matplotlib
    except ImportError:
        print("plot: left out: matplotlib is missing")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in dict.fromkeys(name for row in rows for name in row.cells) if name not in ("loop", "bare")]
    figure, axes = pyplot.subplots(figsize=(11, 1.5 + 0.36 * len(rows)))
    marks = "*ovs^DPX<>hp"
    for i, name in enumerate(sorted(names, key=lambda name: name != "plugin")):
        points = [(row.cells[name].ratio, y) for y, row in enumerate(rows) if name in row.cells]
        size, color = (160, "crimson") if name == "plugin" else (36, f"C{(i + 3) % 10}")
        x, y = [x for x, _ in points], [y for _, y in points]
        axes.scatter(x, y, s=size, color=color, label=name, marker=marks[i % len(marks)], zorder=2 + (name == "plugin"))
    targets = [(row.target, y) for y, row in enumerate(rows) if row.target is not None and not row.absolute]
    axes.scatter([x for x, _ in targets], [y for _, y in targets], marker="|", s=260, color="black", label="target")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set(xscale="log", xlabel="ratio to the limit (less is better)", title=title)
    axes.set_yticks(range(len(rows)), [row.title for row in rows])
    axes.invert_yaxis()
    axes.grid(axis="x", which="both", alpha=0.25)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=110, bbox_inches="tight")
    pyplot.close(figure)


def write(rows: Sequence[Row], parts: Breakdown, folder: Path) -> None:
    """All files of this Python's results, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    tag, facts = machine.python_tag(), machine.facts()
    data = {"facts": facts, "rows": [row.data() for row in rows], "breakdown": parts}
    (folder / f"{tag}.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    for group in ("calls", "opening"):
        chosen = [row for row in rows if row.group == group]
        if chosen:
            plot(chosen, folder / f"{group}-{tag}.png", f"{GROUPS[group]}, CPython {tag}")
    page = f"# Results, CPython {tag}\n\n{picture(folder, tag)}" + markdown(rows, facts, parts)
    (folder / f"{tag}.md").write_text(page, encoding="utf-8")


def picture(folder: Path, tag: str, under: str = "") -> str:
    """The line that shows the plot of the calls, if there is one; `under` leads to the folder."""
    return f"![ratios]({under}calls-{tag}.png)\n\n" if (folder / f"calls-{tag}.png").exists() else ""


def loaded(data: dict[str, Any]) -> Row:
    """The row that `data` was made of."""
    fields = {name: value for name, value in data.items() if name in Row.__dataclass_fields__}
    return Row(**{**fields, "cells": {name: Cell(**cell) for name, cell in data["cells"].items()}})


def merged(rows: Sequence[Row], parts: Breakdown) -> tuple[list[Row], Breakdown]:
    """What results/ has of this Python, if anything, with these rows in place of those of the same key."""
    path = RESULTS / f"{machine.python_tag()}.json"
    if not path.exists():
        return list(rows), parts
    data = json.loads(path.read_text(encoding="utf-8"))
    new = {row.key: row for row in rows}
    return [new.get(each["key"]) or loaded(each) for each in data["rows"]], parts or data["breakdown"]


def update_readme() -> None:
    """Put the results of every Python into README.md, between its two marks."""
    parts = [BEGIN, ""]
    for path in sorted(RESULTS.glob("*.json"), key=lambda path: path.stem):
        data = json.loads(path.read_text(encoding="utf-8"))
        rows = [loaded(each) for each in data["rows"]]
        link = f"All contestants: [results/{path.stem}.md](results/{path.stem}.md)."
        parts += [f"### CPython {path.stem}", "", link, ""]
        parts += [
            picture(RESULTS, path.stem, "results/") + markdown(rows, data["facts"], data["breakdown"], full=False)
        ]
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(before + "\n".join([*parts, END]) + after, encoding="utf-8")
