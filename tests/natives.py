"""Libraries that a whole test file shares: the system's, or one that is compiled once for it."""

import functools
import gc
import pathlib
import weakref
from typing import Any

import pytest
import support

import plugin


@functools.cache
def system(name: str) -> str:
    """The path of the system's library of that name; skips the test if there is none."""
    try:
        return plugin.find_library(name)
    except plugin.PluginNotFoundError:
        pytest.skip(f"the system has no lib{name}")


def compiled(factory: pytest.TempPathFactory, source: str, *flags: object) -> str:
    """The path of a shared library made of C text, in a new folder of its own."""
    folder: pathlib.Path = factory.mktemp("native")
    file = folder / "source.c"
    file.write_text(source, encoding="utf-8")
    library = folder / "source.so"
    support.run(
        *support.compiler_command(),
        *("-shared", "-fPIC", "-O1", "-g0", "-fvisibility=hidden", "-I", support.include_directory()),
        *(file, *flags, "-o", library),
    )
    return str(library)


def alive(reference: "weakref.ref[Any]") -> bool:
    """Whether what the reference is of is there, after what is unreachable has gone."""
    gc.collect()
    return reference() is not None
