"""Fixtures of every test.  Nothing here needs the extension: `plugin` is imported by the tests themselves."""

import pathlib
import threading
from collections.abc import Callable

import parallel
import pytest
import support


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Make the tests ready to run in several threads each, if that is asked for."""
    parallel.prepare(config, items)


@pytest.fixture
def build(tmp_path: pathlib.Path) -> Callable[..., str]:
    """A function that compiles C or C++ to a shared library and returns its path.

    Threads that run one test beside each other have files of their own, but for equal manifests: one plugin name may
    stand in one file only.
    """
    lock = threading.Lock()
    turns: dict[int, int] = {}
    shared: dict[tuple[object, ...], str] = {}

    def compiled(
        turn: int,
        source: str | pathlib.Path,
        flags: tuple[object, ...],
        name: str | None,
        suffix: str,
        compiler: str | None,
    ) -> str:
        folder = parallel.folder(tmp_path)
        if isinstance(source, pathlib.Path):
            file = support.PLUGINS / source
        else:
            file = folder / f"source_{turn}{suffix}"
            file.write_text(source, encoding="utf-8")
        library = folder / (name or f"plugin_{turn}.so")
        support.run(
            *support.compiler_command(file.suffix, compiler),
            *("-shared", "-fPIC", "-O1", "-g0", "-fvisibility=hidden"),
            *("-I", support.include_directory(), file, *flags, "-o", library),
        )
        return str(library)

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
        turn = turns[threading.get_ident()] = turns.get(threading.get_ident(), 0) + 1
        words = (turn, source, flags, name, suffix, compiler)
        if not isinstance(source, pathlib.Path) and "PLUGIN(" not in source:
            return compiled(*words)
        with lock:
            if words not in shared:
                shared[words] = compiled(*words)
            return shared[words]

    return build
