/* Memory of a plugin as buffers: what stands behind the memoryviews of arrays. */
#include "memory.h"

typedef struct {
    PyObject_HEAD
    LibraryObject *library;        /* owned */
    HandleObject *owner;           /* owned, and in use as long as this lives; or NULL */
    PyObject *keeper;              /* owned: whose memory it is, if it is not the owner's; or NULL */
    void *memory;
    const char *format;            /* borrowed from the library */
    Py_ssize_t item_size;          /* bytes */
    bool readonly, ended;          /* ended: shared */
    int exports;                   /* shared: buffers that somebody holds */
    int dims;
    Py_ssize_t shape[DIMS_MAX], strides[DIMS_MAX];
} ItemsObject;

static void
Items_dealloc(ItemsObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    if (self->owner != NULL) {
        handle_take_back(self->owner);
        Py_DECREF((PyObject *)self->owner);
    }
    Py_XDECREF(self->keeper);
    Py_XDECREF((PyObject *)self->library);
    type->tp_free(self);
    Py_DECREF(type);
}

static int
Items_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    ItemsObject *self = (ItemsObject *)object;
    Py_ssize_t size = self->item_size;

    for (int i = 0; i < self->dims; i++) {
        size *= self->shape[i];
    }
    SHARED_ADD(self->exports, 1);  /* before the question: items_end asks the other way round */
    if (SHARED_LOAD(self->ended)) {
        PyErr_SetString(PyExc_ValueError, "the memory was lent for a call that is over");
        view->obj = NULL;
        SHARED_ADD(self->exports, -1);
        return -1;
    }
    if (PyBuffer_FillInfo(view, object, self->memory, size, self->readonly, flags) < 0) {
        SHARED_ADD(self->exports, -1);
        return -1;
    }
    view->itemsize = self->item_size;
    view->format = flags & PyBUF_FORMAT ? (char *)(uintptr_t)self->format : NULL;
    if (flags & PyBUF_ND) {
        view->ndim = self->dims;
        view->shape = self->shape;
        view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? self->strides : NULL;
    }
    return 0;
}

static void
Items_releasebuffer(PyObject *object, Py_buffer *view)
{
    (void)view;
    SHARED_ADD(((ItemsObject *)object)->exports, -1);
}

PyObject *
items_view(LibraryObject *library, HandleObject *owner, PyObject *keeper, void *memory, const Type *item, int dims,
           const Py_ssize_t *shape, bool readonly)
{
    PyTypeObject *type = library->state->items;
    ItemsObject *items = (ItemsObject *)type->tp_alloc(type, 0);
    Py_ssize_t stride = item->kind == TYPE_VOID ? 1 : (Py_ssize_t)type_size(item);
    PyObject *view;

    if (items == NULL) {
        return NULL;
    }
    items->library = (LibraryObject *)Py_NewRef((PyObject *)library);
    if (owner != NULL) {
        Where where = {"view", NULL};

        if (handle_lend(owner, &where) < 0) {
            Py_DECREF((PyObject *)items);
            return NULL;
        }
        items->owner = (HandleObject *)Py_NewRef((PyObject *)owner);
    }
    items->keeper = Py_XNewRef(keeper);
    items->memory = memory;
    items->item_size = stride;
    items->readonly = readonly;
    items->format = item->kind == TYPE_STRUCT ? record_known(item->record)->format
                    : item->kind == TYPE_VOID ? "B" : convert_format(item);
    items->dims = dims;
    for (int i = dims - 1; i >= 0; i--) {
        items->shape[i] = shape[i];
        items->strides[i] = stride;
        stride *= shape[i];
    }
    view = PyMemoryView_FromObject((PyObject *)items);
    Py_DECREF((PyObject *)items);
    return view;
}

int
items_end(PyObject *view, PyObject *items)
{
    PyObject *done = PyObject_CallMethod(view, "release", NULL);

    SHARED_STORE(((ItemsObject *)items)->ended, true);
    Py_XDECREF(done);
    if (done != NULL && SHARED_ADD(((ItemsObject *)items)->exports, 0) > 0) {
        PyErr_SetString(PyExc_BufferError, "something still looks at memory that was lent for the call only: copy it");
        return -1;
    }
    return done != NULL ? 0 : -1;
}

static PyType_Slot items_slots[] = {
    {Py_tp_doc, "Memory of a plugin, behind a memoryview."},
    {Py_tp_dealloc, Items_dealloc},
    {Py_bf_getbuffer, Items_getbuffer},
    {Py_bf_releasebuffer, Items_releasebuffer},
    {0, NULL},
};

PyType_Spec items_spec = {
    .name = "plugin._plugin.Items",
    .basicsize = sizeof(ItemsObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = items_slots,
};
