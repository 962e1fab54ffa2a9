"""Everything that a path can be, and that no other test has: what is refused says why, and no wrong file is opened."""

import os
import pathlib
import pty
import shutil
import struct
import sys

import pytest
from hosting import count_descriptors, manifest, run_host

import plugin

ANSWER = "PLUGIN_FUNC(int, answer, (void)) { return %d; }"
OPENED = """
import plugin, sys
for path in sys.argv[1:]:
    try:
        print("opened", plugin.open(path))
    except plugin.PluginError as error:
        print(type(error).__name__, error)
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc and the like")


def refused(path, kind, *parts):
    """What open and inspect say of the path: an error of this very class that names it, and has all of `parts`."""
    before = count_descriptors()
    for verb in (plugin.open, plugin.inspect):
        with pytest.raises(plugin.OpenError) as caught:
            verb(path)
        assert kind is caught.type
        for part in (os.fsdecode(path), *parts):
            assert part in str(caught.value)
    assert before == count_descriptors()


def answer(path, **options):
    return plugin.open(path, **options).lookup("answer")()


class TestTerminals:
    """Terminals, which may wait for a person, or become the process's own when they are opened."""

    @linux
    def test_both_ends(self):
        """Neither end of a pseudo-terminal is opened."""
        ours, theirs = pty.openpty()
        try:
            for path in (os.ttyname(theirs), f"/proc/self/fd/{ours}", "/dev/ptmx"):
                refused(path, plugin.InvalidPluginError, "is a character device")
        finally:
            os.close(ours)
            os.close(theirs)

    @linux
    def test_not_taken(self):
        """A process without a terminal has none afterwards."""
        ours, theirs = pty.openpty()
        script = """
import os, plugin, sys
os.setsid()
for verb in (plugin.open, plugin.inspect):
    try:
        verb(sys.argv[1])
    except plugin.InvalidPluginError:
        pass
try:
    os.open("/dev/tty", os.O_RDONLY)
except OSError:
    print("no terminal")
"""
        try:
            assert "no terminal\n" == run_host(script, os.ttyname(theirs))
        finally:
            os.close(ours)
            os.close(theirs)


@linux
class TestSystem:
    """What the system shows as files."""

    @pytest.mark.parametrize("path", ["/dev/full", "/dev/random", "/dev/stdin", "/proc/self/fd/0"])
    def test_devices(self, path):
        """Devices, and standard input, whatever it is, are refused at once."""
        assert run_host(OPENED, path, timeout=30).startswith(("InvalidPluginError", "PluginNotFoundError", "OpenError"))

    @pytest.mark.parametrize("name", ["mem", "maps", "status", "environ", "pagemap"])
    def test_process(self, name):
        """Files of /proc, which have no size and may have no end, are empty ones."""
        refused(f"/proc/self/{name}", plugin.InvalidPluginError, "is empty")

    def test_interpreter(self):
        """The interpreter itself is an executable, not a library."""
        refused("/proc/self/exe", plugin.InvalidPluginError, "is an executable")

    @pytest.mark.parametrize("path", ["/proc/self/fd", "/proc/self/cwd", "/proc/self/root", "/dev/shm", "/"])
    def test_folders(self, path):
        """Folders by whatever name."""
        refused(path, plugin.InvalidPluginError, "is a directory")

    def test_closed_descriptor(self):
        """A descriptor that is not open is a missing file."""
        refused("/dev/fd/9999", plugin.PluginNotFoundError, "No such file")

    def test_descriptor(self, build):
        """The path of an open descriptor is that of its file."""
        path = build(manifest(ANSWER % 42))
        with open(path, "rb") as file:
            assert os.path.realpath(path) == plugin.open(f"/proc/self/fd/{file.fileno()}").path

    def test_deleted_descriptor(self, build):
        """That of a deleted file leads to no other file, though one has the name that the system shows."""
        path = build(manifest(ANSWER % 42))
        with open(path, "rb") as file:
            os.unlink(path)
            shown = f"/proc/self/fd/{file.fileno()}"
            with pytest.raises(plugin.PluginNotFoundError):
                plugin.open(shown)
            shutil.copy(build(manifest(ANSWER % 43)), f"{path} (deleted)")
            with pytest.raises(plugin.StalePluginError) as caught:
                plugin.open(shown)
        assert f'"{path} (deleted)" is another one' in str(caught.value)


class TestNames:
    """Names in the strict sense."""

    def test_not_utf8(self, build):
        """A name that is not UTF-8 is one plugin, as bytes and as str, and its path opens it again."""
        path = os.fsencode(build(manifest(ANSWER % 42))) + b"\xff\xfe.so"
        os.rename(path[:-5], path)
        p = plugin.open(path)

        assert p is plugin.open(os.fsdecode(path))
        assert p is plugin.open(p.path)
        assert os.fsdecode(os.path.realpath(path)) == p.path
        assert r"\udcff" in repr(p)

    @pytest.mark.parametrize("verb", [plugin.open, plugin.inspect])
    @pytest.mark.parametrize("path", ["\ud800", "a\udfffb\ud800.so"])
    def test_no_name(self, verb, path):
        """Text that is the name of no file is a plain ValueError that names it."""
        with pytest.raises(ValueError, match="no file has such a name") as caught:
            verb(path)
        assert ValueError is caught.type
        assert path.encode("unicode_escape").decode() in str(caught.value)

    @pytest.mark.parametrize("verb", [plugin.open, plugin.inspect])
    @pytest.mark.parametrize("path", [None, 3, 1.5, ["a.so"], bytearray(b"a.so"), {}], ids=repr)
    def test_no_path(self, verb, path):
        """What is no path is a TypeError; numbers are not descriptors."""
        with pytest.raises(TypeError, match=r"PathLike"):
            verb(path)

    @pytest.mark.parametrize("name", ["a b.so", "\n.so", "a:b.so", "$HOME$.so", "a;b'\"\\.so", "ü☃.so", "%s%n.so", "~"])
    def test_odd(self, build, name):
        """Whatever a name has in it, it is that file: nothing is expanded or split."""
        path = build(manifest(ANSWER % 42), name=name)

        assert path == plugin.open(path).path
        assert 42 == answer(path)

    @pytest.mark.parametrize("word", ["$ORIGIN", "${LIB}", "$PLATFORM"])
    def test_words_of_the_loader(self, build, word):
        """What the loader would replace in a path is refused: it would open a file that was not checked."""
        path = build(manifest(ANSWER % 42), name=f"a{word}.so")

        with pytest.raises(plugin.OpenError) as caught:
            plugin.open(path)
        assert f"reads {word} in a path" in str(caught.value)
        assert plugin.inspect(path).name is not None

    def test_trailing_slash(self, build):
        """With a slash or a dot behind it a file is none."""
        path = build(manifest(ANSWER % 42))
        for end in ("/", "/.", "//", "/../x.so"):
            refused(path + end, plugin.PluginNotFoundError, "Not a directory")

    @pytest.mark.parametrize("path", [".", "..", "./", "//"])
    def test_dots(self, path):
        """The current folder and its like are folders."""
        refused(path, plugin.InvalidPluginError, "is a directory")

    def test_slashes(self, build):
        """More slashes and dots than are needed are the same plugin."""
        path = build(manifest(ANSWER % 42))
        folder, name = os.path.split(path)

        assert plugin.open(path) is plugin.open(f"{folder}//./../{os.path.basename(folder)}///{name}")

    def test_long(self, tmp_path):
        """Names at the limit are missing files, those beyond it are too long, below a folder that is there, too."""
        refused(str(tmp_path / ("x" * 255)), plugin.PluginNotFoundError, "No such file")
        refused(str(tmp_path / ("x" * 256)), plugin.OpenError, "too long")
        refused("/" + "./" * 2060 + "x.so", plugin.OpenError, "too long")

    @linux
    def test_deep(self, build, tmp_path, monkeypatch):
        """A file whose real path is longer than the system takes cannot be opened, by a short name neither."""
        library = build(manifest(ANSWER % 42))
        monkeypatch.chdir(tmp_path)
        for _ in range(20):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
        shutil.copy(library, "deep.so")

        with pytest.raises(plugin.OpenError) as caught:
            plugin.open("deep.so")
        assert "too long" in str(caught.value)
        assert plugin.inspect("deep.so").name == plugin.inspect(library).name


class TestFolder:
    """The current folder."""

    def test_gone(self, build, tmp_path):
        """In a folder that was deleted, relative names lead nowhere, absolute ones where they did."""
        script = """
import os, plugin, sys
os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
for path in ("a.so", ".", sys.argv[1]):
    try:
        print(plugin.open(path).lookup("answer")())
    except plugin.PluginNotFoundError as error:
        print(path in str(error))
    except plugin.InvalidPluginError as error:
        print("is a directory" in str(error))
"""
        path = build(manifest(ANSWER % 42))
        last = run_host(f"import os; os.chdir({str(tmp_path)!r})" + script, path).splitlines()[-1]
        assert "42" == last

    def test_pickled(self, build, tmp_path, monkeypatch):
        """The plugin of a relative path knows its real one: it is the same from another folder."""
        path = build(manifest(ANSWER % 42))
        monkeypatch.chdir(os.path.dirname(path))
        p = plugin.open(os.path.basename(path))
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")

        assert p is plugin.open(p.path)
        with pytest.raises(plugin.PluginNotFoundError):
            plugin.open(os.path.basename(path))


class TestSparse:
    """Files that are larger than the machine's memory."""

    def test_nothing(self, tmp_path):
        """One of zeros is no library, and is not read to find that out."""
        path = tmp_path / "huge.so"
        path.touch()
        os.truncate(path, 1 << 42)

        refused(str(path), plugin.InvalidPluginError, "not an ELF file")

    def test_library(self, build):
        """A library with terabytes behind it is that library."""
        path = build(manifest(ANSWER % 42))
        os.truncate(path, 1 << 42)

        assert 42 == answer(path)

    def test_hole(self, build):
        """One whose tables would stand terabytes away is damaged."""
        path = pathlib.Path(build(manifest(ANSWER % 42)))
        data = bytearray(path.read_bytes())
        struct.pack_into("<Q", data, 32, (1 << 42) - 4096)  # e_phoff
        path.write_bytes(data)
        os.truncate(path, 1 << 42)

        with pytest.raises(plugin.InvalidPluginError):
            plugin.open(path)
