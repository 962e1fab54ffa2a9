/* The Python type Function: a symbol that can be called.  Functions that are alike share all but name and address. */
#include "internal.h"

/* ------------------------------------------------------------------ life */

static void
Function_dealloc(FunctionObject *self)
{
    PyObject_GC_UnTrack(self);
    if (self->signature != NULL && !self->signature->is_shared) {
        PyMem_Free((void *)(uintptr_t)self->definition.ml_doc);
        signature_free(self->signature);
    }
    symbol_dealloc(&self->symbol);
}

PyObject *
symbol_call(PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    FunctionObject *self = (FunctionObject *)object;
    Callee callee = {
        .signature = self->signature,
        .address = self->symbol.address,
        .library = self->symbol.library,
        .name = self->definition.ml_name,
    };

    return call_function(&callee, args, nargs, kwnames);
}

/* ------------------------------------------------------------------ signatures */

/* The fastest C function that there is for it. */
static void
choose_call(Signature *signature)
{
    FastCall call;

    if (ready_function(signature, &signature->call, &signature->call_flags)) {
        return;
    }
    call = scalars_function(signature);
    if (call == NULL) {
        call = signature->is_simple ? call_scalars : symbol_call;
    }
    signature->call = (PyCFunction)(void (*)(void))call;
    signature->call_flags = METH_FASTCALL | METH_KEYWORDS;
}

/* Fill in what a signature has for functions.  -1 without an exception when memory is short. */
static int
complete(Signature *signature, const Declaration *declaration)
{
    size_t size = signature_parameters(signature, false, NULL);
    Declaration *declared = NULL;
    char *parameters;

    choose_call(signature);
    signature->type = declaration->type;
    if (signature->is_shared) {
        parameters = scope_text(signature->library->scope, size);
    } else {
        parameters = PyMem_Malloc(size);
        signature->declared = declared = PyMem_Malloc(sizeof *declared);
    }
    signature->parameters = parameters;
    if (parameters == NULL || (declared == NULL && !signature->is_shared)) {
        return -1;
    }
    signature_parameters(signature, false, parameters);
    if (declared != NULL) {
        *declared = *declaration;
    }
    return 0;
}

/* The signature that the functions share which differ from this one in their names alone; else one of its own. */
static Signature *
find_signature(LibraryObject *library, const Declaration *declaration, char reason[REASON_MAX])
{
    Signature *signature = declaration->host != NULL ? SHARED_LOAD(*declaration->host) : NULL;

    if (signature != NULL) {
        return signature;
    }
    signature = signature_compile(library, declaration->type->prototype, NULL, reason);
    if (signature == NULL) {
        return NULL;
    }
    /* While types are made, symbols are not looked for: what was not found is not for others. */
    signature->is_shared = declaration->host != NULL && !once_is_mine(&library->state->making);
    if (complete(signature, declaration) < 0) {
        signature_free(signature);
        PyErr_NoMemory();
        return NULL;
    }
    if (signature->is_shared && !shared_publish(declaration->host, signature)) {
        signature_free(signature);                 /* another thread was faster */
        signature = SHARED_LOAD(*declaration->host);
    }
    return signature;
}

static char *
make_doc(const FunctionObject *self, const char *text, const char *doc)
{
    const Signature *signature = self->signature;
    const char *name = self->definition.ml_name;
    size_t size = doc_join(NULL, name, signature->parameters, text, doc);
    char *result = signature->is_shared ? scope_text(self->symbol.library->scope, size) : PyMem_Malloc(size);

    if (result == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    doc_join(result, name, signature->parameters, text, doc);
    return result;
}

int
function_prepare(FunctionObject *self, const Declaration *declaration)
{
    LibraryObject *library = self->symbol.library;
    const char *name = PyUnicode_AsUTF8(self->symbol.name), *text = declaration->text;
    char reason[REASON_MAX], spelling[4 * REASON_MAX];
    Record doc;
    bool has_doc;

    if (name == NULL) {
        return -1;
    }
    self->signature = find_signature(library, declaration, reason);
    if (self->signature == NULL) {
        library_refuse(library, name, reason);
        return -1;
    }
    self->definition.ml_name = name;       /* the str is ours as long as we live */
    self->definition.ml_meth = self->signature->call;
    self->definition.ml_flags = self->signature->call_flags;
    if (text == NULL) {
        type_spell(declaration->type, declaration->name, spelling, sizeof spelling);
        text = spelling;
    }
    has_doc = elf_find(&library->facts, RECORD_DOC, name, strlen(name), &doc);
    self->definition.ml_doc = make_doc(self, text, has_doc ? doc.text : NULL);
    return self->definition.ml_doc != NULL ? 0 : -1;
}

/* ------------------------------------------------------------------ methods */

static PyObject *
Function_call(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    FunctionObject *self = (FunctionObject *)object;
    PyObject *use, *result;

    if (self->signature == NULL) {
        return raise_fact(self->symbol.library->state, "untyped", "(OOO)", self->symbol.name, self->symbol.library->name,
                          self->symbol.library->path);
    }
    use = symbol_use(object);
    result = use != NULL ? PyObject_Call(use, arguments, keywords) : NULL;
    Py_XDECREF(use);
    return result;
}

static PyObject *
Function_describe(PyObject *object, PyObject *unused)
{
    FunctionObject *self = (FunctionObject *)object;

    (void)unused;
    if (self->signature == NULL) {
        Py_RETURN_NONE;
    }
    return signature_describe(self->signature);
}

/* A callable that goes the general way, whatever is ready-made for the signature: tests and benchmarks compare the two. */
static PyObject *
Function_general(PyObject *object, PyObject *unused)
{
    SymbolObject *self = (SymbolObject *)object;
    SymbolFacts facts = {.kind = SYMBOL_FUNCTION};
    Declaration declaration;
    PyObject *other, *use;

    (void)unused;
    if (!symbol_declared(self, &declaration)) {
        Py_RETURN_NONE;
    }
    other = symbol_new(self->library, self->name, self->address, &facts, &declaration);
    if (other == NULL) {
        return NULL;
    }
    ((FunctionObject *)other)->definition.ml_meth = (PyCFunction)(void (*)(void))symbol_call;
    ((FunctionObject *)other)->definition.ml_flags = METH_FASTCALL | METH_KEYWORDS;
    use = symbol_new_use(other);
    Py_DECREF(other);
    return use;
}

static PyObject *
Function_signature(PyObject *object, void *closure)
{
    PyObject *module = PyImport_ImportModule("plugin._signatures"), *signature;

    (void)closure;
    signature = module != NULL ? PyObject_CallMethod(module, "signature_of", "O", object) : NULL;
    Py_XDECREF(module);
    return signature;
}

/* A built-in function pickles as the attribute of that name of its __self__, which is the Function. */
static PyObject *
Function_getattro(PyObject *object, PyObject *name)
{
    FunctionObject *self = (FunctionObject *)object;
    PyObject *value = PyObject_GenericGetAttr(object, name);

    if (value == NULL && PyErr_ExceptionMatches(PyExc_AttributeError) && self->signature != NULL &&
        PyUnicode_Compare(name, self->symbol.name) == 0) {
        PyErr_Clear();
        return symbol_use(object);
    }
    return value;
}

static PyMethodDef function_methods[] = {
    {"_describe", Function_describe, METH_NOARGS, NULL},
    {"_general", Function_general, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef function_getters[] = {
    {"__name__", (getter)symbol_name, NULL, NULL, NULL},
    {"__signature__", Function_signature, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot function_slots[] = {
    {Py_tp_doc, "A function of a plugin.  It can be called; what lookup gives for it is called faster."},
    {Py_tp_dealloc, Function_dealloc},
    {Py_tp_traverse, symbol_traverse},
    {Py_tp_call, Function_call},
    {Py_tp_getattro, Function_getattro},
    {Py_tp_methods, function_methods},
    {Py_tp_getset, function_getters},
    {0, NULL},
};

PyType_Spec function_spec = {
    .name = "plugin.Function",
    .basicsize = sizeof(FunctionObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = function_slots,
};
