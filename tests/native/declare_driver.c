/* Plays the declaration parser, without Python: commands come on the standard input, each answered by one line.
 *
 * A command is its letter, numbers and a name in one line, then a text of as many bytes as the line says:
 *     R kind size align bytes name     a record, before the scope is made;    N   a new scope without records
 *     d times bytes                    scope_declare, that many times;        f   scope_find of the text
 *     t                                scope_read_type: bare and full spelling, and the full one read and spelled again
 *     s                                the struct of that tag: size, align, offsets;   k   its key
 *     x                                the destructor of that type;           e   all names;   m   bytes allocated
 * Answers: "ok", "no", "none", then fields behind tabs; line breaks in a field become blanks. */
#define _GNU_SOURCE                /* mallinfo2 */
#include "own_records.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Record *records;
static FileFacts facts;
static Scope *scope;

static void *
check(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void
say(const char *field)
{
    for (; *field != '\0'; field++) {
        putchar(*field == '\n' || *field == '\t' ? ' ' : *field);
    }
}

static void
answer(const char *status, const char *first, const char *second)
{
    say(status);
    putchar('\t');
    say(first);
    putchar('\t');
    say(second);
    putchar('\n');
}

static void
reset(void)
{
    scope_free(scope);
    for (size_t i = 0; i < facts.record_count; i++) {
        free((void *)(uintptr_t)records[i].name);
        free((void *)(uintptr_t)records[i].text);
    }
    facts.record_count = 0;
    scope = check(scope_new(&facts));
}

static void
add_record(const char *numbers, const char *text)
{
    Record *record;
    char name[256] = "";
    unsigned kind, size, align;

    if (sscanf(numbers, "%x %u %u %*u %255[^\n]", &kind, &size, &align, name) < 3) {
        abort();
    }
    records = check(realloc(records, (facts.record_count + 1) * sizeof *records));
    record = &records[facts.record_count++];
    *record = (Record){(RecordKind)kind, size, align, check(strdup(name)), check(strdup(text))};
    facts.records = records;
    facts.header = NULL;
    for (size_t i = 0; i < facts.record_count; i++) {
        facts.header = records[i].kind == RECORD_HEADER ? &records[i] : facts.header;
    }
    if (kind == RECORD_HEADER) {   /* a scope is told of it when it is made */
        scope_free(scope);
        scope = check(scope_new(&facts));
    }
}

static void
declare(const char *text, int times)
{
    char reason[REASON_MAX];
    int failed = 0;

    for (int i = 0; i < times; i++) {
        failed = scope_declare(scope, text, reason);
    }
    answer(failed < 0 ? "no" : "ok", failed < 0 ? reason : "", "");
}

static void
find(const char *name)
{
    char reason[REASON_MAX], spelling[REASON_MAX];
    Declaration declaration;

    if (!scope_find(scope, name, &declaration, reason)) {
        answer(*reason != '\0' ? "no" : "none", reason, "");
        return;
    }
    type_spell(declaration.type, name, spelling, sizeof spelling);
    answer("ok", spelling, declaration.text);
}

static void
read_type(const char *text)
{
    char reason[REASON_MAX], bare[REASON_MAX], full[REASON_MAX], again[REASON_MAX];
    Declaration declaration, second;

    if (scope_read_type(scope, text, &declaration, reason) < 0) {
        answer("no", reason, "");
        return;
    }
    type_spell(declaration.type, NULL, bare, sizeof bare);
    type_spell(declaration.type, "name", full, sizeof full);
    if (scope_read_type(scope, full, &second, reason) < 0) {
        answer("lost", full, reason);
        return;
    }
    type_spell(second.type, "name", again, sizeof again);
    if (strcmp(full, again) != 0 || !type_equal(declaration.type, second.type, true)) {
        answer("changed", full, again);
        return;
    }
    answer("ok", bare, full);
}

static Struct *
find_struct(const char *tag, char reason[REASON_MAX])
{
    Declaration declaration;
    char text[256];

    snprintf(text, sizeof text, "struct %s *", tag);
    if (scope_read_type(scope, text, &declaration, reason) < 0) {
        return NULL;
    }
    return scope_complete(scope, declaration.type->target->record, reason) < 0 ? NULL : declaration.type->target->record;
}

static void
lay_out(const char *tag)
{
    char reason[REASON_MAX], text[REASON_MAX];
    const Struct *record = find_struct(tag, reason);
    int used;

    if (record == NULL) {
        answer(*reason != '\0' ? "no" : "none", reason, "");
        return;
    }
    used = snprintf(text, sizeof text, "%zu %zu", record->size, record->align);
    for (int i = 0; i < record->count && used < REASON_MAX - 32; i++) {
        used += snprintf(text + used, sizeof text - (size_t)used, " %zu", record->members[i].offset);
    }
    answer("ok", text, "");
}

static void
show_key(const char *tag)
{
    char reason[REASON_MAX];
    Struct *record = find_struct(tag, reason);
    char *key = record != NULL ? check(scope_struct_key(scope, record)) : NULL;

    answer(key != NULL ? "ok" : "no", key != NULL ? key : reason, "");
    free(key);
}

static int
show_name(void *unused, const char *name, RecordKind kind)
{
    (void)unused;
    printf(" %s%s", kind == RECORD_FUNC ? "" : "&", name);
    return 0;
}

static void
play(char letter, const char *numbers, const char *text)
{
    const Declaration *declaration;

    switch (letter) {
    case 'R':
        add_record(numbers, text);
        break;
    case 'N':
        reset();
        break;
    case 'd':
        declare(text, atoi(numbers));
        break;
    case 'f':
        find(text);
        break;
    case 't':
        read_type(text);
        break;
    case 's':
        lay_out(text);
        break;
    case 'k':
        show_key(text);
        break;
    case 'x':
        declaration = scope_destructor(scope, text);
        answer(declaration != NULL ? "ok" : "none", declaration != NULL ? declaration->name : "", "");
        break;
    case 'e':
        printf("ok\t");
        scope_each(scope, show_name, NULL);
        puts("\t");
        break;
    case 'm':
        printf("ok\t%zu\t\n", (size_t)mallinfo2().uordblks);
        break;
    default:
        abort();
    }
}

int
main(void)
{
    char line[512];

    reset();
    while (fgets(line, sizeof line, stdin) != NULL) {
        unsigned long size = 0;
        char *text;

        if (line[0] == 'R' ? sscanf(line, "R %*s %*s %*s %lu", &size) != 1 : sscanf(line, "%*c %*s %lu", &size) != 1) {
            abort();
        }
        text = check(calloc(1, size + 1));
        if (fread(text, 1, size, stdin) != size) {
            abort();
        }
        play(line[0], line + 1, text);
        free(text);
        fflush(stdout);
    }
    reset();
    scope_free(scope);
    free(records);
    return 0;
}
