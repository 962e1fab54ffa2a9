/* Python objects that stand for an `S *`: a struct of ours whose function pointers call the object's methods. */
#include "entrypoint.h"
#include "memory.h"

enum { IMPLEMENT_SLOTS = 64 };     /* methods of one struct that Python can implement */

/* Before the struct itself, in one block: entry points are given the struct, and find the rest in front of it. */
typedef struct {
    const StructInfo *info;        /* borrowed from its type, which lives as long as the library */
    LibraryObject *library;        /* owned */
    PyObject *object;              /* owned */
    bool released;                 /* shared: by the plugin, which called the destructor */
    int count;
    Closure *closures;             /* owned, with their callables; by number of the method */
    max_align_t structure[];
} StandIn;

static StandIn *
stand_in_of(const void *structure)
{
    return (StandIn *)((uintptr_t)structure - offsetof(StandIn, structure));
}

/* ------------------------------------------------------------------ entry points */

/* The plugin has released an object that was given to it: nothing keeps it any more. */
static void
let_go(const void *structure)
{
    StandIn *stand_in = stand_in_of(structure);
    PyObject *key, *kept = SHARED_LOAD(stand_in->library->kept), *type, *value, *traceback;

    SHARED_STORE(stand_in->released, true);
    PyErr_Fetch(&type, &value, &traceback);
    key = PyLong_FromVoidPtr((void *)(uintptr_t)structure);
    if (key == NULL || kept == NULL || PyDict_DelItem(kept, key) < 0) {
        PyErr_Clear();             /* it was lent, or the call that gives it is still under way */
    }
    Py_XDECREF(key);
    PyErr_Restore(type, value, traceback);
}

static Value
run_method(int64_t self, int number, const Registers *registers)
{
    const StandIn *stand_in = stand_in_of((const void *)(uintptr_t)self);

    if (number == stand_in->info->destructor) {
        return callback_run_then(&stand_in->closures[number], registers, let_go, stand_in->structure);
    }
    return callback_run(&stand_in->closures[number], registers);
}

#define METHOD_ENTRY(n)                                                                                          \
    static int64_t method_integer_##n(PARAMETERS)                                                                 \
    {                                                                                                              \
        Registers registers = REGISTERS;                                                                           \
        return run_method(i0, 0x##n, &registers).i;                                                               \
    }                                                                                                              \
    static double method_float_##n(PARAMETERS)                                                                    \
    {                                                                                                              \
        Registers registers = REGISTERS;                                                                           \
        return run_method(i0, 0x##n, &registers).d;                                                               \
    }
#define METHODS16(x)                                                                                             \
    METHOD_ENTRY(x##0) METHOD_ENTRY(x##1) METHOD_ENTRY(x##2) METHOD_ENTRY(x##3) METHOD_ENTRY(x##4)                \
    METHOD_ENTRY(x##5) METHOD_ENTRY(x##6) METHOD_ENTRY(x##7) METHOD_ENTRY(x##8) METHOD_ENTRY(x##9)                \
    METHOD_ENTRY(x##a) METHOD_ENTRY(x##b) METHOD_ENTRY(x##c) METHOD_ENTRY(x##d) METHOD_ENTRY(x##e)                \
    METHOD_ENTRY(x##f)
#define METHOD_ROW(n) {method_integer_##n, method_float_##n}
#define METHOD_ROWS16(x)                                                                                         \
    METHOD_ROW(x##0), METHOD_ROW(x##1), METHOD_ROW(x##2), METHOD_ROW(x##3), METHOD_ROW(x##4), METHOD_ROW(x##5),   \
    METHOD_ROW(x##6), METHOD_ROW(x##7), METHOD_ROW(x##8), METHOD_ROW(x##9), METHOD_ROW(x##a), METHOD_ROW(x##b),   \
    METHOD_ROW(x##c), METHOD_ROW(x##d), METHOD_ROW(x##e), METHOD_ROW(x##f)

METHODS16(0) METHODS16(1) METHODS16(2) METHODS16(3)

static const Entry entries[IMPLEMENT_SLOTS] = {METHOD_ROWS16(0), METHOD_ROWS16(1), METHOD_ROWS16(2), METHOD_ROWS16(3)};

/* ------------------------------------------------------------------ identity */

/* The addresses of the structs that are there, and the objects that they stand for. */
static int
enter(ModuleState *state, void *structure)
{
    PyObject *key = PyLong_FromVoidPtr(structure);
    int failed = key == NULL ? -1 : PyDict_SetItem(state->stand_ins, key, stand_in_of(structure)->object);

    Py_XDECREF(key);
    return failed;
}

static void
leave(ModuleState *state, void *structure)
{
    PyObject *type, *value, *traceback, *key;

    PyErr_Fetch(&type, &value, &traceback);
    key = PyLong_FromVoidPtr(structure);
    if (key == NULL || PyDict_DelItem(state->stand_ins, key) < 0) {
        PyErr_Clear();             /* it was never entered */
    }
    Py_XDECREF(key);
    PyErr_Restore(type, value, traceback);
}

PyObject *
implement_find(ModuleState *state, const void *structure)
{
    PyObject *key, *object = NULL;

    if (PyDict_GET_SIZE(state->stand_ins) == 0) {
        return NULL;
    }
    key = PyLong_FromVoidPtr((void *)(uintptr_t)structure);
    if (key != NULL) {
        dict_get(state->stand_ins, key, &object);
    }
    Py_XDECREF(key);
    return object;
}

/* ------------------------------------------------------------------ life */

static void
free_stand_in(PyObject *capsule)
{
    StandIn *stand_in = PyCapsule_GetPointer(capsule, "plugin.StandIn");

    leave(stand_in->library->state, stand_in->structure);
    for (int i = 0; i < stand_in->count; i++) {
        closure_stop(&stand_in->closures[i]);
        Py_XDECREF(stand_in->closures[i].callable);
    }
    PyMem_Free(stand_in->closures);
    Py_XDECREF(stand_in->object);
    Py_XDECREF((PyObject *)stand_in->library);
    PyMem_Free(stand_in);
}

bool
implement_released(PyObject *capsule)
{
    return SHARED_LOAD(((const StandIn *)PyCapsule_GetPointer(capsule, "plugin.StandIn"))->released);
}

/* ------------------------------------------------------------------ making one */

static int
missing(const StructInfo *info, const Method *method, PyObject *object, const Where *where)
{
    return convert_fail(PyExc_TypeError, where, "%s does not stand for %s *: it has no method %s", Py_TYPE(object)->tp_name,
                        info->record->name, method->member->name);
}

/* Point one member at the object's method. */
static int
fill_method(StandIn *stand_in, int number, const Where *where)
{
    const Method *method = &stand_in->info->methods[number];
    Closure *closure = &stand_in->closures[number];
    void *function = NULL;

    closure->callable = PyObject_GetAttrString(stand_in->object, method->member->name);
    if (closure->callable == NULL || (closure->callable == Py_None && method->member->words & WORD_NULLABLE)) {
        if (closure->callable == NULL && !PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return -1;
        }
        PyErr_Clear();
        Py_CLEAR(closure->callable);
        return method->member->words & WORD_NULLABLE ? 0 : missing(stand_in->info, method, stand_in->object, where);
    }
    if (method->incoming == NULL || number >= IMPLEMENT_SLOTS) {
        return convert_fail(PyExc_TypeError, where, "Python cannot implement %s: %s", method->name,
                            method->refusal != NULL ? method->refusal : "the struct has too many methods");
    }
    closure->signature = method->incoming;
    closure->library = stand_in->library;
    closure->life = stand_in->library->state->life;
    closure->owner = method->name;
    closure->parameter = NULL;
    if (method->is_method) {
        function = entry_of(closure->signature, &entries[number]);
    } else if (closure_start(closure, where, &function) < 0) {
        return -1;
    }
    memcpy((char *)stand_in->structure + method->member->offset, &function, sizeof function);
    return 0;
}

/* Data members have the values of the object's attributes, where it has such. */
static int
fill_member(StandIn *stand_in, const Field *member)
{
    Spot spot = {
        .library = stand_in->library,
        .type = member->type,
        .words = member->words,
        .memory = (char *)stand_in->structure + member->offset,
        .where = {member->name, NULL},
    };
    PyObject *value = member->dim_count > 0 ? NULL : PyObject_GetAttrString(stand_in->object, member->name);
    int failed;

    if (value == NULL) {
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return -1;
        }
        PyErr_Clear();
        return 0;
    }
    failed = spot_set(&spot, value);
    Py_DECREF(value);
    return failed;
}

static int
fill(StandIn *stand_in, const Where *where)
{
    const Struct *record = stand_in->info->record;

    for (int i = 0; i < stand_in->count; i++) {
        if (fill_method(stand_in, i, where) < 0) {
            return -1;
        }
    }
    for (int i = 0; i < record->count; i++) {
        if (type_function(record->members[i].type) == NULL && fill_member(stand_in, &record->members[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

PyObject *
implement(LibraryObject *library, const StructInfo *info, PyObject *object, const Where *where, void **structure)
{
    StandIn *stand_in = PyMem_Calloc(1, sizeof *stand_in + info->record->size);
    PyObject *capsule;

    if (stand_in == NULL) {
        return PyErr_NoMemory();
    }
    stand_in->closures = PyMem_Calloc((size_t)info->count + 1, sizeof *stand_in->closures);
    capsule = stand_in->closures != NULL ? PyCapsule_New(stand_in, "plugin.StandIn", free_stand_in) : PyErr_NoMemory();
    if (capsule == NULL) {
        PyMem_Free(stand_in->closures);
        PyMem_Free(stand_in);
        return NULL;
    }
    stand_in->info = info;
    stand_in->count = info->count;
    for (int i = 0; i < info->count; i++) {
        stand_in->closures[i].slot = -1;
    }
    stand_in->library = (LibraryObject *)Py_NewRef((PyObject *)library);
    stand_in->object = Py_NewRef(object);
    *structure = stand_in->structure;
    native_may_call_python();
    if (fill(stand_in, where) < 0 || enter(library->state, stand_in->structure) < 0) {
        Py_CLEAR(capsule);
    }
    return capsule;
}

