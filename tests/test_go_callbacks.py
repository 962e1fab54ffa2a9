"""Go's scenarios that need services of the host: callbacks, threads, objects of the host, shared state.

The table of all of Go's scenarios stands in test_go_scenarios.py.
"""

import array
import concurrent.futures
import gc
import threading
from typing import Any

import pytest
from hosting import manifest

import plugin

COMMON = """
PLUGIN_STRUCT(Common, {
    int (*get)(const Common *self);
    void (*set)(const Common *self, int x);
    int (*unused)(const Common *self);
});
static const Common *common;
PLUGIN_INIT(const Common *host) { common = host; host->set(host, host->get(host) * 10 + NUMBER); }
PLUGIN_FUNC(int, read_x, (void)) { return common->get(common); }
PLUGIN_FUNC(void, write_x, (int x)) { common->set(common, x); }
PLUGIN_FUNC(int, use_unused, (void)) { return common->unused(common); }
"""


class Common:
    """Go's package common: one variable that the host and its plugins share."""

    def __init__(self, x):
        self.x = x

    def get(self):
        return self.x

    def set(self, x):
        self.x = x

    def unused(self):
        return 62430


def opened(build, number, host):
    """The plugin of that number, initialised with that host."""
    return plugin.open(build(manifest(COMMON), f"-DNUMBER={number}"), host=host).bind()


class TestRunHost:
    """testplugin/host/host.go: what is about the state of the host."""

    def test_TestRunHost_a_b_init(self, build):
        """Init sees the state that the host set before, and what it sets is there when open returns."""
        host = Common(3)
        p = opened(build, 5, host)

        assert 35 == host.x == p.read_x()

    def test_TestRunHost_h_shared_state(self, build):
        """A second plugin's init runs on the state that the first one left; each sees what the other writes."""
        host = Common(1)
        first, second = opened(build, 2, host), opened(build, 3, host)

        assert 123 == host.x == first.read_x() == second.read_x()
        first.write_x(7)
        assert 7 == second.read_x() == host.x

    def test_TestRunHost_f_function_variable(self, build):
        """A variable that holds a function takes one of Python's; the plugin calls it, and it is kept alive."""
        source = """
PLUGIN_DECLARE(typedef int (*Function)(int n);)
PLUGIN_VAR(Function, FuncVar) = NULL;
PLUGIN_FUNC(int, call_it, (int n)) { return FuncVar ? FuncVar(n) : -1; }
"""
        p = plugin.open(build(manifest(source))).bind()
        called: Any = []
        assert -1 == p.call_it(1)
        p.FuncVar.value = lambda n: called.append(n) or 2 * n
        gc.collect()

        assert 14 == p.call_it(7)
        assert [7] == called

    def test_TestIssue62430(self, build):
        """A service that only the plugin uses, and the host never, is provided."""
        assert 62430 == opened(build, 1, Common(0)).use_unused()


class TestIssues:
    """testplugin/testdata."""

    def test_TestIssue22175(self, build):
        """A call of a plugin asks the host to open another one: both give what they should, also with an exception."""
        inner = plugin.open(build(manifest("PLUGIN_FUNC(int, g, (int n)) { return n + 1; }"))).path
        source = "PLUGIN_FUNC(int, f, (int (*g)(int n, void *data), void *data, int n)) { return 10 * g(n, data); }"
        f = plugin.open(build(manifest(source))).lookup("f")

        assert 50 == f(lambda n: plugin.open(inner).lookup("g")(n), 4)
        with pytest.raises(plugin.PluginNotFoundError):
            f(lambda n: plugin.open(inner + ".missing"), 4)

    def test_TestIssue24351(self, build):
        """A thread that the plugin starts calls Python, after the call that started it has returned."""
        source = """
#include <pthread.h>
static void (*kept)(int n, void *data);
static void *kept_data;
static void *run(void *unused) { (void)unused; kept(24351, kept_data); return NULL; }
PLUGIN_FUNC(void, start, (void (*f)(int n, void *data) plugin_retained, void *data))
{
    pthread_t thread;
    kept = f;
    kept_data = data;
    pthread_create(&thread, NULL, run, NULL);
    pthread_detach(thread);
}
"""
        seen: Any = []
        done: Any = threading.Event()
        plugin.open(build(manifest(source), "-pthread")).lookup("start")(
            lambda n: (seen.append((n, threading.get_ident() != threading.main_thread().ident)), done.set())
        )

        assert done.wait(60)
        assert [(24351, True)] == seen

    def test_TestIssue25756(self, build):
        """Four threads of the plugin work on a buffer of the host and report to a callable; 20 such calls at once."""
        source = """
#include <pthread.h>
typedef struct { double *x; size_t n; void (*report)(double sum, void *data); void *data; } Part;
static void *work(void *argument)
{
    Part *part = argument;
    double sum = 0;
    for (size_t i = 0; i < part->n; i++) { sum += part->x[i]; part->x[i] *= 2; }
    part->report(sum, part->data);
    return NULL;
}
PLUGIN_FUNC(plugin_blocking void, each, (double *x plugin_count(n), size_t n, void (*report)(double sum, void *data),
                                         void *data))
{
    pthread_t threads[4];
    Part parts[4];
    for (size_t i = 0; i < 4; i++) {
        parts[i] = (Part){x + i * n / 4, n / 4, report, data};
        pthread_create(&threads[i], NULL, work, &parts[i]);
    }
    for (size_t i = 0; i < 4; i++) { pthread_join(threads[i], NULL); }
}
"""
        each = plugin.open(build(manifest(source), "-pthread")).lookup("each")

        def once(_):
            numbers, sums = array.array("d", range(4000)), list[float]()
            each(numbers, sums.append)
            return len(sums), sum(sums), numbers[3999]

        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            results = set(pool.map(once, range(20)))

        assert {(4, 4000 * 3999 / 2, 7998.0)} == results


class TestMethods:
    """testplugin/method2, method3."""

    SOURCE = """
PLUGIN_STRUCT(Shape, {
    double (*area)(const Shape *self);
    void *private_state plugin_nullable;
    void (*scale)(Shape *self, double by);
});
static Shape *kept;
PLUGIN_FUNC(Shape *, same, (Shape *shape)) { return shape; }
PLUGIN_FUNC(void, keep, (Shape *shape plugin_retained)) { kept = shape; }
PLUGIN_FUNC(Shape *, kept_shape, (void)) { return kept; }
PLUGIN_FUNC(double, doubled, (Shape *shape)) { shape->scale(shape, 2); return shape->area(shape); }
"""

    class Square:
        """A Shape of the host."""

        def __init__(self, side):
            self.side = side

        def area(self):
            return self.side**2

        def scale(self, by):
            self.side *= by

    def test_TestMethod2(self, build):
        """An object of the host goes through a plugin, and comes back as itself with its methods and state."""
        p = plugin.open(build(manifest(self.SOURCE))).bind()
        square = self.Square(3.0)

        assert square is p.same(square)
        p.keep(square)
        assert square is p.kept_shape()
        assert p.kept_shape().area() == 9.0

    def test_TestMethod3(self, build):
        """The plugin calls the methods of a struct that has slots of its own, which the host's object need not know."""
        p = plugin.open(build(manifest(self.SOURCE))).bind()

        assert 36.0 == p.doubled(self.Square(3.0))
