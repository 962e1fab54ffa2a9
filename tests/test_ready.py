"""Ready-made calls give what the general call gives, for every signature that has one, and refuse what it refuses."""

import array
import itertools
from typing import Any

import pytest
from hosting import manifest, unique
from natives import compiled

import plugin

C = {
    "I": "int64_t a{}",
    "J": "int32_t a{}",
    "D": "double a{}",
    "S": "const char *a{}",
    "B": "plugin_bytes const char *a{}",
    "H": "Box *a{}",
}
SUM = {
    "I": "a{0}",
    "J": "a{0}",
    "D": "a{0}",
    "S": "(double)strlen(a{0})",
    "B": "(double)strlen(a{0})",
    "H": "a{0}->value",
    "P": "a{0}[0] + a{0}[n - 1]",
}
RESULTS = {
    "V": ("void", "last = sum;"),
    "L": ("int64_t", "return (int64_t)sum;"),
    "J": ("int32_t", "return (int32_t)(int64_t)sum;"),
    "U": ("uint64_t", "return (uint64_t)(int64_t)sum;"),
    "D": ("double", "return sum;"),
    "S": ("const char *", 'static char text[40]; snprintf(text, sizeof text, "%.3f", sum); return text;'),
}
SHAPES = [
    "",
    *("".join(letters) for count in (1, 2, 3) for letters in itertools.product("IDS", repeat=count)),
    *("DDDD", "DDDDD", "DDDDDD", "IIII", "IIIII", "IIIIII", "J", "JJ", "JI", "IE", "DE", "SE", "IIE", "DDE"),
    *("PN", "NP", "PPN", "PNP", "NPP", "PND", "DPN", "PNI", "PNE", "PNPE", "PPNE", "DIDI", "SSSS", "IDSI"),
    *("B", "BI", "BB", "BE"),
    *("H", "HI", "HD", "HS", "HII", "HDD", "HPN", "HPNP", "HPPN", "HE", "HIE", "HDE", "HSE", "HPNE", "HPNPE"),
]
VALUES: dict[str, list[Any]] = {
    "I": [3, -(2**31) - 7, 2**52],
    "J": [5, -(2**31), 2**31 - 1],
    "D": [0.5, 3, -1e9],
    "S": ["abc", "", "ü"],
    "B": [b"abc", b"", b"\xff"],
}
ARRAYS = [array.array("d", [1.5, 2.5, 3.5]), memoryview(array.array("d", [7.0, 8.0, 9.0]))]
HEAD = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static __thread double last;
PLUGIN_FUNC(double, take_last, (void)) { double taken = last; last = 0; return taken; }
"""


def function(result, shape, name, owner=""):
    """The C text of a function of that shape, which adds up its arguments, and fails where the sum is 13."""
    kinds = {**C, "P": "const double *a{} plugin_count(n)", "N": "size_t n", "E": "plugin_error *error"}
    parameters = [kinds[letter].format(i) for i, letter in enumerate(shape)]
    terms = [SUM[letter].format(i) for i, letter in enumerate(shape) if letter in SUM]
    fail = 'if (sum == 13) plugin_fail(error, 4, "thirteen");' if "E" in shape else ""
    kind, body = RESULTS[result]
    if owner:
        return (
            f"static {kind} {name}({', '.join(parameters)})",
            f"{{ double sum = {' + '.join(terms)}; {fail} {body} }}",
        )
    code = f"{{ double sum = {' + '.join(['0.0', *terms])}; {fail} {body} }}"
    return f"PLUGIN_FUNC({kind}, {name}, ({', '.join(parameters) or 'void'})) {code}\n"


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """A plugin with a function of every shape and result, and a struct with the same as methods."""
    methods = [(r, s) for r in RESULTS for s in SHAPES if s.startswith("H")]
    members, bodies, setters = [], [], []
    for result, shape in methods:
        name = f"m{result}{shape}"
        head, body = function(result, shape, f"box_{name}", "Box")
        bodies.append(f"{head} {body}\n")
        members.append(head.replace(f"box_{name}", f"(*{name})").removeprefix("static ") + ";")
        setters.append(f"box.{name} = box_{name};")
    source = [
        HEAD,
        f"PLUGIN_STRUCT(Box, {{ {' '.join(members)} int64_t value; }});\n",
        *(function(r, s, f"f{r}{s}") for r in RESULTS for s in SHAPES),
        *bodies,
        "static Box box;\n",
        f"PLUGIN_FUNC(Box *, get_box, (void)) {{ {' '.join(setters)} box.value = 40; return &box; }}\n",
        "PLUGIN_FUNC(Box *, same_box, (Box *a0)) { return a0; }\n",
    ]
    return plugin.open(compiled(tmp_path_factory, manifest("".join(source))))


def arguments(shape, p):
    """Some lists of arguments for a shape, as Python passes them."""
    box = p.lookup("get_box")()
    choices = {**VALUES, "P": ARRAYS, "H": [box]}
    used = [choices[letter] for letter in shape if letter in choices]
    longest = max(map(len, used), default=1)
    return [tuple(values[(i + k) % len(values)] for k, values in enumerate(used)) for i in range(longest)]


def outcome(p, call):
    """What a call gives, or how it fails, and what it left in `last`."""
    p.lookup("take_last")()
    try:
        given = call()
    except Exception as error:
        given = type(error), str(error)
    return given, p.lookup("take_last")()


def names(shape):
    return [f"a{i}" for i, letter in enumerate(shape) if letter not in "NE"]


@pytest.mark.parametrize("shape", SHAPES)
class TestEveryShape:
    """Calls by position, which are ready-made, beside the same by name, which are general."""

    def test_values(self, p, shape):
        """Both give the same, for usual values, large ones and those that need a conversion."""
        for result, values in itertools.product(RESULTS, arguments(shape, p)):
            f = p.lookup(f"f{result}{shape}")
            expected = outcome(p, lambda: f(**dict(zip(names(shape), values, strict=True))))  # noqa: B023

            assert expected == outcome(p, lambda: f(*values)), (result, values)  # noqa: B023
            if result == "D" and "S" not in shape:
                assert isinstance(expected[0], float)

    def test_methods(self, p, shape):
        """So do methods of an object."""
        if not shape.startswith("H"):
            return
        box = p.lookup("get_box")()
        for result, values in itertools.product(RESULTS, arguments(shape, p)):
            method = getattr(box, f"m{result}{shape}")
            named = dict(zip(names(shape)[1:], values[1:], strict=True))

            assert outcome(p, lambda: method(*values[1:])) == outcome(p, lambda: method(**named))  # noqa: B023
            assert outcome(p, lambda: method(*values[1:])) == outcome(p, lambda: p.lookup(f"f{result}{shape}")(*values))  # noqa: B023

    def test_refusals(self, p, shape):
        """What the general call refuses they refuse in the same words, and nothing is held afterwards."""
        f = p.lookup(f"fD{shape}")
        right = arguments(shape, p)[0]
        for i in range(len(right)):
            for odd in (
                None,
                b"x",
                b"a\0b",
                object(),
                2**70,
                "a\0b",
                array.array("f", [1]),
                array.array("d"),
                bytearray(4),
                1j,
            ):
                values = (*right[:i], odd, *right[i + 1 :])
                named = dict(zip(names(shape), values, strict=True))

                assert outcome(p, lambda: f(*values)) == outcome(p, lambda: f(**named)), values  # noqa: B023
                if isinstance(odd, bytearray):
                    odd.append(1)  # no buffer of it is held
        with pytest.raises(TypeError):
            f(*right, 1)
        if right:
            with pytest.raises(TypeError):
                f(*right[:-1])


class TestFailures:
    """Functions that report a failure."""

    def test_failure(self, p):
        """It is raised as a CallError that names the function."""
        for result in RESULTS:
            with pytest.raises(plugin.CallError) as caught:
                p.lookup(f"f{result}IE")(13)

            assert f"f{result}IE" in str(caught.value)
            assert "thirteen" in str(caught.value)
            assert 4 == caught.value.code

    def test_lengths(self, p):
        """Arrays that disagree on a length are refused, and let go of."""
        x, y = array.array("d", [1, 2]), array.array("d", [1, 2, 3])
        with pytest.raises(ValueError, match="length"):
            p.lookup("fDPPN")(x, y)

        x.append(3)
        assert 8.0 == p.lookup("fDPPN")(x, y)


class TestCallbacks:
    """Ready-made entry points of callbacks."""

    @pytest.mark.parametrize("parameters", ["int64_t x", "double x", "int64_t x, double y", "double x, double y"])
    @pytest.mark.parametrize("result", ["int64_t", "int32_t", "double"])
    def test_lost_data(self, tmp_path_factory, result, parameters):
        """Where the plugin gives NULL back instead of the data, the callback is zero and nothing is called."""
        values = ", ".join(["3"] * (parameters.count(",") + 1))
        text = f"PLUGIN_FUNC({result}, f, ({result} (*call)({parameters}, void *data), void *data))"
        path = compiled(tmp_path_factory, manifest(f"{text} {{ (void)data; return call({values}, NULL); }}", unique()))

        assert 0 == plugin.open(path).lookup("f")(lambda *_: 7)
