"""Enums: their values as members of an IntEnum, in every width that a compiler gives them."""

import enum
from collections.abc import Callable
from typing import Any

import natives
import pytest

import plugin

# What no declaration of the host would say: whole registers, in which the test sees every bit.
SOURCE = """
#include <stdint.h>
#define EXPORT __attribute__((visibility("default")))
EXPORT int64_t word(int64_t x) { return x; }
typedef int64_t W;
EXPORT W ninth(W a, W b, W c, W d, W e, W f, W g, W h, W i) { return i; }
EXPORT void write_word(int64_t *x) { *x = -2; }
EXPORT void write_zero(int64_t *x) { *x = 0; }
"""
ENUMS = {  # bits, whether it is signed, and the members
    "plain": (32, False, {"A": 1, "B": 2, "LAST": 0xFFFFFFFE}),
    "signs": (32, True, {"C": -2, "D": -1, "ZERO": 0, "LEAST": -(2**31)}),
    "large": (64, False, {"E": 0x100000000, "F": 0}),
    "large_signs": (64, True, {"G": -2, "H": 0x100000000, "BOTTOM": -(2**63) + 1}),
}
DECLARATIONS = "".join(
    f"enum {name} {{ {', '.join(f'{member} = {value}' for member, value in members.items())} }};"
    for name, (_, _, members) in ENUMS.items()
)
Library = Callable[[str, str], Any]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A function that gives a symbol of the library as a function of the type that it is told."""
    p = plugin.open(natives.compiled(tmp_path_factory, SOURCE), declare=DECLARATIONS)
    return lambda name, declaration: p.symbols[name].as_type(declaration)


@pytest.mark.parametrize("name", ENUMS)
class TestEnums:
    """Enums that the host or a plugin declares."""

    def test_members(self, library: Library, name: str) -> None:
        """Members and their numbers go in; the member itself comes out, of a class with the enum's name and members."""
        function = library("word", f"enum {name} (enum {name} x)")
        _, _, members = ENUMS[name]
        kind = type(function(next(iter(members.values()))))

        assert issubclass(kind, enum.IntEnum)
        assert (name, members) == (kind.__name__, {member.name: member.value for member in kind})
        for member in kind:
            assert function(member) is member
            assert function(member.value) is member

    def test_other_numbers(self, library: Library, name: str) -> None:
        """A number that the enum has not is a ValueError that names argument, enum and number."""
        function = library("word", f"enum {name} (enum {name} x)")

        for value in (3, 77):
            with pytest.raises(ValueError, match="'x'") as caught:
                function(value)
            assert str(value) in str(caught.value)
            assert f"enum {name}" in str(caught.value)

    def test_beyond(self, library: Library, name: str) -> None:
        """What its integer type cannot hold is an OverflowError, as of any integer."""
        function = library("word", f"enum {name} (enum {name} x)")
        bits, signed, _ = ENUMS[name]

        for value in (2 ** (bits - signed), -(2 ** (bits - 1)) - 1, 10**30):
            with pytest.raises(OverflowError, match="'x'"):
                function(value)

    @pytest.mark.parametrize("wrong", [1.0, "A", None, [1]])
    def test_no_integer(self, library: Library, name: str, wrong: object) -> None:
        """What has no __index__ is a TypeError, a member's name too."""
        with pytest.raises(TypeError, match="'x'"):
            library("word", f"enum {name} (enum {name} x)")(wrong)

    def test_extended(self, library: Library, name: str) -> None:
        """A narrow argument fills its whole register, as its sign says; on the stack too."""
        _, signed, members = ENUMS[name]
        whole = "int64_t" if signed else "uint64_t"
        spelling = f"enum {name}"
        some = next(iter(members.values()))
        register = library("word", f"{whole} ({spelling} x)")
        stack = library("ninth", f"{whole} ({', '.join([spelling] * 9)})")

        for value in members.values():
            assert value == register(value)
            assert value == stack(*[some] * 8, value)

    def test_garbage(self, library: Library, name: str) -> None:
        """Only the type's own bits of a result count; a number that the enum has not is an int."""
        bits, _, members = ENUMS[name]
        function = library("word", f"enum {name} (uint64_t x)")
        garbage = (0x5A5A5A5A5A5A5A5A << bits) % 2**64

        for value in members.values():
            assert value == function(value % 2**bits | garbage)
            assert isinstance(function(value % 2**bits | garbage), enum.IntEnum)
        assert 77 == function(77 | garbage)
        assert type(function(77 | garbage)) is int

    def test_out(self, library: Library, name: str) -> None:
        """A result by pointer is read in the type's own width."""
        bits, signed, members = ENUMS[name]
        value = library("write_word", f"void (enum {name} *x plugin_out)")()

        assert (-2 if signed else 2**bits - 2) == value
        assert isinstance(value, enum.IntEnum) is (value in members.values())


class TestWithoutName:
    """An enum that has no name."""

    def test_integers(self, library: Library) -> None:
        """It has constants, and no class: its values are ints, and no other numbers go in."""
        function = library("word", "enum { ONE = 1, TWO } (enum { UN = 1, DEUX } x)")

        assert 2 == function(2)
        assert type(function(1)) is int
