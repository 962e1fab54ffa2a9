"""Calls into Python from threads that Python does not know, other interpreters, and at the end."""

import sys
import threading
from typing import Any

import pytest
from hosting import manifest, run_host
from natives import compiled

import plugin

SOURCE = (
    manifest(name="example.com/callback-threads")
    + """
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include <stdio.h>
typedef int (*Hook)(int n, void *data);
PLUGIN_DECLARE(typedef struct Job Job;)
struct Job { Hook f; void *data; int n, sum; pthread_t thread; };
static Job jobs[64];
static void *run(void *argument)
{
    Job *job = argument;
    for (int i = 0; i < job->n; i++) { job->sum += job->f(i, job->data); }
    return NULL;
}
static void start(Job *job, Hook f, void *data, int n)
{
    *job = (Job){f, data, n, 0, 0};
    pthread_create(&job->thread, NULL, run, job);
}
PLUGIN_FUNC(plugin_blocking int, in_threads, (int (*f)(int n, void *data), void *data, int threads, int n))
{
    int sum = 0;
    for (int i = 0; i < threads; i++) { start(&jobs[i], f, data, n); }
    for (int i = 0; i < threads; i++) { pthread_join(jobs[i].thread, NULL); sum += jobs[i].sum; }
    return sum;
}
PLUGIN_FUNC(plugin_blocking int, in_place, (int (*f)(int n, void *data), void *data, int n))
{
    return f(n, data);
}
PLUGIN_FUNC(plugin_threadsafe void, begin, (int (*f)(int n, void *data) plugin_retained, void *data, int n))
{
    start(&jobs[63], f, data, n);
}
PLUGIN_FUNC(plugin_blocking int, finish, (void)) { pthread_join(jobs[63].thread, NULL); return jobs[63].sum; }

static Hook kept;
static void *kept_data;
static _Atomic int calls, zeros;
PLUGIN_FUNC(plugin_threadsafe void, keep, (int (*f)(int n, void *data) plugin_retained, void *data))
{ kept = f; kept_data = data; }
PLUGIN_FUNC(plugin_threadsafe int, call_kept, (int n)) { return kept(n, kept_data); }
static void *for_ever(void *unused)
{
    (void)unused;
    for (;;) { if (kept(1, kept_data) == 0) { zeros++; } calls++; }
    return NULL;
}
PLUGIN_FUNC(plugin_threadsafe void, call_for_ever, (int threads))
{
    pthread_t thread;
    while (threads--) { pthread_create(&thread, NULL, for_ever, NULL); pthread_detach(thread); }
}
PLUGIN_FUNC(plugin_threadsafe int, call_count, (void)) { return calls; }
static int until_zero(void)
{
    for (int i = 0; i < 2000 && zeros == 0; i++) { usleep(1000); }
    return zeros;
}
__attribute__((destructor)) static void end(void)
{
    if (calls > 0) { printf("%s\\n", until_zero() ? "zeros" : "none"); fflush(stdout); }
}
"""
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The plugin of this file."""
    return compiled(tmp_path_factory, SOURCE, "-pthread")


@pytest.fixture(scope="module")
def p(path: str) -> Any:
    """Everything of it in one namespace."""
    return plugin.open(path).bind()


class TestThreads:
    """Threads that a plugin starts."""

    def test_blocking(self, p):
        """A callable is called from other threads while the caller is in a plugin_blocking call."""
        threads = set()

        def f(n):
            threads.add(threading.get_ident())
            return n

        assert 45 == p.in_threads(f, 1, 10)
        assert 1 == len(threads)
        assert threading.get_ident() not in threads

    def test_many(self, p):
        """Many threads at once lose no call."""
        calls: Any = []

        assert 60 * 4950 == p.in_threads(lambda n: calls.append(n) or n, 60, 100)
        assert sorted([*range(100)] * 60) == sorted(calls)

    def test_while_python_runs(self, p):
        """A thread of the plugin gets its turn while Python computes in the main thread."""
        done: Any = []
        p.begin(lambda n: done.append(n) or 1, 100)
        while len(done) < 100:
            sum(range(100))

        assert 100 == p.finish()

    def test_known_thread(self, p):
        """In a blocking call, the calling thread's own callback has the thread's own locals."""
        local = threading.local()
        local.x = 5

        assert 5 + 2 == p.in_place(lambda n: local.x + n, 2)

    def test_nested(self, p):
        """Callbacks in threads call the plugin, which calls back."""
        assert 3 * sum(2 * n for n in range(5)) == p.in_threads(lambda n: p.in_place(lambda m: 2 * m, n), 3, 5)

    def test_raises_in_place(self, p):
        """In a blocking call, an exception of the calling thread is raised at the call."""
        with pytest.raises(ZeroDivisionError):
            p.in_place(lambda n: 1 // n, 0)

    def test_unraisable(self, p, monkeypatch):
        """What a callable raises in another thread goes to sys.unraisablehook; the call gives zero."""
        caught: list[Any] = []
        monkeypatch.setattr(sys, "unraisablehook", lambda failure: caught.append((failure.exc_type, failure.object)))

        def f(n):
            if n % 2:
                raise LookupError(n)
            return n

        assert 0 + 2 + 4 == p.in_threads(f, 1, 6)
        assert [(LookupError, f)] * 3 == caught
        caught.clear()

    def test_releases(self, p):
        """plugin_blocking lets other threads run: here two need each other, each in a call."""
        first, second = threading.Event(), threading.Event()

        def one(n):
            first.set()
            return second.wait(60)

        def two(n):
            second.set()
            return first.wait(60)

        results: list[int] = []
        other = threading.Thread(target=lambda: results.append(p.in_place(two, 0)))
        other.start()
        results.append(p.in_place(one, 0))
        other.join()

        assert [1, 1] == results

    def test_blocking_wait(self, p):
        """While C waits in plugin_blocking, Python goes on: the call ends because of what it does meanwhile."""
        go = threading.Event()
        p.begin(lambda n: go.wait(60), 1)
        waiting = threading.Thread(target=p.finish)
        waiting.start()
        go.set()
        waiting.join(60)

        assert not waiting.is_alive()


EXIT = """
import plugin, sys, time
p = plugin.open(sys.argv[1]).bind()
def f(n):
    return [n for _ in range(10)][0]
p.keep(f)
p.call_for_ever(int(sys.argv[2]))
while p.call_count() < 100:
    time.sleep(0.001)
print("end", flush=True)
"""


class TestEnd:
    """The interpreter ends while a plugin's threads still call."""

    @pytest.mark.parametrize("threads", [1, 4])
    def test_exit(self, path, threads):
        """Nothing crashes, nothing hangs, and later calls give zero."""
        for _ in range(3):
            assert "end\nzeros\n" == run_host(EXIT, path, threads, timeout=60)

    def test_after(self, path):
        """A call at exit, after plugin's own end, gives zero: the callable is not run."""
        script = (
            "import atexit, sys\natexit.register(lambda: print(p.call_kept(1)))\n"
            "import plugin\np = plugin.open(sys.argv[1]).bind()\np.keep(lambda n: n)\nprint(p.call_kept(1))\n"
        )
        assert ["1", "0"] == run_host(script, path, 1, timeout=60).split()[:2]


INTERPRETERS = """
import sys, plugin
path = sys.argv[1]
p = plugin.open(path).bind()
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
def create():
    for arguments in [(OWN,), ("legacy",), ()]:
        try:
            return interpreters.create(*arguments)
        except (TypeError, ValueError):
            pass
OWN = sys.argv[2]
def run(text):
    failure = interpreters.run_string(other, text)
    if failure is not None:
        raise RuntimeError(failure)
other = create()
"""
IN_OTHER = """
import sys, plugin
sys.where = "other"
p = plugin.open(PATH).bind()
def f(n):
    import sys
    return n if getattr(sys, "where", "main") == "other" else -1000
"""


class TestInterpreters:
    """Callables of other interpreters."""

    def run(self, script, path, config):
        source = INTERPRETERS + f"text = {IN_OTHER!r}.replace('PATH', repr(path))\n" + script
        return run_host(source, path, config, timeout=60)

    @pytest.mark.parametrize("config", ["legacy", "isolated"])
    def test_runs_in_its_own(self, path, config):
        """A callable runs in the interpreter that gave it, whoever calls."""
        script = """
run(text + "assert p.in_place(f, 4) == 4, p.in_place(f, 4)\\n"
    "assert p.in_threads(f, 4, 10) == 180, p.in_threads(f, 4, 10)\\np.keep(f)")
print(p.call_kept(9))
p.keep(lambda n: 1 if not hasattr(sys, "where") else -1)
run("assert p.call_kept(9) == 1")
print(p.in_threads(lambda n: 1 if not hasattr(sys, "where") else -1, 3, 2))
p.keep(lambda n: 1)
interpreters.destroy(other)
"""
        assert "9\n6\n" == self.run(script, path, config)

    @pytest.mark.parametrize("config", ["legacy", "isolated"])
    def test_ended(self, path, config):
        """A callable whose interpreter has ended is not run, and gives zero."""
        script = """
run(text + "p.keep(f)")
print(p.call_kept(9))
interpreters.destroy(other)
print(p.call_kept(9))
"""
        assert "9\n0\n" == self.run(script, path, config)
