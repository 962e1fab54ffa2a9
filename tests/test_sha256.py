"""open(sha256=...): only the file that the host knows."""

import hashlib
import os
import pathlib

import pytest
from hosting import count_descriptors, manifest, mapped_files, run_host

import plugin
from plugin import _pin, _plugin

ANSWER = "PLUGIN_FUNC(int, answer, (void)) { return 42; }"
OTHER = "0123456789abcdef" * 4


@pytest.fixture
def path(build):
    """A plugin that is not open."""
    return build(manifest(ANSWER))


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def refused(path, kind, pin, **options):
    with pytest.raises(kind) as caught:
        plugin.open(path, sha256=pin, **options)
    assert kind is type(caught.value)
    assert path == caught.value.path
    assert path in str(caught.value)
    return caught.value


class TestFirst:
    """The first open."""

    @pytest.mark.parametrize("form", [str, str.upper, bytes.fromhex, bytearray.fromhex])
    def test_equal(self, path, form):
        """The right digest opens, as digits and as bytes, and the descriptor is closed again."""
        before = count_descriptors()

        assert 42 == plugin.open(path, sha256=form(digest(path))).lookup("answer")()
        assert before == count_descriptors()

    def test_different(self, path):
        """Another digest is an InvalidPluginError with both; nothing was mapped, and the right one opens later."""
        before = count_descriptors()
        error = refused(path, plugin.InvalidPluginError, OTHER)

        assert "read" == error.phase
        assert OTHER in str(error)
        assert digest(path) in str(error)
        assert before == count_descriptors()
        assert path not in mapped_files()
        assert 42 == plugin.open(path, sha256=digest(path)).lookup("answer")()

    def test_before_all_else(self, path):
        """It comes before the file check: what is not the file asked for is not looked at."""
        pathlib.Path(path).write_bytes(pathlib.Path(path).read_bytes()[:-1])

        assert OTHER in str(refused(path, plugin.InvalidPluginError, OTHER))
        assert "truncated" in str(refused(path, plugin.InvalidPluginError, digest(path)))

    @pytest.mark.parametrize("pin", ["", "0" * 63, "g" * 64, "٣" * 64, " " + "0" * 63, b"", b"0" * 64])
    def test_malformed(self, pin):
        """What is no SHA-256 is a ValueError, whatever the path."""
        with pytest.raises(ValueError, match="sha256"):
            plugin.open("missing.so", sha256=pin)

    @pytest.mark.parametrize("pin", [7, ["0" * 64], hashlib.sha256(b"")])
    def test_other_types(self, pin):
        """What is neither str nor bytes is a TypeError."""
        with pytest.raises(TypeError, match="sha256"):
            plugin.open("missing.so", sha256=pin)

    def test_irregular(self, tmp_path):
        """Directories, devices and FIFOs are refused as ever: nothing waits, nothing is read."""
        os.mkfifo(tmp_path / "pipe")
        for path, said in ((str(tmp_path), "directory"), ("/dev/zero", "device"), (str(tmp_path / "pipe"), "FIFO")):
            script = """
import plugin, sys
try:
    plugin.open(sys.argv[1], sha256="0" * 64)
except plugin.InvalidPluginError as error:
    print(error)
"""
            assert said in run_host(script, path, timeout=30)

    def test_missing(self):
        """A missing file is a missing file."""
        refused("missing.so", plugin.PluginNotFoundError, OTHER)


class TestAgain:
    """On an open plugin."""

    def test_pinned(self, path):
        """It is compared with what was read when it was opened."""
        p = plugin.open(path, sha256=digest(path))

        assert p is plugin.open(path, sha256=digest(path))
        assert p is plugin.open(path)
        assert digest(path) in str(refused(path, plugin.InvalidPluginError, OTHER))

    def test_not_pinned(self, path):
        """If it was opened without, the file is compared now, as it is unchanged."""
        p = plugin.open(path)

        assert digest(path) in str(refused(path, plugin.InvalidPluginError, OTHER))
        assert p is plugin.open(path, sha256=digest(path))

    def test_changed(self, path):
        """If the file changed since, the new file's digest is no help: what runs is the old code."""
        old = digest(path)
        p = plugin.open(path, sha256=old)
        with open(path, "ab") as file:
            file.write(b"more")

        refused(path, plugin.StalePluginError, digest(path))
        refused(path, plugin.InvalidPluginError, digest(path), on_change="keep")
        assert p is plugin.open(path, sha256=old, on_change="keep")

    def test_changed_unknown(self, path):
        """If nothing is known of the file that was opened, and it changed, nothing can be compared."""
        plugin.open(path)
        with open(path, "ab") as file:
            file.write(b"more")

        refused(path, plugin.StalePluginError, digest(path), on_change="keep")


class TestMeanwhile:
    """The file changes while it is opened: here, right before or after the loader has it."""

    @staticmethod
    def rewrite(path):
        """Other bytes of the same size and time, as somebody who hides it would write them."""
        status = os.stat(path)
        with open(path, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\1")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    @staticmethod
    def replace(path):
        """Another file of the same bytes."""
        content = pathlib.Path(path).read_bytes()
        os.unlink(path)
        pathlib.Path(path).write_bytes(content)

    @pytest.mark.parametrize("change", ["rewrite", "replace", "unlink"])
    @pytest.mark.parametrize("before", [True, False])
    def test_load(self, path, change, before, monkeypatch):
        """It is a StalePluginError."""
        load = _plugin.load

        def slow(*arguments):
            if before:
                change_file(path)
            try:
                return load(*arguments)
            finally:
                if not before:
                    change_file(path)

        change_file = os.unlink if change == "unlink" else getattr(self, change)
        pin = digest(path)
        monkeypatch.setattr(_plugin, "load", slow)

        with pytest.raises(plugin.OpenError) as caught:
            plugin.open(path, sha256=pin)
        assert caught.type is plugin.StalePluginError or (change == "unlink" and before)

    def test_hash(self, path, monkeypatch):
        """A change while the digest is computed is one, too."""

        class Hashlib:
            @staticmethod
            def file_digest(file, name):
                result = hashlib.file_digest(file, name)
                self.rewrite(path)
                return result

        pin = digest(path)
        monkeypatch.setattr(_pin, "hashlib", Hashlib)

        assert "changed while" in str(refused(path, plugin.StalePluginError, pin))
        assert path not in mapped_files()
