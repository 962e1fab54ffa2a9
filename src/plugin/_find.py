"""Where the system has a library: find_library, by the loader's own folders.  Nothing is run or loaded."""

from __future__ import annotations

import errno
import os
import sys

from plugin import _errors, _sentences

_CONFIGURATION = "/etc/ld.so.conf"
_DEFAULTS = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")


def find_library(name: str) -> str:
    """The path of the system's library `name`, for open.

    Args:
        name: "z", "libz" or a full name such as "libz.so.1".  Without a version the newest is taken.

    Returns:
        The path of a shared library for this process's machine.

    Raises:
        PluginNotFoundError: the system's folders have no such library.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a library is a str, not {type(name).__name__}")
    found = search(name)
    if found is None:
        message = f"plugin.find_library({_sentences.quote(name)}): no such library in {', '.join(folders())}"
        raise _errors.PluginNotFoundError(errno.ENOENT, message, name)
    return found


def search(name: str) -> str | None:
    """As find_library, but None for a miss."""
    if sys.platform == "darwin":
        from ctypes.util import find_library as find  # the shared cache of macOS has no files to look at

        return find(name)
    if not name or "/" in name or "\0" in name:
        return None
    for folder in folders():
        for candidate in _candidates(folder, name):
            path = os.path.join(folder, candidate)
            if _is_library(path):
                return path
    return None


def hint(path: str | bytes, verb: str) -> str:
    """For a path that leads nowhere and is a bare name: where the system has such a library; else nothing."""
    name = os.fsdecode(path)
    found = search(name)
    return f"; {verb} takes paths only; the system has {_sentences.quote(found)}" if found else ""


def folders() -> list[str]:
    """The folders of LD_LIBRARY_PATH, of the loader's configuration, and its built-in ones, that exist."""
    given = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    multiarch = f"{os.uname().machine}-linux-gnu"
    builtin = [f"/lib/{multiarch}", f"/usr/lib/{multiarch}", *_DEFAULTS]
    return [
        folder for folder in dict.fromkeys([*given, *_configured(_CONFIGURATION), *builtin]) if os.path.isdir(folder)
    ]


def _configured(path: str, depth: int = 0) -> list[str]:
    found: list[str] = []
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return found
    for line in lines:
        words = line.split("#", 1)[0].split()
        if len(words) > 1 and words[0] == "include" and depth < 4:
            import glob

            for included in sorted(glob.glob(os.path.join(os.path.dirname(path), words[1]))):
                found += _configured(included, depth + 1)
        elif words:
            found.append(words[0])
    return found


def _candidates(folder: str, name: str) -> list[str]:
    """Names in the folder that `name` can stand for, the best first."""
    if ".so" in name:
        return [name]
    stem = name if name.startswith("lib") else f"lib{name}"
    found = {file: _version(file, f"{stem}.so") for file in os.listdir(folder)}
    return [file for file, version in sorted(found.items(), key=lambda pair: pair[1] or [], reverse=True) if version]


def _version(file: str, start: str) -> list[int] | None:
    """The numbers behind `start` in libz.so.1.2, behind a zero; None for the file of another library."""
    parts = file.removeprefix(start).split(".")
    if not file.startswith(start) or parts[0] or not all(part.isdecimal() for part in parts[1:]):
        return None
    return [0, *map(int, parts[1:])]


def _is_library(path: str) -> bool:
    """Whether the file is an ELF shared object of the class and machine of this interpreter (not a linker script)."""
    try:
        with open(path, "rb") as file, open("/proc/self/exe", "rb") as own:
            header, mine = file.read(20), own.read(20)
    except OSError:
        return False
    return (
        header[:6] == mine[:6]
        and header[16:18] == b"\x03\x00"[:: 1 if mine[5] == 1 else -1]
        and header[18:] == mine[18:]
    )


def get_include() -> str:
    """The folder of plugin.h, for a compiler's -I."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")
