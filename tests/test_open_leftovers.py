"""What a failed open leaves behind: nothing, if the plugin's code has not run; and no later open suffers from it."""

import os
import pathlib

import pytest
import support
from hosting import manifest, run_host

from plugin import _stamp

ANSWER = "PLUGIN_FUNC(int, answer, (void)) { return 42; }"

TRUNCATED = """
import os, plugin, sys
whole, cut = sys.argv[1:]
size = os.path.getsize(whole)
with open(whole, "rb") as file:
    data = file.read()
wrong = []
for length in range(size):
    with open(cut, "wb") as file:
        file.write(data[:length])
    try:
        plugin.open(cut)
    except plugin.InvalidPluginError as error:
        good = error.phase == "read" and cut in str(error) and (length == 0 or "truncated" in str(error) or length < 4)
    else:
        good = False
    if not good:
        wrong.append(length)
with open("/proc/self/maps") as maps:
    assert cut not in maps.read()
with open(cut, "wb") as file:
    file.write(data)
print(wrong, size > 1000, plugin.open(cut).lookup("answer")())
"""

ROUNDS = """
import os, plugin, sys
path, kind, declare, first, sha256 = sys.argv[1:6]
if first:
    plugin.open(first)
sanitized = "asan" in os.environ.get("LD_PRELOAD", "")  # slow, and freed memory is kept for a while
def held():
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        files = sum("/" in line for line in maps)
    return len(os.listdir("/proc/self/fd")), files
def resident():  # not ru_maxrss, which a process inherits
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1])
def fail():
    try:
        plugin.open(path, declare=declare or None, sha256=sha256 or None)
    except plugin.PluginError as error:
        assert type(error).__name__ == kind, repr(error)
    else:
        raise SystemExit("it opened")
for _ in range(100):
    fail()
before, memory = held(), resident()
for _ in range(1000 if sanitized else 20_000):
    fail()
assert held() == before, (before, held())
grown = resident() - memory
assert grown < 250 or sanitized, f"{grown} pages more"  # 50 bytes a round would be seen
"""


def compile_file(folder, *flags):
    """A file made of a small C program with these flags."""
    source = folder / "small.c"
    source.write_text("int main(void) { return 0; }")
    support.run(*support.compiler_command(), *flags, source, "-o", folder / "made")
    return folder / "made"


def make_fifo(folder):
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def make_loop(folder):
    os.symlink("loop", folder / "loop")
    return folder / "loop"


def write(folder, data):
    (folder / "file").write_bytes(data)
    return folder / "file"


FILES = {  # kind of file: how it is made in a folder, and the class of its error
    "missing": (lambda folder: folder / "missing", "PluginNotFoundError"),
    "directory": (lambda folder: folder, "InvalidPluginError"),
    "fifo": (make_fifo, "InvalidPluginError"),
    "device": (lambda _: pathlib.Path("/dev/zero"), "InvalidPluginError"),
    "empty": (lambda folder: write(folder, b""), "InvalidPluginError"),
    "text": (lambda folder: write(folder, b"text\n" * 5000), "InvalidPluginError"),
    "loop": (make_loop, "OpenError"),
    "name too long": (lambda folder: folder / ("x" * 300), "OpenError"),
    "other data": (lambda folder: write(folder, b"\0\1\2" * 9999), "InvalidPluginError"),
    "object": (lambda folder: compile_file(folder, "-c"), "InvalidPluginError"),
    "executable": (lambda folder: compile_file(folder, "-no-pie"), "InvalidPluginError"),
}
TWO = 'PLUGIN_FUNC(int, answer, (void)); PLUGIN_RECORD_(0x102, 0, 0, "answer", "long answer(void)");'
PLUGINS = {  # what is wrong with a plugin: its source, and the class of the error
    "undefined symbol": ("int none(void); PLUGIN_FUNC(int, f, (void)) { return none(); }", "OpenError"),
    "two declarations": (TWO, "InvalidPluginError"),
    "newer record": ('PLUGIN_RECORD_(0x80000199, 0, 0, "a", "b");', "IncompatiblePluginError"),
    "no host": ("PLUGIN_STRUCT(H, {int x;}); PLUGIN_INIT(const H *h) { (void)h; }", "IncompatiblePluginError"),
    "odd init": ("PLUGIN_INIT(int x) { (void)x; }", "DeclarationError"),
}


class TestTruncated:
    """A library whose end is missing."""

    def test_every_length(self, build, tmp_path):
        """A library cut at any byte is refused before the loader sees it, which a bus error would end otherwise."""
        flags = ["-nostdlib", "-s", "-Wl,-z,noseparate-code", "-Wl,--build-id=none", "-Wl,-z,norelro"]
        whole = build('#include <plugin.h>\nPLUGIN("cut", "1");\n' + ANSWER, *flags)

        assert "[] True 42\n" == run_host(TRUNCATED, whole, tmp_path / "cut.so")


class TestRounds:
    """Descriptors, mappings and memory over 20,000 rounds of each kind of failure."""

    @pytest.mark.parametrize("name", FILES)
    def test_file(self, name, tmp_path):
        """20,000 failures over a file that is no plugin leave no descriptor, mapping or memory behind."""
        make, kind = FILES[name]

        run_host(ROUNDS, make(tmp_path), kind, "", "", "")

    @pytest.mark.parametrize("name", PLUGINS)
    def test_plugin(self, name, build):
        """20,000 failures over a plugin that something is wrong with leave nothing behind either."""
        source, kind = PLUGINS[name]

        run_host(ROUNDS, build(manifest(source)), kind, "", "", "")

    def test_truncated(self, build):
        """Nor do 20,000 truncated files."""
        library = pathlib.Path(build(manifest(ANSWER)))
        library.write_bytes(library.read_bytes()[:-1])

        run_host(ROUNDS, library, "InvalidPluginError", "", "", "")

    def test_digest(self, build):
        """Nor do 20,000 stamped files that were changed."""
        library = pathlib.Path(build(manifest(ANSWER + ' PLUGIN_DOC(answer, "documentation");')))
        _stamp.stamp(library)
        library.write_bytes(library.read_bytes().replace(b"documentation", b"Documentation"))

        run_host(ROUNDS, library, "InvalidPluginError", "", "", "")

    @pytest.mark.parametrize("opened", [False, True])
    def test_sha256(self, build, opened):
        """Nor do 20,000 files of another SHA-256 than was asked for."""
        library = build(manifest(ANSWER))

        run_host(ROUNDS, library, "InvalidPluginError", "", library if opened else "", "0" * 64)

    def test_missing_dependency(self, build, tmp_path):
        """Nor do 20,000 loads that fail as a needed library is missing."""
        other = pathlib.Path(build("int other(void) { return 7; }", name="libgone.so"))
        library = build(manifest(ANSWER), "-Wl,--no-as-needed", other)
        other.unlink()

        run_host(ROUNDS, library, "OpenError", "", "", "")

    def test_already_loaded(self, build, tmp_path):
        """Nor do 20,000 copies of an open plugin."""
        library = pathlib.Path(build(manifest(ANSWER)))
        (tmp_path / "copy.so").write_bytes(library.read_bytes())

        run_host(ROUNDS, tmp_path / "copy.so", "AlreadyLoadedError", "", library, "")

    @pytest.mark.parametrize("opened", [False, True])
    def test_declare(self, build, opened):
        """Nor do 20,000 refused declarations, on a first open and on an open plugin."""
        library = build(manifest(ANSWER))

        run_host(ROUNDS, library, "DeclarationError", "int f(int); int g(double", library if opened else "", "")
