"""Interpreters beside the main one that open the same plugins: with its GIL, with one of their own, and without any.

What they give to callbacks is in test_callback_threads.py, what is left when they end in test_extension.py.
"""

import sys

import pytest
from hosting import manifest, run_host, unique

NO_GIL = not getattr(sys, "_is_gil_enabled", lambda: True)()
OWN = "isolated" if sys.version_info >= (3, 12) else "legacy"
own_gil = pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters with a GIL of their own came with 3.12")

HOST = """
import plugin, sys
try: import _interpreters as interpreters
except ImportError: import _xxsubinterpreters as interpreters
def create(kind):
    if sys.version_info >= (3, 13): return interpreters.create(kind)
    return interpreters.create(isolated=kind == "isolated")
HEAD = f'''
import plugin
PATH = {sys.argv[1]!r}
def refusal(function, *arguments, **keywords):
    try:
        return repr(function(*arguments, **keywords))
    except plugin.PluginError as error:
        return type(error).__name__ + " " + str(error)
'''
def run(interpreter, text):
    failure = interpreters.run_string(interpreter, HEAD + text)
    if failure is not None: raise SystemExit(str(failure))
exec(HEAD)
"""
INITS = "static int inits;\nPLUGIN_INIT(void) { inits++; }\n"
MARKED = INITS + (
    "PLUGIN_STRUCT(S, { plugin_threadsafe int (*Get)(const S *self); int value; int (*hook)(int n); });\n"
    "static int get(const S *self) { return self->value; }\n"
    "static S one = {get, 7, NULL};\n"
    "PLUGIN_FUNC(plugin_threadsafe S *, first, (void)) { return &one; }\n"
    "PLUGIN_FUNC(plugin_threadsafe int, Inits, (void)) { return inits; }\n"
)
MARKED = MARKED.replace("PLUGIN_STRUCT", "typedef struct S S;\nPLUGIN_STRUCT")
PLAIN = '__attribute__((visibility("default"))) int twice(int x) { return 2 * x; }'


def play(script, path):
    """What a host prints."""
    return run_host(HOST + script, path, timeout=60)


class TestOnce:
    """What is the process's, and what an interpreter's own."""

    @pytest.mark.parametrize("kind", ["legacy", "isolated"])
    def test_init(self, build, kind):
        """Init runs once in the process, in whichever interpreter; each interpreter has a Plugin of its own."""
        shown = play(
            "for _ in range(3):\n"
            f"    other = create({kind!r})\n"
            '    run(other, \'p = plugin.open(PATH); print(p.lookup("Inits")(), p is plugin.open(PATH),'
            ' p.lookup("first")().Get())\')\n'
            "    interpreters.destroy(other)\n"
            "print(plugin.open(PATH).lookup('Inits')())",
            build(manifest(MARKED)),
        )

        assert "1 True 7\n" * 3 + "1\n" == shown

    @pytest.mark.parametrize("kind", ["legacy", "isolated"])
    def test_failed(self, build, kind):
        """A failed init has failed for every interpreter."""
        source = 'PLUGIN_INIT(plugin_error *error) { plugin_fail(error, 3, "no luck"); }'
        shown = play(
            "print('no luck [code 3]' in refusal(plugin.open, PATH))\n"
            f"other = create({kind!r})\n"
            'run(other, \'text = refusal(plugin.open, PATH); print("no luck [code 3]" in text, "previous" in text)\')',
            build(manifest(source)),
        )

        assert "True\nTrue True\n" == shown


class TestUnmarked:
    """A plugin with functions that must not overlap."""

    @pytest.mark.parametrize(
        ("source", "name"),
        [
            ("PLUGIN_FUNC(int, plain, (void)) { return 1; }", "plain"),
            ("typedef struct T T; PLUGIN_STRUCT(T, { int (*Get)(T *self); });\n", "T.Get"),
        ],
        ids=["function", "method"],
    )
    @own_gil
    def test_refused(self, build, source, name):
        """It is refused in an interpreter with another GIL, by a sentence that names one; the first goes on."""
        shown = play(
            "plugin.open(PATH); other = create('isolated')\n"
            "run(other, 'text = refusal(plugin.open, PATH)\\n"
            f'print(text.split()[0], "{name} is marked neither" in text)\')\n'
            "print(plugin.open(PATH).lookup('Inits')())",
            build(manifest(MARKED + source)),
        )

        assert "IncompatiblePluginError True\n1\n" == shown

    @own_gil
    def test_other_way_round(self, build):
        """So it is in the main interpreter, as long as one with a GIL of its own has it."""
        shown = play(
            "other = create('isolated'); run(other, 'p = plugin.open(PATH); print(p.lookup(\"plain\")())')\n"
            "print(refusal(plugin.open, PATH).split()[0])",
            build(manifest("PLUGIN_FUNC(int, plain, (void)) { return 1; }")),
        )

        assert "1\nIncompatiblePluginError\n" == shown

    @own_gil
    def test_one_after_the_other(self, build):
        """Interpreters that come one after the other each have it."""
        shown = play(
            "for _ in range(3):\n    other = create('isolated')\n"
            "    run(other, 'p = plugin.open(PATH); print(p.lookup(\"plain\")())'); interpreters.destroy(other)",
            build(manifest("PLUGIN_FUNC(int, plain, (void)) { return 1; }")),
        )

        assert "1\n" * 3 == shown

    @pytest.mark.skipif(NO_GIL, reason="there is no GIL to share")
    def test_shared_gil(self, build):
        """With the main interpreter's GIL it opens: that keeps its calls apart."""
        shown = play(
            "plugin.open(PATH); other = create('legacy'); run(other, 'print(plugin.open(PATH).lookup(\"plain\")())')",
            build(manifest("PLUGIN_FUNC(int, plain, (void)) { return 1; }", unique())),
        )

        assert "1\n" == shown

    @own_gil
    def test_host_declares(self, build):
        """Without a manifest the host's declarations count, at open or later: what they do not mark is refused."""
        shown = play(
            "plugin.open(PATH, declare='int twice(int x);'); other = create('isolated')\n"
            "run(other, '''\n"
            "print(refusal(plugin.open, PATH, declare='int twice(int x);').split()[0])\n"
            "p = plugin.open(PATH)\n"
            "text = refusal(p.lookup, 'twice', 'int (int)')\n"
            "print(text.split()[0], 'plugin_threadsafe' in text)\n"
            "p.declare('plugin_threadsafe int twice(int x);')\n"
            "print(p.lookup('twice')(4))''')",
            build(PLAIN),
        )

        assert "IncompatiblePluginError\nDeclarationError True\n8\n" == shown
