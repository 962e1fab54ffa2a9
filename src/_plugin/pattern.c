/* Functions whose declarations differ in their names alone: what was read of one holds for the others. */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

enum {
    PATTERN_TEXT_MAX = 2048,       /* bytes: longer ones are seldom equal */
    FIRST_SIZE = 16,               /* buckets, a power of two */
};

struct Pattern {
    Pattern *next;                 /* in its bucket */
    Pattern *older;                /* of all of the scope, forgotten ones too */
    uint32_t hash;
    unsigned before, after;        /* bytes of `text` in front of the name; where what follows it begins */
    const char *text;              /* borrowed from the record that was read */
    const Type *type;
    void *host;
};

/* ------------------------------------------------------------------ where the name stands */

/* Whether the name means nothing to the parser, wherever it stands: no word of C, of a compiler or of ours. */
static bool
is_plain(const char *name, size_t size)
{
    static const char *const words[] = {
        "bool", "char", "const", "double", "enum", "extern", "float", "inline", "int", "long", "noexcept", "noreturn",
        "register", "restrict", "short", "signed", "static", "struct", "typedef", "typeof", "union", "unsigned", "void",
        "volatile",
    };

    if (size == 0 || (*name >= '0' && *name <= '9') || (name[0] == '_' && (size == 1 || name[1] < 'a' || name[1] > 'z')) ||
        (size >= 7 && memcmp(name, "plugin_", 7) == 0)) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (!is_name_byte(name[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (*words[i] == *name && strlen(words[i]) == size && memcmp(words[i], name, size) == 0) {
            return false;
        }
    }
    return true;
}

static uint32_t
add_hash(uint32_t hash, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    }
    return hash;
}

bool
pattern_cut(const char *text, const char *name, size_t name_size, Cut *cut)
{
    size_t size = strlen(text);
    const char *at = text;

    /* Braces hold names that the reading would declare. */
    if (size > PATTERN_TEXT_MAX || !is_plain(name, name_size) || memchr(text, '{', size) != NULL) {
        return false;
    }
    while ((at = strstr(at, name)) != NULL) {
        const char *end = at + name_size;

        if ((at == text || !is_name_byte(at[-1])) && *end == '(') {
            cut->text = text;
            cut->before = (unsigned)(at - text);
            cut->after = (unsigned)(end - text);
            cut->size = (unsigned)size;
            cut->hash = add_hash(add_hash(2166136261u, text, cut->before), end, size - cut->after);
            return true;
        }
        at++;
    }
    return false;
}

/* ------------------------------------------------------------------ the table */

static bool
is_alike(const Pattern *pattern, const Cut *cut)
{
    return pattern->hash == cut->hash && pattern->before == cut->before &&
           memcmp(pattern->text, cut->text, cut->before) == 0 &&
           strcmp(pattern->text + pattern->after, cut->text + cut->after) == 0;
}

Pattern *
pattern_find(const Patterns *patterns, const Cut *cut)
{
    Pattern *pattern = patterns->size != 0 ? patterns->buckets[cut->hash & (patterns->size - 1)] : NULL;

    while (pattern != NULL && !is_alike(pattern, cut)) {
        pattern = pattern->next;
    }
    return pattern;
}

static void
put(Pattern **buckets, size_t size, Pattern *pattern)
{
    Pattern **bucket = &buckets[pattern->hash & (size - 1)];

    pattern->next = *bucket;
    *bucket = pattern;
}

static bool
grow(Patterns *patterns)
{
    size_t size = patterns->size == 0 ? FIRST_SIZE : 2 * patterns->size;
    Pattern **buckets = calloc(size, sizeof *buckets);

    if (buckets == NULL) {
        return false;
    }
    for (size_t i = 0; i < patterns->size; i++) {
        while (patterns->buckets[i] != NULL) {
            Pattern *pattern = patterns->buckets[i];

            patterns->buckets[i] = pattern->next;
            put(buckets, size, pattern);
        }
    }
    free(patterns->buckets);
    patterns->buckets = buckets;
    patterns->size = size;
    return true;
}

Pattern *
pattern_add(Patterns *patterns, Arena *arena, const Cut *cut, const Type *type)
{
    Pattern *pattern = NULL;

    if (patterns->count < patterns->size || grow(patterns)) {
        pattern = arena_alloc(arena, sizeof *pattern);
    }
    if (pattern != NULL) {
        *pattern = (Pattern){.older = patterns->newest, .hash = cut->hash, .before = cut->before, .after = cut->after,
                             .text = cut->text, .type = type};
        patterns->newest = pattern;
        patterns->count++;
        put(patterns->buckets, patterns->size, pattern);
    }
    return pattern;
}

void
pattern_declare(Pattern *pattern, const Record *record, Declaration *declaration)
{
    *declaration = (Declaration){.name = record->name, .text = record->text, .type = pattern->type, .recorded = true,
                                 .host = &pattern->host};
}

void
pattern_forget(Patterns *patterns)
{
    patterns->forgotten++;
    patterns->count = 0;
    if (patterns->size > 0) {
        memset(patterns->buckets, 0, patterns->size * sizeof *patterns->buckets);
    }
}

void
pattern_end(Patterns *patterns)
{
    free(patterns->buckets);
    *patterns = (Patterns){0};
}

void
scope_each_host(Scope *scope, void (*visit)(void *host))
{
    for (Pattern *pattern = scope->patterns.newest; pattern != NULL; pattern = pattern->older) {
        visit(pattern->host);
    }
}
