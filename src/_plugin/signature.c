/* Prototypes to lists of conversions: what each parameter takes from Python, and where it goes. */
#include "internal.h"

#include <stddef.h>
#include <stdio.h>

/* The state of one compilation. */
typedef struct {
    LibraryObject *library;
    Signature *signature;
    int integers, floats;          /* registers given out */
    bool is_callback;              /* the native side calls: arguments go to Python, the result comes from it */
    char *reason;
} Compiler;

static Signature *compile(LibraryObject *library, const Prototype *prototype, const Struct *self, int data,
                          bool is_callback, char reason[REASON_MAX]);

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

/* The Python types of structs and enums are made with the signature that first names them, so that what is wrong with
 * them is known before anything is called. */
static int
require_type(Compiler *compiler, const Type *type)
{
    char reason[REASON_MAX];

    if (record_prepare(compiler->library, type, reason) < 0) {
        return PyErr_Occurred() ? -1 : refuse(compiler, "%s", reason);
    }
    return 0;
}

/* The conversion of a pointer result, from the function or through a pointer. */
static int
compile_pointer_result(Compiler *compiler, Argument *argument, const Type *type, const char *what)
{
    char spelling[128], reason[REASON_MAX];

    argument->type = type->target;
    switch (type->target->kind) {
    case TYPE_CHAR:
        return CONVERT_STRING;
    case TYPE_VOID:
        return CONVERT_ADDRESS;
    case TYPE_STRUCT:
        return require_type(compiler, type->target) < 0 ? -1 : CONVERT_HANDLE;
    case TYPE_FUNCTION:
        argument->callback = compile(compiler->library, type->target->prototype, NULL, -1, false, reason);
        if (argument->callback == NULL) {
            return PyErr_Occurred() ? -1 : refuse(compiler, "%s: %.900s", what, reason);
        }
        return CONVERT_FUNCTION;
    default:
        type_spell(type, NULL, spelling, sizeof spelling);
        return refuse(compiler, "%s has the type \"%s\", which says nothing of how many items there are: use void * or "
                                "plugin_out", what, spelling);
    }
}

/* Whether symbols are looked for when they are needed first: before anything is loaded, as an interface is compared
 * then, and while types are made under a lock, as looking waits for the loader's lock. */
static bool
may_not_look(const LibraryObject *library)
{
    return library->handle == NULL || once_is_mine(&library->state->making);
}

/* A destructor is called by us with the object and, if it takes one, a plugin_error. */
static int
set_release(Compiler *compiler, const Prototype *prototype, const char *name)
{
    Release *release = &compiler->signature->release;

    release->overlaps = (prototype->words & (WORD_BLOCKING | WORD_THREADSAFE)) != 0;
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
    const Field *member = scope_complete(compiler->library->scope, type->record, reason) == 0 ? destructor_member(type->record) : NULL;

    if (destructor != NULL) {
        release->how = RELEASE_FUNCTION;
        release->name = destructor->name;
        if (!may_not_look(compiler->library)) {
            release->function = library_address(compiler->library, destructor->name, false, NULL, reason);
            if (release->function == NULL) {
                return refuse(compiler, "its destructor: %.900s", reason);
            }
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
    release->name = release_name;
    if (release_name != NULL && may_not_look(compiler->library)) {
        return 0;
    }
    /* The process's own free, which a preloaded allocator may have replaced: libc's would be the wrong one then. */
    if (release_name != NULL && strcmp(release_name, "free") != 0) {
        release->function = library_address(compiler->library, release_name, true, NULL, reason);
        return release->function != NULL ? 0 : refuse(compiler, "plugin_free(%s): %.900s", release_name, reason);
    }
    if (conversion == CONVERT_STRING || release_name != NULL) {
        release->function = (void *)(uintptr_t)free;
        release->overlaps = true;
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
        return require_type(compiler, item);
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

/* Many results by pointer: we make the room, as large as the lengths say. */
static int
compile_room(Compiler *compiler, Argument *argument, const Field *field)
{
    Signature *signature = compiler->signature;
    const Type *item = field->type->target;

    if (field->words & WORD_INOUT) {
        return refuse(compiler, "parameter \"%s\": say plugin_inout without plugin_count's buffer, which is written in place",
                      label(field));
    }
    if ((!type_is_scalar(item) && item->kind != TYPE_VOID) || (item->kind == TYPE_CHAR && field->dim_count > 1)) {
        return refuse(compiler, "parameter \"%s\": room for such items is not there in this version", label(field));
    }
    argument->conversion = CONVERT_ROOM;
    signature->has_rooms = true;
    signature->out_count++;
    return 0;
}

static int
compile_callback(Compiler *compiler, Argument *argument, const Field *field)
{
    Signature *signature = compiler->signature;
    char reason[REASON_MAX];

    if (compiler->is_callback) {
        return refuse(compiler, "parameter \"%s\": a function pointer that a callback is given is not there in this version",
                      label(field));
    }
    if (++signature->callback_count > CALLBACKS_MAX) {
        return refuse(compiler, "it takes more than %d callbacks", CALLBACKS_MAX);
    }
    argument->conversion = CONVERT_CALLBACK;
    argument->callback = compile(compiler->library, field->type->target->prototype, NULL, argument->inner, true, reason);
    if (argument->callback == NULL) {
        return PyErr_Occurred() ? -1 : refuse(compiler, "callback \"%s\": %.900s", label(field), reason);
    }
    return 0;
}

static int
compile_pointer(Compiler *compiler, Argument *argument, const Field *field)
{
    const Type *item = field->type->target;

    argument->type = item;
    if (compiler->is_callback && (field->words & (WORD_OUT | WORD_INOUT | WORD_OWNED))) {
        return refuse(compiler, "parameter \"%s\": results by pointer of a callback are not there in this version",
                      label(field));
    }
    if (field->words & (WORD_OUT | WORD_INOUT)) {
        return field->dim_count > 0 ? compile_room(compiler, argument, field) : compile_out(compiler, argument, field);
    }
    if (argument->owned && (item->kind != TYPE_STRUCT || field->dim_count > 0)) {
        return refuse(compiler, "parameter \"%s\": only objects (S *) can be taken over in this version", label(field));
    }
    if (item->kind == TYPE_FUNCTION) {
        return compile_callback(compiler, argument, field);
    }
    if (item->kind == TYPE_CHAR && field->dim_count == 1 && item->is_const && !compiler->is_callback) {
        argument->conversion = CONVERT_TEXT;
        return 0;
    }
    if (type_is_string(item) && field->dim_count == 1) {
        argument->conversion = CONVERT_STRINGS;
        return 0;
    }
    if (item->kind == TYPE_CHAR && item->is_const) {
        argument->conversion = CONVERT_STRING;
        argument->fast = argument->bytes ? FAST_BYTES : FAST_STRING;
        return 0;
    }
    if (item->kind == TYPE_STRUCT && field->dim_count == 0) {
        argument->conversion = CONVERT_HANDLE;
        return require_type(compiler, item);
    }
    if (item->kind == TYPE_VOID && field->dim_count == 0) {
        argument->conversion = CONVERT_ADDRESS;
        return 0;
    }
    if (type_is_scalar(item) || item->kind == TYPE_VOID) {
        argument->conversion = CONVERT_BUFFER;
        argument->items = convert_item_kind(item);
        argument->item_size = (uint8_t)item->size;
        return 0;
    }
    if (!compiler->is_callback && item->kind == TYPE_STRUCT) {
        argument->conversion = CONVERT_BUFFER;
        if (require_type(compiler, item) < 0) {
            return -1;
        }
        if (item->record->state == STRUCT_READY) {     /* not opaque */
            return 0;
        }
    }
    if (compiler->is_callback && item->kind == TYPE_POINTER && item->target->kind == TYPE_STRUCT && field->dim_count == 1) {
        argument->conversion = CONVERT_HANDLES;
        argument->type = item->target;
        return require_type(compiler, item->target);
    }
    return refuse(compiler, "parameter \"%s\": arrays of such items are not there in this version", label(field));
}

/* Which arrays name a parameter as their length: those that tell it, and those that ask for room. */
static void
find_arrays(const Prototype *prototype, int number, bool *told, bool *asked, bool *pointed)
{
    *told = *asked = *pointed = false;
    for (int i = 0; i < prototype->count; i++) {
        const Field *field = &prototype->params[i];

        for (int k = 0; k < field->dim_count; k++) {
            if (field->dims[k].name != NULL && field->dims[k].index == number) {
                *(field->words & WORD_OUT ? asked : told) = true;
                *pointed = *pointed || field->dims[k].pointed;
            }
        }
    }
}

/* A length that a buffer tells is not passed.  One that only rooms name is, and says how large they are; by pointer it
 * comes back as the size of the room's result.  Returns whether the argument was such a hidden one. */
static bool
compile_length(Compiler *compiler, Argument *argument, int number)
{
    const Type *type = argument->type;
    bool told, asked, pointed;

    find_arrays(compiler->signature->prototype, number, &told, &asked, &pointed);
    if (told) {
        argument->conversion = pointed ? CONVERT_CAPACITY : CONVERT_LENGTH;
        argument->type = pointed ? type->target : type;
        compiler->signature->has_lengths = true;
        compiler->signature->out_count += pointed;
        return true;
    }
    if (asked && pointed) {
        argument->conversion = CONVERT_OUT;
        argument->result = CONVERT_SCALAR;
        argument->type = type->target;
        argument->both = argument->silent = true;
        return true;
    }
    return false;
}

static int
compile_kind(Compiler *compiler, Argument *argument, const Field *field, int number)
{
    Signature *signature = compiler->signature;

    if (compile_length(compiler, argument, number)) {
        return compiler->is_callback && argument->conversion != CONVERT_LENGTH
                   ? refuse(compiler, "lengths that a callback gives back are not there in this version") : 0;
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
        ready_grade(argument, field->type);
        return require_type(compiler, field->type);
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
    argument->retained = (field->words & WORD_RETAINED) != 0;
    signature->has_retained = signature->has_retained || argument->retained || argument->owned;
    if (argument->conversion == CONVERT_DATA || number == signature->data) {
        argument->conversion = CONVERT_DATA;
    } else if (is_self) {
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
        ready_grade(result, prototype->result);
        if (result->fast == FAST_FLOAT || (result->fast == FAST_INTEGER && (result->type->size < 8 || !result->type->is_signed))) {
            result->fast = FAST_NOT;       /* what comes back must be widened first */
        }
        return require_type(compiler, prototype->result);
    }
    conversion = compile_pointer_result(compiler, result, prototype->result, "the result");
    if (conversion < 0) {
        return -1;
    }
    result->conversion = (uint8_t)conversion;
    result->fast = conversion == CONVERT_STRING ? FAST_STRING : FAST_NOT;
    if (compiler->is_callback) {
        return conversion != CONVERT_FUNCTION && (!result->owned || conversion == CONVERT_STRING)
                   ? 0 : refuse(compiler, "a callback that hands over such a pointer is not there in this version");
    }
    signature->is_simple = signature->is_simple && !result->owned && conversion == CONVERT_STRING;
    return find_owner(compiler, result, conversion, prototype->release, "the result");
}

/* A callable is called with arguments only where an entry point finds them. */
static int
check_whole(Compiler *compiler)
{
    const Signature *signature = compiler->signature;

    if (signature->is_destructor &&
        (signature->count == 0 || (signature->arguments[0].conversion != CONVERT_SELF &&
                                   signature->arguments[0].conversion != CONVERT_HANDLE))) {
        return refuse(compiler, "it is a plugin_destructor, but takes no object first");
    }
    if (compiler->is_callback && signature->stack > CALLBACK_STACK) {
        return refuse(compiler, "it is given more than %d words of arguments on the stack", CALLBACK_STACK);
    }
    return 0;
}

static Signature *
compile(LibraryObject *library, const Prototype *prototype, const Struct *self, int data, bool is_callback,
        char reason[REASON_MAX])
{
    Signature *signature = PyMem_Calloc(1, sizeof *signature + (size_t)prototype->count * sizeof(Argument));
    Compiler compiler = {.library = library, .signature = signature, .is_callback = is_callback, .reason = reason};
    int failed;

    reason[0] = '\0';
    if (signature == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    signature->library = library;
    signature->prototype = prototype;
    signature->count = (uint8_t)prototype->count;
    signature->data = (int8_t)data;
    signature->is_simple = true;
    signature->is_destructor = (prototype->words & WORD_DESTRUCTOR) != 0;
    signature->is_blocking = (prototype->words & WORD_BLOCKING) != 0 && !is_callback;
    signature->is_exclusive = (prototype->words & (WORD_BLOCKING | WORD_THREADSAFE)) == 0;
    if (!is_callback) {
        signature_pair(signature);
    }
    failed = is_callback || tenant_may_call(library, prototype, reason) ? compile_result(&compiler) : -1;
    for (int i = 0; i < prototype->count && failed == 0; i++) {
        failed = compile_parameter(&compiler, i, i == 0 && takes_self(prototype, self));
    }
    signature->is_simple = signature->is_simple && !signature->is_destructor && !signature->has_retained;
    if (failed < 0 || check_whole(&compiler) < 0) {
        signature_free(signature);
        return NULL;
    }
    callback_grade(signature);
    scalars_plan(signature);
    return signature;
}

Signature *
signature_compile(LibraryObject *library, const Prototype *prototype, const Struct *self, char reason[REASON_MAX])
{
    return compile(library, prototype, self, -1, false, reason);
}

Signature *
signature_compile_callback(LibraryObject *library, const Prototype *prototype, int data, char reason[REASON_MAX])
{
    return compile(library, prototype, NULL, data, true, reason);
}

Signature *
signature_compile_incoming(LibraryObject *library, const Prototype *prototype, const Struct *self, char reason[REASON_MAX])
{
    return compile(library, prototype, self, -1, true, reason);
}

void
signature_free(Signature *signature)
{
    if (signature == NULL) {
        return;
    }
    for (int i = 0; i < signature->count; i++) {
        signature_free(signature->arguments[i].callback);
    }
    signature_free(signature->result.callback);
    PyMem_Free((void *)(uintptr_t)signature->declared);
    if (!signature->is_shared) {
        PyMem_Free((void *)(uintptr_t)signature->parameters);
    }
    PyMem_Free(signature);
}

/* How another plugin that declares the same struct releases it: by its own destructor. */
static int __attribute__((noinline))
release_of(const Signature *signature, LibraryObject *library, Release *release)
{
    Signature other = {.library = library};
    char reason[REASON_MAX];
    Compiler compiler = {.library = library, .signature = &other, .reason = reason};
    int failed;

    reason[0] = '\0';
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

int
signature_release(const Signature *signature, LibraryObject *library, Release *release)
{
    if (library == signature->library || signature->release.how != RELEASE_FUNCTION) {
        *release = signature->release;
        return 0;
    }
    return release_of(signature, library, release);
}
