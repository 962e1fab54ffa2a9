/* What a plugin declares, told and compared without loading it: two methods of Library. */
#include "internal.h"

/* What is declared under a name, as a type checker sees it, without loading: ("function" or "variable", C text,
 * description); None if nothing is. */
PyObject *
library_described(PyObject *object, PyObject *name)
{
    LibraryObject *self = (LibraryObject *)object;
    const char *utf8 = PyUnicode_AsUTF8(name);
    Declaration declaration;
    Signature *signature;
    PyObject *description;
    char reason[REASON_MAX];

    if (utf8 == NULL) {
        return NULL;
    }
    if (!scope_find(self->scope, utf8, &declaration, reason)) {
        return *reason != '\0' ? library_refuse(self, utf8, reason) : Py_NewRef(Py_None);
    }
    if (declaration.type->kind != TYPE_FUNCTION) {
        return Py_BuildValue("(ssO)", "variable", declaration.text, Py_None);
    }
    signature = signature_compile(self, declaration.type->prototype, NULL, reason);
    if (signature == NULL) {
        return library_refuse(self, utf8, reason);
    }
    description = Py_BuildValue("(ssN)", "function", declaration.text, signature_describe(signature));
    signature_free(signature);
    return description;
}

/* Collects what an interface in C asks for: (name, expected, found or None, whether they are equal). */
typedef struct {
    LibraryObject *library;
    Scope *wanted;
    PyObject *names;               /* list */
} Comparison;

static int
compare_one(void *context, const char *name, RecordKind kind)
{
    Comparison *comparison = context;
    char reason[REASON_MAX];
    Declaration wanted, found;
    bool is_wanted = scope_find(comparison->wanted, name, &wanted, reason);
    bool is_found = is_wanted && scope_find(comparison->library->scope, name, &found, reason);
    bool equal = is_found && scope_equal(found.type, wanted.type, type_has_words(wanted.type));
    PyObject *item;
    int failed;

    (void)kind;
    item = Py_BuildValue("(szzO)", name, is_wanted ? wanted.text : NULL, is_found ? found.text : *reason != '\0' ? reason : NULL,
                         equal ? Py_True : Py_False);
    failed = item == NULL || PyList_Append(comparison->names, item) < 0;
    Py_XDECREF(item);
    return failed;
}

PyObject *
library_compare(PyObject *object, PyObject *text)
{
    LibraryObject *self = (LibraryObject *)object;
    Comparison comparison = {self, scope_new(NULL), PyList_New(0)};
    const char *utf8 = PyUnicode_AsUTF8(text);
    char reason[REASON_MAX];

    if (utf8 == NULL || comparison.wanted == NULL || comparison.names == NULL) {
        Py_CLEAR(comparison.names);
    } else if (scope_declare(comparison.wanted, utf8, reason) < 0) {
        library_refuse(self, "", reason);
        Py_CLEAR(comparison.names);
    } else if (scope_each(comparison.wanted, compare_one, &comparison) != 0) {
        Py_CLEAR(comparison.names);
    }
    scope_free(comparison.wanted);
    return comparison.names;
}
