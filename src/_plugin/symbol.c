/* The Python type Symbol: what is known of a symbol of an open plugin.  Function is function.c's, Variable variable.c's. */
#include "memory.h"

#include <stddef.h>

/* ------------------------------------------------------------------ life */

int
symbol_traverse(SymbolObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->library);
    return 0;
}

void
symbol_dealloc(SymbolObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    Py_XDECREF((PyObject *)self->library);
    Py_XDECREF(self->name);
    type->tp_free(self);
    Py_DECREF(type);
}

static void
Symbol_dealloc(SymbolObject *self)
{
    PyObject_GC_UnTrack(self);
    symbol_dealloc(self);
}

/* ------------------------------------------------------------------ what is declared */

bool
symbol_is_typed(PyObject *object)
{
    const SymbolObject *self = (SymbolObject *)object;
    const ModuleState *state = self->library->state;

    return Py_IS_TYPE(object, state->function)   ? ((FunctionObject *)object)->signature != NULL
           : Py_IS_TYPE(object, state->variable) ? ((VariableObject *)object)->declaration.type != NULL
                                                 : false;
}

bool
symbol_declared(const SymbolObject *self, Declaration *declaration)
{
    const Signature *signature;

    if (!symbol_is_typed((PyObject *)(uintptr_t)self)) {
        return false;
    }
    if (Py_IS_TYPE((PyObject *)(uintptr_t)self, self->library->state->variable)) {
        *declaration = ((const VariableObject *)self)->declaration;
        return true;
    }
    signature = ((const FunctionObject *)self)->signature;
    if (signature->declared != NULL) {
        *declaration = *signature->declared;
    } else {                       /* one of those that share it: they all have records */
        const char *name = ((const FunctionObject *)self)->definition.ml_name;
        Record record = {.text = ""};

        elf_find(&self->library->facts, RECORD_FUNC, name, strlen(name), &record);
        *declaration = (Declaration){.name = name, .text = record.text, .type = signature->type, .recorded = true};
    }
    return true;
}

/* The declaration as its author wrote it; of a pointer that came back, as we do. */
static void
spell(const Declaration *declaration, char *buffer, size_t size)
{
    if (declaration->text != NULL) {
        PyOS_snprintf(buffer, size, "%s", declaration->text);
    } else {
        type_spell(declaration->type, declaration->name, buffer, size);
    }
}

/* ------------------------------------------------------------------ making one */

/* Where the file knows better than a declaration, the file is believed. */
static int
check_kind(const SymbolFacts *facts, const Declaration *declaration, char reason[REASON_MAX])
{
    bool is_function = declaration->type->kind == TYPE_FUNCTION;
    size_t size = is_function ? 0 : type_size(declaration->type);

    if (is_function && facts->kind == SYMBOL_OBJECT) {
        PyOS_snprintf(reason, REASON_MAX, "it is declared as a function (\"%.400s\"), but the file says that it is a variable",
                      declaration->text);
        return -1;
    }
    if (!is_function && facts->kind == SYMBOL_FUNCTION) {
        PyOS_snprintf(reason, REASON_MAX, "it is declared as a variable (\"%.400s\"), but the file says that it is a function",
                      declaration->text);
        return -1;
    }
    if (!is_function && facts->size != 0 && facts->size != size) {
        PyOS_snprintf(reason, REASON_MAX, "\"%.400s\" has %zu bytes, but the file says that it has %zu", declaration->text,
                      size, facts->size);
        return -1;
    }
    return 0;
}

/* Make sure that what a variable is, or leads to, has a Python type. */
static int
prepare_variable(LibraryObject *library, const Declaration *declaration, char reason[REASON_MAX])
{
    const Type *type = spot_innermost(declaration->type);

    if (type->kind == TYPE_POINTER && declaration->type->kind == TYPE_ARRAY && declaration->type->target != type) {
        PyOS_snprintf(reason, REASON_MAX, "variables of the type of \"%.400s\" are not there in this version",
                      declaration->text);
        return -1;
    }
    return record_prepare(library, type, reason);
}

static PyTypeObject *
choose_type(ModuleState *state, const SymbolFacts *facts, const Declaration *declaration)
{
    if (declaration != NULL) {
        return declaration->type->kind == TYPE_FUNCTION ? state->function : state->variable;
    }
    return facts->kind == SYMBOL_FUNCTION ? state->function : facts->kind == SYMBOL_OBJECT ? state->variable : state->symbol;
}

PyObject *
symbol_new(LibraryObject *library, PyObject *name, void *address, const SymbolFacts *facts,
           const Declaration *declaration)
{
    PyTypeObject *type = choose_type(library->state, facts, declaration);
    SymbolObject *self;
    char reason[REASON_MAX];

    if (declaration != NULL &&
        (check_kind(facts, declaration, reason) < 0 ||
         (declaration->type->kind != TYPE_FUNCTION && prepare_variable(library, declaration, reason) < 0))) {
        return library_refuse(library, PyUnicode_AsUTF8(name), reason);
    }
    self = (SymbolObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->library = (LibraryObject *)Py_NewRef((PyObject *)library);
    self->name = Py_NewRef(name);
    self->address = address;
    if (type == library->state->variable) {
        variable_prepare((VariableObject *)self, facts, declaration);
    } else if (declaration != NULL && function_prepare((FunctionObject *)self, declaration) < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

/* The built-in function that is called. */
static PyObject *
make_builtin(FunctionObject *function)
{
    PyObject *builtin = PyCFunction_NewEx(&function->definition, (PyObject *)function, function->symbol.library->name);

    if (builtin != NULL && function->definition.ml_flags & METH_KEYWORDS) {
        ((PyCFunctionObject *)builtin)->vectorcall = call_vector;
    }
    return builtin;
}

PyObject *
symbol_of_pointer(LibraryObject *library, const Type *function, void *address, const char *name)
{
    PyObject *text = PyUnicode_FromString(name);
    Declaration declaration = {.name = text != NULL ? PyUnicode_AsUTF8(text) : NULL, .text = NULL, .type = function};
    SymbolFacts facts = {.kind = SYMBOL_FUNCTION};
    PyObject *symbol = text != NULL ? symbol_new(library, text, address, &facts, &declaration) : NULL;
    PyObject *use = symbol != NULL ? make_builtin((FunctionObject *)symbol) : NULL;

    Py_XDECREF(text);
    Py_XDECREF(symbol);
    return use;
}

PyObject *
symbol_of_use(PyObject *use)
{
    return PyCFunction_Check(use) ? PyCFunction_GET_SELF(use) : use;
}

PyObject *
symbol_new_use(PyObject *object)
{
    const SymbolObject *symbol = (SymbolObject *)object;
    FunctionObject *function = (FunctionObject *)object;

    if (!Py_IS_TYPE(object, symbol->library->state->function) || function->signature == NULL) {
        return Py_NewRef(object);
    }
    return make_builtin(function);
}

PyObject *
symbol_use(PyObject *object)
{
    const SymbolObject *symbol = (SymbolObject *)object;
    PyObject *found;

    if (!Py_IS_TYPE(object, symbol->library->state->function)) {
        return Py_NewRef(object);
    }
    if (dict_get(symbol->library->found, symbol->name, &found) < 0) {
        return NULL;
    }
    if (found != NULL && PyCFunction_Check(found) && PyCFunction_GET_SELF(found) == object) {
        return found;
    }
    Py_XDECREF(found);
    return symbol_new_use(object);
}

/* ------------------------------------------------------------------ Symbol */

PyObject *
symbol_name(SymbolObject *self, void *closure)
{
    (void)closure;
    return Py_NewRef(self->name);
}

static PyObject *
Symbol_plugin(SymbolObject *self, void *closure)
{
    (void)closure;
    return Py_NewRef((PyObject *)self->library);
}

static PyObject *
Symbol_address(SymbolObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromVoidPtr(self->address);
}

static PyObject *
Symbol_declaration(SymbolObject *self, void *closure)
{
    char text[4 * REASON_MAX];
    Declaration declaration;

    (void)closure;
    if (!symbol_declared(self, &declaration)) {
        Py_RETURN_NONE;
    }
    spell(&declaration, text, sizeof text);
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

/* Compare what is declared with a C type. */
static PyObject *
check_c_type(SymbolObject *self, const Declaration *declared, PyObject *text, const char *utf8)
{
    LibraryObject *library = self->library;
    char reason[REASON_MAX];

    switch (scope_compare(library->scope, utf8, declared, reason)) {
    case 1:
        return symbol_use((PyObject *)self);
    case 0:
        return raise_fact(library->state, "type_mismatch", "(OOOOs)", self->name, library->name, library->path, text,
                          declared->text);
    default:
        return library_refuse(library, PyUnicode_AsUTF8(self->name), reason);
    }
}

/* Believe a C type where nothing is declared; the same text gives the same object again. */
static PyObject *
take_c_type(SymbolObject *self, PyObject *text, const char *utf8)
{
    LibraryObject *library = self->library;
    const char *name = PyUnicode_AsUTF8(self->name);
    PyObject *key = PyTuple_Pack(2, self->name, text), *symbol, *use = NULL;
    Declaration declaration;
    SymbolFacts facts;
    char reason[REASON_MAX];

    if (key == NULL || name == NULL || dict_get(library->found, key, &use) != 0) {
        Py_XDECREF(key);
        return use;
    }
    if (scope_read_type(library->scope, utf8, &declaration, reason) < 0) {
        library_refuse(library, name, reason);
    } else if (declaration.name != NULL && strcmp(declaration.name, name) != 0) {
        PyOS_snprintf(reason, sizeof reason, "\"%.400s\" declares another name", utf8);
        library_refuse(library, name, reason);
    } else if (library_address(library, name, false, &facts, reason) == NULL) {     /* found before: for the facts alone */
        library_refuse(library, name, reason);
    } else {
        symbol = symbol_new(library, self->name, self->address, &facts, &declaration);
        use = symbol != NULL ? symbol_use(symbol) : NULL;
        Py_XDECREF(symbol);
    }
    if (use != NULL) {
        use = library_remember(library, key, use);
    }
    Py_DECREF(key);
    return use;
}

static PyObject *
as_c_type(SymbolObject *self, PyObject *text)
{
    Py_ssize_t size;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &size);
    Declaration declared;

    if (utf8 == NULL) {
        return NULL;
    }
    if (strlen(utf8) != (size_t)size) {
        return library_refuse(self->library, PyUnicode_AsUTF8(self->name), "the type has an embedded null character");
    }
    return symbol_declared(self, &declared) ? check_c_type(self, &declared, text, utf8) : take_c_type(self, text, utf8);
}

PyObject *
symbol_as_type(PyObject *object, PyObject *type)
{
    PyObject *module, *verdict;

    if (PyUnicode_Check(type)) {
        return as_c_type((SymbolObject *)object, type);
    }
    module = PyImport_ImportModule("plugin._types");
    if (module == NULL) {
        return NULL;
    }
    verdict = PyObject_CallMethod(module, "assert_type", "OO", object, type);
    Py_DECREF(module);
    if (verdict == NULL) {
        return NULL;
    }
    Py_DECREF(verdict);
    return symbol_use(object);
}

static void
capsule_free(PyObject *capsule)
{
    LibraryObject *library = PyCapsule_GetContext(capsule);

    PyMem_Free((void *)(uintptr_t)PyCapsule_GetName(capsule));
    Py_XDECREF((PyObject *)library);
}

static PyObject *
Symbol_capsule(PyObject *object, PyObject *unused)
{
    SymbolObject *self = (SymbolObject *)object;
    char spelling[REASON_MAX] = "";
    Declaration declaration;
    PyObject *capsule;
    char *name;

    (void)unused;
    if (symbol_declared(self, &declaration)) {
        type_spell(declaration.type, NULL, spelling, sizeof spelling);
    }
    name = PyMem_Malloc(strlen(spelling) + 1);
    if (name == NULL) {
        return PyErr_NoMemory();
    }
    strcpy(name, spelling);
    capsule = PyCapsule_New(self->address, name, capsule_free);
    if (capsule == NULL) {
        PyMem_Free(name);
        return NULL;
    }
    PyCapsule_SetContext(capsule, Py_NewRef((PyObject *)self->library));
    return capsule;
}

static PyObject *
Symbol_reduce(PyObject *object, PyObject *unused)
{
    SymbolObject *self = (SymbolObject *)object;
    PyObject *module = PyImport_ImportModule("plugin._open"), *reopen, *result, *text, *bare;
    Declaration declaration;
    bool is_typed = symbol_declared(self, &declaration);

    (void)unused;
    reopen = module != NULL ? PyObject_GetAttrString(module, "reopen") : NULL;
    Py_XDECREF(module);
    if (reopen == NULL) {
        return NULL;
    }
    text = is_typed && !declaration.recorded ? Symbol_declaration(self, NULL) : Py_NewRef(Py_None);
    bare = is_typed && declaration.name == NULL ? Py_True : Py_False;
    result = text != NULL ? Py_BuildValue("(O(OONO))", reopen, self->library->path, self->name, text, bare) : NULL;
    Py_DECREF(reopen);
    return result;
}

static PyObject *
Symbol_repr(PyObject *object)
{
    SymbolObject *self = (SymbolObject *)object;
    char text[REASON_MAX] = "untyped";
    Declaration declaration;

    if (symbol_declared(self, &declaration)) {
        spell(&declaration, text, sizeof text);
    }
    return PyUnicode_FromFormat("<%s %U of %U: %s>", Py_TYPE(object)->tp_name, self->name, self->library->name, text);
}

static PyMethodDef symbol_methods[] = {
    {"as_type", symbol_as_type, METH_O,
     "as_type($self, type, /)\n--\n\nThe callable or Variable, its type asserted.\n\n"
     "`type` is C text (\"double (double)\") or a Python type (Callable[[float], float], a Protocol).  What is declared is\n"
     "checked; on an untyped symbol C text is believed.\n\nRaises SymbolTypeError where the two differ, showing both."},
    {"capsule", Symbol_capsule, METH_NOARGS,
     "capsule($self, /)\n--\n\nThe address in a PyCapsule, named by the C type, as scipy.LowLevelCallable takes it."},
    {"__reduce__", Symbol_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef symbol_getters[] = {
    {"name", (getter)symbol_name, NULL, "The symbol's name.", NULL},
    {"plugin", (getter)Symbol_plugin, NULL, "The Plugin that it belongs to.", NULL},
    {"address", (getter)Symbol_address, NULL, "Its address, an int.", NULL},
    {"declaration", (getter)Symbol_declaration, NULL, "Its C declaration, or None for an untyped symbol.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef symbol_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(SymbolObject, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot symbol_slots[] = {
    {Py_tp_doc, "What is known of a symbol of an open plugin."},
    {Py_tp_dealloc, Symbol_dealloc},
    {Py_tp_traverse, symbol_traverse},
    {Py_tp_repr, Symbol_repr},
    {Py_tp_methods, symbol_methods},
    {Py_tp_members, symbol_members},
    {Py_tp_getset, symbol_getters},
    {0, NULL},
};

PyType_Spec symbol_spec = {
    .name = "plugin.Symbol",
    .basicsize = sizeof(SymbolObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = symbol_slots,
};
