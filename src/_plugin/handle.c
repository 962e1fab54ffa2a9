/* Objects that a plugin handed out: the common base of Pointer and of struct objects, and Pointer itself. */
#include "internal.h"

#include <stddef.h>

/* ------------------------------------------------------------------ life */

typedef void (*Destructor)(void *object);
typedef void (*FallibleDestructor)(void *object, NativeError *error);

void
handle_release(LibraryObject *library, const Release *release, void *address)
{
    void *function = release->function;
    PyObject *type = NULL, *value, *traceback;
    char reason[REASON_MAX];
    NativeError error;

    if (release->how == RELEASE_MEMORY) {
        PyMem_Free(address);
        return;
    }
    if (release->how == RELEASE_FUNCTION && function == NULL) {
        function = library_address(library, release->name, true, NULL, reason);
    }
    if (release->how == RELEASE_MEMBER) {
        memcpy(&function, (char *)address + release->offset, sizeof function);
    }
    if (release->how == RELEASE_NONE || function == NULL) {
        return;
    }
    if ((release->takes_error || native_calls_python()) && PyErr_Occurred()) {
        PyErr_Fetch(&type, &value, &traceback);
    }
    error.code = 0;
    EXCLUSIVE_BEGIN(section, library, !release->overlaps)
    if (release->takes_error) {
        error.message[0] = '\0';
        ((FallibleDestructor)(uintptr_t)function)(address, &error);
    } else {
        ((Destructor)(uintptr_t)function)(address);
    }
    EXCLUSIVE_END(section)
    if (error.code != 0) {
        error.message[ERROR_MESSAGE_MAX - 1] = '\0';
        raise_fact(library->state, "call_failed", "(sOOiy)", "the destructor", library->name, library->version,
                   (int)error.code, error.message);
    }
    if ((error.code != 0 || native_calls_python()) && PyErr_Occurred()) {     /* that, or what a callback left */
        PyErr_WriteUnraisable((PyObject *)library);
    }
    if (type != NULL) {
        PyErr_Restore(type, value, traceback);
    }
}

/* Objects come and go, often one at a time: the memory of the last few is used again, as Python does with floats.  The
 * sanitizers want to see each of them go, and without a GIL a list that all threads share would cost more. */
#if defined(Py_GIL_DISABLED) || defined(Py_DEBUG) || defined(__SANITIZE_ADDRESS__)
enum { KEEPS_SPARE = 0 };
#else
enum { KEEPS_SPARE = 1 };
#endif

static HandleObject *
make(PyTypeObject *type, ModuleState *state)
{
    HandleObject *handle;

    if (state->spare_count == 0) {
        return (HandleObject *)type->tp_alloc(type, 0);
    }
    handle = state->spare[--state->spare_count];
    handle->parent = NULL;         /* the rest is the caller's to fill in */
    handle->name = NULL;
    handle->info = NULL;
    handle->readonly = false;
    handle->uses = handle->views = 0;
    handle->kept = handle->weakrefs = NULL;
    return (HandleObject *)PyObject_Init((PyObject *)handle, type);
}

/* The other way, without the type, which is the caller's to let go of. */
static void
unmake(HandleObject *handle, PyTypeObject *type, ModuleState *state)
{
    if (KEEPS_SPARE && state != NULL && state->spare_count < SPARE_MAX) {
        state->spare[state->spare_count++] = handle;
    } else {
        type->tp_free(handle);
    }
}

void
handle_free_spare(ModuleState *state)
{
    while (state->spare_count > 0) {
        PyObject_Free(state->spare[--state->spare_count]);
    }
}

static HandleObject *
allocate(PyTypeObject *type, LibraryObject *library, void *address, const Release *release, bool owned)
{
    HandleObject *handle = make(type, library->state);

    if (handle == NULL) {
        if (owned) {
            handle_release(library, release, address);
        }
        return NULL;
    }
    handle->address = address;
    handle->library = (LibraryObject *)Py_NewRef((PyObject *)library);
    handle->owned = owned;
    handle->release = *release;
    return handle;
}

PyObject *
handle_new(LibraryObject *library, const Type *type, void *address, HandleObject *parent, const Release *release,
           bool owned)
{
    const StructInfo *info = type != NULL ? record_known(type->record) : NULL;
    HandleObject *handle;

    if (info != NULL && PyDict_GET_SIZE(library->state->stand_ins) > 0) {
        PyObject *known = implement_find(library->state, address);

        if (known != NULL || PyErr_Occurred()) {   /* a Python object that the plugin hands back */
            return known;
        }
    }
    handle = allocate(info != NULL ? info->type : library->state->pointer, library, address, release, owned);
    if (handle != NULL) {
        handle->parent = (HandleObject *)Py_XNewRef((PyObject *)parent);
        handle->name = type != NULL ? type->name : NULL;
        handle->info = info;
    }
    return (PyObject *)handle;
}

PyObject *
handle_of_memory(const StructInfo *info, void *memory)
{
    static const Release release = {.how = RELEASE_MEMORY};
    HandleObject *handle = allocate(info->type, info->library, memory, &release, true);

    if (handle != NULL) {
        handle->name = info->record->name;
        handle->info = info;
    }
    return (PyObject *)handle;
}

bool
handle_is(const HandleObject *handle, const Type *type, const LibraryObject *library)
{
    if (record_known(type->record) != NULL) {
        return handle->info == record_known(type->record);
    }
    return handle->name != NULL && handle->library == library && strcmp(handle->name, type->name) == 0;
}

void
handle_forget(HandleObject *handle, bool released)
{
    PyObject *kept = SHARED_SWAP(handle->kept, NULL);

    if (kept != NULL && !released) {
        PyObject *key = PyLong_FromVoidPtr(handle->address);

        if (key == NULL || retain_set(&handle->library->kept, key, kept) < 0) {
            PyErr_WriteUnraisable((PyObject *)handle);
            Py_INCREF(kept);       /* for ever, then */
        }
        Py_XDECREF(key);
    }
    SHARED_STORE(handle->address, NULL);
    SHARED_STORE(handle->owned, false);
    Py_XDECREF(kept);
}

static void
release_owned(HandleObject *handle)
{
    void *address = handle->address;

    if (handle->owned && address != NULL) {
        SHARED_STORE(handle->address, NULL);
        SHARED_STORE(handle->owned, false);
        handle_release(handle->library, &handle->release, address);
    }
    Py_CLEAR(handle->kept);        /* only now: the destructor may still look at it */
}

/* A walk along a list makes a chain of objects, each the next one's parent: too long to be released recursively. */
static void
drop_parents(HandleObject *self)
{
    HandleObject *parent = self->parent;

    self->parent = NULL;
    while (parent != NULL) {
        HandleObject *next = NULL;

        if (Py_REFCNT(parent) == 1 && parent->weakrefs == NULL) {
            next = parent->parent; /* kept a moment longer: an owned object is released before what it came from */
            parent->parent = NULL;
        }
        Py_DECREF(parent);
        parent = next;
    }
}

void
handle_dealloc(PyObject *object)
{
    HandleObject *self = (HandleObject *)object;
    PyTypeObject *type = Py_TYPE(self);
    LibraryObject *library;

    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    release_owned(self);
    drop_parents(self);
    library = self->library;
    unmake(self, type, library != NULL ? library->state : NULL);
    Py_XDECREF((PyObject *)library);
    Py_DECREF(type);
}

/* ------------------------------------------------------------------ helpers */

void
handle_spell(const HandleObject *handle, char *buffer, size_t size)
{
    PyOS_snprintf(buffer, size, "%s *", handle->name != NULL ? handle->name : "void");
}

/* ------------------------------------------------------------------ methods */

static PyObject *
Handle_enter(PyObject *object, PyObject *unused)
{
    HandleObject *self = (HandleObject *)object;
    Where where = {"with", NULL};

    (void)unused;
    if (handle_check(self, &where) < 0) {
        return NULL;
    }
    if (!SHARED_LOAD(self->owned)) {
        PyErr_Format(PyExc_TypeError, "with: %R is not owned, so there is nothing to release at the end", object);
        return NULL;
    }
    return Py_NewRef(object);
}

static PyObject *
Handle_exit(PyObject *object, PyObject *arguments)
{
    HandleObject *self = (HandleObject *)object;
    Where where = {"with", NULL};

    (void)arguments;
    if (SHARED_LOAD(self->uses) < 0 || !SHARED_LOAD(self->owned)) {
        Py_RETURN_NONE;            /* somebody else releases it, or has */
    }
    if (handle_claim(self, &where) < 0) {
        return NULL;
    }
    release_owned(self);
    Py_RETURN_NONE;
}

static PyObject *
Handle_address(PyObject *object, void *closure)
{
    HandleObject *self = (HandleObject *)object;
    Where where = {"address", NULL};

    (void)closure;
    return handle_check(self, &where) < 0 ? NULL : PyLong_FromVoidPtr(SHARED_LOAD(self->address));
}

static PyObject *
Handle_type(PyObject *object, void *closure)
{
    HandleObject *self = (HandleObject *)object;

    (void)closure;
    return PyUnicode_FromString(self->name != NULL ? self->name : "void");
}

static PyObject *
Handle_plugin(PyObject *object, void *closure)
{
    HandleObject *self = (HandleObject *)object;

    (void)closure;
    return Py_NewRef(self->library != NULL ? (PyObject *)self->library : Py_None);
}

static PyObject *
Handle_closed(PyObject *object, void *closure)
{
    (void)closure;
    return PyBool_FromLong(handle_closed((HandleObject *)object) != NULL);
}

static PyObject *
Handle_repr(PyObject *object)
{
    HandleObject *self = (HandleObject *)object;
    const char *state = handle_closed(self) != NULL ? "closed" : SHARED_LOAD(self->owned) ? "owned" : "borrowed";
    char spelling[256];

    handle_spell(self, spelling, sizeof spelling);
    if (self->library == NULL) {
        return PyUnicode_FromFormat("<plugin.Pointer %s at %p>", spelling, SHARED_LOAD(self->address));
    }
    return PyUnicode_FromFormat("<plugin.%s %s%sof %U at %p, %s>", self->info != NULL ? self->name : "Pointer",
                                self->info != NULL ? "" : spelling, self->info != NULL ? "" : " ", self->library->name,
                                SHARED_LOAD(self->address), state);
}

/* Equal are pointers to one place of one type; which Python object it is does not matter. */
static PyObject *
Handle_compare(PyObject *a, PyObject *b, int operation)
{
    HandleObject *x = (HandleObject *)a, *y = (HandleObject *)b;
    const void *address = SHARED_LOAD(x->address);
    bool equal;

    if ((operation != Py_EQ && operation != Py_NE) || !PyObject_TypeCheck(b, state_of(Py_TYPE(a))->handle)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    equal = a == b || (address != NULL && address == SHARED_LOAD(y->address) && x->library == y->library &&
                       (x->name == NULL) == (y->name == NULL) && (x->name == NULL || strcmp(x->name, y->name) == 0));
    return PyBool_FromLong(equal == (operation == Py_EQ));
}

static Py_hash_t
Handle_hash(PyObject *object)
{
    HandleObject *self = (HandleObject *)object;
    const void *address = SHARED_LOAD(self->address);

    if (address == NULL) {
        Where where = {"hash", NULL};

        handle_check(self, &where);
        return -1;
    }
    return (Py_hash_t)((uintptr_t)address >> 4);
}

/* ------------------------------------------------------------------ tables */

static PyMethodDef handle_methods[] = {
    {"__enter__", Handle_enter, METH_NOARGS, "Use an owned object until the end of the block, then release it."},
    {"__exit__", Handle_exit, METH_VARARGS, "Release the object, if that was not done before."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef handle_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(HandleObject, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot handle_slots[] = {
    {Py_tp_doc, "Something that a plugin made; released once, if it is owned."},
    {Py_tp_dealloc, handle_dealloc},
    {Py_tp_repr, Handle_repr},
    {Py_tp_richcompare, Handle_compare},
    {Py_tp_hash, Handle_hash},
    {Py_tp_methods, handle_methods},
    {Py_tp_members, handle_members},
    {0, NULL},
};

PyType_Spec handle_spec = {
    .name = "plugin._plugin.Handle",
    .basicsize = sizeof(HandleObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = handle_slots,
};

/* ------------------------------------------------------------------ Pointer */

static PyObject *
Pointer_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"address", NULL};
    PyObject *number;
    HandleObject *self;
    void *address;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O!:Pointer", names, &PyLong_Type, &number)) {
        return NULL;
    }
    address = PyLong_AsVoidPtr(number);
    native_may_call_python();      /* whatever it is */
    if (address == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_ValueError, "Pointer(): the address is 0; None stands for NULL");
        }
        return NULL;
    }
    self = (HandleObject *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->address = address;
    }
    return (PyObject *)self;
}

static PyGetSetDef pointer_getters[] = {
    {"address", Handle_address, NULL, "The address, an int.", NULL},
    {"type", Handle_type, NULL, "The name of the type that it points to; \"void\" for a void *.", NULL},
    {"plugin", Handle_plugin, NULL, "The Plugin that it belongs to, None for a raw pointer.", NULL},
    {"closed", Handle_closed, NULL, "Whether it was released, or what it was borrowed from.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot pointer_slots[] = {
    {Py_tp_doc, "Pointer(address)\n--\n\nAn opaque handle of a plugin, or a raw address for void * parameters.\n\n"
                "Safety: a raw address is believed."},
    {Py_tp_new, Pointer_new},
    {Py_tp_dealloc, handle_dealloc},
    {Py_tp_getset, pointer_getters},
    {0, NULL},
};

PyType_Spec pointer_spec = {
    .name = "plugin.Pointer",
    .basicsize = sizeof(HandleObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = pointer_slots,
};
