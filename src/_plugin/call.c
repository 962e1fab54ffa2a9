/* A Python call: arguments in order, the call, results back, and everything put away again. */
#include "registers.h"

/* Whoever calls it converts what comes back in the same EXCLUSIVE section: it may stand where the next call writes. */
static inline __attribute__((always_inline)) Value
invoke(const Signature *signature, void *address, const Registers *registers)
{
    PyThreadState *state = signature->is_blocking ? PyEval_SaveThread() : NULL;
    Value value;

    if (signature->result.conversion == CONVERT_SCALAR && signature->result.type->kind == TYPE_FLOAT) {
        value.d = registers_call_float(address, registers, signature->stack);
    } else {
        value.i = registers_call_integer(address, registers, signature->stack);
    }
    if (state != NULL) {
        PyEval_RestoreThread(state);
    }
    return value;
}

/* ------------------------------------------------------------------ arguments by keyword */

static int
find_keyword(const Callee *callee, PyObject *keyword)
{
    const Signature *signature = callee->signature;
    Py_ssize_t size;
    const char *wanted = PyUnicode_AsUTF8AndSize(keyword, &size);
    char name[256];

    for (int i = 0; i < signature->count && wanted != NULL; i++) {
        if (signature->arguments[i].python >= 0) {
            signature_name(signature, i, name, sizeof name);
            if (strlen(name) == (size_t)size && memcmp(name, wanted, (size_t)size) == 0) {
                return signature->arguments[i].python;
            }
        }
    }
    PyErr_Clear();                 /* a surrogate in it: no parameter has that name */
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%.300U'", callee->name, keyword);
    return -1;
}

static int
require_all(const Callee *callee, PyObject *const *ordered)
{
    char name[256];

    for (int i = 0; i < callee->signature->count; i++) {
        int python = callee->signature->arguments[i].python;

        if (python >= 0 && ordered[python] == NULL) {
            signature_name(callee->signature, i, name, sizeof name);
            PyErr_Format(PyExc_TypeError, "%s() missing required argument: '%s'", callee->name, name);
            return -1;
        }
    }
    return 0;
}

/* Put the arguments in the order of the prototype; all are required. */
static int
order_arguments(const Callee *callee, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, PyObject **ordered)
{
    Py_ssize_t keywords = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    int count = callee->signature->python_count;

    if (nargs > count) {
        PyErr_Format(PyExc_TypeError, "%s() takes %d argument%s but %zd were given", callee->name, count,
                     count == 1 ? "" : "s", nargs);
        return -1;
    }
    memset(ordered, 0, (size_t)count * sizeof *ordered);
    memcpy(ordered, args, (size_t)nargs * sizeof *ordered);
    for (Py_ssize_t i = 0; i < keywords; i++) {
        int python = find_keyword(callee, PyTuple_GET_ITEM(kwnames, i));

        if (python < 0) {
            return -1;
        }
        if (ordered[python] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%.300U'", callee->name,
                         PyTuple_GET_ITEM(kwnames, i));
            return -1;
        }
        ordered[python] = args[nargs + i];
    }
    return require_all(callee, ordered);
}

/* ------------------------------------------------------------------ results */

static PyObject *
null_result(const LibraryObject *library, const char *owner, const char *what)
{
    return raise_fact(library->state, "null_result", "(sOOs)", owner, library->name, library->version, what);
}

/* What a pointer that the plugin handed out becomes.  An owned one is ours from here on, whatever happens. */
static PyObject *
take_pointer(Frame *frame, const Argument *argument, Conversion conversion, void *pointer)
{
    LibraryObject *library = frame->callee->library;
    PyObject *result;

    if (pointer == NULL) {
        if (argument->nullable) {
            Py_RETURN_NONE;
        }
        return null_result(library, frame->callee->name,
                           argument->field != NULL && argument->field->name != NULL ? argument->field->name : "");
    }
    if (conversion == CONVERT_STRING) {
        frame->where.name = NULL;
        result = convert_text(pointer, argument->bytes, &frame->where);
        if (argument->owned) {
            handle_release(library, &frame->release, pointer);
        }
        return result;
    }
    if (conversion == CONVERT_FUNCTION) {
        return symbol_of_pointer(library, argument->type, pointer, frame->callee->name);
    }
    return handle_new(library, conversion == CONVERT_HANDLE ? argument->type : NULL, pointer, frame->parent,
                      &frame->release, argument->owned);
}

static PyObject *
take_result(Frame *frame, const Argument *argument, Conversion conversion, Value value)
{
    if (conversion == CONVERT_SCALAR) {
        return convert_result(argument->type, value);
    }
    return take_pointer(frame, argument, conversion, value.p);
}

/* A result that nobody will get. */
static void
discard(Frame *frame, const Argument *argument, Conversion conversion, Value value)
{
    if (argument->owned && conversion != CONVERT_SCALAR && conversion != CONVERT_ROOM && value.p != NULL) {
        handle_release(frame->callee->library, &frame->release, value.p);
    }
}

/* The value of the parameter `number` that is a result. */
static Value
out_value(const Frame *frame, int number)
{
    const Argument *argument = &frame->signature->arguments[number];

    if (argument->conversion == CONVERT_OUT && argument->result != CONVERT_SCALAR) {
        return frame->outs[number];
    }
    return convert_load(argument->type, &frame->outs[number]);
}

/* The function's own result unless void, then those by pointer; all that are owned are taken or released. */
static PyObject *
collect(Frame *frame, Value value, bool failed)
{
    const Signature *signature = frame->signature;
    bool own = signature->result.conversion != CONVERT_NOTHING;
    Py_ssize_t count = (Py_ssize_t)signature->out_count + own, next = 0;
    PyObject *results[PARAMS_MAX + 1], *tuple;

    for (int i = own ? -1 : 0; i < signature->count; i++) {
        const Argument *argument = i < 0 ? &signature->result : &signature->arguments[i];
        Conversion conversion = argument->conversion;

        if (i >= 0) {
            if ((conversion != CONVERT_OUT || argument->silent) && conversion != CONVERT_CAPACITY &&
                conversion != CONVERT_ROOM) {
                continue;
            }
            conversion = conversion == CONVERT_ROOM  ? CONVERT_ROOM
                         : conversion == CONVERT_OUT ? (Conversion)argument->result : CONVERT_SCALAR;
            value = conversion != CONVERT_ROOM ? out_value(frame, i) : value;
        }
        if (failed) {
            discard(frame, argument, conversion, value);
            continue;
        }
        results[next] = conversion == CONVERT_ROOM ? room_take(frame, argument, i)
                                                   : take_result(frame, argument, conversion, value);
        failed = results[next] == NULL;
        next += !failed;
    }
    tuple = failed || count == 1 ? NULL : PyTuple_New(count);
    if (tuple == NULL && (failed || count > 1)) {
        while (next > 0) {
            Py_DECREF(results[--next]);
        }
        return NULL;
    }
    if (count == 1) {
        return results[0];
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyTuple_SET_ITEM(tuple, i, results[i]);
    }
    return tuple;
}

/* Keep what the plugin keeps, after a failure too: it may have stored the pointer first.  The exception stays. */
static int
retain_after_call(Frame *frame, PyObject *const *args)
{
    PyObject *type, *value, *traceback;
    int failed;

    PyErr_Fetch(&type, &value, &traceback);
    failed = retain_arguments(frame, args);        /* else the pointer dangles: memory is short */
    if (type != NULL) {
        PyErr_Restore(type, value, traceback);
    }
    return failed;
}

void
call_failed(const LibraryObject *library, const char *owner, const NativeError *error)
{
    char message[ERROR_MESSAGE_MAX];

    if (native_calls_python() && PyErr_Occurred()) {
        return;
    }
    memcpy(message, error->message, sizeof message);
    message[ERROR_MESSAGE_MAX - 1] = '\0';
    raise_fact(library->state, "call_failed", "(sOOiy)", owner, library->name, library->version, (int)error->code, message);
}

static PyObject *
finish(Frame *frame, Value value, PyObject *const *args)
{
    const Signature *signature = frame->signature;
    const LibraryObject *library = frame->callee->library;
    bool raised = native_calls_python() && PyErr_Occurred();       /* by a callback of this call */
    bool failed = signature->has_error && frame->error.code != 0;

    if (failed) {
        call_failed(library, frame->callee->name, &frame->error);
    }
    if (signature->has_retained && retain_after_call(frame, args) < 0) {
        raised = true;
    }
    for (int i = 0; i < frame->taken_count; i++) {
        handle_forget(frame->taken[i], i == 0 && signature->is_destructor);
    }
    failed = failed || raised;
    if (!failed && signature->result.conversion == CONVERT_NOTHING && signature->out_count == 0) {
        Py_RETURN_NONE;
    }
    return collect(frame, value, failed);
}

/* ------------------------------------------------------------------ the two ways to call */

/* Argument `number`, the long way. */
static int
take_simple(const Signature *signature, const char *owner, int number, PyObject *object, Value *value)
{
    const Argument *argument = &signature->arguments[number];
    Where where = {owner, argument->field->name};
    const char *string;

    if (argument->conversion == CONVERT_SCALAR) {
        return convert_scalar(argument->type, object, &where, value);
    }
    if (object == Py_None && argument->nullable) {
        value->p = NULL;
        return 0;
    }
    if (convert_string(object, argument->bytes, &where, &string) < 0) {
        return -1;
    }
    value->p = (void *)(uintptr_t)string;
    return 0;
}

PyObject *
call_give_handle(const Signature *signature, LibraryObject *library, const char *owner, HandleObject *parent, void *pointer)
{
    const Argument *result = &signature->result;
    Release other;

    if (pointer == NULL) {
        if (result->nullable) {
            Py_RETURN_NONE;
        }
        return null_result(library, owner, "");
    }
    if (library == signature->library) {
        return handle_new(library, result->type, pointer, parent, &signature->release, result->owned);
    }
    if (signature_release(signature, library, &other) < 0) {
        return NULL;
    }
    return handle_new(library, result->type, pointer, parent, &other, result->owned);
}

void
call_drop_handle(const Signature *signature, LibraryObject *library, void *pointer)
{
    Release release;

    if (signature->result.owned && pointer != NULL && signature_release(signature, library, &release) == 0) {
        handle_release(library, &release, pointer);
    }
}

PyObject *
call_give_string(const Signature *signature, const LibraryObject *library, const char *owner, const char *string)
{
    Where where = {owner, NULL};

    if (string != NULL) {
        return convert_text(string, signature->result.bytes, &where);
    }
    if (signature->result.nullable) {
        Py_RETURN_NONE;
    }
    return null_result(library, owner, "");
}

/* Put an argument where it goes, if it is as usual: in one store of 8 bytes, as what is stored in parts and loaded whole
 * makes the processor wait. */
static inline bool
take_fast(const Argument *argument, PyObject *object, Registers *registers)
{
    Value *place = (Value *)(void *)((char *)registers + argument->place);
    const char *string;
    double number;
    int64_t whole;

    switch ((Fast)argument->fast) {
    case FAST_INTEGER:
        if (fast_integer(object, &whole) && (uint64_t)(whole - argument->least) <= argument->span) {
            place->i = whole;
            return true;
        }
        return false;
    case FAST_DOUBLE:
        return fast_double(object, &place->d);
    case FAST_FLOAT:
        if (fast_double(object, &number) && fast_narrow(&number)) {
            place->d = number;
            return true;
        }
        return false;
    case FAST_STRING:
    case FAST_BYTES:
        if (argument->fast == FAST_STRING ? fast_string(object, &string) : fast_bytes(object, &string)) {
            place->p = (void *)(uintptr_t)string;
            return true;
        }
        return false;
    default:
        return false;
    }
}

static inline __attribute__((always_inline)) PyObject *
finish_simple(const Signature *signature, const LibraryObject *library, const char *owner, Value value)
{
    if (native_calls_python() && PyErr_Occurred()) {
        return NULL;
    }
    switch ((Fast)signature->result.fast) {
    case FAST_DOUBLE:
        return PyFloat_FromDouble(value.d);
    case FAST_INTEGER:             /* all 8 bytes of a signed one */
        return PyLong_FromLongLong(value.i);
    case FAST_STRING:
        return call_give_string(signature, library, owner, value.p);
    default:
        return convert_result(signature->result.type, value);
    }
}

/* Scalars and strings: nothing to put away.  Inlined, so that the parameters need not become a Callee in memory. */
static inline __attribute__((always_inline)) PyObject *
call_simple(const Signature *signature, void *address, const LibraryObject *library, const char *owner,
            PyObject *const *args)
{
    Registers registers;
    PyObject *result;
    Value value;

    for (int i = 0; i < signature->count; i++) {
        const Argument *argument = &signature->arguments[i];

        if (!take_fast(argument, args[i], &registers)) {
            if (take_simple(signature, owner, i, args[i], &value) < 0) {
                return NULL;
            }
            call_put(&registers, argument, value);
        }
    }
    EXCLUSIVE_BEGIN(section, library, signature->is_exclusive)
    result = finish_simple(signature, library, owner, invoke(signature, address, &registers));
    EXCLUSIVE_END(section)
    return result;
}

/* The object of a method is in use; it is what results belong to, unless the method does not take it. */
static int
begin_method(Frame *frame)
{
    const Signature *signature = frame->signature;

    if (arguments_pin(frame, frame->callee->self) < 0) {
        return -1;
    }
    if (signature->count == 0 || signature->arguments[0].conversion != CONVERT_SELF) {
        frame->parent = NULL;
    }
    return 0;
}

/* Let go of all that the call held. */
static void
put_away(Frame *frame)
{
    const Signature *signature = frame->signature;

    for (int i = 0; i < signature->count; i++) {
        Py_XDECREF(frame->rooms[i]);
        if (signature->has_retained) {
            Py_XDECREF(frame->retained[i]);
        }
    }
    while (frame->buffer_count > 0) {
        PyBuffer_Release(&frame->buffers[--frame->buffer_count]);
    }
    while (frame->closure_count > 0) {
        closure_stop(&frame->closures[--frame->closure_count]);
    }
    arguments_unpin(frame);
    while (frame->claimed > 0) {
        handle_unclaim(frame->taken[--frame->claimed]);
    }
}

/* Not inlined, like call_by_name: the simple call needs neither the arrays nor the frame pointer that they cost. */
static PyObject *__attribute__((noinline))
call_full(const Callee *callee, PyObject *const *args)
{
    const Signature *signature = callee->signature;
    const size_t room = (size_t)signature->count + 1;      /* a method's object may be no parameter */
    Value outs[room];
    Py_ssize_t lengths[room];
    int8_t tellers[room];
    HandleObject *pins[room], *taken[room];
    Py_buffer buffers[room];
    PyObject *rooms[room], *retained[room];
    Closure closures[signature->callback_count + 1];
    Frame frame;
    PyObject *result = NULL;

    frame.callee = callee;
    frame.signature = signature;
    frame.where = (Where){callee->name, NULL};
    frame.parent = NULL;
    frame.buffer_count = frame.pin_count = frame.taken_count = frame.closure_count = 0;
    frame.pinned = frame.claimed = 0;
    frame.outs = outs;
    frame.lengths = lengths;
    frame.tellers = tellers;
    frame.pins = pins;
    frame.taken = taken;
    frame.buffers = buffers;
    frame.rooms = rooms;
    frame.retained = retained;
    frame.closures = closures;
    if (signature_release(signature, callee->library, &frame.release) < 0) {
        return NULL;
    }
    if (callee->self != NULL && begin_method(&frame) < 0) {
        return NULL;
    }
    memset(frame.rooms, 0, (size_t)signature->count * sizeof *frame.rooms);
    if (signature->has_retained) {
        memset(frame.retained, 0, (size_t)signature->count * sizeof *frame.retained);
    }
    if (arguments_convert(&frame, args) == 0) {
        EXCLUSIVE_BEGIN(section, callee->library, signature->is_exclusive)
        result = finish(&frame, invoke(signature, callee->address, &frame.registers), args);
        EXCLUSIVE_END(section)
    }
    put_away(&frame);
    return result;
}

static PyObject *
call_ordered(const Callee *callee, PyObject *const *args)
{
    if (callee->signature->is_simple && callee->self == NULL) {
        return call_simple(callee->signature, callee->address, callee->library, callee->name, args);
    }
    return call_full(callee, args);
}

static PyObject *__attribute__((noinline))
call_by_name(const Callee *callee, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *ordered[callee->signature->python_count + 1];

    return order_arguments(callee, args, nargs, kwnames, ordered) < 0 ? NULL : call_ordered(callee, ordered);
}

PyObject *
call_function(const Callee *callee, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (kwnames != NULL || nargs != callee->signature->python_count) {
        return call_by_name(callee, args, nargs, kwnames);
    }
    return call_ordered(callee, args);
}

PyObject *
call_vector(PyObject *function, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    const PyCFunctionObject *builtin = (const PyCFunctionObject *)function;
    FastCall call = (FastCall)(void (*)(void))builtin->m_ml->ml_meth;

    return call(builtin->m_self, args, PyVectorcall_NARGS(nargsf), kwnames);
}

PyObject *
call_scalars(PyObject *function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    const FunctionObject *self = (const FunctionObject *)function;

    if (kwnames != NULL || nargs != self->signature->count) {
        return symbol_call(function, args, nargs, kwnames);
    }
    return call_simple(self->signature, self->symbol.address, self->symbol.library, self->definition.ml_name, args);
}

PyObject *
call_method(HandleObject *self, void *address, const Method *method, PyObject *const *args)
{
    Callee callee = {method->signature, address, self->library, method->name, self};

    return call_ordered(&callee, args);
}
