"""Plugins with so many declarations that no copy of them is kept: what is read of them later is what was checked."""

import os
import random
import shutil
import threading

import pytest
from hosting import count_descriptors, manifest, run_host
from odd_plugin import INIT, ODDS, Host

import plugin
from plugin import _plugin

COUNT = 1000  # functions; their records have some 80,000 bytes
MANY = "\n".join(f"PLUGIN_FUNC(int, plus_{i}, (int value)) {{ return value + {i}; }}" for i in range(COUNT))
MORE = ODDS + 'PLUGIN_DOC(plus_500, "Fünfhundert dazu.");'


def source(more=MORE, name=None):
    """A plugin's source: the odd declarations stand between the many."""
    lines = MANY.splitlines()
    return manifest("\n".join([*lines[: COUNT // 2], more, *lines[COUNT // 2 :]]), name)


class TestLarge:
    """A large manifest is as good as a small one."""

    def test_everything(self, build):
        """Functions, types, documentation and variables are found, in any order, and listed in theirs."""
        p = plugin.open(build(source()))
        numbers = random.sample(range(COUNT), COUNT)

        assert 5 + 2 == p.lookup("pair")().sum(2)
        assert 21 == p.lookup("half")(42)
        assert 3 == p.lookup("colour")(3)
        assert "RED" == p.lookup("colour")(3).name
        assert 7 == p.lookup("level").value
        assert "Fünfhundert dazu." in p.lookup("plus_500").__doc__
        assert [1 + i for i in numbers] == [p.lookup(f"plus_{i}")(1) for i in numbers]
        declared = [record.name for record in plugin.inspect(p.path).records if record.kind in ("func", "var")]
        assert declared == list(p.symbols)
        assert COUNT + 4 == len(p.symbols)
        with pytest.raises(plugin.SymbolNotFoundError):
            p.lookup(f"plus_{COUNT}")
        with pytest.raises(plugin.SymbolTypeError):
            p.lookup("plus_3", "double (int)")

    def test_threads(self, build):
        """Threads that look for different names at once all find them."""
        p = plugin.open(build(source()))
        gate, found = threading.Barrier(8), {}

        def look(first):
            gate.wait()
            for i in range(first, COUNT, 8):
                found[i] = p.lookup(f"plus_{i}")(1)

        threads = [threading.Thread(target=look, args=(first,)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert {i: 1 + i for i in range(COUNT)} == found

    def test_long_record(self, build):
        """A record that is longer than what is read of the file at once."""
        text = "word " * 20_000
        p = plugin.open(build(source(f'PLUGIN_DOC(plus_7, "{text}");')))

        assert text.strip() in p.lookup("plus_7").__doc__
        assert COUNT == sum(name.startswith("plus_") for name in p.symbols)

    def test_repeated(self, build, tmp_path):
        """Declarations that stand in two files of a plugin count once."""
        header = "\n".join(f"PLUGIN_FUNC(int, plus_{i}, (int value));" for i in range(COUNT))
        (tmp_path / "other.c").write_text(f"#include <plugin.h>\n{header}\n")
        p = plugin.open(build(source(), tmp_path / "other.c"))

        assert COUNT + 4 == len(p.symbols)
        assert 43 == p.lookup("plus_42")(1)

    def test_two_ways(self, build, tmp_path):
        """Two declarations of one function are refused, both shown, though the first one is out of sight by then."""
        (tmp_path / "other.c").write_text("#include <plugin.h>\nPLUGIN_FUNC(long, plus_3, (int value));\n")

        with pytest.raises(plugin.InvalidPluginError) as caught:
            plugin.open(build(source(), tmp_path / "other.c"))

        assert "`int plus_3(int value)`" in str(caught.value)
        assert "`long plus_3(int value)`" in str(caught.value)


class TestBefore:
    """What is asked before the library is loaded."""

    def test_interface(self, build):
        """An interface is checked before any code runs, and no descriptor stays open whatever comes of it."""
        ran = '#include <stdio.h>\n__attribute__((constructor)) static void run(void) { puts("ran"); fflush(stdout); }'
        script = """
import os, plugin, sys
before = len(os.listdir("/proc/self/fd"))
try:
    plugin.open(sys.argv[1], interface="long plus_999(int value);")
except plugin.IncompatiblePluginError as error:
    refused = str(error)
print("refused", "plus_999" in refused, len(os.listdir("/proc/self/fd")) - before, flush=True)
p = plugin.open(sys.argv[1], interface="int plus_999(int value); int plus_1(int value);")
print(p.bind().plus_999(1), len(os.listdir("/proc/self/fd")) - before)
"""
        assert "refused True 0\nran\n1000 0\n" == run_host(script, build(source(ran)))

    def test_init(self, build):
        """PLUGIN_INIT and the services that it wants are found."""
        assert 42 == plugin.open(build(source(INIT)), host=Host()).lookup("result")()


class TestChanged:
    """Whatever becomes of the file, no type is taken from text that was not checked."""

    @pytest.mark.parametrize("flags", [(), ("-Wl,--build-id=none",)], ids=["build id", "none"])
    def test_replaced(self, build, flags):
        """A file that is replaced between the check and the load is refused, or what differs of it."""
        path, other = (
            build(source(name="same"), *flags),
            build(source(name="same").replace("int value", "car value"), "-Dcar=int", *flags),
        )
        library = _plugin.read(plugin.Plugin, os.fsencode(path), path, plugin.RTLD_NOW, None)
        os.replace(other, path)

        with pytest.raises((plugin.OpenError, plugin.DeclarationError)) as caught:
            _plugin.load(library, os.fsencode(path), path, None).lookup("plus_900")
        assert "another file" in str(caught.value) or "was written to" in str(caught.value)

    def test_written_to(self, build, tmp_path):
        """Of a file that is written to while it is open, records that were used stay; others fail and say why."""
        path = shutil.copy(build(source()), tmp_path / "victim.so")
        script = """
import plugin, sys
p = plugin.open(sys.argv[1])
print(p.lookup("plus_1")(1))
with open(sys.argv[1], "r+b") as file:
    data = file.read()
    for name in (b"plus_1", b"plus_900"):
        file.seek(data.index(b"int " + name + b"(int value)"))
        file.write(b"car ")
print(p.lookup("plus_1")(1), p.symbols["plus_1"].declaration)
try:
    p.lookup("plus_900")
except plugin.DeclarationError as error:
    print("was written to since it was opened" in str(error))
print("plus_900" in p.symbols)
"""
        assert "2\n2 int plus_1(int value)\nTrue\nTrue\n" == run_host(script, path)

    def test_descriptors(self, build):
        """An open leaves no descriptor behind, nor does a library that was read and never loaded."""
        before = count_descriptors()
        path = build(source())
        library = _plugin.read(plugin.Plugin, os.fsencode(path), path, plugin.RTLD_NOW, None)

        assert before + 1 == count_descriptors()
        del library
        assert before == count_descriptors()
        plugin.open(path)
        assert before == count_descriptors()
