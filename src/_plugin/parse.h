/* What the parts of the declaration parser share: lex.c, type.c, declare.c, naming.c, pattern.c, scope.c and
 * declared.c, in this order of dependence (those from declare.c on call each other through this page only). */
#ifndef PLUGIN_PARSE_H
#define PLUGIN_PARSE_H

#include "declare.h"

#include <setjmp.h>

enum {
    DEPTH_MAX = 48,                /* nested brackets, declarators and readings; guards the C stack */
    TYPE_DEPTH_MAX = 64,           /* of a type that typedefs build up; guards it too */
    TYPE_PARTS_MAX = 4096,         /* likewise; guards the time of walking it */
    MEMBERS_MAX = 4096,            /* of a struct */
    TEXT_MAX = 1 << 20,            /* bytes of one declaration text */
};

/* Memory that is freed all at once. */
typedef struct ArenaBlock ArenaBlock;
typedef struct {
    ArenaBlock *first;
} Arena;

/* Zeroed memory, aligned for any type, or NULL. */
void *arena_alloc(Arena *arena, size_t size);
void arena_free(Arena *arena);

/* Memory for a text, neither zeroed nor aligned, or NULL: an arena of texts alone is packed, in larger blocks. */
char *arena_text(Arena *arena, size_t size);

typedef enum { TOKEN_END, TOKEN_NAME, TOKEN_NUMBER, TOKEN_CHARACTER, TOKEN_STRING, TOKEN_MARK } TokenKind;

typedef struct {
    TokenKind kind;
    const char *start;
    size_t size;                   /* bytes */
} Token;

/* One reading of one text.  Errors leave by parse_fail, which never returns: everything that a reading allocates
 * is in the scope's arena, so there is nothing to release on the way. */
typedef struct {
    Scope *scope;
    Arena *arena;
    const char *cursor;            /* behind the current token */
    Token token;
    int *depth;                    /* the scope's: a reading inside a reading goes on counting */
    char *reason;                  /* REASON_MAX bytes */
    bool lasts;                    /* the text outlives the scope */
    const char *name_at;           /* where the name that declare_one read stands, or NULL */
    jmp_buf failed;
} Parser;

/* ------------------------------------------------------------------ lex.c */

/* Begin to read `text`: the first token is current.  Scope, arena, depth, reason and failed are set before. */
void lex_start(Parser *parser, const char *text);

/* Leave the reading with a sentence; `near` adds the current token. */
_Noreturn void parse_fail(Parser *parser, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void parse_fail_near(Parser *parser, const char *format, ...) __attribute__((format(printf, 2, 3)));

void lex_next(Parser *parser);
bool lex_is(const Parser *parser, const char *text);
bool lex_accept(Parser *parser, const char *text);
void lex_expect(Parser *parser, const char *text);
void lex_enter(Parser *parser);    /* one bracket deeper; fails at DEPTH_MAX */
void lex_leave(Parser *parser);

/* The current token as a string in the arena; memory of `size` zeroed bytes there.  Both fail by parse_fail. */
const char *parse_copy(Parser *parser, const char *start, size_t size);
void *parse_alloc(Parser *parser, size_t size);

/* Room for one more item behind `count` items of `size` bytes: the same memory, or more with the items copied. */
void *parse_grow(Parser *parser, void *items, int count, size_t size);

/* The text from `start` to `end` with one blank between tokens, in the arena. */
const char *parse_normalise(Parser *parser, const char *start, const char *end);

/* Read a constant expression: literals, enumerators and + - ~ | & << >> ( ). */
int64_t parse_constant(Parser *parser);

/* ------------------------------------------------------------------ type.c */

/* The scalar of that C spelling (`unsigned long`, `size_t`, `int32_t`), or NULL. */
const Type *type_scalar(const char *name, size_t size);
extern const Type type_void, type_int;

/* The plain char of a library whose char is signed or not. */
const Type *type_char(bool is_signed);

/* ------------------------------------------------------------------ specify.c */

/* What was read before the declarators. */
typedef struct {
    const Type *type;
    unsigned words;
    const char *release;           /* of plugin_free */
    bool is_typedef;
    bool words_taken;              /* by a function type: they are its result's */
} Specifiers;

/* One name with its type, before it is known what it is for. */
typedef struct {
    const char *name;
    const char *name_at;           /* in the text */
    const Type *type;
    unsigned words;                /* behind the name, or among its stars */
    int dim_count;                 /* of plugin_count */
    Dim dims[DIMS_MAX];
} Declarator;

Type *parse_type(Parser *parser, TypeKind kind, const Type *target);
Type *parse_pointer(Parser *parser, const Type *target);
const Type *parse_const(Parser *parser, const Type *type);

/* Fail unless a value of that type can be laid out: `what` says where it stands, `name` what it is called. */
void parse_require_shape(Parser *parser, const Type *type, const char *what, const char *name);

/* Read a word of ours if one stands here.  Among the specifiers there is no `declarator`, behind a name no `release`. */
bool read_word(Parser *parser, unsigned *words, const char **release, Declarator *declarator);

/* Read an attribute, or a word of C that changes nothing for a caller, if one stands here. */
bool skip_noise(Parser *parser);

/* All that stands before a declarator. */
Specifiers read_specifiers(Parser *parser);

/* ------------------------------------------------------------------ rules.c: each fails the reading, or returns */

void rule_words(Parser *parser, unsigned words, unsigned allowed, const char *place);
void rule_function(Parser *parser, const Type *function, const char *name);
void rule_result_words(Parser *parser, const Prototype *prototype);
void rule_param(Parser *parser, const Field *param, int number);
void rule_member(Parser *parser, const Field *member);

/* Find the parameters or members that the extents name. */
void rule_dims(Parser *parser, Field *fields, int count, const char *what);

/* ------------------------------------------------------------------ declare.c */

/* Read all declarations of the text into the scope. */
void declare_all(Parser *parser);

/* Read one declaration or bare type and the end of the text. */
void declare_one(Parser *parser, Declaration *declaration);

/* Read `{ members }` and fill in `record`. */
void declare_struct_body(Parser *parser, Struct *record);

/* ------------------------------------------------------------------ scope.c */

typedef enum { ENTRY_TYPEDEF, ENTRY_CONSTANT, ENTRY_DECLARATION, ENTRY_TAG } EntryKind;

typedef struct Entry Entry;
struct Entry {
    const char *name;
    EntryKind kind;
    const Type *type;              /* of a typedef or a tag */
    int64_t value;                 /* of a constant */
    Declaration declaration;
    char *failure;                 /* why the record could not be understood; the entry is then nothing else */
    Entry *next;
};

/* entry.c: whether two entries of one name mean the same, the first being there already; what is shown of one. */
bool entry_equal(const Entry *a, const Entry *b);
void entry_describe(const Entry *entry, char *buffer, size_t size);

/* Names of variables, functions, typedefs and constants share one space, tags have another, as in C. */
Entry *scope_entry(Scope *scope, const char *name, size_t size, bool tag);

/* The constant of that name, records included, or NULL: whatever else has the name, a parameter may have it too. */
const Entry *scope_constant(Parser *parser, const char *name, size_t size);

/* The body of a struct is read between these two: where the reading fails, the struct has failed. */
void scope_open_struct(Scope *scope, Struct *record);
void scope_close_struct(Scope *scope, Struct *record);

/* Add an entry; a name that is there must mean the same, or the reading fails with both texts. */
void scope_add(Parser *parser, const Entry *entry);

/* What `name` means as a type, records included; an opaque type if nothing declares it. */
const Type *scope_type(Parser *parser, const char *name, size_t size, bool tag);

/* The struct of that tag, made as a forward declaration if it is not there. */
Struct *scope_struct(Parser *parser, const char *name, size_t size, const Type **type);

/* Put an entry into its table.  NULL when memory is short. */
Entry *scope_insert(Scope *scope, const Entry *entry);

/* The record of that kind and name, or NULL, also without a file. */
bool scope_record(const Scope *scope, RecordKind kind, const char *name, size_t size, Record *record);

bool scope_char_is_signed(const Scope *scope);
uint32_t scope_abi(const Scope *scope);        /* major << 16 | minor of the records, 0 without a manifest */

/* What reads from the current token on. */
typedef void (*Reading)(Parser *parser, void *context);

/* Read `text` with `reading`.  Returns 0, or -1 with `reason`: the one place where parse_fail arrives. */
int scope_read(Scope *scope, const char *text, char reason[REASON_MAX], Reading reading, void *context);

/* The reading that is declare_all. */
void scope_all(Parser *parser, void *context);

/* ------------------------------------------------------------------ names in a text that is not read */

static inline bool
is_name_byte(char c)
{
    return (unsigned char)c >= 0x80 || c == '_' || c == '$' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

/* ------------------------------------------------------------------ naming.c: enums and PLUGIN_DECLAREs */

/* A record that gives names to other records. */
typedef struct {
    const Record *record;
    enum { NAMING_UNREAD, NAMING_READING, NAMING_READ, NAMING_FAILED } state;
    char *failure;
} Naming;

typedef struct {
    Naming *items;                 /* in the arena */
    size_t count;
} Namings;

/* Find them among the records of `facts` (may be NULL); read those that were not read. */
void naming_list(Namings *namings, Arena *arena, const FileFacts *facts);
void naming_read(Namings *namings, Scope *scope, Arena *arena);

/* Read those that may declare `name` before what is being read: they stand in a file in any order. */
void naming_demand(Namings *namings, Parser *parser, const char *name, size_t size);

/* Fail the reading if one that may declare `name` is not understood. */
void naming_refuse(const Namings *namings, Parser *parser, const char *name, size_t size);

/* ------------------------------------------------------------------ pattern.c: functions that differ in their names alone */

/* What stands around the name of a function is read once, and is the same type in each declaration of the scope that is
 * equal but for the name, as long as no name gets a meaning that it had not when it was read. */
typedef struct Pattern Pattern;

typedef struct {
    Pattern **buckets;             /* owned */
    size_t size, count;            /* the first a power of two, or 0 */
    Pattern *newest;               /* of all, forgotten ones too */
    size_t forgotten;              /* how often */
} Patterns;

/* A text, and where the name stands in it. */
typedef struct {
    const char *text;              /* borrowed */
    unsigned before, after, size;  /* bytes */
    uint32_t hash;                 /* of all but the name */
} Cut;

/* Whether the declaration of a function may fit a pattern, or be one, if `name` is what it declares. */
bool pattern_cut(const char *text, const char *name, size_t name_size, Cut *cut);

/* The pattern that fits, or NULL. */
Pattern *pattern_find(const Patterns *patterns, const Cut *cut);

/* Remember what was read, where the cut is known to be right and the text to outlive the scope.  NULL when memory is
 * short. */
Pattern *pattern_add(Patterns *patterns, Arena *arena, const Cut *cut, const Type *type);

/* What the record of a function declares that the pattern fits. */
void pattern_declare(Pattern *pattern, const Record *record, Declaration *declaration);

/* From now on texts are read anew. */
void pattern_forget(Patterns *patterns);

void pattern_end(Patterns *patterns);

/* ------------------------------------------------------------------ declared.c: functions and variables by name */

/* As scope_find under the lock, from a reading too; the record is kept as an entry. */
const Declaration *declared_find(Scope *scope, const char *name, char reason[REASON_MAX]);

/* ------------------------------------------------------------------ the scope itself, for its parts */

enum {
    BUCKETS = 128,                 /* of names: a power of two, like the other */
    FEW_BUCKETS = 16,              /* of tags and of types: a plugin has fewer */
};

/* What was entered by name.  Most plugins never have these: functions that are declared alike are patterns. */
typedef struct {
    Entry *names[BUCKETS], *tags[FEW_BUCKETS];
    Entry *types[FEW_BUCKETS];     /* what scope_read_type read, by its text: to ask again costs no memory */
} Tables;

/* A text of the host's that was accepted, and how it was read. */
typedef struct HostText HostText;
struct HostText {
    HostText *next;
    Reading reading;
    char text[];
};

/* Changed and walked under scope_lock alone, but for the names: entries are complete when they are put in front of a
 * bucket, and never leave it; the tables are empty when they are published. */
struct Scope {
    const FileFacts *facts;        /* borrowed; NULL without a file */
    uint32_t abi;                  /* of the header record, likewise below: see scope_abi */
    bool char_is_signed;
    bool prepared;                 /* the naming records have been read */
    Arena arena;
    Tables *tables;                /* in the arena; NULL until there is an entry: see scope_tables */
    Arena texts;                   /* the owner's: see scope_text */
    Patterns patterns;
    HostText *first, **last;       /* owned: what was accepted, in order */
    size_t changes;                /* names and shapes that were added */
    Namings namings;
    int depth;                     /* of the readings under way */
    Struct *reading;               /* the innermost struct whose body is being read */
};

/* The one mutex of all scopes, which a thread may take several times.  Nothing under it knows Python. */
void scope_lock(void);
void scope_unlock(void);

/* The tables to enter something, under the lock: NULL when memory is short.  To look for something, by any thread: NULL
 * if nothing was entered. */
Tables *scope_make_tables(Scope *scope);

static inline Tables *
scope_tables(const Scope *scope)
{
    return __atomic_load_n(&scope->tables, __ATOMIC_ACQUIRE);
}

/* The bucket of a name among BUCKETS; of a few, the remainder. */
size_t scope_bucket(const char *name, size_t size);

/* Read the records that give names to others, if that was not done. */
void scope_prepare(Scope *scope);

#endif
