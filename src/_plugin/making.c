/* Struct types, made once for all threads, and for all plugins that declare a struct alike. */
#include "internal.h"

static PyObject *
key_of(LibraryObject *library, Struct *record)
{
    char *key = scope_struct_key(library->scope, record);
    PyObject *object = key != NULL ? PyUnicode_DecodeUTF8(key, (Py_ssize_t)strlen(key), "replace") : PyErr_NoMemory();

    free(key);
    return object;
}

/* A struct that names others is made with them; all are published, or none. */
static int
settle(LibraryObject *library, bool keep)
{
    PyObject *pending = library->pending;
    PyObject *type, *value, *traceback;
    int failed = keep ? 0 : -1;

    library->pending = NULL;
    PyErr_Fetch(&type, &value, &traceback);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(pending); i++) {
        StructInfo *info = record_info(PyList_GET_ITEM(pending, i));
        PyObject *key = failed == 0 ? key_of(library, info->record) : NULL;

        failed = key == NULL || PyDict_SetItem(library->state->structs, key, PyList_GET_ITEM(pending, i)) < 0 ? -1 : 0;
        Py_XDECREF(key);
        if (failed == 0) {
            record_publish(info->record, info);
        }
        info->record->making = NULL;
    }
    if (type != NULL) {
        PyErr_Restore(type, value, traceback);
    }
    Py_DECREF(pending);
    return failed;
}

/* The type that another plugin made for the same struct, or NULL. */
static const StructInfo *
find_made(LibraryObject *library, Struct *record)
{
    PyObject *key = key_of(library, record), *type = NULL;
    const StructInfo *info;

    if (key != NULL) {
        dict_get(library->state->structs, key, &type);
    }
    info = type != NULL ? record_info(type) : NULL;
    Py_XDECREF(key);
    Py_XDECREF(type);              /* the dict still has it */
    return info;
}

/* Make the type, still empty, and add it to the library's pending ones: it is known to methods that take or give such
 * objects from now on. */
static const StructInfo *
build(LibraryObject *library, Struct *record)
{
    StructInfo *info;
    PyObject *type = record_new(library, record, &info);
    int failed = type == NULL ? -1 : PyList_Append(library->pending, type);

    Py_XDECREF(type);
    if (failed < 0) {
        return NULL;
    }
    record->making = info;
    return info;
}

/* The type of a struct, ready or pending; made by another plugin, or else empty and pending. */
static const StructInfo *
name_type(LibraryObject *library, Struct *record)
{
    const StructInfo *info = record_made(library->state, record);

    if (info != NULL) {
        return info;
    }
    info = find_made(library, record);
    if (info != NULL) {
        record_publish(record, info);
        return info;
    }
    return PyErr_Occurred() ? NULL : build(library, record);
}

/* Fill the pending types one after the other: filling one may name others, which are added behind.  (One inside the
 * other would take as much of the C stack as a plugin has structs.) */
static const StructInfo *
make_types(LibraryObject *library, Struct *record, char reason[REASON_MAX])
{
    const StructInfo *info;
    int failed;

    library->pending = PyList_New(0);
    if (library->pending == NULL) {
        return NULL;
    }
    info = name_type(library, record);
    failed = info == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; failed == 0 && i < PyList_GET_SIZE(library->pending); i++) {
        StructInfo *next = record_info(PyList_GET_ITEM(library->pending, i));

        failed = next == NULL ? -1 : record_fill(next, reason);
    }
    return settle(library, failed == 0) < 0 || failed < 0 ? NULL : info;
}

/* The type of a complete struct, made by one thread at a time. */
static const StructInfo *
info_of(LibraryObject *library, Struct *record, char reason[REASON_MAX])
{
    const StructInfo *info = record_known(record);

    if (info == NULL) {
        once_enter(&library->state->making);
        if (library->state->making.depth == 1 && library->pending != NULL) {
            settle(library, false);        /* of a thread that the process forked under */
        }
        info = library->pending != NULL ? name_type(library, record)
               : record_known(record) != NULL ? record_known(record) : make_types(library, record, reason);
        once_leave(&library->state->making);
    }
    return info;
}

int
record_prepare(LibraryObject *library, const Type *type, char reason[REASON_MAX])
{
    reason[0] = '\0';
    if (type->kind == TYPE_ENUM) {
        return enum_prepare(library->state, type);
    }
    if (type->kind == TYPE_POINTER) {
        type = type->target;
    }
    if (type->kind != TYPE_STRUCT || scope_complete(library->scope, type->record, reason) < 0) {
        return reason[0] == '\0' ? 0 : -1;
    }
    return info_of(library, type->record, reason) != NULL ? 0 : -1;
}
