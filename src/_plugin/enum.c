/* C enums as IntEnum classes, one for all plugins that declare an enum alike. */
#include "internal.h"

static PyObject *
pairs_of(const Enum *enumeration)
{
    PyObject *pairs = PyTuple_New(enumeration->count);

    for (int i = 0; i < enumeration->count && pairs != NULL; i++) {
        PyObject *pair = Py_BuildValue("(sL)", enumeration->enumerators[i].name, (long long)enumeration->enumerators[i].value);

        if (pair == NULL) {
            Py_CLEAR(pairs);
        } else {
            PyTuple_SET_ITEM(pairs, i, pair);
        }
    }
    return pairs;
}

int
enum_prepare(ModuleState *state, const Type *type)
{
    Enum *enumeration = (Enum *)(uintptr_t)type->enumeration;
    PyObject *pairs, *key, *module, *members;

    if (enumeration->host != NULL || enumeration->name == NULL) {
        return 0;
    }
    pairs = pairs_of(enumeration);
    key = pairs != NULL ? Py_BuildValue("(sO)", enumeration->name, pairs) : NULL;
    members = key != NULL ? Py_XNewRef(PyDict_GetItemWithError(state->enums, key)) : NULL;
    if (key != NULL && members == NULL && !PyErr_Occurred()) {
        module = PyImport_ImportModule("plugin._enums");
        members = module != NULL ? PyObject_CallMethod(module, "make_enum", "sO", enumeration->name, pairs) : NULL;
        Py_XDECREF(module);
        if (members != NULL && PyDict_SetItem(state->enums, key, members) < 0) {
            Py_CLEAR(members);
        }
    }
    enumeration->host = members;   /* borrowed from the state's dict */
    Py_XDECREF(members);
    Py_XDECREF(pairs);
    Py_XDECREF(key);
    return members != NULL ? 0 : -1;
}

static PyObject *
find(const Type *type, PyObject *number)
{
    PyObject *members = type->enumeration->host;

    return members != NULL ? PyDict_GetItemWithError(members, number) : NULL;       /* borrowed */
}

PyObject *
enum_member(const Type *type, int64_t value)
{
    PyObject *number = PyLong_FromLongLong(value), *member;

    if (number == NULL) {
        return NULL;
    }
    member = find(type, number);
    if (member != NULL) {
        Py_SETREF(number, Py_NewRef(member));
    } else if (PyErr_Occurred()) {
        Py_CLEAR(number);
    }
    return number;
}

bool
enum_has(const Type *type, int64_t value)
{
    const Enum *enumeration = type->enumeration;

    for (int i = 0; i < enumeration->count; i++) {
        if (enumeration->enumerators[i].value == value) {
            return true;
        }
    }
    return false;
}
