/* Native calls into Python: the callables behind entry points, and the threads that they come from. */
#include "entrypoint.h"
#include "memory.h"

#include <pthread.h>
#include <time.h>

/* ------------------------------------------------------------------ interpreters that may have ended */

enum { END_WAIT = 1000 };          /* ms that the end waits for guests: a thread that is caught by it inside is lost */

static _Atomic(Life *) lives;

bool callback_given;

/* Threads of the parent are gone: the end need not wait for guests, nor those who make a type for one who did. */
static void
after_fork_in_child(void)
{
    for (Life *life = atomic_load(&lives); life != NULL; life = life->older) {
        atomic_store(&life->guests, 0);
        if (life->making != NULL) {
            once_after_fork(life->making);
        }
    }
}

static void
watch_forks(void)
{
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

Life *
life_new(Once *making)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    Life *life = malloc(sizeof *life);     /* never freed: somebody may look at any time */

    pthread_once(&once, watch_forks);
    if (life == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    life->interpreter = PyInterpreterState_Get();
    atomic_init(&life->ended, false);
    atomic_init(&life->guests, 0);
    life->making = making;
    life->older = atomic_load(&lives);
    while (!atomic_compare_exchange_weak(&lives, &life->older, life)) {
    }
    return life;
}

void
life_forget(Life *life)
{
    life->making = NULL;
}

void
life_end(Life *life)
{
    atomic_store(&life->ended, true);
    Py_BEGIN_ALLOW_THREADS
    for (int i = 0; i < END_WAIT && atomic_load(&life->guests) > 0; i++) {
        struct timespec pause = {0, 1000000};

        nanosleep(&pause, NULL);
    }
    Py_END_ALLOW_THREADS
}

/* ------------------------------------------------------------------ attaching a thread */

/* How the thread came to the interpreter, and how it leaves again. */
typedef struct {
    PyThreadState *made;           /* by us, for a thread that Python does not know */
    PyThreadState *suspended;      /* of another interpreter, which this thread was in */
    bool resumed;                  /* the thread's own state, which had let go of the GIL */
} Attachment;

/* The state that this very thread holds now, or NULL. */
static PyThreadState *
current_state(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#elif PY_VERSION_HEX >= 0x030C0000
    return _PyThreadState_UncheckedGet();
#else
    /* Here that is whoever holds the GIL.  A state that is not this thread's may go away while it is looked at, so the
     * common cases are told without looking. */
    PyThreadState *own = PyGILState_GetThisThreadState(), *state = _PyThreadState_UncheckedGet();

    if (own == NULL || state == NULL || state == own) {
        return own == NULL ? NULL : state;
    }
    return state->thread_id == PyThread_get_thread_ident() ? state : NULL;
#endif
}

/* Enter the callback's interpreter; PyGILState_Ensure would enter the main one. */
static void
attach(PyInterpreterState *interpreter, Attachment *attachment)
{
    PyThreadState *current = current_state(), *own;

    *attachment = (Attachment){NULL, NULL, false};
    if (current != NULL && current->interp == interpreter) {
        return;
    }
    if (current != NULL) {
        attachment->suspended = PyEval_SaveThread();
    }
    own = PyGILState_GetThisThreadState();
    if (own != NULL && own->interp == interpreter && own != attachment->suspended) {
        attachment->resumed = true;
        PyEval_RestoreThread(own);
        return;
    }
    attachment->made = PyThreadState_New(interpreter);
    PyEval_RestoreThread(attachment->made);
}

static void
detach(const Attachment *attachment)
{
    if (attachment->made != NULL) {
        PyThreadState_Clear(attachment->made);
        PyThreadState_DeleteCurrent();
    } else if (attachment->resumed) {
        PyEval_SaveThread();
    }
    if (attachment->suspended != NULL) {
        PyEval_RestoreThread(attachment->suspended);
    }
}

/* ------------------------------------------------------------------ native arguments as objects */

/* What a callback was given, until it returns. */
typedef struct {
    PyObject *objects[PARAMS_MAX];
    PyObject *views[PARAMS_MAX];   /* of the plugin's memory, good during the call only */
    PyObject *items[PARAMS_MAX];   /* what those are views of */
    int count, view_count;
    NativeError *error;            /* the callback's own plugin_error, or NULL */
} Given;

/* The number of items that one extent tells: a constant, or another argument. */
static Py_ssize_t
extent_of(const Signature *signature, const Registers *registers, const Dim *dim)
{
    const Argument *length;
    Value value;

    if (dim->name == NULL) {
        return (Py_ssize_t)dim->constant;
    }
    length = &signature->arguments[dim->index];
    value = registers_value(registers, length);
    value = convert_load(length->type, &value);
    if (length->type->is_signed) {
        int shift = 64 - 8 * (int)length->type->size;

        value.i = (int64_t)((uint64_t)value.i << shift) >> shift;
    }
    return value.i;
}

/* A memoryview of what a pointer points to: as many items as the lengths say, or one. */
static PyObject *
view_items(Given *given, const Closure *closure, const Registers *registers, const Argument *argument, void *pointer)
{
    const Type *item = argument->type;
    Py_ssize_t size = item->kind == TYPE_VOID ? 1 : (Py_ssize_t)item->size, shape[DIMS_MAX] = {1};
    int dims = argument->field->dim_count;
    PyObject *view;

    for (int i = 0; i < dims; i++) {
        shape[i] = extent_of(closure->signature, registers, &argument->field->dims[i]);
        if (shape[i] < 0 || (shape[i] > 0 && size > PY_SSIZE_T_MAX / shape[i])) {
            PyErr_SetString(PyExc_ValueError, "the plugin gave a negative or enormous length");
            return NULL;
        }
        size *= shape[i];
    }
    view = items_view(closure->library, NULL, NULL, size > 0 ? pointer : (void *)(uintptr_t)"", item, dims > 0 ? dims : 1, shape, item->is_const);
    if (view != NULL) {
        given->items[given->view_count] = Py_NewRef(PyMemoryView_GET_BASE(view));
        given->views[given->view_count++] = Py_NewRef(view);
    }
    return view;
}

/* An array of pointers, to objects or strings, as a tuple. */
static PyObject *
tuple_of(const Closure *closure, const Registers *registers, const Argument *argument, void **pointers)
{
    Py_ssize_t count = extent_of(closure->signature, registers, &argument->field->dims[0]);
    Spot spot = {
        .library = closure->library,
        .words = argument->bytes ? WORD_BYTES : 0,
        .where = {closure->owner, closure->parameter},
    };

    return spot_tuple(&spot, argument->field->type->target, (char *)pointers, count > 0 ? count : 0);
}

static PyObject *
object_of(Given *given, const Closure *closure, const Registers *registers, const Argument *argument)
{
    Value value = registers_value(registers, argument);
    Where where = {closure->owner, closure->parameter};
    static const Release none;

    if (argument->conversion == CONVERT_SCALAR) {
        return convert_result(argument->type, value);
    }
    if (value.p == NULL && (argument->nullable || argument->field->dim_count == 0)) {
        Py_RETURN_NONE;
    }
    switch ((Conversion)argument->conversion) {
    case CONVERT_STRING:
        return convert_text(value.p, argument->bytes, &where);
    case CONVERT_BUFFER:
        return view_items(given, closure, registers, argument, value.p);
    case CONVERT_STRINGS:
    case CONVERT_HANDLES:
        return tuple_of(closure, registers, argument, value.p);
    case CONVERT_HANDLE:
        return handle_new(closure->library, argument->type, value.p, NULL, &none, false);
    default:
        return handle_new(closure->library, NULL, value.p, NULL, &none, false);
    }
}

static int
take_arguments(Given *given, const Closure *closure, const Registers *registers)
{
    const Signature *signature = closure->signature;

    for (int i = 0; i < signature->count; i++) {
        const Argument *argument = &signature->arguments[i];

        if (argument->conversion == CONVERT_ERROR) {
            given->error = registers_value(registers, argument).p;
        } else if (argument->python >= 0) {
            PyObject *object = object_of(given, closure, registers, argument);

            if (object == NULL) {
                return -1;
            }
            given->objects[given->count++] = object;
        }
    }
    return 0;
}

/* A view that somebody still looks through would show memory that is gone: that is an error of the callback. */
static int
give_back(Given *given)
{
    int failed = 0;

    while (given->count > 0) {
        Py_DECREF(given->objects[--given->count]);
    }
    while (given->view_count > 0) {
        PyObject *view = given->views[--given->view_count], *items = given->items[given->view_count];
        PyObject *type, *value, *traceback;
        int ended;

        PyErr_Fetch(&type, &value, &traceback);
        ended = items_end(view, items);
        failed = ended < 0 ? -1 : failed;
        if (type != NULL || ended == 0) {
            PyErr_Restore(type, value, traceback);
        }
        Py_DECREF(items);
        Py_DECREF(view);
    }
    return failed;
}

/* ------------------------------------------------------------------ one callback */

/* What snprintf cut may end amid a character. */
static void
cut_whole(char *text)
{
    size_t length = strlen(text), start = length;

    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) {
        start--;
    }
    if (start > 0 && (unsigned char)text[start - 1] >= 0xC0) {
        unsigned char lead = (unsigned char)text[start - 1];
        size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;

        if (length - (start - 1) < wanted) {
            text[start - 1] = '\0';
        }
    }
}

void
callback_failure(NativeError *error, int32_t code, bool with_type)
{
    PyObject *type, *value, *traceback, *text;
    const char *utf8, *name;

    PyErr_Fetch(&type, &value, &traceback);
    text = value != NULL ? PyObject_Str(value) : NULL;
    utf8 = text != NULL ? PyUnicode_AsUTF8(text) : NULL;
    name = type != NULL ? ((PyTypeObject *)type)->tp_name : "failed";
    error->code = code;
    if (utf8 == NULL || *utf8 == '\0') {
        PyOS_snprintf(error->message, sizeof error->message, "%.80s", name);
    } else {
        PyOS_snprintf(error->message, sizeof error->message, "%.80s%s%.400s", with_type ? name : "", with_type ? ": " : "",
                      utf8);
    }
    cut_whole(error->message);
    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

/* The plugin's own plugin_error takes the failure, or the exception waits for the call to return, or nobody can. */
static void
report(const Closure *closure, NativeError *error, bool foreign)
{
    if (error != NULL) {
        callback_failure(error, 1, false);
    } else if (foreign) {
        PyErr_WriteUnraisable(closure->callable);
    }
}

/* An object for an `S *` or a `void *` result: one of a plugin, or a Python object that stands for one. */
static PyObject *
point_to(const Closure *closure, const Argument *wanted, PyObject *result, const Where *where, Value *value)
{
    LibraryObject *library = closure->library;
    const StructInfo *info = wanted->conversion == CONVERT_HANDLE ? record_known(wanted->type->record) : NULL;
    HandleObject *handle = (HandleObject *)result;

    if (!PyObject_TypeCheck(result, library->state->handle)) {
        if (info != NULL && info->count > 0) {
            return implement(library, info, result, where, &value->p);
        }
        convert_fail(PyExc_TypeError, where, "the result must be an object of a plugin, not %s", Py_TYPE(result)->tp_name);
        return NULL;
    }
    if (wanted->conversion == CONVERT_HANDLE && !handle_is(handle, wanted->type, library)) {
        convert_fail(PyExc_TypeError, where, "the result must be a %s *", wanted->type->name);
        return NULL;
    }
    if (handle_check(handle, where) < 0) {
        return NULL;
    }
    value->p = handle->address;
    return Py_NewRef(result);
}

/* A pointer as result is good until the next result of the same callable; text that is handed over is malloc'ed. */
static int
give_pointer(Closure *closure, PyObject *result, const Where *where, Value *value)
{
    const Argument *wanted = &closure->signature->result;
    PyObject *keeper;
    const char *text;

    if (result == Py_None && wanted->nullable) {
        value->p = NULL;
        return 0;
    }
    if (wanted->conversion != CONVERT_STRING) {
        keeper = point_to(closure, wanted, result, where, value);
    } else if (convert_string(result, wanted->bytes, where, &text) < 0) {
        keeper = NULL;
    } else if (wanted->owned) {
        value->p = strdup(text);
        return value->p != NULL ? 0 : (PyErr_NoMemory(), -1);
    } else {
        keeper = PyBytes_FromString(text);
        value->p = keeper != NULL ? PyBytes_AS_STRING(keeper) : NULL;
    }
    if (keeper == NULL) {
        return -1;
    }
    Py_XDECREF(SHARED_SWAP(closure->given, keeper));
    return 0;
}

int
callback_give(Closure *closure, PyObject *result, Value *value)
{
    const Argument *wanted = &closure->signature->result;
    Where where = {closure->owner, closure->parameter};

    switch ((Conversion)wanted->conversion) {
    case CONVERT_NOTHING:
        return 0;
    case CONVERT_SCALAR:
        return convert_scalar(wanted->type, result, &where, value);
    default:
        return give_pointer(closure, result, &where, value);
    }
}

/* Call the callable.  A failure leaves the value zero. */
static int
call_python(Closure *closure, const Registers *registers, Given *given, Value *value)
{
    PyObject *result = NULL;
    int failed = take_arguments(given, closure, registers);

    if (failed == 0) {
        result = PyObject_Vectorcall(closure->callable, given->objects, (size_t)given->count, NULL);
        failed = result == NULL ? -1 : 0;
    }
    if (failed == 0) {
        failed = callback_give(closure, result, value);
    }
    Py_XDECREF(result);
    if (give_back(given) < 0) {
        failed = -1;
    }
    return failed;
}

Value
callback_run_then(Closure *closure, const Registers *registers, void (*then)(const void *), const void *context)
{
    Value value = {0}, zero = {0};
    Attachment attachment;
    Given given;
    Life *life;

    if (closure == NULL) {
        return zero;
    }
    life = closure->life;          /* of the interpreter, not of the closure, which may go meanwhile */
    atomic_fetch_add(&life->guests, 1);
    if (atomic_load(&life->ended)) {
        atomic_fetch_sub(&life->guests, 1);
        return zero;
    }
    attach(life->interpreter, &attachment);
    if (attachment.made == NULL) {
        atomic_fetch_sub(&life->guests, 1);
    }
    given.count = given.view_count = 0;
    given.error = NULL;
    if (!PyErr_Occurred() && call_python(closure, registers, &given, &value) < 0) {
        value = zero;
        report(closure, given.error, attachment.made != NULL || attachment.suspended != NULL);
    }
    if (then != NULL) {
        then(context);
    }
    detach(&attachment);
    if (attachment.made != NULL) {
        atomic_fetch_sub(&life->guests, 1);
    }
    return value;
}
