"""Random structs: sizes, offsets and values as Python sees them, and as the compiler does.

PLUGIN_TEST_SEED=n repeats a run; PLUGIN_TEST_STRUCTS=n makes another number of structs.
"""

import os
import random
import struct
import subprocess
import sys
from typing import Any

import natives
import numpy as np
import pytest

import plugin

SEED = int(os.environ.get("PLUGIN_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
COUNT = int(os.environ.get("PLUGIN_TEST_STRUCTS", "1000"))
FILES = 2

# C type -> the letter of the struct module for its bytes
SCALARS = {
    "bool": "?", "signed char": "b", "uint8_t": "B", "short": "h", "uint16_t": "H", "int": "i", "unsigned": "I",
    "long": "q", "uint64_t": "Q", "size_t": "Q", "float": "f", "double": "d", "Level": "i", "Wide": "q",
}  # fmt: skip
ENUMS = {"Level": (-5, 0, 7), "Wide": (-1, 1 << 40)}
HEAD = """
#include <plugin.h>
PLUGIN("random/structs%d", "1");
PLUGIN_ENUM(Level, { LOW = -5, MIDDLE = 0, HIGH = 7 });
PLUGIN_ENUM(Wide, { NONE = -1, FAR = 1LL << 40 });
"""


def draw_member(rng, number):
    """The kind of a member and its extents."""
    kind = rng.choice([*SCALARS, *SCALARS, "char", "pointer", "text"])
    if kind in ("pointer", "text"):
        return f"m{number}", kind, ()
    dims = () if rng.random() < 0.6 else tuple(rng.randint(1, 4) for _ in range(rng.randint(1, 3)))
    return f"m{number}", kind, (rng.randint(1, 9),) if kind == "char" else dims


def draw_all():
    """All structs of the seed: (name, members); a struct contains only earlier ones of its own file."""
    rng = random.Random(SEED)
    made: list[Any] = []
    depth: dict[Any, int] = {}
    for number in range(COUNT):
        here = [name for name, _ in made if int(name[1:]) % FILES == number % FILES and depth[name] < 3][-8:]
        members = []
        for k in range(rng.randint(1, 7)):
            name, kind, dims = draw_member(rng, k)
            if here and rng.random() < 0.15:
                kind, dims = rng.choice(here), rng.choice([(), (), (2,)])
            members.append((name, kind, dims))
        depth[f"S{number}"] = 1 + max(depth.get(kind, 0) for _, kind, _ in members)
        made.append((f"S{number}", members))
    return made


def define(name, members):
    """The struct, and a function that tells its size, alignment and every offset."""
    words = {"pointer": "void *", "text": "const char *"}
    ends = {"pointer": " plugin_nullable", "text": " plugin_nullable"}
    lines = [
        f"{words.get(kind, kind)} {member}{''.join(f'[{n}]' for n in dims)}{ends.get(kind, '')};"
        for member, kind, dims in members
    ]
    offsets = " ".join(f"to[{i + 2}] = offsetof({name}, {m[0]});" for i, m in enumerate(members))
    return (
        f"PLUGIN_STRUCT({name}, {{ {' '.join(lines)} }});\n"
        f"PLUGIN_FUNC(void, {name}_facts, (size_t *to))\n"
        f"{{ to[0] = sizeof({name}); to[1] = _Alignof({name}); {offsets} }}\n"
        f"PLUGIN_FUNC(void, {name}_copy, (const {name} *from, {name} *to)) {{ *to = *from; }}\n"
    )


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """The libraries that hold the structs, each one in turn."""
    made = draw_all()
    texts = [HEAD % n + "".join(define(*one) for one in made[n::FILES]) for n in range(FILES)]
    return [natives.compiled(tmp_path_factory, text, "-O0") for text in texts]


def draw_scalar(rng, kind):
    """A value of the type, from anywhere in its range."""
    if kind in ENUMS:
        return rng.choice(ENUMS[kind])
    letter = SCALARS[kind]
    if letter == "?":
        return rng.random() < 0.5
    if letter in "fd":
        return struct.unpack(letter, struct.pack(letter, rng.gauss(0, 1e9)))[0]
    bits = 8 * struct.calcsize(letter)
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if letter.islower() else (0, 2**bits - 1)
    return rng.choice([least, most, 0, rng.randint(least, most)])


def fill(rng, made, place, kind, dims, expected, at):
    """Write a random value to place(kind) by Python; note its native bytes in `expected`."""
    owner, member = place
    if kind == "char":
        text = "".join(rng.choice("abc") for _ in range(rng.randint(0, dims[0] - 1)))
        setattr(owner, member, text)
        assert text == getattr(owner, member)
        expected[at : at + dims[0]] = text.encode().ljust(dims[0], b"\0")
    elif kind == "pointer":
        address = rng.randint(1, 2**47)
        setattr(owner, member, plugin.Pointer(address))
        expected[at : at + 8] = struct.pack("Q", address)
    elif kind == "text":
        assert getattr(owner, member) is None
    elif kind in SCALARS and not dims:
        value = draw_scalar(rng, kind)
        setattr(owner, member, value)
        assert value == getattr(owner, member), (kind, value)
        expected[at : at + struct.calcsize(SCALARS[kind])] = struct.pack(SCALARS[kind], value)
    elif kind in SCALARS:
        values = np.array([draw_scalar(rng, kind) for _ in range(int(np.prod(dims)))], SCALARS[kind]).reshape(dims)
        setattr(owner, member, values)
        assert values.tolist() == getattr(owner, member).tolist()
        expected[at : at + values.nbytes] = values.tobytes()
    elif not dims:
        fill_struct(rng, made, getattr(owner, member), kind, expected, at)
    else:
        assert dims == getattr(owner, member).shape


def fill_struct(rng, made, owner, name, expected, at):
    """Write every member of a struct."""
    members, facts = made[name]
    for (member, kind, dims), offset in zip(members, facts[2:], strict=False):
        fill(rng, made, (owner, member), kind, dims, expected, at + offset)


def check(plugins):
    """Compare every struct: its facts with the compiler's, then the bytes of random values."""
    rng, made, cases = random.Random(SEED + 1), {}, 0
    for number, (name, members) in enumerate(draw_all()):
        p = plugins[number % FILES]
        facts = np.zeros(len(members) + 2, "u8")
        p.lookup(f"{name}_facts")(facts)
        made[name] = members, facts.tolist()
        kind = p.lookup(name)
        one, other = kind(), kind()
        mine = np.asarray(memoryview(one)).dtype
        what = (p.lookup(f"{name}_copy").__doc__, name, members)
        assert facts[0] == memoryview(one).nbytes == mine.itemsize, what
        assert facts[2:].tolist() == [(mine.fields or {})[member][1] for member, *_ in members], what
        expected = bytearray(int(facts[0]))
        fill_struct(rng, made, one, name, expected, 0)
        assert bytes(expected) == bytes(memoryview(one)), what
        p.lookup(f"{name}_copy")(one, other)
        for member, member_kind, dims in members:
            if (member_kind in SCALARS and not dims) or member_kind == "char":
                assert getattr(one, member) == getattr(other, member), (what, member)
        cases += 1
    assert cases == COUNT


class TestRandom:
    """Random structs with random values, in a process of their own: a wrong offset may end it."""

    def test_same(self, paths):
        """Sizes, offsets and the bytes of every value are the compiler's."""
        environment = {**os.environ, "PLUGIN_TEST_SEED": str(SEED)}
        done = subprocess.run([sys.executable, __file__, *paths], env=environment, capture_output=True, text=True)

        print(f"PLUGIN_TEST_SEED={SEED}")
        assert (done.returncode, done.stdout) == (0, "done\n"), f"PLUGIN_TEST_SEED={SEED}\n{done.stderr}"

    def test_worth_it(self):
        """Every kind is drawn, structs contain structs, and there is padding to get wrong."""
        members = [member for _, members in draw_all() for member in members]
        kinds = {kind for _, kind, _ in members}

        assert {*SCALARS, "char", "pointer", "text"} <= kinds
        assert sum(kind.startswith("S") and kind[1:].isdigit() for _, kind, _ in members) > COUNT // 20
        assert {0, 1, 2, 3} == {len(dims) for *_, dims in members}


if __name__ == "__main__":
    check([plugin.open(path) for path in sys.argv[1:]])
    print("done")
