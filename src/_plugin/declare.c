/* The grammar of C declarations, second half: declarators, parameters, members, and whole texts.
 * Specifiers are specify.c's concern, names scope.c's. */
#include "parse.h"

#include <stdio.h>
#include <string.h>

static void read_declarator(Parser *parser, Specifiers *specifiers, Declarator *declarator);

/* ------------------------------------------------------------------ declarators */

/* `[...]`: an array whose length is a constant, a name, or not given.  The last two are for parameters only: the
 * length's name stands in `name`, "" if there is none. */
static const Type *
read_array(Parser *parser, const Type *item)
{
    Type *type = parse_type(parser, TYPE_ARRAY, item);

    lex_expect(parser, "[");
    while (skip_noise(parser) || lex_accept(parser, "static") || lex_accept(parser, "const")) {
    }
    if (lex_is(parser, "]")) {
        type->name = "";
    } else if (parser->token.kind == TOKEN_NAME &&
               scope_constant(parser, parser->token.start, parser->token.size) == NULL) {
        type->name = parse_copy(parser, parser->token.start, parser->token.size);
        lex_next(parser);
    } else {
        int64_t length = parse_constant(parser);

        if (length < 0 || length > INT32_MAX) {
            parse_fail_near(parser, "an array has a negative or enormous length");
        }
        type->length = (size_t)length;
    }
    lex_expect(parser, "]");
    return type;
}

/* Array suffixes bind from left to right: the last one is the innermost item. */
static const Type *
read_arrays(Parser *parser, const Type *item)
{
    Type *array;

    if (!lex_is(parser, "[")) {
        return item;
    }
    lex_enter(parser);
    array = (Type *)(uintptr_t)read_array(parser, item);
    array->target = read_arrays(parser, item);
    lex_leave(parser);
    return array;
}

/* A parameter's array is a pointer to its first item; the extents become dims. */
static void
adjust_array(Parser *parser, Declarator *declarator)
{
    const Type *type = declarator->type;
    int count = 0;

    if (type->kind != TYPE_ARRAY) {
        return;
    }
    if (declarator->dim_count > 0) {
        parse_fail_near(parser, "an array with plugin_count says its length twice");
    }
    for (; type->kind == TYPE_ARRAY; type = type->target) {
        bool given = type->name == NULL || *type->name != '\0';

        if (count == DIMS_MAX) {
            parse_fail_near(parser, "more than %d dimensions", DIMS_MAX);
        }
        if (given) {
            declarator->dims[count++] = (Dim){.name = type->name, .constant = type->length};
        } else if (type != declarator->type || type->target->kind == TYPE_ARRAY) {
            parse_fail_near(parser, "an array of several dimensions needs all its lengths");
        }
    }
    declarator->dim_count = count;
    declarator->words |= count > 0 ? WORD_COUNT : 0;
    declarator->type = parse_pointer(parser, type);
}

static void
set_field(Parser *parser, Field *field, const Declarator *declarator, unsigned words)
{
    field->name = declarator->name;
    field->type = declarator->type;
    field->words = words;
    field->dim_count = declarator->dim_count;
    if (declarator->dim_count > 0) {
        size_t size = (size_t)declarator->dim_count * sizeof(Dim);

        field->dims = memcpy(parse_alloc(parser, size), declarator->dims, size);
    }
}

static void
read_param(Parser *parser, Field *param, int number)
{
    Specifiers specifiers = read_specifiers(parser);
    Declarator declarator;

    if (specifiers.is_typedef) {
        parse_fail_near(parser, "typedef has no place in a parameter");
    }
    read_declarator(parser, &specifiers, &declarator);
    adjust_array(parser, &declarator);
    if (declarator.type->kind == TYPE_FUNCTION) {
        declarator.type = parse_pointer(parser, declarator.type);
    }
    set_field(parser, param, &declarator, declarator.words | (specifiers.words_taken ? 0 : specifiers.words));
    rule_param(parser, param, number);
}

/* A lone `void` in brackets: no parameters. */
static bool
is_void_list(Parser *parser)
{
    Parser saved = *parser;
    bool found = lex_accept(parser, "void") && lex_is(parser, ")");

    if (!found) {
        parser->cursor = saved.cursor;
        parser->token = saved.token;
    }
    return found;
}

static void
refuse_doubles(Parser *parser, const Field *params, int count)
{
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < i; j++) {
            if (params[i].name != NULL && params[j].name != NULL && strcmp(params[i].name, params[j].name) == 0) {
                parse_fail(parser, "two parameters have the name \"%s\"", params[i].name);
            }
        }
    }
}

/* `words` stood among the stars of the result. */
static const Type *
read_function(Parser *parser, Specifiers *specifiers, const Type *result, unsigned words)
{
    Type *type = parse_type(parser, TYPE_FUNCTION, NULL);
    Prototype *prototype = parse_alloc(parser, sizeof *prototype);
    Field params[PARAMS_MAX];

    memset(params, 0, sizeof params);
    lex_enter(parser);
    lex_expect(parser, "(");
    if (!lex_is(parser, ")") && !is_void_list(parser)) {
        do {
            if (lex_accept(parser, "...")) {
                prototype->varargs = true;
                break;
            }
            if (prototype->count == PARAMS_MAX) {
                parse_fail_near(parser, "more than %d parameters", PARAMS_MAX);
            }
            read_param(parser, &params[prototype->count], prototype->count + 1);
            prototype->count++;
        } while (lex_accept(parser, ","));
    }
    lex_expect(parser, ")");
    lex_leave(parser);
    refuse_doubles(parser, params, prototype->count);
    rule_dims(parser, params, prototype->count, "parameter");
    prototype->result = result;
    prototype->words = words;
    if (!specifiers->words_taken) {
        prototype->words |= specifiers->words;
        prototype->release = specifiers->release;
        specifiers->words_taken = true;
    }
    if (prototype->count > 0) {
        size_t size = (size_t)prototype->count * sizeof *params;

        prototype->params = memcpy(parse_alloc(parser, size), params, size);
    }
    type->prototype = prototype;
    return type;
}

/* Whether the bracket that is current opens a declarator, not a list of parameters. */
static bool
opens_declarator(Parser *parser)
{
    Parser saved = *parser;
    bool found;

    lex_next(parser);
    while (skip_noise(parser)) {
    }
    found = lex_is(parser, "*") || lex_is(parser, "(");
    if (!found && parser->token.kind == TOKEN_NAME) {
        lex_next(parser);
        found = lex_accept(parser, ")") && (lex_is(parser, "(") || lex_is(parser, "["));
    }
    parser->cursor = saved.cursor;
    parser->token = saved.token;
    return found;
}

/* The declarator at the current token, with `base` around it.  Brackets bind tighter than what stands around them, and
 * are read first: the type around them is a hole until it has been read. */
static void
read_nested(Parser *parser, Specifiers *specifiers, const Type *base, Declarator *declarator)
{
    Type *hole = NULL;
    unsigned words = 0;

    lex_enter(parser);
    for (;;) {
        if (lex_accept(parser, "*")) {
            base = parse_pointer(parser, base);
        } else if (lex_accept(parser, "const") || lex_accept(parser, "__const")) {
            base = parse_const(parser, base);
        } else if (!skip_noise(parser) && !read_word(parser, &words, NULL, declarator)) {
            break;
        }
    }
    if (lex_is(parser, "(") && opens_declarator(parser)) {
        lex_next(parser);
        hole = parse_type(parser, TYPE_VOID, NULL);
        read_nested(parser, specifiers, hole, declarator);
        lex_expect(parser, ")");
    } else if (parser->token.kind == TOKEN_NAME) {
        declarator->name = parse_copy(parser, parser->token.start, parser->token.size);
        declarator->name_at = parser->token.start;
        lex_next(parser);
    }
    if (lex_is(parser, "(")) {
        base = read_function(parser, specifiers, base, words);
    } else {
        declarator->words |= words;
        base = read_arrays(parser, base);
    }
    if (hole != NULL) {
        *hole = *base;
    } else {
        declarator->type = base;
    }
    lex_leave(parser);
}

static void measure(Parser *parser, const Type *type);

/* How deep and how large the types in `type` are; each adds itself. */
static void
measure_part(Parser *parser, const Type *part, int *depth, int *parts)
{
    measure(parser, part);
    *depth = part->depth >= *depth ? part->depth + 1 : *depth;
    *parts += part->parts > 0 ? part->parts : 1;
    if (*depth > TYPE_DEPTH_MAX || *parts > TYPE_PARTS_MAX) {
        parse_fail_near(parser, "typedefs build up a type that is too large");
    }
}

/* Guard the functions that walk a type.  What it is made of was measured before, so this goes no deeper than the text. */
static void
measure(Parser *parser, const Type *type)
{
    const Prototype *prototype = type->prototype;
    int depth = 1, parts = 1;

    if (type->depth > 0 || (type->target == NULL && prototype == NULL)) {
        return;
    }
    if (type->target != NULL) {
        measure_part(parser, type->target, &depth, &parts);
    }
    if (prototype != NULL) {
        measure_part(parser, prototype->result, &depth, &parts);
    }
    for (int i = 0; prototype != NULL && i < prototype->count; i++) {
        measure_part(parser, prototype->params[i].type, &depth, &parts);
    }
    ((Type *)(uintptr_t)type)->depth = (uint16_t)depth;
    ((Type *)(uintptr_t)type)->parts = (uint16_t)parts;
}

static void
read_declarator(Parser *parser, Specifiers *specifiers, Declarator *declarator)
{
    memset(declarator, 0, sizeof *declarator);
    read_nested(parser, specifiers, specifiers->type, declarator);
    measure(parser, declarator->type);
    while (skip_noise(parser) || read_word(parser, &declarator->words, NULL, declarator)) {
    }
}

/* ------------------------------------------------------------------ structs */

/* The members between the braces, without their offsets. */
static Field *
read_members(Parser *parser, int *count)
{
    Field *members = NULL;

    *count = 0;
    while (!lex_is(parser, "}")) {
        const Specifiers base = read_specifiers(parser);

        do {
            Specifiers specifiers = base;
            Declarator declarator;

            read_declarator(parser, &specifiers, &declarator);
            if (lex_is(parser, ":")) {
                parse_fail(parser, "member \"%s\" is a bit-field, which plugin cannot lay out",
                           declarator.name != NULL ? declarator.name : "");
            }
            if (*count == MEMBERS_MAX) {
                parse_fail(parser, "a struct has more than %d members", MEMBERS_MAX);
            }
            members = parse_grow(parser, members, *count, sizeof *members);
            set_field(parser, &members[*count], &declarator,
                      declarator.words | (specifiers.words_taken ? 0 : specifiers.words));
            rule_member(parser, &members[*count]);
            ++*count;
        } while (lex_accept(parser, ","));
        lex_expect(parser, ";");
    }
    return members;
}

static void
lay_out(Parser *parser, Struct *record, Field *members, int count)
{
    size_t offset = 0, align = 1;

    for (int i = 0; i < count; i++) {
        size_t own = type_align(members[i].type), size = type_size(members[i].type);

        offset = (offset + own - 1) / own * own;
        members[i].offset = offset;
        align = own > align ? own : align;
        if (__builtin_add_overflow(offset, size, &offset) || offset > INT32_MAX) {
            parse_fail(parser, "struct \"%s\" is larger than 2 GiB", record->name);
        }
    }
    record->size = (offset + align - 1) / align * align;
    record->align = align;
    if (record->record != NULL && (record->size != record->record->size || align != record->record->align)) {
        parse_fail(parser,
                   "struct \"%s\" has %u bytes aligned to %u by the plugin's compiler, but %zu aligned to %zu by its "
                   "declaration",
                   record->name, record->record->size, record->record->align, record->size, align);
    }
}

void
declare_struct_body(Parser *parser, Struct *record)
{
    const char *start = parser->token.start;
    Field *members;
    int count;

    scope_open_struct(parser->scope, record);
    lex_enter(parser);
    lex_expect(parser, "{");
    members = read_members(parser, &count);
    record->text = parse_normalise(parser, start, parser->cursor);
    lex_expect(parser, "}");
    lex_leave(parser);
    while (skip_noise(parser)) {
    }
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < i; j++) {
            if (strcmp(members[i].name, members[j].name) == 0) {
                parse_fail(parser, "struct \"%s\" has two members \"%s\"", record->name, members[i].name);
            }
        }
    }
    rule_dims(parser, members, count, "member");
    lay_out(parser, record, members, count);
    record->members = members;
    record->count = count;
    scope_close_struct(parser->scope, record);
}

/* ------------------------------------------------------------------ whole texts */

static void
finish_declaration(Parser *parser, const Specifiers *specifiers, const Declarator *declarator, Declaration *declaration)
{
    const char *name = declarator->name != NULL ? declarator->name : "";
    const Type *function = type_function(declarator->type);

    declaration->name = declarator->name;
    declaration->type = declarator->type;
    declaration->words = declarator->words | (specifiers->words_taken ? 0 : specifiers->words);
    if (function != NULL) {
        rule_function(parser, function, name);
        rule_result_words(parser, function->prototype);
    }
    if (declarator->type->kind == TYPE_FUNCTION) {
        rule_words(parser, declarator->words, 0, "behind a function");
        return;
    }
    if (declarator->type->kind != TYPE_VOID || declarator->name != NULL) {
        parse_require_shape(parser, declarator->type, "variable", name);
    }
    for (const Type *type = declarator->type; type->kind == TYPE_ARRAY; type = type->target) {
        if (type->name != NULL) {
            parse_fail(parser, "variable \"%s\" is an array of no constant length \"%.80s\"", name, type->name);
        }
    }
    rule_words(parser, declaration->words, WORD_NULLABLE | WORD_BYTES, "on a variable");
    if (declaration->words != 0 && declarator->type->kind != TYPE_POINTER) {
        parse_fail(parser, "%s stands on \"%s\", which is not a pointer", word_name(declaration->words), name);
    }
}

/* A typedef names a struct or enum that has no tag. */
static void
name_nameless(const Type *type, const char *name)
{
    if (type->kind == TYPE_STRUCT && *type->record->name == '\0') {
        type->record->name = name;
        ((Type *)(uintptr_t)type)->name = name;
    } else if (type->kind == TYPE_ENUM && type->enumeration->name == NULL) {
        ((Enum *)(uintptr_t)type->enumeration)->name = name;
        ((Type *)(uintptr_t)type)->name = name;
    }
}

static void
declare_statement(Parser *parser)
{
    const char *start = parser->token.start;
    const Specifiers base = read_specifiers(parser);

    if (lex_accept(parser, ";")) {
        return;
    }
    do {
        Specifiers specifiers = base;
        Declarator declarator;
        Entry entry = {.kind = base.is_typedef ? ENTRY_TYPEDEF : ENTRY_DECLARATION};

        read_declarator(parser, &specifiers, &declarator);
        if (declarator.name == NULL) {
            parse_fail_near(parser, "expected a name");
        }
        entry.name = declarator.name;
        if (base.is_typedef) {
            rule_words(parser, declarator.words | (specifiers.words_taken ? 0 : specifiers.words), 0, "in a typedef");
            name_nameless(declarator.type, declarator.name);
            entry.type = declarator.type;
        } else {
            finish_declaration(parser, &specifiers, &declarator, &entry.declaration);
            entry.declaration.text = parse_copy(parser, start, (size_t)(parser->token.start - start));
        }
        scope_add(parser, &entry);
    } while (lex_accept(parser, ","));
    if (parser->token.kind != TOKEN_END) {
        lex_expect(parser, ";");
    }
}

void
declare_all(Parser *parser)
{
    while (parser->token.kind != TOKEN_END) {
        if (!lex_accept(parser, ";")) {
            declare_statement(parser);
        }
    }
}

void
declare_one(Parser *parser, Declaration *declaration)
{
    const char *start = parser->token.start;
    Specifiers specifiers = read_specifiers(parser);
    Declarator declarator;

    if (specifiers.is_typedef) {
        parse_fail(parser, "expected a function, a variable or a type, not a typedef");
    }
    read_declarator(parser, &specifiers, &declarator);
    parser->name_at = declarator.name_at;
    declaration->text = parser->lasts && *parser->token.start == '\0'
                            ? start : parse_copy(parser, start, (size_t)(parser->token.start - start));
    finish_declaration(parser, &specifiers, &declarator, declaration);
    lex_accept(parser, ";");
    if (parser->token.kind != TOKEN_END) {
        parse_fail_near(parser, "expected the end of the declaration");
    }
}
