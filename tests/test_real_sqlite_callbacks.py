"""How long sqlite3 keeps Python callables: until it is closed, or another takes their place."""

import gc
import sys
import weakref

import pytest
from test_real_sqlite_functions import create, db, rows, sqlite

import plugin

__all__ = ["db", "sqlite"]


class Callable_:
    """A callable that can be watched."""

    def __call__(self, context, values):
        pass


class TestLifetime:
    """How long the library's callbacks are kept."""

    def test_until_close(self, sqlite):
        """A function is kept as long as its database, and let go when that is closed."""
        db = sqlite.open(":memory:")[1]
        function = Callable_()
        watch = weakref.ref(function)
        create(sqlite, db, "f", 0, function)
        del function
        gc.collect()
        assert watch() is not None
        rows(sqlite, db, "SELECT f()")
        sqlite.close(db)
        gc.collect()

        assert watch() is None

    def test_two_names(self, sqlite, db):
        """Functions of two names are both kept; another one of the same name lets the earlier go."""
        functions = [Callable_() for _ in range(3)]
        watches = [weakref.ref(function) for function in functions]
        for name in "fgf":
            create(sqlite, db, name, 0, functions.pop(0))
        gc.collect()

        assert [False, True, True] == [watch() is not None for watch in watches]
        rows(sqlite, db, "SELECT f(), g()")

    @pytest.mark.parametrize("how", ["name", "with", "garbage"])
    def test_destroy(self, sqlite, how):
        """The destructor of the data is called once, when the database is closed, in whatever way."""
        db = sqlite.open(":memory:")[1]
        seen = []
        data = plugin.Pointer(0x77)
        create(sqlite, db, "f", 0, Callable_(), destroy=lambda pointer: seen.append(pointer.address), data=data)
        assert [] == seen
        if how == "name":
            sqlite.close(db)
        elif how == "with":
            with db:
                pass
        del db
        gc.collect()

        assert [0x77] == seen

    def test_destroy_when_replaced(self, sqlite, db):
        """Another function of that name destroys the data of the first: in the call that defines it."""
        seen = []
        create(sqlite, db, "f", 0, Callable_(), destroy=lambda pointer: seen.append(1), data=plugin.Pointer(1))
        create(sqlite, db, "f", 0, Callable_(), destroy=lambda pointer: seen.append(2), data=plugin.Pointer(2))
        assert [1] == seen
        sqlite.close(db)

        assert [1, 2] == seen

    def test_destroy_fails(self, sqlite, db):
        """A function is kept even if an exception left another callback of the call that defined it."""

        def fail(pointer):
            raise LookupError("destroyed")

        function = Callable_()
        watch = weakref.ref(function)
        create(sqlite, db, "f", 0, Callable_(), destroy=fail, data=plugin.Pointer(1))
        with pytest.raises(LookupError, match="destroyed"):
            create(sqlite, db, "f", 0, function)
        del function
        gc.collect()

        assert watch() is not None
        rows(sqlite, db, "SELECT f()")

    def test_references(self, sqlite, db):
        """1,000 queries leave the callable's reference count as it was."""
        function = Callable_()
        create(sqlite, db, "f", 2, function)
        before = sys.getrefcount(function)
        for _ in range(1_000):
            sqlite.exec(db, "SELECT f(1, 'two')", None, None)

        assert before == sys.getrefcount(function)
