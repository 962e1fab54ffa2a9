"""Libraries of 10 and of 10,000 symbols, and as many copies of them as there are openings to time."""

import sys
from pathlib import Path

from . import build

NAME = "example.com/copy-000000"


def source(symbols: int) -> str:
    """A plugin's source with so many functions."""
    lines = [f"PLUGIN_FUNC(int64_t, function_{i}, (int64_t value)) {{ return value + {i}; }}" for i in range(symbols)]
    return "\n".join(["#include <plugin.h>", f'PLUGIN("{NAME}", "1.0.0");', *lines, ""])


def library(symbols: int) -> Path:
    """The plugin with so many functions; built if it is not there."""
    target, code = build.FOLDER / f"symbols_{symbols}.so", build.FOLDER / f"symbols_{symbols}.c"
    if not build.fresh(target, [Path(__file__)]):
        code.write_text(source(symbols), encoding="utf-8")
        build.run([sys.executable, "-m", "plugin", "build", code, "-o", target])
    return target


def copies(symbols: int, folder: Path, number: int) -> list[Path]:
    """Files of their own, each a plugin of its own name: opening one twice would be a lookup in a table."""
    data = library(symbols).read_bytes()
    assert NAME.encode() in data
    paths = [folder / f"copy_{symbols}_{i:06}.so" for i in range(1, number + 1)]
    for i, path in enumerate(paths, 1):
        path.write_bytes(data.replace(NAME.encode(), f"example.com/copy-{i:06}".encode()))
    return paths
