/* A fuzz target for the declaration parser, which knows no Python.
 *
 * An input is a list of texts, each behind a mark that C does not have and the letter of what it is: @D @E @S @F @V are
 * records of a plugin, @d a text of the host's, @t a type of the host's.  A record's name is the first word of its text
 * before a colon: "@Fmean:double mean(const double *x, size_t n)".
 * `make fuzz` builds and runs it. */
#include "../tests/native/own_records.h"
#include "../tests/native/require.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A refusal has a reason. */
static void
require_reason(const char *reason)
{
    require(reason[0] != '\0' && memchr(reason, '\0', REASON_MAX) != NULL, "a refusal has a reason");
    require(strcmp(reason, "out of memory") != 0, "memory is not short");
}

static void
walk_type(Scope *scope, const Type *type)
{
    char spelling[REASON_MAX], reason[REASON_MAX];

    type_spell(type, NULL, spelling, sizeof spelling);
    type_spell(type, "name", spelling, sizeof spelling);
    require(type_equal(type, type, true), "a type equals itself");
    type_has_words(type);
    for (int i = 0; type->kind == TYPE_FUNCTION && i < type->prototype->count; i++) {
        walk_type(scope, type->prototype->params[i].type);
    }
    while (type->kind == TYPE_POINTER || type->kind == TYPE_ARRAY) {
        type = type->target;
    }
    if (type->kind == TYPE_STRUCT) {
        scope_destructor(scope, type->name);
        if (scope_complete(scope, type->record, reason) == 0) {
            char *key = scope_struct_key(scope, type->record);

            require(key != NULL, "a complete struct has a key");
            free(key);
        }
    }
}

static void
read_type(Scope *scope, const char *text)
{
    char reason[REASON_MAX];
    Declaration declaration;

    if (scope_read_type(scope, text, &declaration, reason) < 0) {
        require_reason(reason);
    } else {
        walk_type(scope, declaration.type);
    }
}

/* What is spelled of a type is read as the same type, where no typedef gives its names another meaning. */
static void
round_trip(const char *text)
{
    char first[REASON_MAX], second[REASON_MAX], reason[REASON_MAX];
    Scope *scope = scope_new(NULL);
    Declaration declaration, again;

    if (scope != NULL && scope_read_type(scope, text, &declaration, reason) == 0) {
        type_spell(declaration.type, "name", first, sizeof first);
        if (strlen(first) < 200 && scope_read_type(scope, first, &again, reason) == 0) {
            type_spell(again.type, "name", second, sizeof second);
            if (strcmp(first, second) != 0) {
                fprintf(stderr, "spelled \"%s\", then \"%s\"\n", first, second);
                require(false, "spelling is a fixpoint");
            }
        }
    }
    scope_free(scope);
}

static int
count_name(void *context, const char *name, RecordKind kind)
{
    (void)name;
    (void)kind;
    ++*(size_t *)context;
    return 0;
}

/* What was read of a function, or of another one that is alike, is what its own text says. */
static void
require_own(Scope *scope, const Declaration *declaration)
{
    char reason[REASON_MAX];

    if (scope_compare(scope, declaration->text, declaration, reason) == 0) {
        fprintf(stderr, "\"%s\" was read as something else\n", declaration->text);
        require(false, "a function is what its text declares");
    }
}

static int
find_name(void *scope, const char *name, RecordKind kind)
{
    char reason[REASON_MAX];
    Declaration declaration;

    (void)kind;
    if (scope_find(scope, name, &declaration, reason)) {
        require(strcmp(declaration.name, name) == 0, "what is found has the name");
        walk_type(scope, declaration.type);
        if (declaration.recorded) {
            require_own(scope, &declaration);
        }
    } else {
        require_reason(reason);
    }
    return 0;
}

static void
declare(Scope *scope, const char *text)
{
    char reason[REASON_MAX];
    size_t before = 0, after = 0;

    scope_each(scope, count_name, &before);
    if (scope_declare(scope, text, reason) < 0) {
        require_reason(reason);
        scope_each(scope, count_name, &after);
        require(before == after, "what failed declared nothing");
        return;
    }
    require(scope_declare(scope, ";", reason) == 0, "what was accepted is read again as it was");
}

static RecordKind
kind_of(char letter)
{
    switch (letter) {
    case 'D':
        return RECORD_DECLARE;
    case 'E':
        return RECORD_ENUM;
    case 'S':
        return RECORD_STRUCT;
    case 'F':
        return RECORD_FUNC;
    default:
        return letter == 'V' ? RECORD_VAR : 0;
    }
}

static void
play(FileFacts *facts, char *const *texts, size_t count)
{
    Scope *scope = scope_new(facts);

    if (scope == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (*texts[i] == 'd') {
            declare(scope, texts[i] + 1);
        } else if (*texts[i] == 't') {
            read_type(scope, texts[i] + 1);
            round_trip(texts[i] + 1);
        }
    }
    scope_each(scope, find_name, scope);
    scope_free(scope);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *input = malloc(size + 1), *at, *texts[RECORDS_MAX];
    Record records[RECORDS_MAX];
    FileFacts facts = {.records = records};
    size_t count = 0;

    memcpy(input, data, size);
    input[size] = '\0';
    for (at = strtok(input, "@"); at != NULL && count + facts.record_count < RECORDS_MAX; at = strtok(NULL, "@")) {
        RecordKind kind = kind_of(*at);
        char *colon = strchr(at, ':');

        if (kind != 0 && colon != NULL) {
            *colon = '\0';
            records[facts.record_count++] = (Record){.kind = kind, .name = at + 1, .text = colon + 1, .size = 8, .align = 8};
        } else {
            texts[count++] = at;
        }
    }
    play(&facts, texts, count);
    free(input);
    return 0;
}
