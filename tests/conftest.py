"""Fixtures of every test.  Nothing here needs the extension: `plugin` is imported by the tests themselves."""

import itertools
import pathlib
from collections.abc import Callable

import pytest
import support

# What pytest-run-parallel must run in one thread, though it is no matter of threads: part of a test's id, and why.
THREAD_UNSAFE = {
    "test_callback_threads.py": "the plugin has one table of threads",
    "test_threads.py": "starts threads of its own",
    "test_numbers.py::TestIntegerObjects::test_char": "opens one plugin name in two files",
    "test_lookup.py::TestUntyped::test_declared_later": "declares what it looked up before",
    "test_struct_buffers.py": "writes variables that the file shares, and opens one name in two files",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark those tests."""
    for item in items:
        for part, reason in THREAD_UNSAFE.items():
            if part in item.nodeid:
                item.add_marker(pytest.mark.thread_unsafe(reason=reason))


@pytest.fixture
def build(tmp_path: pathlib.Path) -> Callable[..., str]:
    """A function that compiles C or C++ to a shared library and returns its path."""
    numbers = itertools.count(1)

    def build(
        source: str | pathlib.Path,
        *flags: object,
        name: str | None = None,
        suffix: str = ".c",
        compiler: str | None = None,
    ) -> str:
        """Compile a shared library, in a file of its own unless `name` says which.

        Args:
            source: text, compiled as it stands; or a Path of a file, relative ones under tests/plugins.
            flags: words for the compiler, after the source: options, further sources, archives.
            name: file name of the library, in the test's own folder.
            suffix: ".c" or ".cpp", of a source given as text.
            compiler: a command; by default $CC or cc, and for C++ $CXX or c++.

        Returns:
            The absolute path of the library.

        Raises:
            AssertionError: it does not compile; the compiler's own words.
        """
        number = next(numbers)
        if isinstance(source, pathlib.Path):
            file = support.PLUGINS / source
        else:
            file = tmp_path / f"source_{number}{suffix}"
            file.write_text(source, encoding="utf-8")
        library = tmp_path / (name or f"plugin_{number}.so")
        support.run(
            *support.compiler_command(file.suffix, compiler),
            *("-shared", "-fPIC", "-O1", "-g0", "-fvisibility=hidden"),
            *("-I", support.include_directory(), file, *flags, "-o", library),
        )
        return str(library)

    return build
