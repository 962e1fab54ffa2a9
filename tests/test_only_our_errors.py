"""Whatever is thrown at the public API raises an error of the promised classes, of a length that somebody can read."""

import array
import math
from typing import Any

import pytest
from hosting import manifest
from natives import compiled

import plugin

PROMISED = (plugin.PluginError, TypeError, ValueError, OverflowError)
LONGEST = 6000  # characters of a message


class Own(Exception):
    """What a caller's own object raises."""


def _raise(*_: Any) -> Any:
    raise Own


class Hostile:
    """Raises Own from whatever it is asked."""

    __fspath__ = __index__ = __float__ = __bool__ = __len__ = __str__ = __repr__ = _raise


class HostileStr(str):
    """A str that cannot be compared or hashed."""

    __hash__ = __eq__ = _raise


ODD = [
    None, True, -1, 2**63, 2**64, -(2**63) - 1, 10**5000, 1.5, math.nan, math.inf, -math.inf, 1j, "", "x", "\0", "a\0b",
    "\ud800", "\udcff", "é" * 3000, "x" * 10**6, b"", b"x", b"\0", b"\xff" * 5000, bytearray(b"xy"),
    memoryview(b"abc")[::2],
    array.array("d"), array.array("B", b"abc"), (), (1, 2), [], [None], {}, {1}, object(), object, int, str, len,
    NotImplemented, ..., Hostile(), type("Iter", (), {"__iter__": _raise})(), range(3), slice(1), plugin,
    plugin.PluginError,
    "int", "int (", "int (int)", "int x[99999999999999]", "void (*(*(*(*f)(void))(void))(void))(void)", "struct",
    "(" * 9999,
    "int " * 99999, "%s%n", "int f(" + "int a," * 5000 + "int b)", "/" * 5000, "." * 300, "\u20ac" * 5000,
]  # fmt: skip
SOURCE = """
PLUGIN_ENUM(Kind, { FIRST, SECOND });
typedef struct S S;
PLUGIN_STRUCT(S, { int value; const char *text; double place[2]; int (*get)(S *self, int by); });
static int get(S *self, int by) { return self->value + by; }
static S one = {1, "text", {0, 0}, get};
PLUGIN_FUNC(S *, first, (void)) { return &one; }
PLUGIN_FUNC(int, integer, (int n)) { return n; }
PLUGIN_FUNC(uint64_t, natural, (uint64_t n)) { return n; }
PLUGIN_FUNC(double, real, (double x)) { return x; }
PLUGIN_FUNC(bool, flag, (bool x)) { return x; }
PLUGIN_FUNC(int, text, (const char *s)) { return s[0]; }
PLUGIN_FUNC(int, kind, (Kind k)) { return (int)k; }
PLUGIN_FUNC(int, object, (S *s)) { return s->value; }
PLUGIN_FUNC(int, pointer, (const void *p)) { return p != NULL; }
PLUGIN_FUNC(double, sum, (const double *x plugin_count(n), size_t n)) { return n > 0 ? x[0] : 0; }
PLUGIN_FUNC(int, call, (int (*f)(int n, void *data), void *data)) { return f(1, data); }
PLUGIN_VAR(int, number) = 1;
PLUGIN_VAR(const char *, word) = "word";
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The plugin of this file."""
    return compiled(tmp_path_factory, manifest(SOURCE))


@pytest.fixture(scope="module")
def p(path):
    """The same, open."""
    return plugin.open(path)


def attempt(function, *arguments, also=(), **keywords):
    """Call it: AssertionError if it raises another class than those promised, or a message that is too long."""
    try:
        function(*arguments, **keywords)
    except Own:
        pass
    except (*PROMISED, *also) as error:
        text = str(error) if not isinstance(error, KeyError) else ""  # that is the key itself
        assert "\ufffd" not in text
        assert len(text) <= LONGEST, f"{len(text)} characters: {text[:200]}"
        text.encode("utf-8", "surrogatepass")
    except Exception as error:
        raise AssertionError(f"{function} {str(keywords)[:80]}: {error!r:.300}") from error


class TestOpening:
    """open, inspect and find_library."""

    @pytest.mark.parametrize("function", [plugin.open, plugin.inspect, plugin.find_library])
    def test_path(self, function):
        """Any object as a path."""
        for value in ODD:
            attempt(function, value)

    @pytest.mark.parametrize("option", ["declare", "interface", "host", "mode", "sha256", "on_change"])
    def test_options(self, path, build, option):
        """Any object as an option, of a plugin that is open already and of one that is not."""
        fresh = build(manifest(SOURCE))
        for value in ODD:
            attempt(plugin.open, path, **{option: value})
            attempt(plugin.open, fresh, **{option: value})

    def test_own(self):
        """What a path-like object raises is raised as it is."""
        with pytest.raises(Own):
            plugin.open(Hostile())


class TestLooking:
    """lookup, symbols, declare, bind, as_type."""

    def test_names(self, p):
        """Any object as a name, and as the key of the mapping, where a KeyError is promised too."""
        for value in [*ODD, HostileStr("integer"), HostileStr("nothing")]:
            attempt(p.lookup, value)
            attempt(p.lookup, value, "int (int)")
            attempt(p.symbols.__getitem__, value, also=(KeyError,))
            attempt(p.symbols.__contains__, value)
            attempt(p.symbols.get, value, also=(KeyError,))

    def test_types(self, p):
        """Any object as a type, of what is declared and of a symbol that is not."""
        for value in ODD:
            attempt(p.lookup, "integer", value)
            attempt(p.symbols["number"].as_type, value)
            attempt(p.bind, value)
            attempt(p.declare, value)

    @pytest.mark.parametrize("letter", ["x", "\u20ac", "\U0001f600"])
    def test_long(self, p, letter):
        """A name of a megabyte and declarations of megabytes give messages of some thousand characters."""
        for text in (
            letter * 10**6,
            f"int {letter * 10**6}(int)",
            f"int f(int {letter * 10**6});" * 2,
            "/*" + letter * 10**6,
        ):
            for use in (p.lookup, p.declare, lambda text: p.lookup("integer", text), plugin.find_library):
                attempt(use, text)


class TestUsing:
    """Calls, members and variables."""

    @pytest.mark.parametrize(
        "name", ["integer", "natural", "real", "flag", "text", "kind", "object", "pointer", "sum", "call", "first"]
    )
    def test_calls(self, p, name):
        """Any object as an argument, by place and by keyword, and as one too many."""
        function = p.lookup(name)
        for value in ODD:
            if name == "call" and callable(value):
                continue
            attempt(function, value)
            attempt(function, value, value)
            attempt(function, **{"no": value})

    def test_stores(self, p):
        """Any object into a variable and into each member."""
        one = p.lookup("first")()
        for value in ODD:
            for name in ("number", "word"):
                attempt(setattr, p.lookup(name), "value", value, also=(AttributeError,))
            for member in ("value", "text", "place", "get", "absent"):
                attempt(setattr, one, member, value, also=(AttributeError,))
            attempt(one.get, value)
            attempt(plugin.Pointer, value)

    @pytest.mark.parametrize("name", ["integer", "natural", "real"])
    def test_own(self, p, name):
        """What an argument's conversion raises is raised as it is."""
        with pytest.raises(Own):
            p.lookup(name)(Hostile())
