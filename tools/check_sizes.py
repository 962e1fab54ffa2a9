"""Fails when a file or a function has outgrown what a reader takes in: the limits of the project's style."""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES = 60
FILE_LINES = [  # pattern, lines
    ("src/_plugin.c", 600),
    ("src/_plugin/*.[ch]", 600),
    ("src/plugin/*.py*", 250),
    ("tests/**/*.py", 300),
    ("tools/*.py", 250),
    ("fuzz/*.py", 250),
    ("benchmarks/*.py", 250),
    ("benchmarks/native/*.*", 600),
]


def long_files() -> Iterator[str]:
    """A message for each file that has more lines than its kind may have."""
    for pattern, limit in FILE_LINES:
        for path in sorted(ROOT.glob(pattern)):
            count = len(path.read_text(encoding="utf-8").splitlines())
            if count > limit:
                yield f"{path.relative_to(ROOT)}: {count} lines, more than {limit}"


def long_functions(path: Path) -> Iterator[str]:
    """A message for each C function whose braces, at the line's beginning, are too far apart."""
    start, name = 0, ""
    previous = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line == "{":
            start, name = number, previous
        elif line == "}" and start:
            if number - start + 1 > FUNCTION_LINES:
                where = f"{path.relative_to(ROOT)}:{start}"
                yield f"{where}: {number - start + 1} lines, more than {FUNCTION_LINES}: {name}"
            start = 0
        if line and not line[0].isspace():
            previous = line


def main() -> int:
    """Print what is too long; 1 if anything is."""
    found = list(long_files())
    for path in [
        ROOT / "src/_plugin.c",
        *sorted(ROOT.glob("src/_plugin/*.c")),
        *sorted(ROOT.glob("benchmarks/native/*.c")),
    ]:
        if path.exists():
            found += long_functions(path)
    for message in found:
        print(message)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
