/* The rules of declarations: which words may stand where, what can be called, what can be laid out. */
#include "parse.h"

#include <stdio.h>
#include <string.h>

void
rule_words(Parser *parser, unsigned words, unsigned allowed, const char *place)
{
    if (words & ~allowed) {
        parse_fail(parser, "%s has no meaning %s", word_name(words & ~allowed), place);
    }
}


static const char *
refuse_value(const Type *type)
{
    return type->kind == TYPE_STRUCT ? "by value, which registers cannot carry: pass a pointer" : NULL;
}

static int
rule_callable(const Prototype *prototype, char reason[REASON_MAX])
{
    int integers = 0, floats = 0, stack;

    if (prototype->varargs) {
        snprintf(reason, REASON_MAX, "it takes variable arguments (...), which plugin does not call");
        return -1;
    }
    if (refuse_value(prototype->result) != NULL) {
        snprintf(reason, REASON_MAX, "it returns struct %s %s", prototype->result->name, refuse_value(prototype->result));
        return -1;
    }
    for (int i = 0; i < prototype->count; i++) {
        const Field *param = &prototype->params[i];

        if (refuse_value(param->type) != NULL) {
            snprintf(reason, REASON_MAX, "parameter \"%s\" is a struct %s %s", param->name != NULL ? param->name : "",
                     param->type->name, refuse_value(param->type));
            return -1;
        }
        *(param->type->kind == TYPE_FLOAT ? &floats : &integers) += 1;
    }
    stack = (integers > CALL_INTEGERS ? integers - CALL_INTEGERS : 0) + (floats > CALL_FLOATS ? floats - CALL_FLOATS : 0);
    if (stack > CALL_STACK) {
        snprintf(reason, REASON_MAX, "it takes %d words of arguments on the stack; plugin passes %d", stack, CALL_STACK);
        return -1;
    }
    return 0;
}

void
rule_function(Parser *parser, const Type *type, const char *name)
{
    char reason[REASON_MAX];

    if (type->prototype->result->kind != TYPE_VOID) {
        parse_require_shape(parser, type->prototype->result, "the result of", name);
    }
    if (rule_callable(type->prototype, reason) < 0) {
        parse_fail(parser, *name != '\0' ? "\"%s\" cannot be called: %.800s" : "%sit cannot be called: %.800s", name, reason);
    }
}

void
rule_result_words(Parser *parser, const Prototype *prototype)
{
    const unsigned on_pointer = WORD_OWNED | WORD_NULLABLE | WORD_BYTES;

    rule_words(parser, prototype->words,
                 WORD_OWNED | WORD_FREE | WORD_DESTRUCTOR | WORD_BYTES | WORD_BLOCKING | WORD_THREADSAFE | WORD_NULLABLE,
                 "before a result");
    if ((prototype->words & on_pointer) && prototype->result->kind != TYPE_POINTER) {
        parse_fail(parser, "%s stands before a result that is not a pointer", word_name(prototype->words & on_pointer));
    }
}

void
rule_param(Parser *parser, const Field *param, int number)
{
    char name[64];
    bool is_pointer = param->type->kind == TYPE_POINTER;

    snprintf(name, sizeof name, "%s", param->name != NULL ? param->name : "");
    if (*name == '\0') {
        snprintf(name, sizeof name, "%d", number);
    }
    parse_require_shape(parser, param->type, "parameter", name);
    rule_words(parser, param->words,
                 WORD_COUNT | WORD_OUT | WORD_INOUT | WORD_NULLABLE | WORD_OWNED | WORD_RETAINED | WORD_BYTES,
                 "on a parameter");
    if (param->words != 0 && !is_pointer) {
        parse_fail(parser, "%s stands on the parameter \"%s\", which is not a pointer", word_name(param->words), name);
    }
    if ((param->words & WORD_OUT) && (param->words & WORD_INOUT)) {
        parse_fail(parser, "parameter \"%s\" is both plugin_out and plugin_inout", name);
    }
    if ((param->words & (WORD_OUT | WORD_INOUT)) && param->type->target->is_const) {
        parse_fail(parser, "parameter \"%s\" is a result, and const", name);
    }
}

void
rule_member(Parser *parser, const Field *member)
{
    const Type *function = type_function(member->type);

    if (member->name == NULL) {
        parse_fail_near(parser, "a member of a struct has no name");
    }
    parse_require_shape(parser, member->type, "member", member->name);
    for (const Type *type = member->type; type->kind == TYPE_ARRAY; type = type->target) {
        if (type->name != NULL) {
            parse_fail(parser, "member \"%s\" is an array of no constant length \"%.80s\", which has no place in a layout",
                       member->name, type->name);
        }
    }
    rule_words(parser, member->words, WORD_COUNT | WORD_NULLABLE | WORD_BYTES | WORD_OWNED | WORD_RETAINED,
                 "on a member");
    if (member->words != 0 && member->type->kind != TYPE_POINTER) {
        parse_fail(parser, "%s stands on the member \"%s\", which is not a pointer", word_name(member->words),
                   member->name);
    }
    if (function != NULL) {
        rule_function(parser, function, member->name);
        rule_result_words(parser, function->prototype);
    }
}

/* Find the parameters or members that the extents name. */
void
rule_dims(Parser *parser, Field *fields, int count, const char *what)
{
    for (int i = 0; i < count; i++) {
        Dim *dims = (Dim *)(uintptr_t)fields[i].dims;

        for (int k = 0; k < fields[i].dim_count; k++) {
            const Type *type;

            dims[k].index = -1;
            for (int j = 0; j < count && dims[k].name != NULL; j++) {
                if (fields[j].name != NULL && strcmp(fields[j].name, dims[k].name) == 0) {
                    dims[k].index = j;
                }
            }
            if (dims[k].name == NULL) {
                continue;
            }
            if (dims[k].index < 0) {
                parse_fail(parser, "the length \"%s\" is no %s of this declaration", dims[k].name, what);
            }
            type = fields[dims[k].index].type;
            if (dims[k].pointed ? type->kind != TYPE_POINTER || type->target->kind != TYPE_INTEGER ||
                                      !(fields[dims[k].index].words & WORD_INOUT)
                                : type->kind != TYPE_INTEGER) {
                parse_fail(parser, "the length \"%s\" is %s", dims[k].name,
                           dims[k].pointed ? "no plugin_inout pointer to an integer" : "no integer");
            }
        }
    }
}
