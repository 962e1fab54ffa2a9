"""Functions of up to eight numbers in any order: what arrives in C, what comes back, and what is refused."""

import itertools
import random

import pytest
from hosting import manifest
from natives import compiled

import plugin

INTEGERS = ["int8_t", "bool", "uint16_t", "int32_t", "uint64_t", "int64_t", "uint8_t", "uint32_t", "int16_t"]
FLOATS = ["double", "float", "double"]
RESULTS = ["void", "bool", "int8_t", "uint32_t", "int32_t", "int64_t", "uint64_t", "float", "double", "const char *"]
PAIRS = [(i, d) for i in range(9) for d in range(9 - i)]
GIVEN = {"const char *": '"text"', "void": ""}


def bits(kind):
    """How many bits an integer type has."""
    return int("".join(c for c in kind if c.isdigit()))


def parameters(integers, floats):
    """The types of that many parameters, in an order of their own."""
    kinds = [*itertools.islice(itertools.cycle(INTEGERS), integers), *itertools.islice(itertools.cycle(FLOATS), floats)]
    random.Random(10 * integers + floats).shuffle(kinds)
    return kinds


def edges(kind):
    """Values of a type: the usual, the ends of its range, and those between which Python keeps an int otherwise."""
    if kind == "bool":
        return [True, False]
    if kind in FLOATS:
        return [1.5, -0.0, float("inf"), 3, -(2**20)]
    least, most = (-(2 ** (bits(kind) - 1)), 2 ** (bits(kind) - 1) - 1) if kind[0] == "i" else (0, 2 ** bits(kind) - 1)
    steps = [sign * (2**power + by) for power in (30, 60, 62) for by in (-1, 0, 1) for sign in (1, -1)]
    return [7, 0, least, most, least + 1, *(step for step in steps if least <= step <= most)]


def spelled(kind, value):
    """How C prints it."""
    return float(value).hex() if kind in FLOATS else str(int(value))


def note(kind):
    """The C text that prints one."""
    if kind in FLOATS:
        return '"%a ", (double)'
    return '"%lld ", (long long)' if kind[0] == "i" else '"%llu ", (unsigned long long)'


def function(result, integers, floats):
    """The C text of a function that notes what it is given."""
    kinds = parameters(integers, floats)
    names = ", ".join(f"{kind} a{i}" for i, kind in enumerate(kinds)) or "void"
    notes = "".join(f"at += sprintf(at, {note(kind)}a{i});" for i, kind in enumerate(kinds))
    body = f"char *at = text; *at = 0; {notes} return {GIVEN.get(result, f'({result})-1')};"
    name = f"f{RESULTS.index(result)}_{integers}_{floats}"
    return f"PLUGIN_FUNC(plugin_threadsafe {result}, {name}, ({names})) {{ {body} }}\n"


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """A plugin with a function for every number of integers and of floats, some with every result."""
    source = [
        "#include <stdio.h>\n#include <stdint.h>\nstatic __thread char text[400];\n",
        "PLUGIN_FUNC(const char *, taken, (void)) { return text; }\n",
        *(
            f"PLUGIN_FUNC(plugin_threadsafe {kind}, same_{kind}, ({kind} a)) {{ return a; }}\n"
            for kind in (*INTEGERS, "float")
        ),
        *(function("int64_t", i, d) + function("double", i, d) for i, d in PAIRS),
        *(
            function(result, *pair)
            for result in RESULTS
            if result not in ("int64_t", "double")
            for pair in [(0, 0), (2, 1), (5, 3)]
        ),
    ]
    return plugin.open(compiled(tmp_path_factory, manifest("".join(source))))


@pytest.fixture
def taken(p):
    """What the last function was given, as C prints it."""
    return lambda: [
        float.fromhex(word).hex() if "x" in word or "n" in word else word for word in p.lookup("taken")().split()
    ]


@pytest.mark.parametrize(("integers", "floats"), PAIRS)
class TestEveryNumber:
    """Every number of integers beside every number of floats."""

    def test_values(self, p, taken, integers, floats):
        """Each argument arrives, by position and by name."""
        kinds = parameters(integers, floats)
        choices = [edges(kind) for kind in kinds]
        for result, round in itertools.product(("int64_t", "double"), range(max(map(len, choices), default=1))):
            values = [choice[round % len(choice)] for choice in choices]
            expected = [spelled(kind, value) for kind, value in zip(kinds, values, strict=True)]
            f = p.lookup(f"f{RESULTS.index(result)}_{integers}_{floats}")

            for call in (f, p.symbols[f.__name__]._general()):
                assert -1 == call(*values)
                assert expected == taken()
                assert -1 == call(**{f"a{i}": value for i, value in enumerate(values)})
                assert expected == taken()

    def test_refusals(self, p, taken, integers, floats):
        """What does not fit is refused, and nothing is called: as in a call by name."""
        kinds = parameters(integers, floats)
        f = p.lookup(f"f{RESULTS.index('int64_t')}_{integers}_{floats}")
        right = [edges(kind)[0] for kind in kinds]
        f(*right)
        before = taken()
        for i, kind in enumerate(kinds):
            odd = [None, "1", 1j, 10**400] + ([] if kind in FLOATS else [1.0])
            odd += [edges(kind)[2] - 1, edges(kind)[3] + 1] if kind.endswith("_t") else []
            odd += [1e300] if kind == "float" else []
            for value in odd:
                values = [*right[:i], value, *right[i + 1 :]]
                with pytest.raises((TypeError, OverflowError)) as caught:
                    f(*values)
                with pytest.raises(caught.type) as named:
                    f(**{f"a{k}": value for k, value in enumerate(values)})

                assert str(named.value) == str(caught.value)
                assert f"'a{i}'" in str(caught.value)
        assert before == taken()
        with pytest.raises(TypeError):
            f(*right, 1)
        with pytest.raises(TypeError):
            f(*right[1:], **{} if right else {"a0": 1})


class TestResults:
    """Every result."""

    @pytest.mark.parametrize("result", RESULTS)
    @pytest.mark.parametrize("pair", [(0, 0), (2, 1), (5, 3)])
    def test_result(self, p, result, pair):
        """It comes back as its own type, of which -1 is what C makes of it."""
        f = p.lookup(f"f{RESULTS.index(result)}_{pair[0]}_{pair[1]}")
        given = f(*(edges(kind)[0] for kind in parameters(*pair)))

        expected = {"void": None, "bool": True, "uint32_t": 2**32 - 1, "uint64_t": 2**64 - 1, "const char *": "text"}
        assert expected.get(result, -1) == given
        assert (type(given) is float) == (result in FLOATS)

    @pytest.mark.parametrize("kind", INTEGERS)
    def test_integers(self, p, kind):
        """An integer of any size goes there and back."""
        for value in edges(kind):
            given = p.lookup(f"same_{kind}")(value)

            assert (value, type(value)) == (given, type(given))

    def test_narrow(self, p):
        """A double is rounded to a float; one that is too large for it is refused, infinity and NaN are not."""
        same = p.lookup("same_float")

        assert 0.1 != same(0.1)
        assert 0.1 == pytest.approx(same(0.1), rel=1e-7)
        assert float("-inf") == same(float("-inf"))
        assert same(float("nan")) != same(float("nan"))
        with pytest.raises(OverflowError):
            same(1e39)

    def test_objects(self, p):
        """Numbers of other types are converted as in the general call."""

        class Seven:
            def __index__(self):
                return 7

        assert 7 == p.lookup("same_int8_t")(Seven())
