"""What is shipped: the source distribution, the wheel, the extension, and the commands of a fresh clone."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from plugin._version import __version__

ROOT = Path(__file__).resolve().parent.parent
NOT_SHIPPED = shutil.ignore_patterns(".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
# The options with which this run was built are not those that a user builds with.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PLUGIN_", "MAKE"))}

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def run(*command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    options = {"env": ENVIRONMENT, **options}
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)


def make_distributions(source: Path, output: Path, *options: str) -> None:
    done = run(sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", output, source)
    assert done.returncode == 0, done.stdout + done.stderr


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """The tree as a fresh clone has it."""
    folder = tmp_path_factory.mktemp("clone") / "plugin"
    shutil.copytree(ROOT, folder, ignore=NOT_SHIPPED)
    return folder


@pytest.fixture(scope="module")
def dist(clone, tmp_path_factory) -> Path:
    """The folder of an sdist, and of the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    make_distributions(clone, folder)
    return folder


@pytest.mark.slow
@pytest.mark.packaging
class TestDistributions:
    """The sdist and the wheel."""

    def test_wheel(self, dist, clone):
        """The wheel has every module, the header, the stub and the typing mark, one extension, and no C source."""
        (wheel,) = dist.glob("*.whl")
        package = {name.removeprefix("plugin/") for name in names(wheel) if ".dist-info/" not in name}
        extensions = {name for name in package if name.endswith(".so")}
        source = clone / "src" / "plugin"

        assert {path.name for path in source.glob("*.py*")} | {
            "include/plugin.h",
            "py.typed",
        } == package - extensions
        assert "_plugin.pyi" in package
        assert [True] == [name.startswith("_plugin.") for name in extensions]

    def test_sdist_builds_the_same(self, dist, clone, tmp_path):
        """The wheel of the sdist has the files of the wheel of the tree."""
        make_distributions(clone, tmp_path, "--wheel")
        (from_tree,), (from_sdist,) = tmp_path.glob("*.whl"), dist.glob("*.whl")

        assert from_tree.name == from_sdist.name
        assert names(from_tree) == names(from_sdist)

    def test_sdist(self, dist, clone):
        """The sdist has the C sources and headers, the tests, and what `make test` needs."""
        (path,) = dist.glob("*.tar.gz")
        with tarfile.open(path) as archive:
            found = {name.partition("/")[2] for name in archive.getnames()}
        folders = [clone / folder for folder in ("src", "tests", "tools", "examples", "docs", ".ci")]
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        wanted = {str(path.relative_to(clone)) for path in files if path.parent.suffix != ".egg-info"}

        assert set() == {name for name in wanted if not name.endswith((".so", ".o", ".a"))} - found
        assert {"Makefile", "LICENSE", "CHANGELOG.md", "README.md", "setup.py", "pyproject.toml"} <= found

    def test_metadata(self, dist):
        """Python 3.11 is the oldest, nothing else is required at run time, and the version is that of the package."""
        (wheel,) = dist.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            metadata = Parser().parsestr(archive.read(name).decode())

        assert "plugin" == metadata["Name"]
        assert __version__ == metadata["Version"]
        assert ">=3.11" == metadata["Requires-Python"]
        assert None is metadata["Requires-Dist"]
        assert "MIT AND MIT-0" == metadata["License-Expression"]


class TestFiles:
    """Facts that stand in more than one file."""

    def test_changelog(self):
        """The changelog's newest entry is this version."""
        headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

        assert __version__ in headings[0]

    @pytest.mark.parametrize("script", ["check_sizes.py", "check_includes.py"])
    def test_layout(self, script):
        """No file has outgrown its limit, and the native parts see no Python.h."""
        assert "" == run(sys.executable, ROOT / "tools" / script).stdout


class TestWheels:
    """The configuration of cibuildwheel."""

    def test_identifiers(self):
        """Each supported CPython is built for glibc and musl, without a GIL too; nothing else is."""
        pytest.importorskip("cibuildwheel", reason="cibuildwheel is not installed")
        command = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers", "--platform", "linux"]
        done = run(*command, "--archs", "x86_64", ROOT)

        assert done.returncode == 0, done.stderr
        found = set(done.stdout.split())
        for tag in ("cp311", "cp312", "cp313", "cp314", "cp314t"):
            assert {f"{tag}-manylinux_x86_64", f"{tag}-musllinux_x86_64"} <= found
        assert set() == {name for name in found if re.match(r"pp|gp|cp310|.*(i686|win|macosx)", name)}


class TestCommands:
    """`make` and what it says on a machine that lacks something."""

    @needs_make
    def test_bare_make(self):
        """make alone lists every target and makes none."""
        done = run("make", "--no-print-directory", cwd=ROOT)
        (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

        assert done.returncode == 0, done.stderr
        assert set(phony.split()) == set(re.findall(r"^make (\w+)", done.stdout, re.MULTILINE))

    def test_nothing_missing(self):
        """Where everything is there, the check is silent."""
        done = run(ROOT / "tools/doctor.sh", sys.executable)

        assert (0, "", "") == (done.returncode, done.stdout, done.stderr)

    @needs_make
    def test_no_python(self, clone):
        """make test without Python says so before anything else, and makes nothing."""
        done = run("make", "test", "PYTHON=no-such-python", "VENV=.venv-none", cwd=clone)

        assert done.returncode != 0
        assert done.stderr.startswith("missing: Python 3.11 or later: 'no-such-python'")
        assert not (clone / ".venv-none").exists()

    @pytest.mark.parametrize(
        ("refused", "said"),
        [("version_info", "Python 3.11 or later"), ("ensurepip", "the modules venv and ensurepip")],
    )
    def test_python_lacks(self, tmp_path, refused, said):
        """A Python that is too old or has no venv is told from one that is not there."""
        python = tmp_path / "python"
        python.write_text(f'#!/bin/sh\ncase "$*" in *{refused}*) exit 1;; esac\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        done = run(ROOT / "tools/doctor.sh", python)

        assert done.returncode != 0
        assert done.stderr.startswith(f"missing: {said}")
        assert str(python) in done.stderr

    @pytest.mark.parametrize(
        ("fails_on", "said"), [("stdio", "the C library's headers"), ("Python", "Python's headers")]
    )
    def test_headers(self, tmp_path, fails_on, said):
        """A compiler without the headers of the C library or of Python: each is one sentence."""
        compiler = tmp_path / "cc"
        check = f'for word; do case $word in *.c) grep -q {fails_on} "$word" && exit 1;; esac; done'
        compiler.write_text(f"#!/bin/sh\n{check}\nexit 0\n")
        compiler.chmod(0o755)
        done = run(ROOT / "tools/doctor.sh", sys.executable, env={**ENVIRONMENT, "CC": str(compiler)})

        assert done.returncode != 0
        assert done.stderr.startswith(f"missing: {said}")
        assert 1 == len(done.stderr.splitlines())

    def test_no_compiler(self):
        """No C compiler is one sentence that says how to get one."""
        done = run(ROOT / "tools/doctor.sh", sys.executable, env={**ENVIRONMENT, "CC": "no-such-cc"})

        assert done.stderr.startswith("missing: a C compiler: 'no-such-cc'")
        assert "apt install gcc" in done.stderr
