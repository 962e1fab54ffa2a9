/* The functions that every contestant calls: plain C that knows neither Python nor plugin. */
#ifndef WORK_H
#define WORK_H

#include <stddef.h>
#include <stdint.h>

void nothing(void);
int64_t add(int64_t a, int64_t b);
int32_t add_int32(int32_t a, int32_t b);
double add_doubles(double a, double b);
double add_six(double a, double b, double c, double d, double e, double f);
double add_mixed(int8_t a, double b, uint16_t c, int64_t d, float e, double f, uint32_t g, int64_t h);

int64_t text_length(const char *text);
const char *greeting(void);
const char *skip_byte(const char *data);

double sum(const double *x, size_t n);
void copy_bytes(const uint8_t *in, uint8_t *out, size_t n);

extern int64_t level;

/* An opaque handle. */
typedef struct Counter Counter;
Counter *counter_new(int64_t start);
int64_t counter_value(Counter *counter);
void counter_free(Counter *counter);

/* An interface: a struct of function pointers. plugin defines it by its own macro. */
#ifndef WORK_ADDER
typedef struct Adder Adder;
struct Adder {
    int64_t (*Add)(Adder *self, int64_t by);
    void (*Close)(Adder *self);
};
#endif
Adder *adder_new(int64_t start);

int64_t call_many(int64_t count, int64_t (*function)(int64_t i, void *data), void *data);

/* The same as `add`; contestants release the GIL around it. */
int64_t add_released(int64_t a, int64_t b);
/* The same as `add`; several threads may be in it. */
int64_t add_shared(int64_t a, int64_t b);
/* Sleeps; contestants release the GIL around it. */
int64_t nap(int64_t microseconds);

#endif
