/* What the host declares in a plugin's scope: texts that are tried in a copy first, so that one that fails leaves nothing. */
#include "parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
one_declaration(Parser *parser, void *context)
{
    declare_one(parser, context);
}

/* ------------------------------------------------------------------ trying */

/* A scope that knows what `scope` knows. */
static Scope *
copy_scope(const Scope *scope)
{
    Scope *copy = scope_new(scope->facts);

    if (copy != NULL) {
        copy->abi = scope->abi;
        copy->char_is_signed = scope->char_is_signed;
        scope_prepare(copy);
    }
    for (HostText *text = scope->first; text != NULL && copy != NULL; text = text->next) {
        char reason[REASON_MAX];
        Declaration unused = {0};

        if (scope_read(copy, text->text, reason, text->reading, &unused) < 0) {
            scope_free(copy);
            copy = NULL;           /* memory is short: the text was read before */
        }
    }
    return copy;
}

/* Read `text` in a copy, which the caller frees with whatever was read.  NULL with `reason`. */
static Scope *
try_text(Scope *scope, const char *text, char reason[REASON_MAX], Reading reading, void *context)
{
    Scope *trial = copy_scope(scope);

    snprintf(reason, REASON_MAX, "out of memory");
    if (trial != NULL && scope_read(trial, text, reason, reading, context) < 0) {
        scope_free(trial);
        trial = NULL;
    }
    return trial;
}

/* Read a text that was tried before, and keep it for later trials if it added anything. */
static int
accept_text(Scope *scope, const char *text, char reason[REASON_MAX], Reading reading, void *context)
{
    HostText *kept = malloc(sizeof *kept + strlen(text) + 1);
    size_t before;

    scope_prepare(scope);
    before = scope->changes;
    snprintf(reason, REASON_MAX, "out of memory");
    if (kept == NULL || scope_read(scope, text, reason, reading, context) < 0) {
        free(kept);
        return -1;
    }
    if (scope->changes == before) {
        free(kept);
        return 0;
    }
    strcpy(kept->text, text);
    kept->reading = reading;
    kept->next = NULL;
    *scope->last = kept;
    scope->last = &kept->next;
    if (scope->tables != NULL) {
        memset(scope->tables->types, 0, sizeof scope->tables->types);      /* their names may have a meaning now */
    }
    pattern_forget(&scope->patterns);
    return 0;
}

/* ------------------------------------------------------------------ declarations and types */

static int
declare(Scope *scope, const char *text, char reason[REASON_MAX])
{
    Scope *trial;

    reason[0] = '\0';
    for (const HostText *known = scope->first; known != NULL; known = known->next) {
        if (known->reading == scope_all && strcmp(known->text, text) == 0) {
            return 0;              /* a host that opens a plugin again declares again */
        }
    }
    trial = try_text(scope, text, reason, scope_all, NULL);
    if (trial == NULL) {
        return -1;
    }
    scope_free(trial);
    return accept_text(scope, text, reason, scope_all, NULL);
}

int
scope_declare(Scope *scope, const char *text, char reason[REASON_MAX])
{
    int failed;

    scope_lock();
    failed = declare(scope, text, reason);
    scope_unlock();
    return failed;
}

static void
keep_type(Scope *scope, const char *text, const Declaration *declaration)
{
    Tables *tables = scope_make_tables(scope);
    Entry *entry = arena_alloc(&scope->arena, sizeof *entry);
    char *copy = arena_alloc(&scope->arena, strlen(text) + 1);

    if (tables != NULL && entry != NULL && copy != NULL) {
        Entry **bucket = &tables->types[scope_bucket(text, strlen(text)) % FEW_BUCKETS];

        *entry = (Entry){.kind = ENTRY_DECLARATION, .name = strcpy(copy, text), .declaration = *declaration, .next = *bucket};
        *bucket = entry;
    }
}

static int
find_type(Scope *scope, const char *text, Declaration *declaration, char reason[REASON_MAX])
{
    const size_t bucket = scope_bucket(text, strlen(text)) % FEW_BUCKETS;
    Scope *trial;

    for (const Entry *entry = scope->tables != NULL ? scope->tables->types[bucket] : NULL; entry != NULL; entry = entry->next) {
        if (strcmp(entry->name, text) == 0) {
            *declaration = entry->declaration;
            return 0;
        }
    }
    memset(declaration, 0, sizeof *declaration);
    trial = try_text(scope, text, reason, one_declaration, declaration);
    if (trial == NULL) {
        return -1;
    }
    scope_free(trial);
    memset(declaration, 0, sizeof *declaration);
    if (accept_text(scope, text, reason, one_declaration, declaration) < 0) {
        return -1;
    }
    keep_type(scope, text, declaration);
    return 0;
}

int
scope_read_type(Scope *scope, const char *text, Declaration *declaration, char reason[REASON_MAX])
{
    int failed;

    scope_lock();
    failed = find_type(scope, text, declaration, reason);
    scope_unlock();
    return failed;
}

static int
compare(Scope *scope, const char *text, const Declaration *declared, char reason[REASON_MAX])
{
    Declaration asserted = {0};
    Scope *trial = try_text(scope, text, reason, one_declaration, &asserted);
    int equal;

    if (trial == NULL) {
        return -1;
    }
    if (asserted.name != NULL && declared->name != NULL && strcmp(asserted.name, declared->name) != 0) {
        snprintf(reason, REASON_MAX, "\"%.400s\" declares another name", text);
        equal = -1;
    } else {
        equal = type_equal(declared->type, asserted.type, type_has_words(asserted.type));
    }
    scope_free(trial);
    return equal;
}

int
scope_compare(Scope *scope, const char *text, const Declaration *declared, char reason[REASON_MAX])
{
    int equal;

    scope_lock();
    equal = compare(scope, text, declared, reason);
    scope_unlock();
    return equal;
}
