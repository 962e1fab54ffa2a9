/* Prototypes to lists of conversions: what each parameter takes from Python, and where it goes. */
#include "internal.h"

#include <stddef.h>
#include <stdio.h>

/* The state of one compilation. */
typedef struct {
    LibraryObject *library;
    Signature *signature;
    int integers, floats;          /* registers given out */
    char *reason;
} Compiler;

static int __attribute__((format(printf, 2, 3)))
refuse(Compiler *compiler, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(compiler->reason, REASON_MAX, format, arguments);
    va_end(arguments);
    return -1;
}

static const char *
label(const Field *field)
{
    return field->name != NULL ? field->name : "without a name";
}

/* Give an argument its register, or its word of stack. */
static void
place(Compiler *compiler, Argument *argument, const Type *type)
{
    int *next = type->kind == TYPE_FLOAT ? &compiler->floats : &compiler->integers;
    int limit = type->kind == TYPE_FLOAT ? CALL_FLOATS : CALL_INTEGERS;
    size_t base = type->kind == TYPE_FLOAT ? offsetof(Registers, floats) : offsetof(Registers, integers);

    if (*next < limit) {
        argument->place = (uint16_t)(base + 8 * (size_t)(*next)++);
    } else {
        argument->place = (uint16_t)(offsetof(Registers, stack) + 8 * (size_t)compiler->signature->stack++);
    }
}

/* ------------------------------------------------------------------ pointers */

/* A struct's Python type is made with the signature that first names it, so that what is wrong with it is known
 * before anything is called. */
static int
require_struct(Compiler *compiler, const Type *type)
{
    char reason[REASON_MAX];

    if (scope_complete(compiler->library->scope, type->record, reason) < 0) {
        if (*reason == '\0') {
            return 0;              /* opaque */
        }
        return refuse(compiler, "%s", reason);
    }
    if (record_info(compiler->library, type->record, reason) == NULL) {
        return PyErr_Occurred() ? -1 : refuse(compiler, "%s", reason);
    }
    return 0;
}

/* The conversion of a pointer result, from the function or through a pointer. */
static int
compile_pointer_result(Compiler *compiler, Argument *argument, const Type *type, const char *what)
{
    char spelling[128];

    argument->type = type->target;
    switch (type->target->kind) {
    case TYPE_CHAR:
        return CONVERT_STRING;
    case TYPE_VOID:
        return CONVERT_ADDRESS;
    case TYPE_STRUCT:
        return require_struct(compiler, type->target) < 0 ? -1 : CONVERT_HANDLE;
    case TYPE_FUNCTION:
        return refuse(compiler, "%s is a function pointer, which this version does not hand to Python", what);
    default:
        type_spell(type, NULL, spelling, sizeof spelling);
        return refuse(compiler, "%s has the type \"%s\", which says nothing of how many items there are: use void * or "
                                "plugin_out", what, spelling);
    }
}

/* A destructor is called by us with the object and, if it takes one, a plugin_error. */
static int
set_release(Compiler *compiler, const Prototype *prototype, const char *name)
{
    Release *release = &compiler->signature->release;

    release->takes_error = prototype->count == 2 && type_is_error(prototype->params[1].type);
    if (prototype->count > 1 && !release->takes_error) {
        return refuse(compiler, "the destructor \"%s\" takes more than the object", name);
    }
    return 0;
}

/* Whether a function takes the struct first, as its methods do. */
static bool
takes_self(const Prototype *prototype, const Struct *self)
{
    const Type *type = prototype->count > 0 ? prototype->params[0].type : NULL;

    return type != NULL && self != NULL && type->kind == TYPE_POINTER && type->target->kind == TYPE_STRUCT &&
           type->target->record == self;
}

/* The method of a struct that is marked plugin_destructor, whether the type of its objects is made already or not. */
static const Field *
destructor_member(const Struct *record)
{
    for (int i = 0; i < record->count; i++) {
        const Field *member = &record->members[i];
        const Type *function = member->type->kind == TYPE_POINTER ? type_function(member->type) : NULL;

        if (function != NULL && (function->prototype->words & WORD_DESTRUCTOR) && takes_self(function->prototype, record)) {
            return member;
        }
    }
    return NULL;
}

/* Find what releases an owned object of that type: a function marked plugin_destructor, or a member. */
static int
find_release(Compiler *compiler, const Type *type, const char *what)
{
    Release *release = &compiler->signature->release;
    char reason[REASON_MAX];
    const Declaration *destructor = scope_destructor(compiler->library->scope, type->name);
    const Field *member = destructor_member(type->record);

    if (destructor != NULL) {
        release->how = RELEASE_FUNCTION;
        release->function = library_address(compiler->library, destructor->name, false, NULL, reason);
        if (release->function == NULL) {
            return refuse(compiler, "its destructor: %.900s", reason);
        }
        return set_release(compiler, destructor->type->prototype, destructor->name);
    }
    if (member != NULL) {
        release->how = RELEASE_MEMBER;
        release->offset = member->offset;
        return set_release(compiler, type_function(member->type)->prototype, member->name);
    }
    return refuse(compiler, "%s is plugin_owned, but nothing is marked plugin_destructor for \"%s *\"", what, type->name);
}

static int
find_owner(Compiler *compiler, const Argument *argument, int conversion, const char *release_name, const char *what)
{
    Release *release = &compiler->signature->release;
    char reason[REASON_MAX];

    if (!argument->owned) {
        return 0;
    }
    release->how = RELEASE_FUNCTION;
    /* The process's own free, which a preloaded allocator may have replaced: libc's would be the wrong one then. */
    if (release_name != NULL && strcmp(release_name, "free") != 0) {
        release->function = library_address(compiler->library, release_name, true, NULL, reason);
        return release->function != NULL ? 0 : refuse(compiler, "plugin_free(%s): %.900s", release_name, reason);
    }
    if (conversion == CONVERT_STRING || release_name != NULL) {
        release->function = (void *)(uintptr_t)free;
        return 0;
    }
    if (conversion == CONVERT_HANDLE) {
        return find_release(compiler, argument->type, what);
    }
    return refuse(compiler, "%s is plugin_owned; say how it is released with plugin_free(f)", what);
}

/* ------------------------------------------------------------------ parameters */

static int
compile_out(Compiler *compiler, Argument *argument, const Field *field)
{
    const Type *item = field->type->target;
    char what[96];
    int conversion;

    snprintf(what, sizeof what, "parameter \"%.60s\"", label(field));
    argument->type = item;
    argument->both = (field->words & WORD_INOUT) != 0;
    compiler->signature->out_count++;
    if (type_is_scalar(item)) {
        argument->conversion = CONVERT_OUT;
        argument->result = CONVERT_SCALAR;
        return 0;
    }
    if (item->kind != TYPE_POINTER) {
        return refuse(compiler, "%s: results by pointer are numbers and pointers in this version", what);
    }
    if (argument->both) {
        return refuse(compiler, "%s: plugin_inout of a pointer is not there in this version", what);
    }
    conversion = compile_pointer_result(compiler, argument, item, what);
    if (conversion < 0) {
        return -1;
    }
    argument->conversion = CONVERT_OUT;
    argument->result = (uint8_t)conversion;
    if (argument->owned && compiler->signature->release.how != RELEASE_NONE) {
        return refuse(compiler, "%s: a second owned result is not there in this version", what);
    }
    return find_owner(compiler, argument, conversion, NULL, what);
}

static int
compile_pointer(Compiler *compiler, Argument *argument, const Field *field)
{
    const Type *item = field->type->target;

    argument->type = item;
    if (field->words & (WORD_OUT | WORD_INOUT)) {
        if (field->dim_count > 0) {
            return refuse(compiler, "parameter \"%s\": plugin_out with plugin_count is not there in this version",
                          label(field));
        }
        return compile_out(compiler, argument, field);
    }
    if (argument->owned && (item->kind != TYPE_STRUCT || field->dim_count > 0)) {
        return refuse(compiler, "parameter \"%s\": only objects (S *) can be taken over in this version", label(field));
    }
    if (item->kind == TYPE_FUNCTION) {
        return refuse(compiler, "parameter \"%s\" is a function pointer: callbacks are not there in this version",
                      label(field));
    }
    if (item->kind == TYPE_CHAR && field->dim_count > 0 && item->is_const) {
        return refuse(compiler, "parameter \"%s\": text with a length is not there in this version", label(field));
    }
    if (item->kind == TYPE_CHAR && item->is_const) {
        argument->conversion = CONVERT_STRING;
        return 0;
    }
    if (item->kind == TYPE_STRUCT && field->dim_count == 0) {
        argument->conversion = CONVERT_HANDLE;
        return require_struct(compiler, item);
    }
    if (item->kind == TYPE_VOID && field->dim_count == 0) {
        argument->conversion = CONVERT_ADDRESS;
        return 0;
    }
    if (type_is_scalar(item) || item->kind == TYPE_VOID) {
        argument->conversion = CONVERT_BUFFER;
        return 0;
    }
    return refuse(compiler, "parameter \"%s\": arrays of structs and of pointers are not there in this version",
                  label(field));
}

/* A parameter that arrays name as their length is not passed.  Returns whether it is one. */
static bool
compile_length(Argument *argument, const Prototype *prototype, int number)
{
    for (int i = 0; i < prototype->count; i++) {
        for (int k = 0; k < prototype->params[i].dim_count; k++) {
            const Dim *dim = &prototype->params[i].dims[k];

            if (dim->name != NULL && dim->index == number) {
                argument->conversion = dim->pointed ? CONVERT_CAPACITY : CONVERT_LENGTH;
                return true;
            }
        }
    }
    return false;
}

static int
compile_kind(Compiler *compiler, Argument *argument, const Field *field, int number)
{
    Signature *signature = compiler->signature;

    if (compile_length(argument, signature->prototype, number)) {
        signature->has_lengths = true;
        if (argument->conversion == CONVERT_CAPACITY) {
            argument->type = field->type->target;
            signature->out_count++;
        }
        return 0;
    }
    if (type_is_error(field->type)) {
        if (signature->has_error) {
            return refuse(compiler, "it takes two plugin_error *");
        }
        argument->conversion = CONVERT_ERROR;
        signature->has_error = true;
        return 0;
    }
    if (type_is_scalar(field->type)) {
        argument->conversion = CONVERT_SCALAR;
        return 0;
    }
    return compile_pointer(compiler, argument, field);
}

static int
compile_parameter(Compiler *compiler, int number, bool is_self)
{
    Signature *signature = compiler->signature;
    const Field *field = &signature->prototype->params[number];
    Argument *argument = &signature->arguments[number];

    argument->field = field;
    argument->type = field->type;
    argument->python = -1;
    argument->nullable = (field->words & WORD_NULLABLE) != 0;
    argument->bytes = (field->words & WORD_BYTES) != 0;
    argument->owned = (field->words & WORD_OWNED) != 0;
    if (field->words & WORD_RETAINED) {
        return refuse(compiler, "parameter \"%s\": plugin_retained is not there in this version", label(field));
    }
    if (is_self) {
        argument->conversion = CONVERT_SELF;
    } else if (compile_kind(compiler, argument, field, number) < 0) {
        return -1;
    }
    if (argument->conversion < CONVERT_SELF || argument->both) {
        argument->python = (int8_t)signature->python_count++;
    }
    signature->is_simple = signature->is_simple && (argument->conversion == CONVERT_SCALAR ||
                                                    (argument->conversion == CONVERT_STRING && !argument->owned));
    place(compiler, argument, field->type);
    return 0;
}

static int
compile_result(Compiler *compiler)
{
    Signature *signature = compiler->signature;
    const Prototype *prototype = signature->prototype;
    Argument *result = &signature->result;
    int conversion;

    result->type = prototype->result;
    result->nullable = (prototype->words & WORD_NULLABLE) != 0;
    result->bytes = (prototype->words & WORD_BYTES) != 0;
    result->owned = (prototype->words & WORD_OWNED) != 0;
    if (prototype->result->kind == TYPE_VOID) {
        result->conversion = CONVERT_NOTHING;
        return 0;
    }
    if (type_is_scalar(prototype->result)) {
        result->conversion = CONVERT_SCALAR;
        return 0;
    }
    conversion = compile_pointer_result(compiler, result, prototype->result, "the result");
    if (conversion < 0) {
        return -1;
    }
    result->conversion = (uint8_t)conversion;
    signature->is_simple = signature->is_simple && !result->owned && conversion == CONVERT_STRING;
    return find_owner(compiler, result, conversion, prototype->release, "the result");
}

Signature *
signature_compile(LibraryObject *library, const Prototype *prototype, const Struct *self, char reason[REASON_MAX])
{
    Signature *signature = PyMem_Calloc(1, sizeof *signature + (size_t)prototype->count * sizeof(Argument));
    Compiler compiler = {.library = library, .signature = signature, .reason = reason};
    int failed = 0;

    reason[0] = '\0';
    if (signature == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    signature->library = library;
    signature->prototype = prototype;
    signature->count = (uint8_t)prototype->count;
    signature->is_simple = true;
    signature->is_destructor = (prototype->words & WORD_DESTRUCTOR) != 0;
    if (prototype->words & WORD_BLOCKING) {
        failed = refuse(&compiler, "plugin_blocking is not there in this version");
    }
    if (failed == 0) {
        failed = compile_result(&compiler);
    }
    for (int i = 0; i < prototype->count && failed == 0; i++) {
        failed = compile_parameter(&compiler, i, i == 0 && takes_self(prototype, self));
    }
    if (failed == 0 && signature->is_destructor &&
        (prototype->count == 0 || (signature->arguments[0].conversion != CONVERT_SELF &&
                                   signature->arguments[0].conversion != CONVERT_HANDLE))) {
        failed = refuse(&compiler, "it is a plugin_destructor, but takes no object first");
    }
    signature->is_simple = signature->is_simple && !signature->is_destructor;
    if (failed < 0) {
        PyMem_Free(signature);
        return NULL;
    }
    return signature;
}

int
signature_release(const Signature *signature, LibraryObject *library, Release *release)
{
    Signature other = {.library = library};
    char reason[REASON_MAX] = "";
    Compiler compiler = {.library = library, .signature = &other, .reason = reason};
    int failed;

    *release = signature->release;
    if (library == signature->library || release->how != RELEASE_FUNCTION) {
        return 0;
    }
    failed = find_owner(&compiler, &signature->result, signature->result.conversion, signature->prototype->release,
                        "the result");
    for (int i = 0; i < signature->count && failed == 0; i++) {
        const Argument *argument = &signature->arguments[i];

        if (argument->conversion == CONVERT_OUT && argument->result != CONVERT_SCALAR) {
            failed = find_owner(&compiler, argument, argument->result, NULL, label(argument->field));
        }
    }
    *release = other.release;
    if (failed < 0) {
        library_refuse(library, "a method", reason);
    }
    return failed;
}

/* ------------------------------------------------------------------ names and documentation */

void
signature_name(const Signature *signature, int number, char *buffer, size_t size)
{
    static const char *const keywords[] = {
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
        "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
        "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
    };
    const char *name = signature->prototype->params[number].name;

    if (name == NULL) {
        snprintf(buffer, size, "arg%d", signature->arguments[number].python + 1);
        return;
    }
    snprintf(buffer, size, "%s", name);
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (strcmp(name, keywords[i]) == 0) {
            snprintf(buffer, size, "%s_", name);
        }
    }
}

char *
signature_doc(const Signature *signature, const char *name, bool method, const char *text, const char *doc)
{
    size_t size = strlen(name) + strlen(text) + (doc != NULL ? strlen(doc) : 0) + 32;
    char parameter[256], *result;
    const char *comma = method ? ", " : "";
    int used;

    for (int i = 0; i < signature->count; i++) {
        size += sizeof parameter + strlen(", ");
    }
    result = PyMem_Malloc(size);
    if (result == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    used = snprintf(result, size, "%s(%s", name, method ? "$self" : "");
    for (int i = 0; i < signature->count; i++) {
        if (signature->arguments[i].python >= 0) {
            signature_name(signature, i, parameter, sizeof parameter);
            used += snprintf(result + used, size - (size_t)used, "%s%s", comma, parameter);
            comma = ", ";
        }
    }
    snprintf(result + used, size - (size_t)used, ")\n--\n\n%s%s%s", text, doc != NULL ? "\n\n" : "", doc != NULL ? doc : "");
    return result;
}

/* ------------------------------------------------------------------ what a type checker needs */

static PyObject *
describe_one(const Argument *argument, Conversion conversion, const Type *spelled, const char *name)
{
    static const char *const kinds[] = {"none", "scalar", "str", "buffer", "address", "handle"};
    const char *kind = conversion == CONVERT_STRING && argument->bytes ? "bytes" : kinds[conversion];
    const Type *type = argument->type;
    PyObject *extra = Py_None;
    char spelling[256];

    type_spell(spelled, NULL, spelling, sizeof spelling);
    if (conversion == CONVERT_SCALAR) {
        kind = type->kind == TYPE_BOOL ? "bool" : type->kind == TYPE_FLOAT ? "float" : "int";
    } else if (conversion == CONVERT_HANDLE && type->record->state == STRUCT_READY && type->record->host != NULL) {
        extra = (PyObject *)((const StructInfo *)type->record->host)->type;
    } else if (conversion == CONVERT_BUFFER) {
        return Py_BuildValue("(sss(sniO)O)", name, kind, spelling, type->kind == TYPE_VOID ? "" : convert_format(type),
                             (Py_ssize_t)type->size, argument->field->dim_count, type->is_const ? Py_False : Py_True,
                             argument->nullable ? Py_True : Py_False);
    }
    return Py_BuildValue("(sssOO)", name, kind, spelling, extra, argument->nullable ? Py_True : Py_False);
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
    PyObject *parameters = PyList_New(0), *results = PyList_New(0);
    int failed = parameters == NULL || results == NULL ? -1 : 0;
    char name[256];

    if (failed == 0 && signature->result.conversion != CONVERT_NOTHING) {
        failed = append(results, describe_one(&signature->result, signature->result.conversion,
                                              signature->prototype->result, ""));
    }
    for (int i = 0; i < signature->count && failed == 0; i++) {
        const Argument *argument = &signature->arguments[i];

        signature_name(signature, i, name, sizeof name);
        if (argument->python >= 0) {
            Conversion conversion = argument->both ? CONVERT_SCALAR : argument->conversion;

            failed = append(parameters, describe_one(argument, conversion, argument->field->type, name));
        }
        if (failed == 0 && argument->conversion == CONVERT_OUT) {
            failed = append(results, describe_one(argument, argument->result, argument->field->type->target, name));
        } else if (failed == 0 && argument->conversion == CONVERT_CAPACITY) {
            failed = append(results, describe_one(argument, CONVERT_SCALAR, argument->type, name));
        }
    }
    if (failed < 0) {
        Py_XDECREF(parameters);
        Py_XDECREF(results);
        return NULL;
    }
    return Py_BuildValue("(NN)", parameters, results);
}
