"""What loading does, and what it must not do to the process; and find_library."""

import os
import sys

import pytest
import support
from hosting import manifest, run_host

import plugin

ANSWER = "PLUGIN_FUNC(int, answer, (void)) { return 42; }"


class TestLoading:
    """What the loader does, and what it must not do to the process."""

    def test_import_lock(self, build, tmp_path):
        """A Python module that opens a plugin while it is imported works, with another thread importing as well."""
        code = "import plugin, sys\nanswer = plugin.open(sys.argv[2]).lookup('answer')()\n"
        (tmp_path / "opener.py").write_text(code)

        shown = run_host(
            "import sys, threading; sys.path.insert(0, sys.argv[1])\n"
            "threads = [threading.Thread(target=__import__, args=('opener',)) for _ in range(8)]\n"
            "[t.start() for t in threads]; [t.join() for t in threads]\n"
            "import opener; print(opener.answer)",
            tmp_path,
            build(manifest(ANSWER)),
        )

        assert "42\n" == shown

    @pytest.mark.parametrize(("mode", "expected"), [("LOCAL", "1 2\n"), ("GLOBAL", "1 1\n")])
    def test_local_and_global(self, build, mode, expected):
        """Two plugins that share a helper's name each call their own, but with RTLD_GLOBAL both call the first's."""
        source = "int helper(void) { return NUMBER; } PLUGIN_FUNC(int, ask, (void)) { return helper(); }"
        pair = [build(manifest(source), f"-DNUMBER={i}", "-fvisibility=default", "-O0") for i in (1, 2)]

        shown = run_host(
            "import plugin, sys\n"
            f"mode = plugin.RTLD_NOW | plugin.RTLD_{mode}\n"
            "print(*[plugin.open(path, mode=mode).lookup('ask')() for path in sys.argv[1:]])",
            *pair,
        )

        assert expected == shown

    def test_rounding(self, build):
        """A library whose constructor changes the rounding of floating-point numbers changes it for nobody else."""
        source = "#include <fenv.h>\n__attribute__((constructor)) static void up(void) { fesetround(%s); }"
        script = "import plugin, sys\nplugin.open(sys.argv[1])\nprint(1 / 3 == float.fromhex('0x1.5555555555555p-2'))"

        assert "True\n" == run_host(script, build(source % "FE_UPWARD", "-lm"))

    def test_denormals(self, build):
        """A library linked with -ffast-math, which flushes denormal numbers to zero, does so for nobody else."""
        startup = support.run(*support.compiler_command(), "-print-file-name=crtfastmath.o").strip()
        if not os.path.isabs(startup):
            pytest.skip("this compiler has no crtfastmath.o")
        library = build("int unused;", startup)
        script = "import {0}, sys\n{0}.{1}(sys.argv[1])\nprint(sys.float_info.min / 2 > 0)"

        assert "False\n" == run_host(script.format("ctypes", "CDLL"), library)  # else this test could not fail
        assert "True\n" == run_host(script.format("plugin", "open"), library)

    def test_many_threads(self, build):
        """64 threads that open one file at once all get the same object."""
        shown = run_host(
            """
import plugin, sys, threading
gate, found = threading.Barrier(64), []
def run():
    gate.wait()
    found.append(plugin.open(sys.argv[1]))
threads = [threading.Thread(target=run) for _ in range(64)]
[t.start() for t in threads]; [t.join() for t in threads]
print(len(found), len({id(p) for p in found}))
""",
            build(manifest(ANSWER)),
        )

        assert "64 1\n" == shown


class TestFindLibrary:
    """find_library, which finds what open does not search for."""

    @pytest.mark.skipif(sys.platform != "linux", reason="names of glibc")
    @pytest.mark.parametrize("name", ["m", "libm", "libm.so.6"])
    def test_system(self, name):
        """A short name, one with lib, and a whole file name find the system's library, which opens."""
        found = plugin.find_library(name)

        assert 1.0 == plugin.open(found, declare="double cos(double x);").lookup("cos")(0.0)

    def test_newest(self, build, tmp_path, monkeypatch):
        """Of several versions the newest is taken, by number, and what is no library is passed over."""
        for version in ("1.9", "1.10"):
            build("int unused;", name=f"libours.so.{version}")
        (tmp_path / "libours.so.2").write_text("INPUT(libours.so.1.9)")
        monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))

        assert str(tmp_path / "libours.so.1.10") == plugin.find_library("ours")

    @pytest.mark.parametrize("name", ["nothing-has-this-name", "", "/", "a\0b"])
    def test_missing(self, name):
        """A miss is a PluginNotFoundError that names what was searched."""
        with pytest.raises(plugin.PluginNotFoundError) as caught:
            plugin.find_library(name)
        assert "find_library" in str(caught.value)
