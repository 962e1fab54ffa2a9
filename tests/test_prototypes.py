"""Random prototypes of up to 20 mixed arguments: what arrives in C, and what comes back.

PLUGIN_TEST_SEED=n repeats a run; PLUGIN_TEST_PROTOTYPES=n makes another number of prototypes.
"""

import math
import os
import random
import struct
import subprocess
import sys

import natives
import pytest
import support

import plugin

SEED = int(os.environ.get("PLUGIN_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
COUNT = int(os.environ.get("PLUGIN_TEST_PROTOTYPES", "300"))
FILES = 3

# C type -> the letter of the struct module for its bytes
SCALARS = {
    "bool": "?",
    "char": "b" if support.CHAR_MIN < 0 else "B",
    "signed char": "b",
    "uint8_t": "B",
    "short": "h",
    "uint16_t": "H",
    "int": "i",
    "unsigned": "I",
    "long": "q",
    "uint64_t": "Q",
    "long long": "q",
    "size_t": "N",
    "float": "f",
    "double": "d",
}
TEXT = "const char *"
ARGUMENTS = [*SCALARS, "float", "double", "double", TEXT]
RESULTS = ["void", *SCALARS, TEXT]

HEAD = """
#include <plugin.h>
#include <stddef.h>
#include <string.h>
PLUGIN("prototypes/%d", "1");
static unsigned char memory[20 * 64], *next;
static void keep(const void *x, size_t size) { memcpy(next, x, size); next += size; }
static void keep_text(const char *x) { size_t size = strlen(x) + 1; keep(x, size); }
PLUGIN_FUNC(size_t, taken, (void *to))
{
    memcpy(to, memory, sizeof memory);
    return (size_t)(next - memory);
}
"""


def draw_prototype(rng, number):
    """A name, a result type and the types of up to 20 arguments; every third is long, or all of one kind."""
    most = rng.choice([3, 8, 20, 20])
    pool = rng.choice([ARGUMENTS, ARGUMENTS, ["float", "double"], ["int", "uint8_t", TEXT, "size_t"]])
    return f"f{number}", rng.choice(RESULTS), [rng.choice(pool) for _ in range(rng.randint(0, most))]


def draw_value(rng, kind):
    """A value of the type: an edge of its range, or anything between."""
    if kind == TEXT:
        return "".join(rng.choice("abc äé世") for _ in range(rng.randint(0, 12)))
    letter = SCALARS[kind]
    if letter == "?":
        return rng.random() < 0.5
    if letter in ("f", "d"):
        value = rng.choice([0.0, -0.0, math.inf, -math.inf, 1.0, rng.gauss(0, 1), rng.gauss(0, 1e30)])
        return struct.unpack(letter, struct.pack(letter, value))[0]
    bits = 8 * struct.calcsize(letter)
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if letter.islower() else (0, 2**bits - 1)
    return rng.choice([least, most, 0, 1, rng.randint(least, most), rng.randint(least, most)])


def native_bytes(kind, value):
    """The bytes of a value as C keeps it."""
    return value.encode() + b"\0" if kind == TEXT else struct.pack(SCALARS[kind], value)


def define(name, result, kinds):
    """The C function: it keeps what it was given, byte for byte, and returns the result that the test put in."""
    parameters = ", ".join(f"{kind} a{i}" for i, kind in enumerate(kinds)) or "void"
    keep = {True: "keep_text(a{0});", False: "keep(&a{0}, sizeof a{0});"}
    keeps = " ".join(keep[kind == TEXT].format(i) for i, kind in enumerate(kinds))
    if result == "void":
        return f"PLUGIN_FUNC(void, {name}, ({parameters})) {{ next = memory; {keeps} }}\n"
    variable = f"static {result} {name}_gives;\n"
    setter = (
        f"static char {name}_text[64];\n"
        f"PLUGIN_FUNC(void, {name}_set, (const char *x)) {{ strcpy({name}_text, x); {name}_gives = {name}_text; }}\n"
        if result == TEXT
        else f"PLUGIN_FUNC(void, {name}_set, (const void *x)) {{ memcpy(&{name}_gives, x, sizeof {name}_gives); }}\n"
    )
    function = f"PLUGIN_FUNC({result}, {name}, ({parameters})) {{ next = memory; {keeps} return {name}_gives; }}\n"
    return variable + setter + function


def draw_all():
    """All prototypes of the seed."""
    rng = random.Random(SEED)
    return [draw_prototype(rng, number) for number in range(COUNT)]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """The libraries that hold the prototypes, each one in turn."""
    made = draw_all()
    sources = [HEAD % n + "".join(define(*prototype) for prototype in made[n::FILES]) for n in range(FILES)]
    return [
        natives.compiled(tmp_path_factory, source, "-Wno-unused", "-O2" if n else "-O0")
        for n, source in enumerate(sources)
    ]


def set_result(p, name, result, value):
    """Let the function return that value."""
    p.lookup(f"{name}_set")(value if result == TEXT else native_bytes(result, value))


def check_positional(plugins):
    """Call each function with random values, and compare every byte that arrived and came back."""
    rng = random.Random(SEED + 1)
    memory = bytearray(20 * 64)
    for number, (name, result, kinds) in enumerate(draw_all()):
        p = plugins[number % FILES]
        function, taken = p.lookup(name), p.lookup("taken")
        for _ in range(3):
            values = [draw_value(rng, kind) for kind in kinds]
            given = None if result == "void" else draw_value(rng, result)
            if given is not None:
                set_result(p, name, result, given)
            came = function(*values)
            size = taken(memory)
            what = (p.symbols[name].declaration, values, given, came)
            assert b"".join(map(native_bytes, kinds, values)) == memory[:size], what
            assert type(given) is type(came), what
            assert given is None or native_bytes(result, given) == native_bytes(result, came), what


def check_keywords(plugins):
    """The same by keyword, in another order."""
    rng = random.Random(SEED + 2)
    memory = bytearray(20 * 64)
    for number, (name, result, kinds) in enumerate(draw_all()):
        p = plugins[number % FILES]
        if result == TEXT:
            set_result(p, name, result, "")
        values = [draw_value(rng, kind) for kind in kinds]
        named = [(f"a{i}", value) for i, value in enumerate(values)]
        rng.shuffle(named)
        p.lookup(name)(**dict(named))
        assert b"".join(map(native_bytes, kinds, values)) == memory[: p.lookup("taken")(memory)], (name, kinds)


class TestRandom:
    """Random prototypes with random values, in a process of their own: a wrong call may end it."""

    @pytest.mark.parametrize("check", ["check_positional", "check_keywords"])
    def test_same(self, paths, check):
        """Every argument arrives, and every result comes back, with all its bits; by keyword in any order, too."""
        environment = {**os.environ, "PLUGIN_TEST_SEED": str(SEED)}
        words = [sys.executable, __file__, check, *paths]
        done = subprocess.run(words, env=environment, capture_output=True, text=True)

        assert (done.returncode, done.stdout) == (0, "done\n"), f"PLUGIN_TEST_SEED={SEED}\n{done.stderr}"

    def test_worth_it(self):
        """The prototypes are such that arguments of both kinds go on the stack, and every type is drawn."""
        lists = [kinds for *_, kinds in draw_all()]
        floats = [sum(kind in ("float", "double") for kind in kinds) for kinds in lists]
        integers = [len(kinds) - count for kinds, count in zip(lists, floats, strict=True)]

        assert sum(count > 8 for count in floats) >= COUNT // 100
        assert sum(count > 8 for count in integers) >= COUNT // 100
        assert set(ARGUMENTS) == {kind for kinds in lists for kind in kinds}
        assert set(RESULTS) == {result for _, result, _ in draw_all()}


class TestStack:
    """How many words go on the stack."""

    def make(self, integers, floats):
        """A function of so many arguments, whose result tells their order: a polynomial of a large prime's powers."""
        parameters = [f"int64_t i{n}" for n in range(integers)] + [f"double d{n}" for n in range(floats)]
        terms = [f"h = h * 31 + (uint64_t)i{n};" for n in range(integers)]
        terms += [f"h = h * 31 + (uint64_t)d{n};" for n in range(floats)]
        body = "uint64_t h = 7; " + " ".join(terms) + " return h;"
        return f"uint64_t f({', '.join(parameters)})", body

    def hash(self, values):
        """The same polynomial."""
        h = 7
        for value in values:
            h = (h * 31 + int(value)) % 2**64
        return h

    @pytest.mark.parametrize("words", [0, 1, 7, 8, 9, 16, 31, 32])
    @pytest.mark.parametrize("which", ["integers", "floats", "both"])
    def test_words(self, build, words, which):
        """Up to 32 words go on the stack, whatever they are."""
        registers = (6, 8) if support.CHAR_MIN < 0 else (8, 8)
        counts = {"integers": (words, 0), "floats": (0, words), "both": (words // 2, words - words // 2)}[which]
        integers, floats = (a + b for a, b in zip(registers, counts, strict=True))
        declaration, body = self.make(integers, floats)
        source = f'#include <stdint.h>\n__attribute__((visibility("default"))) {declaration} {{ {body} }}'
        f = plugin.open(build(source), declare=declaration + ";").lookup("f")
        values = list(range(1, integers + 1)) + [100.0 + n for n in range(floats)]

        assert self.hash(values) == f(*values)

    @pytest.mark.parametrize(("integers", "floats"), [(41, 0), (0, 41), (26, 28)])
    def test_too_many(self, build, integers, floats):
        """More than 32 words are refused when the declaration is read, naming the function and both numbers."""
        declaration, body = self.make(integers, floats)
        source = f'#include <stdint.h>\n__attribute__((visibility("default"))) {declaration} {{ {body} }}'
        p = plugin.open(build(source))
        with pytest.raises(plugin.DeclarationError) as caught:
            p.declare(declaration + ";")

        assert '"f"' in str(caught.value)
        assert "stack" in str(caught.value)
        assert "32" in str(caught.value)


if __name__ == "__main__":
    globals()[sys.argv[1]]([plugin.open(path) for path in sys.argv[2:]])
    print("done")
