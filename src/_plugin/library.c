/* The Python type Library, the C half of Plugin: lookups in a library that load.c has opened. */
#include "internal.h"

#include <dlfcn.h>

/* ------------------------------------------------------------------ helpers */

PyObject *
library_refuse(LibraryObject *library, const char *symbol, const char *reason)
{
    if (PyErr_Occurred() || symbol == NULL) {
        return NULL;
    }
    return raise_fact(library->state, "declaration_refused", "(yOOy)", symbol, library->name, library->path, reason);
}

void *
library_address(LibraryObject *library, const char *name, bool anywhere, SymbolFacts *facts, char reason[REASON_MAX])
{
    SymbolFacts unused;
    void *address;

    reason[0] = '\0';
    Py_BEGIN_ALLOW_THREADS         /* all wait for the loader's lock, whose holder may want the GIL */
    address = pluginLookup(library->handle, name, reason);
    if (address != NULL && image_symbol(library->handle, name, address, facts != NULL ? facts : &unused, reason) < 0) {
        /* As the library's own reference is bound: a preloaded malloc's free comes before libc's. */
        void *global = anywhere ? pluginLookup(RTLD_DEFAULT, name, reason) : NULL;

        address = global != NULL || !anywhere ? global : address;
    }
    Py_END_ALLOW_THREADS
    return address;
}

/* A symbol's name as C has it, borrowed from `name` or from `*bytes`, which the caller owns; names that are not UTF-8
 * come as surrogates. */
static const char *
encode_name(PyObject *name, PyObject **bytes)
{
    const char *text = NULL;
    Py_ssize_t size;

    *bytes = NULL;
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "the name of a symbol is a str, not %s", Py_TYPE(name)->tp_name);
        return NULL;
    }
    if (PyUnicode_IS_ASCII(name)) {
        text = PyUnicode_AsUTF8AndSize(name, &size);
    } else {
        *bytes = PyUnicode_AsEncodedString(name, "utf-8", "surrogateescape");
        text = *bytes != NULL ? PyBytes_AS_STRING(*bytes) : NULL;
        size = *bytes != NULL ? PyBytes_GET_SIZE(*bytes) : 0;
    }
    if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeError)) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%.300R is no name of a symbol: it cannot be encoded", name);
    }
    if (text != NULL && strlen(text) != (size_t)size) {
        PyErr_Format(PyExc_ValueError, "%.300R is no name of a symbol: it has an embedded null character", name);
        Py_CLEAR(*bytes);
        return NULL;
    }
    return text;
}

static PyObject *
make_symbol(LibraryObject *library, PyObject *name, const char *utf8)
{
    char reason[REASON_MAX];
    Declaration declaration;
    bool is_declared = scope_find(library->scope, utf8, &declaration, reason);
    SymbolFacts facts;
    void *address;

    if (!is_declared && reason[0] != '\0') {
        return library_refuse(library, utf8, reason);
    }
    address = library_address(library, utf8, false, &facts, reason);
    if (address == NULL) {
        return raise_fact(library->state, "symbol_not_found", "(OOOyO)", name, library->name, library->path, reason,
                          is_declared ? Py_True : Py_False);
    }
    return symbol_new(library, name, address, &facts, is_declared ? &declaration : NULL);
}

/* Put `made` (taken over) into a dict, and return what is there: another thread may have been faster, and the same name
 * gives the same object.  NULL without an exception if the host has declared something since `declared` was read: what
 * was made may lack its type. */
static PyObject *
remember(LibraryObject *library, PyObject *dict, PyObject *key, PyObject *made, unsigned declared)
{
    PyObject *kept = NULL;

    MUTEX_LOCK(library->declaring);
    if (declared == SHARED_LOAD(library->declared)) {
        kept = dict_set_default(dict, key, made);
    }
    MUTEX_UNLOCK(library->declaring);
    Py_DECREF(made);
    return kept;
}

/* What is remembered under the name, as library_use gives it: 1 with a reference in `use`, 0, or -1. */
static int
known_use(const LibraryObject *library, PyObject *name, PyObject **use)
{
    PyObject *symbols = SHARED_LOAD(library->symbols);
    int known = dict_get(library->found, name, use);

    if (known > 0 && PyCFunction_Check(*use)) {
        return 1;
    }
    Py_CLEAR(*use);
    return known < 0 ? -1 : symbols != NULL ? dict_get(symbols, name, use) : 0;
}

/* Remember the symbol that was made (taken over), as `remember` does: a function by what lookup gives for it. */
static PyObject *
remember_symbol(LibraryObject *library, PyObject *name, PyObject *made, unsigned declared)
{
    PyObject *use = symbol_new_use(made), *dict = use == made ? retain_made(&library->symbols) : library->found;

    Py_DECREF(made);
    if (use == NULL || dict == NULL) {
        Py_XDECREF(use);
        return NULL;
    }
    if (use != made) {
        share_uncounted(use, state_errors(library->state));
    }
    return remember(library, dict, name, use, declared);
}

/* What lookup gives for a function, which is remembered in `found`; of any other symbol the Symbol, in `symbols`. */
static PyObject *
library_use(LibraryObject *library, PyObject *name)
{
    PyObject *bytes, *use = NULL;
    const char *text = encode_name(name, &bytes);

    name = text != NULL ? PyUnicode_FromObject(name) : NULL;       /* a plain str: no Python runs under the mutex */
    while (name != NULL && known_use(library, name, &use) == 0) {
        unsigned declared = SHARED_LOAD(library->declared);
        PyObject *made = make_symbol(library, name, text);

        if (made == NULL) {
            break;
        }
        use = remember_symbol(library, name, made, declared);
        if (use != NULL || PyErr_Occurred()) {
            break;
        }
    }
    Py_XDECREF(bytes);
    Py_XDECREF(name);
    return use;
}

PyObject *
library_symbol(LibraryObject *library, PyObject *name)
{
    PyObject *use = library_use(library, name), *symbol = use != NULL ? Py_NewRef(symbol_of_use(use)) : NULL;

    Py_XDECREF(use);
    return symbol;
}

/* ------------------------------------------------------------------ lookup */

PyObject *
library_remember(LibraryObject *library, PyObject *key, PyObject *use)
{
    PyObject *kept = dict_set_default(library->found, key, use);

    Py_DECREF(use);
    return kept;
}

/* Where there is no such symbol: the Python type of the struct or enum of that name.  Keeps the miss otherwise. */
static PyObject *
lookup_type(LibraryObject *library, PyObject *name)
{
    PyObject *type, *value, *traceback, *found = NULL;
    Declaration declaration;
    char reason[REASON_MAX];
    const char *utf8;

    PyErr_Fetch(&type, &value, &traceback);
    utf8 = PyUnicode_AsUTF8(name);
    PyErr_Clear();
    if (utf8 != NULL && scope_read_type(library->scope, utf8, &declaration, reason) == 0 &&
        record_prepare(library, declaration.type, reason) == 0) {
        if (declaration.type->kind == TYPE_STRUCT) {
            found = Py_XNewRef((PyObject *)record_made(library->state, declaration.type->record)->type);
        } else if (declaration.type->kind == TYPE_ENUM) {
            found = Py_XNewRef(enum_class(declaration.type));
        }
    }
    if (found == NULL && !PyErr_Occurred()) {
        PyErr_Restore(type, value, traceback);
        return NULL;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return found;
}

static PyObject *
lookup_first(LibraryObject *library, PyObject *name)
{
    PyObject *use = library_use(library, name);

    if (use == NULL) {
        /* A SymbolNotFoundError, which is one; nothing else here is. */
        return PyErr_ExceptionMatches(PyExc_LookupError) ? lookup_type(library, name) : NULL;
    }
    return use;
}

static PyObject *
lookup_plain(LibraryObject *library, PyObject *name)
{
    PyObject *found = NULL;
    int failed = PyUnicode_Check(name) ? dict_get(library->found, name, &found) : 0;

    if (found == NULL && failed == 0 && PyUnicode_Check(name) && !PyUnicode_CheckExact(name)) {
        PyObject *plain = PyUnicode_FromObject(name);

        found = plain != NULL ? lookup_plain(library, plain) : NULL;
        Py_XDECREF(plain);
        return found;
    }
    while (found == NULL && failed == 0) {
        unsigned declared = SHARED_LOAD(library->declared);
        PyObject *use = lookup_first(library, name);

        if (use != NULL && PyCFunction_Check(use)) {
            return use;            /* remembered already */
        }
        found = use != NULL ? remember(library, library->found, name, use, declared) : NULL;
        failed = found == NULL && PyErr_Occurred() ? -1 : 0;
    }
    return found;
}

static PyObject *
lookup_typed(LibraryObject *library, PyObject *name, PyObject *type)
{
    PyObject *symbol = library_symbol(library, name);
    PyObject *found = symbol != NULL ? symbol_as_type(symbol, type) : NULL;

    if (found != NULL && symbol_is_typed(symbol)) {
        Py_SETREF(found, lookup_plain(library, name));     /* asserted only: it is what is there without a type */
    }
    Py_XDECREF(symbol);
    return found;
}

static PyObject *
Library_lookup(PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    LibraryObject *self = (LibraryObject *)object;
    PyObject *values[2] = {NULL, Py_None};
    static const char *const names[] = {"name", "type"};

    if (nargs == 1 && kwnames == NULL) {
        return lookup_plain(self, args[0]);
    }
    if (nargs > 2) {
        PyErr_Format(PyExc_TypeError, "lookup() takes at most 2 arguments (%zd given)", nargs);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < nargs; i++) {
        values[i] = args[i];
    }
    for (Py_ssize_t i = 0; kwnames != NULL && i < PyTuple_GET_SIZE(kwnames); i++) {
        PyObject *keyword = PyTuple_GET_ITEM(kwnames, i);
        Py_ssize_t number = PyUnicode_CompareWithASCIIString(keyword, names[0]) == 0   ? 0
                            : PyUnicode_CompareWithASCIIString(keyword, names[1]) == 0 ? 1
                                                                                       : -1;

        if (number < 0 || number < nargs) {
            PyErr_Format(PyExc_TypeError, "lookup() got %s argument '%.300U'", number < 0 ? "an unexpected keyword" : "twice the",
                         keyword);
            return NULL;
        }
        values[number] = args[nargs + i];
    }
    if (values[0] == NULL) {
        PyErr_SetString(PyExc_TypeError, "lookup() missing required argument: 'name'");
        return NULL;
    }
    return values[1] == Py_None ? lookup_plain(self, values[0]) : lookup_typed(self, values[0], values[1]);
}

/* ------------------------------------------------------------------ declare, and the names */

/* Take an untyped symbol out of a dict, where another thread may have done so already. */
static int
forget(const LibraryObject *self, PyObject *dict, PyObject *name)
{
    PyObject *object;
    int failed = dict_get(dict, name, &object) < 0 ? -1 : 0;

    if (object != NULL && PyObject_TypeCheck(object, self->state->symbol) &&
        !symbol_is_typed(object)) {
        failed = PyDict_DelItem(dict, name);
        if (failed < 0 && PyErr_ExceptionMatches(PyExc_KeyError)) {
            PyErr_Clear();
            failed = 0;
        }
    }
    Py_XDECREF(object);
    return failed;
}

/* What was looked up before it had a type is looked up again when asked for. */
static int
forget_untyped(LibraryObject *self)
{
    PyObject *symbols = SHARED_LOAD(self->symbols), *names = symbols != NULL ? PyDict_Keys(symbols) : NULL;
    int failed = names == NULL && symbols != NULL ? -1 : 0;

    for (Py_ssize_t i = 0; names != NULL && failed == 0 && i < PyList_GET_SIZE(names); i++) {
        PyObject *name = PyList_GET_ITEM(names, i);

        failed = forget(self, symbols, name) < 0 ? -1 : forget(self, self->found, name);
    }
    Py_XDECREF(names);
    return failed;
}

static PyObject *
Library_declare(PyObject *object, PyObject *text)
{
    LibraryObject *self = (LibraryObject *)object;
    char reason[REASON_MAX];
    const char *utf8;
    Py_ssize_t size;

    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "declarations are a str of C, not %s", Py_TYPE(text)->tp_name);
        return NULL;
    }
    utf8 = PyUnicode_AsUTF8AndSize(text, &size);
    if (utf8 == NULL) {
        return NULL;
    }
    if (strlen(utf8) != (size_t)size) {
        return library_refuse(self, "", "the text has an embedded null character");
    }
    if (scope_declare(self->scope, utf8, reason) < 0) {
        return library_refuse(self, "", reason);
    }
    MUTEX_LOCK(self->declaring);   /* nobody remembers what was made before the declaration from here on */
    SHARED_STORE(self->declared, self->declared + 1);
    MUTEX_UNLOCK(self->declaring);
    if (forget_untyped(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
Library_symbol(PyObject *object, PyObject *name)
{
    return library_symbol((LibraryObject *)object, name);
}

typedef struct {
    PyObject *exported, *names;    /* dicts, which keep the order */
} Names;

static int
add_name(PyObject *names, const char *name, PyObject *among)
{
    PyObject *object = PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "surrogateescape");
    int wanted = object == NULL ? -1 : among == NULL ? 1 : PyDict_Contains(among, object);
    int failed = wanted > 0 ? PyDict_SetItem(names, object, Py_None) : wanted;

    Py_XDECREF(object);
    return failed;
}

/* Only what lookup will find: on ELF systems the file tells what it exports. */
static int
add_declared(void *context, const char *name, RecordKind kind)
{
    Names *names = context;

    (void)kind;
#ifdef __ELF__
    return add_name(names->names, name, names->exported);
#else
    return add_name(names->names, name, NULL);
#endif
}

static int
add_exported(void *context, const char *name, const SymbolFacts *facts)
{
    Names *names = context;

    if (strcmp(name, "plugin_init") == 0 || facts->kind == SYMBOL_THREAD_LOCAL) {
        return 0;
    }
    return add_name(names->exported, name, NULL);
}

/* All names, the declared ones first. */
static PyObject *
Library_names(PyObject *object, PyObject *unused)
{
    LibraryObject *self = (LibraryObject *)object;
    Names names = {PyDict_New(), PyDict_New()};
    PyObject *list = NULL;

    (void)unused;
    if (names.exported != NULL && names.names != NULL && image_each(self->handle, add_exported, &names) == 0 &&
        scope_each(self->scope, add_declared, &names) == 0 && PyDict_Merge(names.names, names.exported, 0) == 0) {
        list = PyDict_Keys(names.names);
    }
    Py_XDECREF(names.exported);
    Py_XDECREF(names.names);
    return list;
}

/* ------------------------------------------------------------------ attributes and life */

static PyObject *
Library_build_id(PyObject *object, void *closure)
{
    const FileFacts *facts = &((LibraryObject *)object)->facts;
    char text[2 * sizeof facts->build_id + 1] = "";

    (void)closure;
    if (facts->build_id_size == 0) {
        Py_RETURN_NONE;
    }
    for (size_t i = 0; i < facts->build_id_size; i++) {
        PyOS_snprintf(text + 2 * i, 3, "%02x", facts->build_id[i]);
    }
    return PyUnicode_FromString(text);
}

static PyObject *
Library_identity(PyObject *object, void *closure)
{
    (void)closure;
    return identity_tuple(&((LibraryObject *)object)->facts.identity);
}

static int
Library_traverse(LibraryObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->found);
    Py_VISIT(self->symbols);
    Py_VISIT(self->kept);
    Py_VISIT(self->pending);
    return 0;
}

static int
Library_clear(LibraryObject *self)
{
    Py_CLEAR(self->found);
    Py_CLEAR(self->symbols);
    Py_CLEAR(self->pending);
    return 0;
}

static void
free_shared(void *signature)
{
    signature_free(signature);
}

/* The library itself stays mapped, and so do the strings that Python put into its variables, if there are any. */
static void
Library_dealloc(LibraryObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    FORKABLE_REMOVE(self);
    Library_clear(self);
    Py_XDECREF(self->path);
    Py_XDECREF(self->name);
    Py_XDECREF(self->version);
    if (self->handle == NULL) {
        Py_XDECREF(self->kept);    /* else the plugin may still use it */
    }
    if (self->scope != NULL) {
        scope_each_host(self->scope, free_shared);
    }
    scope_free(self->scope);
    elf_free(&self->facts);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef library_methods[] = {
    {"lookup", (PyCFunction)(void (*)(void))Library_lookup, METH_FASTCALL | METH_KEYWORDS,
     "lookup($self, name, type=None)\n--\n\n"
     "What the plugin has under `name`: a callable for a function, a Variable for a variable.\n\n"
     "The same name gives the same object each time.  With `type`, Go's type assertion: C text (\"double (double)\") or a\n"
     "Python type (Callable[[float], float], a Protocol).  What the plugin declares is checked; where nothing is declared,\n"
     "C text is believed.\n\n"
     "Args:\n    name: the symbol, a str.\n    type: C text or a Python type; None asserts nothing.\n\n"
     "Raises:\n    SymbolNotFoundError: the plugin has no such symbol of its own.\n"
     "    SymbolTypeError: the type differs; both sides are shown.\n"
     "    DeclarationError: the symbol's declaration cannot be understood.\n"},
    {"declare", Library_declare, METH_O,
     "declare($self, text, /)\n--\n\nAdd C declarations of the host's: all of `text` or, on failure, none of it.\n\n"
     "Safety: without a manifest they are believed; a wrong one can crash the process.\n\n"
     "Raises:\n    DeclarationError: the text cannot be understood, or contradicts what is declared.\n"},
    {"_symbol", Library_symbol, METH_O, NULL},
    {"_names", Library_names, METH_NOARGS, NULL},
    {"_described", library_described, METH_O, NULL},
    {"_compare", library_compare, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

/* The interpreter specialises calls of a method only for objects of the very type that it was made for. */
PyObject *
library_own_lookup(PyObject *module, PyObject *type)
{
    const ModuleState *state = PyModule_GetState(module);
    PyObject *method;
    int failed;

    if (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, state->library)) {
        PyErr_SetString(PyExc_TypeError, "own_lookup() takes a type derived from Library");
        return NULL;
    }
    method = PyDescr_NewMethod((PyTypeObject *)type, &library_methods[0]);
    failed = method == NULL ? -1 : PyObject_SetAttrString(type, library_methods[0].ml_name, method);
    Py_XDECREF(method);
    return failed < 0 ? NULL : Py_NewRef(Py_None);
}

static PyMemberDef library_members[] = {
    {"name", T_OBJECT_EX, offsetof(LibraryObject, name), READONLY, "The plugin's name; without a manifest its DT_SONAME or file name."},
    {"version", T_OBJECT_EX, offsetof(LibraryObject, version), READONLY, "The plugin's version, or None without a manifest."},
    {"path", T_OBJECT_EX, offsetof(LibraryObject, path), READONLY, "The real path of the file, a str."},
    {"_mode", T_INT, offsetof(LibraryObject, mode), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef library_getters[] = {
    {"build_id", Library_build_id, NULL, "The linker's build id in hexadecimal, or None.", NULL},
    {"_identity", Library_identity, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot library_slots[] = {
    {Py_tp_doc, "The C half of Plugin."},
    {Py_tp_dealloc, Library_dealloc},
    {Py_tp_traverse, Library_traverse},
    {Py_tp_clear, Library_clear},
    {Py_tp_methods, library_methods},
    {Py_tp_members, library_members},
    {Py_tp_getset, library_getters},
    {0, NULL},
};

PyType_Spec library_spec = {
    .name = "plugin._plugin.Library",
    .basicsize = sizeof(LibraryObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = library_slots,
};
