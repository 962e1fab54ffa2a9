/* A typed place in native memory, read and written as a whole: what members and variables have in common. */
#include "memory.h"

const Type *
spot_innermost(const Type *type)
{
    while (type->kind == TYPE_ARRAY) {
        type = type->target;
    }
    return type;
}

/* ------------------------------------------------------------------ what stands behind pointers */

/* A struct and its first member stand at one address: the size tells them apart. */
static PyObject *
place_of(const Spot *spot)
{
    return Py_BuildValue("(Nn)", PyLong_FromVoidPtr(spot->memory), (Py_ssize_t)type_size(spot->type));
}

int
spot_pointer(const Spot *spot, void **pointer, PyObject **kept)
{
    PyObject *dict = SHARED_LOAD(*retain_dict(spot->owner, spot->library)), *place;
    int failed;

    *kept = NULL;
    if (dict == NULL) {
        word_copy(pointer, spot->memory, sizeof *pointer);
        return 0;
    }
    place = place_of(spot);
    if (place == NULL) {
        return -1;
    }
    MUTEX_LOCK(spot->library->keeping);
    word_copy(pointer, spot->memory, sizeof *pointer);
    failed = dict_get(dict, place, kept);
    MUTEX_UNLOCK(spot->library->keeping);
    Py_DECREF(place);
    return failed < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------ reading */

/* Bytes of text in an array of char: up to its NUL, if it has one. */
static size_t
text_size(const Spot *spot)
{
    const char *end = memchr(spot->memory, 0, spot->type->length);

    return end != NULL ? (size_t)(end - spot->memory) : spot->type->length;
}

PyObject *
spot_tuple(const Spot *spot, const Type *item, char *memory, Py_ssize_t count)
{
    PyObject *tuple = PyTuple_New(count);

    for (Py_ssize_t i = 0; i < count && tuple != NULL; i++) {
        Spot one = *spot;
        PyObject *object;

        one.type = item;
        one.memory = memory + (size_t)i * sizeof(void *);
        object = spot_get(&one);
        if (object == NULL) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, i, object);
        }
    }
    return tuple;
}

/* An array of constant lengths as a view, text if it is of char, a tuple if it is of pointers. */
static PyObject *
get_array(const Spot *spot)
{
    const Type *type = spot->type;
    Py_ssize_t shape[DIMS_MAX];
    int dims = 0;

    if (type->target->kind == TYPE_CHAR) {
        PyObject *text = PyUnicode_DecodeUTF8(spot->memory, (Py_ssize_t)text_size(spot), NULL);

        if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
            PyErr_Clear();
            convert_fail(PyExc_ValueError, &spot->where, "the text is not UTF-8");
        }
        return text;
    }
    if (type->target->kind == TYPE_POINTER) {
        return spot_tuple(spot, type->target, spot->memory, (Py_ssize_t)type->length);
    }
    for (; type->kind == TYPE_ARRAY; type = type->target) {
        if (dims == DIMS_MAX) {
            convert_fail(PyExc_TypeError, &spot->where, "more than %d dimensions", DIMS_MAX);
            return NULL;
        }
        shape[dims++] = (Py_ssize_t)type->length;
    }
    return items_view(spot->library, spot->owner, NULL, spot->memory, type, dims, shape, type->is_const || spot->readonly);
}

/* An object at that address, as good as the one that the spot belongs to. */
static PyObject *
get_object(const Spot *spot, const Type *type, void *address, bool readonly)
{
    static const Release none;
    PyObject *object = handle_new(spot->library, type, address, spot->owner, &none, false);

    if (object != NULL && PyObject_TypeCheck(object, spot->library->state->handle)) {
        ((HandleObject *)object)->readonly = readonly;
    }
    return object;
}

static PyObject *
take_pointer(const Spot *spot, void *pointer, PyObject *kept)
{
    const Type *target = spot->type->target;

    if (pointer == NULL) {
        Py_RETURN_NONE;
    }
    if (kept != NULL && PyObject_TypeCheck(kept, spot->library->state->handle) &&
        SHARED_LOAD(((HandleObject *)kept)->address) == pointer) {
        return Py_NewRef(kept);    /* lives on when another one takes its place */
    }
    if (target->kind == TYPE_CHAR) {
        return convert_text(pointer, (spot->words & WORD_BYTES) != 0, &spot->where);
    }
    if (target->kind == TYPE_FUNCTION) {
        return symbol_of_pointer(spot->library, target, pointer, spot->where.owner);
    }
    return get_object(spot, target->kind == TYPE_STRUCT ? target : NULL, pointer, target->is_const);
}

static PyObject *
get_pointer(const Spot *spot)
{
    PyObject *kept, *result;
    void *pointer;

    if (spot_pointer(spot, &pointer, &kept) < 0) {
        return NULL;
    }
    result = take_pointer(spot, pointer, kept);
    Py_XDECREF(kept);              /* only now: the text may be its own */
    return result;
}

PyObject *
spot_get(const Spot *spot)
{
    uint64_t memory[2];            /* of the size of any scalar */

    switch (spot->type->kind) {
    case TYPE_ARRAY:
        return get_array(spot);
    case TYPE_STRUCT:
        return get_object(spot, spot->type, spot->memory, spot->readonly || spot->type->is_const);
    case TYPE_POINTER:
        return get_pointer(spot);
    default:
        word_copy(memory, spot->memory, spot->type->size);
        return convert_result(spot->type, convert_load(spot->type, memory));
    }
}

/* ------------------------------------------------------------------ writing */

int
spot_keep(const Spot *spot, PyObject *keeper)
{
    PyObject *place = place_of(spot);
    int failed = place == NULL ? -1 : retain_set(retain_dict(spot->owner, spot->library), place, keeper);

    Py_XDECREF(place);
    return failed;
}

int
spot_point(const Spot *spot, PyObject *keeper, const void *pointer)
{
    PyObject *dict = retain_made(retain_dict(spot->owner, spot->library)), *place = place_of(spot), *old = NULL;
    int failed = dict == NULL || place == NULL ? -1 : 0;

    if (failed == 0) {
        MUTEX_LOCK(spot->library->keeping);
        failed = dict_get(dict, place, &old) < 0 || PyDict_SetItem(dict, place, keeper != NULL ? keeper : Py_None) < 0 ? -1 : 0;
        if (failed == 0) {
            word_copy(spot->memory, &pointer, sizeof pointer);
        }
        MUTEX_UNLOCK(spot->library->keeping);
    }
    Py_XDECREF(old);               /* outside: it may run anything */
    Py_XDECREF(place);
    return failed;
}

/* Who wrote a string owns its text: a copy that lives until the next one. */
static int
set_string(const Spot *spot, PyObject *value)
{
    const char *text;
    PyObject *copy;
    int failed;

    if (convert_string(value, (spot->words & WORD_BYTES) != 0, &spot->where, &text) < 0) {
        return -1;
    }
    copy = PyBytes_FromString(text);
    failed = copy == NULL ? -1 : spot_point(spot, copy, PyBytes_AS_STRING(copy));
    Py_XDECREF(copy);
    return failed;
}

static int
set_object(const Spot *spot, PyObject *value)
{
    const Type *target = spot->type->target;
    HandleObject *handle = (HandleObject *)value;
    bool fits = PyObject_TypeCheck(value, spot->library->state->handle) &&
                (target->kind != TYPE_STRUCT || handle_is(handle, target, spot->library));

    if (!fits) {
        return convert_fail(PyExc_TypeError, &spot->where, "expected %s *, not %s",
                            target->name != NULL ? target->name : "void", Py_TYPE(value)->tp_name);
    }
    return handle_check(handle, &spot->where) < 0 ? -1 : spot_point(spot, value, SHARED_LOAD(handle->address));
}

static int
set_callable(const Spot *spot, PyObject *value)
{
    char reason[REASON_MAX] = "";
    PyObject *capsule;
    void *function;
    int failed;

    if (!PyCallable_Check(value)) {
        return convert_fail(PyExc_TypeError, &spot->where, "expected a callable, not %s", Py_TYPE(value)->tp_name);
    }
    capsule = retain_callable(spot->library, spot->type->target->prototype, value, &spot->where, &function, reason);
    if (capsule == NULL) {
        return PyErr_Occurred() ? -1 : convert_fail(PyExc_TypeError, &spot->where, "Python cannot implement it: %s", reason);
    }
    failed = spot_point(spot, capsule, function);
    Py_DECREF(capsule);
    return failed;
}

static int
set_pointer(const Spot *spot, PyObject *value)
{
    if (value == Py_None && (spot->words & WORD_NULLABLE)) {
        return spot_point(spot, NULL, NULL);
    }
    if (spot->type->target->kind == TYPE_FUNCTION) {
        return set_callable(spot, value);
    }
    return type_is_string(spot->type) ? set_string(spot, value) : set_object(spot, value);
}

/* Text into an array of char, with its NUL. */
static int
set_text(const Spot *spot, PyObject *value)
{
    size_t room = spot->type->length;
    const char *text;

    if (convert_string(value, false, &spot->where, &text) < 0) {
        return -1;
    }
    if (strlen(text) >= room) {
        return convert_fail(PyExc_ValueError, &spot->where, "%zu bytes of text do not fit char[%zu], which ends in a NUL",
                            strlen(text), room);
    }
    memset(spot->memory, 0, room);
    memcpy(spot->memory, text, strlen(text));
    return 0;
}

static bool
same_shape(const Type *type, const Py_buffer *buffer)
{
    for (int i = 0; i < buffer->ndim; i++, type = type->target) {
        if (type->kind != TYPE_ARRAY || buffer->shape[i] != (Py_ssize_t)type->length) {
            return false;
        }
    }
    return true;
}

static int
set_array(const Spot *spot, PyObject *value)
{
    char spelling[128];
    Py_buffer buffer;
    int dims = 0;
    bool fits;

    if (spot->type->target->kind == TYPE_CHAR) {
        return set_text(spot, value);
    }
    if (spot_innermost(spot->type)->kind == TYPE_POINTER) {
        return convert_fail(PyExc_TypeError, &spot->where, "arrays of pointers can only be read");
    }
    for (const Type *inner = spot->type; inner->kind == TYPE_ARRAY; inner = inner->target) {
        dims++;
    }
    if (convert_source(spot_innermost(spot->type), dims, value, &spot->where, &buffer) < 0) {
        return -1;
    }
    fits = same_shape(spot->type, &buffer);
    if (fits) {
        memmove(spot->memory, buffer.buf, type_size(spot->type));
    }
    PyBuffer_Release(&buffer);
    type_spell(spot->type, NULL, spelling, sizeof spelling);
    return fits ? 0 : convert_fail(PyExc_ValueError, &spot->where, "it is %s, the buffer has another shape", spelling);
}

static int
set_struct(const Spot *spot, PyObject *value)
{
    int failed;

    if (!PyObject_TypeCheck(value, spot->library->state->handle) ||
        !handle_is((HandleObject *)value, spot->type, spot->library)) {
        return convert_fail(PyExc_TypeError, &spot->where, "expected %s, not %s", spot->type->name, Py_TYPE(value)->tp_name);
    }
    if (handle_pin((HandleObject *)value, NULL, 0, &spot->where) < 0) {
        return -1;
    }
    failed = spot_keep(spot, value);       /* its pointers are copied, too */
    if (failed == 0) {
        memmove(spot->memory, ((HandleObject *)value)->address, spot->type->record->size);
    }
    handle_unpin((HandleObject *)value, NULL, 0);
    return failed;
}

int
spot_set(const Spot *spot, PyObject *value)
{
    uint64_t memory[2];
    Value converted;

    if (value == NULL || spot->readonly || spot_innermost(spot->type)->is_const) {
        return convert_fail(PyExc_TypeError, &spot->where, value == NULL ? "it cannot be deleted"
                                                           : spot->readonly ? "it stands in memory that may only be read"
                                                                            : "it is const");
    }
    switch (spot->type->kind) {
    case TYPE_ARRAY:
        return set_array(spot, value);
    case TYPE_POINTER:
        return set_pointer(spot, value);
    case TYPE_STRUCT:
        return set_struct(spot, value);
    default:
        if (convert_scalar(spot->type, value, &spot->where, &converted) < 0) {
            return -1;
        }
        convert_store(spot->type, memory, converted);
        word_copy(spot->memory, memory, spot->type->size);
        return 0;
    }
}
