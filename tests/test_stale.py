"""The file on disk changes under an open plugin: the old code is never served in silence."""

import errno
import os
import pathlib
import shutil

import pytest
from hosting import manifest, run_host, unique

import plugin

SOURCE = "PLUGIN_FUNC(int, which, (void)) { return %d; }"


@pytest.fixture
def pair(build):
    """The paths of an open plugin and of its next version, not open."""
    name = unique()
    return build(manifest(SOURCE % 1, name)), build(manifest(SOURCE % 2, name, "2.0.0"))


def is_stale(path, p):
    """Whether open tells that the file of this plugin changed, and says what there is to do."""
    with pytest.raises(plugin.StalePluginError) as caught:
        plugin.open(path)
    error = caught.value
    assert (errno.ESTALE, path, "find") == (error.errno, error.path, error.phase)
    return all(part in str(error) for part in (path, p.name, "changed", 'on_change="keep"'))


def replace_by_rename(path, new):
    os.replace(new, path)


def overwrite(path, _new):
    """As an editor or a half-done copy does: the same file, other bytes (at its end, where nothing is mapped)."""
    with open(path, "ab") as file:
        file.write(b"more")


def touch(path, _new):
    os.utime(path, ns=(1, 1))


def delete_and_copy(path, _new):
    """The same bytes, but another file."""
    content = pathlib.Path(path).read_bytes()
    os.unlink(path)
    pathlib.Path(path).write_bytes(content)


class TestChanged:
    """Ways in which a file changes."""

    @pytest.mark.parametrize("change", [replace_by_rename, overwrite, touch, delete_and_copy])
    def test_error(self, pair, change):
        """A file that was replaced, overwritten, touched or copied anew is a StalePluginError, each time."""
        p = plugin.open(pair[0])
        change(*pair)

        assert is_stale(pair[0], p)
        assert is_stale(pair[0], p)
        assert 1 == p.lookup("which")()

    @pytest.mark.parametrize("change", [replace_by_rename, overwrite, touch, delete_and_copy])
    def test_keep(self, pair, change):
        """With on_change="keep" the open plugin is given, which goes on with the old code."""
        p = plugin.open(pair[0])
        change(*pair)

        assert p is plugin.open(pair[0], on_change="keep")
        assert 1 == plugin.open(pair[0], on_change="keep").lookup("which")()

    def test_keep_first(self, pair):
        """on_change="keep" says nothing of a first open, nor of a file that did not change."""
        assert plugin.open(pair[0], on_change="keep") is plugin.open(pair[0])

    def test_keep_declares(self, build):
        """A kept plugin takes further declarations."""
        path = build("int x = 5;", "-fvisibility=default")
        p = plugin.open(path)
        os.utime(path, ns=(1, 1))

        plugin.open(path, on_change="keep", declare="int x;")

        assert 5 == p.lookup("x").value

    def test_new_process(self, pair):
        """A new process opens the new file, as the error says."""
        plugin.open(pair[0])
        replace_by_rename(*pair)

        assert "2.0.0\n" == run_host("import plugin, sys; print(plugin.open(sys.argv[1]).version)", pair[0])

    def test_back_again(self, pair, tmp_path):
        """When the old file is back at its place, the plugin is no longer stale."""
        p = plugin.open(pair[0])
        os.rename(pair[0], tmp_path / "away")
        shutil.copy(pair[1], pair[0])
        assert is_stale(pair[0], p)

        os.replace(tmp_path / "away", pair[0])

        assert p is plugin.open(pair[0])

    @pytest.mark.parametrize("change", [lambda path: os.chmod(path, 0o700), lambda path: os.link(path, f"{path}.link")])
    def test_not_changed(self, pair, change):
        """New permissions and a new hard link change no content: the plugin is as it was."""
        p = plugin.open(pair[0])
        change(pair[0])

        assert p is plugin.open(pair[0])

    def test_failed_first(self, pair):
        """A file that was refused may be replaced by a good one: only open plugins are stale."""
        good = pathlib.Path(pair[0]).read_bytes()
        pathlib.Path(pair[0]).write_bytes(good[:-1])
        with pytest.raises(plugin.InvalidPluginError):
            plugin.open(pair[0])
        pathlib.Path(pair[0]).write_bytes(good)

        assert 1 == plugin.open(pair[0]).lookup("which")()


class TestPaths:
    """Files that go, move, or have two paths."""

    def test_deleted(self, pair):
        """A deleted file is a missing one, with "keep" too; its plugin works on."""
        p = plugin.open(pair[0])
        os.unlink(pair[0])

        for on_change in ("error", "keep"):
            with pytest.raises(plugin.PluginNotFoundError):
                plugin.open(pair[0], on_change=on_change)
        assert 1 == p.lookup("which")()

    def test_moved(self, pair, tmp_path):
        """A file that was moved is the same plugin under its new path."""
        p = plugin.open(pair[0])
        os.rename(pair[0], tmp_path / "moved.so")

        assert p is plugin.open(tmp_path / "moved.so")

    def test_other_name_at_the_path(self, pair, build):
        """A file of another plugin at the old path is a changed file, not a first open of that plugin."""
        p = plugin.open(pair[0])
        replace_by_rename(pair[0], build(manifest(SOURCE % 3)))

        assert is_stale(pair[0], p)

    @pytest.mark.parametrize("replaced", [0, 1])
    def test_hard_links(self, pair, replaced):
        """Of two hard links to one plugin, the one that was replaced is judged by its new file; the other is fine."""
        paths = [pair[0], f"{pair[0]}.link"]
        os.link(*paths)
        p = plugin.open(paths[0])
        replace_by_rename(paths[replaced], pair[1])

        assert p is plugin.open(paths[1 - replaced])
        with pytest.raises(plugin.StalePluginError if replaced == 0 else plugin.AlreadyLoadedError):
            plugin.open(paths[replaced])

    def test_link_moved(self, pair, build, tmp_path):
        """A symbolic link that is turned to another file leads to that file's plugin."""
        link = tmp_path / "current.so"
        os.symlink(pair[0], link)
        first = plugin.open(link)
        other = build(manifest(SOURCE % 3))
        link.unlink()
        os.symlink(other, link)

        assert 3 == plugin.open(link).lookup("which")()
        assert first is plugin.open(pair[0])


class TestLoader:
    """The loader has another file of that name."""

    def test_loaded_before(self, pair):
        """Where somebody else had loaded the old file and it was replaced since, the open is refused as stale."""
        script = """
import ctypes, os, plugin, sys
old, new = sys.argv[1:]
ctypes.CDLL(old)
os.replace(new, old)
for _ in range(2):
    try:
        plugin.open(old)
    except plugin.StalePluginError as error:
        print(error.phase, old in str(error), "not the one that was read" in str(error))
"""
        assert "load True True\n" * 2 == run_host(script, *pair)
