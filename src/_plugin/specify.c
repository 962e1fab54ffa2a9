/* The grammar of C declarations, first half: words, attributes and specifiers, with enums and the heads of structs.
 * Declarators are declare.c's concern, names scope.c's. */
#include "parse.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ types */

Type *
parse_type(Parser *parser, TypeKind kind, const Type *target)
{
    Type *type = parse_alloc(parser, sizeof *type);

    type->kind = kind;
    type->target = target;
    return type;
}

const Type *
parse_const(Parser *parser, const Type *type)
{
    Type *copy;

    if (type->is_const || type->kind == TYPE_FUNCTION) {
        return type;
    }
    copy = parse_alloc(parser, sizeof *copy);
    *copy = *type;
    copy->is_const = true;
    return copy;
}

Type *
parse_pointer(Parser *parser, const Type *target)
{
    Type *type = parse_type(parser, TYPE_POINTER, target);

    type->size = sizeof(void *);
    type->align = _Alignof(void *);
    return type;
}

/* Fail unless a value of that type can be laid out: `what` says where it stands. */
void
parse_require_shape(Parser *parser, const Type *type, const char *what, const char *name)
{
    char reason[REASON_MAX];
    char spelling[128];

    if (type->kind == TYPE_REFUSED || type->kind == TYPE_VOID || type->kind == TYPE_FUNCTION) {
        type_spell(type, NULL, spelling, sizeof spelling);
        parse_fail(parser, "%s \"%s\" has the type \"%s\", which plugin cannot lay out or pass", what, name, spelling);
    }
    if (type->kind == TYPE_ARRAY) {
        size_t size;

        parse_require_shape(parser, type->target, what, name);
        if (__builtin_mul_overflow(type->length, type_size(type->target), &size) || size > INT32_MAX) {
            parse_fail(parser, "%s \"%s\" is larger than 2 GiB", what, name);
        }
    }
    if (type->kind == TYPE_STRUCT && scope_complete(parser->scope, type->record, reason) < 0) {
        if (*reason == '\0') {
            type_spell(type, NULL, spelling, sizeof spelling);
            parse_fail(parser, "%s \"%s\" has the unknown type \"%s\": declare it with PLUGIN_DECLARE or PLUGIN_STRUCT",
                       what, name, spelling);
        }
        parse_fail(parser, "%s \"%s\": %.800s", what, name, reason);
    }
}

/* ------------------------------------------------------------------ words and attributes */

static void
read_dims(Parser *parser, Declarator *declarator)
{
    if (declarator == NULL || declarator->dim_count > 0) {
        parse_fail_near(parser, "plugin_count has no place here");
    }
    lex_expect(parser, "(");
    do {
        Dim *dim = &declarator->dims[declarator->dim_count];

        if (declarator->dim_count++ == DIMS_MAX) {
            parse_fail_near(parser, "more than %d dimensions", DIMS_MAX);
        }
        dim->pointed = lex_accept(parser, "*");
        if (parser->token.kind == TOKEN_NAME &&
            scope_constant(parser, parser->token.start, parser->token.size) == NULL) {
            dim->name = parse_copy(parser, parser->token.start, parser->token.size);
            lex_next(parser);
        } else {
            int64_t count = parse_constant(parser);

            if (count < 0 || dim->pointed) {
                parse_fail_near(parser, "plugin_count takes a parameter's name or a count");
            }
            dim->constant = (size_t)count;
        }
    } while (lex_accept(parser, ","));
    lex_expect(parser, ")");
}

/* Read a word of ours if one stands here.  `declarator` is NULL among the specifiers. */
bool
read_word(Parser *parser, unsigned *words, const char **release, Declarator *declarator)
{
    const Token token = parser->token;

    if (token.kind != TOKEN_NAME || token.size < 7 || memcmp(token.start, "plugin_", 7) != 0 ||
        lex_is(parser, "plugin_error") || lex_is(parser, "plugin_init")) {
        return false;
    }
    for (unsigned bit = 1; bit <= WORD_RETAINED; bit <<= 1) {
        if (!lex_is(parser, word_name(bit))) {
            continue;
        }
        lex_next(parser);
        *words |= bit;
        if (bit == WORD_COUNT) {
            read_dims(parser, declarator);
        } else if (bit == WORD_FREE) {
            lex_expect(parser, "(");
            if (parser->token.kind != TOKEN_NAME || release == NULL) {
                parse_fail_near(parser, "plugin_free(f) stands before a result and names a function");
            }
            *release = parse_copy(parser, parser->token.start, parser->token.size);
            *words |= WORD_OWNED;
            lex_next(parser);
            lex_expect(parser, ")");
        }
        return true;
    }
    if (scope_abi(parser->scope) == 0) {
        parse_fail(parser, "\"%.*s\" is no word of plugin", token.size > 80 ? 80 : (int)token.size, token.start);
    }
    parse_fail(parser, "the word \"%.*s\" is not known to this version of plugin (ABI %d.%d); the file was built for %u.%u",
               token.size > 80 ? 80 : (int)token.size, token.start, ABI_MAJOR, ABI_MINOR,
               (unsigned)(scope_abi(parser->scope) >> 16), (unsigned)(scope_abi(parser->scope) & 0x7fff));
}

/* Step over the brackets of an attribute, whose content is not ours but for what changes a layout.  Returns whether there
 * was none. */
static bool
skip_attribute(Parser *parser, const char *open, const char *close)
{
    static const char *const refused[] = {"packed", "__packed__", "aligned", "__aligned__", "vector_size",
                                          "__vector_size__", "mode", "__mode__", "ms_abi", "sysv_abi", "regparm"};
    bool is_empty = true;
    int depth = 0;

    do {
        if (lex_is(parser, open)) {
            depth++;
        } else if (lex_is(parser, close)) {
            depth--;
        } else if (parser->token.kind == TOKEN_END) {
            parse_fail_near(parser, "an attribute has no end");
        } else {
            is_empty = false;
        }
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
            if (lex_is(parser, refused[i])) {
                parse_fail(parser, "the attribute \"%s\" changes a layout or a call in a way that plugin does not follow",
                           refused[i]);
            }
        }
        lex_next(parser);
    } while (depth > 0);
    return is_empty;
}

/* Attributes, and the words of C that change nothing for a caller. */
bool
skip_noise(Parser *parser)
{
    static const char *const noise[] = {"restrict", "__restrict", "__restrict__", "volatile", "__volatile__", "inline",
                                        "__inline", "__inline__", "register", "static", "extern", "_Noreturn", "noreturn",
                                        "__extension__", "noexcept"};

    for (size_t i = 0; i < sizeof noise / sizeof *noise; i++) {
        if (lex_accept(parser, noise[i])) {
            return true;
        }
    }
    if (parser->token.kind == TOKEN_STRING && parser->token.size == 3 && parser->token.start[1] == 'C') {
        lex_next(parser);          /* of extern "C" */
        return true;
    }
    if (lex_accept(parser, "__attribute__") || lex_accept(parser, "__attribute")) {
        if (skip_attribute(parser, "(", ")")) {
            parse_fail(parser, "a word of plugin was expanded before it was stored, by a macro around this declaration: "
                               "write the PLUGIN_ macro directly, or pass the words through unexpanded");
        }
        return true;
    }
    if (lex_is(parser, "[") && parser->cursor[0] == '[') {
        skip_attribute(parser, "[", "]");
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ specifiers */

/* The words of which C makes its arithmetic types, counted. */
typedef struct {
    int is_signed, is_unsigned, is_short, is_long, is_int, is_char;
} Arithmetic;

static bool
read_arithmetic(Parser *parser, Arithmetic *seen)
{
    struct {
        const char *word;
        int *count;
    } words[] = {
        {"signed", &seen->is_signed}, {"__signed__", &seen->is_signed}, {"unsigned", &seen->is_unsigned},
        {"short", &seen->is_short}, {"long", &seen->is_long}, {"int", &seen->is_int}, {"char", &seen->is_char},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (lex_accept(parser, words[i].word)) {
            ++*words[i].count;
            return true;
        }
    }
    return false;
}

static const Type *
arithmetic_type(Parser *parser, const Arithmetic *seen)
{
    char name[64];
    bool sane = seen->is_signed + seen->is_unsigned <= 1 && seen->is_short <= 1 && seen->is_long <= 2 &&
                seen->is_int <= 1 && seen->is_char <= 1 && !(seen->is_short && seen->is_long) &&
                !(seen->is_char && (seen->is_short || seen->is_long || seen->is_int));

    if (!sane) {
        parse_fail_near(parser, "these words do not make a type");
    }
    if (seen->is_char && !seen->is_signed && !seen->is_unsigned) {
        return type_char(scope_char_is_signed(parser->scope));
    }
    snprintf(name, sizeof name, "%s%s", seen->is_unsigned ? "unsigned " : seen->is_char ? "signed " : "",
             seen->is_char       ? "char"
             : seen->is_short    ? "short"
             : seen->is_long > 1 ? "long long"
             : seen->is_long     ? "long"
                                 : "int");
    return type_scalar(name, strlen(name));
}

/* The enumerators between the braces; each becomes a constant of the scope at once, as the next may use it. */
static void
read_enumerators(Parser *parser, Enum *enumeration)
{
    Enumerator *items = NULL;
    int64_t value = 0;
    bool overflow = false;
    int count = 0;

    while (!lex_is(parser, "}")) {
        Entry entry = {.kind = ENTRY_CONSTANT};

        if (parser->token.kind != TOKEN_NAME) {
            parse_fail_near(parser, "expected the name of an enumerator");
        }
        items = parse_grow(parser, items, count, sizeof *items);
        entry.name = parse_copy(parser, parser->token.start, parser->token.size);
        lex_next(parser);
        if (lex_accept(parser, "=")) {
            value = parse_constant(parser);
        } else if (overflow) {
            parse_fail(parser, "the enumerator \"%.80s\" does not fit 64 bits", entry.name);
        }
        items[count++] = (Enumerator){entry.name, value};
        entry.value = value;
        scope_add(parser, &entry);
        overflow = __builtin_add_overflow(value, 1, &value);
        if (!lex_accept(parser, ",") && !lex_is(parser, "}")) {
            parse_fail_near(parser, "expected \",\" or \"}\" in an enum");
        }
    }
    enumeration->count = count;
    enumeration->enumerators = items;
}

/* The integer type of an enum as gcc and clang choose it: unsigned unless a value is negative, 4 bytes if it fits. */
static void
choose_enum_type(Type *type, const Enum *enumeration)
{
    int64_t least = 0, most = 0;

    for (int i = 0; i < enumeration->count; i++) {
        int64_t value = enumeration->enumerators[i].value;

        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    type->kind = TYPE_ENUM;
    type->enumeration = enumeration;
    type->name = enumeration->name;
    type->is_signed = least < 0;
    type->size = least < INT32_MIN || most > (least < 0 ? INT32_MAX : UINT32_MAX) ? 8 : 4;
    type->align = type->size;
}

/* `enum` was read. */
/* The name behind `struct` or `enum`: what is spelled without those words must not read as something else. */
static Token
read_tag(Parser *parser)
{
    static const char *const keywords[] = {
        "_Bool", "char", "const", "double", "enum", "extern", "float", "inline", "int", "long", "register", "restrict",
        "short", "signed", "static", "struct", "typedef", "union", "unsigned", "void", "volatile",
    };
    const Token tag = parser->token;

    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (lex_is(parser, keywords[i])) {
            parse_fail_near(parser, "a keyword of C is no name of a type");
        }
    }
    lex_next(parser);
    return tag;
}

static const Type *
read_enum(Parser *parser)
{
    Enum *enumeration;
    Type *type;
    Entry entry = {.kind = ENTRY_TAG};

    while (skip_noise(parser)) {
    }
    enumeration = parse_alloc(parser, sizeof *enumeration);
    if (parser->token.kind == TOKEN_NAME) {
        const Token tag = read_tag(parser);

        if (!lex_is(parser, "{")) {
            return scope_type(parser, tag.start, tag.size, true);
        }
        enumeration->name = parse_copy(parser, tag.start, tag.size);
    }
    lex_expect(parser, "{");
    read_enumerators(parser, enumeration);
    lex_expect(parser, "}");
    type = parse_type(parser, TYPE_ENUM, NULL);
    choose_enum_type(type, enumeration);
    if (enumeration->name != NULL) {
        entry.name = enumeration->name;
        entry.type = type;
        scope_add(parser, &entry);
    }
    return type;
}

/* A struct without a tag: a typedef may name it later. */
static Struct *
nameless_struct(Parser *parser, const Type **type)
{
    Type *made = parse_type(parser, TYPE_STRUCT, NULL);

    made->record = parse_alloc(parser, sizeof *made->record);
    made->record->name = made->name = "";
    *type = made;
    return made->record;
}

/* `struct` was read. */
static const Type *
read_struct(Parser *parser)
{
    char reason[REASON_MAX];
    const Type *type;
    Struct *record;

    while (skip_noise(parser)) {
    }
    if (parser->token.kind == TOKEN_NAME) {
        const Token tag = read_tag(parser);

        if (!lex_is(parser, "{")) {
            return scope_type(parser, tag.start, tag.size, true);
        }
        record = scope_struct(parser, tag.start, tag.size, &type);
    } else {
        record = nameless_struct(parser, &type);
    }
    if (record->state == STRUCT_READING) {
        parse_fail(parser, "struct \"%s\" contains itself", record->name);
    }
    if (record->record != NULL && scope_complete(parser->scope, record, reason) < 0) {
        parse_fail(parser, "%s", reason);      /* the plugin's own declaration comes first */
    }
    if (record->state == STRUCT_READY) {
        Struct *again = parse_alloc(parser, sizeof *again);

        again->name = record->name;
        declare_struct_body(parser, again);
        if (strcmp(again->text, record->text) != 0) {
            parse_fail(parser, "struct \"%.80s\" is declared twice: \"%.400s\" and \"%.400s\"", record->name,
                       record->text, again->text);
        }
        return type;
    }
    declare_struct_body(parser, record);
    return type;
}

static const Type *
read_base(Parser *parser)
{
    const Type *type;
    Token token = parser->token;

    if (lex_accept(parser, "struct")) {
        return read_struct(parser);
    }
    if (lex_accept(parser, "enum")) {
        return read_enum(parser);
    }
    lex_next(parser);
    if (token.size == 5 && memcmp(token.start, "union", 5) == 0) {
        token = parser->token;
        lex_next(parser);
        if (token.kind != TOKEN_NAME || lex_is(parser, "{")) {
            parse_fail_near(parser, "a union cannot be laid out by plugin");
        }
        return scope_type(parser, token.start, token.size, true);
    }
    if (token.size == 5 && memcmp(token.start, "_Bool", 5) == 0) {
        return type_scalar("bool", 4);
    }
    if (token.size == 17 && memcmp(token.start, "__builtin_va_list", 17) == 0) {
        return type_scalar("va_list", 7);
    }
    type = type_scalar(token.start, token.size);
    if (type != NULL && scope_entry(parser->scope, token.start, token.size, false) == NULL) {
        return type;
    }
    return scope_type(parser, token.start, token.size, false);
}

static const Type *
finish_base(Parser *parser, const Type *base, const Arithmetic *seen, bool is_complex)
{
    static const Arithmetic none;
    bool has_arithmetic = memcmp(seen, &none, sizeof none) != 0;

    if (is_complex) {
        return type_scalar("_Complex", 8);
    }
    if (base != NULL && has_arithmetic) {
        if (seen->is_long == 1 && base == type_scalar("double", 6)) {
            return type_scalar("long double", 11);
        }
        parse_fail_near(parser, "these words do not make a type");
    }
    if (base == NULL && !has_arithmetic) {
        parse_fail_near(parser, "expected a type");
    }
    return has_arithmetic ? arithmetic_type(parser, seen) : base;
}

Specifiers
read_specifiers(Parser *parser)
{
    Specifiers specifiers = {0};
    Arithmetic seen = {0};
    bool is_const = false, is_complex = false, has_arithmetic = false;

    for (;;) {
        if (lex_accept(parser, "const") || lex_accept(parser, "__const")) {
            is_const = true;
        } else if (lex_accept(parser, "typedef")) {
            specifiers.is_typedef = true;
        } else if (lex_accept(parser, "_Complex") || lex_accept(parser, "__complex__")) {
            is_complex = true;
        } else if (lex_is(parser, "_Alignas") || lex_is(parser, "_Atomic") || lex_is(parser, "_Thread_local") ||
                   lex_is(parser, "typeof") || lex_is(parser, "__typeof__") || lex_is(parser, "_BitInt")) {
            parse_fail_near(parser, "this word of C is not understood by plugin");
        } else if (skip_noise(parser) || read_word(parser, &specifiers.words, &specifiers.release, NULL)) {
            continue;
        } else if (read_arithmetic(parser, &seen)) {
            has_arithmetic = true;
        } else if (parser->token.kind == TOKEN_NAME && specifiers.type == NULL &&
                   (!has_arithmetic || lex_is(parser, "double"))) {
            specifiers.type = read_base(parser);
        } else {
            break;
        }
    }
    specifiers.type = finish_base(parser, specifiers.type, &seen, is_complex);
    if (is_const) {
        specifiers.type = parse_const(parser, specifiers.type);
    }
    return specifiers;
}
