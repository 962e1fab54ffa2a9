"""The extension module and the package as an import sees them: symbols, interpreters, weight, completeness."""

import glob
import inspect
import os
import pathlib
import subprocess
import sys
import textwrap

import parallel
import pytest
import support

import plugin

EXTENSION = pathlib.Path(plugin._plugin.__file__)
COUNTING = """
#include <plugin.h>
PLUGIN("example.com/counting", "1.0.0");
PLUGIN_STRUCT(Counter, { plugin_threadsafe int (*Count)(struct Counter *self); });
static int inits;
static int count(struct Counter *self) { (void)self; return inits; }
static struct Counter counter = {count};
PLUGIN_INIT(void) { inits++; }
PLUGIN_FUNC(plugin_threadsafe int, Inits, (void)) { return inits; }
PLUGIN_FUNC(plugin_threadsafe struct Counter *, Get, (void)) { return &counter; }
"""


def run(code, *arguments, isolated=True):
    """The standard output of Python code in a process of its own."""
    flags = ["-I"] if isolated and not parallel.under_tsan() else []  # there PYTHONPATH leads to the package
    command = [sys.executable, *flags, "-c", textwrap.dedent(code), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    return done.stdout


class TestSymbols:
    """What the extension gives to the dynamic linker."""

    def test_one_symbol(self):
        """It exports the module's init function and nothing else."""
        support.need("nm")
        listing = support.run("nm", "-D", "--defined-only", EXTENSION)
        if "__asan" in support.run("nm", "-D", EXTENSION):
            pytest.skip("the sanitizers export symbols of their own")

        assert ["PyInit__plugin"] == [line.split()[-1] for line in listing.splitlines()]

    def test_nothing_unresolved(self):
        """It needs no library beyond those of libc: the interpreter's symbols are the interpreter's."""
        support.need("readelf")
        lines = support.run("readelf", "-d", EXTENSION).splitlines()
        needed = {line.split("[")[1].rstrip("]") for line in lines if "(NEEDED)" in line}
        if any(name.startswith("lib") and "san" in name for name in needed):
            pytest.skip("the sanitizers are libraries")

        assert {name for name in needed if not name.startswith("ld-linux")} <= {"libc.so.6", "libdl.so.2", "libm.so.6"}


class TestImport:
    """`import plugin`, in an interpreter that has imported nothing else."""

    CODE = """
        import sys
        before = set(sys.modules)
        folder, what = sys.argv[1:]
        sys.path.insert(0, folder)
        import plugin
        if what == "modules":
            print(*sorted(set(sys.modules) - before))
        else:
            exec(what)
    """

    def lonely(self, what):
        """Run the code with the package's folder as the only addition to the standard library."""
        command = [sys.executable, "-I", "-S", "-c", textwrap.dedent(self.CODE), str(EXTENSION.parents[1]), what]
        done = subprocess.run(command, capture_output=True, text=True)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def test_light(self):
        """It imports none of the standard library's heavy modules."""
        heavy = {
            "ctypes",
            "typing",
            "inspect",
            "dataclasses",
            "subprocess",
            "re",
            "enum",
            "functools",
            "pathlib",
            "threading",
            "logging",
            "numpy",
            "cffi",
        }

        imported = set(self.lonely("modules").split())

        assert "plugin" in imported
        assert set() == heavy & imported

    def test_no_side_effects(self):
        """It prints nothing, opens nothing that stays open, and changes no signal, warning or codec."""
        what = "import os; print(len(os.listdir('/proc/self/fd'))); print(len(plugin._plugin.by_file))"
        bare = "import os; print(len(os.listdir('/proc/self/fd')))"
        files = run(bare).split()

        assert [*files, "0"] == self.lonely(what).split()

    def test_import_again(self):
        """The extension imports a second time, after everything of it was removed from sys.modules."""
        what = """if 1:
            import gc, weakref
            first = weakref.ref(plugin._plugin.Library)
            for name in [name for name in sys.modules if name.startswith("plugin")]:
                del sys.modules[name]
            del plugin
            gc.collect()
            print(first() is None)
            import plugin
            print(plugin.Pointer(8).address)
        """

        assert ["True", "8"] == self.lonely(what).split()


class TestCollection:
    """What the garbage collector can take away."""

    def test_module_with_plugins(self, build):
        """An interpreter's plugins, their functions and struct types go when nothing refers to the package any more."""
        code = """
            import gc, sys, weakref
            import plugin
            p = plugin.open(sys.argv[1])
            get, symbol = p.lookup("Get"), p.symbols["Inits"]
            counter = get()
            watched = [weakref.ref(thing) for thing in (p, get, symbol, counter, type(counter), plugin.Plugin)]
            for name in [name for name in sys.modules if name.startswith("plugin")]:
                del sys.modules[name]
            del p, get, symbol, counter, plugin
            gc.collect()
            print([reference() for reference in watched])
        """

        assert f"{[None] * 6}\n" == run(code, build(COUNTING))


class TestInterpreters:
    """Interpreters beside the main one."""

    CODE = """
        import sys
        import plugin
        p = plugin.open(PATH)
        assert p.lookup("Inits")() == 1, p.lookup("Inits")()
        counter = p.lookup("Get")()
        assert counter.Count() == 1
        assert plugin.open(PATH) is p
        try:
            p.lookup("missing")
        except plugin.SymbolNotFoundError:
            pass
        else:
            raise AssertionError
    """

    def script(self, create, path):
        """A process that runs CODE in the main interpreter, then three times in another, then in the main one."""
        code = f"PATH = {path!r}\n{textwrap.dedent(self.CODE)}"
        return "\n".join(
            [
                f"CODE = {code!r}",
                "exec(CODE)",
                "try: import _interpreters as interpreters",
                "except ImportError: import _xxsubinterpreters as interpreters",
                "def check(failure):",
                "    if failure is not None: raise SystemExit(str(failure))",
                "for _ in range(3):",
                f"    other = interpreters.create({create})",
                "    check(interpreters.run_string(other, CODE)); check(interpreters.run_string(other, CODE))",
                "    interpreters.destroy(other)",
                "exec(CODE)",
                "print('done')",
            ]
        )

    def test_shared_gil(self, build):
        """A second interpreter opens the same plugin; init does not run again, and nothing breaks when it ends."""
        create = "'legacy'" if sys.version_info >= (3, 13) else "isolated=False" if sys.version_info < (3, 12) else ""

        assert "done\n" == run(self.script(create, build(COUNTING)))

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters with a GIL of their own came with 3.12")
    def test_own_gil(self, build):
        """So does an interpreter with a GIL of its own, as all functions of the plugin are marked."""
        create = "'isolated'" if sys.version_info >= (3, 13) else "isolated=True"

        assert "done\n" == run(self.script(create, build(COUNTING)))


class TestShutdown:
    """The end of the interpreter."""

    def test_objects_alive(self, build):
        """Objects that are alive at the end, in modules and in cycles, do no harm, nor do calls in a last __del__."""
        code = """
            import sys
            import plugin
            p = plugin.open(sys.argv[1])
            counter = p.lookup("Get")()

            class Last:
                def __init__(self, *things):
                    self.things = things

                def __del__(self):
                    print(self.things[0].Count(), self.things[1]())

            last = Last(counter, p.lookup("Inits"), p.symbols["Get"].capsule())
            cycle = [counter, p, p.lookup, p.symbols["Inits"]]
            cycle.append(cycle)
        """

        assert "1 1\n" == run(code, build(COUNTING))


class TestPublicNames:
    """What `plugin` offers."""

    def test_all(self):
        """__all__ has every public name of the package but its modules, each once, in order."""
        public = [
            name for name in dir(plugin) if not name.startswith("_") and not inspect.ismodule(getattr(plugin, name))
        ]

        assert sorted([*public, "__version__"]) == sorted(plugin.__all__)

    def test_stub_in_step(self):
        """The stub of the extension has every public and private name that the extension has, and no other."""
        stub = EXTENSION.with_name("_plugin.pyi").read_text()
        names = {name for name in vars(plugin._plugin) if not name.startswith("__")}

        missing = {
            name
            for name in names
            if f"class {name}" not in stub and f"def {name}" not in stub and f"{name}:" not in stub
        }

        assert set() == missing

    @pytest.mark.parametrize("name", [name for name in plugin.__all__ if name != "__version__"])
    def test_docstring(self, name):
        """Each public object says what it is, and so does each of its public methods and attributes."""
        value = getattr(plugin, name)
        if isinstance(value, int):
            return
        assert value.__doc__
        for attribute, member in vars(value).items() if isinstance(value, type) else ():
            if not attribute.startswith("_"):
                described = inspect.getdoc(member) if not isinstance(member, str | int | tuple) else attribute
                assert described, f"{name}.{attribute}"

    def test_one_extension(self):
        """One built extension stands in the package."""
        assert [str(EXTENSION)] == glob.glob(os.path.join(EXTENSION.parent, "_plugin*.so"))
