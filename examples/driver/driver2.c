/* Another driver for the same convention, by another author: it shares no code with driver.c.
 *
 *     python -m plugin build driver2.c -o driver.so
 *
 * The table is a text that is read once, when the plugin is opened.  A query copies the table and strikes out what
 * does not fit, one condition after another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plugin.h>

PLUGIN("example.com/driver", "2.0.0");

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

typedef struct {
    char name[16];
    double km;
} River;

typedef struct {
    Rows rows;
    size_t count, next;
    River river[];
} Result;

static const char text[] = "Nile 6650\nAmazon 6575\nYangtze 6300\nMississippi 5971\nYenisei 5539\nOb 5410\n"
                           "Parana 4880\nAmur 4444\nCongo 4370\nLena 4294\n";
static River table[16];
static size_t table_count;

PLUGIN_INIT(plugin_error *error)
{
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        River *river = &table[table_count++];
        if (sscanf(line, "%15s %lf", river->name, &river->km) != 2) {
            plugin_fail(error, 1, "the table's line %zu cannot be read", table_count);
            return;
        }
    }
}

static River *
current(Rows *self, plugin_error *error)
{
    static River none;
    Result *result = (Result *)self;

    if (result->next == 0 || result->next > result->count) {
        plugin_fail(error, 2, "not on a row");
        return &none;
    }
    return &result->river[result->next - 1];
}

static bool
next(Rows *self)
{
    Result *result = (Result *)self;

    result->next += result->next <= result->count;
    return result->next <= result->count;
}

static const char *
river(Rows *self, plugin_error *error)
{
    return current(self, error)->name;
}

static double
km(Rows *self, plugin_error *error)
{
    return current(self, error)->km;
}

static void
discard(Rows *self)
{
    free(self);
}

/* Steps over `word` and the blanks around it, if that is what `*at` is at. */
static bool
take(const char **at, const char *word)
{
    const char *begin = *at + strspn(*at, " \n\t");

    if (strncmp(begin, word, strlen(word)) != 0) {
        return false;
    }
    *at = begin + strlen(word);
    *at += strspn(*at, " \n\t");
    return true;
}

static void
keep(Result *result, bool longer, double bound)
{
    size_t kept = 0;

    for (size_t i = 0; i < result->count; i++) {
        if (longer ? result->river[i].km > bound : result->river[i].km < bound) {
            result->river[kept++] = result->river[i];
        }
    }
    result->count = kept;
}

/* Applies the conditions of `sql`, and fails on what is left over. */
static void
run(Result *result, const char *sql, const double *arguments, size_t n, plugin_error *error)
{
    bool ok = take(&sql, "SELECT") && take(&sql, "*") && take(&sql, "FROM") && take(&sql, "rivers");
    size_t used = 0;

    for (const char *word = "WHERE"; ok && take(&sql, word); word = "AND") {
        bool longer = take(&sql, "km") && take(&sql, ">");
        ok = (longer || take(&sql, "<")) && take(&sql, "?") && used < n;
        if (ok) {
            keep(result, longer, arguments[used++]);
        }
    }
    if (!ok || *sql != '\0' || used != n) {
        plugin_fail(error, 3, "cannot run the query; it went wrong at \"%s\", argument %zu of %zu", sql, used, n);
    }
}

static const char *
name(Driver *self)
{
    (void)self;
    return "rivers from a text";
}

static Rows *
query(Driver *self, const char *sql, const double *arguments, size_t n, plugin_error *error)
{
    Result *result = malloc(sizeof *result + sizeof table);

    (void)self;
    if (result == NULL) {
        plugin_fail(error, 4, "no memory");
        return NULL;
    }
    *result = (Result){{next, river, km, discard}, table_count, 0};
    memcpy(result->river, table, sizeof table);
    run(result, sql, arguments, n, error);
    return &result->rows; /* after a failure the host releases it at once */
}

PLUGIN_FUNC(Driver *, NewDriver, (void))
{
    static Driver driver = {name, query};

    return &driver;
}
