"""Builds what is measured into build/benchmarks, one folder for each Python; a library newer than its sources stays."""

import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE / "native"
FOLDER = HERE.parent / "build" / "benchmarks" / (sysconfig.get_config_var("SOABI") or "python")
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX") or ".so"
# The same for every contestant: what setuptools would take, hidden names, and C that C++ exceptions pass.
FLAGS = ["-O3", "-DNDEBUG", "-fPIC", "-fvisibility=hidden", "-Wall", "-fexceptions"]


def run(command: Sequence[str | Path]) -> str:
    """The output of a command; its messages are shown if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stdout + done.stderr, file=sys.stderr)
        raise RuntimeError(f"{command[0]} failed: {shlex.join(str(word) for word in command)}")
    return done.stdout


def includes() -> list[str]:
    """Options that find Python.h."""
    paths = sysconfig.get_paths()
    return [f"-I{folder}" for folder in dict.fromkeys((paths["include"], paths["platinclude"]))]


def fresh(target: Path, sources: Sequence[Path]) -> bool:
    """Whether `target` is newer than all of them; its folder is made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.exists() and all(target.stat().st_mtime_ns > source.stat().st_mtime_ns for source in sources)


@cache
def work_object() -> Path:
    """work.c, compiled once, which every extension links."""
    target, sources = FOLDER / "work.o", [NATIVE / "work.c", NATIVE / "work.h"]
    if not fresh(target, sources):
        run(["gcc", *FLAGS, "-c", sources[0], "-o", target])
    return target


def work_library() -> Path:
    """work.c as a plain shared library, for those who open one."""
    target, sources = FOLDER / "libwork.so", [NATIVE / "work.c", NATIVE / "work.h"]
    if not fresh(target, sources):
        run(["gcc", *FLAGS, "-fvisibility=default", "-shared", sources[0], "-o", target])
    return target


def work_plugin() -> Path:
    """work.c as a plugin."""
    target, sources = FOLDER / "work_plugin.so", [NATIVE / "work_plugin.c", NATIVE / "work.c", NATIVE / "work.h"]
    if not fresh(target, sources):
        options = ["-O3", "-DNDEBUG", "-DWORK_PLUGIN", "-fvisibility=default"]
        run([sys.executable, "-m", "plugin", "build", *sources[:2], "-o", target, "--", *options])
    return target


def extension(name: str, sources: Sequence[Path], compiler: str = "gcc", options: Sequence[str] = ()) -> Path:
    """A Python extension module `name` of these sources and of work.c."""
    target = FOLDER / f"{name}{SUFFIX}"
    if not fresh(target, [*sources, *NATIVE.glob("*.h"), work_object()]):
        flags = [*FLAGS, *includes(), f"-I{NATIVE}", *options]
        run([compiler, *flags, "-shared", *sources, work_object(), "-o", target])
    return target


def hand(name: str) -> Path:
    """The hand-written extension: "hand", or "plain"."""
    options = ["-DHAND_PLAIN"] if name == "plain" else []
    return extension(name, [NATIVE / "hand.c", NATIVE / "hand_types.c"], options=options)
