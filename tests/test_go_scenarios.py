"""The scenarios of Go's own plugin tests (src/plugin, cmd/cgo/internal/testplugin) that are no part of TestRunHost.

| Go                        | here                                                                                    |
|---------------------------|-----------------------------------------------------------------------------------------|
| plugin.TestPlugin         | test_TestPlugin; a stub for systems without dlopen comes with the platforms             |
| TestDWARFSections         | test_TestDWARFSections                                                                  |
| TestBuildID               | test_TestBuildID; test_open.py: test_build_id                                           |
| TestRunHost a, b, h       | test_go_callbacks.py: test_TestRunHost_a_b_init, _h_shared_state; test_host.py          |
| TestRunHost c, d, e, g    | test_go_host.py: test_TestRunHost_c ... _g                                              |
| TestRunHost f             | test_go_callbacks.py: test_TestRunHost_f_function_variable; test_function_pointers.py   |
| TestRunHost i, k, l       | test_go_host.py: test_TestRunHost_i_k_l_copies; test_init.py: TestRefused.test_copy     |
| TestRunHost j             | test_go_host.py: test_TestRunHost_j_mismatch; test_records_bad.py: test_other_major     |
| TestRunHost m, n          | test_go_host.py: test_TestRunHost_m ..., _n ...; test_open.py: test_two_unnamed         |
| TestUniqueTypesAndItabs   | test_go_host.py: test_TestUniqueTypesAndItabs                                           |
| TestIssue18676            | test_go_host.py: test_TestIssue18676                                                    |
| TestIssue19534            | test_go_host.py: test_TestIssue19534, _unprintable                                      |
| TestIssue18584            | test_go_host.py: test_TestIssue18584                                                    |
| TestIssue19418, 19529     | test_go_host.py: test_TestIssue19418, _19529; test_lookup_odd.py: test_versions         |
| TestIssue22175            | test_TestIssue22175, by the interpreter's C API; by a callback: test_go_callbacks.py    |
| TestIssue22295            | test_TestIssue22295                                                                     |
| TestIssue24351            | test_go_callbacks.py: test_TestIssue24351; test_callback_threads.py                     |
| TestIssue25756            | test_TestIssue25756, without callbacks; with them: test_go_callbacks.py                 |
| TestIssue25756pie         | the Python that runs the suite; others with issue 5 and the platforms                   |
| TestMethod                | test_go_host.py: test_TestMethod                                                        |
| TestMethod2, TestMethod3  | test_go_callbacks.py: test_TestMethod2, test_TestMethod3; test_implement.py             |
| TestIssue44956            | test_TestIssue44956                                                                     |
| TestIssue52937            | test_TestIssue52937; test_lookup_odd.py: test_mangled                                   |
| TestIssue53989            | test_TestIssue53989                                                                     |
| TestForkExec              | test_TestForkExec; during opens: test_init_opens.py: test_fork, more in issue 5         |
| TestSymbolNameMangle      | test_TestSymbolNameMangle; test_lookup_odd.py: test_odd, test_mangled                   |
| TestIssue62430            | test_go_callbacks.py: test_TestIssue62430                                               |
| TestTextSectionSplit      | test_TestTextSectionSplit                                                               |
| TestIssue67976            | test_TestIssue67976                                                                     |
| TestIssue75102            | test_TestIssue75102; test_init.py: TestRefused; test_open_loading.py: test_import_lock  |
| TestIssue81303            | test_go_host.py: test_TestIssue81303                                                    |
| build_plugin_non_main     | test_build.py: test_no_plugin, test_nothing_declared                                    |
| build_plugin_reproducible | test_build.py: test_reproducible                                                        |
"""

import array
import concurrent.futures
import os
import pathlib
from typing import Any

import pytest
import support
from hosting import manifest, run_host, unique

import plugin
from plugin._build import build as build_plugin

TOTAL = """
#include <pthread.h>
typedef struct { double *x; size_t n; double sum; } Part;
static void *add_up(void *data)
{
    Part *part = data;
    for (size_t i = 0; i < part->n; i++) { part->sum += part->x[i]; part->x[i] = -part->x[i]; }
    return NULL;
}
PLUGIN_FUNC(double, negate, (double *x plugin_count(n), size_t n))
{
    pthread_t threads[4];
    Part parts[4];
    double sum = 0;
    for (size_t i = 0; i < 4; i++) {
        parts[i] = (Part){x + i * n / 4, (i + 1) * n / 4 - i * n / 4, 0};
        pthread_create(&threads[i], NULL, add_up, &parts[i]);
    }
    for (size_t i = 0; i < 4; i++) { pthread_join(threads[i], NULL); sum += parts[i].sum; }
    return sum;
}
"""
NEGATE = """
import array, plugin, sys
negate = plugin.open(sys.argv[1]).lookup("negate")
numbers = array.array("d", range(100_000))
for _ in range(10):
    negate(numbers)
print(negate(numbers), numbers[7])
"""
FORKS = """
import os, plugin, subprocess, sys, threading
p = plugin.open(sys.argv[1])
add, failed = p.lookup("add"), []
def fork_and_run(number):
    for i in range(100):
        if i % 2:
            if subprocess.run(["true"]).returncode != 0:
                failed.append((number, i))
            continue
        child = os.fork()
        if child == 0:
            good = add(number, i) == number + i and plugin.open(sys.argv[1]) is p
            os._exit(0 if good and plugin.open(sys.argv[2]).lookup("add")(1, 1) == 2 else 1)
        if os.waitpid(child, 0)[1] != 0:
            failed.append((number, i))
threads = [threading.Thread(target=fork_and_run, args=(number,)) for number in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(failed, add(2, 2))
"""
ADD = "PLUGIN_FUNC(int, add, (int a, int b)) { return a + b; }"


def built(folder, source, *, suffix=".c", flags=(), name="made.so"):
    """The path of a plugin that the `build` verb makes of `source`."""
    file = folder / f"made{suffix}"
    file.write_text(source, encoding="utf-8")
    build_plugin([file], folder / name, flags=flags)
    return str(folder / name)


class TestGo:
    """src/plugin/plugin_test.go."""

    def test_TestPlugin(self):
        """Importing the package prints nothing, starts no thread, opens no file and loads one library of its own."""
        shown = run_host("""
import os, sys, threading, _ctypes, _socket
def held():
    with open("/proc/self/maps") as maps:
        return {os.path.basename(line.split()[-1]) for line in maps if ".so" in line}
modules, libraries, files = set(sys.modules), held(), len(os.listdir("/proc/self/fd"))
import plugin
print(threading.active_count(), len(os.listdir("/proc/self/fd")) - files)
print([name.split(".")[0] for name in held() - libraries if "ubsan" not in name])
print([name for name in set(sys.modules) - modules if name.split(".")[0] in ("typing", "ctypes", "inspect", "numpy")])
""")

        assert "1 0\n['_plugin']\n[]\n" == shown


class TestBuilt:
    """What the `build` verb makes."""

    def test_TestDWARFSections(self, tmp_path):
        """With -g the functions of a plugin are in its debug information, and gdb breaks in them by name."""
        support.need("readelf", "gdb")
        path = built(tmp_path, manifest(ADD), flags=["-g"])

        debug = support.run("readelf", "--debug-dump=info", path)
        stopped = support.run("env", "-u", "LD_PRELOAD", "gdb", "-nx", "-batch", "-ex", "break add", path)

        assert "DW_TAG_subprogram" in debug
        assert "Breakpoint 1 at" in stopped
        assert "made.c" in stopped

    def test_TestBuildID(self, tmp_path):
        """A built plugin has a build id, which is the one that readelf shows; one without is tolerated."""
        support.need("readelf")
        path = built(tmp_path, manifest(ADD))
        bare = built(tmp_path, manifest(ADD), flags=["-Wl,--build-id=none"], name="bare.so")

        assert f"Build ID: {plugin.open(path).build_id}" in support.run("readelf", "-n", path)
        assert plugin.open(bare).build_id is None

    def test_TestIssue22295(self, tmp_path):
        """What init allocates is there for later calls; the file is issue.22295.so."""
        source = "#include <stdlib.h>\n" + manifest(
            "static int *heap; PLUGIN_INIT(void) { heap = malloc(sizeof *heap); *heap = 2503; }"
            "PLUGIN_FUNC(int, f, (int x)) { int old = *heap; *heap = x; return old; }"
        )
        f = plugin.open(built(tmp_path, source, name="issue.22295.so")).lookup("f")

        assert [2503, 1, 2] == [f(x) for x in (1, 2, 3)]

    def test_TestIssue52937(self, tmp_path):
        """A C++ plugin that instantiates templates loads, and exports what it declares and none of them."""
        source = "#include <map>\n#include <string>\n" + manifest(
            "template <class T> struct Box { T held; T get() const { return held; } };\n"
            "PLUGIN_FUNC(int, size, (const char *text)) {"
            " std::map<std::string, Box<int>> all; all[text].held = 3; return all[text].get() + int(all.size()); }"
        )
        p = plugin.open(built(tmp_path, source, suffix=".cpp"))

        assert 4 == p.lookup("size")("x")
        assert ["size"] == list(p.symbols)

    def test_TestIssue53989(self, build, tmp_path):
        """A function of one name in the host's own library and in a plugin: each calls its own."""
        host = build("int helper(void) { return 1; } int ask(void) { return helper(); }", "-fvisibility=default")
        source = "int helper(void) { return 2; } PLUGIN_FUNC(int, ask, (void)) { return helper(); }"
        path = built(tmp_path, manifest(source), flags=["-O0"])
        script = """
import ctypes, plugin, sys
host = ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)
print(host.ask(), plugin.open(sys.argv[2]).lookup("ask")(), host.ask())
"""
        assert "1 2 1\n" == run_host(script, host, path)

    @pytest.mark.slow
    def test_TestTextSectionSplit(self, tmp_path):
        """A plugin with more than 64 MB of code loads, and what stands at both its ends can be called."""
        source = manifest('PLUGIN_FUNC(int, near, (void)) { return 1; }\n__asm__(".text\\n.skip 70000000, 0x90\\n");')
        path = built(tmp_path, source + "PLUGIN_FUNC(int, far, (void)) { return 2; }", flags=["-fno-toplevel-reorder"])
        p = plugin.open(path)
        os.unlink(path)

        assert (1, 2) == (p.lookup("near")(), p.lookup("far")())
        assert abs(p.symbols["near"].address - p.symbols["far"].address) > 64_000_000


class TestOthers:
    """Other libraries, other plugins, other processes."""

    def test_TestIssue22175(self, build):
        """A call into a plugin may open another plugin and call it."""
        inner = build(manifest("PLUGIN_FUNC(int, f, (void)) { return 9; }"))
        source = '#include "run_python.h"\n' + manifest(
            "PLUGIN_FUNC(void, nested, (const char *code)) { run_python(code); }", unique()
        )
        script = """
import plugin, sys
found = []
plugin.open(sys.argv[1]).lookup("nested")("found.append(plugin.open(sys.argv[2]).lookup('f')())")
print(found)
"""
        assert "[9]\n" == run_host(script, build(source, "-I", support.PLUGINS), inner)

    def test_TestIssue25756(self, build):
        """A buffer is the plugin's to read and write from four threads, without a copy, in 20 processes at once."""
        path = build(manifest(TOTAL), "-pthread")

        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            shown = list(pool.map(lambda _: run_host(NEGATE, path), range(20)))

        assert [f"{100_000 * 99_999 / 2} -7.0\n"] * 20 == shown

    @pytest.mark.parametrize("make", ["array", "bytearray", "numpy"])
    def test_TestIssue25756_buffers(self, build, make):
        """array, a bytearray seen as doubles, and NumPy arrays are each written in place."""
        values: Any = array.array("d", range(8))
        if make == "bytearray":
            values = memoryview(bytearray(values.tobytes())).cast("d")
        elif make == "numpy":
            values = pytest.importorskip("numpy").arange(8.0)

        assert 28.0 == plugin.open(build(manifest(TOTAL), "-pthread")).lookup("negate")(values)
        assert [-x for x in range(8)] == list(values)

    def test_TestIssue44956(self, build, tmp_path):
        """Two plugins that link one library share it: its constructor runs once, and both see its data."""
        common = build(
            "int shared; __attribute__((constructor)) static void up(void) { shared++; }",
            *("-fvisibility=default", "-Wl,-soname,libcommon.so"),
            name="libcommon.so",
        )
        source = "extern int shared; PLUGIN_FUNC(int, bump, (int by)) { return shared += by; }"
        a, b = (plugin.open(build(manifest(source), common, f"-Wl,-rpath,{tmp_path}")) for _ in range(2))

        assert [1, 11, 111] == [a.lookup("bump")(0), b.lookup("bump")(10), a.lookup("bump")(100)]

    def test_TestIssue67976(self, build):
        """A plugin that links libpthread, libm, libdl and librt loads."""
        flags = ["-Wl,--no-as-needed", "-lpthread", "-lm", "-ldl", "-lrt"]

        assert 3 == plugin.open(build(manifest(ADD), *flags)).lookup("add")(1, 2)

    def test_TestIssue75102(self, build, tmp_path):
        """Neither init nor constructors of a refused plugin run, also while a Python module is imported."""
        trap = "__attribute__((constructor)) static void up(void) { __builtin_trap(); }\n"
        trap += "PLUGIN_INIT(void) { __builtin_trap(); }\n"
        newer = 'PLUGIN_RECORD_(0x80000777, 0, 0, "x", "y");'
        name = unique()
        paths = [build(manifest(ADD, name)), build(manifest(trap, name)), build(manifest(trap + newer))]
        (tmp_path / "refuser.py").write_text(
            "import plugin, sys\nsaid = []\nfor path in sys.argv[2:]:\n    try:\n        plugin.open(path)\n"
            "    except plugin.OpenError as error:\n        said.append(type(error).__name__)\n"
        )
        script = "import sys; sys.path.insert(0, sys.argv[1]); import refuser; print(refuser.said)"

        assert "['AlreadyLoadedError', 'IncompatiblePluginError']\n" == run_host(script, tmp_path, *paths)

    def test_TestForkExec(self, build):
        """From 8 threads, 100 rounds each: a process is started, or a child forked, which can call and open."""
        paths = [build(manifest(ADD)) for _ in range(2)]

        assert "[] 4\n" == run_host(FORKS, *paths, PYTHONWARNINGS="ignore")

    def test_TestSymbolNameMangle(self):
        """Each of the thousands of mangled names of the C++ library is found as it is, and one more letter misses."""
        support.need("c++")
        try:
            p = plugin.open(plugin.find_library("stdc++"))
        except plugin.PluginNotFoundError:
            pytest.skip("no libstdc++")
        names = list(p.symbols)

        assert len(names) > 1000
        assert names == [p.symbols[name].name for name in names]
        assert not any(f"{name}\u00e9" in p.symbols for name in names[:50])
        assert pathlib.Path(p.path).exists()
