"""Arrays of structs whose declaration nothing has asked for before."""

from typing import Protocol

import hosting
import numpy as np

import plugin

SOURCE = hosting.manifest(
    """
PLUGIN_STRUCT(Pair, { int32_t a; double b; });
PLUGIN_FUNC(double, total, (const Pair *pairs plugin_count(n), size_t n))
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += pairs[i].a * pairs[i].b;
    return sum;
}
"""
)


class TestFirstUse:
    """A struct that is first met as the item of an array."""

    def test_lookup(self, build):
        """The function can be looked up and called without the struct having been used before."""
        total = plugin.open(build(SOURCE)).lookup("total")
        pairs = np.array([(2, 0.5), (3, 2)], np.dtype([("a", "i4"), ("b", "f8")], align=True))

        assert 7 == total(pairs)

    def test_interface(self, build):
        """An interface that names the function is compared with it before the plugin is loaded."""

        class Contract(Protocol):
            def total(self, pairs: memoryview) -> float: ...

        path = build(hosting.manifest(SOURCE.split("\n", 2)[2]))
        pairs = np.zeros(2, np.dtype([("a", "i4"), ("b", "f8")], align=True))

        assert 0 == plugin.open(path, interface=Contract).bind().total(memoryview(pairs))  # type: ignore[arg-type]
