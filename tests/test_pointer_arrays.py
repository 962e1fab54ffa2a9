"""Members and variables that are arrays of pointers: tuples of what the pointers lead to."""

from typing import Any

import natives
import numpy as np
import pytest

import plugin

SOURCE = """
#include <plugin.h>
PLUGIN("example.com/menu", "1.0.0");
PLUGIN_DECLARE(typedef struct Secret Secret;)
PLUGIN_STRUCT(Range, { int32_t kind; float low; float high; });
PLUGIN_STRUCT(Dish, { int price; });
PLUGIN_STRUCT(Menu, {
    unsigned long count;
    const char *const *names plugin_count(count);
    const Range *ranges plugin_count(count);
    Dish *const *dishes plugin_count(count);
    Secret **secrets plugin_count(count) plugin_nullable;
    const char *const *raw plugin_count(2) plugin_bytes;
    const char *const *bad plugin_count(1);
    const char *days[2];
    int after;
});
static const char *const names[] = {"soup", NULL, "gr\\303\\274tze"};
static const char *const raw[] = {"\\377", ""};
static const Range ranges[] = {{1, 0, .5f}, {2, -1, 1}, {3, 0, 9}};
static Dish dish[] = {{3}, {4}, {5}};
static Dish *const dishes[] = {&dish[2], NULL, &dish[0]};
static Menu menu = {3, names, ranges, dishes, NULL, raw, raw, {"mon", NULL}, 77};
PLUGIN_FUNC(Menu *, get, (void)) { return &menu; }
PLUGIN_VAR(const char *const, table, [3]) = {"a", "b", NULL};
PLUGIN_STRUCT(Grid, { const char *const *cells plugin_count(n, n); int n; });
PLUGIN_FUNC(plugin_nullable Grid *, grid, (void)) { return NULL; }
"""


@pytest.fixture(scope="module")
def p(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin above."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE))


class TestMembers:
    """Arrays of pointers in a struct."""

    def test_strings(self, p: Any) -> None:
        """As many strings as the other member says, NULL being None; bytes where the declaration says so."""
        menu = p.lookup("get")()

        assert ("soup", None, "grütze") == menu.names
        assert (b"\xff", b"") == menu.raw
        menu.count = 1
        assert ("soup",) == menu.names
        menu.count = 0
        assert () == menu.names
        menu.count = 3

    def test_objects(self, p: Any) -> None:
        """Pointers to structs are objects of theirs, in the plugin's memory; a NULL array is None."""
        menu = p.lookup("get")()
        last, missing, first = menu.dishes

        assert (5, None, 3) == (last.price, missing, first.price)
        first.price = 6
        assert 6 == menu.dishes[2].price
        assert menu.secrets is None

    def test_structs(self, p: Any) -> None:
        """An array of structs is a view that NumPy takes as a structured array."""
        ranges = np.asarray(p.lookup("get")().ranges)

        assert ("kind", "low", "high") == ranges.dtype.names
        assert [(1, 0, 0.5), (2, -1, 1), (3, 0, 9)] == ranges.tolist()

    def test_fixed(self, p: Any) -> None:
        """An array of constant length is a tuple, too, and what follows stands where the compiler put it."""
        menu = p.lookup("get")()

        assert (("mon", None), 77) == (menu.days, menu.after)

    @pytest.mark.parametrize("member", ["names", "dishes", "days"])
    def test_read_only(self, p: Any, member: str) -> None:
        """Writing such a member is a TypeError that names it."""
        menu = p.lookup("get")()
        with pytest.raises(TypeError) as caught:
            setattr(menu, member, ("a", "b", "c"))

        assert member in str(caught.value)

    def test_not_utf8(self, p: Any) -> None:
        """A string of the array that is not UTF-8 is a ValueError that names the member."""
        with pytest.raises(ValueError, match="UTF-8") as caught:
            _ = p.lookup("get")().bad

        assert "bad" in str(caught.value)

    def test_two_dimensions(self, p: Any) -> None:
        """Pointers in two dimensions refuse the struct, by the member's name."""
        with pytest.raises(plugin.DeclarationError) as caught:
            p.lookup("grid")

        assert '"cells"' in str(caught.value)


class TestVariables:
    """Arrays of pointers as variables."""

    def test_strings(self, p: Any) -> None:
        """The value of such a variable is a tuple; it has no buffer, and cannot be set."""
        table = p.lookup("table")

        assert ("a", "b", None) == table.value
        with pytest.raises(BufferError):
            memoryview(table)
        with pytest.raises(TypeError):
            table.value = ("c", "d", None)
