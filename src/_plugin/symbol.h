/* Contracts of symbol.c and function.c: what is known of one symbol of an open plugin.
 * A part of internal.h, which includes it. */
#ifndef PLUGIN_SYMBOL_H
#define PLUGIN_SYMBOL_H

/* A plugin may have very many of them: no more is held than what the file and the scope cannot tell again. */
typedef struct {
    PyObject_HEAD
    LibraryObject *library;        /* owned */
    PyObject *name;                /* owned: str */
    void *address;
    PyObject *weakrefs;
} SymbolObject;

/* Numbers that are read, or written, at once. */
typedef enum { WIDE_NOT, WIDE_INTEGER, WIDE_FLOAT } Wide;

typedef struct {
    SymbolObject symbol;
    Wide read, written;
    SymbolFacts facts;
    Declaration declaration;       /* its type is NULL for an untyped one; borrowed from the library */
} VariableObject;

typedef struct {
    SymbolObject symbol;
    Signature *signature;          /* owned if it is not shared; NULL if untyped */
    PyMethodDef definition;        /* ml_doc: owned likewise, else the scope's; ml_name: the symbol's own name */
} FunctionObject;

/* ------------------------------------------------------------------ symbol.c */

extern PyType_Spec symbol_spec;

/* A Symbol of the kind that the declaration, or without one the file, says.  `declaration` is copied, may be NULL. */
PyObject *symbol_new(LibraryObject *library, PyObject *name, void *address, const SymbolFacts *facts,
                     const Declaration *declaration);

/* A callable for a function pointer that a plugin handed out. */
PyObject *symbol_of_pointer(LibraryObject *library, const Type *function, void *address, const char *name);

/* What lookup gives for it, its type asserted: C text or a Python type. */
PyObject *symbol_as_type(PyObject *symbol, PyObject *type);

/* What lookup gives for it: a built-in function, the Variable, or the untyped Symbol itself. */
PyObject *symbol_use(PyObject *symbol);

/* The same of a Symbol that was just made, and that lookup has not given. */
PyObject *symbol_new_use(PyObject *symbol);

/* The Symbol behind what symbol_use gave: borrowed. */
PyObject *symbol_of_use(PyObject *use);

/* Whether a type is known of it; what it was declared as then. */
bool symbol_is_typed(PyObject *symbol);
bool symbol_declared(const SymbolObject *symbol, Declaration *declaration);

PyObject *symbol_name(SymbolObject *symbol, void *closure);        /* a getter */

/* The end of each dealloc of these types: all but what a type has of its own. */
void symbol_dealloc(SymbolObject *symbol);
int symbol_traverse(SymbolObject *symbol, visitproc visit, void *arg);

/* ------------------------------------------------------------------ function.c */

extern PyType_Spec function_spec;

/* Fill in what a Function has beside the Symbol.  -1 with an exception: it is dropped then. */
int function_prepare(FunctionObject *function, const Declaration *declaration);

/* The C function behind every function of a plugin that has no ready-made one. */
PyObject *symbol_call(PyObject *function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);

/* ------------------------------------------------------------------ variable.c */

extern PyType_Spec variable_spec;

/* Fill in what a Variable has beside the Symbol; `declaration` as in symbol_new. */
void variable_prepare(VariableObject *variable, const SymbolFacts *facts, const Declaration *declaration);

#endif
