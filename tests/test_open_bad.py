"""plugin.open of what is no plugin: the class of the error, what it says, and that code never runs."""

import copy
import errno
import os
import pathlib
import pickle
import shutil
import socket
import struct
import tempfile

import pytest
import support
from hosting import manifest, mapped_files, run_host

import plugin

ANSWER = "PLUGIN_FUNC(int, answer, (void)) { return 42; }"
E_TYPE, E_MACHINE, EI_CLASS, EI_DATA = 16, 18, 4, 5  # places in an ELF header, bytes


def refused(path, kind=plugin.OpenError, *parts, **options):
    """The error of plugin.open(path), which has this very class, names the path and says all of `parts`."""
    with pytest.raises(kind) as caught:
        plugin.open(path, **options)
    error = caught.value
    assert kind is type(error)
    assert path == error.path
    for part in (os.path.basename(os.fsdecode(path)), *parts):
        assert part in str(error)
    return error


def patched(path, *changes):
    """A copy of the file with bytes changed at the places given."""
    data = bytearray(pathlib.Path(path).read_bytes())
    for place, new in changes:
        data[place : place + len(new)] = new
    copied = pathlib.Path(f"{path}.patched")
    copied.write_bytes(data)
    return str(copied)


class TestMissing:
    """Paths that lead nowhere."""

    def test_missing(self, tmp_path):
        """A missing file is a PluginNotFoundError, which is a FileNotFoundError, with errno, path and phase."""
        error = refused(str(tmp_path / "none.so"), plugin.PluginNotFoundError, "realpath", "No such file")

        assert (errno.ENOENT, "find") == (error.errno, error.phase)
        assert issubclass(plugin.PluginNotFoundError, FileNotFoundError)

    def test_path_as_written(self, tmp_path):
        """The error has the path as the caller wrote it, bytes as bytes and relative as relative."""
        for path in (b"relative/none.so", os.fsencode(tmp_path / "none.so")):
            refused(path, plugin.PluginNotFoundError)

    def test_bare_name(self, tmp_path, monkeypatch):
        """For a bare library name the error says that open takes paths, and where the system has it."""
        monkeypatch.chdir(tmp_path)

        refused("libm.so.6", plugin.PluginNotFoundError, "paths only", plugin.find_library("libm.so.6"))

    @pytest.mark.parametrize("path", ["libnothing-of-this-name.so", "", "folder/libm.so.6"])
    def test_no_hint(self, path, tmp_path, monkeypatch):
        """Where the system has no such library, or a folder was named, the error has no hint."""
        monkeypatch.chdir(tmp_path)

        assert "the system has" not in str(refused(path, plugin.PluginNotFoundError))

    def test_below_a_file(self, tmp_path):
        """A path below a file is a PluginNotFoundError."""
        (tmp_path / "file").write_text("x")

        error = refused(str(tmp_path / "file" / "x.so"), plugin.PluginNotFoundError, "Not a directory")

        assert errno.ENOTDIR == error.errno

    def test_dangling_link(self, tmp_path):
        """A symbolic link to nothing is a missing file."""
        os.symlink("nothing", tmp_path / "link.so")

        refused(str(tmp_path / "link.so"), plugin.PluginNotFoundError, "No such file")

    def test_loop(self, tmp_path):
        """A loop of symbolic links is an OpenError with ELOOP."""
        os.symlink("b.so", tmp_path / "a.so")
        os.symlink("a.so", tmp_path / "b.so")

        assert errno.ELOOP == refused(str(tmp_path / "a.so")).errno

    def test_long(self):
        """A name that is too long for the system is an OpenError with ENAMETOOLONG."""
        for path in ("x" * 256, "x/" * 2100):
            with pytest.raises(plugin.OpenError) as caught:
                plugin.open(path)
            assert errno.ENAMETOOLONG == caught.value.errno

    @pytest.mark.parametrize("path", ["a\0b.so", b"a\0b.so", "\0"])
    def test_nul(self, path):
        """A NUL in a path is a ValueError, and never cuts the path there."""
        with pytest.raises(ValueError, match="null") as caught:
            plugin.open(path)
        assert "plugin.open" in str(caught.value)

    def test_surrogate(self):
        """A name that is not UTF-8 is shown with what cannot be printed escaped."""
        with pytest.raises(plugin.PluginNotFoundError) as caught:
            plugin.open(b"\xff")

        assert r"\udcff" in str(caught.value)

    def test_permission(self, build):
        """A file that may not be read is an OpenError with EACCES, and one in a closed folder is too."""
        script = """
import errno, os, plugin, sys
plugin.OpenError  # reads the errors while the package's files may be read
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in sys.argv[1:]:
    try:
        plugin.open(path)
    except plugin.OpenError as error:
        assert type(error) is plugin.OpenError and error.errno == errno.EACCES, (type(error), error)
        print("Permission denied" in str(error) and path in str(error))
"""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            folder.chmod(0o755)
            shutil.copy(build(manifest(ANSWER)), folder / "a.so")
            (folder / "a.so").chmod(0)
            (folder / "closed").mkdir(0)
            try:
                assert "True\nTrue\n" == run_host(script, folder / "a.so", folder / "closed" / "b.so")
            finally:
                (folder / "closed").chmod(0o755)


class TestOtherThings:
    """Files that are no shared libraries."""

    def test_directory(self, tmp_path):
        """A directory is refused as such."""
        refused(str(tmp_path), plugin.InvalidPluginError, "is a directory")

    def test_fifo(self, tmp_path):
        """A FIFO is refused at once, though nobody writes into it."""
        os.mkfifo(tmp_path / "pipe.so")
        script = """
import plugin, sys
try:
    plugin.open(sys.argv[1])
except plugin.InvalidPluginError as error:
    print(error)
"""
        assert "is a FIFO" in run_host(script, tmp_path / "pipe.so", timeout=30)

    @pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/dev/tty"])
    def test_device(self, path):
        """A device is refused without being opened."""
        refused(path, plugin.InvalidPluginError, "is a character device")

    def test_socket(self, tmp_path, monkeypatch):
        """A socket is refused as such."""
        monkeypatch.chdir(tmp_path)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket.so")
            refused("socket.so", plugin.InvalidPluginError, "is a socket")

    def test_empty(self, tmp_path):
        """An empty file is refused as such, with errno and phase."""
        (tmp_path / "empty.so").write_bytes(b"")

        error = refused(str(tmp_path / "empty.so"), plugin.InvalidPluginError, "is empty")

        assert (errno.ENOEXEC, "read") == (error.errno, error.phase)

    def test_text(self, tmp_path):
        """A text file's error asks whether the built-in open was meant."""
        (tmp_path / "notes.txt").write_text("Grüße\n" * 300)

        refused(str(tmp_path / "notes.txt"), plugin.InvalidPluginError, "is a text file", "built-in open")

    @pytest.mark.parametrize("data", [b"\x7fEL", b"\0" * 4096, bytes(range(256)) * 20, b"\x89PNG\r\n\x1a\n\0\0"])
    def test_other_data(self, tmp_path, data):
        """Other data is said to be no ELF file, and nothing is asked about the built-in open."""
        (tmp_path / "data.so").write_bytes(data)

        error = refused(str(tmp_path / "data.so"), plugin.InvalidPluginError, "ELF")

        assert "built-in" not in str(error)

    @pytest.mark.parametrize(
        ("flags", "said"),
        [(["-c", "-fPIC"], "object file"), (["-no-pie"], "executable"), (["-pie", "-fPIE"], "executable")],
        ids=["object", "no-pie", "pie"],
    )
    def test_not_shared(self, build, tmp_path, flags, said):
        """An object file and an executable are refused as such; the loader's words for them help nobody."""
        source = tmp_path / "main.c"
        source.write_text("int main(void) { return 0; }")
        support.run(*support.compiler_command(), *flags, source, "-o", tmp_path / "program")

        refused(str(tmp_path / "program"), plugin.InvalidPluginError, said, "-shared")

    def test_archive(self, tmp_path):
        """A static archive is refused as such."""
        (tmp_path / "lib.a").write_bytes(b"!<arch>\n" + b" " * 60)

        refused(str(tmp_path / "lib.a"), plugin.InvalidPluginError, "static archive")


class TestForeign:
    """Libraries for other machines: sound, but incompatible."""

    @pytest.mark.parametrize(
        ("changes", "parts"),
        [
            ([(E_MACHINE, struct.pack("<H", 22))], ["machine", "S/390"]),
            ([(E_MACHINE, struct.pack("<H", 4711))], ["machine", "4711"]),
            ([(EI_CLASS, b"\1")], ["word size", "32-bit"]),
            ([(EI_DATA, b"\2"), (E_MACHINE, struct.pack(">H", 22))], ["machine", "S/390"]),
        ],
        ids=["s390", "unknown", "32-bit", "big-endian"],
    )
    def test_other_machine(self, build, changes, parts):
        """Another machine or word size is an IncompatiblePluginError that says what was expected and found."""
        path = patched(build(manifest(ANSWER)), *changes)

        error = refused(path, plugin.IncompatiblePluginError, "expected", "found", *parts)

        assert "read" == error.phase
        assert len(error.differences) == 1
        assert error.differences[0] in str(error)

    @pytest.mark.parametrize("number", [0, 4, 5, 0xFE00])
    def test_other_type(self, build, number):
        """An ELF type that is no shared library's is refused."""
        path = patched(build(manifest(ANSWER)), (E_TYPE, struct.pack("<H", number)))

        refused(path, plugin.InvalidPluginError, "shared library")


class TestLoader:
    """What the check lets through and the loader refuses."""

    def test_undefined_symbol(self, build):
        """A symbol that nobody defines is an OpenError with the loader's words, and nothing stays mapped."""
        path = build(manifest("int nowhere(void); PLUGIN_FUNC(int, f, (void)) { return nowhere(); }"))

        error = refused(path, plugin.OpenError, "undefined symbol", "nowhere")

        assert "load" == error.phase
        assert path not in mapped_files()

    def test_missing_dependency(self, build, tmp_path):
        """A library that is needed and missing is named; once it is there, the plugin opens."""
        other = build("int other(void); int other(void) { return 7; }", "-fvisibility=default", name="libother.so")
        path = build(
            manifest("int other(void); PLUGIN_FUNC(int, f, (void)) { return other(); }"),
            *(other, "-Wl,-soname,x.so", f"-Wl,-rpath,{tmp_path}"),
        )
        os.rename(other, f"{other}.away")

        refused(path, plugin.OpenError, "libother.so")
        os.rename(f"{other}.away", other)

        assert 7 == plugin.open(path).lookup("f")()


class TestErrors:
    """The exceptions as objects."""

    @pytest.mark.parametrize("twice", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
    @pytest.mark.parametrize(
        ("path", "kind"),
        [("missing.so", plugin.PluginNotFoundError), ("/dev/null", plugin.InvalidPluginError)],
        ids=["missing", "device"],
    )
    def test_copies(self, path, kind, twice):
        """A pickled or copied error says the same, has the same attributes, and is caught by the same clauses."""
        error = refused(path, kind)
        again = twice(error)

        assert type(error) is type(again)
        assert str(error) == str(again)
        for name in ("errno", "strerror", "path", "phase", "args"):
            assert getattr(error, name) == getattr(again, name)

    @pytest.mark.parametrize("name", [name for name in plugin.__all__ if name.endswith("Error")])
    def test_tree(self, name):
        """Every exception is a PluginError, and those of opening are OSErrors too."""
        kind = getattr(plugin, name)
        opening = {"OpenError", "PluginNotFoundError", "InvalidPluginError", "IncompatiblePluginError"}
        opening |= {"AlreadyLoadedError", "StalePluginError", "InitError"}

        assert issubclass(kind, plugin.PluginError)
        assert (name in opening) == issubclass(kind, plugin.OpenError) == issubclass(kind, OSError)
