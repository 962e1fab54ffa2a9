/* The plugin: the same functions as work.c has, declared to plugin. Compiled together with work.c, and -DWORK_PLUGIN. */
#include <plugin.h>

PLUGIN("example.com/benchmark", "1.0.0");

PLUGIN_STRUCT(Adder, {
    int64_t (*Add)(Adder *self, int64_t by);
    plugin_destructor void (*Close)(Adder *self);
});
#define WORK_ADDER
#include "work.h"

PLUGIN_FUNC(void, nothing, (void));
PLUGIN_FUNC(int64_t, add, (int64_t a, int64_t b));
PLUGIN_FUNC(int32_t, add_int32, (int32_t a, int32_t b));
PLUGIN_FUNC(double, add_doubles, (double a, double b));
PLUGIN_FUNC(double, add_six, (double a, double b, double c, double d, double e, double f));
PLUGIN_FUNC(double, add_mixed, (int8_t a, double b, uint16_t c, int64_t d, float e, double f, uint32_t g, int64_t h));

PLUGIN_FUNC(int64_t, text_length, (const char *text));
PLUGIN_FUNC(const char *, greeting, (void));
PLUGIN_FUNC(plugin_bytes const char *, skip_byte, (plugin_bytes const char *data));

PLUGIN_FUNC(double, sum, (const double *x plugin_count(n), size_t n));
PLUGIN_FUNC(void, copy_bytes, (const uint8_t *in plugin_count(n), uint8_t *out plugin_count(n), size_t n));

PLUGIN_VAR(int64_t, level) = 7;

PLUGIN_DECLARE(typedef struct Counter Counter;)
PLUGIN_FUNC(plugin_owned Counter *, counter_new, (int64_t start));
PLUGIN_FUNC(int64_t, counter_value, (Counter *counter));
PLUGIN_FUNC(plugin_destructor void, counter_free, (Counter *counter));

PLUGIN_FUNC(plugin_owned Adder *, adder_new, (int64_t start));

PLUGIN_FUNC(int64_t, call_many, (int64_t count, int64_t (*function)(int64_t i, void *data), void *data));

PLUGIN_FUNC(plugin_blocking int64_t, add_released, (int64_t a, int64_t b));
PLUGIN_FUNC(plugin_threadsafe int64_t, add_shared, (int64_t a, int64_t b));
PLUGIN_FUNC(plugin_blocking int64_t, nap, (int64_t microseconds));
