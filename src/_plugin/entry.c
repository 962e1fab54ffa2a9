/* What a name was declared as: whether two declarations agree, and how one is shown. */
#include "parse.h"

#include <stdio.h>
#include <string.h>

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

bool
entry_equal(const Entry *a, const Entry *b)
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
                          !a->declaration.recorded || type_has_words(b->declaration.type));
    }
}

void
entry_describe(const Entry *entry, char *buffer, size_t size)
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
