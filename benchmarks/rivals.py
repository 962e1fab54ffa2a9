"""The rivals that are compiled in C++ or from Cython: how they are built, and how each does each operation."""

import importlib.metadata
import sys
from pathlib import Path
from typing import Any

from . import build
from .contestants import Uses, bound, load, plain_functions
from .measure import Use


def by_nanobind() -> Uses:
    """nanobind: its library is compiled with the bindings."""
    import nanobind

    folder = Path(nanobind.include_dir()).parent
    sources = [build.NATIVE / "bind_nanobind.cpp", folder / "src" / "nb_combined.cpp"]
    options = [f"-I{folder}/include", f"-I{folder}/ext/robin_map/include", "-std=c++17", "-fno-strict-aliasing"]
    return bound(load("bound_nanobind", build.extension("bound_nanobind", sources, "g++", options)))


def by_pybind11() -> Uses:
    """pybind11; doubles of NumPy have a function of their own, by its array type."""
    import pybind11

    options = [f"-I{pybind11.get_include()}", "-std=c++17"]
    module = load(
        "bound_pybind11", build.extension("bound_pybind11", [build.NATIVE / "bind_pybind11.cpp"], "g++", options)
    )
    return bound(module) | {"numpy": Use({"f": module.sum_numpy})}


def by_cython() -> Uses:
    """Cython: typed functions and cdef classes."""
    importlib.metadata.version("cython")  # or the message would be that of a command
    source, made = build.NATIVE / "bound_cython.pyx", build.FOLDER / "bound_cython.c"
    if not build.fresh(made, [source]):
        build.run([sys.executable, "-m", "cython", "-3", source, "-o", made])
    return bound(load("bound_cython", build.extension("bound_cython", [made])))


def tvm_library() -> Path:
    """The exports for apache-tvm-ffi: a library that knows no Python."""
    target, source = build.FOLDER / "bound_tvm.so", build.NATIVE / "bind_tvm.cpp"
    if not build.fresh(target, [source, build.work_object()]):
        config = [sys.executable, "-m", "tvm_ffi.config"]
        words = {kind: build.run([*config, kind]).split() for kind in ("--cxxflags", "--ldflags", "--libs")}
        options = [*words["--cxxflags"], "-std=c++20", *build.FLAGS, f"-I{build.NATIVE}", "-shared"]
        build.run(["g++", *options, source, build.work_object(), "-o", target, *words["--ldflags"], *words["--libs"]])
    return target


def by_tvm() -> Uses:
    """apache-tvm-ffi, told to keep the GIL where the others keep it. It has no variables, and tensors only."""
    import tvm_ffi

    module = tvm_ffi.load_module(str(tvm_library()))

    def function(name: str) -> Any:
        found = module.get_function(name)
        found.release_gil = name in ("add_released", "nap")
        return found

    uses = plain_functions(function, {"handle", "array", "copy"})
    uses["handle"] = Use({"f": function("counter_value"), "o": function("counter_new")(5)})
    uses["method"] = Use({"o": function("adder_new")(5)})
    return uses
