/* The key of a struct: equal for two plugins exactly when their structs are one type. */
#include "declare.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    char *text;
    size_t used, size;             /* bytes */
    const Struct *seen[64];
    int count;
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

static void key_struct(Scope *scope, Key *key, Struct *record);

/* Add each struct that a type names. */
static void
key_type(Scope *scope, Key *key, const Type *type)
{
    while (type->kind == TYPE_POINTER || type->kind == TYPE_ARRAY) {
        type = type->target;
    }
    if (type->kind == TYPE_STRUCT) {
        key_struct(scope, key, type->record);
    } else if (type->kind == TYPE_FUNCTION) {
        key_type(scope, key, type->prototype->result);
        for (int i = 0; i < type->prototype->count; i++) {
            key_type(scope, key, type->prototype->params[i].type);
        }
    }
}

static void
key_struct(Scope *scope, Key *key, Struct *record)
{
    char text[REASON_MAX];

    for (int i = 0; i < key->count; i++) {
        if (key->seen[i] == record) {
            return;
        }
    }
    if (key->count == (int)(sizeof key->seen / sizeof *key->seen) || scope_complete(scope, record, text) < 0) {
        return;
    }
    key->seen[key->count++] = record;
    key_put(key, "struct ");
    key_put(key, record->name);
    key_put(key, record->text);
    for (int i = 0; i < record->count; i++) {      /* typedefs resolved: the text alone does not tell them apart */
        type_spell(record->members[i].type, record->members[i].name, text, sizeof text);
        key_put(key, text);
        key_put(key, ";");
    }
    for (int i = 0; i < record->count; i++) {
        key_type(scope, key, record->members[i].type);
    }
}

char *
scope_struct_key(Scope *scope, Struct *record)
{
    Key key = {0};

    key_struct(scope, &key, record);
    if (key.failed) {
        free(key.text);
        return NULL;
    }
    return key.text;
}
