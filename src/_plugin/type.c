/* C types: the scalars of this machine, equality and spelling.  What a declaration means, not how it is read. */
#include "parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#define SCALAR(kind_, signed_, c_type, spelling) \
    {.kind = (kind_), .is_signed = (signed_), .size = sizeof(c_type), .align = _Alignof(c_type), .name = (spelling)}
#define INTEGER(c_type, spelling) SCALAR(TYPE_INTEGER, (c_type)-1 < (c_type)1, c_type, spelling)

const Type type_void = {.kind = TYPE_VOID, .name = "void"};
const Type type_int = INTEGER(int, "int");

static const Type chars[] = {
    SCALAR(TYPE_CHAR, false, char, "char"),
    SCALAR(TYPE_CHAR, true, char, "char"),
};

/* Spellings of one type stand in one row; the first is how it is written back.  Fixed widths keep their names,
 * so that messages speak the author's language; equality looks at size and sign alone. */
static const Type scalars[] = {
    SCALAR(TYPE_BOOL, false, bool, "bool"),
    INTEGER(signed char, "signed char"),
    INTEGER(unsigned char, "unsigned char"),
    INTEGER(short, "short"),
    INTEGER(unsigned short, "unsigned short"),
    INTEGER(int, "int"),
    INTEGER(unsigned int, "unsigned int"),
    INTEGER(long, "long"),
    INTEGER(unsigned long, "unsigned long"),
    INTEGER(long long, "long long"),
    INTEGER(unsigned long long, "unsigned long long"),
    SCALAR(TYPE_FLOAT, true, float, "float"),
    SCALAR(TYPE_FLOAT, true, double, "double"),
    INTEGER(int8_t, "int8_t"), INTEGER(uint8_t, "uint8_t"),
    INTEGER(int16_t, "int16_t"), INTEGER(uint16_t, "uint16_t"),
    INTEGER(int32_t, "int32_t"), INTEGER(uint32_t, "uint32_t"),
    INTEGER(int64_t, "int64_t"), INTEGER(uint64_t, "uint64_t"),
    INTEGER(int_least8_t, "int_least8_t"), INTEGER(uint_least8_t, "uint_least8_t"),
    INTEGER(int_least16_t, "int_least16_t"), INTEGER(uint_least16_t, "uint_least16_t"),
    INTEGER(int_least32_t, "int_least32_t"), INTEGER(uint_least32_t, "uint_least32_t"),
    INTEGER(int_least64_t, "int_least64_t"), INTEGER(uint_least64_t, "uint_least64_t"),
    INTEGER(int_fast8_t, "int_fast8_t"), INTEGER(uint_fast8_t, "uint_fast8_t"),
    INTEGER(int_fast16_t, "int_fast16_t"), INTEGER(uint_fast16_t, "uint_fast16_t"),
    INTEGER(int_fast32_t, "int_fast32_t"), INTEGER(uint_fast32_t, "uint_fast32_t"),
    INTEGER(int_fast64_t, "int_fast64_t"), INTEGER(uint_fast64_t, "uint_fast64_t"),
    INTEGER(intmax_t, "intmax_t"), INTEGER(uintmax_t, "uintmax_t"),
    INTEGER(intptr_t, "intptr_t"), INTEGER(uintptr_t, "uintptr_t"),
    INTEGER(size_t, "size_t"), INTEGER(ssize_t, "ssize_t"), INTEGER(ptrdiff_t, "ptrdiff_t"),
    INTEGER(wchar_t, "wchar_t"), INTEGER(uint_least16_t, "char16_t"), INTEGER(uint_least32_t, "char32_t"),
    INTEGER(off_t, "off_t"), INTEGER(time_t, "time_t"), INTEGER(clock_t, "clock_t"),
    INTEGER(pid_t, "pid_t"), INTEGER(uid_t, "uid_t"), INTEGER(gid_t, "gid_t"), INTEGER(mode_t, "mode_t"),
};

/* Types that C has and no register call can pass; known by name, so that the refusal can say it. */
static const Type refused[] = {
    {.kind = TYPE_REFUSED, .name = "long double"},
    {.kind = TYPE_REFUSED, .name = "_Complex"},
    {.kind = TYPE_REFUSED, .name = "va_list"},
    {.kind = TYPE_REFUSED, .name = "__int128"},
    {.kind = TYPE_REFUSED, .name = "_Float16"},
    {.kind = TYPE_REFUSED, .name = "_Float128"},
    {.kind = TYPE_REFUSED, .name = "__float128"},
    {.kind = TYPE_REFUSED, .name = "_Decimal64"},
};

static bool
is_named(const Type *type, const char *name, size_t size)
{
    return strlen(type->name) == size && memcmp(type->name, name, size) == 0;
}

const Type *
type_scalar(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        if (is_named(&scalars[i], name, size)) {
            return &scalars[i];
        }
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (is_named(&refused[i], name, size)) {
            return &refused[i];
        }
    }
    return size == 4 && memcmp(name, "void", 4) == 0 ? &type_void : NULL;
}

const Type *
type_char(bool is_signed)
{
    return &chars[is_signed];
}

/* The size of a type that require_shape let pass; a struct's is known only once it has been read. */
size_t
type_size(const Type *type)
{
    if (type->kind == TYPE_STRUCT) {
        return type->record->size;
    }
    return type->kind == TYPE_ARRAY ? type->length * type_size(type->target) : type->size;
}

size_t
type_align(const Type *type)
{
    if (type->kind == TYPE_STRUCT) {
        return type->record->align;
    }
    return type->kind == TYPE_ARRAY ? type_align(type->target) : type->align;
}

bool
type_is_scalar(const Type *type)
{
    return type->kind >= TYPE_BOOL && type->kind <= TYPE_ENUM;
}

bool
type_is_string(const Type *type)
{
    return type->kind == TYPE_POINTER && type->target->kind == TYPE_CHAR;
}

bool
type_is_error(const Type *type)
{
    return type->kind == TYPE_POINTER && type->target->kind == TYPE_STRUCT &&
           strcmp(type->target->name, "plugin_error") == 0;
}

const Type *
type_function(const Type *type)
{
    if (type->kind == TYPE_POINTER) {
        type = type->target;
    }
    return type->kind == TYPE_FUNCTION ? type : NULL;
}

/* ------------------------------------------------------------------ words */

static const char *const words[] = {
    "plugin_count", "plugin_out", "plugin_inout", "plugin_nullable", "plugin_owned", "plugin_free",
    "plugin_destructor", "plugin_bytes", "plugin_blocking", "plugin_threadsafe", "plugin_retained",
};

const char *
word_name(unsigned word)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (word & (1u << i)) {
            return words[i];
        }
    }
    return "no word";
}

bool
type_has_words(const Type *type)
{
    const Prototype *prototype = type->prototype;

    if (type->kind == TYPE_POINTER || type->kind == TYPE_ARRAY) {
        return type_has_words(type->target);
    }
    if (type->kind != TYPE_FUNCTION) {
        return false;
    }
    if (prototype->words != 0) {
        return true;
    }
    for (int i = 0; i < prototype->count; i++) {
        if (prototype->params[i].words != 0 || type_has_words(prototype->params[i].type)) {
            return true;
        }
    }
    return type_has_words(prototype->result);
}

/* ------------------------------------------------------------------ equality */

static bool
names_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
dims_equal(const Field *a, const Field *b)
{
    if (a->dim_count != b->dim_count) {
        return false;
    }
    for (int i = 0; i < a->dim_count; i++) {
        const Dim *x = &a->dims[i], *y = &b->dims[i];

        if ((x->name == NULL) != (y->name == NULL) || x->index != y->index || x->constant != y->constant ||
            x->pointed != y->pointed) {
            return false;
        }
    }
    return true;
}

/* Blocking and threadsafe say how to call, not what: the host may add them. */
static bool
words_equal(unsigned a, unsigned b)
{
    return ((a ^ b) & ~(unsigned)(WORD_BLOCKING | WORD_THREADSAFE)) == 0;
}

static bool
prototypes_equal(const Prototype *a, const Prototype *b, bool with_words)
{
    if (a->count != b->count || a->varargs != b->varargs || !type_equal(a->result, b->result, with_words)) {
        return false;
    }
    if (with_words && (!words_equal(a->words, b->words) || !names_equal(a->release, b->release))) {
        return false;
    }
    for (int i = 0; i < a->count; i++) {
        const Field *x = &a->params[i], *y = &b->params[i];

        if (!type_equal(x->type, y->type, with_words) ||
            (with_words && (x->words != y->words || !dims_equal(x, y)))) {
            return false;
        }
    }
    return true;
}

static bool
shallow_equal(const Type *a, const Type *b)
{
    return a->kind == b->kind && a->size == b->size && a->is_signed == b->is_signed && a->length == b->length;
}

bool
type_equal(const Type *a, const Type *b, bool with_words)
{
    if (a == b) {
        return true;
    }
    if (!shallow_equal(a, b)) {
        return false;
    }
    switch (a->kind) {
    case TYPE_POINTER:
    case TYPE_ARRAY:
        return a->target->is_const == b->target->is_const && type_equal(a->target, b->target, with_words);
    case TYPE_STRUCT:
        return a->record == b->record || (strcmp(a->record->name, b->record->name) == 0 &&
                                          (a->record->text == NULL || b->record->text == NULL ||
                                           strcmp(a->record->text, b->record->text) == 0));
    case TYPE_ENUM:
    case TYPE_REFUSED:
        return names_equal(a->name, b->name);
    case TYPE_FUNCTION:
        return prototypes_equal(a->prototype, b->prototype, with_words);
    default:
        return true;
    }
}

/* ------------------------------------------------------------------ spelling */

typedef struct {
    char *buffer;
    size_t size, used;             /* bytes; used may pass size when the text is cut */
    bool bare;                     /* the type alone: no names of parameters, no words */
} Writer;

static void __attribute__((format(printf, 2, 3)))
put(Writer *writer, const char *format, ...)
{
    va_list arguments;
    size_t left = writer->used < writer->size ? writer->size - writer->used : 0;
    int count;

    va_start(arguments, format);
    count = vsnprintf(left > 0 ? writer->buffer + writer->used : NULL, left, format, arguments);
    va_end(arguments);
    writer->used += count > 0 ? (size_t)count : 0;
}

static void put_type(Writer *writer, const Type *type, const char *inner);

static void
put_words(Writer *writer, unsigned set, const char *blank)
{
    for (unsigned bit = WORD_NULLABLE; bit <= WORD_RETAINED; bit <<= 1) {
        if ((set & bit) && bit != WORD_FREE) {
            put(writer, "%s%s", word_name(bit), blank);
        }
    }
}

static void
put_field_words(Writer *writer, const Field *field)
{
    if (field->dim_count > 0) {
        put(writer, " plugin_count(");
        for (int i = 0; i < field->dim_count; i++) {
            const Dim *dim = &field->dims[i];

            put(writer, i > 0 ? ", " : "");
            if (dim->name != NULL) {
                put(writer, "%s%s", dim->pointed ? "*" : "", dim->name);
            } else {
                put(writer, "%zu", dim->constant);
            }
        }
        put(writer, ")");
    }
    for (unsigned bit = WORD_OUT; bit <= WORD_RETAINED; bit <<= 1) {
        if (field->words & bit) {
            put(writer, " %s", word_name(bit));
        }
    }
}

static void
put_params(Writer *writer, const Prototype *prototype)
{
    put(writer, "(");
    for (int i = 0; i < prototype->count; i++) {
        const Field *param = &prototype->params[i];

        put(writer, i > 0 ? ", " : "");
        put_type(writer, param->type, param->name != NULL && !writer->bare ? param->name : "");
        if (!writer->bare) {
            put_field_words(writer, param);
        }
    }
    put(writer, prototype->varargs ? prototype->count > 0 ? ", ...)" : "...)" : prototype->count > 0 ? ")" : "void)");
}

/* C's declarators are inside out: what the name stands in is built up in `inner` on the way to the base. */
static void
put_pointer(Writer *writer, const Type *type, const char *inner)
{
    char text[256];
    const Type *target = type->target;
    const char *blank = type->is_const && *inner != '\0' ? " " : "";

    if (target->kind == TYPE_FUNCTION || target->kind == TYPE_ARRAY) {
        snprintf(text, sizeof text, "(*%s%s%s)", type->is_const ? "const" : "", blank, inner);
    } else {
        snprintf(text, sizeof text, "*%s%s%s", type->is_const ? "const" : "", blank, inner);
    }
    put_type(writer, target, text);
}

static void
put_function(Writer *writer, const Prototype *prototype, const char *inner)
{
    char text[REASON_MAX];
    Writer within = {text, sizeof text, 0, writer->bare};

    put(&within, "%s", inner);
    put_params(&within, prototype);
    if (writer->bare) {
        put_type(writer, prototype->result, text);
        return;
    }
    put_words(writer, prototype->words & ~(unsigned)(prototype->release != NULL ? WORD_OWNED : 0), " ");
    if (prototype->release != NULL) {
        put(writer, "plugin_free(%s) ", prototype->release);
    }
    put_type(writer, prototype->result, text);
}

static void
put_type(Writer *writer, const Type *type, const char *inner)
{
    char text[256];

    switch (type->kind) {
    case TYPE_POINTER:
        put_pointer(writer, type, inner);
        return;
    case TYPE_ARRAY:
        if (type->name != NULL) {
            snprintf(text, sizeof text, "%s[%s]", inner, type->name);
        } else {
            snprintf(text, sizeof text, "%s[%zu]", inner, type->length);
        }
        put_type(writer, type->target, text);
        return;
    case TYPE_FUNCTION:
        put_function(writer, type->prototype, inner);
        return;
    default:
        put(writer, "%s%s", type->is_const ? "const " : "", type->name != NULL ? type->name : "enum");
        put(writer, "%s%s", *inner != '\0' ? " " : "", inner);
    }
}

void
type_spell(const Type *type, const char *name, char *buffer, size_t size)
{
    Writer writer = {buffer, size, 0, name == NULL};

    buffer[0] = '\0';
    put_type(&writer, type, name != NULL ? name : "");
}
