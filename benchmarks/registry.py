"""The list of contestants; the first one is the limit."""

import sys
from collections.abc import Callable

from . import contestants, rivals
from .contestants import Uses

CONTESTANTS: dict[str, Callable[[], Uses]] = {
    "hand": contestants.hand,
    "plugin": contestants.by_plugin,
    "general": contestants.by_general,
    "plain": contestants.plain,
    "cffi": contestants.by_cffi,
    "cffi-abi": contestants.by_cffi_abi,
    "ctypes": contestants.by_ctypes,
    "nanobind": rivals.by_nanobind,
    "pybind11": rivals.by_pybind11,
    "cython": rivals.by_cython,
    "tvm-ffi": rivals.by_tvm,
}


def load(names: list[str]) -> dict[str, Uses]:
    """Builds and opens them. One that cannot be had is left out with a message, except the first."""
    found: dict[str, Uses] = {}
    for name in names:
        try:
            found[name] = CONTESTANTS[name]()
        except Exception as error:
            print(f"{name}: left out: {type(error).__name__}: {error}", file=sys.stderr)
    return found
