"""What the results depend on: the machine, the compilers, the interpreter, and the versions of all contestants."""

import os
import platform
import subprocess
import sys
import sysconfig
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from . import golang

PACKAGES = ["plugin", "cffi", "nanobind", "pybind11", "cython", "apache-tvm-ffi", "numpy"]


def package(name: str) -> str | None:
    """The version of an installed package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def tool(*command: str) -> str | None:
    """The first line that a tool prints about its version."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.splitlines()[0] if done.returncode == 0 and done.stdout else None


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def python_tag() -> str:
    """Names the interpreter in files: 3.13, or 3.13t without a GIL."""
    thread = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return f"{sys.version_info.major}.{sys.version_info.minor}{thread}"


def facts() -> dict[str, str]:
    """All of it, by name; what is not there is left out."""
    found = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "libc": " ".join(platform.libc_ver()),
        "python": f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}",
        "options of python": sysconfig.get_config_var("OPT") or "",
        "gcc": tool("gcc", "--version"),
        "g++": tool("g++", "--version"),
        "valgrind": tool("valgrind", "--version"),
        "go": golang.version(),
        **{name: package(name) for name in PACKAGES},
    }
    return {name: value for name, value in found.items() if value}
