"""What is measured: each operation, the statement that is timed, the result that it must have, and its target."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Operation:
    """One row of the table.

    Args:
        key: its name in options and results.
        title: what the table says.
        function: the C function in work.h; contestants that have functions of that name need no line of their own.
        statement: what is timed, with `f` for the function. A contestant may need another one.
        names: the values of the other names in the statement; each becomes a local variable.
        expected: what the statement gives, which is checked before anything is timed; Ellipsis if it is a new object.
        target: the largest ratio to the limit that is good enough, or None where there is no target.
        way: how it is timed: "loop" in one thread by the thread's own clock; "map", see measure.py for the others,
            and threads.py for "scaling".
        unroll: how often the statement stands in the loop's body.
    """

    key: str
    title: str
    function: str
    statement: str = "f(a, b)"
    names: Mapping[str, Any] = field(default_factory=dict)
    expected: Any = None
    target: float | None = None
    way: str = "loop"
    unroll: int = 10


def identity(i: int) -> int:
    """The callback."""
    return i


def doubles() -> "array[float]":
    """The 16 values that are summed."""
    return array("d", range(16))


def numpy_doubles() -> Any:
    """The same 16 values as a NumPy array, or None without NumPy."""
    try:
        import numpy
    except ImportError:
        return None
    return numpy.arange(16, dtype=numpy.float64)


SMALL = {"a": 20, "b": 22}
BIG = {"a": 2**62, "b": 2**61}
MIXED = {"a": -3, "b": 1.5, "c": 7, "d": 100, "e": 0.5, "g": 2.25, "h": 9, "i": 11}
COPY = {"a": b"x" * 64, "b": bytearray(64)}
SIX = {"a": 1.5, "b": 2.5, "c": 3.5, "d": 4.5, "e": 5.5, "g": 6.5}

OPERATIONS = [
    Operation("none", "no arguments", "nothing", "f()", target=1.03),
    Operation("int64", "(int64, int64)", "add", names=SMALL, expected=42, target=1.03),
    Operation("big", "(int64, int64), big values", "add", names=BIG, expected=3 * 2**61, target=1.03),
    Operation("int32", "(int32, int32)", "add_int32", names=SMALL, expected=42, target=1.03),
    Operation("double", "(double, double)", "add_doubles", names={"a": 1.5, "b": 2.25}, expected=3.75, target=1.03),
    Operation("double6", "six doubles", "add_six", "f(a, b, c, d, e, g)", SIX, 24.0, 1.25),
    Operation("mixed8", "8 scalars of mixed types", "add_mixed", "f(a, b, c, d, e, g, h, i)", MIXED, 128.25, 1.25),
    Operation("string", "const char * in", "text_length", "f(a)", {"a": "hello, world"}, 12, 1.03),
    Operation("text", "string result", "greeting", "f()", expected="hello, world", target=1.03),
    Operation("bytes", "bytes in and out", "skip_byte", "f(a)", {"a": b"hello, world"}, b"ello, world", 1.10),
    Operation("array", "16 doubles, array.array", "sum", "f(x)", {"x": doubles()}, 120.0, 1.10),
    Operation("numpy", "16 doubles, NumPy", "sum", "f(x)", {"x": numpy_doubles()}, 120.0, 1.10),
    Operation("copy", "bytes to a bytearray", "copy_bytes", "f(a, b)", COPY, None, 1.10),
    Operation("handle", "a handle as argument", "counter_value", "f(o)", expected=5, target=1.03),
    Operation("read", "variable read", "level", "o.level", expected=7, target=1.3),
    Operation("write", "variable write", "level", "o.level = a", {"a": 7}, target=1.3),
    Operation("method", "method of an interface", "adder_new", "o.Add(a)", {"a": 2}, 7, 1.15),
    Operation("create", "object made and released: handle", "counter_new", "f(a)", {"a": 5}, ..., 1.15),
    Operation("object", "object made and released: interface", "adder_new", "f(a)", {"a": 5}, ..., 1.15),
    Operation(
        "callbacks", "1,000 callbacks", "call_many", "f(a, g)", {"a": 1000, "g": identity}, 499500, 1.10, unroll=1
    ),
    Operation("map", "(int64, int64) in map", "add", names=SMALL, expected=42, target=1.03, way="map"),
    Operation("released", "(int64, int64), GIL released", "add_released", names=SMALL, expected=42),
    Operation("threads", "a blocking call from 4 threads", "nap", "f(a)", {"a": 1000}, 1000, way="threads", unroll=1),
    Operation("scaling", "2 threads, no GIL", "add_shared", names=SMALL, expected=42, target=1.05, way="scaling"),
    Operation("busy", "beside a thread that runs Python", "add", names=SMALL, expected=42, way="busy", unroll=1),
]
