"""Small manifests that nobody has asked for a record yet: nothing of them is kept, and nothing is missing."""

import os
import shutil
import sys
import threading

import pytest
from hosting import manifest, run_host
from odd_plugin import INIT, ODDS, Host

import plugin
from plugin import _plugin

COUNT = 20
SOURCE = "\n".join(f"PLUGIN_FUNC(int, plus_{i}, (int value)) {{ return value + {i}; }}" for i in range(COUNT))
MORE = ODDS + 'PLUGIN_DOC(plus_5, "Fünf dazu.");'
DECLARED = {*(f"plus_{i}" for i in range(COUNT)), "pair", "half", "colour", "level"}

USES = {
    "function": lambda p: 5 == p.lookup("plus_4")(1),
    "struct": lambda p: 5 + 2 == p.lookup("pair")().sum(2),
    "enum": lambda p: "RED" == p.lookup("Colour")(3).name,
    "typedef": lambda p: 21 == p.lookup("half", "sample (sample)")(42),
    "variable": lambda p: 7 == p.lookup("level").value,
    "documentation": lambda p: "Fünf dazu." in p.lookup("plus_5").__doc__,
    "names": lambda p: set(p.symbols) >= DECLARED,
    "everything": lambda p: set(dir(p.bind())) >= DECLARED,
    "declare": lambda p: p.declare("typedef sample other;") is None and 21 == p.lookup("half", "other (other)")(42),
    "interface": lambda p: 6 == p.bind("int plus_5(int value);").plus_5(1),
}


class TestFirst:
    """Whatever is asked of an open plugin first, it is there."""

    @pytest.mark.parametrize("first", USES)
    def test_use(self, build, first):
        """Each use of a manifest, as the first one and after all others."""
        p = plugin.open(build(manifest(SOURCE + MORE)))

        assert USES[first](p)
        assert dict.fromkeys(USES, True) == {name: bool(USES[name](p)) for name in USES}

    def test_absent(self, build):
        """What no record declares is not found, or has no type."""
        bare = '__attribute__((visibility("default"))) int bare(void) { return 1; }'
        p = plugin.open(build(manifest(bare + SOURCE)))

        with pytest.raises(plugin.SymbolNotFoundError):
            p.lookup("plus_20")
        assert p.symbols["bare"].declaration is None
        assert 2 == p.lookup("plus_1")(1)

    def test_char(self, build):
        """That plain char is unsigned the header says when it is read, and nobody asks again."""
        p = plugin.open(build(manifest("PLUGIN_FUNC(char, last, (void)) { return (char)255; }"), "-funsigned-char"))

        assert 255 == p.lookup("last")()

    def test_threads(self, build):
        """Threads that are the first, all at once, see the same."""
        for _ in range(10):
            p = plugin.open(build(manifest(SOURCE)))
            gate = threading.Barrier(8)
            found: dict[int, tuple[int, int]] = {}

            def look(number, p=p, gate=gate, found=found):
                gate.wait()
                found[number] = p.lookup(f"plus_{number}")(1), len(p.symbols)

            threads = [threading.Thread(target=look, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

            assert {i: (1 + i, COUNT) for i in range(8)} == found

    def test_before(self, build):
        """What was asked before the load goes on being used: an interface, declarations, an init with its services."""
        interface, declare = "int plus_1(int value); Pair *pair(void);", "typedef sample other;"
        p = plugin.open(build(manifest(SOURCE + MORE)), interface=interface, declare=declare)
        other = plugin.open(build(manifest(SOURCE + INIT)), host=Host())

        uses = USES.keys() - {"everything"}  # of such a plugin bind gives the interface
        assert dict.fromkeys(uses, True) == {name: bool(USES[name](p)) for name in uses}
        assert (42, 3) == (other.lookup("result")(), other.lookup("plus_2")(1))

    def test_once(self, build):
        """A library is loaded once: what only the load needs is gone then."""
        path = build(manifest(SOURCE))
        raw = os.fsencode(path)
        library = _plugin.read(plugin.Plugin, raw, path, plugin.RTLD_NOW, None)

        assert library is _plugin.load(library, raw, path, None)
        with pytest.raises(ValueError, match="once"):
            _plugin.load(library, raw, path, None)
        assert 2 == library.lookup("plus_1")(1)


class TestChanged:
    """A file that is written to while it is open: no type is taken from what was not checked."""

    SCRIPT = """
import plugin, sys
p, used = plugin.open(sys.argv[1]), plugin.open(sys.argv[2])
print(used.lookup("plus_1")(1))
for path in sys.argv[1:3]:
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        exec(sys.argv[3])
        file.seek(0)
        file.write(data)
for name in ("plus_1", "plus_2", "no_such"):
    try:
        print(p.lookup(name)(1))
    except plugin.DeclarationError as error:
        print("was written to since it was opened" in str(error))
    except plugin.SymbolNotFoundError:
        print("absent")
print(set(p.symbols) == set(used.symbols), used.lookup("plus_2")(1))
"""
    NOTES = 'at = data.index(b"int plus_2(int value)"); data[at:at + 3] = b"car"'
    # Each program header of notes: its size, and where they are.
    SIZES = """
import struct
start, = struct.unpack_from("<Q", data, 32)
count, = struct.unpack_from("<H", data, 56)
for at in range(start, start + 56 * count, 56):
    if struct.unpack_from("<I", data, at)[0] == 4:
        struct.pack_into("<Q", data, at + 32, 1 << 40)
        struct.pack_into("<Q", data, at + 40, 1 << 40)
"""
    PLACES = SIZES.replace("at + 32", "at + 8").replace("at + 40", "at + 16")

    @pytest.mark.parametrize("damage", [NOTES, SIZES, PLACES], ids=["notes", "sizes", "places"])
    @pytest.mark.skipif(sys.maxsize < 2**32 or sys.byteorder != "little", reason="writes headers of one kind")
    def test_written_to(self, build, tmp_path, damage):
        """Every lookup fails and says why, nothing crashes; a plugin whose records were used goes on."""
        paths = [shutil.copy(build(manifest(SOURCE)), tmp_path / name) for name in ("one.so", "other.so")]

        assert "2\nTrue\nTrue\nTrue\nTrue 3\n" == run_host(self.SCRIPT, *paths, damage)

    def test_kept(self, build, tmp_path):
        """Where the loader writes to code, and may to notes, a copy is kept, which no file changes."""
        relocated = '__asm__(".text\\n.balign 8\\n.quad plus_0\\n");'
        built = build(manifest(SOURCE + relocated), "-Wl,-z,notext"), build(manifest(SOURCE))
        paths = [shutil.copy(path, tmp_path / name) for path, name in zip(built, ("kept.so", "other.so"), strict=True)]

        assert "2\n2\n3\nabsent\nTrue 3\n" == run_host(self.SCRIPT, *paths, self.NOTES)

    def test_same_bytes(self, build, tmp_path):
        """A file that is written anew with what it had is the same to those who have it open."""
        path = shutil.copy(build(manifest(SOURCE)), tmp_path / "same.so")
        p = plugin.open(path)
        with open(path, "r+b") as file:
            data = file.read()
            file.seek(0)
            file.write(data)

        assert 3 == p.lookup("plus_2")(1)


class TestMemory:
    """What an open plugin takes."""

    SCRIPT = """
import gc, plugin, sys
sys.path.insert(0, sys.argv[1])
from leak_driver import malloc_bytes
opened = [plugin.open(path) for path in sys.argv[2:4]]
gc.collect()
before = malloc_bytes()
opened += [plugin.open(path) for path in sys.argv[4:]]
gc.collect()
print((malloc_bytes() - before) // (len(sys.argv) - 4))
"""

    def test_unused(self, build):
        """Of 200 declarations that nobody asks for, an open plugin keeps nothing: with their records it takes as much
        as with two."""
        taken = []
        for count in (2, 200):
            source = "\n".join(SOURCE.splitlines()[:1]).replace("plus_0", "plus_%d")
            functions = "\n".join(source % i for i in range(count))
            paths = [build(manifest(functions)) for _ in range(6)]
            taken.append(int(run_host(self.SCRIPT, os.path.dirname(__file__), *paths)))

        assert abs(taken[1] - taken[0]) < 200 * 20  # bytes: of each record the note alone has 60
