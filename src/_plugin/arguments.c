/* The arguments of a call: from Python objects to registers, and what must be kept until the call is over. */
#include "internal.h"

/* ------------------------------------------------------------------ objects */

int
arguments_pin(Frame *frame, HandleObject *handle)
{
    if (handle_pin(handle, NULL, 0, &frame->where) < 0) {
        return -1;
    }
    frame->pins[frame->pin_count++] = handle;
    frame->pinned = frame->pin_count;
    if (frame->parent == NULL) {
        frame->parent = handle;
    }
    return 0;
}

void
arguments_unpin(Frame *frame)
{
    while (frame->pinned > 0) {
        handle_unpin(frame->pins[--frame->pinned], frame->taken, frame->claimed);
    }
}

static int
wrong_handle(const Frame *frame, const Argument *argument, PyObject *object)
{
    bool opaque = record_known(argument->type->record) == NULL;
    const char *wanted = argument->type->name;
    const HandleObject *handle = (HandleObject *)object;
    char spelling[256];

    if (!PyObject_TypeCheck(object, frame->callee->library->state->handle)) {
        return convert_fail(PyExc_TypeError, &frame->where, "expected %s *, not %s", wanted, Py_TYPE(object)->tp_name);
    }
    handle_spell(handle, spelling, sizeof spelling);
    if (opaque && handle->library != NULL) {
        return convert_fail(PyExc_TypeError, &frame->where, "expected %s * of %U, not %s of %U", wanted,
                            frame->callee->library->name, spelling, handle->library->name);
    }
    return convert_fail(PyExc_TypeError, &frame->where, "expected %s *, not %s", wanted, spelling);
}

/* A Python object with the struct's methods stands for it, during the call or as long as the plugin keeps it. */
static int
convert_implementation(Frame *frame, const Argument *argument, int number, PyObject *object, Value *value)
{
    const StructInfo *info = record_known(argument->type->record);

    if (info->count == 0 || PyType_Check(object)) {
        return wrong_handle(frame, argument, object);
    }
    frame->rooms[number] = implement(frame->callee->library, info, object, &frame->where, &value->p);
    return frame->rooms[number] != NULL ? 0 : -1;
}

static int
convert_handle(Frame *frame, const Argument *argument, int number, PyObject *object, Value *value)
{
    const ModuleState *state = frame->callee->library->state;
    HandleObject *handle = (HandleObject *)object;

    if (object == Py_None && argument->nullable) {
        value->p = NULL;
        return 0;
    }
    if (!PyObject_TypeCheck(object, state->handle)) {
        return record_known(argument->type->record) != NULL ? convert_implementation(frame, argument, number, object, value)
                                                    : wrong_handle(frame, argument, object);
    }
    if (!handle_is(handle, argument->type, frame->callee->library)) {
        return wrong_handle(frame, argument, object);
    }
    if (arguments_pin(frame, handle) < 0) {
        return -1;
    }
    value->p = SHARED_LOAD(handle->address);
    if (argument->owned || (frame->signature->is_destructor && number == 0)) {
        frame->taken[frame->taken_count++] = handle;
    }
    return 0;
}

static int
add_buffer(Frame *frame, const Argument *argument, int dims, PyObject *object, Value *value)
{
    Py_buffer *view = &frame->buffers[frame->buffer_count];

    if (convert_buffer(argument->type, dims, object, &frame->where, view) < 0) {
        return -1;
    }
    frame->buffer_count++;
    value->p = view->buf;
    return 0;
}

/* `void *`: an object, a pointer of ctypes or cffi, or the memory of any buffer. */
static int
convert_address(Frame *frame, const Argument *argument, PyObject *object, Value *value)
{
    if (object == Py_None && argument->nullable) {
        value->p = NULL;
        return 0;
    }
    if (PyObject_TypeCheck(object, frame->callee->library->state->handle)) {
        if (arguments_pin(frame, (HandleObject *)object) < 0) {
            return -1;
        }
        value->p = SHARED_LOAD(((HandleObject *)object)->address);
        return 0;
    }
    switch (PyLong_Check(object) ? 0 : convert_foreign_pointer(object, &value->p)) {
    case 1:
        native_may_call_python();          /* it may be a callback of theirs */
        if (value->p == NULL && !argument->nullable) {
            return convert_fail(PyExc_ValueError, &frame->where, "the pointer is NULL; only plugin_nullable takes that");
        }
        return 0;
    case -1:
        return -1;
    default:
        break;
    }
    if (!PyObject_CheckBuffer(object)) {
        return convert_fail(PyExc_TypeError, &frame->where, "expected a buffer, a Pointer or a ctypes or cffi pointer, not %s%s",
                            Py_TYPE(object)->tp_name, PyLong_Check(object) ? " (plugin.Pointer(address) makes one)" : "");
    }
    return add_buffer(frame, argument, 0, object, value);
}

/* ------------------------------------------------------------------ buffers and their lengths */

static int
agree_on_length(Frame *frame, const Argument *argument, int number, int dim, Py_ssize_t extent)
{
    const Dim *wanted = &argument->field->dims[dim];
    const Field *params = frame->signature->prototype->params;

    if (wanted->name == NULL) {
        if (extent != (Py_ssize_t)wanted->constant) {
            return convert_fail(PyExc_ValueError, &frame->where, "dimension %d must be %zu, the buffer has %zd", dim + 1,
                                wanted->constant, extent);
        }
        return 0;
    }
    if (frame->lengths[wanted->index] < 0) {
        frame->lengths[wanted->index] = extent;
        frame->tellers[wanted->index] = (int8_t)number;
    } else if (frame->lengths[wanted->index] != extent) {
        const char *teller = params[frame->tellers[wanted->index]].name;

        return convert_fail(PyExc_ValueError, &frame->where, "length '%s' is %zd here, but %zd in argument '%s'",
                            wanted->name, extent, frame->lengths[wanted->index], teller != NULL ? teller : "?");
    }
    return 0;
}

static int
convert_items(Frame *frame, const Argument *argument, int number, PyObject *object, Value *value)
{
    int dims = argument->field->dim_count;
    const Py_buffer *view = &frame->buffers[frame->buffer_count];

    if (object == Py_None && argument->nullable) {
        value->p = NULL;
        return 0;
    }
    if (add_buffer(frame, argument, dims, object, value) < 0) {
        return -1;
    }
    for (int i = 0; i < dims; i++) {
        Py_ssize_t extent = argument->type->kind == TYPE_VOID ? view->len : view->shape[i];

        if (agree_on_length(frame, argument, number, i, extent) < 0) {
            return -1;
        }
    }
    return 0;
}

/* A str with its length, which may have NULs in it. */
static int
convert_counted_text(Frame *frame, const Argument *argument, int number, PyObject *object, Value *value)
{
    const char *text = NULL;
    Py_ssize_t size = 0;

    if (object == Py_None && argument->nullable) {
        return 0;
    }
    if (PyUnicode_Check(object) && !argument->bytes) {
        text = PyUnicode_AsUTF8AndSize(object, &size);
        if (text == NULL) {
            PyErr_Clear();
            return convert_fail(PyExc_ValueError, &frame->where, "the str has a lone surrogate, which UTF-8 cannot encode");
        }
    } else if (PyObject_CheckBuffer(object)) {
        if (add_buffer(frame, argument, 1, object, value) < 0) {
            return -1;
        }
        return agree_on_length(frame, argument, number, 0, frame->buffers[frame->buffer_count - 1].len);
    } else {
        return convert_fail(PyExc_TypeError, &frame->where, "expected a str or bytes, not %s", Py_TYPE(object)->tp_name);
    }
    value->p = (void *)(uintptr_t)text;
    return agree_on_length(frame, argument, number, 0, size);
}

static int
convert_strings(Frame *frame, const Argument *argument, int number, PyObject *object, Value *value)
{
    Py_ssize_t count;

    if (object == Py_None && argument->nullable) {
        return 0;
    }
    if (room_strings(frame, argument, number, object, value, &count) < 0) {
        return -1;
    }
    return agree_on_length(frame, argument, number, 0, count);
}

/* The lengths that buffers told, as the arguments that C wants. */
static int
fill_lengths(Frame *frame)
{
    const Signature *signature = frame->signature;

    for (int i = 0; i < signature->count; i++) {
        const Argument *argument = &signature->arguments[i];
        Py_ssize_t length = frame->lengths[i] < 0 ? 0 : frame->lengths[i];
        PyObject *number;
        Value value;
        int failed;

        if (argument->conversion != CONVERT_LENGTH && argument->conversion != CONVERT_CAPACITY) {
            continue;
        }
        frame->where.name = argument->field->name;
        number = PyLong_FromSsize_t(length);
        failed = number == NULL ? -1 : convert_scalar(argument->type, number, &frame->where, &value);
        Py_XDECREF(number);
        if (failed < 0) {
            return -1;
        }
        if (argument->conversion == CONVERT_CAPACITY) {
            convert_store(argument->type, &frame->outs[i], value);
            value.p = &frame->outs[i];
        }
        call_put(&frame->registers, argument, value);
    }
    return 0;
}

/* ------------------------------------------------------------------ callables */

static int
start_callback(Frame *frame, const Argument *argument, int number, PyObject *object, Value *function, Value *data)
{
    const Callee *callee = frame->callee;
    Closure *closure = &frame->closures[frame->closure_count];

    *closure = (Closure){
        .signature = argument->callback,
        .callable = object,
        .library = callee->library,
        .life = callee->library->state->life,
        .owner = callee->name,
        .parameter = argument->field->name,
    };
    if (argument->retained) {
        frame->retained[number] = retain_closure(closure, &closure);
        if (frame->retained[number] == NULL) {
            return -1;
        }
    } else {
        closure_belongs_here(closure);
    }
    if (closure_start(closure, &frame->where, &function->p) < 0) {
        return -1;
    }
    frame->closure_count += !argument->retained;
    data->p = closure;
    native_may_call_python();
    return 0;
}

static int
convert_callback(Frame *frame, const Argument *argument, int number, PyObject *object, Value *value)
{
    Value data = {0};

    if (object != Py_None || !argument->nullable) {
        if (!PyCallable_Check(object)) {
            return convert_fail(PyExc_TypeError, &frame->where, "expected a callable, not %s", Py_TYPE(object)->tp_name);
        }
        if (start_callback(frame, argument, number, object, value, &data) < 0) {
            return -1;
        }
    }
    if (argument->data >= 0) {
        call_put(&frame->registers, &frame->signature->arguments[argument->data], data);
    }
    return 0;
}

/* ------------------------------------------------------------------ one argument */

static int
convert_argument(Frame *frame, const Argument *argument, int number, PyObject *object)
{
    Value value = {0};
    const char *string = NULL;
    int failed = 0;

    frame->where.name = argument->field->name;
    switch ((Conversion)argument->conversion) {
    case CONVERT_SCALAR:
        failed = convert_scalar(argument->type, object, &frame->where, &value);
        break;
    case CONVERT_STRING:
        if (object != Py_None || !argument->nullable) {
            failed = convert_string(object, argument->bytes, &frame->where, &string);
        }
        value.p = (void *)(uintptr_t)string;
        break;
    case CONVERT_BUFFER:
        failed = convert_items(frame, argument, number, object, &value);
        break;
    case CONVERT_ADDRESS:
        failed = convert_address(frame, argument, object, &value);
        break;
    case CONVERT_HANDLE:
        failed = convert_handle(frame, argument, number, object, &value);
        break;
    case CONVERT_CALLBACK:
        failed = convert_callback(frame, argument, number, object, &value);
        break;
    case CONVERT_TEXT:
        failed = convert_counted_text(frame, argument, number, object, &value);
        break;
    case CONVERT_STRINGS:
        failed = convert_strings(frame, argument, number, object, &value);
        break;
    case CONVERT_SELF:
        value.p = SHARED_LOAD(frame->callee->self->address);
        if (frame->signature->is_destructor && number == 0) {
            frame->taken[frame->taken_count++] = frame->callee->self;
        }
        break;
    case CONVERT_OUT:
        frame->outs[number].u = 0;
        if (argument->both) {
            failed = convert_scalar(argument->type, object, &frame->where, &value);
            convert_store(argument->type, &frame->outs[number], value);
        }
        value.p = &frame->outs[number];
        break;
    case CONVERT_ERROR:
        frame->error.code = 0;
        frame->error.message[0] = '\0';
        value.p = &frame->error;
        break;
    default:                       /* lengths come last; data comes with its callback */
        return 0;
    }
    call_put(&frame->registers, argument, value);
    return failed;
}

/* The objects that the call takes are its own from here on.  While it waits for others to let go of them it uses none
 * itself; then those that are used must still be there. */
static int
claim_taken(Frame *frame)
{
    arguments_unpin(frame);
    for (int i = 0; i < frame->taken_count; i++) {
        int passed = 0;

        for (int j = 0; j < frame->pin_count; j++) {
            passed += frame->pins[j] == frame->taken[i];
        }
        if (passed > 1) {
            return convert_fail(PyExc_ValueError, &frame->where, "the object was passed twice, and the call releases it");
        }
        if (handle_claim(frame->taken[i], &frame->where) < 0) {
            return -1;
        }
        frame->claimed++;
    }
    for (; frame->pinned < frame->pin_count; frame->pinned++) {
        if (handle_pin(frame->pins[frame->pinned], frame->taken, frame->claimed, &frame->where) < 0) {
            return -1;
        }
    }
    return 0;
}

int
arguments_convert(Frame *frame, PyObject *const *args)
{
    const Signature *signature = frame->signature;

    if (signature->has_lengths) {
        memset(frame->lengths, -1, (size_t)signature->count * sizeof *frame->lengths);
    }
    for (int i = 0; i < signature->count; i++) {
        const Argument *argument = &signature->arguments[i];
        PyObject *object = argument->python >= 0 ? args[argument->python] : NULL;

        if (convert_argument(frame, argument, i, object) < 0) {
            return -1;
        }
    }
    frame->where.name = NULL;
    if (frame->taken_count > 0 && claim_taken(frame) < 0) {
        return -1;
    }
    if (signature->has_lengths && fill_lengths(frame) < 0) {
        return -1;
    }
    return signature->has_rooms ? room_make(frame) : 0;
}
