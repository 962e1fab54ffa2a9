"""Where a retained pointer is kept: what is given at another place does not take its turn."""

import sys
from array import array
from typing import Any

import natives
import pytest

import plugin

SOURCE = """
#include <stdlib.h>
#include <plugin.h>
PLUGIN("example.com/ports", "1.0.0");
PLUGIN_DECLARE(typedef struct Unit Unit;)
PLUGIN_STRUCT(Board, {
    void (*connect)(Board *self, unsigned port, float *data plugin_retained);
    float (*sum)(Board *self);
    float *ports[2];
});
struct Unit { float *ports[2]; };
static void connect_board(Board *self, unsigned port, float *data) { self->ports[port] = data; }
static float sum_board(Board *self) { return *self->ports[0] + *self->ports[1]; }
static Board boards[2] = {{connect_board, sum_board, {0}}, {connect_board, sum_board, {0}}};
static Unit units[2];
PLUGIN_FUNC(Board *, board, (int i)) { return &boards[i]; }
PLUGIN_FUNC(Unit *, unit, (int i)) { return &units[i]; }
PLUGIN_FUNC(void *, raw, (int i)) { return &units[i]; }
PLUGIN_FUNC(void, connect, (Unit *unit, unsigned port, float *data plugin_retained)) { unit->ports[port] = data; }
PLUGIN_FUNC(void, connect_raw, (void *unit, unsigned port, float *data plugin_retained))
{
    ((Unit *)unit)->ports[port] = data;
}
PLUGIN_FUNC(void, connect_late, (float *data plugin_retained plugin_nullable, plugin_error *error))
{
    units[0].ports[0] = data;
    plugin_fail(error, 1, "too late");
}
"""


@pytest.fixture(scope="module")
def p(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin above."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE))


def connector(p: Any, kind: str, number: int) -> Any:
    """A function that connects a port of one of two borrowed objects: by method, as a handle, or as a void *."""
    if kind == "method":
        return p.lookup("board")(number).connect
    function, objects = {"handle": ("connect", "unit"), "raw": ("connect_raw", "raw")}[kind]
    one = p.lookup(objects)(number)
    return lambda port, data: p.lookup(function)(one, port, data)


@pytest.mark.parametrize("kind", ["method", "handle", "raw"])
class TestPlaces:
    """A buffer is kept for each object and number that it was given with."""

    def test_two_objects(self, p: Any, kind: str) -> None:
        """A buffer given with a second object leaves that of the first alive."""
        first, second = array("f", [1]), array("f", [2])
        before = sys.getrefcount(first)
        connector(p, kind, 0)(0, first)
        connector(p, kind, 1)(0, second)

        assert before + 1 == sys.getrefcount(first)
        assert before + 1 == sys.getrefcount(second)

    def test_same_object(self, p: Any, kind: str) -> None:
        """Another buffer with the same object and number lets the earlier one go; another number does not."""
        first, second = array("f", [1]), array("f", [2])
        before = sys.getrefcount(first)
        connector(p, kind, 0)(0, first)
        connector(p, kind, 0)(1, second)
        assert before + 1 == sys.getrefcount(first)
        connector(p, kind, 0)(0, second)

        assert before == sys.getrefcount(first)


class TestFailure:
    """A call that fails may have kept the pointer."""

    @pytest.mark.parametrize("data", [array("f", [1]), None])
    def test_kept(self, p: Any, data: Any) -> None:
        """What a call that failed was given is kept like any other, and the failure is the plugin's."""
        before = sys.getrefcount(data)
        with pytest.raises(plugin.CallError, match="too late"):
            p.lookup("connect_late")(data)

        assert data is None or before + 1 == sys.getrefcount(data)
