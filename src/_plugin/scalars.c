/* Calls of numbers alone, up to eight of any types in any order: for all signatures without a ready-made call.
 *
 * Which register an argument comes in depends only on how many of its kind stand before it, so there is one C function
 * for each number of integers and of floating-point numbers.  It takes all integers first: nothing that it does can be
 * seen from outside, and what is not as usual makes it do nothing and call call.c instead.  Like registers.h's, these
 * calls rely on the ABI: a narrow integer is passed as an int64_t, a float as the low half of a double. */
#include "internal.h"

typedef enum { NO_PLAN, GIVE_ANY, GIVE_NONE, GIVE_INT64, GIVE_INT32, GIVE_DOUBLE, GIVE_STRING } Give;

/* ------------------------------------------------------------------ arguments */

/* An int of one digit that is in range, or a bool for a bool: nothing is called, so that nothing need be kept from it. */
static inline bool
take_integer(const Plan *plan, int number, PyObject *const *args, int64_t *value)
{
    PyObject *object = args[plan->from[number]];

    if (LIKELY(fast_integer(object, value))) {
        return LIKELY((uint64_t)*value - plan->ranges[number].least <= plan->ranges[number].span);
    }
    *value = object == Py_True;
    return (plan->bools >> number & 1) != 0 && (object == Py_True || object == Py_False);
}

static inline bool
take_float(const Plan *plan, int integers, int number, PyObject *const *args, double *value)
{
    PyObject *object = args[plan->from[integers + number]];
    int64_t whole;

    if (!LIKELY(fast_double(object, value))) {
        if (!fast_integer(object, &whole)) {
            return false;
        }
        *value = (double)whole;
    }
    return LIKELY((plan->narrow >> number & 1) == 0) || fast_narrow(value);
}

/* ------------------------------------------------------------------ results */

static inline PyObject *
give_integer(const FunctionObject *function, const Plan *plan, int64_t value)
{
    const Signature *signature = function->signature;

    switch ((Give)plan->give) {
    case GIVE_NONE:
        Py_RETURN_NONE;
    case GIVE_INT64:
        return PyLong_FromLongLong(value);
    case GIVE_INT32:
        return PyLong_FromLong((int32_t)value);
    case GIVE_STRING:
        return call_give_string(signature, function->symbol.library, function->definition.ml_name,
                                (const char *)(uintptr_t)value);
    default:
        return convert_result(signature->result.type, (Value){.i = value});
    }
}

static inline PyObject *
give_double(const FunctionObject *function, const Plan *plan, double value)
{
    if (LIKELY(plan->give == GIVE_DOUBLE)) {
        return PyFloat_FromDouble(value);
    }
    return convert_result(function->signature->result.type, (Value){.d = value});
}

/* ------------------------------------------------------------------ one call */

/* The first integer stands for none, too: a callee does not look at what it does not take. */
#define TYPES_I0 int64_t
#define TYPES_I1 int64_t
#define TYPES_I2 TYPES_I1, int64_t
#define TYPES_I3 TYPES_I2, int64_t
#define TYPES_I4 TYPES_I3, int64_t
#define TYPES_I5 TYPES_I4, int64_t
#define TYPES_I6 TYPES_I5, int64_t
#define TYPES_I7 TYPES_I6, int64_t
#define TYPES_I8 TYPES_I7, int64_t
#define VALUES_I0 0
#define VALUES_I1 integers[0]
#define VALUES_I2 VALUES_I1, integers[1]
#define VALUES_I3 VALUES_I2, integers[2]
#define VALUES_I4 VALUES_I3, integers[3]
#define VALUES_I5 VALUES_I4, integers[4]
#define VALUES_I6 VALUES_I5, integers[5]
#define VALUES_I7 VALUES_I6, integers[6]
#define VALUES_I8 VALUES_I7, integers[7]
#define TYPES_D0
#define TYPES_D1 , double
#define TYPES_D2 TYPES_D1, double
#define TYPES_D3 TYPES_D2, double
#define TYPES_D4 TYPES_D3, double
#define TYPES_D5 TYPES_D4, double
#define TYPES_D6 TYPES_D5, double
#define TYPES_D7 TYPES_D6, double
#define TYPES_D8 TYPES_D7, double
#define VALUES_D0
#define VALUES_D1 , floats[0]
#define VALUES_D2 VALUES_D1, floats[1]
#define VALUES_D3 VALUES_D2, floats[2]
#define VALUES_D4 VALUES_D3, floats[3]
#define VALUES_D5 VALUES_D4, floats[4]
#define VALUES_D6 VALUES_D5, floats[5]
#define VALUES_D7 VALUES_D6, floats[6]
#define VALUES_D8 VALUES_D7, floats[7]

/* `i` integers and `d` floating-point numbers to a `result`, which `give` makes a Python object of. */
#define DEFINE(i, d, result, give)                                                                              \
    SHORT static PyObject *call_##i##_##d##_##result(PyObject *object, PyObject *const *args, Py_ssize_t nargs,  \
                                                     PyObject *kwnames)                                          \
    {                                                                                                            \
        const FunctionObject *function = (const FunctionObject *)object;                                         \
        const Plan *plan = &function->signature->plan;                                                     \
        int64_t integers[i + 1];                                                                                 \
        double floats[d + 1];                                                                                    \
        bool usual = true;                                                                                       \
        result value;                                                                                            \
                                                                                                                 \
        if (!LIKELY(nargs == i + d && kwnames == NULL)) {                                                        \
            return symbol_call(object, args, nargs, kwnames);                                                    \
        }                                                                                                        \
        UNROLL for (int k = 0; k < i && usual; k++) {                                                            \
            usual = take_integer(plan, k, args, &integers[k]);                                                   \
        }                                                                                                        \
        UNROLL for (int k = 0; k < d && usual; k++) {                                                            \
            usual = take_float(plan, i, k, args, &floats[k]);                                                    \
        }                                                                                                        \
        if (!LIKELY(usual)) {                                                                                    \
            return symbol_call(object, args, i + d, NULL);                                                       \
        }                                                                                                        \
        value = ((result(*)(TYPES_I##i TYPES_D##d))(uintptr_t)function->symbol.address)(VALUES_I##i VALUES_D##d); \
        if (!LIKELY(!native_calls_python() || PyErr_Occurred() == NULL)) {                                       \
            return NULL;                                                                                         \
        }                                                                                                        \
        return give(function, plan, value);                                                                      \
    }
#define UNROLL _Pragma("GCC unroll 8")

/* All of them: no more than eight arguments. */
#define EACH_D0(macro, i, ...) macro(i, 0, __VA_ARGS__)
#define EACH_D1(macro, i, ...) EACH_D0(macro, i, __VA_ARGS__) macro(i, 1, __VA_ARGS__)
#define EACH_D2(macro, i, ...) EACH_D1(macro, i, __VA_ARGS__) macro(i, 2, __VA_ARGS__)
#define EACH_D3(macro, i, ...) EACH_D2(macro, i, __VA_ARGS__) macro(i, 3, __VA_ARGS__)
#define EACH_D4(macro, i, ...) EACH_D3(macro, i, __VA_ARGS__) macro(i, 4, __VA_ARGS__)
#define EACH_D5(macro, i, ...) EACH_D4(macro, i, __VA_ARGS__) macro(i, 5, __VA_ARGS__)
#define EACH_D6(macro, i, ...) EACH_D5(macro, i, __VA_ARGS__) macro(i, 6, __VA_ARGS__)
#define EACH_D7(macro, i, ...) EACH_D6(macro, i, __VA_ARGS__) macro(i, 7, __VA_ARGS__)
#define EACH_D8(macro, i, ...) EACH_D7(macro, i, __VA_ARGS__) macro(i, 8, __VA_ARGS__)
#define EACH(macro, ...)                                                                                        \
    EACH_D8(macro, 0, __VA_ARGS__) EACH_D7(macro, 1, __VA_ARGS__) EACH_D6(macro, 2, __VA_ARGS__)                 \
    EACH_D5(macro, 3, __VA_ARGS__) EACH_D4(macro, 4, __VA_ARGS__) EACH_D3(macro, 5, __VA_ARGS__)                 \
    EACH_D2(macro, 6, __VA_ARGS__) EACH_D1(macro, 7, __VA_ARGS__) EACH_D0(macro, 8, __VA_ARGS__)

EACH(DEFINE, int64_t, give_integer)
EACH(DEFINE, double, give_double)

#define NAME(i, d, result) [i][d] = call_##i##_##d##_##result,

static const FastCall to_integer[SCALARS_MAX + 1][SCALARS_MAX + 1] = {EACH(NAME, int64_t)},
                      to_float[SCALARS_MAX + 1][SCALARS_MAX + 1] = {EACH(NAME, double)};

/* ------------------------------------------------------------------ finding one */

static Give
choose_give(const Argument *result)
{
    const Type *type = result->type;

    switch ((Conversion)result->conversion) {
    case CONVERT_NOTHING:
        return GIVE_NONE;
    case CONVERT_STRING:
        return GIVE_STRING;
    default:
        break;
    }
    if (type->kind == TYPE_FLOAT) {
        return type->size == sizeof(double) ? GIVE_DOUBLE : GIVE_ANY;
    }
    if (type->kind != TYPE_INTEGER || !type->is_signed || type->size < sizeof(int32_t)) {
        return GIVE_ANY;
    }
    return type->size == sizeof(int64_t) ? GIVE_INT64 : GIVE_INT32;
}

/* Put the arguments in the order that the functions take them in; false if one of them is none of theirs. */
static bool
sort_arguments(const Signature *signature, Plan *plan)
{
    for (int kind = 0; kind < 2; kind++) {
        for (int i = 0; i < signature->count; i++) {
            const Argument *argument = &signature->arguments[i];
            bool is_float = argument->fast == FAST_DOUBLE || argument->fast == FAST_FLOAT;
            bool is_bool = argument->conversion == CONVERT_SCALAR && argument->type->kind == TYPE_BOOL;

            if (!is_float && !is_bool && argument->fast != FAST_INTEGER) {
                return false;
            }
            if (is_float != (kind == 1)) {
                continue;
            }
            plan->from[plan->integers + plan->floats] = (uint8_t)i;
            if (is_float) {
                plan->narrow |= (uint8_t)((argument->fast == FAST_FLOAT) << plan->floats++);
            } else {
                plan->bools |= (uint8_t)(is_bool << plan->integers);
                plan->ranges[plan->integers].least = (uint64_t)(is_bool ? INT32_MIN : argument->least);    /* too small for a digit */
                plan->ranges[plan->integers++].span = is_bool ? 0 : argument->span;
            }
        }
    }
    return true;
}

void
scalars_plan(Signature *signature)
{
    Plan plan = {0};

#ifdef Py_GIL_DISABLED
    if (signature->is_exclusive) {
        return;
    }
#endif
    if (signature->is_simple && !signature->is_blocking && signature->count <= SCALARS_MAX && sort_arguments(signature, &plan)) {
        plan.give = (uint8_t)choose_give(&signature->result);
        signature->plan = plan;
    }
}

FastCall
scalars_function(const Signature *signature)
{
    const Plan *plan = &signature->plan;
    bool is_float = signature->result.conversion == CONVERT_SCALAR && signature->result.type->kind == TYPE_FLOAT;

    if (plan->give == NO_PLAN) {
        return NULL;
    }
    return is_float ? to_float[plan->integers][plan->floats] : to_integer[plan->integers][plan->floats];
}
