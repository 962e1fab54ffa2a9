"""Rooms and arrays of strings at their limits: what a plugin says that it wrote, and sequences that fail."""

from collections.abc import Iterator
from typing import Any

import natives
import pytest

import plugin

SOURCE = """
#include <plugin.h>
#include <string.h>
PLUGIN("example.com/rooms/limits", "1");
PLUGIN_FUNC(void, fill, (double *x plugin_count(*n) plugin_out, int64_t *n plugin_inout, int64_t used))
{
    memset(x, 0, (size_t)*n * sizeof *x);
    *n = used;
}
PLUGIN_FUNC(void, rows, (int32_t *x plugin_count(*n, 3) plugin_out, int64_t *n plugin_inout, int64_t used))
{
    for (int i = 0; i < 3 * *n; i++) {
        x[i] = i;
    }
    *n = used;
}
PLUGIN_FUNC(size_t, count, (const char *const *all plugin_count(n), size_t n)) { (void)all; return n; }
"""


@pytest.fixture(scope="module")
def p(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin, bound."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE)).bind()


class TestUsed:
    """The length that a plugin gives back."""

    @pytest.mark.parametrize("used", [0, 1, 10])
    def test_within(self, p: Any, used: int) -> None:
        """Up to the room's size, it is the length of the result."""
        assert [0.0] * used == p.fill(10, used).tolist()

    @pytest.mark.parametrize("used", [-1, 11, 2**60, 2**61 + 1, 2**63 - 1, -(2**63)])
    def test_beyond(self, p: Any, used: int) -> None:
        """Anything else is a ValueError that names the number, even one whose bytes would not fit 64 bits."""
        for function in (p.fill, p.rows):
            with pytest.raises(ValueError, match="'x'") as caught:
                function(10, used)
            assert str(used) in str(caught.value)

    def test_rows(self, p: Any) -> None:
        """Of two dimensions it is the first."""
        assert [[0, 1, 2], [3, 4, 5]] == p.rows(4, 2).tolist()
        assert (4, 3) == p.rows(4, 4).shape


class TestSequences:
    """What is given for an array of strings."""

    def test_any(self, p: Any) -> None:
        """Any iterable of str serves."""
        assert [0, 2, 3] == [p.count(()), p.count({"a": 1, "b": 2}), p.count(c for c in "abc")]

    def test_failing(self, p: Any) -> None:
        """What the iteration raises is what the caller gets; what cannot be iterated is a TypeError."""

        def failing() -> Iterator[str]:
            yield "a"
            raise KeyError("no more")

        with pytest.raises(KeyError, match="no more"):
            p.count(failing())
        with pytest.raises(TypeError, match="'all'"):
            p.count(3)
