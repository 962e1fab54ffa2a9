"""Enums as IntEnum, and documentation."""

import enum
import pydoc

import natives
import pytest

import plugin

SOURCE = """
#include <plugin.h>
PLUGIN("enums/one", "1");
PLUGIN_ENUM(Level, { LOW = 1, MIDDLE, HIGH = LOW << 4 | 2, SAME = HIGH, BELOW = -3, NEXT });
PLUGIN_ENUM(Wide, { FAR = 1LL << 40, NEAR = -1 });
PLUGIN_ENUM(Top, { ALL = 0xffffffff, NONE = 0 });
PLUGIN_DECLARE(enum { ANONYMOUS = 4 };)
PLUGIN_STRUCT(Holder, { Level level; Wide wide; });
PLUGIN_FUNC(Level, next_level, (Level level)) { return level == LOW ? MIDDLE : level == MIDDLE ? HIGH : (Level)99; }
PLUGIN_FUNC(int, number, (Level level)) { return (int)level; }
PLUGIN_FUNC(void, out, (Level *level plugin_out, Wide *wide plugin_inout))
    { *level = BELOW; *wide = *wide == FAR ? NEAR : FAR; }
PLUGIN_FUNC(Wide, wide, (Wide value)) { return value; }
PLUGIN_FUNC(Top, top, (Top value)) { return value; }
PLUGIN_FUNC(int, sized, (const int x[ANONYMOUS])) { return x[3]; }
PLUGIN_VAR(Level, current) = LOW;
PLUGIN_DOC(number, "The number of a level.\\nNothing more: äöü.");
"""


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """The plugin of this file."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE))


class TestValues:
    """The class, and what its members are worth."""

    def test_class(self, p):
        """lookup gives an IntEnum of that name, whose values are the compiler's."""
        level = p.lookup("Level")

        assert issubclass(level, enum.IntEnum)
        assert "Level" == level.__name__
        assert {"LOW": 1, "MIDDLE": 2, "HIGH": 18, "SAME": 18, "BELOW": -3, "NEXT": -2} == {
            name: int(member) for name, member in level.__members__.items()
        }

    def test_alias(self, p):
        """Two names of one value are one member."""
        level = p.lookup("Level")

        assert level.SAME is level.HIGH

    def test_wide(self, p):
        """Values of eight bytes, and unsigned ones, keep all their bits."""
        wide, top = p.lookup("Wide"), p.lookup("Top")

        assert wide.FAR is p.lookup("wide")(1 << 40)
        assert wide.NEAR is p.lookup("wide")(wide.NEAR)
        assert 0xFFFFFFFF == top.ALL
        assert top.ALL is p.lookup("top")(0xFFFFFFFF)

    def test_unnamed(self, p):
        """The constants of an enum without a name are ints for lengths and the like."""
        with pytest.raises(ValueError, match="4"):
            p.lookup("sized")(memoryview(bytearray(12)).cast("i"))
        assert 0 == p.lookup("sized")(memoryview(bytearray(16)).cast("i"))

    def test_same(self, p, build):
        """The same enum in two plugins is one class; another of that name is not."""
        text = (
            '#include <plugin.h>\nPLUGIN("enums/%s", "1");\nPLUGIN_ENUM(Level, { %s });\n'
            "PLUGIN_FUNC(Level, get, (void)) { return 1; }"
        )
        same = "LOW = 1, MIDDLE = 2, HIGH = 18, SAME = 18, BELOW = -3, NEXT"
        two, three = (plugin.open(build(text % (n, body))) for n, body in enumerate([same, "LOW = 1"]))

        assert two.lookup("Level") is p.lookup("Level")
        assert two.lookup("get")() is p.lookup("Level").LOW
        assert three.lookup("Level") is not p.lookup("Level")


class TestCalls:
    """Enums as arguments and results."""

    def test_results(self, p):
        """A result is the member; a value that the enum does not have is an int."""
        level, step = p.lookup("Level"), p.lookup("next_level")

        assert step(level.LOW) is level.MIDDLE
        assert step(2) is level.HIGH
        assert (99, int) == (step(level.BELOW), type(step(level.BELOW)))

    @pytest.mark.parametrize("wrong", [3, 0, -1, 2**31 - 1])
    def test_unknown(self, p, wrong):
        """An int that the enum does not have is refused, naming it and the enum."""
        with pytest.raises(ValueError) as caught:
            p.lookup("number")(wrong)
        assert str(wrong) in str(caught.value)
        assert "Level" in str(caught.value)

    def test_wrong(self, p):
        """Text, floats and what is too large are refused."""
        for wrong, error in (("LOW", TypeError), (1.0, TypeError), (2**40, OverflowError)):
            with pytest.raises(error, match="level"):
                p.lookup("number")(wrong)

    def test_negative(self, p):
        """Negative members pass both ways."""
        assert [-3, -2] == [p.lookup("number")(x) for x in (p.lookup("Level").BELOW, -2)]

    def test_outs(self, p):
        """Results by pointer are members, too, and what goes in is checked."""
        level, wide = p.lookup("Level"), p.lookup("Wide")
        came = p.lookup("out")(wide.FAR)

        assert came[0] is level.BELOW
        assert came[1] is wide.NEAR
        with pytest.raises(ValueError, match="Wide"):
            p.lookup("out")(5)

    def test_places(self, p):
        """Members of structs and variables give members of the enum."""
        level, current = p.lookup("Level"), p.lookup("current")
        holder = p.lookup("Holder")(level=18, wide=-1)

        assert (level.HIGH, p.lookup("Wide").NEAR) == (holder.level, holder.wide)
        assert current.value is level.LOW
        current.value = level.NEXT
        assert current.value is level.NEXT
        current.value = 1
        with pytest.raises(ValueError, match="Level"):
            current.value = 77


class TestDocs:
    """PLUGIN_DOC."""

    def test_function(self, p):
        """Its text follows the declaration in __doc__, and help() shows both."""
        number = p.lookup("number")

        assert "int number(Level level)" in number.__doc__
        assert "The number of a level.\nNothing more: äöü." in number.__doc__
        assert "The number of a level." in pydoc.render_doc(number)
        assert "The number" not in p.lookup("sized").__doc__
