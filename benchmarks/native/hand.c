/* The limit: an extension written by hand for work.c, with full checks of every argument.
 *
 * It is compiled twice. `hand` reads compact ints, exact floats and ASCII text in place, as one does who looks for the
 * last nanosecond; `plain` (HAND_PLAIN) uses the functions of the C API for that, as most do. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <limits.h>
#include <string.h>

#include "hand.h"

/* ---- scalars ---- */

static PyObject *
hand_nothing(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module, (void)args;
    if (!expect(count, 0)) {
        return NULL;
    }
    nothing();
    Py_RETURN_NONE;
}

static PyObject *
hand_add(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int64_t a, b;

    (void)module;
    if (!expect(count, 2) || !get_int64(args[0], &a) || !get_int64(args[1], &b)) {
        return NULL;
    }
    return PyLong_FromLongLong(add(a, b));
}

static PyObject *
hand_add_released(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int64_t a, b, result;

    (void)module;
    if (!expect(count, 2) || !get_int64(args[0], &a) || !get_int64(args[1], &b)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    result = add_released(a, b);
    Py_END_ALLOW_THREADS
    return PyLong_FromLongLong(result);
}

static PyObject *
hand_add_shared(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int64_t a, b;

    (void)module;
    if (!expect(count, 2) || !get_int64(args[0], &a) || !get_int64(args[1], &b)) {
        return NULL;
    }
    return PyLong_FromLongLong(add_shared(a, b));
}

static PyObject *
hand_nap(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int64_t time;

    (void)module;
    if (!expect(count, 1) || !get_int64(args[0], &time)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    time = nap(time);
    Py_END_ALLOW_THREADS
    return PyLong_FromLongLong(time);
}

static PyObject *
hand_add_int32(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int32_t a, b;

    (void)module;
    if (!expect(count, 2) || !get_int32(args[0], &a) || !get_int32(args[1], &b)) {
        return NULL;
    }
    return PyLong_FromLong(add_int32(a, b));
}

static PyObject *
hand_add_doubles(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    double a, b;

    (void)module;
    if (!expect(count, 2) || !get_double(args[0], &a) || !get_double(args[1], &b)) {
        return NULL;
    }
    return PyFloat_FromDouble(add_doubles(a, b));
}

static PyObject *
hand_add_six(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    double a, b, c, d, e, f;

    (void)module;
    if (!expect(count, 6) || !get_double(args[0], &a) || !get_double(args[1], &b) || !get_double(args[2], &c) ||
        !get_double(args[3], &d) || !get_double(args[4], &e) || !get_double(args[5], &f)) {
        return NULL;
    }
    return PyFloat_FromDouble(add_six(a, b, c, d, e, f));
}

static PyObject *
hand_add_mixed(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int64_t a, c, d, g, h;
    double b, e, f;

    (void)module;
    if (!expect(count, 8) || !get_ranged(args[0], INT8_MIN, INT8_MAX, &a) || !get_double(args[1], &b) ||
        !get_ranged(args[2], 0, UINT16_MAX, &c) || !get_int64(args[3], &d) || !get_double(args[4], &e) ||
        !get_double(args[5], &f) || !get_ranged(args[6], 0, UINT32_MAX, &g) || !get_int64(args[7], &h)) {
        return NULL;
    }
    return PyFloat_FromDouble(add_mixed((int8_t)a, b, (uint16_t)c, d, (float)e, f, (uint32_t)g, h));
}

/* ---- text, bytes, buffers ---- */

static PyObject *
hand_text_length(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    const char *text;

    (void)module;
    if (!expect(count, 1) || (text = get_text(args[0])) == NULL) {
        return NULL;
    }
    return PyLong_FromLongLong(text_length(text));
}

static PyObject *
hand_greeting(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module, (void)args;
    return expect(count, 0) ? PyUnicode_FromString(greeting()) : NULL;
}

static PyObject *
hand_skip_byte(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    char *data;

    (void)module;
    if (!expect(count, 1) || PyBytes_AsStringAndSize(args[0], &data, NULL) < 0) { /* refuses an embedded NUL */
        return NULL;
    }
    return PyBytes_FromString(skip_byte(data));
}

static PyObject *
hand_sum(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Py_buffer x;
    double total;

    (void)module;
    if (!expect(count, 1) || !get_doubles(args[0], &x)) {
        return NULL;
    }
    total = sum(x.buf, (size_t)(x.len / x.itemsize));
    PyBuffer_Release(&x);
    return PyFloat_FromDouble(total);
}

static PyObject *
hand_copy_bytes(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Py_buffer in, out;
    bool equal;

    (void)module;
    if (!expect(count, 2) || PyObject_GetBuffer(args[0], &in, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    if (PyObject_GetBuffer(args[1], &out, PyBUF_WRITABLE) < 0) {
        PyBuffer_Release(&in);
        return NULL;
    }
    equal = in.len == out.len;
    if (equal) {
        copy_bytes(in.buf, out.buf, (size_t)in.len);
    }
    PyBuffer_Release(&out);
    PyBuffer_Release(&in);
    if (!equal) {
        PyErr_SetString(PyExc_ValueError, "in and out differ in length");
        return NULL;
    }
    Py_RETURN_NONE;
}

/* ---- callbacks ---- */

typedef struct {
    PyObject *function; /* borrowed from the call's arguments */
    bool failed;
} Callback;

static int64_t
call_python(int64_t i, void *data)
{
    Callback *callback = data;
    PyObject *slots[2] = {NULL, NULL}, *result;
    int64_t value = 0;

    if (callback->failed || (slots[1] = PyLong_FromLongLong(i)) == NULL) {
        callback->failed = true;
        return 0;
    }
    result = PyObject_Vectorcall(callback->function, slots + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    callback->failed = result == NULL || !get_int64(result, &value);
    Py_XDECREF(result);
    Py_DECREF(slots[1]);
    return value;
}

static PyObject *
hand_call_many(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Callback callback = {NULL, false};
    int64_t times, total;

    (void)module;
    if (!expect(count, 2) || !get_int64(args[0], &times)) {
        return NULL;
    }
    if (!PyCallable_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "function must be callable");
        return NULL;
    }
    callback.function = args[1];
    total = call_many(times, call_python, &callback);
    return callback.failed ? NULL : PyLong_FromLongLong(total);
}

/* ---- the module ---- */

static PyMethodDef functions[] = {
    FAST(nothing),     FAST(add),        FAST(add_released), FAST(add_shared),      FAST(nap),      FAST(add_int32),
    FAST(add_doubles), FAST(add_six),    FAST(add_mixed),    FAST(text_length),     FAST(greeting), FAST(skip_byte),
    FAST(sum),         FAST(copy_bytes), FAST(call_many),    {NULL, NULL, 0, NULL},
};

static int
hand_exec(PyObject *module)
{
    return PyModule_AddFunctions(module, functions) < 0 || hand_add_types(module) < 0 ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, hand_exec},
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = HAND_NAME,
    .m_size = sizeof(HandState),
    .m_slots = slots,
};

PyMODINIT_FUNC
HAND_INIT(void)
{
    return PyModuleDef_Init(&definition);
}
