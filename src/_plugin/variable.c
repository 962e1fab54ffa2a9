/* The Python type Variable: a number or string in a plugin's memory. */
#include "memory.h"

/* Fills in `where`: what is typed has a name in UTF-8. */
static int
require_typed(VariableObject *self, Where *where)
{
    if (self->declaration.type == NULL) {
        raise_fact(self->symbol.library->state, "untyped", "(OOO)", self->symbol.name, self->symbol.library->name,
                   self->symbol.library->path);
        return -1;
    }
    where->owner = PyUnicode_AsUTF8(self->symbol.name);
    return where->owner != NULL ? 0 : -1;
}

static Spot
spot_of(VariableObject *self)
{
    return (Spot){
        .library = self->symbol.library,
        .type = self->declaration.type,
        .words = self->declaration.words,
        .memory = self->symbol.address,
        .where = {self->declaration.name, NULL},
        .readonly = !self->facts.writable && self->facts.kind != SYMBOL_UNKNOWN,
    };
}

/* Signed numbers of 8 bytes are read and written with no more than a look at what they are. */
static Wide
wide_of(const Type *type)
{
    bool is_wide = type != NULL && type->size == sizeof(Value) && type->is_signed;

    return is_wide && type->kind == TYPE_INTEGER ? WIDE_INTEGER : is_wide && type->kind == TYPE_FLOAT ? WIDE_FLOAT : WIDE_NOT;
}

void
variable_prepare(VariableObject *self, const SymbolFacts *facts, const Declaration *declaration)
{
    self->facts = *facts;
    self->declaration = declaration != NULL ? *declaration : (Declaration){0};
    self->read = wide_of(self->declaration.type);
    self->written = facts->writable && self->read != WIDE_NOT && !self->declaration.type->is_const ? self->read : WIDE_NOT;
}

/* Apart, so that what is short needs no room on the stack. */
__attribute__((noinline)) static PyObject *
get_any(VariableObject *self)
{
    Spot spot = spot_of(self);

    return require_typed(self, &spot.where) < 0 ? NULL : spot_get(&spot);
}

__attribute__((noinline)) static int
set_any(VariableObject *self, PyObject *value)
{
    Spot spot = spot_of(self);

    return require_typed(self, &spot.where) < 0 ? -1 : spot_set(&spot, value);
}

static PyObject *
Variable_get(PyObject *object, void *closure)
{
    VariableObject *self = (VariableObject *)object;
    Value value;

    (void)closure;
    if (self->read == WIDE_NOT) {
        return get_any(self);
    }
    word_copy(&value, self->symbol.address, sizeof value);
    return self->read == WIDE_INTEGER ? PyLong_FromLongLong(value.i) : PyFloat_FromDouble(value.d);
}

static int
Variable_set(PyObject *object, PyObject *value, void *closure)
{
    VariableObject *self = (VariableObject *)object;
    Value number;

    (void)closure;
    if (value != NULL && ((self->written == WIDE_INTEGER && fast_integer(value, &number.i)) ||
                          (self->written == WIDE_FLOAT && fast_double(value, &number.d)))) {
        word_copy(self->symbol.address, &number, sizeof number);
        return 0;
    }
    return set_any(self, value);
}

/* Its memory, as the view of all of it gives it: a number is a view without dimensions. */
static int
Variable_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    VariableObject *self = (VariableObject *)object;
    Spot spot = spot_of(self);
    const Type *type = self->declaration.type, *item;
    Py_ssize_t shape[DIMS_MAX];
    PyObject *items;
    int dims = 0, failed;

    for (item = type; item != NULL && item->kind == TYPE_ARRAY && dims < DIMS_MAX; item = item->target) {
        shape[dims++] = (Py_ssize_t)item->length;
    }
    if (item == NULL || (!type_is_scalar(item) && item->kind != TYPE_STRUCT)) {
        PyErr_Format(PyExc_BufferError, "%U: only numbers and structs have a buffer", self->symbol.name);
        return -1;
    }
    items = items_view(self->symbol.library, NULL, NULL, self->symbol.address, item, dims, shape, spot.readonly || item->is_const);
    failed = items == NULL ? -1 : PyObject_GetBuffer(items, view, flags);
    Py_XDECREF(items);
    return failed;
}

static PyObject *
Variable_describe(PyObject *object, PyObject *unused)
{
    const Declaration *declaration = &((VariableObject *)object)->declaration;
    const Type *type = declaration->type;
    const char *kind;
    char spelling[256];

    (void)unused;
    if (type == NULL) {
        Py_RETURN_NONE;
    }
    if (type->kind == TYPE_ARRAY || type->kind == TYPE_STRUCT) {
        type_spell(type, NULL, spelling, sizeof spelling);
        return Py_BuildValue("(sssOO)", "", "memory", spelling, Py_None, Py_False);
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
    .basicsize = sizeof(VariableObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = variable_slots,
};
