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

static PyObject *
members_of(const Type *type)
{
    return SHARED_LOAD(type->enumeration->host);
}

int
enum_prepare(ModuleState *state, const Type *type)
{
    Enum *enumeration = (Enum *)(uintptr_t)type->enumeration;
    PyObject *pairs, *key, *module, *members = NULL;

    if (members_of(type) != NULL || enumeration->name == NULL) {
        return 0;
    }
    pairs = pairs_of(enumeration);
    key = pairs != NULL ? Py_BuildValue("(sO)", enumeration->name, pairs) : NULL;
    if (key != NULL && dict_get(state->enums, key, &members) == 0) {
        module = PyImport_ImportModule("plugin._enums");
        members = module != NULL ? PyObject_CallMethod(module, "make_enum", "sO", enumeration->name, pairs) : NULL;
        Py_XDECREF(module);
        if (members != NULL) {     /* another thread may have been faster: that one's counts */
            Py_SETREF(members, dict_set_default(state->enums, key, members));
        }
    }
    if (members != NULL) {
        SHARED_STORE(enumeration->host, members);      /* borrowed from the state's dict */
    }
    Py_XDECREF(members);
    Py_XDECREF(pairs);
    Py_XDECREF(key);
    return members != NULL ? 0 : -1;
}

/* Members and class are borrowed from a dict that is never changed. */
static PyObject *
find(const Type *type, PyObject *number)
{
    PyObject *members = members_of(type);

    return members != NULL ? PyDict_GetItemWithError(members, number) : NULL;
}

PyObject *
enum_class(const Type *type)
{
    return find(type, Py_None);
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
