"""Every library that the loader accepts is accepted: those of the Python in use, and of the system's folders."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from elf_driver import Driver

FOLDERS = ["/lib", "/usr/lib", "/usr/lib64", "/usr/local/lib"]
AT_ONCE = 500  # paths on one command line
# What may be refused although this system's loader takes it: newer ones do not.
ALLOWED = ["executable stack"]


def libraries(folders: list[str]) -> Iterator[str]:
    """The regular files there that are named like libraries, each once."""
    seen = set()
    for top in folders:
        for folder, _, names in os.walk(top):
            for path in (os.path.join(folder, name) for name in names if ".so" in name):
                if os.path.isfile(path) and (identity := os.stat(path)[1:3]) not in seen and path.isprintable():
                    seen.add(identity)
                    yield path


def loads(path: str) -> bool:
    """Whether the loader accepts the file, tried in a process of its own."""
    script = "import ctypes, os, sys; ctypes.CDLL(sys.argv[1], os.RTLD_LAZY); os._exit(42)"
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, timeout=60)
    return done.returncode == 42


def refused(elf: Driver, paths: list[str]) -> Iterator[tuple[str, str]]:
    """Each path that is refused as damaged, with the reason."""
    for start in range(0, len(paths), AT_ONCE):
        some = paths[start : start + AT_ONCE]
        for path, fields in zip(some, elf.run("read", *some), strict=True):
            if fields[0] == "INVALID":
                yield path, fields[1]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """The file check without sanitizers: there are thousands of files."""
    return Driver(tmp_path_factory.mktemp("elf"), "")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the folders are those of Linux")
class TestWalk:
    """No false refusals."""

    @pytest.mark.parametrize("which", ["python", "system"])
    def test_all(self, driver: Driver, which: str) -> None:
        """What is refused, the loader refuses as well, or dies of."""
        own = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
        paths = sorted(libraries([*own, str(Path(sys.base_prefix) / "lib")] if which == "python" else FOLDERS))
        assert paths

        wrong = [
            (path, reason)
            for path, reason in refused(driver, paths)
            if not any(words in reason for words in ALLOWED) and loads(path)
        ]

        assert [] == wrong
