/* The work itself, as little as there can be: what is measured is the way here and back. */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "work.h"

#ifndef WORK_PLUGIN /* which defines its variable itself */
int64_t level = 7;
#endif

struct Counter {
    int64_t value;
};

typedef struct {
    Adder methods;
    int64_t value;
} AdderState;

void nothing(void) {}
int64_t add(int64_t a, int64_t b) { return a + b; }
int64_t add_released(int64_t a, int64_t b) { return a + b; }
int64_t add_shared(int64_t a, int64_t b) { return a + b; }
int32_t add_int32(int32_t a, int32_t b) { return a + b; }
double add_doubles(double a, double b) { return a + b; }

double add_six(double a, double b, double c, double d, double e, double f) { return a + b + c + d + e + f; }

double add_mixed(int8_t a, double b, uint16_t c, int64_t d, float e, double f, uint32_t g, int64_t h)
{
    return a + b + c + (double)d + (double)e + f + g + (double)h;
}

int64_t text_length(const char *text) { return (int64_t)strlen(text); }
const char *greeting(void) { return "hello, world"; }
const char *skip_byte(const char *data) { return data + 1; }

double sum(const double *x, size_t n)
{
    double total = 0;

    for (size_t i = 0; i < n; i++) {
        total += x[i];
    }
    return total;
}

void copy_bytes(const uint8_t *in, uint8_t *out, size_t n) { memcpy(out, in, n); }

Counter *counter_new(int64_t start)
{
    Counter *counter = malloc(sizeof *counter);

    if (counter != NULL) {
        counter->value = start;
    }
    return counter;
}

int64_t counter_value(Counter *counter) { return counter->value; }
void counter_free(Counter *counter) { free(counter); }

static int64_t adder_add(Adder *self, int64_t by) { return ((AdderState *)self)->value + by; }
static void adder_close(Adder *self) { free(self); }

Adder *adder_new(int64_t start)
{
    AdderState *state = malloc(sizeof *state);

    if (state != NULL) {
        *state = (AdderState){{adder_add, adder_close}, start};
    }
    return (Adder *)state;
}

int64_t call_many(int64_t count, int64_t (*function)(int64_t i, void *data), void *data)
{
    int64_t total = 0;

    for (int64_t i = 0; i < count; i++) {
        total += function(i, data);
    }
    return total;
}

int64_t nap(int64_t microseconds)
{
    struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};

    nanosleep(&time, NULL);
    return microseconds;
}
