"""The system's libsqlite3: opaque handles that are owned, borrowed and released; compared with Python's sqlite3."""

import gc
import sqlite3

import natives
import pytest

import plugin

DECLARATIONS = """
    typedef struct sqlite3 sqlite3; typedef struct sqlite3_stmt sqlite3_stmt; typedef long long sqlite3_int64;
    int sqlite3_open(const char *filename, sqlite3 **db plugin_out plugin_owned);
    plugin_destructor int sqlite3_close(sqlite3 *db);
    int sqlite3_prepare_v2(sqlite3 *db, const char *sql, int bytes,
        sqlite3_stmt **statement plugin_out plugin_owned plugin_nullable, const char **rest plugin_out);
    plugin_destructor int sqlite3_finalize(sqlite3_stmt *statement);
    int sqlite3_step(sqlite3_stmt *statement); int sqlite3_reset(sqlite3_stmt *statement);
    int sqlite3_bind_text(sqlite3_stmt *, int at, const char *value, int bytes, void *destructor);
    int sqlite3_bind_blob(sqlite3_stmt *, int at, const uint8_t *value plugin_count(n), int n, void *destructor);
    int sqlite3_bind_int64(sqlite3_stmt *, int at, sqlite3_int64 value);
    int sqlite3_bind_double(sqlite3_stmt *, int at, double value); int sqlite3_bind_null(sqlite3_stmt *, int at);
    int sqlite3_column_count(sqlite3_stmt *); int sqlite3_column_type(sqlite3_stmt *, int column);
    plugin_nullable const char *sqlite3_column_text(sqlite3_stmt *, int column);
    plugin_nullable plugin_bytes const char *sqlite3_column_blob(sqlite3_stmt *, int column);
    sqlite3_int64 sqlite3_column_int64(sqlite3_stmt *, int column);
    double sqlite3_column_double(sqlite3_stmt *, int column);
    const char *sqlite3_column_name(sqlite3_stmt *, int column);
    const char *sqlite3_errmsg(sqlite3 *db); int sqlite3_errcode(sqlite3 *db);
    plugin_free(sqlite3_free) char *sqlite3_expanded_sql(sqlite3_stmt *);
    sqlite3 *sqlite3_db_handle(sqlite3_stmt *);
    plugin_nullable sqlite3_stmt *sqlite3_next_stmt(sqlite3 *db, sqlite3_stmt *after plugin_nullable);
    sqlite3_int64 sqlite3_last_insert_rowid(sqlite3 *db);
    sqlite3_int64 sqlite3_memory_used(void);
"""
OK, ERROR, CONSTRAINT, ROW, DONE = 0, 1, 19, 100, 101
INTEGER, FLOAT, TEXT, BLOB, NULL = range(1, 6)
TRANSIENT = plugin.Pointer(2**64 - 1)  # SQLITE_TRANSIENT: sqlite copies the value at once

TABLE = "CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT, size INTEGER, share REAL, raw BLOB)"
ROWS = [
    (1, "grüße", 2**63 - 1, 0.1, b"\x01\xff"),
    (2, "", -(2**63), -0.0, b"abc"),
    (3, None, 0, 1e308, b"\x80"),
    (4, "世界 🐍", None, None, None),
]


@pytest.fixture(scope="module")
def sqlite():
    """A namespace of the library's functions, without their prefix."""
    library = plugin.open(natives.system("sqlite3"), declare=DECLARATIONS)

    class Functions:
        def __getattr__(self, name):
            return library.lookup(f"sqlite3_{name}")

    return Functions()


@pytest.fixture
def db(sqlite):
    """An open database in memory."""
    code, db = sqlite.open(":memory:")
    assert code == OK
    return db


def prepare(sqlite, db, sql):
    """The statement that `sql` is."""
    code, statement, rest = sqlite.prepare_v2(db, sql, -1)
    assert (code, rest) == (OK, ""), sqlite.errmsg(db)
    return statement


def column(sqlite, statement, number):
    """One column of the current row, by its type."""
    kinds = {INTEGER: "int64", FLOAT: "double", TEXT: "text", BLOB: "blob"}
    kind = sqlite.column_type(statement, number)
    return None if kind == NULL else getattr(sqlite, f"column_{kinds[kind]}")(statement, number)


def bind(sqlite, statement, at, value):
    """Give a parameter of a statement its value."""
    if value is None:
        return sqlite.bind_null(statement, at)
    if isinstance(value, str):
        return sqlite.bind_text(statement, at, value, -1, TRANSIENT)
    if isinstance(value, bytes):
        return sqlite.bind_blob(statement, at, value, TRANSIENT)
    return (sqlite.bind_int64 if isinstance(value, int) else sqlite.bind_double)(statement, at, value)


def execute(sqlite, db, sql, *values):
    """All rows of one statement, with its parameters bound."""
    statement = prepare(sqlite, db, sql)
    for at, value in enumerate(values, 1):
        assert bind(sqlite, statement, at, value) == OK
    rows = []
    while (code := sqlite.step(statement)) == ROW:
        rows.append(tuple(column(sqlite, statement, n) for n in range(sqlite.column_count(statement))))
    assert code == DONE, sqlite.errmsg(db)
    return rows


def fill(sqlite, db):
    """Make the table, with its rows."""
    execute(sqlite, db, TABLE)
    for row in ROWS:
        execute(sqlite, db, "INSERT INTO word VALUES (?, ?, ?, ?, ?)", *row)


class TestQueries:
    """Statements and rows."""

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM word ORDER BY id",
            "SELECT text, upper(text), length(raw) FROM word WHERE size > 0",
            "SELECT count(*), sum(share), max(size), typeof(max(share)) FROM word",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 99) SELECT i, i * 0.5, hex(i) FROM n",
        ],
    )
    def test_same_as_python(self, sqlite, db, sql):
        """Rows of integers, doubles, text, blobs and NULL are what Python's sqlite3 gives for the same SQL."""
        fill(sqlite, db)
        expected = sqlite3.connect(":memory:")
        expected.execute(TABLE)
        expected.executemany("INSERT INTO word VALUES (?, ?, ?, ?, ?)", ROWS)

        assert expected.execute(sql).fetchall() == execute(sqlite, db, sql)
        expected.close()

    def test_several_statements(self, sqlite, db):
        """What is left of the SQL comes back beside the statement, as text; no statement is None."""
        code, statement, rest = sqlite.prepare_v2(db, "SELECT 1; SELECT 2", -1)

        assert (code, rest) == (OK, " SELECT 2")
        assert sqlite.step(statement) == ROW
        assert sqlite.prepare_v2(db, "-- nothing", -1) == (OK, None, "")

    def test_error_message(self, sqlite, db):
        """A failure is sqlite's code, no statement, and a message that names the mistake."""
        code, statement, _ = sqlite.prepare_v2(db, "SELECT missing FROM nowhere", -1)

        assert (code, statement) == (ERROR, None)
        assert "nowhere" in sqlite.errmsg(db)
        assert ERROR == sqlite.errcode(db)

    def test_constraint(self, sqlite, db):
        """A step that fails gives its code, and the database its text."""
        fill(sqlite, db)
        statement = prepare(sqlite, db, "INSERT INTO word (id) VALUES (1)")

        assert CONSTRAINT == sqlite.step(statement)
        assert "UNIQUE" in sqlite.errmsg(db)
        assert ROWS[-1][0] == sqlite.last_insert_rowid(db)

    def test_owned_text(self, sqlite, db):
        """A string that sqlite3_free releases is the text; 20,000 of them leave sqlite's memory as it was."""
        statement = prepare(sqlite, db, "SELECT ?")
        sqlite.bind_text(statement, 1, "it's", -1, TRANSIENT)
        assert sqlite.expanded_sql(statement) == "SELECT 'it''s'"
        before = sqlite.memory_used()
        for _ in range(20_000):
            sqlite.expanded_sql(statement)

        assert before == sqlite.memory_used()


class TestRelease:
    """sqlite3_close as the destructor: each database is closed once."""

    @pytest.fixture
    def used(self, sqlite):
        """A function that gives sqlite's memory beyond what it was at the start."""
        gc.collect()
        sqlite.open(":memory:")
        before = sqlite.memory_used()
        return lambda: sqlite.memory_used() - before

    def test_garbage(self, sqlite, used):
        """The last reference closes the database."""
        db = sqlite.open(":memory:")[1]
        assert used() > 1000
        del db

        assert used() == 0

    def test_with(self, sqlite, used):
        """The end of a with block closes the database, once: the object's end does not again."""
        with sqlite.open(":memory:")[1] as db:
            assert used() > 1000
        assert used() == 0
        del db

        assert used() == 0

    def test_by_name(self, sqlite, used):
        """The destructor by its own name closes the database, and gives its result."""
        db = sqlite.open(":memory:")[1]

        assert sqlite.close(db) == OK
        assert used() == 0

    @pytest.mark.parametrize("first", ["db", "statement"])
    def test_statement_and_database(self, sqlite, used, first):
        """A statement keeps its database: in whatever order Python drops them, both are released."""
        names = {"db": sqlite.open(":memory:")[1]}
        names["statement"] = prepare(sqlite, names["db"], "SELECT 1")
        del names[first]
        assert used() > 1000
        names.clear()

        assert used() == 0

    def test_unused_result(self, sqlite, used):
        """A database that nobody keeps is closed at once, and 1,000 of them leave nothing."""
        for _ in range(1_000):
            sqlite.open(":memory:")

        assert used() == 0

    def test_failed_open(self, sqlite, used):
        """The handle that sqlite gives beside an error code is released as well."""
        code, db = sqlite.open("/nonexistent/folder/database")
        assert code != OK
        assert "unable to open" in sqlite.errmsg(db)
        del db

        assert used() == 0


class TestHandles:
    """Which handles are taken."""

    def test_wrong_type(self, sqlite, db):
        """A statement where a database is wanted is a TypeError that names both types."""
        statement = prepare(sqlite, db, "SELECT 1")
        with pytest.raises(TypeError) as caught:
            sqlite.errmsg(statement)

        for word in ("sqlite3_errmsg", "'db'", "sqlite3 *", "sqlite3_stmt *"):
            assert word in str(caught.value)

    @pytest.mark.parametrize("other", [None, 0, "db", plugin.Pointer(4096), b"bytes", object()])
    def test_no_handle(self, sqlite, other):
        """What is no handle of this library is a TypeError that names the wanted type."""
        with pytest.raises(TypeError) as caught:
            sqlite.errmsg(other)

        assert "sqlite3 *" in str(caught.value)

    @pytest.mark.parametrize("close", ["name", "with"])
    def test_closed(self, sqlite, db, close):
        """A closed database is a ClosedError in every function, the destructor and `with` included."""
        if close == "name":
            sqlite.close(db)
        else:
            with db:
                pass

        assert db.closed
        for use in (sqlite.errmsg, sqlite.close, type(db).__enter__, lambda db: sqlite.prepare_v2(db, "SELECT 1", -1)):
            with pytest.raises(plugin.ClosedError) as caught:
                use(db)
            assert "sqlite3 *" in str(caught.value)

    def test_borrowed(self, sqlite, db):
        """The database that a statement tells is equal to its own, borrowed, and is not released with its object."""
        statement = prepare(sqlite, db, "SELECT 1")
        same = sqlite.db_handle(statement)

        assert same == db
        assert hash(same) == hash(db)
        assert same != statement
        with pytest.raises(TypeError):
            same.__enter__()
        del same
        assert sqlite.step(statement) == ROW

    def test_borrowed_of_closed(self, sqlite, db):
        """A handle that came from a statement is closed with it."""
        statement = prepare(sqlite, db, "SELECT 1")
        same = sqlite.db_handle(statement)
        sqlite.finalize(statement)

        with pytest.raises(plugin.ClosedError) as caught:
            sqlite.errmsg(same)
        assert "sqlite3_stmt *" in str(caught.value)

    def test_nullable_handle(self, sqlite, db):
        """None is NULL where that is allowed, both ways: a walk over all statements ends with None."""
        statements = [prepare(sqlite, db, "SELECT 1") for _ in range(3)]
        found = [sqlite.next_stmt(db, None)]
        while (after := sqlite.next_stmt(db, found[-1])) is not None:
            found.append(after)

        assert sorted(s.address for s in statements) == sorted(s.address for s in found)
