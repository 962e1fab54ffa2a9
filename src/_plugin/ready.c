/* Ready-made calls: a C function for each of the commonest signatures, which is what the interpreter calls for them.
 *
 * A shape is a row of letters, one for each parameter of the C function:
 *     I  int32_t or int64_t      D  double            S  const char *
 *     B  const char * plugin_bytes
 *     P  an array of numbers     N  its length, which all P share and Python does not pass
 *     H  an S *                  E  the plugin_error *
 * and a result: V for none, L for int64_t, J for int32_t, U for uint64_t, D, S, H.  What is not as usual (keywords, a
 * wrong number of arguments, objects with __index__, a buffer of the wrong kind) makes such a function do nothing and
 * call call.c instead, which converts it or tells what is wrong.  Like registers.c's, these calls rely on the ABI: an
 * int32_t is passed in the register of an int64_t. */
#include "internal.h"

/* ------------------------------------------------------------------ arguments */

/* An int of more than one digit that the parameter has room for. */
static inline bool
take_long(const Argument *argument, PyObject *object, int64_t *value)
{
    return fast_long(object, value) && (argument->type->size == sizeof *value || *value == (int32_t)*value);
}

/* Acquire the buffer of an array with one dimension, unless anything about it is unusual. */
static inline bool
take_items(const Argument *argument, PyObject *object, Py_buffer *view)
{
    const int flags = argument->type->is_const ? PyBUF_ND | PyBUF_FORMAT : PyBUF_ND | PyBUF_FORMAT | PyBUF_WRITABLE;
    const char *format;

    if (PyObject_GetBuffer(object, view, flags) < 0) {
        PyErr_Clear();
        return false;
    }
    format = view->format != NULL ? view->format : "B";
    if (view->ndim == 1 && format[0] != '\0' && format[1] == '\0' &&
        convert_letters[(unsigned char)format[0]] == argument->items && view->itemsize == (Py_ssize_t)argument->item_size &&
        ((uintptr_t)view->buf & (argument->item_size - 1u)) == 0) {
        return true;
    }
    PyBuffer_Release(view);
    return false;
}

/* An object of the struct or opaque type that was asked for. */
static inline bool
take_handle(const Argument *argument, const LibraryObject *library, PyObject *object)
{
    const HandleObject *handle = (const HandleObject *)object;
    const StructInfo *info = record_known(argument->type->record);

    if (!Py_IS_TYPE(object, info != NULL ? info->type : library->state->pointer)) {
        return false;
    }
    if (info == NULL && (handle->library != library || handle->name != argument->type->name)) {
        return false;
    }
    return true;
}

/* Text or bytes that came back; what is no usual text is looked at again. */
static inline PyObject *
give_string(const Signature *signature, const LibraryObject *library, const char *owner, const char *string)
{
    if (LIKELY(string != NULL)) {
        PyObject *text = signature->result.bytes ? PyBytes_FromString(string) : PyUnicode_FromString(string);

        if (LIKELY(text != NULL)) {
            return text;
        }
        PyErr_Clear();
    }
    return call_give_string(signature, library, owner, string);
}

/* ------------------------------------------------------------------ the letters */

#define TYPE_I int64_t
#define TYPE_D double
#define TYPE_S const char *
#define TYPE_B const char *
#define TYPE_P void *
#define TYPE_N size_t
#define TYPE_H void *
#define TYPE_E NativeError *

/* How many Python arguments each letter takes; M is an H that is the object of a method. */
#define COUNT_I 1
#define COUNT_D 1
#define COUNT_S 1
#define COUNT_B 1
#define COUNT_P 1
#define COUNT_N 0
#define COUNT_H 1
#define COUNT_E 0
#define TYPE_M void *
#define COUNT_M 0

#define VALUE_I(n) a##n
#define VALUE_D(n) a##n
#define VALUE_S(n) a##n
#define VALUE_B(n) a##n
#define VALUE_P(n) a##n
#define VALUE_N(n) length
#define VALUE_H(n) pinned->address
#define VALUE_M(n) pinned->address
#define VALUE_E(n) &error

#define TAKE_I(n)                                                                                               \
    int64_t a##n = 0;                                                                                            \
    if (!LIKELY(fast_integer(args[next], &a##n)) &&                                                              \
        !take_long(&about->signature->arguments[n], args[next], &a##n)) {                                        \
        goto otherwise;                                                                                          \
    }                                                                                                            \
    next++;
#define TAKE_D(n)                                                                                               \
    double a##n = 0;                                                                                             \
    if (!LIKELY(fast_double(args[next], &a##n))) {                                                               \
        int64_t whole;                                                                                           \
        if (!fast_integer(args[next], &whole)) {                                                                 \
            goto otherwise;                                                                                      \
        }                                                                                                        \
        a##n = (double)whole;                                                                                    \
    }                                                                                                            \
    next++;
#define TAKE_S(n)                                                                                               \
    const char *a##n;                                                                                            \
    if (!fast_string(args[next], &a##n)) {                                                                       \
        goto otherwise;                                                                                          \
    }                                                                                                            \
    next++;
#define TAKE_B(n)                                                                                               \
    const char *a##n;                                                                                            \
    if (!fast_bytes(args[next], &a##n)) {                                                                       \
        goto otherwise;                                                                                          \
    }                                                                                                            \
    next++;
#define TAKE_P(n)                                                                                               \
    void *a##n;                                                                                                  \
    if (!take_items(&about->signature->arguments[n], args[next], &views[held])) {                                       \
        goto otherwise;                                                                                          \
    }                                                                                                            \
    held++;                                                                                                      \
    if (held > 1 && (size_t)views[held - 1].shape[0] != length) {                                                \
        goto otherwise;                                                                                          \
    }                                                                                                            \
    length = (size_t)views[held - 1].shape[0];                                                                   \
    a##n = views[held - 1].buf;                                                                                  \
    next++;
#define TAKE_N(n)
#define TAKE_H(n)                                                                                               \
    must = handle_must_pin();                                                                                    \
    if (!take_handle(&about->signature->arguments[n], object->library, args[next]) ||                            \
        !handle_is_open((HandleObject *)args[next]) || !handle_pin_quick((HandleObject *)args[next], must)) {    \
        goto otherwise;                                                                                          \
    }                                                                                                            \
    pinned = (HandleObject *)args[next];                                                                         \
    next++;
#define TAKE_M(n)                                                                                               \
    must = handle_must_pin();                                                                                    \
    if (!handle_pin_quick(object, must)) {                                                                       \
        goto otherwise;                                                                                          \
    }                                                                                                            \
    pinned = object;
#define TAKE_E(n)                                                                                               \
    NativeError error;                                                                                           \
    error.code = 0;                                                                                              \
    error.message[0] = '\0';                                                                                     \
    failure = &error;

#define RAW_V int64_t
#define RAW_L int64_t
#define RAW_J int64_t
#define RAW_U int64_t
#define RAW_D double
#define RAW_S const char *
#define RAW_H void *
#define GIVE_V(value, owner) ((void)(value), Py_NewRef(Py_None))
#define GIVE_L(value, owner) PyLong_FromLongLong(value)
#define GIVE_J(value, owner) PyLong_FromLong((int32_t)(value))
#define GIVE_U(value, owner) PyLong_FromUnsignedLongLong((uint64_t)(value))
#define GIVE_D(value, owner) PyFloat_FromDouble(value)
#define GIVE_S(value, owner) give_string(about->signature, object->library, owner, value)
#define GIVE_H(value, owner) call_give_handle(about->signature, object->library, owner, pinned, value)

#define DROP_V(value)
#define DROP_L(value)
#define DROP_J(value)
#define DROP_U(value)
#define DROP_D(value)
#define DROP_S(value)
#define DROP_H(value) call_drop_handle(about->signature, object->library, value)

/* Whether what came back needs nothing of what the call was given: a number does not, text may lie there. */
enum { FREE_V = 1, FREE_L = 1, FREE_J = 1, FREE_U = 1, FREE_D = 1, FREE_S = 0, FREE_H = 0 };

/* ------------------------------------------------------------------ one call */

/* Let go of what the call held; nothing is generated where nothing can be held. */
#define LET_GO                                                                                                  \
    while (held > 0) {                                                                                           \
        PyBuffer_Release(&views[--held]);                                                                        \
    }                                                                                                            \
    if (pinned != NULL) {                                                                                        \
        handle_unpin_quick(pinned, must);                                                                        \
        pinned = NULL;                                                                                           \
    }

/* The body of them all, where `object` is what the call is of, and `about` what knows its signature: both are looked at
 * when they are needed, as what is held over the call costs a register.  `types` and `values` stand in parentheses. */
#define BODY(result, types, values, takes, address, owner, again)                                               \
    Py_buffer views[2];                                                                                          \
    HandleObject *pinned = NULL;                                                                                 \
    const NativeError *failure = NULL;                                                                           \
    PyObject *given = NULL;                                                                                      \
    size_t length = 0;                                                                                           \
    int held = 0, next = 0;                                                                                      \
    bool must = false;                                                                                           \
                                                                                                                 \
    takes                                                                                                        \
    if (pinned != NULL && held > 0 && !handle_is_still(pinned, must)) {                                          \
        goto otherwise;                                                                                          \
    }                                                                                                            \
    RAW_##result value = ((RAW_##result(*) types)(uintptr_t)(address))values;                                    \
    (void)next, (void)length, (void)must;                                                                        \
    if (FREE_##result) {                                                                                         \
        LET_GO                                                                                                   \
    }                                                                                                            \
    if (failure != NULL && !LIKELY(failure->code == 0)) {                                                        \
        call_failed(object->library, owner, failure);                                                            \
    } else if (!LIKELY(!native_calls_python() || PyErr_Occurred() == NULL)) {                                    \
        DROP_##result(value);                                                                                    \
    } else {                                                                                                     \
        given = GIVE_##result(value, owner);                                                                     \
    }                                                                                                            \
    LET_GO                                                                                                       \
    return given;                                                                                                \
                                                                                                                 \
otherwise:                                                                                                       \
    __attribute__((unused));                                                                                     \
    LET_GO                                                                                                       \
    return again;

#define DEFINE(result, shape, count, types, values, takes)                                                      \
    SHORT static PyObject *function_##result##_##shape(PyObject *function, PyObject *const *args,                \
                                                       Py_ssize_t nargs, PyObject *kwnames)                      \
    {                                                                                                            \
        const FunctionObject *about = (const FunctionObject *)function;                                          \
        const SymbolObject *object = &about->symbol;                                                             \
                                                                                                                 \
        if (!LIKELY(nargs == (count) && kwnames == NULL)) {                                                      \
            return symbol_call(function, args, nargs, kwnames);                                                  \
        }                                                                                                        \
        BODY(result, types, values, takes, object->address, about->definition.ml_name,                           \
             symbol_call(function, args, nargs, kwnames))                                                        \
    }

/* Without arguments there are none by keyword either: the interpreter, told so, passes less. */
#define DEFINE_NONE(result, shape, count, types, values, takes)                                                 \
    SHORT static PyObject *function_##result##_##shape(PyObject *function, PyObject *const *args, Py_ssize_t nargs) \
    {                                                                                                            \
        const FunctionObject *about = (const FunctionObject *)function;                                          \
        const SymbolObject *object = &about->symbol;                                                             \
                                                                                                                 \
        if (!LIKELY(nargs == 0)) {                                                                               \
            return symbol_call(function, args, nargs, NULL);                                                     \
        }                                                                                                        \
        BODY(result, types, values, takes, object->address, about->definition.ml_name,                           \
             symbol_call(function, args, nargs, NULL))                                                           \
    }

#define DEFINE_METHOD(result, shape, count, types, values, takes)                                               \
    SHORT static PyObject *method_##result##_##shape(HandleObject *object, void *address, const Method *about,   \
                                                     PyObject *const *args)                                      \
    {                                                                                                            \
        BODY(result, types, values, takes, address, about->name, call_method(object, address, about, args))      \
    }

/* ------------------------------------------------------------------ all of them */

/* Macro(result, letters...) to macro(result, shape, count, types, values, takes). */
#define SHAPE0(macro, result) macro##_NONE(result, _, 0, (void), (), )
#define SHAPE1(macro, result, a) macro(result, a, COUNT_##a, (TYPE_##a), (VALUE_##a(0)), TAKE_##a(0))
#define SHAPE2(macro, result, a, b)                                                                             \
    macro(result, a##b, COUNT_##a + COUNT_##b, (TYPE_##a, TYPE_##b), (VALUE_##a(0), VALUE_##b(1)),               \
          TAKE_##a(0) TAKE_##b(1))
#define SHAPE3(macro, result, a, b, c)                                                                          \
    macro(result, a##b##c, COUNT_##a + COUNT_##b + COUNT_##c, (TYPE_##a, TYPE_##b, TYPE_##c),                    \
          (VALUE_##a(0), VALUE_##b(1), VALUE_##c(2)), TAKE_##a(0) TAKE_##b(1) TAKE_##c(2))
#define SHAPE4(macro, result, a, b, c, d)                                                                       \
    macro(result, a##b##c##d, COUNT_##a + COUNT_##b + COUNT_##c + COUNT_##d,                                     \
          (TYPE_##a, TYPE_##b, TYPE_##c, TYPE_##d), (VALUE_##a(0), VALUE_##b(1), VALUE_##c(2), VALUE_##d(3)),    \
          TAKE_##a(0) TAKE_##b(1) TAKE_##c(2) TAKE_##d(3))
#define SHAPE5(macro, result, a, b, c, d, e)                                                                    \
    macro(result, a##b##c##d##e, COUNT_##a + COUNT_##b + COUNT_##c + COUNT_##d + COUNT_##e,                      \
          (TYPE_##a, TYPE_##b, TYPE_##c, TYPE_##d, TYPE_##e),                                                    \
          (VALUE_##a(0), VALUE_##b(1), VALUE_##c(2), VALUE_##d(3), VALUE_##e(4)),                                \
          TAKE_##a(0) TAKE_##b(1) TAKE_##c(2) TAKE_##d(3) TAKE_##e(4))

#define SHAPE6(macro, result, a, b, c, d, e, f)                                                                 \
    macro(result, a##b##c##d##e##f, COUNT_##a + COUNT_##b + COUNT_##c + COUNT_##d + COUNT_##e + COUNT_##f,       \
          (TYPE_##a, TYPE_##b, TYPE_##c, TYPE_##d, TYPE_##e, TYPE_##f),                                          \
          (VALUE_##a(0), VALUE_##b(1), VALUE_##c(2), VALUE_##d(3), VALUE_##e(4), VALUE_##f(5)),                  \
          TAKE_##a(0) TAKE_##b(1) TAKE_##c(2) TAKE_##d(3) TAKE_##e(4) TAKE_##f(5))

/* Up to three scalars and strings; each macro stands in the expansion of the one before. */
#define LAST(macro, ...) macro(__VA_ARGS__, I) macro(__VA_ARGS__, D) macro(__VA_ARGS__, S)
#define MIDDLE(macro, ...) macro(__VA_ARGS__, I) macro(__VA_ARGS__, D) macro(__VA_ARGS__, S)
#define FIRST(macro, ...) macro(__VA_ARGS__, I) macro(__VA_ARGS__, D) macro(__VA_ARGS__, S)
#define TWO(macro, result, a) LAST(SHAPE2, macro, result, a)
#define THREE_LAST(macro, result, a, b) LAST(SHAPE3, macro, result, a, b)
#define THREE(macro, result, a) MIDDLE(THREE_LAST, macro, result, a)
#define SCALARS(macro, result) \
    SHAPE0(macro, result) LAST(SHAPE1, macro, result) FIRST(TWO, macro, result) FIRST(THREE, macro, result)

/* More, of one kind. */
#define ROWS(macro, result, a) \
    SHAPE4(macro, result, a, a, a, a) SHAPE5(macro, result, a, a, a, a, a) SHAPE6(macro, result, a, a, a, a, a, a)

/* Those that can fail, arrays, and bytes. */
#define ARRAYS(macro, result)                                                                                   \
    SHAPE2(macro, result, I, E) SHAPE2(macro, result, D, E) SHAPE2(macro, result, S, E)                          \
    SHAPE3(macro, result, I, I, E) SHAPE3(macro, result, D, D, E)                                                \
    SHAPE2(macro, result, P, N) SHAPE2(macro, result, N, P) SHAPE3(macro, result, P, P, N)                       \
    SHAPE3(macro, result, P, N, P) SHAPE3(macro, result, N, P, P) SHAPE3(macro, result, P, N, D)                 \
    SHAPE3(macro, result, D, P, N) SHAPE3(macro, result, P, N, I) SHAPE3(macro, result, P, N, E)                 \
    SHAPE4(macro, result, P, N, P, E) SHAPE4(macro, result, P, P, N, E)                                          \
    SHAPE1(macro, result, B) SHAPE2(macro, result, B, I) SHAPE2(macro, result, B, B) SHAPE2(macro, result, B, E)

/* The same for an object, h, that is passed (H), or that a method is called of (M). */
#define OBJECTS(macro, result, h)                                                                               \
    SHAPE1(macro, result, h) SHAPE2(macro, result, h, I) SHAPE2(macro, result, h, D) SHAPE2(macro, result, h, S)  \
    SHAPE3(macro, result, h, I, I) SHAPE3(macro, result, h, D, D) SHAPE3(macro, result, h, P, N)                 \
    SHAPE4(macro, result, h, P, N, P) SHAPE4(macro, result, h, P, P, N) SHAPE2(macro, result, h, E)              \
    SHAPE3(macro, result, h, I, E) SHAPE3(macro, result, h, D, E) SHAPE3(macro, result, h, S, E)                 \
    SHAPE4(macro, result, h, P, N, E) SHAPE5(macro, result, h, P, N, P, E)

/* Objects that come back. */
#define MAKERS(macro) \
    SHAPE0(macro, H) SHAPE1(macro, H, I) SHAPE1(macro, H, D) SHAPE1(macro, H, S) SHAPE2(macro, H, S, I)
#define GETTERS(macro, h) SHAPE1(macro, H, h) SHAPE2(macro, H, h, I) SHAPE2(macro, H, h, S)

#define EACH_RESULT(list, ...)                                                                                  \
    list(__VA_ARGS__, V) list(__VA_ARGS__, L) list(__VA_ARGS__, J) list(__VA_ARGS__, U) list(__VA_ARGS__, D)     \
        list(__VA_ARGS__, S)
#define OBJECTS_H(macro, result) OBJECTS(macro, result, H)
#define OBJECTS_M(macro, result) OBJECTS(macro, result, M)
#define FUNCTIONS(macro)                                                                                        \
    EACH_RESULT(SCALARS, macro) EACH_RESULT(ARRAYS, macro) EACH_RESULT(OBJECTS_H, macro) MAKERS(macro)           \
        GETTERS(macro, H) ROWS(macro, D, D) ROWS(macro, V, D) ROWS(macro, L, I) ROWS(macro, J, I) ROWS(macro, V, I)
#define METHODS(macro) EACH_RESULT(OBJECTS_M, macro) GETTERS(macro, M)

FUNCTIONS(DEFINE)
METHODS(DEFINE_METHOD)

typedef struct {
    const char *shape;             /* the result's letter, then the parameters', `_` for none */
    union {
        BareCall bare;             /* of no arguments */
        FastCall function;
        MethodCall method;
    };
} Ready;

#define NAME(result, letters, ...) {.shape = #result #letters, .function = function_##result##_##letters},
#define NAME_NONE(result, letters, ...) {.shape = #result #letters, .bare = function_##result##_##letters},
#define NAME_METHOD(result, letters, ...) {.shape = #result #letters, .method = method_##result##_##letters},

static const Ready functions[] = {FUNCTIONS(NAME)}, methods[] = {METHODS(NAME_METHOD)};

/* ------------------------------------------------------------------ finding one */

void
ready_grade(Argument *argument, const Type *type)
{
    int bits = 8 * (int)type->size;

    if (type->kind == TYPE_FLOAT) {
        argument->fast = type->size == sizeof(double) ? FAST_DOUBLE : FAST_FLOAT;
    } else if (type->kind == TYPE_INTEGER || type->kind == TYPE_CHAR) {
        argument->fast = FAST_INTEGER;
        argument->least = !type->is_signed ? 0 : bits >= 32 ? INT32_MIN : -(1 << (bits - 1));
        argument->span = bits < 32 ? (1u << bits) - 1 : type->is_signed ? UINT32_MAX : INT32_MAX;
    }
}

enum { LETTERS_MAX = 6 };

/* The letter of a number, as a parameter or as a result; 0 if there is none. */
static char
number_letter(const Type *type, bool is_result)
{
    if (type->kind == TYPE_FLOAT && type->size == sizeof(double)) {
        return 'D';
    }
    if (type->kind != TYPE_INTEGER || type->size < sizeof(int32_t)) {
        return 0;
    }
    if (!type->is_signed) {
        return is_result && type->size == sizeof(int64_t) ? 'U' : 0;
    }
    return !is_result ? 'I' : type->size == sizeof(int64_t) ? 'L' : 'J';
}

static char
parameter_letter(const Argument *argument)
{
    switch ((Conversion)argument->conversion) {
    case CONVERT_SCALAR:
        return number_letter(argument->type, false);
    case CONVERT_STRING:
        return argument->bytes ? 'B' : 'S';
    case CONVERT_BUFFER:
        return argument->field->dim_count == 1 && argument->field->dims[0].name != NULL && argument->items != 0 ? 'P' : 0;
    case CONVERT_LENGTH:
        return argument->type->size == sizeof(size_t) ? 'N' : 0;
    case CONVERT_HANDLE:
        return 'H';
    case CONVERT_SELF:
        return 'M';
    case CONVERT_ERROR:
        return 'E';
    default:
        return 0;
    }
}

static char
result_letter(const Argument *result)
{
    switch ((Conversion)result->conversion) {
    case CONVERT_NOTHING:
        return 'V';
    case CONVERT_SCALAR:
        return number_letter(result->type, true);
    case CONVERT_STRING:
        return result->owned ? 0 : 'S';
    case CONVERT_HANDLE:
        return 'H';
    default:
        return 0;
    }
}

/* The signature's letters, or an empty string. */
static void
spell_shape(const Signature *signature, char shape[LETTERS_MAX + 2])
{
    shape[0] = '\0';
#ifdef Py_GIL_DISABLED
    if (signature->is_exclusive) {
        return;
    }
#endif
    if (signature->is_blocking || signature->is_destructor || signature->has_retained || signature->count > LETTERS_MAX) {
        return;
    }
    for (int i = 0; i < signature->count; i++) {
        shape[i + 1] = parameter_letter(&signature->arguments[i]);
        if (shape[i + 1] == 0) {
            return;
        }
    }
    memcpy(shape + 1 + signature->count, signature->count == 0 ? "_" : "", signature->count == 0 ? 2 : 1);
    shape[0] = result_letter(&signature->result);
}

static const Ready *
find(const Signature *signature, const Ready *list, size_t count)
{
    char shape[LETTERS_MAX + 2];

    spell_shape(signature, shape);
    for (size_t i = 0; i < count && shape[0] != '\0'; i++) {
        if (strcmp(list[i].shape, shape) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

bool
ready_function(const Signature *signature, PyCFunction *function, int *flags)
{
    const Ready *ready = find(signature, functions, sizeof functions / sizeof *functions);

    if (ready == NULL) {
        return false;
    }
    if (ready->shape[1] == '_') {
        *function = (PyCFunction)(void (*)(void))ready->bare;
        *flags = METH_FASTCALL;
    } else {
        *function = (PyCFunction)(void (*)(void))ready->function;
        *flags = METH_FASTCALL | METH_KEYWORDS;
    }
    return true;
}

MethodCall
ready_method(const Signature *signature)
{
    const Ready *ready = find(signature, methods, sizeof methods / sizeof *methods);

    return ready != NULL ? ready->method : NULL;
}
