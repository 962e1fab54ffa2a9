/* The functions and variables of a scope, by name: what their records say, or the host. */
#include "parse.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ records */

/* One record's declaration, and where its name stands in the text. */
typedef struct {
    const Record *record;
    Declaration declaration;
    const char *name_at;
} Read;

static void
declaration_of_record(Parser *parser, void *context)
{
    Read *read = context;
    Declaration *declaration = &read->declaration;
    const Record *record = read->record;
    bool is_function;

    parser->lasts = true;
    declare_one(parser, declaration);
    read->name_at = parser->name_at;
    is_function = declaration->type->kind == TYPE_FUNCTION;
    if (declaration->name == NULL || strcmp(declaration->name, record->name) != 0 ||
        is_function != (record->kind == RECORD_FUNC)) {
        parse_fail(parser, "its record says \"%.200s\", which declares no %s of that name", record->text,
                   record->kind == RECORD_FUNC ? "function" : "variable");
    }
    if (!is_function && (type_size(declaration->type) != record->size || type_align(declaration->type) > record->align)) {
        parse_fail(parser, "it has %u bytes aligned to %u by the plugin's compiler, but %zu aligned to %zu by its declaration",
                   record->size, record->align, type_size(declaration->type), type_align(declaration->type));
    }
}

/* Read it into `entry`, which the caller may keep. */
static bool
read_record(Scope *scope, const Record *record, Entry *entry, const char **name_at, char reason[REASON_MAX])
{
    Read read = {.record = record, .declaration = {.recorded = true}};

    *entry = (Entry){.kind = ENTRY_DECLARATION, .name = record->name};
    if (scope_read(scope, record->text, reason, declaration_of_record, &read) < 0) {
        entry->failure = arena_alloc(&scope->arena, strlen(reason) + 1);
        if (entry->failure == NULL) {
            return false;
        }
        strcpy(entry->failure, reason);
    }
    entry->declaration = read.declaration;
    *name_at = read.name_at;
    return true;
}

/* The record of that function or variable. */
static bool
find_record(const Scope *scope, const char *name, size_t size, Record *record)
{
    return scope_record(scope, RECORD_FUNC, name, size, record) || scope_record(scope, RECORD_VAR, name, size, record);
}

const Declaration *
declared_find(Scope *scope, const char *name, char reason[REASON_MAX])
{
    size_t size = strlen(name);
    const char *unused;
    Entry *entry, read;
    Record record;

    reason[0] = '\0';
    scope_prepare(scope);
    entry = scope_entry(scope, name, size, false);
    if (entry == NULL) {
        if (!find_record(scope, name, size, &record)) {
            return NULL;
        }
        entry = read_record(scope, &record, &read, &unused, reason) ? scope_insert(scope, &read) : NULL;
        if (entry == NULL) {
            snprintf(reason, REASON_MAX, "out of memory");
            return NULL;
        }
    }
    if (entry->kind != ENTRY_DECLARATION) {
        if (find_record(scope, name, size, &record)) {
            snprintf(reason, REASON_MAX, "it is declared as a type or a constant too");
        }
        return NULL;
    }
    if (entry->failure != NULL) {
        snprintf(reason, REASON_MAX, "%s", entry->failure);
        return NULL;
    }
    return &entry->declaration;
}

/* ------------------------------------------------------------------ functions that are alike */

/* Read the record of a function that no pattern fits.  It is kept as a pattern, or else by its name. */
static Pattern *
read_pattern(Scope *scope, const Record *record, const Cut *cut, char reason[REASON_MAX])
{
    const size_t forgotten = scope->patterns.forgotten;
    const char *name_at;
    Entry entry;

    if (!read_record(scope, record, &entry, &name_at, reason)) {
        return NULL;
    }
    if (entry.failure == NULL && name_at == record->text + cut->before && forgotten == scope->patterns.forgotten &&
        entry.declaration.text == record->text) {
        return pattern_add(&scope->patterns, &scope->arena, cut, entry.declaration.type);
    }
    scope_insert(scope, &entry);
    return NULL;
}

static bool
find(Scope *scope, const char *name, Declaration *found, char reason[REASON_MAX])
{
    const size_t size = strlen(name);
    const Declaration *declaration;
    Record record;
    Cut cut;

    scope_prepare(scope);
    if (scope_entry(scope, name, size, false) == NULL && scope_record(scope, RECORD_FUNC, name, size, &record) &&
        pattern_cut(record.text, name, size, &cut)) {
        Pattern *pattern = pattern_find(&scope->patterns, &cut);

        pattern = pattern != NULL ? pattern : read_pattern(scope, &record, &cut, reason);
        if (pattern != NULL) {
            pattern_declare(pattern, &record, found);
            return true;
        }
    }
    declaration = declared_find(scope, name, reason);
    if (declaration != NULL) {
        *found = *declaration;
    }
    return declaration != NULL;
}

bool
scope_find(Scope *scope, const char *name, Declaration *declaration, char reason[REASON_MAX])
{
    bool found;

    reason[0] = '\0';
    scope_lock();
    found = find(scope, name, declaration, reason);
    scope_unlock();
    return found;
}

/* ------------------------------------------------------------------ walking */

/* Without the lock: what visits may run Python. */
int
scope_each(Scope *scope, int (*visit)(void *context, const char *name, RecordKind kind), void *context)
{
    Records records = scope->facts != NULL ? elf_records(scope->facts, false) : (Records){NULL, 0};
    Tables *tables;
    int stop = 0;

    for (size_t i = 0; i < records.count && stop == 0; i++) {
        const Record *record = &records.items[i];

        if (record->kind == RECORD_FUNC || record->kind == RECORD_VAR) {
            stop = visit(context, record->name, record->kind);
        }
    }
    tables = scope_tables(scope);
    for (size_t i = 0; tables != NULL && i < BUCKETS; i++) {
        const Entry *entry = __atomic_load_n(&tables->names[i], __ATOMIC_ACQUIRE);

        for (; entry != NULL && stop == 0; entry = entry->next) {
            if (entry->kind == ENTRY_DECLARATION && !entry->declaration.recorded) {
                bool is_function = entry->declaration.type->kind == TYPE_FUNCTION;

                stop = visit(context, entry->name, is_function ? RECORD_FUNC : RECORD_VAR);
            }
        }
    }
    return stop;
}

static bool
destroys(const Declaration *declaration, const char *name)
{
    const Prototype *prototype = declaration->type->prototype;
    const Type *type;

    if (declaration->type->kind != TYPE_FUNCTION || !(prototype->words & WORD_DESTRUCTOR) || prototype->count == 0) {
        return false;
    }
    type = prototype->params[0].type;
    return type->kind == TYPE_POINTER && type->target->kind == TYPE_STRUCT && strcmp(type->target->name, name) == 0;
}

static const Declaration *
find_destructor(Scope *scope, const char *name)
{
    Records records = scope->facts != NULL ? elf_records(scope->facts, false) : (Records){NULL, 0};
    const Tables *tables;

    for (size_t i = 0; i < records.count; i++) {
        const Record *record = &records.items[i];

        if (record->kind == RECORD_FUNC && strstr(record->text, "plugin_destructor") != NULL) {
            char reason[REASON_MAX];
            const Declaration *declaration = declared_find(scope, record->name, reason);

            if (declaration != NULL && destroys(declaration, name)) {
                return declaration;
            }
        }
    }
    tables = scope_tables(scope);
    for (size_t i = 0; tables != NULL && i < BUCKETS; i++) {
        for (Entry *entry = tables->names[i]; entry != NULL; entry = entry->next) {
            if (entry->kind == ENTRY_DECLARATION && entry->failure == NULL && destroys(&entry->declaration, name)) {
                return &entry->declaration;
            }
        }
    }
    return NULL;
}

const Declaration *
scope_destructor(Scope *scope, const char *name)
{
    const Declaration *found;

    scope_lock();
    found = find_destructor(scope, name);
    scope_unlock();
    return found;
}
