"""Children that are forked while other threads open, call, make types or are called: they go on without those threads.

Go's fork test, 8 threads that fork and start processes amid their calls, is in test_go_scenarios.py.
"""

import pytest
import support
from hosting import manifest, run_host
from natives import compiled

SOURCE = """
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
typedef struct Thing Thing;
PLUGIN_STRUCT(Thing, { int (*Use)(Thing *self); plugin_destructor void (*Close)(Thing *self); });
static int Use(Thing *self) { (void)self; return 5; }
static void Close(Thing *self) { free(self); }
PLUGIN_FUNC(plugin_owned Thing *, make, (void))
{
    Thing *thing = malloc(sizeof *thing);
    *thing = (Thing){Use, Close};
    return thing;
}
PLUGIN_FUNC(plugin_blocking int, slowly, (Thing *thing, int ms)) { usleep((useconds_t)ms * 1000); return Use(thing); }
PLUGIN_FUNC(int, add, (int a, int b)) { return a + b; }
PLUGIN_FUNC(int, nap, (int us)) { usleep((useconds_t)us); return us; }
PLUGIN_FUNC(int, apply, (int (*f)(void *data), void *data)) { return f(data); }
static int (*called)(void *data);
static void *called_data;
static void *run(void *unused) { called(called_data); return unused; }
PLUGIN_FUNC(void, begin, (int (*f)(void *data) plugin_retained, void *data))
{
    pthread_t thread;
    called = f;
    called_data = data;
    pthread_create(&thread, NULL, run, NULL);
    pthread_detach(thread);
}
"""
HOST = """
import os, signal, sys, threading, time
import plugin
p = plugin.open(sys.argv[1]).bind()
def child(function):
    "What `function` prints in a child of this process, which has 20 seconds for it; the child's status."
    process = os.fork()
    if process == 0:
        signal.alarm(20)
        print(function(), flush=True)
        os._exit(0)
    return os.waitpid(process, 0)[1]
def refusal(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return type(error).__name__, str(error)
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The plugin of this file."""
    return compiled(tmp_path_factory, manifest(SOURCE), "-pthread")


def play(script, *arguments):
    """What a host prints; Python's own warning of forks amid threads is not asked for."""
    return run_host(HOST + script, *arguments, PYTHONWARNINGS="ignore", timeout=100)


class TestAmidCalls:
    """Forks while threads wait for each other in calls that do not overlap."""

    @pytest.mark.parametrize("where", ["here", "in a callback"])
    def test_rounds(self, path, where):
        """Each of 100 children calls the plugin: without a GIL, too, where one may be handed its lock just then."""
        shown = play(
            """
stop = threading.Event()
def caller():
    while not stop.is_set():
        p.nap(200)
threads = [threading.Thread(target=caller) for _ in range(3)]
[thread.start() for thread in threads]
results = []
def fork():
    process = os.fork()
    if process == 0:
        signal.alarm(20)
        results.append(p.add(1, 2))
    else:
        results.append(os.waitpid(process, 0)[1])
    return process
for i in range(100):
    process = fork() if sys.argv[2] == "here" else p.apply(fork)
    if process == 0:
        os._exit(0 if p.add(2, 3) == 5 and results[-1] == 3 else 1)
    if any(results):
        break
stop.set(); [thread.join(30) for thread in threads]
print(set(results))
""",
            path,
            where,
        )

        assert "{0}\n" == shown


class TestUnderWay:
    """What another thread had under way when the process forked."""

    def test_call(self, path):
        """An object in a call of another thread cannot be released in the child, which is told so and does not wait."""
        shown = play(
            """
thing = p.make()
thread = threading.Thread(target=p.slowly, args=(thing, 800))
thread.start(); time.sleep(0.2)
print(child(lambda: refusal(thing.Close)))
thread.join(); thing.Close(); print(refusal(thing.Use)[0])
""",
            path,
        )

        assert "('ValueError'" in shown
        assert "its thread is gone" in shown
        assert shown.endswith("0\nClosedError\n")

    def test_callback(self, path):
        """The child's end does not wait for a callback that was running in a thread of the parent's plugin."""
        shown = play(
            """
begun, go = threading.Event(), threading.Event()
p.begin(lambda: (begun.set(), go.wait(30)) and 1)
begun.wait(30)
process = os.fork()
if process == 0:
    sys.exit(7)
_, status, usage = os.wait4(process, 0)
print(status >> 8, usage.ru_nvcsw < 500)  # who waits sleeps a thousand times
go.set()
""",
            path,
        )

        assert "7 True\n" == shown

    def test_making(self, path, build):
        """A struct type that another thread was making is made by the child."""
        source = """
PLUGIN_ENUM(Kind, { FIRST });
typedef struct Link Link;
PLUGIN_STRUCT(Link, { Kind kind; int (*get)(Link *self); });
static int get(Link *self) { return (int)self->kind + 40; }
static Link link = {FIRST, get};
PLUGIN_FUNC(Link *, first, (void)) { return &link; }
"""
        shown = play(
            """
from plugin import _enums
begun, go, make = threading.Event(), threading.Event(), _enums.make_enum
def slow(*arguments):
    if threading.current_thread() is not threading.main_thread():
        begun.set(); go.wait(30)
    return make(*arguments)
_enums.make_enum = slow
q = plugin.open(sys.argv[2])
thread = threading.Thread(target=q.lookup, args=("first",))
thread.start(); begun.wait(30)
print(child(lambda: q.lookup("first")().get()))
go.set(); thread.join()
print(q.lookup("first")().get())
""",
            path,
            build(manifest(source)),
        )

        assert "40\n0\n40\n" == shown

    @pytest.mark.parametrize("where", ["constructor", "init"])
    def test_open(self, path, build, where):
        """An open that was under way is failed in the child, each time; other plugins open there, and this one here."""
        code = 'run_python("begun.set(); go.wait(30)");'
        functions = {
            "constructor": f"__attribute__((constructor)) static void construct(void) {{ {code} }}",
            "init": f"PLUGIN_INIT(void) {{ {code} }}",
        }
        source = '#include "run_python.h"\n' + manifest(functions[where])
        shown = play(
            """
begun, go = threading.Event(), threading.Event()
thread = threading.Thread(target=plugin.open, args=(sys.argv[2],))
thread.start(); begun.wait(30)
def attempts():
    failures = [refusal(plugin.open, sys.argv[2]) for _ in range(2)]
    print([(kind, "forked while another thread was" in text) for kind, text in failures])
    return plugin.open(sys.argv[3]).lookup("answer")(), p.add(1, 2)
print(child(attempts))
go.set(); thread.join()
print(plugin.open(sys.argv[2]).name != "")
""",
            path,
            build(source, "-I", support.PLUGINS),
            build(manifest("PLUGIN_FUNC(int, answer, (void)) { return 42; }")),
        )

        assert f"{[('InitError', True)] * 2}\n(42, 3)\n0\nTrue\n" == shown


class TestForkOfPlugin:
    """A plugin's own fork, for which Python stops no thread and nobody has the GIL."""

    def test_amid_lookup(self, build):
        """A fork and a lookup in a large manifest wait for the same locks in one order, and so for each other never.

        The fork stays for a while among its handlers, at one that was given after a lookup and before the large open.
        """
        many = "".join(f"PLUGIN_FUNC(int, plus_{i}, (int value)) {{ return value + {i}; }}\n" for i in range(1000))
        forks = """
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
static _Atomic int preparing;
static void prepare(void) { preparing = 1; usleep(200000); }
PLUGIN_FUNC(int, watch, (void)) { return pthread_atfork(prepare, NULL, NULL); }
PLUGIN_FUNC(plugin_threadsafe int, is_preparing, (void)) { return preparing; }
PLUGIN_FUNC(plugin_threadsafe plugin_blocking int, forks, (void))
{
    pid_t child = fork();
    if (child == 0) { _exit(0); }
    return child > 0 && waitpid(child, NULL, 0) == child;
}
"""
        shown = play(
            """
print(p.watch())
large = plugin.open(sys.argv[2])
thread = threading.Thread(target=lambda: print(p.forks()))
thread.start()
while not p.is_preparing(): time.sleep(0.001)
seven = large.lookup("plus_7")
thread.join()
print(seven(3))
""",
            build(manifest(forks)),
            build(manifest(many)),
        )

        assert "0\n1\n10\n" == shown


class TestAmidOpens:
    """Forks while threads open one library after the other."""

    def test_rounds(self, path, build, tmp_path):
        """In each of 100 children amid opens whose constructors take a while, a plugin opens and can be called."""
        slow = "#include <unistd.h>\n__attribute__((constructor)) static void construct(void) { usleep(2000); }\n"
        original = build(slow + '__attribute__((visibility("default"))) int twice(int x) { return 2 * x; }')
        shown = play(
            """
import shutil, subprocess
folder, original = sys.argv[2:4]
stop, opened = threading.Event(), [0, 0, 0]
def opener(number):
    while not stop.is_set():
        path = shutil.copy(original, f"{folder}/{number}_{opened[number]}.so")
        assert plugin.open(path).lookup("twice", "int (int)")(4) == 8
        opened[number] += 1
threads = [threading.Thread(target=opener, args=(number,)) for number in range(3)]
[thread.start() for thread in threads]
path = shutil.copy(original, f"{folder}/child.so")
bad = []
for i in range(100):
    if i % 4 == 3:
        bad += [i] if subprocess.run(["true"]).returncode else []
        continue
    process = os.fork()
    if process == 0:
        signal.alarm(20)
        good = plugin.open(path).lookup("twice", "int (int)")(i) == 2 * i and p.add(i, 1) == i + 1
        os._exit(0 if good else 1)
    bad += [i] if os.waitpid(process, 0)[1] else []
stop.set(); [thread.join(30) for thread in threads]
print(bad, min(opened) > 0)
""",
            path,
            tmp_path,
            original,
        )

        assert "[] True\n" == shown
