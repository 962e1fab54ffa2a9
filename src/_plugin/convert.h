/* The contracts of convert.c: single values between Python and C, numbers, strings and buffers.
 *
 * An int function returns -1 and a pointer function NULL on failure, with an exception set. */
#ifndef PLUGIN_CONVERT_H
#define PLUGIN_CONVERT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <float.h>
#include <math.h>

#include "declare.h"

/* One argument, result, member or variable of at most 8 bytes. */
typedef union {
    int64_t i;
    uint64_t u;
    double d;
    float f;
    void *p;
} Value;

/* What an error message calls a value: "add() argument 'b'", or the owner alone. */
typedef struct {
    const char *owner;
    const char *name;              /* NULL if the owner says it all */
} Where;

/* Set an exception whose message begins with `where`.  Returns -1. */
int convert_fail(PyObject *type, const Where *where, const char *format, ...);

/* A Python number as a value of the scalar or enum `type`: checked for range, extended to 8 bytes. */
int convert_scalar(const Type *type, PyObject *object, const Where *where, Value *value);

/* The other way; only the type's own bytes of `value` count. */
PyObject *convert_result(const Type *type, Value value);

/* Between a value and memory of the type's own size. */
void convert_store(const Type *type, void *memory, Value value);
Value convert_load(const Type *type, const void *memory);

/* A str as UTF-8 or bytes, without a NUL in it; good while `object` lives. */
int convert_string(PyObject *object, bool bytes_only, const Where *where, const char **string);

/* Text of a plugin as str (bytes if so asked). */
PyObject *convert_text(const char *string, bool bytes, const Where *where);

/* Acquire a buffer for a pointer to `item`, or to anything if that is void: C-contiguous, aligned, writable unless
 * the items are const, of matching kind, size and byte order.  `dims` extents are wanted, 0 for any shape with at
 * least one item.  The caller releases `view`. */
int convert_buffer(const Type *item, int dims, PyObject *object, const Where *where, Py_buffer *view);

/* The same for memory that is only read from, whatever the items' const says. */
int convert_source(const Type *item, int dims, PyObject *object, const Where *where, Py_buffer *view);

/* The kind of number that each letter of the buffer protocol's formats means, or 0. */
extern const uint8_t convert_letters[256];

/* The kind of an array's items: one of those, or 0 where more must be looked at. */
uint8_t convert_item_kind(const Type *item);

/* The struct-module format of one scalar, for buffers that we export. */
const char *convert_format(const Type *type);

/* The address behind a ctypes or cffi pointer: 1 with `address`, 0 if `object` is none, -1. */
int convert_foreign_pointer(PyObject *object, void **address);

/* ------------------------------------------------------------------ what nearly all arguments are, without a call */

/* Where the compiler cannot tell which way is the usual one, and it matters. */
#define LIKELY(condition) __builtin_expect(condition, 1)

/* A function that is over in a few nanoseconds begins with a cache line: else one of them may go into fetching it. */
#define SHORT __attribute__((aligned(64)))

/* The value of an int of one digit, which fits 32 bits. */
static inline bool
fast_integer(PyObject *object, int64_t *value)
{
#if PY_VERSION_HEX >= 0x030C0000
    if (PyLong_CheckExact(object) && PyUnstable_Long_IsCompact((PyLongObject *)object)) {
        *value = PyUnstable_Long_CompactValue((PyLongObject *)object);
        return true;
    }
#else
    if (PyLong_CheckExact(object) && (size_t)(Py_SIZE(object) + 1) <= 2) {
        *value = (int64_t)Py_SIZE(object) * (int64_t)((PyLongObject *)object)->ob_digit[0];
        return true;
    }
#endif
    return false;
}

/* The value of an int of two or three digits, up to 63 bits.  No call: a caller need keep nothing from it. */
static inline bool
fast_long(PyObject *object, int64_t *value)
{
#if PYLONG_BITS_IN_DIGIT == 30
    const digit *digits;
    uint64_t magnitude;
    Py_ssize_t count;
    bool negative;

    if (!PyLong_CheckExact(object)) {
        return false;
    }
#if PY_VERSION_HEX >= 0x030C0000
    digits = ((PyLongObject *)object)->long_value.ob_digit;
    count = (Py_ssize_t)(((PyLongObject *)object)->long_value.lv_tag >> 3);
    negative = (((PyLongObject *)object)->long_value.lv_tag & 2) != 0;
#else
    digits = ((PyLongObject *)object)->ob_digit;
    negative = Py_SIZE(object) < 0;
    count = negative ? -Py_SIZE(object) : Py_SIZE(object);
#endif
    if (count < 2 || count > 3 || (count == 3 && digits[2] > 7)) {
        return false;
    }
    magnitude = digits[0] | (uint64_t)digits[1] << 30 | (count == 3 ? (uint64_t)digits[2] << 60 : 0);
    *value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
#else
    (void)object, (void)value;
    return false;
#endif
}

static inline bool
fast_double(PyObject *object, double *value)
{
    if (PyFloat_CheckExact(object)) {
        *value = PyFloat_AS_DOUBLE(object);
        return true;
    }
    return false;
}

/* A number that fits a float, as the low half of a double. */
static inline bool
fast_narrow(double *value)
{
    float number;
    uint64_t bits = 0;

    if (!LIKELY(fabs(*value) <= (double)FLT_MAX || isinf(*value))) {
        return false;
    }
    number = (float)*value;
    memcpy(&bits, &number, sizeof number);
    memcpy(value, &bits, sizeof bits);
    return true;
}

/* The characters of an ASCII str that C sees whole. */
static inline bool
fast_string(PyObject *object, const char **value)
{
    if (PyUnicode_CheckExact(object) && PyUnicode_IS_COMPACT_ASCII(object)) {
        const char *string = (const char *)(((PyASCIIObject *)object) + 1);

        *value = string;
        return strlen(string) == (size_t)PyUnicode_GET_LENGTH(object);
    }
    return false;
}

/* Likewise those of a bytes object. */
static inline bool
fast_bytes(PyObject *object, const char **value)
{
    if (PyBytes_CheckExact(object)) {
        *value = PyBytes_AS_STRING(object);
        return strlen(*value) == (size_t)PyBytes_GET_SIZE(object);
    }
    return false;
}

#endif
