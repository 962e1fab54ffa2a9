/* What one plugin declares: its types and names, from records that are read when first asked for, and from the host.
 * Functions and variables are declared.c's. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "parse.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ the lock */

/* `mutex` guards what all scopes hold.  One for all of them, so that a fork can wait until nobody has it: with a GIL
 * nobody ever waits, and without one only those who declare or look up something for the first time. */
static pthread_mutex_t mutex;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
make_mutex(void)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

static void
begin(void)
{
    make_mutex();
    pthread_atfork(scope_lock, scope_unlock, make_mutex);      /* the child's thread is not the one that locked it */
}

void
scope_lock(void)
{
    pthread_once(&once, begin);
    pthread_mutex_lock(&mutex);
}

void
scope_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

/* ------------------------------------------------------------------ reading */

/* Leave the structs inside which a reading failed. */
static void
fail_structs(Scope *scope, Struct *outer, const char *reason)
{
    while (scope->reading != outer) {
        Struct *record = scope->reading;

        scope->reading = record->outer;
        record->failure = arena_alloc(&scope->arena, strlen(reason) + 1);
        record->state = record->failure != NULL ? STRUCT_FAILED : STRUCT_FORWARD;
        if (record->failure != NULL) {
            strcpy(record->failure, reason);
        }
    }
}

int
scope_read(Scope *scope, const char *text, char reason[REASON_MAX], Reading reading, void *context)
{
    Parser parser = {.scope = scope, .arena = &scope->arena, .depth = &scope->depth, .reason = reason};
    Struct *const outer = scope->reading;
    const int depth = scope->depth;

    reason[0] = '\0';
    if (setjmp(parser.failed) != 0) {
        scope->depth = depth;
        fail_structs(scope, outer, reason);
        return -1;
    }
    if (strlen(text) > TEXT_MAX) {
        parse_fail(&parser, "the text is longer than %d bytes", TEXT_MAX);
    }
    if (++scope->depth > DEPTH_MAX) {
        parse_fail(&parser, "declarations need each other more than %d deep", DEPTH_MAX);
    }
    lex_start(&parser, text);
    reading(&parser, context);
    scope->depth = depth;
    return 0;
}

void
scope_all(Parser *parser, void *context)
{
    (void)context;
    declare_all(parser);
}

void
scope_open_struct(Scope *scope, Struct *record)
{
    record->state = STRUCT_READING;
    record->outer = scope->reading;
    scope->reading = record;
}

void
scope_close_struct(Scope *scope, Struct *record)
{
    record->state = STRUCT_READY;
    scope->reading = record->outer;
    scope->changes++;
}

/* ------------------------------------------------------------------ tables */

size_t
scope_bucket(const char *name, size_t size)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    }
    return hash & (BUCKETS - 1);
}

Tables *
scope_make_tables(Scope *scope)
{
    Tables *tables = scope->tables;

    if (tables == NULL) {
        tables = arena_alloc(&scope->arena, sizeof *tables);
        __atomic_store_n(&scope->tables, tables, __ATOMIC_RELEASE);
    }
    return tables;
}

static Entry **
bucket_of(Tables *tables, const char *name, size_t size, bool tag)
{
    size_t bucket = scope_bucket(name, size);

    return tag ? &tables->tags[bucket % FEW_BUCKETS] : &tables->names[bucket];
}

Entry *
scope_entry(Scope *scope, const char *name, size_t size, bool tag)
{
    Tables *tables = scope_tables(scope);

    for (Entry *entry = tables != NULL ? *bucket_of(tables, name, size, tag) : NULL; entry != NULL; entry = entry->next) {
        if (strlen(entry->name) == size && memcmp(entry->name, name, size) == 0) {
            return entry;
        }
    }
    return NULL;
}

Entry *
scope_insert(Scope *scope, const Entry *entry)
{
    Tables *tables = scope_make_tables(scope);
    Entry *copy = tables != NULL ? arena_alloc(&scope->arena, sizeof *copy) : NULL;

    if (copy != NULL) {
        Entry **bucket = bucket_of(tables, entry->name, strlen(entry->name), entry->kind == ENTRY_TAG);

        *copy = *entry;
        copy->next = *bucket;
        __atomic_store_n(bucket, copy, __ATOMIC_RELEASE);
        scope->changes++;
        if (entry->kind == ENTRY_TYPEDEF || entry->kind == ENTRY_CONSTANT) {
            pattern_forget(&scope->patterns);      /* the same text may mean another thing now */
        }
    }
    return copy;
}

void
scope_add(Parser *parser, const Entry *entry)
{
    bool tag = entry->kind == ENTRY_TAG;
    size_t size = strlen(entry->name);
    Entry *old = scope_entry(parser->scope, entry->name, size, tag);
    char was[REASON_MAX / 3], is[REASON_MAX / 3];

    if (old == NULL && entry->kind == ENTRY_DECLARATION) {
        char reason[REASON_MAX];

        declared_find(parser->scope, entry->name, reason);
        old = scope_entry(parser->scope, entry->name, size, tag);
    }
    if (old != NULL) {
        if (!entry_equal(old, entry)) {
            entry_describe(old, was, sizeof was);
            entry_describe(entry, is, sizeof is);
            parse_fail(parser, "\"%.80s\" is declared already, and differently: \"%s\", now \"%s\"", entry->name, was, is);
        }
        return;
    }
    if (scope_insert(parser->scope, entry) == NULL) {
        parse_fail(parser, "out of memory");
    }
}

/* ------------------------------------------------------------------ types */

/* What a PLUGIN_DECLARE that names a function or variable of a record made us read of it, when the other names were not
 * all known: it is read again when it is wanted. */
static void
forget_early(Scope *scope)
{
    Tables *tables = scope_tables(scope);

    for (size_t i = 0; tables != NULL && i < BUCKETS; i++) {
        for (Entry **at = &tables->names[i]; *at != NULL;) {
            if ((*at)->kind == ENTRY_DECLARATION && (*at)->declaration.recorded) {
                __atomic_store_n(at, (*at)->next, __ATOMIC_RELEASE);
            } else {
                at = &(*at)->next;
            }
        }
    }
}

/* Read the records that give names to others, once. */
void
scope_prepare(Scope *scope)
{
    if (!scope->prepared) {
        scope->prepared = true;
        naming_list(&scope->namings, &scope->arena, scope->facts);
        naming_read(&scope->namings, scope, &scope->arena);
        forget_early(scope);
    }
}

const Entry *
scope_constant(Parser *parser, const char *name, size_t size)
{
    Entry *entry = scope_entry(parser->scope, name, size, false);

    if (entry == NULL) {
        naming_demand(&parser->scope->namings, parser, name, size);
        entry = scope_entry(parser->scope, name, size, false);
    }
    return entry != NULL && entry->kind == ENTRY_CONSTANT && entry->failure == NULL ? entry : NULL;
}

bool
scope_char_is_signed(const Scope *scope)
{
    return scope->char_is_signed;
}

uint32_t
scope_abi(const Scope *scope)
{
    return scope->abi;
}

bool
scope_record(const Scope *scope, RecordKind kind, const char *name, size_t size, Record *record)
{
    return scope->facts != NULL && elf_find(scope->facts, kind, name, size, record);
}

Struct *
scope_struct(Parser *parser, const char *name, size_t size, const Type **type)
{
    Entry *old = scope_entry(parser->scope, name, size, true);
    Entry entry = {.kind = ENTRY_TAG};
    Record record;
    Type *made;

    if (old != NULL && old->type->kind != TYPE_STRUCT) {
        parse_fail(parser, "\"%.*s\" is an enum, not a struct", size > 80 ? 80 : (int)size, name);
    }
    if (old != NULL) {
        *type = old->type;
        return old->type->record;
    }
    entry.name = parse_copy(parser, name, size);
    entry.type = made = parse_type(parser, TYPE_STRUCT, NULL);
    made->name = entry.name;
    made->record = parse_alloc(parser, sizeof *made->record);
    made->record->name = entry.name;
    if (scope_record(parser->scope, RECORD_STRUCT, name, size, &record)) {
        Record *kept = parse_alloc(parser, sizeof *kept);

        *kept = record;
        made->record->record = kept;
    }
    *type = made;
    scope_add(parser, &entry);
    return made->record;
}

/* The type that is declared by that name, or NULL. */
static const Type *
known_type(Parser *parser, const char *name, size_t size, bool tag)
{
    const Entry *entry = tag ? NULL : scope_entry(parser->scope, name, size, false);

    if (entry != NULL && (entry->kind != ENTRY_TYPEDEF || entry->failure != NULL)) {
        parse_fail(parser, "\"%.80s\" is not a type", entry->name);
    }
    if (entry == NULL) {
        entry = scope_entry(parser->scope, name, size, true);
    }
    return entry != NULL ? entry->type : NULL;
}

const Type *
scope_type(Parser *parser, const char *name, size_t size, bool tag)
{
    const Type *type = known_type(parser, name, size, tag);

    if (type == NULL || type->kind == TYPE_STRUCT) {   /* a struct's tag: a typedef of that name may come later */
        naming_demand(&parser->scope->namings, parser, name, size);
        type = known_type(parser, name, size, tag);
    }
    if (type == NULL) {
        naming_refuse(&parser->scope->namings, parser, name, size);
        scope_struct(parser, name, size, &type);
    }
    return type;
}

static void
struct_of_record(Parser *parser, void *context)
{
    Struct *record = context;

    lex_expect(parser, "struct");
    if (!lex_accept(parser, record->name)) {
        parse_fail_near(parser, "the record of struct \"%s\" has another name", record->name);
    }
    declare_struct_body(parser, record);
    if (parser->token.kind != TOKEN_END) {
        parse_fail_near(parser, "expected the end of the struct");
    }
}

static int
complete(Scope *scope, Struct *record, char reason[REASON_MAX])
{
    reason[0] = '\0';
    switch (record->state) {
    case STRUCT_READY:
        return 0;
    case STRUCT_FAILED:
        snprintf(reason, REASON_MAX, "%s", record->failure);
        return -1;
    case STRUCT_READING:
        snprintf(reason, REASON_MAX, "struct \"%.80s\" contains itself", record->name);
        return -1;
    default:
        break;
    }
    if (record->record == NULL) {
        return -1;
    }
    scope_prepare(scope);
    if (scope_read(scope, record->record->text, reason, struct_of_record, record) < 0) {
        char sentence[REASON_MAX];

        snprintf(sentence, sizeof sentence, "struct \"%.80s\" is not understood: %.800s", record->name, reason);
        memcpy(reason, sentence, REASON_MAX);
        record->failure = arena_alloc(&scope->arena, strlen(reason) + 1);
        record->state = record->failure != NULL ? STRUCT_FAILED : STRUCT_FORWARD;
        if (record->failure != NULL) {
            strcpy(record->failure, reason);
        }
        return -1;
    }
    return 0;
}

int
scope_complete(Scope *scope, Struct *record, char reason[REASON_MAX])
{
    int failed;

    scope_lock();
    failed = complete(scope, record, reason);
    scope_unlock();
    return failed;
}

bool
scope_equal(const Type *a, const Type *b, bool words)
{
    bool equal;

    scope_lock();
    equal = type_equal(a, b, words);
    scope_unlock();
    return equal;
}

/* ------------------------------------------------------------------ life */

Scope *
scope_new(const FileFacts *facts)
{
    const Record *header = facts != NULL ? facts->header : NULL;
    Scope *scope = calloc(1, sizeof *scope);

    if (scope != NULL) {
        scope->facts = facts;
        scope->abi = header != NULL ? header->size : 0;
        scope->char_is_signed = header != NULL ? (int32_t)header->align < 0 : CHAR_MIN < 0;
        scope->last = &scope->first;
    }
    return scope;
}

bool
scope_is_unused(const Scope *scope)
{
    return !scope->prepared;
}

char *
scope_text(Scope *scope, size_t size)
{
    char *text;

    scope_lock();
    text = arena_text(&scope->texts, size);
    scope_unlock();
    return text;
}

void
scope_free(Scope *scope)
{
    if (scope == NULL) {
        return;
    }
    while (scope->first != NULL) {
        HostText *next = scope->first->next;

        free(scope->first);
        scope->first = next;
    }
    pattern_end(&scope->patterns);
    arena_free(&scope->texts);
    arena_free(&scope->arena);
    free(scope);
}
