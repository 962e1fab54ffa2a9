/* Entry points that native code calls: what callback.c and implement.c make theirs of. */
#ifndef PLUGIN_ENTRYPOINT_H
#define PLUGIN_ENTRYPOINT_H

#include "internal.h"

#include <stdatomic.h>

/* Outlives its interpreter: a plugin's thread may call when that has gone. */
struct Life {
    PyInterpreterState *interpreter;
    atomic_bool ended;
    atomic_int guests;             /* threads that Python does not know, on their way in or inside */
    Once *making;                  /* borrowed from the module; NULL when that is gone */
    Life *older;                   /* of another interpreter */
};

#if defined(__aarch64__)
#define INTEGER_PARAMETERS int64_t i0, int64_t i1, int64_t i2, int64_t i3, int64_t i4, int64_t i5, int64_t i6, int64_t i7
#define INTEGERS i0, i1, i2, i3, i4, i5, i6, i7
#else
#define INTEGER_PARAMETERS int64_t i0, int64_t i1, int64_t i2, int64_t i3, int64_t i4, int64_t i5
#define INTEGERS i0, i1, i2, i3, i4, i5
#endif
/* A caller that passes fewer leaves the rest as they were: nobody looks at them.  CALLBACK_STACK words of stack. */
#define PARAMETERS                                                                                               \
    INTEGER_PARAMETERS, double d0, double d1, double d2, double d3, double d4, double d5, double d6, double d7,   \
        int64_t s0, int64_t s1, int64_t s2, int64_t s3, int64_t s4, int64_t s5, int64_t s6, int64_t s7
#define REGISTERS                                                                                                \
    {                                                                                                              \
        .integers = {INTEGERS}, .floats = {d0, d1, d2, d3, d4, d5, d6, d7}, .stack = {s0, s1, s2, s3, s4, s5, s6, s7} \
    }

/* One entry point for each file of registers that a result goes back in. */
typedef struct {
    int64_t (*integer)(PARAMETERS);
    double (*floating)(PARAMETERS);
} Entry;

/* The one of the two that a signature needs. */
void *entry_of(const Signature *signature, const Entry *entry);

/* Run the callable of a closure with what the registers hold; zero if there is none any more, or it fails. */
Value callback_run(Closure *closure, const Registers *registers);

/* The same, and `then`, while the thread is still attached; not if the interpreter has ended. */
Value callback_run_then(Closure *closure, const Registers *registers, void (*then)(const void *), const void *context);

/* What a callable gave, as its signature's result wants it; the object stays the caller's.  Returns 0 or -1. */
int callback_give(Closure *closure, PyObject *result, Value *value);

#endif
