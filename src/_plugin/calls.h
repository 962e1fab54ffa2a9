/* Contracts of the parts that make a call from Python: arguments.c, call.c and ready.c.  A part of internal.h, which
 * includes it. */
#ifndef PLUGIN_CALLS_H
#define PLUGIN_CALLS_H

/* ------------------------------------------------------------------ arguments.c: what a call is given */

typedef struct {
    const Signature *signature;
    void *address;
    LibraryObject *library;        /* whose opaque types count */
    const char *name;              /* "Mean" or "Driver.Mean" */
    HandleObject *self;            /* of a method, or NULL */
} Callee;

/* What a call holds until it is over. */
typedef struct {
    const Callee *callee;
    const Signature *signature;
    Where where;
    HandleObject *parent;          /* borrowed: the first object that was passed, which results may belong to */
    Release release;               /* of what the call hands over */
    int buffer_count, pin_count, taken_count, closure_count;
    int pinned, claimed;           /* how many of the pins are in use now, and how many of the taken ones claimed */
    /* Arrays beside the frame, as long as the signature needs: a call may stand in the conversions of another, as
     * deep as Python's recursion limit lets it, and all of them share the C stack. */
    Value *outs;                   /* by number of the parameter */
    Py_ssize_t *lengths;           /* likewise; -1 until a buffer tells it */
    int8_t *tellers;               /* the parameter whose buffer told it */
    HandleObject **pins;           /* borrowed from the arguments, in use */
    HandleObject **taken;          /* those of them that the call closes: released by it, or given to the plugin */
    Py_buffer *buffers;
    Closure *closures;
    PyObject **rooms;              /* owned: memory of ours that the plugin uses, by parameter */
    PyObject **retained;           /* owned: capsules of closures that outlive the call, by parameter */
    Registers registers;
    NativeError error;
} Frame;

/* Put a value where the argument goes. */
static inline void
call_put(Registers *registers, const Argument *argument, Value value)
{
    memcpy((char *)registers + argument->place, &value, sizeof value);
}

/* An object is in use until the call is over.  Sets ClosedError. */
int arguments_pin(Frame *frame, HandleObject *handle);
void arguments_unpin(Frame *frame);

/* Convert all arguments, which are in the order of the prototype.  Whatever it returns, the caller releases the
 * buffers and the pins. */
int arguments_convert(Frame *frame, PyObject *const *args);

static inline Value
registers_value(const Registers *registers, const Argument *argument)
{
    Value value;

    memcpy(&value, (const char *)registers + argument->place, sizeof value);
    return value;
}

/* ------------------------------------------------------------------ call.c: a Python call */

/* What the interpreter calls: METH_FASTCALL | METH_KEYWORDS. */
typedef PyObject *(*FastCall)(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);

/* METH_FASTCALL alone: of a function that takes nothing. */
typedef PyObject *(*BareCall)(PyObject *self, PyObject *const *args, Py_ssize_t nargs);

typedef struct Method Method;

/* A call with as many arguments as the method wants, none by keyword, of an object that is open; `address` is that of
 * the member's function. */
typedef PyObject *(*MethodCall)(HandleObject *self, void *address, const Method *method, PyObject *const *args);

/* What is called instead of a built-in function's own way from anywhere but a specialised place, as `map` does: straight
 * to its METH_FASTCALL | METH_KEYWORDS function, which is careful itself. */
PyObject *call_vector(PyObject *function, PyObject *const *args, size_t nargsf, PyObject *kwnames);

/* A MethodCall for all signatures. */
PyObject *call_method(HandleObject *self, void *address, const Method *method, PyObject *const *args);

/* The C function behind functions whose arguments and result are scalars and strings; its `self` is a Function. */
PyObject *call_scalars(PyObject *function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);

/* What came back: a string, or an object that belongs to `parent`; NULL too. */
PyObject *call_give_string(const Signature *signature, const LibraryObject *library, const char *owner,
                           const char *string);
PyObject *call_give_handle(const Signature *signature, LibraryObject *library, const char *owner, HandleObject *parent,
                           void *pointer);

/* An object that nobody will get: released, if it is ours. */
void call_drop_handle(const Signature *signature, LibraryObject *library, void *pointer);

/* Raise the failure that a function reported, unless a callback of it raised something. */
void call_failed(const LibraryObject *library, const char *owner, const NativeError *error);

PyObject *call_function(const Callee *callee, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);

/* ------------------------------------------------------------------ scalars.c: numbers of all types */

/* Fill in the plan of a signature of numbers alone; of others it stays empty. */
void scalars_plan(Signature *signature);

/* The C function for such a signature, whose `self` is a Function; NULL for others. */
FastCall scalars_function(const Signature *signature);

/* ------------------------------------------------------------------ ready.c: the commonest signatures */

/* Fill in which values of a number need no more than a look at them. */
void ready_grade(Argument *argument, const Type *type);

/* The C function that was made for the signature, whose `self` is a Function, and its METH_ flags; false if there is none. */
bool ready_function(const Signature *signature, PyCFunction *function, int *flags);

/* The same for a method, or NULL. */
MethodCall ready_method(const Signature *signature);

#endif
