"""Go's TestRunHost (testplugin/host/host.go), part by part, and what of Go's tests is about types and methods.

The table of all of Go's scenarios stands in test_go_scenarios.py.
"""

import inspect
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Protocol

import pytest
from hosting import manifest, run_host, unique

import plugin
from plugin._build import build as build_plugin

NODE = """
PLUGIN_STRUCT(Node, {
    int (*value)(Node *self);
    Node *(*next)(Node *self);
});
static int value(Node *self) { (void)self; return VALUE; }
static Node *next(Node *self) { return self; }
static Node node = {value, next};
PLUGIN_FUNC(Node *, head, (void)) { return &node; }
PLUGIN_FUNC(int, value_of, (Node *of)) { return of->value(of); }
"""


class Node(Protocol):
    """The host's half of NODE."""

    def value(self) -> int: ...
    def next(self) -> "Node": ...


def nodes(build, number):
    """A plugin whose head() is a Node of that value."""
    return plugin.open(build(manifest(NODE), f"-DVALUE={number}"))


class TestRunHost:
    """Parts c to n; a, b, f and h, which need services of the host, are in test_go_callbacks.py."""

    def test_TestRunHost_c_variable(self, build):
        """A variable is read, and what the host writes is what the plugin sees."""
        source = "PLUGIN_VAR(int64_t, Seven) = 7; PLUGIN_FUNC(int64_t, read, (void)) { return Seven; }"
        p = plugin.open(build(manifest(source)))

        seven = p.lookup("Seven")
        assert 7 == seven.value
        seven.value = -(2**40)

        assert -(2**40) == p.lookup("read")() == p.lookup("Seven").value

    def test_TestRunHost_d_function(self, build):
        """A function without parameters is called, and gives what C gave."""
        p = plugin.open(build(manifest("PLUGIN_FUNC(int64_t, F, (void)) { return INT64_MIN + 3; }")))

        assert -(2**63) + 3 == p.lookup("F", Callable[[], int])()

    def test_TestRunHost_e_same_file_name(self, build, tmp_path):
        """Two plugins with one file name in two folders are two plugins."""
        found = []
        for number in (1, 2):
            (tmp_path / str(number)).mkdir()
            source = "PLUGIN_FUNC(int, which, (void)) { return NUMBER; }"
            path = build(manifest(source), f"-DNUMBER={number}", name=f"{number}/plugin.so")
            found.append(plugin.open(path).lookup("which")())

        assert [1, 2] == found

    def test_TestRunHost_g_same_symbol_in_two_plugins(self, build):
        """Of two plugins that export one name, each gives, and calls inside, its own function and variable."""
        source = """
PLUGIN_VAR(int, state) = START;
PLUGIN_FUNC(int, one_step, (void)) { return ++state; }
PLUGIN_FUNC(int, twice, (void)) { one_step(); return one_step(); }
"""
        a, b = (plugin.open(build(manifest(source), f"-DSTART={n}", "-fvisibility=default")) for n in (10, 20))

        assert (12, 22) == (a.lookup("twice")(), b.lookup("twice")())
        assert (12, 22) == (a.lookup("state").value, b.lookup("state").value)
        assert a.lookup("one_step") is not b.lookup("one_step")

    def test_TestRunHost_g_same_symbol_as_the_system(self, tmp_path):
        """A plugin made by `build` whose names the process has already (libc's step, environ) uses its own inside."""
        (tmp_path / "own.c").write_text(
            manifest(
                "PLUGIN_VAR(int64_t, environ) = 5; PLUGIN_FUNC(int, step, (void)) { return 6; }"
                "PLUGIN_FUNC(int64_t, sum, (void)) { return environ + step(); }"
            )
        )
        build_plugin([tmp_path / "own.c"], tmp_path / "own.so", flags=["-O0"])
        script = "import plugin, sys; p = plugin.open(sys.argv[1]); print(p.lookup('environ').value, p.lookup('sum')())"

        assert "5 11\n" == run_host(script, tmp_path / "own.so")

    def test_TestRunHost_i_k_l_copies(self, build, tmp_path):
        """A byte copy is `already loaded` each time, naming the first path; the good plugin stays the same object."""
        path = build(manifest("PLUGIN_FUNC(int, f, (void)) { return 1; }"))
        copies = [shutil.copy(path, tmp_path / name) for name in ("copy.so", "again.so")]
        p = plugin.open(path)

        for copied in (*copies, *copies):
            with pytest.raises(plugin.AlreadyLoadedError) as caught:
                plugin.open(copied)
            assert "already loaded" in str(caught.value)
            assert path == caught.value.first_path
            assert p is plugin.open(path)

        assert 1 == p.lookup("f")()

    def test_TestRunHost_j_mismatch(self, build):
        """A plugin for another version of the ABI is refused as a `different version`, with both values, each time."""
        path = build(f'#include <plugin.h>\nPLUGIN_RECORD_(0x101, 5 << 16, 0, "{unique()}", "1");\n')

        for _ in range(2):
            with pytest.raises(plugin.IncompatiblePluginError) as caught:
                plugin.open(path)
            for part in ("different version", "expected 1", "found 5"):
                assert part in str(caught.value)

    @pytest.mark.parametrize("mode", ["LOCAL", "GLOBAL"])
    def test_TestRunHost_m_unexported_names(self, build, mode):
        """Helpers and data of one name that two plugins do not export do not collide, with RTLD_GLOBAL neither."""
        source = """
int counter = START; int helper(void); static int quiet(void) { return counter++; }
int helper(void) { return quiet(); }
PLUGIN_FUNC(int, ask, (void)) { return helper(); }
"""
        script = """
import plugin, sys
mode = plugin.RTLD_NOW | getattr(plugin, "RTLD_" + sys.argv[1])
asked = [plugin.open(path, mode=mode).lookup("ask") for path in sys.argv[2:]]
print([ask() for ask in asked * 2])
"""
        pair = [build(manifest(source), f"-DSTART={start}") for start in (10, 20)]

        assert "[10, 20, 11, 21]\n" == run_host(script, mode, *pair)

    def test_TestRunHost_n_unnamed(self, build, tmp_path):
        """Two libraries without PLUGIN load beside each other, copies too, named by their files."""
        path = build("int which(void) { return 5; }", "-fvisibility=default")
        copied = shutil.copy(path, tmp_path / "copied.so")
        a, b = (plugin.open(one, declare="int which(void);") for one in (path, copied))

        assert [os.path.basename(path), "copied.so"] == [a.name, b.name]
        assert a.lookup("which").__self__.address != b.lookup("which").__self__.address

    def test_TestRunHost_n_recursive_types(self, build):
        """A struct whose methods give and take itself is understood, and compared with a Protocol that names itself."""
        head = nodes(build, 3).lookup("head", Callable[[], Node])()

        assert 3 == head.next().next().value()
        assert head == head.next()


class TestTypes:
    """Types across plugins."""

    def test_TestUniqueTypesAndItabs(self, build):
        """One struct text in two plugins is one Python type, so that an object of one can be given to the other."""
        a, b = nodes(build, 1), nodes(build, 2)
        first, second = a.lookup("head")(), b.lookup("head")()

        assert type(first) is type(second)
        assert (1, 2) == (b.lookup("value_of")(first), a.lookup("value_of")(second))
        assert first != second

    def test_different_text(self, build):
        """A struct of that name with another text is another type, whose objects are refused."""
        a = nodes(build, 1)
        source = NODE.replace("Node *(*next)(Node *self);\n});", "Node *(*next)(Node *self);\n    int more;\n});")
        b = plugin.open(build(manifest(source.replace("{value, next}", "{value, next, 0}")), "-DVALUE=2"))

        with pytest.raises((TypeError, plugin.DeclarationError)):
            b.lookup("value_of")(a.lookup("head")())

    def test_TestIssue18676(self, build):
        """Asserting one interface and declaring one text many times over is the same as once, and ends."""
        text = "typedef struct Thing Thing; enum { MOST = 3 }; int twice(int x);"
        script = """
import plugin, sys
p = plugin.open(sys.argv[1])
for _ in range(1000):
    p.declare(sys.argv[2])
print(len(p.symbols), p.lookup("twice")(4))
"""
        path = build("int twice(int x) { return 2 * x; }", "-fvisibility=default")
        p = nodes(build, 4)
        for _ in range(100):
            assert 4 == p.lookup("head", Callable[[], Node])().value()

        assert "1 8\n" == run_host(script, path, text, timeout=30)

    def test_TestIssue18584(self, build):
        """The signature of a looked-up function equals the one that is built by hand."""
        source = "PLUGIN_FUNC(double, mix, (int64_t count, float weight, const char *in, bool on))"
        p = plugin.open(build(manifest(source + "{ return (double)count + weight + on + !in; }")))

        def mix(count: int, weight: float, in_: str, on: bool) -> float:
            return count + weight + on

        assert inspect.signature(mix) == inspect.signature(p.lookup("mix").__self__)

    def test_TestMethod(self, build):
        """Methods are found by name on an object that a plugin exported, and an absent one is an AttributeError."""
        head = nodes(build, 6).lookup("head")()

        assert 6 == getattr(head, "value")()  # noqa: B009
        with pytest.raises(AttributeError):
            head.absent  # noqa: B018

    def test_TestIssue81303(self, build):
        """Objects that the host holds work on after each of three more plugins that export the same types."""
        held = [nodes(build, 0).lookup("head")()]
        for number in (1, 2, 3):
            held.append(nodes(build, number).lookup("head")())

            assert list(range(number + 1)) == [node.next().value() for node in held]
        assert 1 == len({type(node) for node in held})


class TestNames:
    """Names of plugins and of files."""

    @pytest.mark.parametrize(
        "odd", ["issue.19534", "with space", "100%s%n", "it's", "größe-日本", "a,b;c:d@e", "#!$&*()[]{}<>|?", "-o"]
    )
    def test_TestIssue19534(self, build, odd, tmp_path):
        """A plugin whose name and path have odd characters opens, and tells them as they are."""
        name = f"example.com/{odd}.{unique()}"
        (tmp_path / odd).mkdir()
        path = build(manifest("PLUGIN_FUNC(int, f, (void)) { return 1; }", name), name="plain.so")
        odd_path = shutil.move(path, tmp_path / odd / f"{odd}.so")

        p = plugin.open(odd_path)

        assert (name, os.path.realpath(odd_path)) == (p.name, p.path)
        assert 1 == p.lookup("f")()
        assert name in repr(p)

    @pytest.mark.parametrize("odd", ['quo"te', "back\\slash", "new\nline", "tab\t", "\x7f", "\udcff"])
    def test_TestIssue19534_unprintable(self, build, odd, tmp_path):
        """So does one with quotes, a newline and bytes that are not UTF-8; errors and reprs stay on one line."""
        path = build(manifest("PLUGIN_FUNC(int, f, (void)) { return 1; }"))
        odd_path = shutil.move(path, os.fspath(tmp_path / f"{odd}.so"))

        p = plugin.open(odd_path)

        assert os.path.realpath(odd_path) == p.path
        with pytest.raises(plugin.SymbolNotFoundError) as caught:
            p.lookup("absent")
        for text in (repr(p), str(caught.value)):
            assert text.isprintable()

    def test_TestIssue19529(self, build):
        """Texts in a manifest may have @, commas, percent signs, quotes and escapes."""
        name, version = f"user@example.com/a,b,{unique()}", 'v1@{x},%s \\"q\\" \\\\ \\u00e9'
        source = 'PLUGIN_DOC(f, "a, b @ c %d \\"q\\""); PLUGIN_FUNC(int, f, (void)) { return 1; }'
        p = plugin.open(build(manifest(source, name, version)))

        assert (name, 'v1@{x},%s "q" \\ é') == (p.name, p.version)
        assert 'a, b @ c %d "q"' in p.lookup("f").__doc__

    def test_TestIssue19418(self, build):
        """A text variable that was set at build time is read as it was set."""
        path = build(manifest("PLUGIN_VAR(const char *, Version) = VERSION;"), '-DVERSION="linkX, v1.2 é"')

        assert "linkX, v1.2 é" == plugin.open(pathlib.Path(path)).lookup("Version").value
