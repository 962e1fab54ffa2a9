/* Every macro and every word of plugin.h once; compiled as C and as C++ by test_header.py. */
#include <plugin.h>

PLUGIN("example.com/everything", "1.2.3");

PLUGIN_DECLARE(typedef float sample_t; typedef struct Context Context;)
PLUGIN_DECLARE(enum { PORTS = 4, NAMES };)

PLUGIN_ENUM(Level, { LOW = 1, HIGH });

PLUGIN_STRUCT(Driver, {
    const char *(*Name)(Driver *self);
    double (*Mean)(Driver *self, const double *x plugin_count(n), size_t n, plugin_error *error);
    plugin_destructor void (*Close)(Driver *self plugin_owned);
});

PLUGIN_DOC(add, "Adds, \"as one does\": a + b; "
                "é @ 100%");
PLUGIN_FUNC(double, add, (double a, double b)) { return a + b; }

PLUGIN_FUNC(plugin_blocking plugin_threadsafe bool, each,
            (double (*visit)(double x, void *data) plugin_retained, void *data))
{
    return visit(1.0, data) > 0;
}

PLUGIN_FUNC(void, split,
            (plugin_bytes const char *text, uint8_t *out plugin_count(*n), size_t *n plugin_inout,
             int *rest plugin_out, const char *separator plugin_nullable))
{
    *rest = separator == NULL;
    *n = 0;
    (void)text;
    (void)out;
}

PLUGIN_FUNC(plugin_free(release) char *, copy, (const char *text))
{
    (void)text;
    return NULL;
}

PLUGIN_FUNC(plugin_destructor void, release, (char *text)) { (void)text; }

PLUGIN_FUNC(plugin_owned Context *plugin_nullable, context, (void)) { return NULL; }

PLUGIN_VAR(int, verbosity) = 7;
PLUGIN_VAR(const double, pi) = 3.14;
PLUGIN_VAR(plugin_bytes const char *, label) = "x";
PLUGIN_VAR(sample_t, gains, [16]);
PLUGIN_VAR(short, grid, [2][PORTS]) = {{1}};

PLUGIN_INIT(plugin_error *error) { plugin_fail(error, 3, "no %s", "device"); }
