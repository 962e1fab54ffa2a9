"""Go's type assertion with Python types: what is declared against what the host says."""

import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import support
from numpy.typing import NDArray

import plugin

SOURCE = """
#include <plugin.h>
#include <stdlib.h>
PLUGIN("example.com/types", "1.0");
PLUGIN_STRUCT(Row, { double (*Get)(Row *self, int column); });
PLUGIN_STRUCT(Driver, {
    const char *(*Name)(Driver *self);
    Row *(*First)(Driver *self);
    int (*Extra)(Driver *self) plugin_nullable;
});
PLUGIN_FUNC(int, add, (int a, int b)) { return a + b; }
PLUGIN_FUNC(double, half, (float x)) { return x / 2; }
PLUGIN_FUNC(bool, negate, (bool x)) { return !x; }
PLUGIN_FUNC(const char *, echo, (const char *text)) { return text; }
PLUGIN_FUNC(plugin_bytes const char *, raw, (const char *text plugin_bytes)) { return text; }
PLUGIN_FUNC(plugin_nullable const char *, maybe, (const char *text plugin_nullable)) { return text; }
PLUGIN_FUNC(void, nothing, (void)) { }
PLUGIN_FUNC(int, divide, (int a, int b, int *rest plugin_out)) { *rest = a % b; return a / b; }
PLUGIN_FUNC(double, mean, (const double *x plugin_count(n), size_t n)) { return n ? x[0] : 0; }
PLUGIN_FUNC(void, scale, (float *x plugin_count(n), size_t n)) { (void)x; (void)n; }
PLUGIN_FUNC(void, send, (const void *data plugin_count(n), size_t n)) { (void)data; (void)n; }
PLUGIN_FUNC(Driver *, new_driver, (void)) { return NULL; }
PLUGIN_FUNC(void, use_driver, (Driver *driver)) { (void)driver; }
PLUGIN_VAR(int, level) = 3;
PLUGIN_VAR(double, ratio) = 0.5;
PLUGIN_VAR(const char *, title) = "title";
"""


class Row(Protocol):
    """The host's half of Row."""

    def Get(self, column: int) -> float: ...


class Named(Protocol):
    """What more than one interface has."""

    def Name(self) -> str: ...


class Driver(Named, Protocol):
    """The host's half of Driver: one method inherited, one that gives another Protocol."""

    def First(self) -> Row: ...


class Add(Protocol):
    """A function, as a Protocol."""

    def __call__(self, a: int, b: int) -> int: ...


class WrongRow(Protocol):
    """Row with a wrong result."""

    def Get(self, column: int) -> str: ...


class WrongDriver(Protocol):
    """Driver with a wrong nested Protocol."""

    def First(self) -> WrongRow: ...


class Close(Protocol):
    """A method that Driver does not have."""

    def Close(self) -> None: ...


class Optional(Protocol):
    """A method that may be None."""

    def Extra(self) -> int: ...


class Attribute(Protocol):
    """A method as an attribute."""

    Name: str


class Unknown(Protocol):
    """An annotation that names nothing."""

    def Name(self) -> "Nowhere": ...  # type: ignore[name-defined]  # noqa: F821


@pytest.fixture(scope="module")
def p(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin."""
    folder = tmp_path_factory.mktemp("types")
    (folder / "types.c").write_text(SOURCE, encoding="utf-8")
    words = ("-shared", "-fPIC", "-I", support.include_directory(), folder / "types.c", "-o", folder / "types.so")
    support.run(*support.compiler_command(), *words)
    return plugin.open(folder / "types.so")


class TestHolds:
    """Assertions that hold."""

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("add", Callable[[int, int], int]),
            ("add", typing.Callable[[int, int], int]),
            ("add", Callable[..., int]),
            ("add", Callable),
            ("add", Callable[..., Any]),
            ("add", Callable[[Any, int], object]),
            ("add", Any),
            ("add", Add),
            ("add", Callable[[typing.Annotated[int, "metres"], int], int]),
            ("half", Callable[[float], float]),
            ("negate", Callable[[bool], bool]),
            ("echo", Callable[[str], str]),
            ("echo", Callable[[bytes], str]),
            ("raw", Callable[[bytes], bytes]),
            ("maybe", Callable[[str | None], str | None]),
            ("maybe", Callable[[str], typing.Optional[str]]),  # noqa: UP045
            ("nothing", Callable[[], None]),
            ("divide", Callable[[int, int], tuple[int, int]]),
            ("mean", Callable[[NDArray[np.float64]], float]),
            ("mean", Callable[[memoryview], float]),
            ("scale", Callable[[NDArray[np.float32]], None]),
            ("scale", Callable[[bytearray], None]),
            ("send", Callable[[bytes], None]),
            ("new_driver", Callable[[], Driver]),
            ("new_driver", Callable[[], Named]),
            ("use_driver", Callable[[Driver], None]),
            ("level", int),
            ("ratio", float),
            ("title", str),
        ],
    )
    def test_holds(self, p: Any, name: str, hint: Any) -> None:
        """What the declaration says is accepted, and gives what lookup without a type gives."""
        assert p.lookup(name, hint) is p.lookup(name)
        assert p.symbols[name].as_type(hint) == p.lookup(name)


class TestDiffers:
    """Assertions that do not hold."""

    @pytest.mark.parametrize(
        ("name", "hint", "words"),
        [
            ("add", Callable[[int], int], ["2 argument", "(a, b)"]),
            ("add", Callable[[int, str], int], ["argument b", "int, not str"]),
            ("add", Callable[[int, int], float], ["result", "int, not float"]),
            ("add", Callable[[int, int], None], ["result", "not None"]),
            ("add", Callable[[int, bool], int], ["argument b", "not bool"]),
            ("add", Callable[[int | None, int], int], ["argument a", "never None"]),
            ("add", int, ["function, not int"]),
            ("half", Callable[[int], float], ["argument x", "float, not int"]),
            ("echo", Callable[[str], bytes], ["result", "not bytes"]),
            ("raw", Callable[[bytes], str], ["result", "not str"]),
            ("maybe", Callable[[str | None], str], ["may be None"]),
            ("nothing", Callable[[], int], ["None, not int"]),
            ("divide", Callable[[int, int], int], ["tuple of 2"]),
            ("divide", Callable[[int, int], tuple[int]], ["tuple of 2"]),
            ("divide", Callable[[int, int], tuple[int, str]], ["int, not str"]),
            ("mean", Callable[[NDArray[np.float32]], float], ["argument x"]),
            ("mean", Callable[[NDArray[np.int64]], float], ["argument x"]),
            ("mean", Callable[[bytes], float], ["argument x"]),
            ("scale", Callable[[bytes], None], ["argument x"]),
            ("new_driver", Callable[[], Close], ["Driver has no method Close"]),
            ("new_driver", Callable[[], WrongDriver], ["Driver.First", "Row.Get", "double, not str"]),
            ("new_driver", Callable[[], Optional], ["Driver.Extra", "may be None"]),
            ("new_driver", Callable[[], Attribute], ["Driver.Name", "method, not an attribute"]),
            ("new_driver", Callable[[], int], ["Driver *, not int"]),
            ("new_driver", Callable[[], plugin.Pointer], ["Driver *", "Pointer"]),
            ("level", float, ["int, not float"]),
            ("level", str, ["int, not str"]),
            ("title", bytes, ["not bytes"]),
            ("ratio", int, ["double, not int"]),
            ("level", Callable[[], int], ["int, not Callable"]),
        ],
    )
    def test_differs(self, p: Any, name: str, hint: Any, words: list[str]) -> None:
        """The error names the symbol, the declaration, what was asserted and where they differ."""
        with pytest.raises(plugin.SymbolTypeError) as caught:
            p.lookup(name, hint)

        message = str(caught.value)
        assert [] == [word for word in [name, p.symbols[name].declaration, *words] if word not in message], message

    def test_every_difference(self, p: Any) -> None:
        """All differences are told, not the first alone."""
        with pytest.raises(plugin.SymbolTypeError) as caught:
            p.lookup("add", Callable[[str, bytes], float])

        assert all(word in str(caught.value) for word in ("argument a", "argument b", "result"))

    def test_untyped(self, build: Any) -> None:
        """A Python type asserted of an untyped symbol says that there is no declaration, and how to give one."""
        plain = plugin.open(build("double half(double x) { return x / 2; }", "-fvisibility=default"))

        with pytest.raises(plugin.SymbolTypeError) as caught:
            plain.lookup("half", Callable[[float], float])

        assert "half" in str(caught.value)
        assert "declare" in str(caught.value)


class TestNoTypes:
    """Hints that are no types."""

    def test_unresolvable(self, p: Any) -> None:
        """An annotation that names nothing is a TypeError that tells the method and the name."""
        with pytest.raises(TypeError) as caught:
            p.lookup("new_driver", Callable[[], Unknown])

        assert "Unknown.Name" in str(caught.value)
        assert "Nowhere" in str(caught.value)

    @pytest.mark.parametrize(
        "hint",
        [
            5, 1.5, [], {}, set(), b"int (int, int)", object(), Ellipsis, NotImplemented, typing.TypeVar("T"),
            typing.Literal[3], typing.NoReturn, typing.Generic, typing.ForwardRef("int"), list[int], type, np.float64,
            Callable[[{}, []], 5], Callable[["int", "int"], "int"],
            Callable[[int, int], int] | None, Protocol,
        ],
    )  # fmt: skip
    def test_senseless(self, p: Any, hint: Any) -> None:
        """What is no type of that symbol is a TypeError, never anything worse."""
        for name in ("add", "level", "title", "mean"):
            with pytest.raises(TypeError):
                p.lookup(name, hint)

    def test_any_parameters(self, p: Any) -> None:
        """A ParamSpec stands for any parameters; the result is compared all the same."""
        parameters = typing.ParamSpec("parameters")

        assert p.lookup("add", Callable[parameters, int]) is p.lookup("add")
        with pytest.raises(plugin.SymbolTypeError):
            p.lookup("add", Callable[parameters, str])


class TestCheckers:
    """What mypy makes of the package's types; inference.py in tests/typing says what is inferred."""

    def mypy(self, *words: object) -> str:
        """What mypy --strict prints."""
        import subprocess

        command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file=", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True).stdout

    def test_inferred(self) -> None:
        """Everything that inference.py asserts is what mypy infers."""
        pytest.importorskip("mypy")

        assert "Success" in self.mypy(support.TESTS / "typing" / "inference.py")

    def test_mistakes(self, tmp_path: Path) -> None:
        """Wrong uses are reported, each in its line."""
        pytest.importorskip("mypy")
        lines = """import plugin; from collections.abc import Callable; p = plugin.open("x.so")
p.lookup(5)
p.lookup("add", Callable[[int], int])("text")
n: str = p.lookup("add", Callable[[int], int])(1)
plugin.open(5)
plugin.open("x.so", "int f(int);")
p.symbols["add"].nothing
p.name = "other"
p.declare(b"int f(int);")
plugin.Pointer("address")
plugin.inspect("x.so").records[0].size + "text"
"""
        (tmp_path / "mistakes.py").write_text(lines, encoding="utf-8")
        reported = {
            int(line.split(":")[1]) for line in self.mypy(tmp_path / "mistakes.py").splitlines() if ": error:" in line
        }

        assert set(range(2, 12)) == reported
