/* Opening with nothing but a path, the usual case: what plugin/_opening.py does step by step, without the steps that such an
 * open does not need.  It loads a file that is new, under its real path, and finds one that is open and did not change.
 * Of all else it says nothing, and leaves it to _opening.py, which begins anew. */
#include "internal.h"

#include <dlfcn.h>
#include <unistd.h>

typedef struct {
    ModuleState *state;
    PyTypeObject *type;            /* borrowed, as all here: Plugin */
    PyObject *shown;               /* str or bytes, as the caller wrote it */
    const char *path;
} Opening;

/* ------------------------------------------------------------------ what is open */

static PyObject *
file_key(const FileIdentity *identity)
{
    PyObject *device = PyLong_FromUnsignedLongLong((unsigned long long)identity->device);
    PyObject *inode = PyLong_FromUnsignedLongLong((unsigned long long)identity->inode);
    PyObject *key = device != NULL && inode != NULL ? PyTuple_Pack(2, device, inode) : NULL;

    Py_XDECREF(device);
    Py_XDECREF(inode);
    return key;
}

static bool
is_unchanged(const FileIdentity *a, const FileIdentity *b)
{
    return a->size == b->size && a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

/* Enter the library, and give it if it is the one that counts; else None: another thread was first. */
static PyObject *
publish(const Opening *opening, LibraryObject *library, PyObject *key)
{
    const ModuleState *state = opening->state;
    PyObject *winner = dict_set_default(state->by_file, key, (PyObject *)library);
    PyObject *there = winner == (PyObject *)library ? dict_set_default(state->by_path, library->path, winner) : NULL;

    if (winner != NULL && winner != (PyObject *)library) {
        Py_SETREF(winner, Py_NewRef(Py_None));
    } else if (there == NULL) {
        Py_CLEAR(winner);
    }
    Py_XDECREF(there);
    return winner;
}

/* ------------------------------------------------------------------ what is new */

/* Ctrl-C meanwhile interrupts the open, not what follows it.  An init may have had the GIL for long: who waits for it, and
 * may be the one who interrupts, is let in. */
static bool
was_interrupted(const LibraryObject *library)
{
    if (library->facts.has_init) {
        Py_BEGIN_ALLOW_THREADS
        Py_END_ALLOW_THREADS
    }
    return PyErr_CheckSignals() < 0;
}

/* `fd` is taken over. */
static PyObject *
open_new(const Opening *opening, PyObject *name, int fd)
{
    const Source source = {opening->type, opening->path, name, opening->shown, fd, RTLD_NOW | RTLD_LOCAL, NULL};
    LibraryObject *library = load_read_source(&source);
    PyObject *key = library != NULL ? file_key(&library->facts.identity) : NULL;
    PyObject *opened = key != NULL ? load_open(library, opening->path, opening->shown, Py_None) : NULL;
    PyObject *result = opened != NULL ? publish(opening, library, key) : NULL;

    if (result != NULL && was_interrupted(library)) {
        Py_CLEAR(result);
    }
    Py_XDECREF((PyObject *)library);
    Py_XDECREF(key);
    Py_XDECREF(opened);
    return result;
}

/* A path with a `$` may be another one to the loader; one that is known is that of a file that was replaced. */
static PyObject *
open_real(const Opening *opening)
{
    bool is_text = PyUnicode_CheckExact(opening->shown) && PyUnicode_IS_ASCII(opening->shown);
    PyObject *name, *known = NULL, *result = NULL;
    int fd = -1;

    if (strchr(opening->path, '$') != NULL) {
        Py_RETURN_NONE;
    }
    Py_BEGIN_ALLOW_THREADS
    fd = elf_open_real(opening->path);
    Py_END_ALLOW_THREADS
    if (fd < 0) {
        Py_RETURN_NONE;
    }
    name = is_text ? Py_NewRef(opening->shown) : PyUnicode_DecodeFSDefault(opening->path);
    if (name == NULL || dict_get(opening->state->by_path, name, &known) != 0) {
        close(fd);
        result = name == NULL || PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    } else {
        result = open_new(opening, name, fd);
    }
    Py_XDECREF(name);
    Py_XDECREF(known);
    return result;
}

static PyObject *
find_or_open(const Opening *opening)
{
    FileIdentity identity;
    PyObject *key, *found = NULL;
    int failed;

    Py_BEGIN_ALLOW_THREADS
    failed = elf_identify(opening->path, &identity);
    Py_END_ALLOW_THREADS
    if (failed < 0 || !identity.is_regular) {
        Py_RETURN_NONE;
    }
    key = file_key(&identity);
    failed = key == NULL ? -1 : dict_get(opening->state->by_file, key, &found);
    Py_XDECREF(key);
    if (failed < 0) {
        return NULL;
    }
    if (found == NULL) {
        return open_real(opening);
    }
    if (PyObject_TypeCheck(found, opening->state->library) &&
        is_unchanged(&((LibraryObject *)found)->facts.identity, &identity)) {
        return found;
    }
    Py_DECREF(found);
    Py_RETURN_NONE;
}

/* What another open, or a call, may want later, a host that has given up its rights could not read. */
static int
prepare(ModuleState *state)
{
    PyObject *module;

    if (SHARED_LOAD(state->errors) != NULL) {
        return 0;
    }
    module = PyImport_ImportModule("plugin._opening");
    Py_XDECREF(module);
    return module == NULL || state_errors(state) == NULL ? -1 : 0;
}

PyObject *
plain_open(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    ModuleState *state = PyModule_GetState(module);
    Opening opening;
    PyObject *path, *result;

    if (nargs != 2 || !PyType_Check(args[0]) || !PyType_IsSubtype((PyTypeObject *)args[0], state->library)) {
        PyErr_SetString(PyExc_TypeError, "plain() takes a type derived from Library and a path");
        return NULL;
    }
    if ((!PyUnicode_CheckExact(args[1]) && !PyBytes_CheckExact(args[1])) || !PyUnicode_FSConverter(args[1], &path)) {
        PyErr_Clear();             /* a path that cannot be one is refused by _opening.py */
        Py_RETURN_NONE;
    }
    opening = (Opening){state, (PyTypeObject *)args[0], args[1], PyBytes_AS_STRING(path)};
    result = prepare(state) < 0 ? NULL : find_or_open(&opening);
    Py_DECREF(path);
    return result;
}
