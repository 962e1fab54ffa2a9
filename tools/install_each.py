"""Installs a dependency group's packages one by one, and says which cannot be had for this Python.

Usage: python tools/install_each.py GROUP
"""

import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def main() -> int:
    """Install what there is; never fails, since each of them can be missed."""
    groups = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["dependency-groups"]
    for package in groups[sys.argv[1]]:
        # compiling a package of this size would take longer than the benchmark
        command = [sys.executable, "-m", "pip", "install", "-qq", "--only-binary=:all:", package]
        if subprocess.run(command, stderr=subprocess.DEVNULL).returncode != 0:
            print(f"{sys.argv[1]}: no {package}: it cannot be installed for this Python")
    return 0


if __name__ == "__main__":
    sys.exit(main())
