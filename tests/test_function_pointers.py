"""Function pointers that are variables, and that come back from a plugin."""

import weakref
from typing import Any

import pytest
from hosting import manifest
from natives import alive, compiled

import plugin

SOURCE = (
    manifest(name="example.com/function-pointers")
    + """
PLUGIN_DECLARE(typedef int (*Step)(int n);)
static int twice(int n) { return 2 * n; }
PLUGIN_VAR(Step, stepper) = twice;
PLUGIN_FUNC(int, call_step, (int n)) { return stepper(n); }
PLUGIN_FUNC(Step, get_step, (void)) { return stepper; }
PLUGIN_FUNC(Step, no_step, (void)) { return NULL; }
"""
)


class Callable:
    """A callable that can be watched."""

    def __call__(self, n):
        return n + 1


@pytest.fixture(scope="module")
def p(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin of this file, everything in one namespace."""
    return plugin.open(compiled(tmp_path_factory, SOURCE)).bind()


class TestFunctionPointers:
    """Function pointers that are variables, and that come back."""

    def test_variable(self, p):
        """A function pointer that is a variable reads as a callable, takes one, and keeps it until the next."""
        assert 10 == p.stepper.value(5) == p.call_step(5)
        f = Callable()
        gone = weakref.ref(f)
        p.stepper.value = f
        del f

        assert alive(gone)
        assert 6 == p.call_step(5) == p.stepper.value(5) == p.get_step()(5)
        p.stepper.value = lambda n: -n
        assert not alive(gone)
        assert -5 == p.call_step(5)

    @pytest.mark.parametrize("wrong", [5, "f", None])
    def test_variable_wrong(self, p, wrong):
        """What cannot be called is refused, and what was there stays."""
        before = p.call_step(3)
        with pytest.raises(TypeError):
            p.stepper.value = wrong

        assert before == p.call_step(3)

    def test_returned(self, p):
        """A function pointer that a function returns is callable, and typed."""
        p.stepper.value = lambda n: 2 * n

        assert 8 == p.get_step()(4)
        with pytest.raises(TypeError):
            p.get_step()("text")
