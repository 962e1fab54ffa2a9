/* The contracts of the declaration parser: C text in, types out.  Knows no Python.
 *
 * A Scope holds what one plugin declares.  It is not thread-safe: its owner locks it.  Everything that a
 * scope hands out is borrowed and lives, unchanged, as long as the scope. */
#ifndef PLUGIN_DECLARE_H
#define PLUGIN_DECLARE_H

#include "native.h"

enum {
    DIMS_MAX = 4,                  /* dimensions of an array */
    PARAMS_MAX = 64,               /* parameters of a function; what can be called may have fewer */

    /* How many words a call passes: in integer registers, in floating-point registers, and on the stack. */
#if defined(__aarch64__)
    CALL_INTEGERS = 8,
#else
    CALL_INTEGERS = 6,
#endif
    CALL_FLOATS = 8,
#if defined(__APPLE__) && defined(__aarch64__)
    CALL_STACK = 0,                /* packed there, not in words: not done yet */
#else
    CALL_STACK = 32,
#endif
};

typedef enum {
    TYPE_VOID,
    TYPE_BOOL,
    TYPE_CHAR,                     /* plain char; signed as the header record says */
    TYPE_INTEGER,
    TYPE_FLOAT,                    /* float or double */
    TYPE_ENUM,
    TYPE_POINTER,
    TYPE_ARRAY,                    /* of constant length; never the type of a parameter */
    TYPE_STRUCT,                   /* STRUCT_FORWARD: a name without a shape, known by pointer only */
    TYPE_FUNCTION,
    TYPE_REFUSED,                  /* known to C, not to us: long double, _Complex, unions, va_list ... */
} TypeKind;

/* The words of section 1 of the design. */
enum {
    WORD_COUNT = 1 << 0,
    WORD_OUT = 1 << 1,
    WORD_INOUT = 1 << 2,
    WORD_NULLABLE = 1 << 3,
    WORD_OWNED = 1 << 4,
    WORD_FREE = 1 << 5,
    WORD_DESTRUCTOR = 1 << 6,
    WORD_BYTES = 1 << 7,
    WORD_BLOCKING = 1 << 8,
    WORD_THREADSAFE = 1 << 9,
    WORD_RETAINED = 1 << 10,
};

typedef struct Type Type;
typedef struct Field Field;

/* One extent of an array, or one argument of plugin_count. */
typedef struct {
    const char *name;              /* the length's name; NULL for a constant */
    bool pointed;                  /* plugin_count(*n) */
    int index;                     /* of the parameter or member so named */
    size_t constant;
} Dim;

/* A parameter of a function or a member of a struct. */
struct Field {
    const char *name;              /* NULL for a parameter without one */
    const Type *type;              /* of a parameter `T x[n][m]`: T *, with the extents in dims */
    unsigned words;
    int dim_count;
    const Dim *dims;
    size_t offset;                 /* bytes, of a member */
};

typedef struct {
    const Type *result;
    unsigned words;                /* before the result */
    const char *release;           /* the f of plugin_free(f), or NULL */
    int count;
    const Field *params;
    bool varargs;
} Prototype;

typedef struct Struct {
    const char *name;
    const char *text;              /* normalised: one blank between tokens */
    enum { STRUCT_FORWARD, STRUCT_READING, STRUCT_READY, STRUCT_FAILED } state;
    int count;
    const Field *members;
    size_t size;                   /* bytes */
    size_t align;                  /* bytes */
    const Record *record;          /* where it stands, with the compiler's own size; NULL for a host's text */
    char *failure;                 /* why it could not be understood */
    void *host;                    /* for the scope's owner: the host's own type for it, once that is ready */
    void *making;                  /* the same while it is not: for the thread that makes it */
    struct Struct *outer;          /* for the scope: while it is read, the struct around it */
} Struct;

typedef struct {
    const char *name;
    int64_t value;
} Enumerator;

typedef struct {
    const char *name;              /* the tag, or the typedef's name; NULL if it has neither */
    int count;
    const Enumerator *enumerators;
    void *host;                    /* for the scope's owner: the host's own type for it */
} Enum;

struct Type {
    TypeKind kind;
    bool is_signed;                /* of integers, enums and char */
    bool is_const;
    size_t size;                   /* bytes, of scalars, enums and pointers: ask type_size */
    size_t align;                  /* bytes */
    uint16_t depth, parts;         /* of the types in it, once measured; 0 before */
    const char *name;              /* of scalars their C spelling, of STRUCT and ENUM the tag */
    const Type *target;            /* what a pointer points to, the item of an array */
    size_t length;                 /* items of an array */
    Struct *record;                /* of TYPE_STRUCT */
    const Enum *enumeration;       /* of TYPE_ENUM */
    const Prototype *prototype;    /* of TYPE_FUNCTION */
};

/* A function or a variable that was declared. */
typedef struct {
    const char *name;              /* NULL for a bare type such as `double (double)` */
    const char *text;              /* as its author wrote it */
    const Type *type;
    unsigned words;                /* of a variable; a function's stand in its prototype */
    bool recorded;                 /* by the plugin; else the host declared it */
    void **host;                   /* for the scope's owner: a place of all functions that differ from this one in their
                                    * names alone, NULL to begin with; or NULL where there is none */
} Declaration;

/* Every function of a scope may be called from any thread, with or without a GIL; what it gives is never changed, but
 * for a struct's members, which are there once scope_complete has said so. */
typedef struct Scope Scope;

/* A scope over the records of `facts` (borrowed; may be NULL), of which the header is looked at here and never again.
 * NULL when memory is short. */
Scope *scope_new(const FileFacts *facts);
void scope_free(Scope *scope);

/* Whether nothing was read into it, and no record is in use. */
bool scope_is_unused(const Scope *scope);

/* Add the host's declarations: all of `text` or, on failure, none of it.  Functions, variables, typedefs,
 * structs, enums and constants; a name that is declared already must be declared alike.
 * Returns 0, or -1 with `reason` filled in. */
int scope_declare(Scope *scope, const char *text, char reason[REASON_MAX]);

/* The declaration of the function or variable `name`, read now if neither it nor one that is alike was read before.
 * Returns false with an empty `reason` if nothing declares it, with a reason if what declares it cannot be
 * understood. */
bool scope_find(Scope *scope, const char *name, Declaration *declaration, char reason[REASON_MAX]);

/* Call `visit` with what the owner put into each `host` of a declaration; some are still NULL. */
void scope_each_host(Scope *scope, void (*visit)(void *host));

/* Memory for a text of the owner's, which lives as long as the scope; NULL when memory is short. */
char *scope_text(Scope *scope, size_t size);

/* Read one type, with or without a name in it: `double (double)`, `int x[3]`, `double cos(double x);`.
 * The caller owns `*declaration`, whose parts are borrowed.  Returns 0, or -1 with `reason`. */
int scope_read_type(Scope *scope, const char *text, Declaration *declaration, char reason[REASON_MAX]);

/* Whether the type in `text`, with or without the name, is the declared one; words count if the text has any.  Leaves
 * nothing in the scope.  1, 0, or -1 with `reason` where the text cannot be understood. */
int scope_compare(Scope *scope, const char *text, const Declaration *declared, char reason[REASON_MAX]);

/* The function marked plugin_destructor whose first parameter points to the struct or opaque type `name`, or
 * NULL.  Declarations that cannot be understood are passed over. */
const Declaration *scope_destructor(Scope *scope, const char *name);

/* Make sure that the members of a struct have been read.  0, or -1 with `reason`; also -1 when it is only a
 * forward declaration, with an empty reason. */
int scope_complete(Scope *scope, Struct *record, char reason[REASON_MAX]);

/* Call `visit` with the name of each function and variable that is declared, until it returns non-zero. */
int scope_each(Scope *scope, int (*visit)(void *context, const char *name, RecordKind kind), void *context);

/* key.c: the text that tells a struct from every other: its own, and that of each struct it names, once.
 * Returns a malloc'ed string that the caller frees, or NULL when memory is short.  The struct is complete. */
char *scope_struct_key(Scope *scope, Struct *record);

/* type_equal of types of scopes that another thread may be adding to. */
bool scope_equal(const Type *a, const Type *b, bool words);

/* Whether two types are one to a C compiler, names of parameters aside; words are compared when `words` is set. */
bool type_equal(const Type *a, const Type *b, bool words);

/* Whether any word stands in the declaration (function: of its prototype). */
bool type_has_words(const Type *type);

/* The size and alignment of a type in bytes, once its struct has been read. */
size_t type_size(const Type *type);
size_t type_align(const Type *type);

/* Numbers, bool and enums; pointers to char; plugin_error *. */
bool type_is_scalar(const Type *type);
bool type_is_string(const Type *type);
bool type_is_error(const Type *type);

/* The function that a type is or points to, or NULL. */
const Type *type_function(const Type *type);

/* Write the C spelling of `type` with `name` in its place, cut to `size` bytes with the NUL.  Where `name` is NULL it is
 * the type alone, without names of parameters and without words: `double (const double *, size_t)`. */
void type_spell(const Type *type, const char *name, char *buffer, size_t size);

/* The C spelling of one word (`plugin_out`). */
const char *word_name(unsigned word);

#endif
