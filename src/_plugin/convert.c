/* Single values between Python and C: numbers, strings and buffers.  Calls are call.c's concern. */
#include "memory.h"

#include <float.h>
#include <math.h>

int
convert_fail(PyObject *type, const Where *where, const char *format, ...)
{
    va_list arguments;
    PyObject *message;

    va_start(arguments, format);
    message = PyUnicode_FromFormatV(format, arguments);
    va_end(arguments);
    if (message != NULL) {
        if (where->name != NULL) {
            PyErr_Format(type, "%s() argument '%s': %U", where->owner, where->name, message);
        } else {
            PyErr_Format(type, "%s: %U", where->owner, message);
        }
        Py_DECREF(message);
    }
    return -1;
}

/* ------------------------------------------------------------------ integers */

/* An OverflowError that begins with the number; Python refuses to print one of thousands of digits. */
static int
overflow(PyObject *number, const Where *where, const char *why)
{
    PyObject *text = PyObject_Str(number);

    if (text == NULL) {
        PyErr_Clear();
        return convert_fail(PyExc_OverflowError, where, "a number of thousands of digits %s", why);
    }
    convert_fail(PyExc_OverflowError, where, "%U %s", text, why);
    Py_DECREF(text);
    return -1;
}

static int
out_of_range(const Type *type, PyObject *object, const Where *where)
{
    char spelling[64], why[128];

    type_spell(type, NULL, spelling, sizeof spelling);
    PyOS_snprintf(why, sizeof why, "does not fit %s (%d bits, %s)", spelling, (int)(8 * type->size),
                  type->is_signed ? "signed" : "unsigned");
    return overflow(object, where, why);
}

/* Whether a 64-bit value lies in the type's range. */
static inline bool
in_range(const Type *type, int64_t value)
{
    int shift = 64 - 8 * (int)type->size;

    if (type->is_signed) {
        return (int64_t)((uint64_t)value << shift) >> shift == value;
    }
    return value >= 0 && (shift == 0 || (uint64_t)value >> (64 - shift) == 0);
}

static int
wrong_type(const char *wanted, PyObject *object, const Where *where)
{
    return convert_fail(PyExc_TypeError, where, "expected %s, not %s", wanted, Py_TYPE(object)->tp_name);
}

/* Anything with __index__.  Unsigned 64-bit values come back in the same bits. */
static int
any_int(const Type *type, PyObject *object, const Where *where, int64_t *value)
{
    PyObject *number;
    int too_large;

    if (PyLong_CheckExact(object)) {
        number = Py_NewRef(object);
    } else if (!PyIndex_Check(object)) {
        return wrong_type("an int", object, where);
    } else {
        number = PyNumber_Index(object);
    }
    if (number == NULL) {
        return -1;
    }
    *value = PyLong_AsLongLongAndOverflow(number, &too_large);
    if (too_large > 0 && type->size == 8 && !type->is_signed) {
        uint64_t large = PyLong_AsUnsignedLongLong(number);

        too_large = large == UINT64_MAX && PyErr_Occurred() != NULL;
        PyErr_Clear();
        *value = (int64_t)large;
    } else if (too_large == 0) {
        too_large = !in_range(type, *value);
    }
    if (too_large != 0) {
        out_of_range(type, number, where);
    }
    Py_DECREF(number);
    return too_large != 0 ? -1 : 0;
}

static int
convert_bool(PyObject *object, const Where *where, Value *value)
{
    const char *name = Py_TYPE(object)->tp_name;
    long number;
    int too_large;

    if (PyBool_Check(object)) {
        value->i = object == Py_True;
        return 0;
    }
    if (strcmp(name, "numpy.bool_") == 0 || strcmp(name, "numpy.bool") == 0) {
        int truth = PyObject_IsTrue(object);

        value->i = truth;
        return truth < 0 ? -1 : 0;
    }
    if (!PyLong_Check(object)) {
        return wrong_type("a bool", object, where);
    }
    number = PyLong_AsLongAndOverflow(object, &too_large);
    if (too_large != 0 || (number != 0 && number != 1)) {
        return overflow(object, where, "is neither 0 nor 1");
    }
    value->i = number;
    return 0;
}

/* ------------------------------------------------------------------ floating point */

static int
convert_float(const Type *type, PyObject *object, const Where *where, Value *value)
{
    double number;

    if (PyFloat_CheckExact(object)) {
        number = PyFloat_AS_DOUBLE(object);
    } else {
        if (!PyFloat_Check(object) && !PyIndex_Check(object) &&
            (Py_TYPE(object)->tp_as_number == NULL || Py_TYPE(object)->tp_as_number->nb_float == NULL)) {
            return wrong_type("a float", object, where);
        }
        number = PyFloat_AsDouble(object);
        if (number == -1.0 && PyErr_Occurred()) {
            if (PyLong_Check(object) && PyErr_ExceptionMatches(PyExc_OverflowError)) {
                PyErr_Clear();
                return overflow(object, where, "does not fit double (64 bits)");
            }
            return -1;
        }
    }
    if (type->size == sizeof(double)) {
        value->d = number;
        return 0;
    }
    value->i = 0;
    value->f = (float)number;
    if (isinf(value->f) && !isinf(number)) {
        return overflow(object, where, "does not fit float (32 bits)");
    }
    return 0;
}

/* ------------------------------------------------------------------ scalars */

int
convert_scalar(const Type *type, PyObject *object, const Where *where, Value *value)
{
    switch (type->kind) {
    case TYPE_FLOAT:
        return convert_float(type, object, where, value);
    case TYPE_BOOL:
        return convert_bool(object, where, value);
    default:
        if (fast_integer(object, &value->i)) {
            if (!in_range(type, value->i)) {
                return out_of_range(type, object, where);
            }
        } else if (any_int(type, object, where, &value->i) < 0) {
            return -1;
        }
        if (type->kind == TYPE_ENUM && !enum_has(type, value->i)) {
            return convert_fail(PyExc_ValueError, where, "%S is no value of enum %s", object,
                                type->name != NULL ? type->name : "");
        }
        return 0;
    }
}

PyObject *
convert_result(const Type *type, Value value)
{
    switch (type->kind) {
    case TYPE_VOID:
        Py_RETURN_NONE;
    case TYPE_FLOAT:
        return PyFloat_FromDouble(type->size == sizeof(double) ? value.d : (double)value.f);
    case TYPE_BOOL:
        return PyBool_FromLong((unsigned char)value.u);
    case TYPE_ENUM:
        if (type->size == 8 && !type->is_signed && value.i < 0) {
            return PyLong_FromUnsignedLongLong(value.u);
        }
        return enum_member(type, type->size == 8 ? value.i : type->is_signed ? (int64_t)(int32_t)value.u
                                                                             : (int64_t)(uint32_t)value.u);
    default:
        break;
    }
    switch (type->is_signed ? -(int)type->size : (int)type->size) {
    case -1:
        return PyLong_FromLong((int8_t)value.u);
    case -2:
        return PyLong_FromLong((int16_t)value.u);
    case -4:
        return PyLong_FromLong((int32_t)value.u);
    case -8:
        return PyLong_FromLongLong(value.i);
    case 1:
        return PyLong_FromLong((uint8_t)value.u);
    case 2:
        return PyLong_FromLong((uint16_t)value.u);
    case 4:
        return PyLong_FromUnsignedLong((uint32_t)value.u);
    default:
        return PyLong_FromUnsignedLongLong(value.u);
    }
}

void
convert_store(const Type *type, void *memory, Value value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(memory, &value, type->size);
#else
    memcpy(memory, (char *)&value + (type->kind == TYPE_FLOAT ? 0 : sizeof value - type->size), type->size);
#endif
}

Value
convert_load(const Type *type, const void *memory)
{
    Value value = {0};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&value, memory, type->size);
#else
    memcpy((char *)&value + (type->kind == TYPE_FLOAT ? 0 : sizeof value - type->size), memory, type->size);
#endif
    return value;
}

/* ------------------------------------------------------------------ strings */

int
convert_string(PyObject *object, bool bytes_only, const Where *where, const char **string)
{
    Py_ssize_t size;

    if (PyUnicode_Check(object) && !bytes_only) {
        *string = PyUnicode_AsUTF8AndSize(object, &size);
        if (*string == NULL) {
            if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
                return -1;
            }
            PyErr_Clear();
            return convert_fail(PyExc_ValueError, where, "the str has a lone surrogate, which UTF-8 cannot encode");
        }
    } else if (PyBytes_Check(object)) {
        *string = PyBytes_AS_STRING(object);
        size = PyBytes_GET_SIZE(object);
    } else {
        return wrong_type(bytes_only ? "bytes" : "a str or bytes", object, where);
    }
    if (strlen(*string) != (size_t)size) {
        return convert_fail(PyExc_ValueError, where, "embedded null character: C would see only what is before it");
    }
    return 0;
}

PyObject *
convert_text(const char *string, bool bytes, const Where *where)
{
    Py_ssize_t size = (Py_ssize_t)strlen(string);
    PyObject *text;

    if (bytes) {
        return PyBytes_FromStringAndSize(string, size);
    }
    text = PyUnicode_DecodeUTF8(string, size, NULL);
    if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        convert_fail(PyExc_ValueError, where, "the result is not UTF-8; declare it plugin_bytes to get bytes");
    }
    return text;
}

/* ------------------------------------------------------------------ buffers */

enum { ITEMS_SIGNED = 1, ITEMS_UNSIGNED, ITEMS_FLOAT, ITEMS_BOOL, ITEMS_CHARACTER };

const uint8_t convert_letters[256] = {
    ['b'] = ITEMS_SIGNED,   ['h'] = ITEMS_SIGNED,   ['i'] = ITEMS_SIGNED,   ['l'] = ITEMS_SIGNED,
    ['q'] = ITEMS_SIGNED,   ['n'] = ITEMS_SIGNED,   ['B'] = ITEMS_UNSIGNED, ['H'] = ITEMS_UNSIGNED,
    ['I'] = ITEMS_UNSIGNED, ['L'] = ITEMS_UNSIGNED, ['Q'] = ITEMS_UNSIGNED, ['N'] = ITEMS_UNSIGNED,
    ['f'] = ITEMS_FLOAT,    ['d'] = ITEMS_FLOAT,    ['?'] = ITEMS_BOOL,     ['c'] = ITEMS_CHARACTER,
};

uint8_t
convert_item_kind(const Type *item)
{
    switch (item->kind) {
    case TYPE_INTEGER:
        return item->is_signed ? ITEMS_SIGNED : ITEMS_UNSIGNED;
    case TYPE_FLOAT:
        return ITEMS_FLOAT;
    case TYPE_BOOL:
        return ITEMS_BOOL;
    default:
        return 0;
    }
}

const char *
convert_format(const Type *type)
{
    static const char *const integers[] = {"B", "H", "I", "Q", "b", "h", "i", "q"};

    switch (type->kind) {
    case TYPE_BOOL:
        return "?";
    case TYPE_FLOAT:
        return type->size == sizeof(float) ? "f" : "d";
    default:
        return integers[(type->is_signed ? 4 : 0) + (type->size == 1 ? 0 : type->size == 2 ? 1 : type->size == 4 ? 2 : 3)];
    }
}

/* Whether a buffer's items are such as the type: kind, size and byte order decide, not the letter. */
static bool
items_match(const Type *item, const Py_buffer *view)
{
    const char *format = view->format != NULL ? view->format : "B";
    const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    uint8_t letter;

    if (item->kind == TYPE_STRUCT) {
        return (size_t)view->itemsize == type_size(item) && layout_matches(item->record, format);
    }
    if (*format == '@' || *format == '=') {
        format++;
    } else if (*format == '<' || *format == '>' || *format == '!') {
        if ((*format == '<') != little && view->itemsize > 1) {
            return false;
        }
        format++;
    }
    if (format[0] == '\0' || format[1] != '\0' || (size_t)view->itemsize != item->size) {
        return false;
    }
    letter = convert_letters[(unsigned char)*format];
    switch (item->kind) {
    case TYPE_CHAR:
        return letter == ITEMS_CHARACTER || letter == ITEMS_SIGNED || letter == ITEMS_UNSIGNED;
    case TYPE_INTEGER:
    case TYPE_ENUM:
        return letter == (item->is_signed ? ITEMS_SIGNED : ITEMS_UNSIGNED) ||
               (letter == ITEMS_CHARACTER && !item->is_signed);
    default:
        return letter != 0 && letter == convert_item_kind(item);
    }
}

static int
check_layout(const Type *item, int dims, bool written, const Py_buffer *view, const Where *where)
{
    bool any = item->kind == TYPE_VOID;
    char spelling[64];

    if (!any && !items_match(item, view)) {
        type_spell(item, NULL, spelling, sizeof spelling);
        return convert_fail(PyExc_TypeError, where, "expected a buffer of %s, not of items with format '%s' (%zd bytes each)",
                            spelling, view->format != NULL ? view->format : "B", view->itemsize);
    }
    if (written && view->readonly) {
        type_spell(item, NULL, spelling, sizeof spelling);
        return convert_fail(PyExc_TypeError, where, "the buffer is read-only, and %s * is written to", spelling);
    }
    if (!PyBuffer_IsContiguous(view, 'C')) {
        return convert_fail(PyExc_ValueError, where,
                            "the buffer is not C-contiguous; numpy.ascontiguousarray(x) makes a copy that is");
    }
    if (dims > 0 && !any && view->ndim != dims) {
        return convert_fail(PyExc_ValueError, where, "expected %d dimension(s), the buffer has %d", dims, view->ndim);
    }
    if (dims == 0 && !any && view->len == 0) {
        type_spell(item, NULL, spelling, sizeof spelling);
        return convert_fail(PyExc_ValueError, where, "the buffer is empty; %s * points to at least one item", spelling);
    }
    if (!any && view->len > 0 && (uintptr_t)view->buf % type_align(item) != 0) {
        return convert_fail(PyExc_ValueError, where, "the buffer is not aligned to %zu bytes", type_align(item));
    }
    return 0;
}

static int
acquire(const Type *item, int dims, bool written, PyObject *object, const Where *where, Py_buffer *view)
{
    if (!PyObject_CheckBuffer(object)) {
        return wrong_type("a buffer (an array, bytes, a memoryview ...)", object, where);
    }
    if (PyObject_GetBuffer(object, view, PyBUF_STRIDES | PyBUF_FORMAT) < 0) {
        if (PyErr_ExceptionMatches(PyExc_BufferError)) {
            PyErr_Clear();
            return convert_fail(PyExc_ValueError, where, "%s gives no buffer now", Py_TYPE(object)->tp_name);
        }
        return -1;
    }
    if (check_layout(item, dims, written, view, where) < 0) {
        PyBuffer_Release(view);
        return -1;
    }
    return 0;
}

int
convert_buffer(const Type *item, int dims, PyObject *object, const Where *where, Py_buffer *view)
{
    return acquire(item, dims, !item->is_const, object, where, view);
}

int
convert_source(const Type *item, int dims, PyObject *object, const Where *where, Py_buffer *view)
{
    return acquire(item, dims, false, object, where, view);
}

/* ------------------------------------------------------------------ pointers of others */

int
convert_foreign_pointer(PyObject *object, void **address)
{
    PyObject *module, *function, *result;

    if (strncmp(Py_TYPE(object)->tp_name, "_cffi_backend.", 14) != 0) {
        PyObject *modules = PyImport_GetModuleDict();   /* borrowed: no ctypes object without ctypes */

        if (PyDict_GetItemString(modules, "_ctypes") == NULL) {
            return 0;
        }
    }
    module = PyImport_ImportModule("plugin._foreign");
    if (module == NULL) {
        return -1;
    }
    function = PyObject_GetAttrString(module, "address_of");
    result = function != NULL ? PyObject_CallOneArg(function, object) : NULL;   /* a tuple is one argument, too */
    Py_XDECREF(function);
    Py_DECREF(module);
    if (result == NULL || result == Py_None) {
        Py_XDECREF(result);
        return result == NULL ? -1 : 0;
    }
    *address = PyLong_AsVoidPtr(result);
    Py_DECREF(result);
    return PyErr_Occurred() ? -1 : 1;
}
