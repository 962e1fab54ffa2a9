"""The `build` verb as a function: what it makes of sources, and what it says when it cannot."""

import ctypes
import hashlib
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

import plugin
from plugin import _compiler
from plugin._build import BuildError, build

DRIVER = """\
#include <plugin.h>
PLUGIN("example.com/driver", "1.0.0");
#ifndef STEP
#define STEP 1
#endif
int helper(int x);
int helper(int x) { return x + STEP; }
PLUGIN_FUNC(int, add, (int x)) { return helper(x); }
"""
CXX_DRIVER = """\
#include <plugin.h>
#include <vector>
PLUGIN("example.com/total", "2.0.0");
PLUGIN_FUNC(int, total, (int n)) {
    std::vector<int> all(static_cast<unsigned>(n), 2);
    int sum = 0;
    for (int x : all) sum += x;
    return sum;
}
"""
DECLARED_ONLY = '#include <plugin.h>\nPLUGIN("example.com/far", "1");\nPLUGIN_FUNC(int, far_away, (void));\n'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test has a current folder of its own, and no options from the outside but the compilers' names."""
    monkeypatch.chdir(tmp_path)
    for variable in ("CPPFLAGS", "CFLAGS", "CXXFLAGS", "LDFLAGS"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def exported(path: str) -> set[str]:
    return {symbol.name for symbol in plugin.inspect(path).symbols}


def load(name: str) -> ctypes.CDLL:
    return ctypes.CDLL(os.path.abspath(name))  # the loader takes equal names for equal files


def compile_object(source: str) -> str:
    """`source` compiled without hidden visibility, as somebody else's build would."""
    result = str(Path(source).with_suffix(".o"))
    subprocess.run([*_compiler.find("CC"), "-fPIC", "-c", source, "-o", result], check=True)
    return result


class TestResult:
    """The plugin that is made."""

    def test_exports_what_is_declared(self):
        """A helper that is neither static nor declared stays inside."""
        build([write("driver.c", DRIVER)], "driver.so")

        assert {"add"} == exported("driver.so")
        assert 42 == load("driver.so").add(41)

    def test_cxx_by_suffix(self):
        """A .cc file is C++, and none of its templates' symbols are exported."""
        build([write("total.cc", CXX_DRIVER)], "total.so")

        assert {"total"} == exported("total.so")
        assert 6 == load("total.so").total(3)

    def test_several_sources(self):
        """A function declared in one file and defined in another is found, whatever the visibility of its object."""
        far = compile_object(write("far.c", "int far_away(void) { return 7; }\nint other;\n"))
        build([write("main.c", DECLARED_ONLY), far], "far.so")

        assert {"far_away"} == exported("far.so")

    def test_archive(self):
        """A declared function is taken out of an archive, though nothing calls it."""
        subprocess.run(
            ["ar", "rc", "far.a", compile_object(write("f.c", "int far_away(void) { return 7; }\n"))],
            check=True,
        )
        build([write("main.c", DECLARED_ONLY), "far.a"], "far.so")

        assert 7 == load("far.so").far_away()

    def test_flags(self):
        """What stands after -- reaches the compiler and the linker."""
        build([write("driver.c", DRIVER)], "driver.so", flags=["-DSTEP=5", "-Wl,-soname,other.so"])

        assert 6 == load("driver.so").add(1)
        assert "other.so" == plugin.inspect("driver.so").soname

    def test_environment(self, monkeypatch):
        """CC may be several words, and CPPFLAGS, CFLAGS and LDFLAGS are split as a shell does."""
        compiler = shlex.join(_compiler.find("CC"))
        monkeypatch.setenv("CC", f"{compiler} -DONE=1")
        monkeypatch.setenv("CPPFLAGS", "'-DTWO=1 + 1'")
        monkeypatch.setenv("CFLAGS", "-DSTEP=ONE+TWO+97")
        monkeypatch.setenv("LDFLAGS", "-Wl,-soname,'a b'")
        build([write("driver.c", DRIVER)], "driver.so")

        assert 100 == load("driver.so").add(0)
        assert "a b" == plugin.inspect("driver.so").soname

    def test_rename(self):
        """A build over an existing plugin makes a new file: the old one, which a host may run, stays whole."""
        source = write("driver.c", DRIVER)
        build([source], "driver.so")
        before = Path("driver.so").read_bytes()
        with open("driver.so", "rb") as held:
            build([source], "driver.so", flags=["-DSTEP=9"])

            assert before == held.read()
            assert os.fstat(held.fileno()).st_ino != os.stat("driver.so").st_ino
        assert {"driver.c", "driver.so"} == set(os.listdir())

    @pytest.mark.parametrize("flags", [[], ["-g"], ["-g", "-flto"], ["-O0"]], ids=" ".join)
    def test_reproducible(self, folder, monkeypatch, flags):
        """The same sources give the same bytes, built twice and in two folders."""
        digests = set()
        for name in ("one", "one", "a much longer name"):
            Path(folder, name).mkdir(exist_ok=True)
            monkeypatch.chdir(folder / name)
            build([write("driver.c", DRIVER)], "driver.so", flags=flags)
            digests.add(hashlib.sha256(Path("driver.so").read_bytes()).hexdigest())

        assert 1 == len(digests)

    def test_verbose(self, capfd):
        """-v shows each command as a shell would take it; without it a build is silent."""
        build([write("dri ver.c", DRIVER)], "driver.so")
        assert ("", "") == capfd.readouterr()

        build(["dri ver.c"], "driver.so", verbose=True)
        commands = [shlex.split(line) for line in capfd.readouterr().err.splitlines()]
        assert 3 == len(commands)
        assert "dri ver.c" in commands[0]
        assert all("-shared" in command for command in commands[1:])


class TestRefusals:
    """What is no plugin is not made, and what was there before stays."""

    @pytest.fixture(autouse=True)
    def unchanged(self, folder):
        Path("old.so").write_text("old")
        yield
        assert "old" == Path(folder, "old.so").read_text()
        assert [] == [name for name in os.listdir(folder) if name.startswith(".")]

    def refusal(self, *sources: str) -> str:
        with pytest.raises(BuildError) as caught:
            build(sources, "old.so")
        return str(caught.value)

    def test_no_plugin(self):
        """A source without PLUGIN is named, and the error shows the line that it wants (Go: build_plugin_non_main)."""
        message = self.refusal(write("driver.c", "int x;\n"))

        assert message.startswith("driver.c has no PLUGIN(name, version)")

    def test_nothing_declared(self):
        """A plugin that declares no function and no variable is of no use."""
        message = self.refusal(write("driver.c", '#include <plugin.h>\nPLUGIN("example.com/d", "1");\n'))

        assert "example.com/d declares nothing" in message
        assert "PLUGIN_FUNC" in message

    def test_declared_but_not_defined(self):
        """A declared function that no source defines is named."""
        assert "far_away" in self.refusal(write("driver.c", DECLARED_ONLY))

    def test_undefined_reference(self, capfd):
        """What the plugin calls and nobody defines is the linker's error, at build time."""
        missing = DRIVER.replace("int helper(int x) {", "int unused(int x);\nint unused(int x) {")

        assert "failed" in self.refusal(write("driver.c", missing))
        assert "helper" in capfd.readouterr().err

    def test_compiler_error(self, capfd):
        """The compiler's own words pass through unchanged."""
        self.refusal(write("driver.c", "#error these very words\n"))

        assert re.search("driver.c:1:2: error: .*these very words", capfd.readouterr().err)

    def test_two_headers(self, capfd):
        """A second PLUGIN in another file fails at link time."""
        second = DRIVER.replace("driver", "second").replace("helper", "help2").replace(" add,", " sub,")
        self.refusal(write("a.c", DRIVER), write("b.c", second))

        assert re.search("multiple definition|duplicate symbol", capfd.readouterr().err)

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("absent.c", "does not exist"),
            ("notes.txt", "flags stand after --"),
            ("old.so", "flags stand after --"),
        ],
    )
    def test_sources(self, source, said):
        """A source that is not there or of no known kind is named."""
        message = self.refusal(source)

        assert source in message
        assert said in message

    def test_output(self):
        """An output that is a source, a folder, or in no folder is refused before a compiler runs."""
        with pytest.raises(BuildError, match="output and a source"):
            build([write("a.o", "")], "a.o")
        with pytest.raises(BuildError, match="is a folder"):
            build([write("a.c", DRIVER)], ".")
        with pytest.raises(BuildError, match="there is no folder absent"):
            build(["a.c"], "absent/a.so")


class TestCompiler:
    """Finding the compiler and sorting its flags."""

    def test_missing(self, monkeypatch):
        """No compiler on the PATH: the error says which were tried and how to get one."""
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setenv("PATH", "")
        with pytest.raises(BuildError) as caught:
            build([write("a.c", DRIVER)], "a.so")

        for part in ("no C compiler", "gcc", "clang", "apt install"):
            assert part in str(caught.value)

    @pytest.mark.parametrize("variable", ["CC", "CXX"])
    def test_wrong_variable(self, monkeypatch, variable):
        """A compiler that the environment names and that is not there is not replaced by another."""
        monkeypatch.setenv(variable, "no-such-compiler -m64")
        with pytest.raises(BuildError, match=f"{variable} is 'no-such-compiler'"):
            _compiler.find(variable)

    def test_open_quote(self, monkeypatch):
        """A variable that no shell would take is named."""
        monkeypatch.setenv("CFLAGS", "'-DX")
        with pytest.raises(BuildError, match="CFLAGS"):
            build([write("a.c", DRIVER)], "a.so")

    def test_split_flags(self):
        """Libraries and files are for the linker alone; an option keeps its value; the order stays."""
        flags = shlex.split("-O3 -lm -I inc libx.a -Wl,-s -pthread -include x.h -Xlinker -O2 -L/a")

        compiling, linking = _compiler.split_flags(flags)

        assert shlex.split("-O3 -I inc -pthread -include x.h") == compiling
        assert flags == linking

    @pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
    def test_clang_is_content(self, monkeypatch, capfd):
        """clang, which warns of options it has no use for, has nothing to say."""
        monkeypatch.setenv("CC", "clang")
        build([write("a.c", DRIVER)], "a.so", flags=["-lm", "-DSTEP=2", "-I.", "-Werror", "-std=c11"])

        assert ("", "") == capfd.readouterr()
