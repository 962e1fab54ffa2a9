/* Tokens and constant expressions of C declarations, and the memory of a reading. */
#include "parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_SIZE = 2048,             /* bytes */
    LEAST_TEXTS = 512,             /* bytes of a block of texts, all that malloc takes for it: twice as many each time, */
    MOST_TEXTS = 4096,             /* up to these */
};

struct ArenaBlock {
    ArenaBlock *next;
    size_t used, size;             /* bytes */
    max_align_t data[];
};

static ArenaBlock *
new_block(Arena *arena, size_t room)
{
    ArenaBlock *block = malloc(sizeof *block + room);

    if (block != NULL) {
        block->next = arena->first;
        block->used = 0;
        block->size = room;
        arena->first = block;
    }
    return block;
}

void *
arena_alloc(Arena *arena, size_t size)
{
    ArenaBlock *block = arena->first;
    void *memory;

    size = (size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    if (block == NULL || block->size - block->used < size) {
        block = new_block(arena, size > BLOCK_SIZE ? size : BLOCK_SIZE);
        if (block == NULL) {
            return NULL;
        }
    }
    memory = (char *)block->data + block->used;
    block->used += size;
    return memset(memory, 0, size);
}

char *
arena_text(Arena *arena, size_t size)
{
    const size_t around = sizeof(ArenaBlock) + sizeof(size_t);     /* malloc's own word too */
    ArenaBlock *block = arena->first;

    if (block == NULL || block->size - block->used < size) {
        size_t room = block == NULL ? LEAST_TEXTS : 2 * (block->size + around);

        room = (room < MOST_TEXTS ? room : MOST_TEXTS) - around;
        block = new_block(arena, size > room ? size : room);
    }
    if (block == NULL) {
        return NULL;
    }
    block->used += size;
    return (char *)block->data + block->used - size;
}

void
arena_free(Arena *arena)
{
    while (arena->first != NULL) {
        ArenaBlock *next = arena->first->next;

        free(arena->first);
        arena->first = next;
    }
}

void
parse_fail(Parser *parser, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(parser->reason, REASON_MAX, format, arguments);
    va_end(arguments);
    longjmp(parser->failed, 1);
}

void
parse_fail_near(Parser *parser, const char *format, ...)
{
    char message[REASON_MAX / 2];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (parser->token.kind == TOKEN_END) {
        parse_fail(parser, "%s at the end of the text", message);
    }
    parse_fail(parser, "%s near \"%.*s\"", message, parser->token.size > 80 ? 80 : (int)parser->token.size,
               parser->token.start);
}

void *
parse_alloc(Parser *parser, size_t size)
{
    void *memory = arena_alloc(parser->arena, size);

    if (memory == NULL) {
        parse_fail(parser, "out of memory");
    }
    return memory;
}

const char *
parse_copy(Parser *parser, const char *start, size_t size)
{
    char *copy = parse_alloc(parser, size + 1);

    return memcpy(copy, start, size);
}

void *
parse_grow(Parser *parser, void *items, int count, size_t size)
{
    void *more;

    if (count != 0 && (count < 8 || (count & (count - 1)) != 0)) {
        return items;              /* the room doubles at 8, 16, 32 ... items */
    }
    more = parse_alloc(parser, (count == 0 ? 8 : 2 * (size_t)count) * size);
    return count == 0 ? more : memcpy(more, items, (size_t)count * size);
}

void
lex_enter(Parser *parser)
{
    if (++*parser->depth > DEPTH_MAX) {
        parse_fail_near(parser, "nested more than %d deep", DEPTH_MAX);
    }
}

void
lex_leave(Parser *parser)
{
    --*parser->depth;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_name(char c)                    /* bytes of UTF-8 too: C allows such identifiers */
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Step over blanks and comments. */
static const char *
skip_blank(Parser *parser, const char *at)
{
    for (;;) {
        if (*at == ' ' || (*at >= '\t' && *at <= '\r')) {
            at++;
        } else if (at[0] == '/' && at[1] == '/') {
            at += strcspn(at, "\n");
        } else if (at[0] == '/' && at[1] == '*') {
            for (at += 2; at[0] != '*' || at[1] != '/'; at++) {
                if (*at == '\0') {
                    parse_fail(parser, "a comment has no end");
                }
            }
            at += 2;
        } else {
            return at;
        }
    }
}

/* The end of a string or character literal that begins at `at`. */
static const char *
skip_quoted(Parser *parser, const char *at)
{
    char quote = *at++;

    while (*at != quote) {
        if (*at == '\\') {
            at++;
        }
        if (*at == '\0' || *at == '\n') {
            parse_fail(parser, "a literal has no closing %c", quote);
        }
        at++;
    }
    return at + 1;
}

static const char *
skip_mark(const char *at)
{
    static const char *const marks[] = {"...", "<<", ">>"};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (strncmp(at, marks[i], strlen(marks[i])) == 0) {
            return at + strlen(marks[i]);
        }
    }
    return at + 1;
}

void
lex_next(Parser *parser)
{
    const char *at = skip_blank(parser, parser->cursor);
    Token *token = &parser->token;

    token->start = at;
    if (*at == '\0') {
        token->kind = TOKEN_END;
    } else if (is_name(*at)) {
        token->kind = TOKEN_NAME;
        while (is_name(*at) || is_digit(*at)) {
            at++;
        }
    } else if (is_digit(*at)) {
        token->kind = TOKEN_NUMBER;
        while (is_name(*at) || is_digit(*at) || *at == '.') {
            at++;
        }
    } else if (*at == '"' || *at == '\'') {
        token->kind = *at == '"' ? TOKEN_STRING : TOKEN_CHARACTER;
        at = skip_quoted(parser, at);
    } else if (*at == '#') {
        parse_fail(parser, "a preprocessor line cannot stand in a declaration: \"%.*s\"",
                   (int)strcspn(at, "\n") > 80 ? 80 : (int)strcspn(at, "\n"), at);
    } else {
        token->kind = TOKEN_MARK;
        at = skip_mark(at);
    }
    token->size = (size_t)(at - token->start);
    parser->cursor = at;
}

void
lex_start(Parser *parser, const char *text)
{
    parser->cursor = text;
    lex_next(parser);
}

bool
lex_is(const Parser *parser, const char *text)
{
    const Token *token = &parser->token;

    return *token->start == *text && (token->kind == TOKEN_NAME || token->kind == TOKEN_MARK) &&
           strlen(text) == token->size && memcmp(token->start, text, token->size) == 0;
}

bool
lex_accept(Parser *parser, const char *text)
{
    if (!lex_is(parser, text)) {
        return false;
    }
    lex_next(parser);
    return true;
}

void
lex_expect(Parser *parser, const char *text)
{
    if (!lex_accept(parser, text)) {
        parse_fail_near(parser, "expected \"%s\"", text);
    }
}

const char *
parse_normalise(Parser *parser, const char *start, const char *end)
{
    Parser saved = *parser;        /* the jump buffer is not used through the copy */
    char *text = parse_alloc(parser, 2 * (size_t)(end - start) + 2);
    char *at = text;

    parser->cursor = start;
    for (lex_next(parser); parser->token.kind != TOKEN_END && parser->token.start < end; lex_next(parser)) {
        if (at != text) {
            *at++ = ' ';
        }
        memcpy(at, parser->token.start, parser->token.size);
        at += parser->token.size;
    }
    parser->cursor = saved.cursor;
    parser->token = saved.token;
    return text;
}

/* ------------------------------------------------------------------ constants */

static int64_t
read_number(Parser *parser)
{
    const char *text = parse_copy(parser, parser->token.start, parser->token.size);
    bool binary = text[0] == '0' && (text[1] == 'b' || text[1] == 'B');
    char *end;
    unsigned long long value = strtoull(binary ? text + 2 : text, &end, binary ? 2 : 0);

    if (strspn(end, "uUlL") != strlen(end) || value > INT64_MAX || (binary && end == text + 2)) {
        parse_fail_near(parser, "not an integer constant of at most 63 bits");
    }
    lex_next(parser);
    return (int64_t)value;
}

static int64_t
read_character(Parser *parser)
{
    const char *text = parser->token.start;
    int64_t value = (unsigned char)text[1];

    if (parser->token.size == 4 && text[1] == '\\') {
        static const char names[] = "0abtnvfr\\'\"", values[] = "\0\a\b\t\n\v\f\r\\'\"";
        const char *at = memchr(names, text[2], sizeof names - 1);

        if (at == NULL) {
            parse_fail_near(parser, "unknown character constant");
        }
        value = values[at - names];
    } else if (parser->token.size != 3) {
        parse_fail_near(parser, "unknown character constant");
    }
    lex_next(parser);
    return value;
}

static int64_t parse_or(Parser *parser);

static int64_t
parse_primary(Parser *parser)
{
    int64_t value;

    if (parser->token.kind == TOKEN_NUMBER) {
        return read_number(parser);
    }
    if (parser->token.kind == TOKEN_CHARACTER) {
        return read_character(parser);
    }
    if (parser->token.kind == TOKEN_NAME) {
        const Entry *entry = scope_constant(parser, parser->token.start, parser->token.size);

        if (entry == NULL) {
            parse_fail(parser, "\"%.*s\" is not a constant that is known here: only literals and earlier enumerators are",
                       parser->token.size > 80 ? 80 : (int)parser->token.size, parser->token.start);
        }
        lex_next(parser);
        return entry->value;
    }
    lex_enter(parser);
    lex_expect(parser, "(");
    value = parse_or(parser);
    lex_expect(parser, ")");
    lex_leave(parser);
    return value;
}

static int64_t
parse_unary(Parser *parser)
{
    int64_t value;

    lex_enter(parser);
    if (lex_accept(parser, "-")) {
        value = parse_unary(parser);
        if (__builtin_sub_overflow((int64_t)0, value, &value)) {
            parse_fail_near(parser, "a constant does not fit 64 bits");
        }
    } else if (lex_accept(parser, "~")) {
        value = ~parse_unary(parser);
    } else if (lex_accept(parser, "+")) {
        value = parse_unary(parser);
    } else {
        value = parse_primary(parser);
    }
    lex_leave(parser);
    return value;
}

static int64_t
parse_sum(Parser *parser)
{
    int64_t value = parse_unary(parser);

    while (lex_is(parser, "+") || lex_is(parser, "-")) {
        bool minus = lex_is(parser, "-");
        int64_t other;
        bool overflow;

        lex_next(parser);
        other = parse_unary(parser);
        overflow = minus ? __builtin_sub_overflow(value, other, &value) : __builtin_add_overflow(value, other, &value);
        if (overflow) {
            parse_fail_near(parser, "a constant does not fit 64 bits");
        }
    }
    return value;
}

static int64_t
parse_shift(Parser *parser)
{
    int64_t value = parse_sum(parser);

    while (lex_is(parser, "<<") || lex_is(parser, ">>")) {
        bool left = lex_is(parser, "<<");
        int64_t count;

        lex_next(parser);
        count = parse_sum(parser);
        if (count < 0 || count > 63 || value < 0 || (left && count > 0 && value >> (63 - count) != 0)) {
            parse_fail_near(parser, "a shift leaves the range of 64 bits");
        }
        value = left ? (int64_t)((uint64_t)value << count) : value >> count;
    }
    return value;
}

static int64_t
parse_and(Parser *parser)
{
    int64_t value = parse_shift(parser);

    while (lex_accept(parser, "&")) {
        value &= parse_shift(parser);
    }
    return value;
}

static int64_t
parse_or(Parser *parser)
{
    int64_t value = parse_and(parser);

    while (lex_accept(parser, "|")) {
        value |= parse_and(parser);
    }
    return value;
}

int64_t
parse_constant(Parser *parser)
{
    return parse_or(parser);
}
