/* Memory of ours that a call lends to a plugin: room for results of many items, and arrays of strings. */
#include "internal.h"

/* ------------------------------------------------------------------ arrays of strings */

/* The pointers stand in a bytes object, the strings in a tuple; both live as long as the frame has them. */
int
room_strings(Frame *frame, const Argument *argument, int number, PyObject *object, Value *value, Py_ssize_t *count)
{
    PyObject *items, *pointers;
    int failed = 0;

    if (PyUnicode_Check(object) || PyBytes_Check(object)) {
        return convert_fail(PyExc_TypeError, &frame->where, "expected a sequence of str, not one %s",
                            Py_TYPE(object)->tp_name);
    }
    items = PySequence_Tuple(object);
    if (items == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_TypeError)) {
            return -1;
        }
        PyErr_Clear();
        return convert_fail(PyExc_TypeError, &frame->where, "expected a sequence of str, not %s", Py_TYPE(object)->tp_name);
    }
    *count = PyTuple_GET_SIZE(items);
    pointers = PyBytes_FromStringAndSize(NULL, *count * (Py_ssize_t)sizeof(char *));
    for (Py_ssize_t i = 0; i < *count && pointers != NULL && failed == 0; i++) {
        const char *string;

        failed = convert_string(PyTuple_GET_ITEM(items, i), argument->bytes, &frame->where, &string);
        if (failed == 0) {
            memcpy(PyBytes_AS_STRING(pointers) + i * (Py_ssize_t)sizeof string, &string, sizeof string);
        }
    }
    if (pointers != NULL && failed == 0) {
        frame->rooms[number] = PyTuple_Pack(2, items, pointers);
        value->p = PyBytes_AS_STRING(pointers);
    }
    Py_DECREF(items);
    Py_XDECREF(pointers);
    return frame->rooms[number] != NULL ? 0 : -1;
}

/* ------------------------------------------------------------------ room for results */

/* What a length was or will be: told by a buffer, or passed as a number, directly or by pointer. */
static int64_t
extent_of(const Frame *frame, const Dim *dim)
{
    const Argument *length;
    Value value;

    if (dim->name == NULL) {
        return (int64_t)dim->constant;
    }
    length = &frame->signature->arguments[dim->index];
    if (length->conversion == CONVERT_LENGTH) {
        return frame->lengths[dim->index] < 0 ? 0 : frame->lengths[dim->index];
    }
    if (length->conversion == CONVERT_OUT) {
        value = convert_load(length->type, &frame->outs[dim->index]);
    } else {
        memcpy(&value, (const char *)&frame->registers + length->place, sizeof value);
    }
    value = convert_load(length->type, &value);
    return length->type->size < 8 && length->type->is_signed ? (int64_t)(int32_t)value.i : value.i;
}

static Py_ssize_t
item_size(const Argument *argument)
{
    return argument->type->kind == TYPE_VOID ? 1 : (Py_ssize_t)argument->type->size;
}

static int
make_room(Frame *frame, const Argument *argument, int number)
{
    Py_ssize_t size = item_size(argument);
    Value value;

    frame->where.name = argument->field->name;
    for (int i = 0; i < argument->field->dim_count; i++) {
        int64_t extent = extent_of(frame, &argument->field->dims[i]);

        if (extent < 0 || (extent > 0 && size > PY_SSIZE_T_MAX / extent)) {
            return convert_fail(PyExc_ValueError, &frame->where, "its length %lld is negative or enormous",
                                (long long)extent);
        }
        size *= extent;
    }
    frame->rooms[number] = PyByteArray_FromStringAndSize(NULL, size);
    if (frame->rooms[number] == NULL) {
        return -1;
    }
    value.p = memset(PyByteArray_AS_STRING(frame->rooms[number]), 0, (size_t)size);
    call_put(&frame->registers, argument, value);
    return 0;
}

int
room_make(Frame *frame)
{
    for (int i = 0; i < frame->signature->count; i++) {
        const Argument *argument = &frame->signature->arguments[i];

        if (argument->conversion == CONVERT_ROOM && make_room(frame, argument, i) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Text ends at its NUL, or at the length that the plugin gave back. */
static PyObject *
take_text(const Frame *frame, const Argument *argument, int number, Py_ssize_t used)
{
    const char *text = PyByteArray_AS_STRING(frame->rooms[number]);
    bool counted = argument->field->dims[0].pointed;
    const char *end = counted || argument->bytes ? NULL : memchr(text, 0, (size_t)used);
    Py_ssize_t size = end != NULL ? end - text : used;
    PyObject *result;

    if (argument->bytes) {
        return PyBytes_FromStringAndSize(text, size);
    }
    result = PyUnicode_DecodeUTF8(text, size, NULL);
    if (result == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        convert_fail(PyExc_ValueError, &frame->where, "the result is not UTF-8; declare it plugin_bytes to get bytes");
    }
    return result;
}

/* The bytes that the lengths make now, which the plugin may have written; -1 if that is more than there was room for. */
static Py_ssize_t
used_size(const Frame *frame, const Argument *argument, Py_ssize_t room)
{
    Py_ssize_t size = item_size(argument);
    bool fits = true;

    for (int i = 0; i < argument->field->dim_count && fits; i++) {
        int64_t extent = extent_of(frame, &argument->field->dims[i]);

        fits = extent >= 0 && !__builtin_mul_overflow(size, extent, &size);
    }
    if (!fits || size > room) {
        return convert_fail(PyExc_ValueError, &frame->where, "the plugin says that it wrote %lld items, which is more than "
                                                             "there is room for",
                            (long long)extent_of(frame, &argument->field->dims[0]));
    }
    return size;
}

/* The room as a view of as many items as the lengths say. */
static PyObject *
take_items(const Frame *frame, const Argument *argument, PyObject *room)
{
    const char *format = argument->type->kind == TYPE_VOID ? "B" : convert_format(argument->type);
    int dims = argument->field->dim_count;
    PyObject *shape = PyTuple_New(dims), *view = PyMemoryView_FromObject(room), *result = NULL;
    int failed = shape == NULL || view == NULL ? -1 : 0;

    for (int i = 0; i < dims && failed == 0; i++) {
        PyObject *extent = PyLong_FromLongLong(extent_of(frame, &argument->field->dims[i]));

        failed = extent == NULL ? -1 : 0;
        PyTuple_SET_ITEM(shape, i, extent);
    }
    if (failed == 0) {
        result = argument->type->kind == TYPE_VOID || PyByteArray_GET_SIZE(room) == 0
                     ? PyObject_CallMethod(view, "cast", "s", format)
                     : PyObject_CallMethod(view, "cast", "sO", format, shape);
    }
    Py_XDECREF(shape);
    Py_XDECREF(view);
    return result;
}

PyObject *
room_take(Frame *frame, const Argument *argument, int number)
{
    PyObject *room = frame->rooms[number];
    Py_ssize_t size;

    frame->where.name = argument->field->name;
    size = used_size(frame, argument, PyByteArray_GET_SIZE(room));
    if (size < 0) {
        return NULL;
    }
    if (argument->type->kind == TYPE_CHAR) {
        return take_text(frame, argument, number, size);
    }
    return PyByteArray_Resize(room, size) < 0 ? NULL : take_items(frame, argument, room);
}
