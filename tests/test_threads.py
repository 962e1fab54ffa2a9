"""Many threads in the core at once: what each of them gets, and what none of them may see.

Without a GIL they run at the same time; with one they change places as often as they can."""

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hosting import manifest, unique
from natives import compiled

import plugin

THREADS = 8
NAMES = 40  # functions, structs and enums of the plugin

SOURCE = """
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
typedef struct Thing Thing; static atomic_int live, inside, most, used_after, asleep;
static void pause_us(long us) { struct timespec t = {0, us * 1000}; nanosleep(&t, NULL); }
static int enter(long us)
{
    int now = ++inside;
    if (now > most) { most = now; }
    pause_us(us);
    return --inside;
}
PLUGIN_STRUCT(Thing, {
    int (*Number)(Thing *self);
    int (*Slow)(Thing *self);
    int64_t value;
    const char *text;
    plugin_destructor void (*Close)(Thing *self);
});
static int Number(Thing *self) { if (self->value == 0) { used_after++; } return (int)self->value; }
static int Slow(Thing *self) { pause_us(2000); return Number(self); }
static void Close(Thing *self) { live--; self->value = 0; }
static Thing things[100000];
static atomic_int next;
PLUGIN_FUNC(plugin_owned Thing *, make, (int value))
{
    Thing *thing = &things[next++];
    *thing = (Thing){Number, Slow, value, NULL, Close};
    live++;
    return thing;
}
PLUGIN_FUNC(int, live_things, (void)) { return live; }
PLUGIN_FUNC(int, uses_after, (void)) { return used_after; }
PLUGIN_FUNC(plugin_blocking int, slowly, (Thing *thing)) { asleep = 1; pause_us(20000); return Number(thing); }
PLUGIN_FUNC(plugin_threadsafe int, is_asleep, (void)) { return asleep; }
PLUGIN_FUNC(void, unmarked, (void)) { enter(300); }
PLUGIN_FUNC(plugin_threadsafe void, marked, (void)) { enter(3000); }
PLUGIN_FUNC(int, most_inside, (void)) { return atomic_exchange(&most, 0); }
PLUGIN_FUNC(int, call, (int (*f)(int n, void *data), void *data, int n)) { return f(n, data); }
PLUGIN_VAR(int64_t, number) = 0; PLUGIN_VAR(const char *, text) = "from C";
"""
# Names that nobody has looked up: each with a struct of its own that names the next one.
MANY = "".join(
    f"PLUGIN_ENUM(Kind{i}, {{ FIRST{i} = {i}, SECOND{i} }});\n"
    f"typedef struct Link{i} Link{i};\n"
    f"PLUGIN_STRUCT(Link{i}, {{ {f'struct Link{i - 1} *next; ' if i else ''}int (*get)(Link{i} *self); }});\n"
    f"PLUGIN_FUNC(int, use{i}, (Link{i} *link plugin_nullable, Kind{i} kind))\n"
    "{ return link == NULL ? (int)kind : 0; }\n"
    for i in range(NAMES)
)


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    """With a GIL, threads change places at any instruction."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def p(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin of this file, under a name of its own."""
    return plugin.open(compiled(tmp_path_factory, manifest(SOURCE)))


def together(work: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """What `work` returns in each of several threads that begin at the same moment, or the first exception."""
    barrier = threading.Barrier(threads)
    results: list[Any] = [None] * threads
    failures: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = work(number)
        except BaseException as error:
            failures.append(error)

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]
    return results


def identities(results: list[Any]) -> set[tuple[int, ...]]:
    """The different rows of objects that threads got: one row if all of them got the same ones."""
    return {tuple(id(item) for item in row) for row in results}


class TestFirst:
    """What is made when it is first asked for is made once."""

    def test_lookups(self, tmp_path_factory):
        """Each name gives one object to all threads, whether they ask in the same order or not."""
        p = plugin.open(compiled(tmp_path_factory, manifest(MANY)))
        names = [f"use{i}" for i in range(NAMES)]

        rows = together(lambda n: [p.lookup(name) for name in (names if n % 2 else reversed(names))])

        assert 1 == len(identities([row if n % 2 else row[::-1] for n, row in enumerate(rows)]))
        assert list(range(NAMES)) == [p.lookup(f"use{i}")(None, i) for i in range(NAMES)]

    def test_types_of_two_plugins(self, tmp_path_factory):
        """A struct or enum that several plugins declare alike is one type, whoever asks first."""
        plugins = [plugin.open(compiled(tmp_path_factory, manifest(MANY))) for _ in range(4)]
        names = [f"{kind}{i}" for i in reversed(range(NAMES)) for kind in ("Link", "Kind")]

        rows = together(lambda n: [plugins[n % 4].lookup(name) for name in names])

        assert 1 == len(identities(rows))

    def test_declare(self, tmp_path_factory):
        """A symbol that was declared is typed, also for those who were looking it up meanwhile."""
        function = '__attribute__((visibility("default"))) int f%d(int x) { return x + %d; }\n'
        source = "".join(function % (i, i) for i in range(200))
        p = plugin.open(compiled(tmp_path_factory, source))

        def work(number: int) -> None:
            for i in range(200):
                if number % 2:
                    p.declare(f"int f{i}(int x);")
                    assert i + 1 == p.lookup(f"f{i}")(1)
                else:
                    p.lookup(f"f{i}")
                    p.symbols[f"f{i}"].declaration  # noqa: B018

        together(work, 4)

        assert [i + 5 for i in range(200)] == [p.lookup(f"f{i}")(5) for i in range(200)]

    @pytest.mark.parametrize("_", range(4))
    def test_open(self, tmp_path_factory, _):
        """Threads that open one file get one Plugin, each time."""
        path = compiled(tmp_path_factory, manifest("PLUGIN_FUNC(int, f, (void)) { return 1; }", unique()))

        assert 1 == len(identities([[opened] for opened in together(lambda n: plugin.open(path))]))


class TestObjects:
    """An object that one thread uses while another releases it."""

    def test_released_once(self, p):
        """Of all threads that release an object one does; the others are told that it is closed."""
        make = p.lookup("make")
        things = [make(value) for value in range(1, 500)]

        def close(number: int) -> int:
            closed = 0
            for thing in things:
                try:
                    thing.Close()
                    closed += 1
                except plugin.ClosedError:
                    pass
            return closed

        assert len(things) == sum(together(close, 4))
        assert 0 == p.lookup("live_things")()

    def test_used_and_released(self, p):
        """A method is called on an object that is there, or not at all."""
        make = p.lookup("make")
        things = [make(value) for value in range(1, 300)]

        def use(thing: Any, value: int) -> None:
            try:
                while True:
                    assert value == thing.Number() == thing.value
            except plugin.ClosedError:
                pass

        def work(number: int) -> None:
            for value, thing in enumerate(things, 1):
                if number == 0:
                    thing.Number()
                    thing.__exit__(None, None, None)
                else:
                    use(thing, value)

        together(work, 4)

        assert 0 == p.lookup("uses_after")()
        assert 0 == p.lookup("live_things")()

    def test_waits(self, p):
        """Release waits for a call of another thread that is under way: it ends well, then the object is closed."""
        thing, slowly = p.lookup("make")(7), p.lookup("slowly")

        def work(number: int) -> int:
            if number == 0:
                return slowly(thing)
            while not p.lookup("is_asleep")():
                threading.Event().wait(0.001)
            thing.Close()
            return 0

        assert [7, 0] == together(work, 2)
        with pytest.raises(plugin.ClosedError):
            thing.Number()
        assert 0 == p.lookup("uses_after")()

    def test_texts(self, p):
        """A string that several threads write is always one of theirs, as a member and as a variable."""
        thing, text = p.lookup("make")(1), p.lookup("text")

        def work(number: int) -> None:
            for i in range(300):
                word = f"{number}" * (20 + i)
                if number % 2:
                    thing.text = text.value = word
                else:
                    for seen in (thing.text, text.value):
                        assert seen in (None, "from C") or seen == seen[0] * len(seen)

        together(work)
        thing.Close()


class TestCalls:
    """Calls of several threads."""

    def test_unmarked(self, p):
        """Unmarked functions of one plugin never overlap."""
        unmarked = p.lookup("unmarked")
        p.lookup("most_inside")()

        together(lambda n: [unmarked() for _ in range(20)], 4)

        assert 1 == p.lookup("most_inside")()

    @pytest.mark.skipif(getattr(sys, "_is_gil_enabled", lambda: True)(), reason="with a GIL a call holds it")
    def test_marked(self, p):
        """plugin_threadsafe functions do overlap where there is no GIL."""
        marked = p.lookup("marked")
        p.lookup("most_inside")()

        together(lambda n: [marked() for _ in range(20)], 4)

        assert 1 < p.lookup("most_inside")()

    def test_nested(self, tmp_path_factory, p):
        """Unmarked functions of two plugins call each other through Python, in any order and as deep as they like."""
        calls = [p.lookup("call"), plugin.open(compiled(tmp_path_factory, manifest(SOURCE))).lookup("call")]

        def descend(side: int, depth: int) -> int:
            return 0 if depth == 0 else 1 + calls[(side + depth // 2) % 2](lambda n: descend(side, n), depth - 1)

        assert [20] * 4 == together(lambda n: [descend(n, 20) for _ in range(20)][-1], 4)

    def test_waiting_callback(self, p):
        """While a callback waits, another thread's unmarked call gets its turn: without a GIL as with one."""
        call, done = p.lookup("call"), threading.Event()

        def work(number: int) -> int:
            if number == 0:
                return call(lambda n: done.wait(30), 1)
            result = call(lambda n: n, 5)
            done.set()
            return result

        assert [1, 5] == together(work, 2)

    def test_variable(self, p):
        """A number that several threads write is always one that one of them wrote, whole."""
        number = p.lookup("number")
        values = [n * 0x0101010101010101 for n in range(THREADS)]

        def work(n: int) -> None:
            for _ in range(2000):
                number.value = values[n]
                assert number.value in values

        together(work)
