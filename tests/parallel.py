"""What pytest-run-parallel needs to run a test in several threads at once: fixtures of each thread's own, and a list.

Threads share the fixtures of a file, plugins above all.  Those of one test are made anew in each thread."""

import functools
import inspect
import os
import pathlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

# What must run in one thread: part of a test's id, and why.
THREAD_UNSAFE: dict[str, str] = {
    "_native.py": "plays a C program: no code of ours runs in these threads",
    "test_callback_errors.py::TestInterrupt": "only the main thread takes signals",
    "test_callback_errors.py::TestPool": "a process has one pool of places",
    "test_callback_threads.py": "the plugin has one table of threads",
    "test_function_pointers.py::TestFunctionPointers::test_variable": "writes variables that the file shares",
    "test_go_scenarios.py::TestOthers::test_TestIssue44956": "the library counts",
    "test_header_builds.py::TestBuilds::test_strip": "changes a file in its place",
    "test_host.py::TestRefused": "a constructor tells by the environment that it ran",
    "test_implement.py::TestLife": "the plugin keeps one object",
    "test_interface.py::TestWrong::test_type": "a constructor tells by the environment that it ran",
    "test_large_manifest.py::TestChanged": "replaces a file, and writes to one",
    "test_lookup.py::TestUntyped::test_declared_later": "declares what it looked up before",
    "test_numbers.py::TestIntegerObjects::test_char": "opens one plugin name in two files",
    "test_objects.py::TestBorrowed::test_keeps_alive": "the plugin counts",
    "test_objects.py::TestHandles": "the plugin counts",
    "test_objects.py::TestRelease": "the plugin counts, and whichever thread collects releases",
    "test_owned.py::TestUse::test_dropped_while_converting": "the plugin counts",
    "test_owned.py::TestOrder::test_part": "the plugin counts",
    "test_owned_methods.py::TestOwnedMethods::test_destructor_later": "the plugin counts",
    "test_pointer_arrays.py::TestMembers::test_objects": "writes variables that the file shares",
    "test_real_sqlite.py::TestQueries::test_owned_text": "sqlite counts the memory of the process",
    "test_real_sqlite.py::TestRelease": "sqlite counts the memory of the process",
    "test_retained.py": "the plugin keeps one at each place",
    "test_retained_places.py": "the plugin keeps one at each place",
    "test_shared_structs.py::TestTwoPlugins::test_release": "the plugins count",
    "test_struct_buffers.py": "writes variables that the file shares, and opens one name in two files",
    "test_threads.py": "starts threads of its own",
}

# What `make tsan` skips beside that, which runs everything else under ThreadSanitizer: part of a test's id, and why.
NOT_UNDER_TSAN: dict[str, str] = {
    "_native.py": "plays a C program, with sanitizers of its own",
    "test_build.py": "compilers and files: nothing is opened in two threads",
    "test_cli.py": "one command after the other in processes of one thread",
    "test_file_walk.py": "thousands of files, in a C program",
    "test_fork.py::TestAmidOpens": "glibc's fork leaves its list of libraries locked, here often",
    "test_header.py": "compilers and files: no code of ours runs",
    "test_header_builds.py": "compilers and files: no code of ours runs",
    "test_leaks.py": "the sanitizer's own memory grows",
    "test_only_our_errors.py::TestLooking::test_long": "megabytes of text: minutes, and no state that threads share",
    "test_open_leftovers.py::TestRounds": "minutes: 20,000 rounds in each of many processes of one thread",
    "test_packaging.py": "makes distributions",
    "test_readme.py::TestDocuments::test_sessions": "types `python` at a shell, which is not the twin",
    "test_real_libc.py::TestText::test_preloaded_allocator": "another allocator than the sanitizer's",
    "test_shared_structs.py::TestNaming::test_long_chain": "minutes, in a process of one thread",
    "test_torture.py": "thousands of children that are to crash, each of one thread",
}

_TESTS = pathlib.Path(__file__).parent
_thread = threading.local()


def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Where the calling thread puts the files of a test that was given `tmp_path`."""
    return getattr(_thread, "folder", None) or tmp_path


def under_tsan() -> bool:
    """Whether the core was built for ThreadSanitizer."""
    return "thread" in os.environ.get("PLUGIN_SANITIZE", "")


def prepare(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of the lists, and let each thread make the fixtures of the others anew."""
    beside = int(config.getoption("parallel_threads", 1)) > 1
    skipped = NOT_UNDER_TSAN if under_tsan() else {}
    for item in items:
        for part, reason in skipped.items():
            if part in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=f"under ThreadSanitizer: {reason}"))
        for part, reason in THREAD_UNSAFE.items():
            if part in item.nodeid:
                item.add_marker(pytest.mark.thread_unsafe(reason=reason))
        if beside and isinstance(item, pytest.Function):
            item.obj = _in_thread(item, item.obj)


def _in_thread(item: pytest.Function, function: Callable[..., None]) -> Callable[..., None]:
    """The test `function`, with fixtures of the calling thread's own if that is not the main one."""

    @functools.wraps(function)
    def run(**given: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            _thread.folder = given.get("tmp_path") or _own_folder(item)
            given |= {name: value for name, value in _made_anew(item).items() if name in given}
        function(**given)

    del run.__wrapped__  # through which pytest-run-parallel looks for gc.collect, and that may well run beside itself
    return run


def _own_folder(item: pytest.Function) -> pathlib.Path | None:
    base: Any = item.funcargs.get("tmp_path")
    if base is None:
        return None
    path: pathlib.Path = base / f"thread_{threading.get_ident()}"
    path.mkdir()
    return path


def _made_anew(item: pytest.Function) -> dict[str, Any]:
    """The fixtures of one test that the calling thread makes for itself."""
    made: dict[str, Any] = {}
    if _thread.folder is not None:
        made["tmp_path"] = _thread.folder
    for name in item.fixturenames:
        for definition in item._fixtureinfo.name2fixturedefs.get(name, [])[-1:]:
            if _can_be_made_anew(definition):
                values = {**item.funcargs, "request": item._request, **made}
                made[name] = definition.func(**{argument: values[argument] for argument in definition.argnames})
    return made


def _can_be_made_anew(definition: Any) -> bool:
    """Whether a fixture is one of ours for a single test, and leaves nothing to clean up; `build` knows of threads."""
    ours = _TESTS in pathlib.Path(definition.func.__code__.co_filename).parents
    return (
        ours
        and definition.scope == "function"
        and definition.argname != "build"
        and not inspect.isgeneratorfunction(definition.func)
    )
