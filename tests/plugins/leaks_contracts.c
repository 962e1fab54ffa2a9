/* Memory, callbacks and contracts: the second half of what test_leaks.py does thousands of times. */
#include <plugin.h>
#include <stdlib.h>
#include <string.h>

PLUGIN("example.com/leaks/contracts", "1.0.0");

PLUGIN_ENUM(Level, {LOW = 1, HIGH});
PLUGIN_STRUCT(Point, {
    double x;
    double y;
});
PLUGIN_STRUCT(Log, {
    int (*write)(Log * self, const char *text, plugin_error *error);
    double (*scale)(Log * self, double by);
    int (*flush)(Log * self) plugin_nullable;
    int (*version)(int major);
    plugin_destructor void (*close)(Log * self);
    int32_t width;
});
PLUGIN_STRUCT(Record, {
    int32_t number;
    Level level;
    const char *text plugin_nullable;
    plugin_bytes const char *raw plugin_nullable;
    char label[8];
    int32_t table[4];
    double grid[2][3];
    Point point;
    Point points[2];
    int32_t count;
    const double *values plugin_count(count);
    Point *other plugin_nullable;
    void *handle plugin_nullable;
    const int fixed;
});

PLUGIN_VAR(int32_t, numbers, [4]) = {1, 2, 3, 4};
PLUGIN_VAR(double, matrix, [2][2]);
PLUGIN_VAR(char, title, [16]) = "title";
PLUGIN_VAR(Point, origin) = {1, 2};
PLUGIN_VAR(Level, level) = LOW;
PLUGIN_DECLARE(typedef int (*Handler)(int x);)
PLUGIN_VAR(Handler, hook);

static int (*kept_hook)(void *data, int x);
static void *kept_data;
static Log *kept_log;

PLUGIN_FUNC(Record *, record, (void))
{
    static Record one = {.text = "text", .label = "label"};
    return &one;
}
PLUGIN_FUNC(Record *, spoiled, (void))
{
    static Record one = {.text = "\xff", .label = "\xff", .count = -1, .values = &origin.x};
    return &one;
}
PLUGIN_FUNC(double, norm, (const Point *point))
{
    return point->x + point->y;
}
PLUGIN_FUNC(double, norms, (const Point *points plugin_count(n), size_t n))
{
    return n > 0 ? points[n - 1].x : 0;
}
PLUGIN_FUNC(Level, raised, (Level of))
{
    return of == LOW ? HIGH : (Level)7;
}

PLUGIN_FUNC(int, with_data, (int (*call)(void *data, int x), void *data, int x))
{
    return call(data, x) + call(data, x);
}
PLUGIN_FUNC(double, without, (double (*call)(double x)))
{
    return call(2) + call(3);
}
PLUGIN_FUNC(int, given,
            (int (*call)(const char *text, const double *x plugin_count(n), size_t n, const Point *point, Level level)))
{
    double x[3] = {1, 2, 3};
    return call("text", x, 3, &origin, HIGH);
}
PLUGIN_FUNC(int, broken, (int (*call)(const char *text)))
{
    return call("\xff");
}
PLUGIN_FUNC(int, reported, (int (*call)(int x, plugin_error *error)))
{
    plugin_error error = {0, ""};
    call(1, &error);
    return error.code;
}
PLUGIN_FUNC(void, keep_hook, (int (*call)(void *data, int x) plugin_retained, void *data))
{
    kept_hook = call;
    kept_data = data;
}
PLUGIN_FUNC(void, keep_bare, (int (*call)(int x) plugin_retained plugin_nullable))
{
    hook = call;
}
PLUGIN_FUNC(int, run_hook, (int x))
{
    return kept_hook(kept_data, x);
}
PLUGIN_FUNC(void, keep_buffer, (int port, float *buffer plugin_retained))
{
    (void)port;
    (void)buffer;
}
PLUGIN_FUNC(void, keep_text, (const char *text plugin_retained plugin_nullable))
{
    (void)text;
}
PLUGIN_FUNC(void, keep_texts, (const char *const *texts plugin_count(n) plugin_retained, size_t n))
{
    (void)texts;
    (void)n;
}
PLUGIN_FUNC(void, keep_log, (Log * log plugin_retained plugin_nullable))
{
    (void)log;
}
PLUGIN_FUNC(Log *, same_log, (Log * log))
{
    return log;
}
PLUGIN_FUNC(int, use_log, (Log * log, plugin_error *error))
{
    return log->write(log, "text", error) + (int)log->scale(log, 2) + (log->flush != NULL) + log->version(1) +
           log->width;
}
PLUGIN_FUNC(void, take_log, (Log * log plugin_owned))
{
    log->close(log);
}
PLUGIN_FUNC(void, swap_log, (Log * log plugin_owned plugin_nullable))
{
    if (kept_log != NULL) {
        kept_log->close(kept_log);
    }
    kept_log = log;
}

PLUGIN_FUNC(void, room, (int n, int32_t *x plugin_count(n) plugin_out))
{
    for (int i = 0; i < n; i++) {
        x[i] = i;
    }
}
PLUGIN_FUNC(void, rooms, (int n, int m, double *x plugin_count(n, m) plugin_out))
{
    x[0] = n + m;
}
PLUGIN_FUNC(void, room_text, (char *x plugin_count(n) plugin_out, int n, int bad))
{
    if (n > 0) {
        strncpy(x, bad ? "\xff" : "text", (size_t)n);
    }
}
PLUGIN_FUNC(void, room_used, (int32_t * x plugin_count(*n) plugin_out, int32_t *n plugin_inout, int used))
{
    (void)x;
    *n = used;
}
PLUGIN_FUNC(void, room_error, (int n, int32_t *x plugin_count(n) plugin_out, plugin_error *error))
{
    (void)n;
    (void)x;
    plugin_fail(error, 1, "no");
}
PLUGIN_FUNC(size_t, text_length, (const char *text plugin_count(n), size_t n))
{
    (void)text;
    return n;
}
PLUGIN_FUNC(size_t, bytes_length, (plugin_bytes const char *text plugin_count(n), size_t n))
{
    (void)text;
    return n;
}
PLUGIN_FUNC(size_t, texts, (const char *const *all plugin_count(n), size_t n))
{
    return n > 0 ? strlen(all[n - 1]) : 0;
}

static int
twice(int x)
{
    return 2 * x;
}
PLUGIN_FUNC(Handler, handler, (void))
{
    return twice;
}
PLUGIN_FUNC(plugin_blocking int, slowly, (int x))
{
    return x;
}
PLUGIN_FUNC(plugin_blocking int, slow_call, (int (*call)(int x), const char *text))
{
    return call((int)strlen(text));
}
PLUGIN_FUNC(plugin_blocking void, slow_room, (int n, char *x plugin_count(n) plugin_out, plugin_error *error))
{
    (void)x;
    if (n == 1) {
        plugin_fail(error, n, "no");
    }
}
