/* The records that give names to other records: enums and PLUGIN_DECLAREs, which stand in a file in any order. */
#include "parse.h"

#include <stdio.h>
#include <string.h>

/* Whether what follows a name, from `at` on, lets the name be one that is declared there: the end, too, as the last
 * semicolon may be missing. */
static bool
may_end_declarator(const char *at)
{
    at += strspn(at, " \t\r\n");
    return *at == '\0' || strchr(",;)[]={}(", *at) != NULL || strncmp(at, "__attribute", 11) == 0;
}

static const char *
find(const char *text, const char *name, size_t size)
{
    while ((text = strchr(text, *name)) != NULL && strncmp(text, name, size) != 0) {
        text++;
    }
    return text;
}

/* Whether `text` may declare `name`.  Some that only mention it pass too. */
static bool
may_declare(const char *text, const char *name, size_t size)
{
    for (const char *at = text; (at = find(at, name, size)) != NULL; at++) {
        if ((at == text || !is_name_byte(at[-1])) && !is_name_byte(at[size]) && may_end_declarator(at + size)) {
            return true;
        }
    }
    return false;
}

static void
read_one(Scope *scope, Arena *arena, Naming *naming)
{
    char reason[REASON_MAX];

    naming->state = NAMING_READING;
    if (scope_read(scope, naming->record->text, reason, scope_all, NULL) == 0) {
        naming->state = NAMING_READ;
        return;
    }
    naming->state = NAMING_FAILED;
    naming->failure = arena_alloc(arena, strlen(reason) + 1);
    if (naming->failure != NULL) {
        strcpy(naming->failure, reason);
    }
}

void
naming_demand(Namings *namings, Parser *parser, const char *name, size_t size)
{
    for (size_t i = 0; i < namings->count; i++) {
        Naming *naming = &namings->items[i];

        if (naming->state == NAMING_UNREAD && may_declare(naming->record->text, name, size)) {
            read_one(parser->scope, parser->arena, naming);
        }
    }
}

void
naming_refuse(const Namings *namings, Parser *parser, const char *name, size_t size)
{
    for (size_t i = 0; i < namings->count; i++) {
        const Naming *naming = &namings->items[i];

        if (naming->state == NAMING_FAILED && may_declare(naming->record->text, name, size)) {
            parse_fail(parser, "\"%.*s\" stands in \"%.200s\", which is not understood: %.400s", size > 80 ? 80 : (int)size,
                       name, naming->record->text, naming->failure != NULL ? naming->failure : "out of memory");
        }
    }
}

void
naming_list(Namings *namings, Arena *arena, const FileFacts *facts)
{
    Records records = facts != NULL ? elf_records(facts, true) : (Records){NULL, 0};

    namings->items = arena_alloc(arena, records.count * sizeof *namings->items);
    for (size_t i = 0; i < records.count && namings->items != NULL; i++) {
        const Record *record = &records.items[i];

        if (record->kind == RECORD_ENUM || record->kind == RECORD_DECLARE) {
            namings->items[namings->count++].record = record;
        }
    }
}

static void
retry_from(Namings *namings, size_t first)
{
    for (size_t i = first; i < namings->count; i++) {
        if (namings->items[i].state == NAMING_FAILED) {
            namings->items[i].state = NAMING_UNREAD;
        }
    }
}

/* One that failed inside others is tried by itself, and one that failed by itself again as long as another one succeeds. */
void
naming_read(Namings *namings, Scope *scope, Arena *arena)
{
    size_t left = SIZE_MAX, before;

    do {
        before = left;
        left = 0;
        for (size_t i = 0; i < namings->count; i++) {
            retry_from(namings, i);
            if (namings->items[i].state == NAMING_UNREAD) {
                read_one(scope, arena, &namings->items[i]);
            }
        }
        for (size_t i = 0; i < namings->count; i++) {
            left += namings->items[i].state == NAMING_FAILED;
        }
    } while (left > 0 && left < before);
}
