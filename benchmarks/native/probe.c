/* What the benchmark itself needs from C: the loader's own functions timed without Python, the size of the heap, and a
 * function that callgrind knows by its name. */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <dlfcn.h>
#include <malloc.h>
#include <time.h>

/* Seconds that this thread has run: what other processes do in between is not in it. */
static double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* open(path) -> (handle, seconds of dlopen) */
static PyObject *
probe_open(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *path;
    void *handle;
    double start, end;

    if (!PyArg_ParseTuple(args, "s", &path)) {
        return NULL;
    }
    start = now();
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    end = now();
    if (handle == NULL) {
        PyErr_SetString(PyExc_OSError, dlerror());
        return NULL;
    }
    return Py_BuildValue("Nd", PyLong_FromVoidPtr(handle), end - start);
}

/* symbols(handle, list of names) -> seconds of dlsym for all of them */
static PyObject *
probe_symbols(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *handle, *names;
    void *library;
    double start;

    if (!PyArg_ParseTuple(args, "OO!", &handle, &PyList_Type, &names)) {
        return NULL;
    }
    library = PyLong_AsVoidPtr(handle);
    start = now();
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names); i++) {
        const char *name = PyUnicode_AsUTF8(PyList_GET_ITEM(names, i));

        if (name == NULL || dlsym(library, name) == NULL) {
            return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_OSError, "no symbol %s", name);
        }
    }
    return PyFloat_FromDouble(now() - start);
}

/* heap() -> bytes that malloc has given out */
static PyObject *
probe_heap(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    struct mallinfo2 info = mallinfo2();

    return PyLong_FromSize_t(info.uordblks + info.hblkhd);
}

/* What runs below this function is what callgrind collects, and each return from it is a dump of its own. */
__attribute__((noinline)) PyObject *
benchmark_collected(PyObject *function, PyObject *argument)
{
    return PyObject_CallOneArg(function, argument);
}

/* collected(function, argument) -> function(argument) */
static PyObject *
probe_collected(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *function, *argument, *result;

    if (!PyArg_ParseTuple(args, "OO", &function, &argument)) {
        return NULL;
    }
    result = benchmark_collected(function, argument);
    return result; /* not a tail call */
}

static PyMethodDef functions[] = {
    {"open", probe_open, METH_VARARGS, NULL},
    {"symbols", probe_symbols, METH_VARARGS, NULL},
    {"heap", probe_heap, METH_NOARGS, NULL},
    {"collected", probe_collected, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "probe", .m_size = 0, .m_methods = functions};

PyMODINIT_FUNC PyInit_probe(void) { return PyModule_Create(&definition); }
