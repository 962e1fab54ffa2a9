"""The command `python -m plugin`: words in, text and an exit status out."""

import ctypes.util
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import plugin
from plugin import _cli
from plugin._version import __version__

SOURCE = """\
#include <plugin.h>
PLUGIN("example.com/driver", "1.0.0");
PLUGIN_VAR(int, level) = 3;
PLUGIN_FUNC(double, mean, (const double *x,
                           int n)) { return n ? x[0] : STEP; }
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A small plugin's source in the current folder; it needs -DSTEP."""
    monkeypatch.chdir(tmp_path)
    Path("driver.c").write_text(SOURCE, encoding="utf-8")
    return "driver.c"


@pytest.fixture
def driver(source):
    """That plugin, built by the command."""
    assert 0 == _cli.main(["build", source, "-o", "driver.so", "--", "-DSTEP=1"])
    return "driver.so"


def usage_error(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        _cli.main(words)
    return caught.value.code


def run(*words: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "plugin", *words], capture_output=True, text=True, check=False, **options
    )


class TestOptions:
    """What needs no verb."""

    def test_cflags(self, capsys):
        """--cflags is the option with which a compiler finds plugin.h."""
        assert 0 == _cli.main(["--cflags"])

        option = capsys.readouterr().out.rstrip("\n")
        assert option == f"-I{plugin.get_include()}"
        assert Path(option[2:], "plugin.h").is_file()

    def test_version(self):
        """--version is the version of the installed distribution."""
        done = run("--version")

        assert f"plugin {version('plugin')}\n" == done.stdout
        assert version("plugin") == __version__

    @pytest.mark.parametrize(
        "words",
        [
            [],
            ["bogus"],
            ["--bogus"],
            ["--cflags", "build"],
            ["build"],
            ["build", "a.c"],
            ["inspect"],
            ["inspect", "a", "b"],
        ],
        ids=" ".join,
    )
    def test_usage(self, words, capsys):
        """What is not understood exits with 2, says why on the standard error, and prints nothing else."""
        assert 2 == usage_error(*words)

        out, err = capsys.readouterr()
        assert "" == out
        assert "usage: python -m plugin" in err

    @pytest.mark.parametrize("words", [["--help"], ["build", "--help"], ["inspect", "--help"]], ids=" ".join)
    def test_help(self, words, capsys):
        """--help exits with 0."""
        assert 0 == usage_error(*words)
        assert "usage: python -m plugin" in capsys.readouterr().out


class TestBuild:
    """`build`; what it makes is in test_build.py."""

    def test_order(self, source):
        """-o and -v may stand before, between and after the sources."""
        Path("more.c").write_text("int more_of_it;\n")

        assert 0 == _cli.main(["build", source, "-o", "one.so", "more.c", "--", "-DSTEP=1"])
        assert 0 == _cli.main(["build", "-o", "two.so", source, "--", "-DSTEP=1"])
        assert Path("one.so").is_file()
        assert Path("two.so").is_file()

    def test_failure(self, source, capfd):
        """A build that fails exits with 1, after the compiler's own words, and leaves nothing."""
        assert 1 == _cli.main(["build", source, "-o", "driver.so"])

        err = capfd.readouterr().err
        assert "STEP" in err
        assert err.splitlines()[-1].startswith("plugin build: ")
        assert ["driver.c"] == os.listdir()

    def test_no_sources(self, capfd):
        """A source that is not there is one line on the standard error."""
        assert 1 == _cli.main(["build", "absent.c", "-o", "driver.so"])
        assert "plugin build: absent.c does not exist\n" == capfd.readouterr().err


class TestInspect:
    """`inspect`: what a file says of itself."""

    def test_plugin(self, driver, capsys):
        """Name, version and ABI come first, then each declaration on one line of C."""
        assert 0 == _cli.main(["inspect", driver])

        lines = capsys.readouterr().out.splitlines()
        facts = dict(line.split(":", 1) for line in lines if ":" in line)
        assert "example.com/driver" == facts["name"].strip()
        assert "1.0.0" == facts["version"].strip()
        assert os.path.realpath(driver) == os.path.realpath(facts["path"].strip())
        assert "1.0" == facts["abi"].strip()
        assert "int level;" in lines
        assert "double mean(const double *x, int n);" in [line.replace("mean (", "mean(") for line in lines]

    def test_library(self, capsys):
        """A library without a manifest lists what it exports."""
        if ctypes.util.find_library("m") is None:
            pytest.skip("this system has no libm")
        assert 0 == _cli.main(["inspect", plugin.find_library("m")])

        lines = capsys.readouterr().out.splitlines()
        assert "function  cos" in lines
        assert any(line.startswith("name:") and line.endswith(" -") for line in lines)

    @pytest.mark.parametrize("name", ["absent.so", "driver.c", "."])
    def test_failure(self, source, capsys, name):
        """What is no library exits with 1; the error names the file and the verb."""
        assert 1 == _cli.main(["inspect", name])

        out, err = capsys.readouterr()
        assert "" == out
        assert err.startswith("plugin inspect: ")
        assert name in err

    def test_runs_nothing(self, tmp_path, capsys, monkeypatch):
        """No code of the file runs, not even a constructor."""
        monkeypatch.chdir(tmp_path)
        trap = "\n#include <stdlib.h>\n__attribute__((constructor)) static void trap(void) { abort(); }\n"
        Path("trap.c").write_text(SOURCE + trap)
        assert 0 == _cli.main(["build", "trap.c", "-o", "trap.so", "--", "-DSTEP=1"])

        assert 0 == _cli.main(["inspect", "trap.so"])
        assert "int level;" in capsys.readouterr().out

    def test_unprintable(self, capsys):
        """Control characters in a file's text do not reach the terminal."""
        assert r"a\x1b[2Jb\n\u202e" == _cli._printable("a\x1b[2Jb\n\u202e")

    def test_narrow_terminal(self, driver):
        """A name that the terminal's encoding lacks is escaped, not a traceback."""
        os.rename(driver, "dr\u00efver.so")
        done = run("inspect", "dr\u00efver.so", env={**os.environ, "PYTHONIOENCODING": "ascii"})

        assert 0 == done.returncode, done.stderr
        assert r"dr\xefver.so" in done.stdout

    def test_broken_pipe(self, driver):
        """A reader that goes away early, like head, causes no traceback."""
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "plugin", "inspect", driver],
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
        os.close(writer)

        assert (1, b"") == (done.returncode, done.stderr)
