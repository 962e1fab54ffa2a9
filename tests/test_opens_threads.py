"""Opens of many threads, and constructors that sleep, want the GIL or open while others open: each ends.

The loader runs constructors under a lock of its own.  Whoever waits for that lock with the GIL, while a constructor
wants the GIL, waits for ever: each host here is a process of its own, with a time limit.
"""

import pytest
import support
from hosting import manifest, run_host, unique

HOST = """
import faulthandler, os, shutil, sys, threading, time
import plugin
faulthandler.dump_traceback_later(60, exit=True)
begun, go, log = threading.Event(), threading.Event(), []
def attempt(path, *more):
    try:
        found = plugin.open(path, *more)
        log.append((found.name, "ok"))
        return found
    except plugin.OpenError as error:
        log.append((type(error).__name__, str(error)))
def start(*calls):
    threads = [threading.Thread(target=function, args=arguments) for function, *arguments in calls]
    for thread in threads: thread.start()
    return threads
def join(threads):
    for thread in threads: thread.join(60)
    return not any(thread.is_alive() for thread in threads)
"""
# Says that it has begun, goes on without the GIL for a while, and then wants it again.
WANTS_GIL = """
#include <unistd.h>
static int constructed;
__attribute__((constructor)) static void construct(void)
{
    run_python("begun.set()");
    usleep(300000);
    run_python("log.append('constructed')");
    constructed++;
}
PLUGIN_FUNC(int, Constructed, (void)) { return constructed; }
"""
FUNCTIONS = "".join(f"PLUGIN_FUNC(int, f{i}, (void)) {{ return {i}; }}\n" for i in range(200))


def play(script, *arguments):
    """What a host prints."""
    return run_host(HOST + script, *arguments, timeout=90)


@pytest.fixture
def python(build):
    """A function that builds a plugin whose code runs Python code in the host, and returns its path."""

    def python(source, name=None):
        return build('#include "run_python.h"\n' + manifest(source, name), "-I", support.PLUGINS)

    return python


class TestMany:
    """64 threads."""

    def test_same(self, python):
        """All that open one plugin, whose constructor wants the GIL, get one object, whose constructor ran once."""
        shown = play(
            "found = []\n"
            "threads = start(*[(lambda: found.append(attempt(sys.argv[1])),)] * 64); print(join(threads))\n"
            "print(len(set(map(id, found))), found[0].lookup('Constructed')(), log.count('constructed'), len(log))",
            python(WANTS_GIL),
        )

        assert "True\n1 1 1 65\n" == shown

    def test_different(self, build, tmp_path):
        """Libraries of their own open side by side, slow constructors and all, while Python code runs."""
        slow = "#include <unistd.h>\n__attribute__((constructor)) static void construct(void) { usleep(4000); }\nint x;"
        shown = play(
            """
paths = [shutil.copy(sys.argv[1], f"{sys.argv[2]}/{i}.so") for i in range(64)]
turns, over = [], threading.Event()
def turn():
    while not over.wait(0.001): turns.append(len(log))
counting = start((turn,))
ended = join(start(*[(attempt, path) for path in paths])); over.set()
print(ended and join(counting), sorted(log) == sorted((f"{i}.so", "ok") for i in range(64)), len(turns) > 20)
""",
            build(slow),
            tmp_path,
        )

        assert "True True True\n" == shown

    def test_missing_symbol(self, build):
        """All that open one library which the loader refuses are told so; nothing blocks a later file at that path."""
        shown = play(
            """
print(join(start(*[(attempt, sys.argv[1])] * 64)))
print({kind for kind, text in log}, all("nobody_has_this" in text for kind, text in log), len(log))
os.replace(sys.argv[2], sys.argv[1])
print(attempt(sys.argv[1]).lookup("x", "int").value)
""",
            build(
                'int nobody_has_this(void);\n__attribute__((visibility("default"))) int (*f)(void) = nobody_has_this;'
            ),
            build('__attribute__((visibility("default"))) int x = 4;'),
        )

        assert "True\n{'OpenError'} True 64\n4\n" == shown


class TestGil:
    """A constructor that wants the GIL while another thread wants something of the loader."""

    @pytest.mark.parametrize(
        "use",
        [
            "for i in range(200): assert p.lookup(f'f{i}')() == i",
            "for i in range(200): p.symbols[f'f{i}'].address",
            "for i in range(200): assert p.lookup(f'f{i}', 'int (void)')() == i",
            "for _ in range(50): assert len(list(p.symbols)) == 200",
            "assert attempt(sys.argv[3]).lookup('f7')() == 7",
            "for i in range(50): plugin.inspect(sys.argv[3])",
            "try: p.lookup('absent')\nexcept plugin.SymbolNotFoundError: pass",
        ],
        ids=["lookup", "symbols", "typed", "names", "open", "inspect", "miss"],
    )
    def test_waits_without_gil(self, python, build, use):
        """The other thread waits without the GIL, so that both end."""
        shown = play(
            "p = plugin.open(sys.argv[2])\nthread = start((attempt, sys.argv[1])); begun.wait(30)\n"
            f"{use}\nprint(join(thread), 'constructed' in log)",
            python(WANTS_GIL),
            *(build(manifest(FUNCTIONS)) for _ in range(2)),
        )

        assert "True True\n" == shown

    def test_import(self, python, build):
        """One that merely runs long, wanting no GIL, hinders neither an import of an extension nor a ctypes open."""
        slow = "#include <unistd.h>\n__attribute__((constructor)) static void construct(void) { usleep(300000); }"
        shown = play(
            "thread = start((attempt, sys.argv[1])); time.sleep(0.1)\n"
            "import ctypes, _multibytecodec; ctypes.CDLL(sys.argv[2]); print(join(thread), log[0][1])",
            build(manifest(slow)),
            build("int x;"),
        )

        assert "True ok\n" == shown


class TestRings:
    """Plugins that open each other, in several threads."""

    def opening(self, python, name, path, where, before=""):
        """A plugin that opens another from init or constructor."""
        code = f"run_python(\"{before}attempt('{path}')\");"
        head = "PLUGIN_INIT(void)" if where == "init" else "__attribute__((constructor)) static void construct(void)"
        return python(f"{head} {{ {code} }}", name)

    def test_waiting_for_loader(self, python, build):
        """A constructor opens what another thread, which waits for the loader, opens as well: both get it."""
        name, code = unique(), "begun.set(); time.sleep(0.3); "
        inner = build(manifest("static int inits; PLUGIN_INIT(void) { inits++; } PLUGIN_VAR(int, x);", name))
        shown = play(
            "thread = start((attempt, sys.argv[1])); begun.wait(30); p = attempt(sys.argv[2])\n"
            "print(join(thread), [entry[1] for entry in log], plugin.open(sys.argv[2]) is p)",
            self.opening(python, unique(), inner, "constructor", code),
            inner,
        )

        assert "True ['ok', 'ok', 'ok'] True\n" == shown

    @pytest.mark.parametrize("first", ["constructor", "init"])
    @pytest.mark.parametrize("second", ["constructor", "init"])
    def test_crossing(self, python, tmp_path, first, second):
        """Two threads open plugins that open each other, from constructors or inits: all end, a refusal names both."""
        names, paths = [unique(), unique()], [tmp_path / "plugin_1.so", tmp_path / "plugin_2.so"]
        code = "begun.set(); time.sleep(0.2); "
        self.opening(python, names[0], paths[1], first, code)
        self.opening(python, names[1], paths[0], second, code)
        shown = play(
            "threads = start(*[(attempt, path) for path in sys.argv[1:3]]); print(join(threads))\n"
            "refused = [text for kind, text in log if kind == 'InitError']\n"
            "print(len(log), 1 <= len(refused) <= 2, all(name in text for text in refused for name in sys.argv[3:5]))\n"
            "print([attempt(path).name for path in sys.argv[1:3]] == sys.argv[3:5])",
            *paths,
            *names,
        )

        assert "True\n4 True True\nTrue\n" == shown
