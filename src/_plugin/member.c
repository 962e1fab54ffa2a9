/* Data members of structs: read from the object's memory, and written there. */
#include "memory.h"

int
member_check(const Field *field, char reason[REASON_MAX])
{
    const Type *item = spot_innermost(field->type);
    int dims = field->dim_count;

    if (dims > 0) {
        item = field->type->target;
    }
    for (const Type *type = field->type; type->kind == TYPE_ARRAY; type = type->target) {
        dims++;
    }
    if (item->kind == TYPE_POINTER && dims > 1) {
        PyOS_snprintf(reason, REASON_MAX, "member \"%.80s\": pointers in %d dimensions are not there in this version",
                      field->name, dims);
        return -1;
    }
    if (field->dim_count > 0 && !type_is_scalar(item) && item->kind != TYPE_STRUCT && item->kind != TYPE_POINTER) {
        PyOS_snprintf(reason, REASON_MAX, "member \"%.80s\": plugin_count of such items is not there in this version",
                      field->name);
        return -1;
    }
    return 0;
}

/* The object is in use until handle_unpin: what is converted may run Python code, or wait. */
static int
spot_of(HandleObject *self, const Field *field, Spot *spot)
{
    *spot = (Spot){.library = self->library, .owner = self, .type = field->type, .words = field->words,
                   .where = {field->name, NULL}, .readonly = self->readonly};
    if (handle_pin(self, NULL, 0, &spot->where) < 0) {
        return -1;
    }
    spot->memory = (char *)self->address + field->offset;
    return 0;
}

/* ------------------------------------------------------------------ counted pointers */

/* The member that says a length, as a spot. */
static Spot
length_of(const Spot *spot, const Dim *dim)
{
    const Field *length = &spot->owner->info->record->members[dim->index];

    return (Spot){.library = spot->library, .owner = spot->owner, .type = length->type,
                  .memory = (char *)spot->owner->address + length->offset, .where = {length->name, NULL}};
}

/* What the members say of the lengths; -1 with an exception if that cannot be. */
static int
read_shape(const Spot *spot, const Field *field, Py_ssize_t shape[DIMS_MAX], size_t *size)
{
    *size = type_size(field->type->target);
    for (int i = 0; i < field->dim_count; i++) {
        const Dim *dim = &field->dims[i];

        shape[i] = (Py_ssize_t)dim->constant;
        if (dim->name != NULL) {
            Spot length = length_of(spot, dim);
            PyObject *number = spot_get(&length);

            shape[i] = number != NULL ? PyLong_AsSsize_t(number) : -1;
            Py_XDECREF(number);
        }
        if (PyErr_Occurred()) {
            return -1;
        }
        if (shape[i] < 0 || __builtin_mul_overflow(*size, (size_t)shape[i], size) || *size > PY_SSIZE_T_MAX) {
            return convert_fail(PyExc_ValueError, &spot->where, "its length '%s' is negative or enormous: %zd",
                                dim->name != NULL ? dim->name : "", shape[i]);
        }
    }
    return 0;
}

/* What `T *x plugin_count(n)` points to, as many as the member n says; no more than there is, where Python gave it. */
static PyObject *
view_counted(const Spot *spot, const Field *field, void *pointer, PyObject *kept)
{
    Py_ssize_t shape[DIMS_MAX];
    size_t size;

    if (read_shape(spot, field, shape, &size) < 0) {
        return NULL;
    }
    if (kept != NULL && (!PyMemoryView_Check(kept) || PyMemoryView_GET_BUFFER(kept)->buf != pointer)) {
        kept = NULL;               /* the plugin put something else there */
    }
    if (kept != NULL && size > (size_t)PyMemoryView_GET_BUFFER(kept)->len) {
        convert_fail(PyExc_ValueError, &spot->where, "its lengths say %zu bytes, but the buffer that it was given has %zd",
                     size, PyMemoryView_GET_BUFFER(kept)->len);
        return NULL;
    }
    if (field->type->target->kind == TYPE_POINTER) {
        return spot_tuple(spot, field->type->target, pointer, shape[0]);
    }
    return items_view(spot->library, spot->owner, kept, pointer, field->type->target, field->dim_count, shape,
                      field->type->target->is_const);
}

static PyObject *
get_counted(const Spot *spot, const Field *field)
{
    PyObject *kept, *result;
    void *pointer;

    if (spot_pointer(spot, &pointer, &kept) < 0) {
        return NULL;
    }
    result = pointer != NULL ? view_counted(spot, field, pointer, kept) : Py_NewRef(Py_None);
    Py_XDECREF(kept);
    return result;
}

static int
set_length(const Spot *spot, const Dim *dim, Py_ssize_t extent)
{
    PyObject *number;
    Spot length;
    int failed;

    if (dim->name == NULL) {
        return extent == (Py_ssize_t)dim->constant
                   ? 0 : convert_fail(PyExc_ValueError, &spot->where, "a length must be %zu, not %zd", dim->constant, extent);
    }
    length = length_of(spot, dim);
    number = PyLong_FromSsize_t(extent);
    failed = number == NULL ? -1 : spot_set(&length, number);
    Py_XDECREF(number);
    return failed;
}

/* A buffer behind a counted pointer; its lengths are written, too. */
static int
set_counted(const Spot *spot, const Field *field, PyObject *value)
{
    PyObject *view;
    Py_buffer buffer;
    int failed = 0;

    if (field->type->target->kind == TYPE_POINTER) {
        return convert_fail(PyExc_TypeError, &spot->where, "arrays of pointers can only be read");
    }
    if (convert_buffer(field->type->target, field->dim_count, value, &spot->where, &buffer) < 0) {
        return -1;
    }
    view = PyMemoryView_FromObject(value);         /* holds the buffer as long as it is kept */
    for (int i = 0; i < field->dim_count && failed == 0; i++) {
        failed = set_length(spot, &field->dims[i], buffer.shape[i]);
    }
    failed = failed < 0 || view == NULL ? -1 : spot_point(spot, view, buffer.buf);
    Py_XDECREF(view);
    PyBuffer_Release(&buffer);
    return failed;
}

/* ------------------------------------------------------------------ any member */

PyObject *
member_get(PyObject *object, void *closure)
{
    const Field *field = closure;
    PyObject *value;
    Spot spot;

    if (spot_of((HandleObject *)object, field, &spot) < 0) {
        return NULL;
    }
    value = field->dim_count > 0 ? get_counted(&spot, field) : spot_get(&spot);
    handle_unpin((HandleObject *)object, NULL, 0);
    return value;
}

int
member_set(PyObject *object, PyObject *value, void *closure)
{
    const Field *field = closure;
    bool counted = field->dim_count > 0 && value != NULL && value != Py_None && !field->type->is_const;
    Spot spot;
    int failed;

    if (spot_of((HandleObject *)object, field, &spot) < 0) {
        return -1;
    }
    failed = counted && !spot.readonly ? set_counted(&spot, field, value) : spot_set(&spot, value);
    handle_unpin((HandleObject *)object, NULL, 0);
    return failed;
}
