/* The hand-written extension's types: an owned handle, an object with a method, and an attribute that is a variable. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "hand.h"

/* ---- Counter: an owned handle ---- */

typedef struct {
    PyObject_HEAD
    Counter *counter; /* owned */
} CounterObject;

static void
Counter_dealloc(CounterObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    counter_free(self->counter);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
hand_counter_new(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    HandState *state = PyModule_GetState(module);
    CounterObject *self;
    int64_t start;

    if (!expect(count, 1) || !get_int64(args[0], &start)) {
        return NULL;
    }
    self = PyObject_New(CounterObject, state->counter);
    if (self != NULL && (self->counter = counter_new(start)) == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static PyObject *
hand_counter_value(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    HandState *state = PyModule_GetState(module);

    if (!expect(count, 1)) {
        return NULL;
    }
    if (!Py_IS_TYPE(args[0], state->counter)) {
        PyErr_SetString(PyExc_TypeError, "expected a Counter");
        return NULL;
    }
    return PyLong_FromLongLong(counter_value(((CounterObject *)args[0])->counter));
}

static PyType_Slot counter_slots[] = {{Py_tp_dealloc, Counter_dealloc}, {0, NULL}};
static PyType_Spec counter_spec = {HAND_NAME ".Counter", sizeof(CounterObject), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, counter_slots};

/* ---- Adder: an object with a method ---- */

typedef struct {
    PyObject_HEAD
    Adder *adder; /* owned; NULL when closed */
} AdderObject;

static void
Adder_dealloc(AdderObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    if (self->adder != NULL) {
        self->adder->Close(self->adder);
    }
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
Adder_Add(AdderObject *self, PyObject *const *args, Py_ssize_t count)
{
    int64_t by;

    if (!expect(count, 1) || !get_int64(args[0], &by)) {
        return NULL;
    }
    if (self->adder == NULL) {
        PyErr_SetString(PyExc_ValueError, "the Adder is closed");
        return NULL;
    }
    return PyLong_FromLongLong(self->adder->Add(self->adder, by));
}

static PyObject *
Adder_Close(AdderObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->adder == NULL) {
        PyErr_SetString(PyExc_ValueError, "the Adder is closed");
        return NULL;
    }
    self->adder->Close(self->adder);
    self->adder = NULL;
    Py_RETURN_NONE;
}

static PyObject *
hand_adder_new(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    HandState *state = PyModule_GetState(module);
    AdderObject *self;
    int64_t start;

    if (!expect(count, 1) || !get_int64(args[0], &start)) {
        return NULL;
    }
    self = PyObject_New(AdderObject, state->adder);
    if (self != NULL && (self->adder = adder_new(start)) == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static PyMethodDef adder_methods[] = {
    {"Add", (PyCFunction)(void (*)(void))Adder_Add, METH_FASTCALL, NULL},
    {"Close", (PyCFunction)Adder_Close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot adder_slots[] = {{Py_tp_dealloc, Adder_dealloc}, {Py_tp_methods, adder_methods}, {0, NULL}};
static PyType_Spec adder_spec = {HAND_NAME ".Adder", sizeof(AdderObject), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, adder_slots};

/* ---- State: a variable as an attribute ---- */

static PyObject *
State_get_level(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(level);
}

static int
State_set_level(PyObject *Py_UNUSED(self), PyObject *value, void *Py_UNUSED(closure))
{
    int64_t number;

    if (value == NULL) {
        PyErr_SetString(PyExc_TypeError, "level cannot be deleted");
        return -1;
    }
    if (!get_int64(value, &number)) {
        return -1;
    }
    level = number;
    return 0;
}

static PyGetSetDef state_members[] = {
    {"level", State_get_level, State_set_level, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot state_slots[] = {{Py_tp_getset, state_members}, {0, NULL}};
static PyType_Spec state_spec = {HAND_NAME ".State", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, state_slots};

/* ---- into the module ---- */

static PyMethodDef functions[] = {
    FAST(counter_new),
    FAST(counter_value),
    FAST(adder_new),
    {NULL, NULL, 0, NULL},
};

static PyTypeObject *
add_type(PyObject *module, PyType_Spec *spec)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);

    if (type != NULL && PyModule_AddType(module, type) < 0) {
        Py_CLEAR(type);
    }
    return type;
}

int
hand_add_types(PyObject *module)
{
    HandState *state = PyModule_GetState(module);
    PyTypeObject *other;

    if ((state->counter = add_type(module, &counter_spec)) == NULL ||
        (state->adder = add_type(module, &adder_spec)) == NULL || (other = add_type(module, &state_spec)) == NULL) {
        return -1;
    }
    Py_DECREF(other);
    return PyModule_AddFunctions(module, functions);
}
