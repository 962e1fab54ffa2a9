/* What is told of a signature: names, documentation, and types for type checkers. */
#include "internal.h"

#include <stdio.h>

static bool
is_keyword(const char *name)
{
    static const char *const keywords[] = {
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
        "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
        "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
    };

    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (*keywords[i] == *name && strcmp(keywords[i], name) == 0) {
            return true;
        }
    }
    return false;
}

void
signature_name(const Signature *signature, int number, char *buffer, size_t size)
{
    const char *name = signature->prototype->params[number].name;
    size_t length;

    if (name == NULL) {
        snprintf(buffer, size, "arg%d", signature->arguments[number].python + 1);
        return;
    }
    if (is_keyword(name)) {
        snprintf(buffer, size, "%s_", name);
        return;
    }
    length = strlen(name) < size ? strlen(name) : size - 1;
    memcpy(buffer, name, length);
    buffer[length] = '\0';
}

/* Write a text behind `used` bytes of `buffer`, which may be NULL, with its NUL.  The bytes without that. */
static size_t
append_text(char *buffer, size_t used, const char *text)
{
    size_t size = strlen(text);

    if (buffer != NULL) {
        memcpy(buffer + used, text, size + 1);
    }
    return used + size;
}

size_t
signature_parameters(const Signature *signature, bool method, char *buffer)
{
    size_t used = append_text(buffer, 0, method ? "($self" : "(");
    bool is_first = !method;
    char name[256];

    for (int i = 0; i < signature->count; i++) {
        if (signature->arguments[i].python >= 0) {
            signature_name(signature, i, name, sizeof name);
            used = append_text(buffer, used, is_first ? "" : ", ");
            used = append_text(buffer, used, name);
            is_first = false;
        }
    }
    return append_text(buffer, used, ")\n--\n\n") + 1;
}

size_t
doc_join(char *buffer, const char *name, const char *parameters, const char *text, const char *doc)
{
    size_t used = append_text(buffer, append_text(buffer, append_text(buffer, 0, name), parameters), text);

    if (doc != NULL) {
        used = append_text(buffer, append_text(buffer, used, "\n\n"), doc);
    }
    return used + 1;
}

char *
signature_doc(const Signature *signature, const char *name, const char *text)
{
    char *parameters = PyMem_Malloc(signature_parameters(signature, true, NULL)), *result = NULL;

    if (parameters != NULL) {
        signature_parameters(signature, true, parameters);
        result = PyMem_Malloc(doc_join(NULL, name, parameters, text, NULL));
    }
    if (result != NULL) {
        doc_join(result, name, parameters, text, NULL);
    } else {
        PyErr_NoMemory();
    }
    PyMem_Free(parameters);
    return result;
}

/* ------------------------------------------------------------------ what a type checker needs */

static PyObject *
describe_one(const ModuleState *state, const Argument *argument, Conversion conversion, const Type *spelled, const char *name)
{
    static const char *const kinds[] = {"none", "scalar", "str", "buffer", "address", "handle", "callback", "text", "strings", "callback", "handles"};
    const char *kind = conversion == CONVERT_STRING && argument->bytes ? "bytes" : kinds[conversion];
    const Type *type = argument->type;
    PyObject *extra = Py_None;
    char spelling[256];

    type_spell(spelled, NULL, spelling, sizeof spelling);
    if (conversion == CONVERT_SCALAR) {
        kind = type->kind == TYPE_BOOL ? "bool" : type->kind == TYPE_FLOAT ? "float" : "int";
        if (type->kind == TYPE_ENUM && enum_class(type) != NULL) {
            extra = enum_class(type);
        }
    } else if (conversion == CONVERT_HANDLE && record_made(state, type->record) != NULL) {
        extra = (PyObject *)record_made(state, type->record)->type;
    } else if (conversion == CONVERT_BUFFER) {
        return Py_BuildValue("(sss(sniO)O)", name, kind, spelling,
                             type_is_scalar(type) ? convert_format(type) : "", (Py_ssize_t)type->size, argument->field->dim_count, type->is_const ? Py_False : Py_True,
                             argument->nullable ? Py_True : Py_False);
    }
    if (conversion == CONVERT_CALLBACK || conversion == CONVERT_FUNCTION) {
        return Py_BuildValue("(sssNO)", name, kind, spelling, signature_describe(argument->callback),
                             argument->nullable ? Py_True : Py_False);
    }
    return Py_BuildValue("(sssOO)", name, kind, spelling, extra, argument->nullable ? Py_True : Py_False);
}

static PyObject *
describe_room(const Argument *argument, const char *name)
{
    const char *kind = argument->type->kind != TYPE_CHAR ? "buffer" : argument->bytes ? "bytes" : "str";
    char spelling[256];

    type_spell(argument->field->type, NULL, spelling, sizeof spelling);
    if (argument->type->kind == TYPE_CHAR) {
        return Py_BuildValue("(sssOO)", name, kind, spelling, Py_None, Py_False);
    }
    return Py_BuildValue("(sss(sniO)O)", name, kind, spelling,
                         type_is_scalar(argument->type) ? convert_format(argument->type) : "",
                         (Py_ssize_t)argument->type->size, argument->field->dim_count, Py_True, Py_False);
}

static int
append(PyObject *list, PyObject *item)
{
    int failed = item == NULL ? -1 : PyList_Append(list, item);

    Py_XDECREF(item);
    return failed;
}

PyObject *
signature_describe(const Signature *signature)
{
    const ModuleState *state = signature->library->state;
    PyObject *parameters = PyList_New(0), *results = PyList_New(0);
    int failed = parameters == NULL || results == NULL ? -1 : 0;
    char name[256];

    if (failed == 0 && signature->result.conversion != CONVERT_NOTHING) {
        failed = append(results, describe_one(state, &signature->result, signature->result.conversion,
                                              signature->prototype->result, ""));
    }
    for (int i = 0; i < signature->count && failed == 0; i++) {
        const Argument *argument = &signature->arguments[i];

        signature_name(signature, i, name, sizeof name);
        if (argument->python >= 0) {
            Conversion conversion = argument->both ? CONVERT_SCALAR : argument->conversion;

            failed = append(parameters, describe_one(state, argument, conversion, argument->field->type, name));
        }
        if (failed == 0 && argument->conversion == CONVERT_ROOM) {
            failed = append(results, describe_room(argument, name));
        } else if (failed == 0 && argument->conversion == CONVERT_OUT && !argument->silent) {
            failed = append(results, describe_one(state, argument, argument->result, argument->field->type->target, name));
        } else if (failed == 0 && argument->conversion == CONVERT_CAPACITY) {
            failed = append(results, describe_one(state, argument, CONVERT_SCALAR, argument->type, name));
        }
    }
    if (failed < 0) {
        Py_XDECREF(parameters);
        Py_XDECREF(results);
        return NULL;
    }
    return Py_BuildValue("(NN)", parameters, results);
}
