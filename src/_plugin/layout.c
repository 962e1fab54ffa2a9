/* Layouts of structs in the words of the buffer protocol (PEP 3118), and formats of others compared with them. */
#include "memory.h"

/* ------------------------------------------------------------------ writing */

typedef struct {
    char *text;
    size_t used, size;             /* bytes */
} Text;

static int
put(Text *text, const char *format, ...)
{
    va_list arguments;
    char piece[128];
    size_t size;

    va_start(arguments, format);
    size = (size_t)PyOS_vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (text->used + size + 1 > text->size) {
        size_t room = 2 * text->size + size + 1;
        char *more = PyMem_Realloc(text->text, room);

        if (more == NULL) {
            return -1;
        }
        text->text = more;
        text->size = room;
    }
    memcpy(text->text + text->used, piece, size + 1);
    text->used += size;
    return 0;
}

static int put_struct(Text *text, const Struct *record);

static int
put_type(Text *text, const Type *type)
{
    bool many = type->kind == TYPE_ARRAY && type->target->kind != TYPE_CHAR;
    int failed = many ? put(text, "(") : 0;

    for (; type->kind == TYPE_ARRAY && failed == 0; type = type->target) {
        if (type->target->kind == TYPE_CHAR) {
            return many ? put(text, "%zu)s", type->length) : put(text, "%zus", type->length);
        }
        failed = put(text, "%zu%s", type->length, type->target->kind == TYPE_ARRAY ? "," : ")");
    }
    if (failed < 0) {
        return -1;
    }
    if (type->kind == TYPE_STRUCT) {
        return put_struct(text, type->record);
    }
    return put(text, "=%s", type->kind == TYPE_POINTER ? "Q" : convert_format(type));
}

static int
put_struct(Text *text, const Struct *record)
{
    size_t end = 0;
    int failed = put(text, "T{");

    for (int i = 0; i < record->count && failed == 0; i++) {
        const Field *member = &record->members[i];

        if (member->offset > end) {
            failed = put(text, "%zux", member->offset - end);
        }
        failed = failed < 0 || put_type(text, member->type) < 0 || put(text, ":%.100s:", member->name) < 0 ? -1 : 0;
        end = member->offset + type_size(member->type);
    }
    if (failed == 0 && record->size > end) {
        failed = put(text, "%zux", record->size - end);
    }
    return failed < 0 ? -1 : put(text, "}");
}

char *
layout_format(const Struct *record)
{
    Text text = {NULL, 0, 0};

    if (put_struct(&text, record) < 0) {
        PyMem_Free(text.text);
        PyErr_NoMemory();
        return NULL;
    }
    return text.text;
}

/* ------------------------------------------------------------------ reading */

enum { PLACES_MAX = 256 };         /* runs of scalars in one struct that are compared */

/* Scalars of a format, one behind the other: where they stand, what they are. */
typedef struct {
    size_t offset, size;           /* bytes: of the first one, of each */
    size_t count;
    char kind;                     /* i, u, f, ?, c */
} Place;

typedef struct {
    const char *at;
    size_t offset;                 /* bytes from the beginning */
    char order;                    /* @ = < > */
    int count, depth;
    Place places[PLACES_MAX];
} Reader;

static const struct {
    char letter, kind;
    uint8_t standard, native;      /* bytes */
} letters[] = {
    {'b', 'i', 1, 1}, {'B', 'u', 1, 1}, {'h', 'i', 2, sizeof(short)}, {'H', 'u', 2, sizeof(short)},
    {'i', 'i', 4, sizeof(int)}, {'I', 'u', 4, sizeof(int)}, {'l', 'i', 4, sizeof(long)}, {'L', 'u', 4, sizeof(long)},
    {'q', 'i', 8, 8}, {'Q', 'u', 8, 8}, {'n', 'i', sizeof(size_t), sizeof(size_t)}, {'N', 'u', sizeof(size_t), sizeof(size_t)},
    {'P', 'u', sizeof(void *), sizeof(void *)}, {'f', 'f', 4, 4}, {'d', 'f', 8, 8}, {'?', '?', 1, 1},
    {'c', 'c', 1, 1}, {'s', 'c', 1, 1}, {'x', 'x', 1, 1},
};

static size_t
read_number(Reader *reader)
{
    size_t number = 0;

    while (*reader->at >= '0' && *reader->at <= '9' && number < INT32_MAX / 16) {
        number = 10 * number + (size_t)(*reader->at++ - '0');
    }
    return number;
}

/* `(2,3)` or `4` before a letter: how many. */
static size_t
read_repeat(Reader *reader)
{
    size_t count = 1;

    if (*reader->at == '(') {
        do {
            reader->at++;
            count *= read_number(reader);
        } while (*reader->at == ',' && count < INT32_MAX);
        reader->at += *reader->at == ')';
    }
    if (*reader->at >= '0' && *reader->at <= '9') {
        count *= read_number(reader);
    }
    return count;
}

static bool
skip(Reader *reader, size_t count)
{
    reader->offset += count;
    return true;
}

static bool
add_places(Reader *reader, size_t size, size_t count, char kind)
{
    Place *last = reader->count > 0 ? &reader->places[reader->count - 1] : NULL;

    if (count == 0) {
        return true;
    }
    if (reader->order == '>' && size > 1) {
        return false;
    }
    if (last != NULL && last->kind == kind && last->size == size && last->offset + last->count * size == reader->offset) {
        last->count += count;
    } else if (reader->count < PLACES_MAX) {
        reader->places[reader->count++] = (Place){reader->offset, size, count, kind};
    } else {
        return false;
    }
    reader->offset += count * size;
    return true;
}

static bool
read_scalar(Reader *reader, size_t count)
{
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) {
        size_t size;

        if (letters[i].letter != *reader->at) {
            continue;
        }
        reader->at++;
        size = reader->order == '@' ? letters[i].native : letters[i].standard;
        if (reader->order == '@') {
            reader->offset = (reader->offset + size - 1) / size * size;
        }
        return letters[i].kind == 'x' ? skip(reader, count) : add_places(reader, size, count, letters[i].kind);
    }
    return false;
}

static bool read_members(Reader *reader);

static bool
read_member(Reader *reader)
{
    size_t count;

    while (*reader->at != '\0' && strchr("@=<>!^", *reader->at) != NULL) {
        reader->order = *reader->at == '!' ? '>' : *reader->at == '^' ? '=' : *reader->at;
        reader->at++;
    }
    count = read_repeat(reader);
    while (*reader->at != '\0' && strchr("@=<>!", *reader->at) != NULL) {
        reader->order = *reader->at == '!' ? '>' : *reader->at;
        reader->at++;
    }
    if (reader->at[0] == 'T' && reader->at[1] == '{') {
        const char *start = reader->at + 2;

        for (; count > 0; count--) {
            reader->at = start;
            if (!read_members(reader)) {
                return false;
            }
        }
    } else if (!read_scalar(reader, count)) {
        return false;
    }
    if (*reader->at == ':') {
        const char *end = strchr(reader->at + 1, ':');

        if (end == NULL) {
            return false;
        }
        reader->at = end + 1;
    }
    return true;
}

static bool
read_members(Reader *reader)
{
    if (reader->depth++ > 16) {
        return false;
    }
    while (*reader->at != '}') {
        if (!read_member(reader)) {
            return false;
        }
    }
    reader->at++;
    reader->depth--;
    return true;
}

static bool
read_format(Reader *reader, const char *format)
{
    reader->at = format;
    reader->offset = 0;
    reader->order = '@';
    reader->count = reader->depth = 0;
    return read_member(reader) && *reader->at == '\0';
}

/* Take the first so many scalars off. */
static void
advance(Place **place, size_t count)
{
    (*place)->offset += count * (*place)->size;
    (*place)->count -= count;
    *place += (*place)->count == 0;
}

bool
layout_matches(const Struct *record, const char *format)
{
    const StructInfo *info = record_known(record);
    Reader ours, theirs;
    Place *a = ours.places, *b = theirs.places;

    if (info == NULL || !read_format(&ours, info->format) || !read_format(&theirs, format)) {
        return false;
    }
    while (a < ours.places + ours.count && b < theirs.places + theirs.count) {
        bool kind = a->kind == b->kind || (a->size == 1 && (a->kind == 'c' || b->kind == 'c'));
        size_t count = a->count < b->count ? a->count : b->count;

        if (a->offset != b->offset || a->size != b->size || !kind) {
            return false;
        }
        advance(&a, count);
        advance(&b, count);
    }
    return a == ours.places + ours.count && b == theirs.places + theirs.count;
}
