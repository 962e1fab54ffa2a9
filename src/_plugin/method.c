/* Calls of the function pointers in structs: what the interpreter calls for a method. */
#include "internal.h"

static PyObject *__attribute__((noinline))
call_any(PyObject *object, int number, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    HandleObject *self = (HandleObject *)object;
    const Method *method = &self->info->methods[number];
    Callee callee = {.signature = method->signature, .library = self->library, .name = method->name, .self = self};
    Where where = {method->name, NULL};

    if (handle_read(self, method->member->offset, &callee.address, &where) < 0) {
        return NULL;
    }
    if (callee.address == NULL) {
        return raise_fact(self->library->state, "null_method", "(sOO)", method->name, self->library->name,
                          self->library->version);
    }
    return call_function(&callee, args, nargs, kwnames);
}

/* What is as usual goes straight to what was made for the method.  Without a GIL another thread may release the object
 * between two looks at it. */
static inline PyObject *
call_slot(PyObject *object, int number, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
#ifndef Py_GIL_DISABLED
    HandleObject *self = (HandleObject *)object;
    const Method *method = &self->info->methods[number];
    void *address;

    if (nargs == method->wants && kwnames == NULL && handle_is_open(self)) {
        memcpy(&address, (char *)self->address + method->offset, sizeof address);
        if (address != NULL) {
            return method->call(self, address, method, args);
        }
    }
#endif
    return call_any(object, number, args, nargs, kwnames);
}

/* The interpreter specialises calls of method descriptors, whose C function gets the object but not the descriptor: so
 * there is one C function a slot, which knows its number. */
#define SLOT(n)                                                                                                  \
    static PyObject *slot_##n(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)         \
    {                                                                                                              \
        return call_slot(self, 0x##n, args, nargs, kwnames);                                                      \
    }
#define SLOTS16(x)                                                                                               \
    SLOT(x##0) SLOT(x##1) SLOT(x##2) SLOT(x##3) SLOT(x##4) SLOT(x##5) SLOT(x##6) SLOT(x##7)                        \
    SLOT(x##8) SLOT(x##9) SLOT(x##a) SLOT(x##b) SLOT(x##c) SLOT(x##d) SLOT(x##e) SLOT(x##f)
#define NAMES16(x)                                                                                               \
    slot_##x##0, slot_##x##1, slot_##x##2, slot_##x##3, slot_##x##4, slot_##x##5, slot_##x##6, slot_##x##7,       \
    slot_##x##8, slot_##x##9, slot_##x##a, slot_##x##b, slot_##x##c, slot_##x##d, slot_##x##e, slot_##x##f

SLOTS16(0) SLOTS16(1) SLOTS16(2) SLOTS16(3) SLOTS16(4) SLOTS16(5) SLOTS16(6) SLOTS16(7)
SLOTS16(8) SLOTS16(9) SLOTS16(a) SLOTS16(b) SLOTS16(c) SLOTS16(d) SLOTS16(e) SLOTS16(f)

const FastCall method_slots[METHODS_MAX] = {
    NAMES16(0), NAMES16(1), NAMES16(2), NAMES16(3), NAMES16(4), NAMES16(5), NAMES16(6), NAMES16(7),
    NAMES16(8), NAMES16(9), NAMES16(a), NAMES16(b), NAMES16(c), NAMES16(d), NAMES16(e), NAMES16(f),
};
