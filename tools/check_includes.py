"""Fails when a part of the core that must know no Python sees Python.h, or when includes make a ring."""

import re
import sys
from pathlib import Path

PARTS = Path(__file__).resolve().parent.parent / "src" / "_plugin"
NATIVE = [
    *("elf*.c", "image*.c", "digest*.c", "registry*.c", "declare*.c", "format.c", "symtab.c", "exports.c"),
    *("note*.c", "usual.c", "records.c", "ledger.c", "entering.c", "settled.c"),
    *("check.c", "segments.c", "dynamic.c", "hashes.c", "relocs.c", "slots.c", "symbols.c", "versions.c"),
    "needed.c",
]
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^">]+)[">]', re.MULTILINE)


def included(path: Path) -> list[str]:
    """The names that `path` includes, as written."""
    return INCLUDE.findall(path.read_text(encoding="utf-8"))


def local(name: str) -> Path | None:
    """The project's own header of that name, or None if it is the system's."""
    for candidate in (PARTS / name, PARTS.parent / name):
        if candidate.is_file():
            return candidate
    return None


def faults(path: Path, chain: tuple[Path, ...] = ()) -> set[str]:
    """Messages for the rings that `path` leads to, and for Python.h where the chain begins in a native part."""
    if path in chain:
        return {"a ring of includes: " + " -> ".join(p.name for p in (*chain[chain.index(path) :], path))}
    found: set[str] = set()
    chain = (*chain, path)
    native = any(chain[0].match(pattern) for pattern in NATIVE)
    for name in included(path):
        header = local(name)
        if header is not None:
            found |= faults(header, chain)
        elif native and name == "Python.h":
            found.add("a native part includes Python.h: " + " -> ".join(p.name for p in chain))
    return found


def main() -> int:
    """Print the faults; 1 if there are any."""
    found: set[str] = set()
    for path in [PARTS.parent / "_plugin.c", *sorted(PARTS.glob("*.c"))]:
        if path.exists():
            found |= faults(path)
    for message in sorted(found):
        print(message)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
