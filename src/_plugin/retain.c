/* What a plugin keeps beyond a call (plugin_retained): the objects behind it stay alive. */
#include "internal.h"

/* ------------------------------------------------------------------ closures that outlive the call */

static void
free_closure(PyObject *capsule)
{
    Closure *closure = PyCapsule_GetPointer(capsule, "plugin.Closure");

    closure_stop(closure);
    Py_DECREF(closure->callable);
    signature_free(closure->own);
    PyMem_Free(closure);
}

PyObject *
retain_closure(const Closure *closure, Closure **kept)
{
    PyObject *capsule;

    *kept = PyMem_Malloc(sizeof **kept);
    if (*kept == NULL) {
        return PyErr_NoMemory();
    }
    **kept = *closure;
    (*kept)->slot = -1;
    capsule = PyCapsule_New(*kept, "plugin.Closure", free_closure);
    if (capsule == NULL) {
        PyMem_Free(*kept);
        return NULL;
    }
    Py_INCREF(closure->callable);
    return capsule;
}

PyObject *
retain_callable(LibraryObject *library, const Prototype *prototype, PyObject *callable, const Where *where,
                void **function, char reason[REASON_MAX])
{
    Signature *signature = signature_compile_callback(library, prototype, -1, reason);
    Closure closure = {.signature = signature, .callable = callable, .library = library, .life = library->state->life,
                       .owner = where->owner, .slot = -1}, *kept;
    PyObject *capsule = signature != NULL ? retain_closure(&closure, &kept) : NULL;

    if (capsule == NULL) {
        signature_free(signature);
        return NULL;
    }
    kept->own = signature;
    native_may_call_python();
    if (closure_start(kept, where, function) < 0) {
        Py_CLEAR(capsule);
    }
    return capsule;
}

/* ------------------------------------------------------------------ places */

/* The address in an argument, as an int. */
static PyObject *
address_of(const Frame *frame, const Argument *argument)
{
    void *address;

    memcpy(&address, (const char *)&frame->registers + argument->place, sizeof address);
    return PyLong_FromVoidPtr(address);
}

/* Whether the argument says where the plugin keeps a pointer: an integer, a name, or the object that it belongs to. */
static bool
is_place(const Frame *frame, const Argument *argument, PyObject *const *args)
{
    switch ((Conversion)argument->conversion) {
    case CONVERT_SCALAR:
        return argument->type->kind != TYPE_FLOAT;
    case CONVERT_SELF:
        return true;
    case CONVERT_STRING:
        return !argument->retained;
    case CONVERT_HANDLE:
    case CONVERT_ADDRESS:
        return !argument->retained && PyObject_TypeCheck(args[argument->python], frame->callee->library->state->handle);
    default:
        return false;
    }
}

static PyObject *
place_part(const Frame *frame, const Argument *argument, PyObject *const *args)
{
    switch ((Conversion)argument->conversion) {
    case CONVERT_SCALAR:
        return PyNumber_Index(args[argument->python]);
    case CONVERT_STRING:
        return Py_NewRef(args[argument->python]);
    default:
        return address_of(frame, argument);
    }
}

/* Where a pointer is kept: the function, the parameter, and the numbers, names and objects beside it (connect_port's
 * port and instance), so that another one given at the same place takes its turn. */
static PyObject *
place_of(const Frame *frame, int number, PyObject *const *args)
{
    const Signature *signature = frame->signature;
    PyObject *parts = PyList_New(0), *place = NULL;
    int failed = parts == NULL ? -1 : 0;

    for (int i = 0; i < signature->count && failed == 0; i++) {
        const Argument *argument = &signature->arguments[i];

        if (is_place(frame, argument, args)) {
            PyObject *part = place_part(frame, argument, args);

            failed = part == NULL ? -1 : PyList_Append(parts, part);
            Py_XDECREF(part);
        }
    }
    if (failed == 0) {
        PyObject *tuple = PyList_AsTuple(parts);

        place = tuple != NULL ? Py_BuildValue("(siN)", frame->callee->name, number, tuple) : NULL;
    }
    Py_XDECREF(parts);
    return place;
}

/* The object that keeps what is behind an argument alive and in its place; NULL without an exception for a NULL. */
static PyObject *
keeper_of(const Frame *frame, int number, PyObject *object)
{
    const Argument *argument = &frame->signature->arguments[number];

    if (object == Py_None) {
        return NULL;
    }
    if (argument->conversion == CONVERT_CALLBACK) {
        return Py_XNewRef(frame->retained[number]);
    }
    if (frame->rooms[number] != NULL) {        /* an array of strings, or what stands for an object */
        return Py_XNewRef(frame->rooms[number]);
    }
    if (PyObject_CheckBuffer(object) && argument->conversion != CONVERT_HANDLE && argument->conversion != CONVERT_STRING) {
        return PyMemoryView_FromObject(object);    /* holds the buffer: a bytearray cannot be resized meanwhile */
    }
    return Py_NewRef(object);
}

PyObject **
retain_dict(HandleObject *handle, LibraryObject *library)
{
    while (handle != NULL && !SHARED_LOAD(handle->owned)) {
        handle = handle->parent;
    }
    return handle != NULL ? &handle->kept : &library->kept;
}

PyObject *
retain_made(PyObject **dict)
{
    PyObject *made = SHARED_LOAD(*dict);

    if (made == NULL) {
        made = PyDict_New();
        if (made != NULL && !shared_publish((void **)dict, made)) {
            Py_DECREF(made);       /* another thread was faster */
            made = SHARED_LOAD(*dict);
        }
    }
    return made;
}

int
retain_set(PyObject **dict, PyObject *place, PyObject *keeper)
{
    PyObject *made = retain_made(dict);

    return made == NULL ? -1 : PyDict_SetItem(made, place, keeper != NULL ? keeper : Py_None);
}

int
retain_arguments(Frame *frame, PyObject *const *args)
{
    const Signature *signature = frame->signature;

    for (int i = 0; i < signature->count; i++) {
        const Argument *argument = &signature->arguments[i];
        PyObject *place, *keeper;
        int failed;

        if (argument->python < 0 || (!argument->retained && !(argument->owned && frame->rooms[i] != NULL))) {
            continue;
        }
        if (argument->owned && frame->rooms[i] != NULL && implement_released(frame->rooms[i])) {
            continue;              /* within the very call: nothing is left to keep */
        }
        keeper = keeper_of(frame, i, args[argument->python]);
        if (argument->owned) {     /* until the plugin releases it: implement.c */
            place = address_of(frame, argument);
            failed = place == NULL ? -1 : retain_set(&frame->callee->library->kept, place, keeper);
        } else {
            place = keeper == NULL && PyErr_Occurred() ? NULL : place_of(frame, i, args);
            failed = place == NULL ? -1 : retain_set(retain_dict(frame->parent, frame->callee->library), place, keeper);
        }
        Py_XDECREF(place);
        Py_XDECREF(keeper);
        if (failed < 0) {
            return -1;
        }
    }
    return 0;
}
