"""open(interface=) and bind: a whole plugin against a Protocol or C declarations."""

import ctypes
from collections.abc import Callable
from typing import Any, Optional, Protocol

import numpy as np
import pytest
from hosting import manifest
from numpy.typing import NDArray

import plugin

SOURCE = """
#include <stdlib.h>
__attribute__((constructor)) static void ran(void) { setenv("PLUGIN_TEST_INTERFACE", "ran", 1); }
PLUGIN_FUNC(int, add, (int a, int b)) { return a + b; }
PLUGIN_FUNC(double, mean, (const double *x plugin_count(n), size_t n)) { return x[0] / (double)n; }
PLUGIN_FUNC(int, each, (int (*f)(int n, void *data), void *data)) { return f(3, data); }
PLUGIN_VAR(int, level) = 5;
"""


class Good(Protocol):
    """What SOURCE is."""

    level: plugin.Variable

    def add(self, a: int, b: int) -> int: ...
    def mean(self, x: NDArray[np.float64]) -> float: ...
    def each(self, f: Callable[[int], int]) -> int: ...


class Wider(Good, Protocol):
    """With names that may be missing."""

    reset: Callable[[], None] | None
    tune: Optional[Callable[[int], int]]  # noqa: UP045
    other: plugin.Variable | None


class Bad(Protocol):
    """Not what SOURCE is, in five ways."""

    level: int
    missing_variable: plugin.Variable

    def add(self, a: int, b: str) -> float: ...
    def mean(self) -> float: ...
    def missing(self) -> None: ...


def ran() -> bool:
    """Whether the constructor of a plugin of this test ran; os.environ would not tell."""
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return getenv(b"PLUGIN_TEST_INTERFACE") is not None


@pytest.fixture
def path(build: Callable[..., str]) -> str:
    """A plugin that is not open, none of whose code has run."""
    ctypes.CDLL(None).unsetenv(b"PLUGIN_TEST_INTERFACE")
    return build(manifest(SOURCE))


class TestProtocol:
    """A Protocol, whose methods are the plugin's functions."""

    def test_bound(self, path):
        """bind gives an object with the interface's names, which are what lookup gives."""
        p = plugin.open(path, interface=Good)
        bound = p.bind()

        assert bound.add is p.lookup("add")
        assert bound.level is p.lookup("level")
        assert (5, 2.0, 9) == (bound.add(2, 3), bound.mean(np.array([4.0, 1.0])), bound.each(lambda n: n * n))
        assert {"add", "mean", "each", "level"} <= set(dir(bound))
        assert ran()

    def test_differences(self, path):
        """All differences are in one error, with both sides, and no code of the plugin has run."""
        with pytest.raises(plugin.IncompatiblePluginError) as caught:
            plugin.open(path, interface=Bad)

        told = "\n".join(caught.value.differences)
        assert not ran()
        assert {"level", "missing_variable", "add", "mean", "missing"} == {
            line.partition(":")[0] for line in caught.value.differences
        }
        assert "argument b: int, not str" in told
        assert "result: int, not float" in told
        assert "int add(int a, int b)" in told
        assert all(line in str(caught.value) for line in caught.value.differences)

    def test_again(self, path):
        """A refused interface leaves nothing behind: the same file opens with the right one."""
        with pytest.raises(plugin.IncompatiblePluginError):
            plugin.open(path, interface=Bad)

        assert 3 == plugin.open(path, interface=Good).bind().add(1, 2)

    def test_open_already(self, path):
        """An interface is checked again on a plugin that is open, by open and by bind."""
        p = plugin.open(path)

        assert p is plugin.open(path, interface=Good)
        with pytest.raises(plugin.IncompatiblePluginError):
            plugin.open(path, interface=Bad)
        with pytest.raises(plugin.IncompatiblePluginError):
            p.bind(Bad)
        assert 3 == p.bind(Good).add(1, 2)

    def test_optional(self, path):
        """A name that may be missing is None if it is; the others are there."""
        bound = plugin.open(path, interface=Wider).bind()

        assert (None, None, None) == (bound.reset, bound.tune, bound.other)
        assert 3 == bound.add(1, 2)

    def test_optional_there(self, build):
        """A name that may be missing is checked if it is there."""
        same = SOURCE + "PLUGIN_FUNC(int, tune, (int n)) { return -n; }"
        good: Any = plugin.open(build(manifest(same)), interface=Wider)

        assert -4 == good.bind().tune(4)
        with pytest.raises(plugin.IncompatiblePluginError, match="tune"):
            plugin.open(build(manifest(SOURCE + "PLUGIN_FUNC(int, tune, (void)) { return 1; }")), interface=Wider)


class TestText:
    """C declarations."""

    def test_bound(self, path):
        """Equal declarations bind, and only what they name is there."""
        text = "int add(int a, int b); int level;"
        bound = plugin.open(path, interface=text).bind()

        assert (7, 5) == (bound.add(3, 4), bound.level.value)
        assert not hasattr(bound, "mean")

    def test_differences(self, path):
        """Every difference is told with the expected and the found declaration, before any code runs."""
        with pytest.raises(plugin.IncompatiblePluginError) as caught:
            plugin.open(path, interface="int add(int a, long b); double level; void gone(void);")

        assert 3 == len(caught.value.differences)
        assert "int add(int a, long b)" in str(caught.value)
        assert "int add(int a, int b)" in str(caught.value)
        assert "gone" in str(caught.value)
        assert not ran()

    def test_not_c(self, path):
        """What is no C is a DeclarationError, and no code has run."""
        with pytest.raises(plugin.DeclarationError):
            plugin.open(path, interface="not C at all(")

        assert not ran()


class TestEverything:
    """bind without an interface."""

    def test_namespace(self, path):
        """It has everything, for tab completion, and says which plugin it is."""
        p = plugin.open(path)
        bound = p.bind()

        assert {"add", "mean", "each", "level"} <= set(dir(bound))
        assert bound.add is p.lookup("add")
        assert p.name in repr(bound)
        with pytest.raises(AttributeError, match="absent"):
            _ = bound.absent

    def test_declared(self, build):
        """A library without a manifest is bound by what `declare` says, and held against an interface by it."""
        path = build("int add(int a, int b) { return a + b; }", "-fvisibility=default")

        class Adder(Protocol):
            def add(self, a: int, b: int) -> int: ...

        with pytest.raises(plugin.IncompatiblePluginError, match="add"):
            plugin.open(path, interface=Adder)
        p = plugin.open(path, interface=Adder, declare="int add(int a, int b);")
        assert 3 == p.bind().add(1, 2) == p.bind("int add(int a, int b);").add(1, 2)


class TestWrong:
    """What is no interface."""

    @pytest.mark.parametrize("wrong", [5, object(), int, Callable[[], int], [], b"int f(int);", Ellipsis])
    def test_type(self, path, wrong: Any):
        """It is a TypeError, of open and of bind, and no code has run."""
        with pytest.raises(TypeError, match="Protocol"):
            plugin.open(path, interface=wrong)
        assert not ran()
        with pytest.raises(TypeError, match="Protocol"):
            plugin.open(path).bind(wrong)

    def test_unresolved(self, path):
        """Annotations that cannot be evaluated are told, and no code has run."""

        class Lost(Protocol):
            def add(self, a: "Nowhere", b: int) -> int: ...  # type: ignore[name-defined]  # noqa: F821

        with pytest.raises((TypeError, NameError), match="Nowhere"):
            plugin.open(path, interface=Lost)
        assert not ran()
