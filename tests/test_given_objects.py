"""Python objects that a plugin takes over (plugin_owned): how long they are kept."""

import gc
import weakref
from typing import Any

import natives
import pytest

import plugin

SOURCE = """
#include <plugin.h>
PLUGIN("example.com/given", "1");
PLUGIN_STRUCT(Sink, { int (*put)(Sink *self, int x); plugin_destructor void (*close)(Sink *self); });
static __thread Sink *kept;
PLUGIN_FUNC(int, use, (Sink *sink plugin_owned)) { int x = sink->put(sink, 1); sink->close(sink); return x; }
PLUGIN_FUNC(void, keep, (Sink *sink plugin_owned)) { kept = sink; }
PLUGIN_FUNC(int, end, (void)) { int x = kept->put(kept, 2); kept->close(kept); return x; }
"""


class Sink:
    """It notes its closings in a list."""

    def __init__(self, closings: list[int]) -> None:
        self.closings = closings

    def put(self, x: int) -> int:
        return x + 1

    def close(self) -> None:
        self.closings.append(1)


@pytest.fixture(scope="module")
def p(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin, bound."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE)).bind()


class TestGiven:
    """An object without another reference."""

    def test_kept(self, p: Any) -> None:
        """It lives until the plugin closes it, which it may use till then."""
        closings: list[int] = []
        sink = Sink(closings)
        reference = weakref.ref(sink)
        p.keep(sink)
        del sink
        gc.collect()

        assert reference() is not None
        assert 3 == p.end()
        gc.collect()
        assert (None, [1]) == (reference(), closings)

    def test_closed_in_the_call(self, p: Any) -> None:
        """One that is closed within the call is let go with it."""
        closings: list[int] = []
        sink = Sink(closings)
        reference = weakref.ref(sink)

        assert 2 == p.use(sink)
        del sink
        gc.collect()
        assert (None, [1]) == (reference(), closings)
