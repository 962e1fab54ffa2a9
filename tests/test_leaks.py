"""Nothing that the C core does, well or in vain, leaves memory, references, descriptors or mappings behind."""

import json
import os
import pathlib
import subprocess
import sys
import types

import leak_cases
import leak_driver
import pytest

from plugin import _plugin

INIT = """
#include <plugin.h>
PLUGIN("example.com/%s", "1.0.0");
PLUGIN_INIT(%s) { %s }
"""

HOST = """
#include <plugin.h>
PLUGIN("example.com/host", "1.0.0");
PLUGIN_STRUCT(Host, { int (*write)(const Host *self, const char *text); int width; });
PLUGIN_INIT(const Host *host) { host->write(host, "text"); }
"""

RICHER = {"__ne__", "__lt__", "__le__", "__gt__", "__ge__"}  # one slot with __eq__


def entries():
    """Every callable and attribute that the core defines, as `load` or `Library.lookup`."""
    for name, value in vars(_plugin).items():
        if isinstance(value, types.BuiltinFunctionType):
            yield name
        if isinstance(value, type):
            for attribute, entry in vars(value).items():
                if callable(entry) or isinstance(entry, (types.GetSetDescriptorType, types.MemberDescriptorType)):
                    yield f"{value.__name__}.{attribute}"


def wanted():
    """The entries that need a case; a comparison counts for all, the buffer's for `buffer`."""
    for entry in entries():
        name = entry.rpartition(".")[2]
        if name not in RICHER and name not in ("__buffer__", "__release_buffer__", "__weaklistoffset__"):
            yield entry


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The plugins of the cases: a good one, and one for each step at which opening fails."""
    import support

    folder = tmp_path_factory.mktemp("leaks")

    def compile_(name, source, *flags):
        file = folder / f"{name}.c"
        file.write_text(source)
        support.run(
            *support.compiler_command(),
            "-shared",
            "-fPIC",
            "-O1",
            "-I",
            support.include_directory(),
            file,
            *flags,
            "-o",
            folder / f"{name}.so",
        )
        file.unlink()
        return folder / f"{name}.so"

    bare = compile_("bare", "int bare(int x) { return x; }").read_bytes()
    for name in ("leaks", "leaks_contracts"):
        compile_(name, (support.PLUGINS / f"{name}.c").read_text())
    compile_("host", HOST)
    compile_("undefined", "extern int missing(void); int f(void) { return missing(); }", "-Wl,-z,now")
    compile_("taken", '#include <plugin.h>\nPLUGIN("example.com/leaks", "2.0.0");')
    compile_("init", INIT % ("fails", "plugin_error *error", 'plugin_fail(error, 3, "no");'))
    compile_("odd_init", INIT % ("odd", "int odd", "(void)odd;"))
    (folder / "text.so").write_text("a text\n" * 100)
    (folder / "short.so").write_bytes(bare[:1000])
    (folder / "machine.so").write_bytes(bare[:18] + b"\x99\x99" + bare[20:])
    return str(folder)


@pytest.mark.skipif(
    "PLUGIN_SANITIZE" in os.environ or "LD_PRELOAD" in os.environ, reason="the sanitizer's own memory grows"
)
class TestLeaks:
    """Thousands of rounds of one case, in a process of its own for each entry."""

    @pytest.mark.slow
    @pytest.mark.parametrize("entry", sorted({*wanted(), *leak_cases.EXTRA}))
    def test_nothing_grows(self, folder, entry):
        """Blocks, references, malloc's bytes, descriptors and mappings are what they were, for each case."""
        command = [sys.executable, str(pathlib.Path(leak_driver.__file__)), entry, folder]
        done = subprocess.run(command, capture_output=True, text=True)
        assert 0 == done.returncode, done.stderr
        cases = json.loads(done.stdout)

        grown = {
            f"{case}: {measure}": value
            for case, measures in cases.items()
            for measure, value in measures.items()
            if value > (leak_driver.ROUNDS * 2 if measure == "bytes" else leak_driver.ROUNDS / 20)
        }

        assert cases
        assert {} == grown

    def test_leak_is_seen(self, folder):
        """The measure sees one leaked object, and one leaked reference, of each round."""
        code = (
            "import leak_driver, json; kept = []; print(json.dumps(leak_driver.growth(lambda: kept.append(object()))))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=pathlib.Path(__file__).parent
        )

        # Nearly: the interpreter may let go of blocks of its own meanwhile.
        assert 0.9 * leak_driver.ROUNDS < json.loads(done.stdout)["blocks"]

    def test_malloc_is_seen(self, folder):
        """The measure sees sixteen bytes of malloc leaked in each round."""
        code = (
            "import ctypes, leak_driver, json; malloc = ctypes.CDLL(None).malloc; malloc.restype = ctypes.c_void_p\n"
            "print(json.dumps(leak_driver.growth(lambda: malloc(16))))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=pathlib.Path(__file__).parent
        )

        assert 16 * leak_driver.ROUNDS <= json.loads(done.stdout)["bytes"]


class TestCompleteness:
    """The list of cases."""

    def test_every_entry(self, folder):
        """Each function, method, attribute and slot that the core defines has a case, and no case is for another."""
        code = (
            "import leak_cases, sys, json; print(json.dumps(sorted({of for of, _ in leak_cases.cases(sys.argv[1])})))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, folder], capture_output=True, text=True, cwd=pathlib.Path(__file__).parent
        )
        assert 0 == done.returncode, done.stderr

        assert sorted({*wanted(), *leak_cases.EXTRA}) == json.loads(done.stdout)

    def test_slots_are_seen(self):
        """The enumeration sees methods, attributes, members and slots alike."""
        found = set(entries())

        assert {"load", "Library.lookup", "Library.path", "Variable.value", "Function.__call__"} <= found
