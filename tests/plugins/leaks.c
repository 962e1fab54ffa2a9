/* Every kind of argument and result that a call converts, for test_leaks.py. */
#include <plugin.h>
#include <stdlib.h>
#include <string.h>

PLUGIN("example.com/leaks", "1.0.0");

PLUGIN_DECLARE(typedef struct Context Context;)
PLUGIN_ENUM(Level, { LOW = 1, HIGH });

PLUGIN_STRUCT(Driver, {
    const char *(*Name)(Driver *self);
    double (*Mean)(Driver *self, const double *x plugin_count(n), size_t n, plugin_error *error);
    Driver *(*Peer)(Driver *self);
    int (*Missing)(Driver *self);
    int (*Maybe)(Driver *self) plugin_nullable;
    plugin_destructor void (*Close)(Driver *self);
});

static const char *
name(Driver *self)
{
    (void)self;
    return "driver";
}

static double
mean(Driver *self, const double *x, size_t n, plugin_error *error)
{
    (void)self;
    if (n == 0) {
        plugin_fail(error, 1, "no values");
        return 0;
    }
    return x[0];
}

static Driver *
peer(Driver *self)
{
    return self;
}

static int
maybe(Driver *self)
{
    (void)self;
    return 3;
}

static void
close_driver(Driver *self)
{
    free(self);
}

PLUGIN_FUNC(plugin_owned Driver *, NewDriver, (int fail, plugin_error *error))
{
    Driver *self = malloc(sizeof *self);

    *self = (Driver){name, mean, peer, NULL, maybe, close_driver};
    if (fail) {
        plugin_fail(error, fail, "asked to fail");
    }
    return self;
}

PLUGIN_FUNC(int, use, (Driver *driver, int number))
{
    return driver != NULL ? number : 0;
}

PLUGIN_FUNC(void, take, (Driver *driver plugin_owned))
{
    free(driver);
}

PLUGIN_FUNC(plugin_owned Context *, open_context, (void))
{
    return malloc(16);
}

PLUGIN_FUNC(void, make_context, (Context **made plugin_out plugin_owned))
{
    *made = malloc(16);
}

PLUGIN_FUNC(plugin_destructor void, close_context, (Context *context))
{
    free(context);
}

PLUGIN_FUNC(Context *, same_context, (Context *context))
{
    return context;
}

PLUGIN_FUNC(int, scalars, (bool b, int8_t i, uint64_t u, float f, double d))
{
    return b + i + (int)u + (int)f + (int)d;
}

PLUGIN_FUNC(double, half, (double x))
{
    return x / 2;
}

PLUGIN_FUNC(uint64_t, large, (void))
{
    return UINT64_MAX;
}

PLUGIN_FUNC(const char *, echo, (const char *text plugin_nullable))
{
    return text;
}

PLUGIN_FUNC(plugin_bytes const char *, raw, (plugin_bytes const char *text))
{
    return text;
}

PLUGIN_FUNC(plugin_owned char *, copy, (const char *text))
{
    return strdup(text);
}

PLUGIN_FUNC(plugin_free(free) char *, copy_free, (const char *text))
{
    return strdup(text);
}

PLUGIN_FUNC(double, total, (const double *x plugin_count(n), const double *y plugin_count(n), size_t n))
{
    return n > 0 ? x[0] + y[n - 1] : 0;
}

PLUGIN_FUNC(void, fill, (uint8_t *to plugin_count(*n), size_t *n plugin_inout))
{
    *n = *n > 0 ? 1 : 0;
    (void)to;
}

PLUGIN_FUNC(int, divide, (int a, int b, int *rest plugin_out, plugin_error *error))
{
    if (b == 0) {
        plugin_fail(error, 7, "division by zero");
        return 0;
    }
    *rest = a % b;
    return a / b;
}

PLUGIN_FUNC(void, twice, (int *x plugin_inout))
{
    *x *= 2;
}

PLUGIN_FUNC(int, peek, (const void *memory plugin_nullable))
{
    return memory != NULL;
}

PLUGIN_FUNC(Driver *, nothing, (void))
{
    return NULL;
}

PLUGIN_VAR(int, number) = 3;
PLUGIN_VAR(const int, fixed) = 4;
PLUGIN_VAR(const char *, text) = "text";

__attribute__((visibility("default"))) int bare(int x);
int
bare(int x)
{
    return x;
}
