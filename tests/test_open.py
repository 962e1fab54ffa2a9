"""plugin.open where it succeeds: which paths are one plugin, what the Plugin tells, what a second open may ask."""

import copy
import os
import pathlib
import pickle
import re

import pytest
from hosting import manifest, mapped_files, run_host, unique

import plugin

ANSWER = "PLUGIN_FUNC(int, answer, (void)) { return 42; }"
SQUARE = "int square(int x); int square(int x) { return x * x; } int unit = 1;"


@pytest.fixture
def library(build):
    """The path of a plugin that nobody else opens."""
    return build(manifest(ANSWER))


class TestPaths:
    """Which paths lead to one Plugin."""

    def test_same_path(self, library):
        """The same path gives the same object each time."""
        assert plugin.open(library) is plugin.open(library)

    def test_from_import(self, library):
        """`from plugin import open` gives the same function."""
        from plugin import open

        assert 42 == open(library).lookup("answer")()
        assert open(library) is plugin.open(library)

    @pytest.mark.parametrize("kind", [str, os.fsencode, pathlib.Path], ids=["str", "bytes", "Path"])
    def test_kinds(self, library, kind):
        """A str, bytes and a PathLike of one path are one plugin."""
        assert plugin.open(library) is plugin.open(kind(library))

    def test_bytes_pathlike(self, library):
        """A PathLike whose path is bytes is taken."""

        class Raw:
            def __fspath__(self):
                return os.fsencode(library)

        assert plugin.open(library) is plugin.open(Raw())

    @pytest.mark.parametrize("form", ["{}", "./{}", "folder/../{}", ".//./{}"])
    def test_relative(self, library, form, monkeypatch):
        """A relative path, with . and .. in it, is the plugin at its real path."""
        folder, name = os.path.split(library)
        monkeypatch.chdir(folder)
        os.mkdir("folder")

        p = plugin.open(form.format(name))

        assert os.path.realpath(library) == p.path
        assert p is plugin.open(library)

    def test_relative_after_chdir(self, build, tmp_path, monkeypatch):
        """A relative path means a file of the folder that is current now, not of the one before."""
        paths = []
        for folder in ("one", "two"):
            (tmp_path / folder).mkdir()
            build(manifest(ANSWER), name=f"{folder}/same.so")
            monkeypatch.chdir(tmp_path / folder)
            paths.append(plugin.open("same.so").path)

        assert [os.path.realpath(tmp_path / folder / "same.so") for folder in ("one", "two")] == paths

    @pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic", "hard"])
    @pytest.mark.parametrize("link_first", [False, True])
    def test_links(self, library, link, link_first):
        """A symbolic or hard link and what it links are one plugin, whichever is opened first."""
        alias = f"{library}.alias"
        link(library, alias)
        first, second = (alias, library) if link_first else (library, alias)

        p = plugin.open(first)

        assert p is plugin.open(second)

    def test_linked_folder(self, library, tmp_path):
        """.path is the real path, also through a linked folder."""
        os.symlink(os.path.dirname(library), tmp_path / "folder")

        p = plugin.open(tmp_path / "folder" / os.path.basename(library))

        assert os.path.realpath(library) == p.path

    @pytest.mark.parametrize(
        "wrong", [None, 1, 1.5, ["a"], bytearray(b"a"), object()], ids=lambda value: type(value).__name__
    )
    def test_wrong_type(self, wrong):
        """What is no path is a TypeError, a file descriptor and a bytearray included."""
        with pytest.raises(TypeError):
            plugin.open(wrong)

    def test_keywords_only(self, library):
        """The options are keywords, so that a second positional argument is an error."""
        with pytest.raises(TypeError):
            plugin.open(library, "r")  # type: ignore[call-overload]


class TestPlugin:
    """What the Plugin tells of itself."""

    def test_attributes(self, build):
        """Name and version are PLUGIN's, and the repr shows them with the path."""
        name = unique()
        library = build(manifest(ANSWER, name, "2.3.4-ä"))

        p = plugin.open(library)

        assert (name, "2.3.4-ä", os.path.realpath(library)) == (p.name, p.version, p.path)
        assert isinstance(p, plugin.Plugin)
        for part in (name, "2.3.4-ä", p.path):
            assert part in repr(p)

    @pytest.mark.parametrize("attribute", ["name", "version", "path", "build_id", "symbols"])
    def test_read_only(self, library, attribute):
        """What the Plugin tells cannot be overwritten."""
        with pytest.raises(AttributeError):
            setattr(plugin.open(library), attribute, "x")

    def test_no_constructor(self):
        """A Plugin comes from open alone; making one otherwise is an error and no crash."""
        run_host("""
import plugin
for make in (plugin.Plugin, lambda: object.__new__(plugin.Plugin), lambda: plugin.Plugin.__new__(plugin.Plugin)):
    try:
        make()
    except TypeError:
        continue
    raise SystemExit("a Plugin out of nothing")
""")

    def test_pickle_and_copy(self, library):
        """A pickled or copied Plugin is the same object again."""
        p = plugin.open(library)

        assert p is pickle.loads(pickle.dumps(p))
        assert p is copy.copy(p)
        assert p is copy.deepcopy(p)

    def test_soname(self, build):
        """A library without a manifest is named by its DT_SONAME and has no version."""
        p = plugin.open(build(SQUARE, "-Wl,-soname,libnamed.so.3"))

        assert ("libnamed.so.3", None) == (p.name, p.version)

    def test_file_name(self, build):
        """Without a DT_SONAME either, it is named by its file."""
        assert "odd name.so" == plugin.open(build(SQUARE, name="odd name.so")).name

    def test_two_unnamed(self, build):
        """Two libraries without a manifest both load, though they have one name."""
        source = "int which(void); int which(void) { return %d; }"
        pair = [build(source % i, "-fvisibility=default", "-Wl,-soname,libtwin.so") for i in (1, 2)]
        first, second = (plugin.open(path, declare="int which(void);") for path in pair)

        assert first is not second
        assert (1, 2) == (first.lookup("which")(), second.lookup("which")())

    def test_symbols(self, build):
        """.symbols has the declared names first, then what else is exported."""
        source = "int extra(void); int extra(void) { return 1; } PLUGIN_VAR(int, zeta);" + ANSWER
        names = list(plugin.open(build(manifest(source), "-fvisibility=default")).symbols)

        assert {"zeta", "answer"} == set(names[:2])
        assert ["extra"] == names[2:]

    def test_symbols_without_init(self, build):
        """The init function is not among the symbols: it is no part of what a plugin offers."""
        p = plugin.open(build(manifest(ANSWER + "PLUGIN_INIT(void) {}")))

        assert ["answer"] == list(p.symbols)

    @pytest.mark.parametrize(("option", "expected"), [("none", None), ("0x1234abcd", "1234abcd"), ("sha1", ...)])
    def test_build_id(self, build, option, expected):
        """The linker's build id is told in hexadecimal, and None if there is none."""
        found = plugin.open(build(manifest(ANSWER), f"-Wl,--build-id={option}")).build_id

        if expected is ...:
            assert re.fullmatch("[0-9a-f]{40}", found or "")
        else:
            assert expected == found


class TestOptions:
    """mode and declare, on a first and on a second open."""

    def test_other_mode(self, library):
        """A mode that differs from that of the open plugin is an error that names it; the same mode is none."""
        mode = plugin.RTLD_NOW | plugin.RTLD_LOCAL
        p = plugin.open(library)

        assert p is plugin.open(library, mode=mode)
        with pytest.raises(plugin.OpenError) as caught:
            plugin.open(library, mode=plugin.RTLD_NOW | plugin.RTLD_GLOBAL)
        assert p.name in str(caught.value)
        assert "mode" in str(caught.value)

    @pytest.mark.parametrize("mode", [0, "now", plugin.RTLD_GLOBAL])
    def test_wrong_mode(self, library, mode):
        """A mode that the loader would not understand is a ValueError, and nothing is loaded."""
        with pytest.raises(ValueError, match="mode"):
            plugin.open(library, mode=mode)
        assert library not in mapped_files()

    def test_wrong_on_change(self, library):
        """on_change takes two words and no other."""
        with pytest.raises(ValueError, match="on_change"):
            plugin.open(library, on_change="reload")

    def test_declare_united(self, build):
        """Declarations given to a later open are added to those of the first."""
        library = build(SQUARE, "-fvisibility=default")
        p = plugin.open(library, declare="int square(int x);")

        assert p is plugin.open(library, declare="int unit; int square(int x);")
        assert (9, 1) == (p.lookup("square")(3), p.lookup("unit").value)

    @pytest.mark.parametrize("text", ["int unit; double square(double x);", "int unit; nonsense here;", "int unit; 7"])
    def test_declare_fails_whole(self, build, text):
        """A text that contradicts or cannot be read is refused as a whole: its good part is not declared either."""
        library = build(SQUARE, "-fvisibility=default")
        p = plugin.open(library, declare="int square(int x);")

        with pytest.raises(plugin.DeclarationError):
            plugin.open(library, declare=text)

        assert p.symbols["unit"].declaration is None
        assert 9 == p.lookup("square")(3)

    def test_first_declare_fails(self, build):
        """If the declarations of a first open are refused, nothing was loaded, and the next open is a first one."""
        library = build(SQUARE, "-fvisibility=default")

        with pytest.raises(plugin.DeclarationError) as caught:
            plugin.open(library, declare="int square(int x")

        assert os.path.basename(library) in str(caught.value)
        assert library not in mapped_files()
        assert 9 == plugin.open(library, declare="int square(int x);").lookup("square")(3)
