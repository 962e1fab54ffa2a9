"""Functions of sqlite3 that are Python callables, compared with those of Python's own sqlite3."""

import math
import sqlite3
from types import SimpleNamespace
from typing import Any

import natives
import pytest
from test_real_sqlite import DECLARATIONS, ERROR, OK

import plugin

CALLBACKS = """
    typedef struct sqlite3_context sqlite3_context; typedef struct sqlite3_value sqlite3_value;
    int sqlite3_create_function_v2(sqlite3 *db, const char *name, int arguments, int flags, void *data plugin_nullable,
        void (*func)(sqlite3_context *, int n, sqlite3_value **values plugin_count(n)) plugin_nullable plugin_retained,
        void (*step)(sqlite3_context *, int n, sqlite3_value **values plugin_count(n)) plugin_nullable plugin_retained,
        void (*final)(sqlite3_context *) plugin_nullable plugin_retained,
        void (*destroy)(void *data) plugin_nullable plugin_retained);
    int sqlite3_exec(sqlite3 *db, const char *sql,
        int (*row)(void *data, int n, char **values plugin_count(n), char **names plugin_count(n)) plugin_nullable,
        void *data, void *message plugin_nullable);
    plugin_nullable void *sqlite3_user_data(sqlite3_context *);
    plugin_nullable void *sqlite3_aggregate_context(sqlite3_context *, int bytes);
    int sqlite3_value_type(sqlite3_value *); sqlite3_int64 sqlite3_value_int64(sqlite3_value *);
    double sqlite3_value_double(sqlite3_value *); plugin_nullable const char *sqlite3_value_text(sqlite3_value *);
    void sqlite3_result_int64(sqlite3_context *, sqlite3_int64); void sqlite3_result_null(sqlite3_context *);
    void sqlite3_result_double(sqlite3_context *, double);
    void sqlite3_result_text(sqlite3_context *, const char *, int bytes, void *destructor);
    void sqlite3_result_error(sqlite3_context *, const char *, int bytes);
"""
UTF8, ABORT = 1, 4
TRANSIENT = plugin.Pointer(2**64 - 1)


@pytest.fixture(scope="module")
def sqlite() -> Any:
    """A namespace of the library's functions, without their prefix."""
    library = plugin.open(natives.system("sqlite3"), declare=DECLARATIONS + CALLBACKS)
    names = [name for name, symbol in library.symbols.items() if symbol.declaration]
    return SimpleNamespace(**{name.removeprefix("sqlite3_"): library.lookup(name) for name in names})


@pytest.fixture
def db(sqlite):
    """An open database in memory."""
    code, db = sqlite.open(":memory:")
    assert code == OK
    return db


def value_of(sqlite, value):
    """An argument of a user function, by its type."""
    kind = sqlite.value_type(value)
    return {1: sqlite.value_int64, 2: sqlite.value_double, 3: sqlite.value_text, 5: lambda _: None}[kind](value)


def give(sqlite, context, result):
    """The result of a user function, by its type."""
    if result is None:
        sqlite.result_null(context)
    elif isinstance(result, str):
        sqlite.result_text(context, result, -1, TRANSIENT)
    else:
        (sqlite.result_int64 if isinstance(result, int) else sqlite.result_double)(context, result)


def adapt(sqlite, function):
    """The callback that is `function`, whose errors are sqlite's."""

    def callback(context, values):
        try:
            give(sqlite, context, function(*(value_of(sqlite, value) for value in values)))
        except Exception as error:
            sqlite.result_error(context, str(error), -1)

    return callback


def collector(found, code=0):
    """A row callback that collects values, and gives `code`."""

    def callback(values, names):
        found.append(values)
        return code

    return callback


def rows(sqlite, db, sql):
    """All rows as text, by sqlite3_exec."""
    found: list[Any] = []
    code = sqlite.exec(db, sql, collector(found), None)
    assert code == OK, sqlite.errmsg(db)
    return found


def create(sqlite, db, name, count, func=None, step=None, final=None, destroy=None, data=None):
    """Define a function."""
    assert OK == sqlite.create_function_v2(db, name, count, UTF8, data, func, step, final, destroy)


FUNCTIONS = [
    ("half", 1, lambda x: None if x is None else x / 2),
    ("twice", 1, lambda text: None if text is None else str(text) * 2),
    ("total", -1, lambda *values: sum(value for value in values if isinstance(value, int))),
    ("hypotenuse", 2, math.hypot),
]
QUERIES = [
    "SELECT half(7), half(-1.5), half(NULL), half(1e300)",
    "SELECT twice('grüße 🐍'), twice(''), twice(NULL), twice(12)",
    "SELECT total(), total(1), total(1, 2, 3), total(1, 'two', 3.0, NULL, 4)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300) SELECT sum(hypotenuse(i, i + 1)) FROM n",
    "SELECT half(x), hypotenuse(x, x) FROM (SELECT 3 AS x UNION SELECT 4 UNION SELECT 5) ORDER BY half(x) DESC",
]


class TestFunctions:
    """sqlite3_create_function_v2."""

    @pytest.mark.parametrize("sql", QUERIES)
    def test_same_as_python(self, sqlite, db, sql):
        """Python functions in SQL give what they give in Python's sqlite3."""
        expected = sqlite3.connect(":memory:")
        for name, count, function in FUNCTIONS:
            create(sqlite, db, name, count, adapt(sqlite, function))
            expected.create_function(name, count, function)
        columns = [f"quote(c{i})" for i in range(expected.execute(sql).description.__len__())]
        names = ", ".join(f"c{i}" for i in range(len(columns)))
        sql = f"WITH r({names}) AS ({sql}) SELECT {', '.join(columns)} FROM r"

        assert expected.execute(sql).fetchall() == rows(sqlite, db, sql)
        expected.close()

    def test_error(self, sqlite, db):
        """An exception that the callback reports by sqlite3_result_error is the statement's error, with its text."""
        create(sqlite, db, "fail", 1, adapt(sqlite, lambda x: [][x]))

        assert ERROR == sqlite.exec(db, "SELECT fail(3)", None, None)
        assert "list index out of range" == sqlite.errmsg(db)
        assert [("1",)] == rows(sqlite, db, "SELECT 1")

    def test_exception(self, sqlite, db):
        """One that leaves the callback is raised by the call in which it happened; the database goes on."""

        def fail(context, values):
            raise LookupError("left the callback")

        create(sqlite, db, "fail", 0, fail)
        with pytest.raises(LookupError, match="left the callback"):
            sqlite.exec(db, "SELECT fail()", None, None)

        assert [("1",)] == rows(sqlite, db, "SELECT 1")

    def test_user_data(self, sqlite, db):
        """The data that a function was defined with is told in it, as a Pointer that equals what was given."""
        data, seen = plugin.Pointer(0x1234), []
        create(sqlite, db, "look", 0, lambda context, values: seen.append(sqlite.user_data(context)), data=data)
        rows(sqlite, db, "SELECT look()")

        assert [data.address] == [pointer.address for pointer in seen]


class TestAggregates:
    """xStep and xFinal."""

    def test_same_as_python(self, sqlite, db):
        """An aggregate in Python, one state a group, is that of Python's sqlite3."""

        class Product:
            def __init__(self):
                self.value = 1

            def step(self, x):
                self.value *= x

            def finalize(self):
                return self.value

        states: dict[int, Any] = {}

        def step(context, values):
            key = sqlite.aggregate_context(context, 8).address
            states.setdefault(key, Product()).step(value_of(sqlite, values[0]))

        def final(context):
            give(sqlite, context, states.pop(sqlite.aggregate_context(context, 8).address).finalize())

        create(sqlite, db, "product", 1, step=step, final=final)
        expected = sqlite3.connect(":memory:")
        expected.create_aggregate("product", 1, Product)
        sql = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20)"
            " SELECT CAST(i % 3 AS TEXT), CAST(product(i) AS TEXT) FROM n GROUP BY i % 3"
        )

        assert expected.execute(sql).fetchall() == rows(sqlite, db, sql)
        assert {} == states
        expected.close()


class TestRows:
    """The callback of sqlite3_exec."""

    def test_arrays(self, sqlite, db):
        """Values and names of columns are tuples of text; NULL is None."""
        seen: list[Any] = []
        sql = "SELECT 1 AS a, NULL AS b, 'ü' AS c UNION SELECT 2, 'x', NULL"
        sqlite.exec(db, sql, lambda values, names: collector(seen)((values, names), names), None)

        assert [(("1", None, "ü"), ("a", "b", "c")), (("2", "x", None), ("a", "b", "c"))] == seen

    def test_stop(self, sqlite, db):
        """A callback that does not give 0 ends the query: SQLITE_ABORT."""
        seen: list[Any] = []
        code = sqlite.exec(db, "SELECT 1 UNION SELECT 2", collector(seen, 1), None)

        assert (ABORT, [("1",)]) == (code, seen)

    def test_exception(self, sqlite, db):
        """An exception in a row ends the calls, and is raised at the end."""
        seen: list[Any] = []

        def fail(values, names):
            seen.append(values)
            raise LookupError(values[0])

        with pytest.raises(LookupError, match="1"):
            sqlite.exec(db, "SELECT 1 UNION SELECT 2 UNION SELECT 3", fail, None)
        assert [("1",)] == seen
