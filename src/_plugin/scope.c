/* What one plugin declares: its records, read when first asked for, and the host's own declarations beside them. */
#include "parse.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 128 };            /* a power of two */

typedef struct HostText HostText;
struct HostText {
    HostText *next;
    char text[];
};

struct Scope {
    const FileFacts *facts;        /* borrowed; NULL without a file */
    Arena arena;
    Entry *names[BUCKETS], *tags[BUCKETS];
    Entry *types[BUCKETS];         /* what scope_read_type read, by its text: to ask again costs no memory */
    HostText *first, **last;       /* owned: what scope_declare accepted, in order */
    bool prepared;                 /* typedefs and enumerators of the records have been read */
    const Record *misread;         /* a record of that kind that could not be understood, or NULL */
    char misread_reason[REASON_MAX];
};

typedef void (*Reading)(Parser *parser, void *context);

/* Read `text` with `reading`.  Returns 0, or -1 with `reason`: the one place where parse_fail arrives. */
static int
read_text(Scope *scope, const char *text, char reason[REASON_MAX], Reading reading, void *context)
{
    Parser parser;

    reason[0] = '\0';
    if (setjmp(parser.failed) != 0) {
        return -1;
    }
    lex_start(&parser, scope, &scope->arena, text, reason);
    reading(&parser, context);
    return 0;
}

/* ------------------------------------------------------------------ tables */

static size_t
number_of(const char *name, size_t size)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    }
    return hash & (BUCKETS - 1);
}

static Entry **
bucket_of(Scope *scope, const char *name, size_t size, bool tag)
{
    return &(tag ? scope->tags : scope->names)[number_of(name, size)];
}

Entry *
scope_entry(Scope *scope, const char *name, size_t size, bool tag)
{
    for (Entry *entry = *bucket_of(scope, name, size, tag); entry != NULL; entry = entry->next) {
        if (strlen(entry->name) == size && memcmp(entry->name, name, size) == 0) {
            return entry;
        }
    }
    return NULL;
}

static Entry *
insert(Scope *scope, const Entry *entry)
{
    Entry **bucket = bucket_of(scope, entry->name, strlen(entry->name), entry->kind == ENTRY_TAG);
    Entry *copy = arena_alloc(&scope->arena, sizeof *copy);

    if (copy != NULL) {
        *copy = *entry;
        copy->next = *bucket;
        *bucket = copy;
    }
    return copy;
}

static bool
enums_equal(const Type *a, const Type *b)
{
    if (a->kind != TYPE_ENUM || b->kind != TYPE_ENUM || a->enumeration->count != b->enumeration->count) {
        return false;
    }
    for (int i = 0; i < a->enumeration->count; i++) {
        const Enumerator *x = &a->enumeration->enumerators[i], *y = &b->enumeration->enumerators[i];

        if (x->value != y->value || strcmp(x->name, y->name) != 0) {
            return false;
        }
    }
    return true;
}

static bool
entries_equal(const Entry *a, const Entry *b)
{
    if (a->kind != b->kind || a->failure != NULL) {
        return false;
    }
    switch (a->kind) {
    case ENTRY_TYPEDEF:
        return type_equal(a->type, b->type, true);
    case ENTRY_CONSTANT:
        return a->value == b->value;
    case ENTRY_TAG:
        return enums_equal(a->type, b->type);
    default:
        /* A plugin's own words stand; the host need not repeat them. */
        return type_equal(a->declaration.type, b->declaration.type,
                          a->declaration.record == NULL || type_has_words(b->declaration.type));
    }
}

static void
describe(const Entry *entry, char *buffer, size_t size)
{
    switch (entry->failure != NULL ? ENTRY_TAG : entry->kind) {
    case ENTRY_TYPEDEF:
        type_spell(entry->type, entry->name, buffer, size);
        return;
    case ENTRY_CONSTANT:
        snprintf(buffer, size, "%s = %lld", entry->name, (long long)entry->value);
        return;
    case ENTRY_DECLARATION:
        snprintf(buffer, size, "%s", entry->declaration.text);
        return;
    default:
        snprintf(buffer, size, "%s", entry->failure != NULL ? entry->failure : "another enum");
    }
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

        scope_find(parser->scope, entry->name, reason);
        old = scope_entry(parser->scope, entry->name, size, tag);
    }
    if (old != NULL) {
        if (!entries_equal(old, entry)) {
            describe(old, was, sizeof was);
            describe(entry, is, sizeof is);
            parse_fail(parser, "\"%.80s\" is declared already, and differently: \"%s\", now \"%s\"", entry->name, was, is);
        }
        return;
    }
    if (insert(parser->scope, entry) == NULL) {
        parse_fail(parser, "out of memory");
    }
}

/* ------------------------------------------------------------------ types */

static void
all_of_it(Parser *parser, void *context)
{
    (void)context;
    declare_all(parser);
}

/* Read the records that give names to other records: enums and PLUGIN_DECLAREs.  They may stand in any order, so what
 * fails is tried again as long as another one succeeds. */
static void
prepare(Scope *scope)
{
    size_t count = scope->facts != NULL ? scope->facts->record_count : 0;
    size_t left = count, before;

    if (scope->prepared) {
        return;
    }
    scope->prepared = true;
    do {
        before = left;
        left = 0;
        scope->misread = NULL;
        for (size_t i = 0; i < count; i++) {
            const Record *record = &scope->facts->records[i];
            char reason[REASON_MAX];

            if ((record->kind == RECORD_ENUM || record->kind == RECORD_DECLARE) &&
                read_text(scope, record->text, reason, all_of_it, NULL) < 0) {
                left++;
                scope->misread = record;
                memcpy(scope->misread_reason, reason, REASON_MAX);
            }
        }
    } while (left > 0 && left < before);
}

bool
scope_char_is_signed(const Scope *scope)
{
    if (scope->facts != NULL && scope->facts->header != NULL) {
        return (int32_t)scope->facts->header->align < 0;
    }
    return CHAR_MIN < 0;
}

uint32_t
scope_abi(const Scope *scope)
{
    return scope->facts != NULL && scope->facts->header != NULL ? scope->facts->header->size : 0;
}

static const Record *
find_record(const Scope *scope, RecordKind kind, const char *name, size_t size)
{
    return scope->facts != NULL ? elf_find(scope->facts, kind, name, size) : NULL;
}

Struct *
scope_struct(Parser *parser, const char *name, size_t size, const Type **type)
{
    Entry *old = scope_entry(parser->scope, name, size, true);
    Entry entry = {.kind = ENTRY_TAG};
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
    made->record->record = find_record(parser->scope, RECORD_STRUCT, name, size);
    *type = made;
    scope_add(parser, &entry);
    return made->record;
}

const Type *
scope_type(Parser *parser, const char *name, size_t size, bool tag)
{
    Scope *scope = parser->scope;
    Entry *entry = scope_entry(scope, name, size, false);
    const Type *type;
    const char *copy;

    if (!tag && entry != NULL) {
        if (entry->kind != ENTRY_TYPEDEF) {
            parse_fail(parser, "\"%s\" is not a type", entry->name);
        }
        return entry->type;
    }
    entry = scope_entry(scope, name, size, true);
    if (entry != NULL) {
        return entry->type;
    }
    copy = parse_copy(parser, name, size);
    if (scope->misread != NULL && strstr(scope->misread->text, copy) != NULL) {
        parse_fail(parser, "\"%.80s\" stands in \"%.200s\", which is not understood: %.400s", copy, scope->misread->text,
                   scope->misread_reason);
    }
    scope_struct(parser, name, size, &type);
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

int
scope_complete(Scope *scope, Struct *record, char reason[REASON_MAX])
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
    prepare(scope);
    if (read_text(scope, record->record->text, reason, struct_of_record, record) < 0) {
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

/* ------------------------------------------------------------------ functions and variables */

static void
one_declaration(Parser *parser, void *context)
{
    declare_one(parser, context);
}

static void
declaration_of_record(Parser *parser, void *context)
{
    Declaration *declaration = context;
    const Record *record = declaration->record;
    bool is_function;

    declare_one(parser, declaration);
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

static Entry *
read_record(Scope *scope, const Record *record, char reason[REASON_MAX])
{
    Entry entry = {.kind = ENTRY_DECLARATION, .name = record->name};

    prepare(scope);
    entry.declaration.record = record;
    if (read_text(scope, record->text, reason, declaration_of_record, &entry.declaration) < 0) {
        entry.failure = arena_alloc(&scope->arena, strlen(reason) + 1);
        if (entry.failure == NULL) {
            return NULL;
        }
        strcpy(entry.failure, reason);
    }
    return insert(scope, &entry);
}

const Declaration *
scope_find(Scope *scope, const char *name, char reason[REASON_MAX])
{
    size_t size = strlen(name);
    Entry *entry = scope_entry(scope, name, size, false);

    reason[0] = '\0';
    if (entry == NULL) {
        const Record *record = find_record(scope, RECORD_FUNC, name, size);

        if (record == NULL) {
            record = find_record(scope, RECORD_VAR, name, size);
        }
        if (record == NULL) {
            return NULL;
        }
        entry = read_record(scope, record, reason);
        if (entry == NULL) {
            snprintf(reason, REASON_MAX, "out of memory");
            return NULL;
        }
    }
    if (entry->kind != ENTRY_DECLARATION) {
        return NULL;
    }
    if (entry->failure != NULL) {
        snprintf(reason, REASON_MAX, "%s", entry->failure);
        return NULL;
    }
    return &entry->declaration;
}

/* ------------------------------------------------------------------ the host's texts */

/* A scope that knows what `scope` knows, to try a text in: what fails there leaves nothing in the real one. */
static Scope *
copy_scope(const Scope *scope)
{
    Scope *copy = scope_new(scope->facts);

    for (HostText *text = scope->first; text != NULL && copy != NULL; text = text->next) {
        char reason[REASON_MAX];

        if (read_text(copy, text->text, reason, all_of_it, NULL) < 0) {
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
    if (trial != NULL) {
        prepare(trial);
        if (read_text(trial, text, reason, reading, context) < 0) {
            scope_free(trial);
            trial = NULL;
        }
    }
    return trial;
}

int
scope_declare(Scope *scope, const char *text, char reason[REASON_MAX])
{
    HostText *kept;
    Scope *trial;

    reason[0] = '\0';
    for (const HostText *known = scope->first; known != NULL; known = known->next) {
        if (strcmp(known->text, text) == 0) {
            return 0;              /* a host that opens a plugin again declares again */
        }
    }
    trial = try_text(scope, text, reason, all_of_it, NULL);
    if (trial == NULL) {
        return -1;
    }
    scope_free(trial);
    prepare(scope);
    kept = malloc(sizeof *kept + strlen(text) + 1);
    if (kept == NULL || read_text(scope, text, reason, all_of_it, NULL) < 0) {
        free(kept);
        snprintf(reason, REASON_MAX, "out of memory");
        return -1;
    }
    strcpy(kept->text, text);
    kept->next = NULL;
    *scope->last = kept;
    scope->last = &kept->next;
    memset(scope->types, 0, sizeof scope->types);      /* its names may have a meaning now */
    return 0;
}

static void
keep_type(Scope *scope, Entry **bucket, const char *text, const Declaration *declaration)
{
    Entry *entry = arena_alloc(&scope->arena, sizeof *entry);
    char *copy = arena_alloc(&scope->arena, strlen(text) + 1);

    if (entry != NULL && copy != NULL) {
        *entry = (Entry){.kind = ENTRY_DECLARATION, .name = strcpy(copy, text), .declaration = *declaration, .next = *bucket};
        *bucket = entry;
    }
}

int
scope_read_type(Scope *scope, const char *text, Declaration *declaration, char reason[REASON_MAX])
{
    Entry **bucket = &scope->types[number_of(text, strlen(text))];
    Scope *trial;

    for (const Entry *entry = *bucket; entry != NULL; entry = entry->next) {
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
    prepare(scope);
    if (read_text(scope, text, reason, one_declaration, declaration) < 0) {
        return -1;
    }
    keep_type(scope, bucket, text, declaration);
    return 0;
}

int
scope_compare(Scope *scope, const char *text, const Declaration *declared, char reason[REASON_MAX])
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

/* ------------------------------------------------------------------ walking */

int
scope_each(Scope *scope, int (*visit)(void *context, const char *name, RecordKind kind), void *context)
{
    int stop = 0;

    for (size_t i = 0; scope->facts != NULL && i < scope->facts->record_count && stop == 0; i++) {
        const Record *record = &scope->facts->records[i];

        if (record->kind == RECORD_FUNC || record->kind == RECORD_VAR) {
            stop = visit(context, record->name, record->kind);
        }
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        for (Entry *entry = scope->names[i]; entry != NULL && stop == 0; entry = entry->next) {
            if (entry->kind == ENTRY_DECLARATION && entry->declaration.record == NULL) {
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

const Declaration *
scope_destructor(Scope *scope, const char *name)
{
    for (size_t i = 0; scope->facts != NULL && i < scope->facts->record_count; i++) {
        const Record *record = &scope->facts->records[i];

        if (record->kind == RECORD_FUNC && strstr(record->text, "plugin_destructor") != NULL) {
            char reason[REASON_MAX];
            const Declaration *declaration = scope_find(scope, record->name, reason);

            if (declaration != NULL && destroys(declaration, name)) {
                return declaration;
            }
        }
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        for (Entry *entry = scope->names[i]; entry != NULL; entry = entry->next) {
            if (entry->kind == ENTRY_DECLARATION && entry->failure == NULL && destroys(&entry->declaration, name)) {
                return &entry->declaration;
            }
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------ life */

Scope *
scope_new(const FileFacts *facts)
{
    Scope *scope = calloc(1, sizeof *scope);

    if (scope != NULL) {
        scope->facts = facts;
        scope->last = &scope->first;
    }
    return scope;
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
    arena_free(&scope->arena);
    free(scope);
}
