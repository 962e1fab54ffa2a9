/* Callbacks of numbers, on the thread that made the call: there is nothing to attach and nothing to give back. */
#include "entrypoint.h"

#include <pthread.h>

/* What tells one thread from another; without a call where the compiler can. */
static inline const void *
this_thread(void)
{
#if defined(__has_builtin)
#if __has_builtin(__builtin_thread_pointer)
    return __builtin_thread_pointer();
#endif
#endif
    return (const void *)(uintptr_t)pthread_self();
}

void
closure_belongs_here(Closure *closure)
{
    closure->caller = PyThreadState_Get();
    closure->thread = this_thread();
}

/* Whether this is the thread that made the call, which is still attached, and nothing of the call has failed. */
static inline bool
is_at_home(const Closure *closure)
{
    const PyThreadState *caller = closure->caller;

    if (caller == NULL || atomic_load_explicit(&closure->life->ended, memory_order_relaxed)) {
        return false;
    }
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked() == caller && caller->current_exception == NULL;
#elif PY_VERSION_HEX >= 0x030C0000
    return _PyThreadState_UncheckedGet() == caller && caller->current_exception == NULL;
#else
    return _PyThreadState_UncheckedGet() == caller && closure->thread == this_thread() &&
           caller->curexc_type == NULL;
#endif
}

static inline PyObject *
number_of(const Argument *argument, Value value)
{
    if (argument->fast == FAST_DOUBLE) {
        return PyFloat_FromDouble(value.d);
    }
    if (argument->fast == FAST_INTEGER && argument->type->size == sizeof value.i && argument->type->is_signed) {
        return PyLong_FromLongLong(value.i);
    }
    return convert_result(argument->type, value);
}

/* The number that came back, whose object is taken over; zero with an exception if it is none. */
static Value
take_result(Closure *closure, PyObject *result)
{
    const Argument *wanted = &closure->signature->result;
    Value value = {0}, zero = {0};
    bool taken;

    if (wanted->fast == FAST_DOUBLE) {
        taken = fast_double(result, &value.d);
    } else {
        taken = wanted->span != 0 && fast_integer(result, &value.i) && (uint64_t)(value.i - wanted->least) <= wanted->span;
    }
    if (!taken && callback_give(closure, result, &value) < 0) {
        value = zero;
    }
    Py_DECREF(result);
    return value;
}

/* Call with `count` arguments behind objects[0]; NULL among them is a failure. */
static inline PyObject *
call_with(const Closure *closure, PyObject **objects, size_t count)
{
    PyObject *result = NULL;
    bool whole = true;

    for (size_t i = 1; i <= count; i++) {
        whole = whole && objects[i] != NULL;
    }
    if (whole) {
        result = PyObject_Vectorcall(closure->callable, objects + 1, count | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    for (size_t i = 1; i <= count; i++) {
        Py_XDECREF(objects[i]);
    }
    return result;
}

/* Numbers in, a number out. */
static inline Value
run_quick(Closure *closure, const Registers *registers)
{
    const Signature *signature = closure->signature;
    PyObject *objects[PARAMS_MAX + 1], *result;
    Value value = {0};
    size_t count = 0;

    objects[0] = objects[1] = NULL;
    for (int i = 0; i < signature->count; i++) {
        const Argument *argument = &signature->arguments[i];

        if (argument->python >= 0) {
            objects[++count] = number_of(argument, registers_value(registers, argument));
        }
    }
    result = call_with(closure, objects, count);
    return result != NULL ? take_result(closure, result) : value;
}

Value
callback_run(Closure *closure, const Registers *registers)
{
    if (closure != NULL && closure->signature->is_quick && is_at_home(closure)) {
        return run_quick(closure, registers);
    }
    return callback_run_then(closure, registers, NULL, NULL);
}

/* ------------------------------------------------------------------ ready-made entry points */

/* Those of up to two numbers and the closure behind them: I for int64_t, D for double; results V, L for int64_t, J for
 * int32_t, D.  Nothing goes through memory. */
#define TYPE_I int64_t
#define TYPE_D double
#define FIELD_I i
#define FIELD_D d
#define MAKE_I PyLong_FromLongLong
#define MAKE_D PyFloat_FromDouble
#define RAW_V int64_t
#define RAW_L int64_t
#define RAW_J int64_t
#define RAW_D double
/* What is nearly always given back; other objects are looked at by take_result. */
#define FAST_V(object, place) ((void)(object), *(place) = 0, true)
#define FAST_L fast_integer
#define FAST_J fast_integer        /* an int of one digit fits */
#define FAST_D fast_double
#define GIVE_V i
#define GIVE_L i
#define GIVE_J i
#define GIVE_D d

#define PUT(number, kind)                                                                                        \
    call_put(&registers, &closure->signature->arguments[number], (Value){.FIELD_##kind = a##number});

#define FINISH(result, called)                                                                                    \
    PyObject *object = called;                                                                                     \
    RAW_##result value;                                                                                            \
                                                                                                                   \
    if (!LIKELY(object != NULL)) {                                                                                 \
        return 0;                                                                                                  \
    }                                                                                                              \
    if (!LIKELY(FAST_##result(object, &value))) {                                                                  \
        return take_result(closure, object).GIVE_##result;                                                         \
    }                                                                                                              \
    Py_DECREF(object);                                                                                             \
    return value;

#define ENTRY1(result, a)                                                                                        \
    SHORT static RAW_##result entry_##result##_##a(TYPE_##a a0, void *data)                                       \
    {                                                                                                              \
        Closure *closure = data;                                                                                   \
                                                                                                                   \
        if (closure == NULL) {                                                                                     \
            return 0;                                                                                              \
        }                                                                                                          \
        if (is_at_home(closure)) {                                                                                 \
            PyObject *objects[] = {NULL, MAKE_##a(a0)};                                                            \
                                                                                                                   \
            FINISH(result, call_with(closure, objects, 1))                                                         \
        }                                                                                                          \
        Registers registers;                                                                                       \
        PUT(0, a)                                                                                                  \
        return callback_run_then(closure, &registers, NULL, NULL).GIVE_##result;                                   \
    }
#define ENTRY2(result, a, b)                                                                                     \
    SHORT static RAW_##result entry_##result##_##a##b(TYPE_##a a0, TYPE_##b a1, void *data)                       \
    {                                                                                                              \
        Closure *closure = data;                                                                                   \
                                                                                                                   \
        if (closure == NULL) {                                                                                     \
            return 0;                                                                                              \
        }                                                                                                          \
        if (is_at_home(closure)) {                                                                                 \
            PyObject *objects[] = {NULL, MAKE_##a(a0), MAKE_##b(a1)};                                              \
                                                                                                                   \
            FINISH(result, call_with(closure, objects, 2))                                                         \
        }                                                                                                          \
        Registers registers;                                                                                       \
        PUT(0, a)                                                                                                  \
        PUT(1, b)                                                                                                  \
        return callback_run_then(closure, &registers, NULL, NULL).GIVE_##result;                                   \
    }
#define NAME1(result, a) {#result #a, (void *)(uintptr_t)entry_##result##_##a},
#define NAME2(result, a, b) {#result #a #b, (void *)(uintptr_t)entry_##result##_##a##b},
#define SHAPES(one, two, result) \
    one(result, I) one(result, D) two(result, I, I) two(result, I, D) two(result, D, I) two(result, D, D)
#define RESULTS(one, two) SHAPES(one, two, V) SHAPES(one, two, L) SHAPES(one, two, J) SHAPES(one, two, D)

RESULTS(ENTRY1, ENTRY2)

static const struct {
    const char *shape;
    void *entry;
} entries[] = {RESULTS(NAME1, NAME2)};

static char
letter_of(const Type *type, bool is_result)
{
    if (type->kind == TYPE_FLOAT && type->size == sizeof(double)) {
        return 'D';
    }
    if (type->kind == TYPE_INTEGER && type->is_signed && type->size == sizeof(int64_t)) {
        return is_result ? 'L' : 'I';
    }
    return is_result && type->kind == TYPE_INTEGER && type->is_signed && type->size == sizeof(int32_t) ? 'J' : '?';
}

static void *
find_entry(const Signature *signature)
{
    int count = signature->count - 1;
    char shape[4] = "";

    if (!signature->is_quick || count < 1 || count > 2 || signature->data != count) {
        return NULL;
    }
    shape[0] = signature->result.conversion == CONVERT_NOTHING ? 'V' : letter_of(signature->result.type, true);
    for (int i = 0; i < count; i++) {
        shape[1 + i] = letter_of(signature->arguments[i].type, false);
    }
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        if (strcmp(entries[i].shape, shape) == 0) {
            return entries[i].entry;
        }
    }
    return NULL;
}

void
callback_grade(Signature *signature)
{
    signature->is_quick = signature->result.conversion == CONVERT_SCALAR || signature->result.conversion == CONVERT_NOTHING;
    for (int i = 0; i < signature->count; i++) {
        const Argument *argument = &signature->arguments[i];

        signature->is_quick = signature->is_quick &&
                              (argument->conversion == CONVERT_SCALAR || argument->conversion == CONVERT_DATA);
    }
    signature->entry = find_entry(signature);
}
