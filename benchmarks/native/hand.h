/* Conversions of the hand-written extension, inline; and what its two files share. */
#ifndef HAND_H
#define HAND_H

#include <Python.h>
#include <stdbool.h>
#include <string.h>

#include "work.h"

#ifdef HAND_PLAIN
#define HAND_NAME "plain"
#define HAND_INIT PyInit_plain
#else
#define HAND_NAME "hand"
#define HAND_INIT PyInit_hand
#endif

typedef struct {
    PyTypeObject *counter, *adder; /* owned */
} HandState;

/* Adds the types Counter, Adder and State, and the functions that take or give them. -1 with an exception. */
int hand_add_types(PyObject *module);

/* The table's line of the built-in function hand_NAME. */
#define FAST(name) {#name, (PyCFunction)(void (*)(void))hand_##name, METH_FASTCALL, NULL}

static inline bool
expect(Py_ssize_t count, Py_ssize_t wanted)
{
    if (count != wanted) {
        PyErr_Format(PyExc_TypeError, "expected %zd arguments, got %zd", wanted, count);
    }
    return count == wanted;
}

/* True if `object` is an int of one digit, whose value is then in *value. */
static inline bool
get_compact(PyObject *object, int64_t *value)
{
#ifdef HAND_PLAIN
    (void)object, (void)value;
    return false;
#else
    if (!PyLong_CheckExact(object)) {
        return false;
    }
#if PY_VERSION_HEX >= 0x030C0000
    if (!PyUnstable_Long_IsCompact((PyLongObject *)object)) {
        return false;
    }
    *value = PyUnstable_Long_CompactValue((PyLongObject *)object);
#else
    if ((size_t)(Py_SIZE(object) + 1) > 2) {
        return false;
    }
    *value = Py_SIZE(object) * (int64_t)((PyLongObject *)object)->ob_digit[0];
#endif
    return true;
#endif
}

static inline bool
get_int64(PyObject *object, int64_t *value)
{
    if (get_compact(object, value)) {
        return true;
    }
#if SIZEOF_LONG == 8
    *value = PyLong_AsLong(object); /* reads digits in place; PyLong_AsLongLong goes by way of a byte array */
#else
    *value = PyLong_AsLongLong(object);
#endif
    return *value != -1 || !PyErr_Occurred();
}

static inline bool
get_ranged(PyObject *object, int64_t low, int64_t high, int64_t *value)
{
    if (!get_int64(object, value)) {
        return false;
    }
    if (*value < low || *value > high) {
        PyErr_SetString(PyExc_OverflowError, "int out of range");
        return false;
    }
    return true;
}

static inline bool
get_int32(PyObject *object, int32_t *value)
{
    int64_t wide;

    if (!get_ranged(object, INT32_MIN, INT32_MAX, &wide)) {
        return false;
    }
    *value = (int32_t)wide;
    return true;
}

static inline bool
get_double(PyObject *object, double *value)
{
#ifndef HAND_PLAIN
    if (PyFloat_CheckExact(object)) {
        *value = PyFloat_AS_DOUBLE(object);
        return true;
    }
#endif
    *value = PyFloat_AsDouble(object);
    return *value != -1.0 || !PyErr_Occurred();
}

/* UTF-8 that `object` owns, without an embedded NUL; NULL with an exception. */
static inline const char *
get_text(PyObject *object)
{
    Py_ssize_t size;
    const char *text;

#ifndef HAND_PLAIN
    if (PyUnicode_CheckExact(object) && PyUnicode_IS_COMPACT_ASCII(object)) {
        text = (const char *)PyUnicode_1BYTE_DATA(object);
        size = PyUnicode_GET_LENGTH(object);
    }
    else
#endif
    {
        text = PyUnicode_AsUTF8AndSize(object, &size);
    }
    if (text != NULL && strlen(text) != (size_t)size) {
        PyErr_SetString(PyExc_ValueError, "embedded null character");
        return NULL;
    }
    return text;
}

/* A contiguous buffer of doubles, which the caller releases. */
static inline bool
get_doubles(PyObject *object, Py_buffer *buffer)
{
    if (PyObject_GetBuffer(object, buffer, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0) {
        return false;
    }
    if (buffer->ndim != 1 || buffer->itemsize != sizeof(double) || strcmp(buffer->format, "d") != 0) {
        PyBuffer_Release(buffer);
        PyErr_SetString(PyExc_TypeError, "expected an array of double");
        return false;
    }
    return true;
}

#endif
