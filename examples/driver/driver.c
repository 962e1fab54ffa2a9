/* A driver for a database of rivers: a table in memory, read row by row through a cursor.
 *
 *     python -m plugin build driver.c -o driver.so
 *
 * It knows nothing of Python.  The host in host.py knows nothing of this file but the convention: that NewDriver gives
 * a Driver, and what its methods are called. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plugin.h>

PLUGIN("example.com/driver", "1.0.0");

/* The convention: what a host may call.  The text between the braces is what it is checked against. */

PLUGIN_STRUCT(Rows, {
    bool (*Next)(Rows *self);
    const char *(*River)(Rows *self, plugin_error *error);
    double (*Km)(Rows *self, plugin_error *error);
    plugin_destructor void (*Close)(Rows *self);
});

PLUGIN_STRUCT(Driver, {
    const char *(*Name)(Driver *self);
    plugin_owned Rows *(*Query)(Driver *self, const char *sql, const double *arguments plugin_count(n), size_t n,
                                plugin_error *error);
});

PLUGIN_DOC(NewDriver, "The driver.  Its queries read: SELECT * FROM rivers [WHERE km > ? [AND km < ?]...]");

/* What is behind it is nobody's business. */

typedef struct {
    const char *name;
    double km;
} River;

static const River rivers[] = {{"Nile", 6650}, {"Amazon", 6400}, {"Yangtze", 6300}, {"Yenisei", 5539},
                               {"Ob", 5410},   {"Amur", 4444},   {"Congo", 4370},   {"Lena", 4294}};
enum { RIVERS = sizeof rivers / sizeof rivers[0], NO_MEMORY = 1, BAD_QUERY, NO_ROW };

typedef struct {
    Rows rows; /* first, so that a Rows * is a Cursor * */
    size_t next;
    double above, below;
} Cursor;

static const River *
row(Rows *self, plugin_error *error)
{
    const Cursor *cursor = (const Cursor *)self;

    if (cursor->next == 0 || cursor->next > RIVERS) {
        plugin_fail(error, NO_ROW, "there is no row: Next() comes first, and must be true");
        return NULL;
    }
    return &rivers[cursor->next - 1];
}

static bool
Rows_Next(Rows *self)
{
    Cursor *cursor = (Cursor *)self;

    while (cursor->next < RIVERS) {
        const River *river = &rivers[cursor->next++];
        if (river->km > cursor->above && river->km < cursor->below) {
            return true;
        }
    }
    cursor->next = RIVERS + 1;
    return false;
}

static const char *
Rows_River(Rows *self, plugin_error *error)
{
    const River *river = row(self, error);

    return river != NULL ? river->name : NULL;
}

static double
Rows_Km(Rows *self, plugin_error *error)
{
    const River *river = row(self, error);

    return river != NULL ? river->km : 0;
}

static void
Rows_Close(Rows *self)
{
    free(self);
}

/* Reads the conditions of `sql` into the cursor's bounds; each `?` takes the next argument. */
static bool
parse(const char *sql, const double *arguments, size_t n, Cursor *cursor, plugin_error *error)
{
    static const char select[] = "SELECT * FROM rivers";
    const char *word = " WHERE km %1[<>] ?%n", *at = sql + strlen(select);
    char comparison[2];
    size_t used = 0;
    int length = 0;

    if (strncmp(sql, select, strlen(select)) != 0) {
        plugin_fail(error, BAD_QUERY, "\"%s\" does not begin with %s", sql, select);
        return false;
    }
    for (; *at == ' ' && sscanf(at, word, comparison, &length) == 1 && length > 0; at += length, length = 0) {
        double bound = used < n ? arguments[used] : 0;
        if (comparison[0] == '>' && bound > cursor->above) {
            cursor->above = bound;
        } else if (comparison[0] == '<' && bound < cursor->below) {
            cursor->below = bound;
        }
        used++;
        word = " AND km %1[<>] ?%n";
    }
    if (*at != '\0') {
        plugin_fail(error, BAD_QUERY, "syntax error at \"%s\"", at);
    } else if (used != n) {
        plugin_fail(error, BAD_QUERY, "the query has %zu ?, but %zu arguments were given", used, n);
    }
    return *at == '\0' && used == n;
}

static const char *
Driver_Name(Driver *self)
{
    (void)self;
    return "rivers in memory";
}

static Rows *
Driver_Query(Driver *self, const char *sql, const double *arguments, size_t n, plugin_error *error)
{
    Cursor first = {{Rows_Next, Rows_River, Rows_Km, Rows_Close}, 0, 0, 1e9};
    Cursor *cursor;

    (void)self;
    if (!parse(sql, arguments, n, &first, error)) {
        return NULL;
    }
    cursor = malloc(sizeof *cursor);
    if (cursor == NULL) {
        plugin_fail(error, NO_MEMORY, "out of memory");
        return NULL;
    }
    *cursor = first;
    return &cursor->rows;
}

static Driver driver = {Driver_Name, Driver_Query};

PLUGIN_FUNC(Driver *, NewDriver, (void))
{
    return &driver;
}
