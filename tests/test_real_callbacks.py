"""Callables that real libraries call: comparators of libc, functions and rows of sqlite3."""

import functools
from typing import Any

import natives
import numpy as np
import pytest

import plugin

C_TYPES = {
    "i1": "int8_t",
    "u2": "uint16_t",
    "i4": "int32_t",
    "i8": "int64_t",
    "u8": "uint64_t",
    "f4": "float",
    "f8": "double",
}


@functools.cache
def sorter(code: str) -> Any:
    """qsort for items of that type."""
    item = C_TYPES[code]
    return plugin.open(natives.system("c")).lookup(
        "qsort",
        f"void ({item} *base plugin_count(n), size_t n, size_t size, int (*compare)(const {item} *a, const {item} *b))",
    )


@functools.cache
def searcher(code: str) -> Any:
    """bsearch for items of that type; what is found is an address."""
    item = C_TYPES[code]
    return plugin.open(natives.system("c")).lookup(
        "bsearch",
        f"plugin_nullable void *(const {item} *key, const {item} *base plugin_count(n), size_t n, size_t size,"
        f" int (*compare)(const {item} *a, const {item} *b))",
    )


def compare(a: memoryview, b: memoryview) -> int:
    """The order of the first items."""
    return (a[0] > b[0]) - (a[0] < b[0])


def numbers(code: str, count: int) -> np.ndarray:
    """Numbers of that type, some of them equal."""
    random = np.random.default_rng(count)
    if code[0] == "f":
        return random.standard_normal(count).astype(code)
    limits = np.iinfo(code)
    return random.integers(limits.min, limits.max, count, code, endpoint=True)


@pytest.mark.parametrize("code", C_TYPES)
class TestLibc:
    """qsort and bsearch of libc over NumPy arrays."""

    @pytest.mark.parametrize("count", [0, 1, 2, 7, 500])
    def test_qsort(self, code, count):
        """An array that qsort put in order by a Python comparator is what numpy.sort gives."""
        array = numbers(code, count)
        expected = np.sort(array)
        sorter(code)(array, array.itemsize, compare)

        assert np.array_equal(expected, array)

    def test_qsort_other_order(self, code):
        """The comparator decides: turned round, the order is descending."""
        array = numbers(code, 100)
        expected = np.sort(array)[::-1].copy()
        sorter(code)(array, array.itemsize, lambda a, b: compare(b, a))

        assert np.array_equal(expected, array)

    def test_bsearch(self, code):
        """What bsearch finds stands where numpy.searchsorted says; what is not there is None."""
        array = np.unique(numbers(code, 60))
        array = np.delete(array, len(array) // 2)
        missing = np.setdiff1d(numbers(code, 60), array)[:1]
        for key in array:
            found = searcher(code)(np.array([key]), array, array.itemsize, compare)
            assert np.searchsorted(array, key) * array.itemsize == found.address - array.ctypes.data

        assert searcher(code)(missing, array, array.itemsize, compare) is None


class TestComparators:
    """What may happen in a comparator."""

    def test_exception(self):
        """An exception in a comparator is raised by the call, with its traceback; there is no second comparison."""
        calls = []

        def fail(a, b):
            calls.append(a[0])
            raise LookupError("no order")

        array = numbers("i4", 50)
        with pytest.raises(LookupError, match="no order") as caught:
            sorter("i4")(array, 4, fail)

        assert 1 == len(calls)
        assert "fail" in [entry.name for entry in caught.traceback]

    @pytest.mark.parametrize("result", [None, "1", 1.5, 2**31])
    def test_wrong_result(self, result):
        """A comparator that gives no C int is an error of the call that names it."""
        with pytest.raises((TypeError, OverflowError), match="compare"):
            sorter("i4")(numbers("i4", 5), 4, lambda a, b: result)

    def test_kept_view(self):
        """The views that a comparator is given are good during its call only: kept ones are released."""
        kept = []

        def keep(a, b):
            kept.append(a)
            return 0

        sorter("i4")(numbers("i4", 2), 4, keep)

        with pytest.raises(ValueError, match="released"):
            kept[0][0]

    def test_sort_in_sort(self):
        """A comparator may sort another array by the same function."""

        def nested(a, b):
            inner = np.array([b[0], a[0]], "i4")
            sorter("i4")(inner, 4, compare)
            return -1 if inner[0] == a[0] else 1

        array = np.unique(numbers("i4", 30))[::-1].copy()
        sorter("i4")(array, 4, nested)

        assert np.array_equal(np.sort(array), array)
