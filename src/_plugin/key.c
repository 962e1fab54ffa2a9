/* The key of a struct: equal for two plugins exactly when their structs are one type. */
#include "parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *text;
    size_t used, size;             /* bytes */
    Struct **structs;              /* those that are in the key, or will be */
    size_t count;
    bool failed;
} Key;

static void
key_put(Key *key, const char *text)
{
    size_t size = strlen(text) + 1;

    if (key->size - key->used < size && !key->failed) {
        size_t more = 2 * key->size + size;
        char *grown = realloc(key->text, more);

        key->failed = grown == NULL;
        key->text = grown != NULL ? grown : key->text;
        key->size = grown != NULL ? more : key->size;
    }
    if (!key->failed) {
        memcpy(key->text + key->used, text, size);
        key->used += size - 1;
    }
}

/* Let a struct come into the key behind those that are named already. */
static void
key_name(Key *key, Struct *record)
{
    Struct **grown;

    for (size_t i = 0; i < key->count; i++) {
        if (key->structs[i] == record) {
            return;
        }
    }
    if ((key->count & (key->count - 1)) == 0) {    /* the room doubles at 1, 2, 4 ... structs */
        grown = realloc(key->structs, (key->count == 0 ? 1 : 2 * key->count) * sizeof(Struct *));
        if (grown == NULL) {
            key->failed = true;
            return;
        }
        key->structs = grown;
    }
    key->structs[key->count++] = record;
}

static void
key_enum(Key *key, const Enum *enumeration)
{
    char value[32];

    for (int i = 0; i < enumeration->count; i++) {
        snprintf(value, sizeof value, "=%lld,", (long long)enumeration->enumerators[i].value);
        key_put(key, enumeration->enumerators[i].name);
        key_put(key, value);
    }
}

/* Add what a type names: structs, and the values of enums. */
static void
key_type(Key *key, const Type *type)
{
    while (type->kind == TYPE_POINTER || type->kind == TYPE_ARRAY) {
        type = type->target;
    }
    if (type->kind == TYPE_STRUCT) {
        key_name(key, type->record);
    } else if (type->kind == TYPE_ENUM) {
        key_enum(key, type->enumeration);
    } else if (type->kind == TYPE_FUNCTION) {
        key_type(key, type->prototype->result);
        for (int i = 0; i < type->prototype->count; i++) {
            key_type(key, type->prototype->params[i].type);
        }
    }
}

static void
key_struct(Scope *scope, Key *key, Struct *record)
{
    char text[REASON_MAX];

    if (scope_complete(scope, record, text) < 0) {
        return;                    /* opaque: its name stands in what names it */
    }
    key_put(key, "struct ");
    key_put(key, record->name);
    key_put(key, record->text);
    for (int i = 0; i < record->count; i++) {      /* typedefs resolved: the text alone does not tell them apart */
        type_spell(record->members[i].type, record->members[i].name, text, sizeof text);
        key_put(key, text);
        key_put(key, ";");
        key_type(key, record->members[i].type);
    }
}

char *
scope_struct_key(Scope *scope, Struct *record)
{
    Key key = {0};

    scope_lock();
    key_name(&key, record);
    for (size_t i = 0; i < key.count && !key.failed; i++) {
        key_struct(scope, &key, key.structs[i]);
    }
    scope_unlock();
    free(key.structs);
    if (key.failed) {
        free(key.text);
        return NULL;
    }
    return key.text;
}
