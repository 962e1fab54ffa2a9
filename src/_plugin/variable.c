/* The Python type Variable: a number or string in a plugin's memory. */
#include "internal.h"

/* Fills in `where`: what is typed has a name in UTF-8. */
static int
require_typed(SymbolObject *self, Where *where)
{
    if (self->declaration.type == NULL) {
        raise_fact(self->library->state, "untyped", "(OOO)", self->name, self->library->name,
                   self->library->path);
        return -1;
    }
    where->owner = PyUnicode_AsUTF8(self->name);
    return where->owner != NULL ? 0 : -1;
}

static PyObject *
Variable_get(PyObject *object, void *closure)
{
    SymbolObject *self = (SymbolObject *)object;
    const Declaration *declaration = &self->declaration;
    Where where = {NULL, NULL};
    const char *text;

    (void)closure;
    if (require_typed(self, &where) < 0) {
        return NULL;
    }
    if (!type_is_string(declaration->type)) {
        return convert_result(declaration->type, convert_load(declaration->type, self->address));
    }
    memcpy(&text, self->address, sizeof text);
    if (text == NULL) {
        Py_RETURN_NONE;            /* whatever was declared: nothing else can be said of it */
    }
    return convert_text(text, (declaration->words & WORD_BYTES) != 0, &where);
}

static bool
is_writable(const SymbolObject *self)
{
    return !self->declaration.type->is_const &&
           (self->facts.writable || self->facts.kind == SYMBOL_UNKNOWN);
}

/* The plugin keeps the pointer, so a copy of the text lives as long as the library, or until the next one. */
static int
set_text(SymbolObject *self, PyObject *value, const Where *where)
{
    const Declaration *declaration = &self->declaration;
    const char *text = NULL;
    PyObject *copy = NULL;
    int failed;

    if (value != Py_None || !(declaration->words & WORD_NULLABLE)) {
        if (convert_string(value, (declaration->words & WORD_BYTES) != 0, where, &text) < 0) {
            return -1;
        }
        copy = PyBytes_FromString(text);
        if (copy == NULL) {
            return -1;
        }
        text = PyBytes_AS_STRING(copy);
    }
    failed = PyDict_SetItem(self->library->texts, self->name, copy != NULL ? copy : Py_None);
    Py_XDECREF(copy);
    if (failed == 0) {
        memcpy(self->address, &text, sizeof text);
    }
    return failed;
}

static int
Variable_set(PyObject *object, PyObject *value, void *closure)
{
    SymbolObject *self = (SymbolObject *)object;
    Where where = {NULL, NULL};
    Value converted;

    (void)closure;
    if (require_typed(self, &where) < 0) {
        return -1;
    }
    if (value == NULL || !is_writable(self)) {
        return convert_fail(PyExc_TypeError, &where, value == NULL ? "a variable of a plugin cannot be deleted"
                                                     : self->declaration.type->is_const
                                                         ? "it is const"
                                                         : "it stands in memory that may only be read");
    }
    if (type_is_string(self->declaration.type)) {
        return set_text(self, value, &where);
    }
    if (convert_scalar(self->declaration.type, value, &where, &converted) < 0) {
        return -1;
    }
    convert_store(self->declaration.type, self->address, converted);
    return 0;
}

static int
Variable_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    SymbolObject *self = (SymbolObject *)object;
    const Type *type = self->declaration.type;
    int failed;

    if (type == NULL || !type_is_scalar(type)) {
        PyErr_Format(PyExc_BufferError, "%U: only numbers have a buffer", self->name);
        return -1;
    }
    failed = PyBuffer_FillInfo(view, object, self->address, (Py_ssize_t)type->size, !is_writable(self), flags);
    if (failed == 0) {
        view->itemsize = (Py_ssize_t)type->size;
        view->ndim = 0;
        view->shape = view->strides = NULL;
        if (view->format != NULL) {
            view->format = (char *)(uintptr_t)convert_format(type);
        }
    }
    return failed;
}

static PyObject *
Variable_describe(PyObject *object, PyObject *unused)
{
    const Declaration *declaration = &((SymbolObject *)object)->declaration;
    const Type *type = declaration->type;
    const char *kind;
    char spelling[256];

    (void)unused;
    if (type == NULL) {
        Py_RETURN_NONE;
    }
    kind = type_is_string(type) ? declaration->words & WORD_BYTES ? "bytes" : "str"
           : type->kind == TYPE_BOOL ? "bool" : type->kind == TYPE_FLOAT ? "float" : "int";
    type_spell(type, NULL, spelling, sizeof spelling);
    return Py_BuildValue("(sssOO)", "", kind, spelling, Py_None,
                         declaration->words & WORD_NULLABLE ? Py_True : Py_False);
}

static PyMethodDef variable_methods[] = {
    {"_describe", Variable_describe, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef variable_getters[] = {
    {"value", Variable_get, Variable_set, "Its value now, read from the plugin's memory, or written there.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot variable_slots[] = {
    {Py_tp_doc, "A variable of a plugin: .value reads and writes it, the buffer protocol gives its memory."},
    {Py_tp_methods, variable_methods},
    {Py_tp_getset, variable_getters},
    {Py_bf_getbuffer, Variable_getbuffer},
    {0, NULL},
};

PyType_Spec variable_spec = {
    .name = "plugin.Variable",
    .basicsize = sizeof(SymbolObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = variable_slots,
};
