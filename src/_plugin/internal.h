/* The contracts of the parts that know Python.  Everything here is called with the GIL held,
 * or attached where there is none.
 *
 * A pointer function returns NULL and an int function -1 on failure, always with an exception set, unless its
 * contract says otherwise.  Results are new references. */
#ifndef PLUGIN_INTERNAL_H
#define PLUGIN_INTERNAL_H

#include "convert.h"

#include "threads.h"

#include <structmember.h>

typedef struct ModuleState ModuleState;
typedef struct LibraryObject LibraryObject;
typedef struct HandleObject HandleObject;
typedef struct StructInfo StructInfo;
typedef struct Signature Signature;
typedef struct Life Life;

/* ------------------------------------------------------------------ _plugin.c */

enum { SPARE_MAX = 32 };

/* All owned. */
struct ModuleState {
    PyObject *errors;              /* shared: see state_errors */
    PyObject *structs;             /* dict: key of a struct -> its type */
    PyObject *stand_ins;           /* dict: addresses of structs that stand for Python objects */
    PyObject *enums;               /* dict: key of an enum -> dict: value -> member, None -> its type */
    PyObject *by_file, *by_path;   /* dicts: (device, inode), real path -> open Plugin; never one less */
    Life *life;                    /* of the interpreter; never freed */
    void *spare[SPARE_MAX];        /* memory of objects of plugins that went, for those that come; see handle.c */
    int spare_count;
    int64_t gil;                   /* see tenant.c */
    Once making;                   /* held by the thread that makes struct types */
    FORKABLE_MEMBER;
    PyTypeObject *library, *symbol, *function, *variable, *handle, *pointer, *structure, *items;
};

extern struct PyModuleDef plugin_module;

ModuleState *state_of(PyTypeObject *type);     /* borrowed; of the module that made `type` or a base of it */

/* Load the library at `path` (bytes in the file system's encoding).
 * Returns a handle that the caller owns, or NULL with `reason` filled in.  Without the GIL. */
void *pluginOpen(const char *path, int mode, char reason[REASON_MAX]);

/* The address of `name` in the library, or NULL with `reason` filled in: also for a symbol whose value is NULL.
 * Waits for the loader's lock, so it is called without the GIL. */
void *pluginLookup(void *handle, const char *name, char reason[REASON_MAX]);

/* Borrowed: the module plugin._sentences, which writes the sentences.  Imported when something is to be said: that is
 * seldom, and an import of plugin is to cost next to nothing. */
PyObject *state_errors(ModuleState *state);

/* Raise what the function `fact` of plugin._sentences makes of the facts (as Py_BuildValue, a tuple).  Returns NULL. */
PyObject *raise_fact(ModuleState *state, const char *fact, const char *format, ...);

/* ------------------------------------------------------------------ registers.h: the call itself */

typedef struct {
    int64_t integers[CALL_INTEGERS];
    double floats[CALL_FLOATS];
    int64_t stack[32];
} Registers;

/* ------------------------------------------------------------------ signature.c: prototypes to conversions */

/* How one parameter, or the result, is converted. */
typedef enum {
    CONVERT_NOTHING,               /* void */
    CONVERT_SCALAR,                /* numbers, bool, enums */
    CONVERT_STRING,
    CONVERT_BUFFER,                /* items with or without lengths */
    CONVERT_ADDRESS,               /* void * */
    CONVERT_HANDLE,                /* S *, with members or opaque */
    CONVERT_CALLBACK,              /* a function pointer: a callable */
    CONVERT_TEXT,                  /* const char *s plugin_count(n): a str with its length */
    CONVERT_STRINGS,               /* const char *const names[n]: a sequence of str */
    CONVERT_FUNCTION,              /* a function pointer that a plugin hands out */
    CONVERT_HANDLES,               /* S **items plugin_count(n) that a callback is given: a tuple */
    /* Parameters that Python does not pass: */
    CONVERT_SELF,                  /* the S * of a method */
    CONVERT_LENGTH,                /* taken from buffers */
    CONVERT_CAPACITY,              /* T *n plugin_inout named by plugin_count(*n): buffers' length in, used length out */
    CONVERT_OUT,                   /* T *x plugin_out: room for one T */
    CONVERT_ROOM,                  /* T *x plugin_count(n) plugin_out: room for as many as the length says */
    CONVERT_ERROR,                 /* plugin_error * */
    CONVERT_DATA,                  /* the void * of a callback, given with it and passed to it */
} Conversion;

/* Arguments whose usual values convert without a call. */
typedef enum {
    FAST_NOT,
    FAST_INTEGER,                  /* of any width: ints of one digit within least and most */
    FAST_DOUBLE,
    FAST_FLOAT,
    FAST_STRING,
    FAST_BYTES,
} Fast;

typedef struct {
    uint8_t conversion;            /* Conversion */
    uint8_t fast;                  /* Fast */
    int32_t least;                 /* of an integer: its range, as far as one digit goes */
    uint32_t span;                 /* the greatest is `least + span`; 0 if it is none */
    uint8_t result;                /* of OUT: the Conversion of what comes out */
    bool nullable, bytes, owned;
    bool both;                     /* plugin_inout of a scalar: passed and returned */
    bool retained;                 /* the plugin keeps the pointer */
    bool silent;                   /* of OUT: a length that a ROOM names, which is no result of its own */
    int8_t python;                 /* number among the Python arguments, or -1 */
    uint16_t place;                /* bytes into Registers */
    uint8_t items;                 /* of a BUFFER of numbers: the kind that convert_letters tells; or 0 */
    uint8_t item_size;             /* bytes */
    const Type *type;              /* the parameter's own; of OUT, CAPACITY and buffers: what it points to */
    int8_t data;                   /* of a CALLBACK: the number of its DATA, or -1 */
    int8_t inner;                  /* of a CALLBACK with DATA: its number among the callback's own parameters */
    const Field *field;            /* NULL for the result */
    Signature *callback;           /* owned: of what a CALLBACK points to */
} Argument;

/* How to release an object of a plugin. */
typedef struct {
    enum { RELEASE_NONE, RELEASE_FUNCTION, RELEASE_MEMBER, RELEASE_MEMORY } how;     /* MEMORY: ours, PyMem_Free */
    void *function;                /* NULL before the library was loaded: then it is looked for by name */
    const char *name;              /* borrowed from the declaration */
    size_t offset;                 /* bytes: where the object holds the function itself */
    bool takes_error;              /* a plugin_error * comes second */
    bool overlaps;                 /* threadsafe: as Signature's is_exclusive is not */
} Release;

enum { SCALARS_MAX = 8 };

/* What the calls of scalars.c need to know.  It stands in the Signature itself: a look elsewhere costs a nanosecond. */
typedef struct {
    uint8_t integers, floats;      /* how many */
    uint8_t from[SCALARS_MAX];     /* numbers of the arguments: all integers, then all floating-point ones */
    uint8_t bools;                 /* bits: which of the former are bool */
    uint8_t narrow;                /* bits: which of the latter are float */
    uint8_t give;                  /* see there; 0 where there is no plan */
    struct {
        uint64_t least, span;      /* as Argument's, of 8 bytes: the machine compares with those in place */
    } ranges[SCALARS_MAX];
} Plan;

struct Signature {
    LibraryObject *library;        /* borrowed: the one that it was compiled for; other plugins may share a struct's */
    const Prototype *prototype;    /* borrowed, as all types here: the library lives */
    uint8_t count;                 /* C parameters */
    uint8_t python_count;          /* Python arguments */
    uint8_t stack;                 /* words */
    uint8_t out_count;             /* results by pointer */
    bool has_lengths, has_error, has_retained, has_rooms, is_destructor;
    bool is_blocking;              /* other threads run meanwhile */
    bool is_exclusive;             /* without a GIL: does not overlap with other such calls of the plugin */
    bool is_simple;                /* scalars and strings only: no cleaning up */
    bool is_quick;                 /* of a callback's own signature: scalars only */
    uint8_t callback_count;
    int8_t data;                   /* of a callback's own signature: the number of its DATA, or -1 */
    void *entry;                   /* likewise: the entry point that was made for it, or NULL */
    Plan plan;                     /* of numbers alone */
    Argument result;
    Release release;               /* of an owned result or out */
    bool is_shared;                /* by functions of the library, which owns it */
    /* Of a function's alone; NULL in others: */
    PyCFunction call;              /* what the interpreter calls for it, */
    int call_flags;                /* and how: METH_FASTCALL, with METH_KEYWORDS if it takes anything */
    const Type *type;
    const Declaration *declared;   /* owned: what it was compiled for; NULL if it is shared */
    const char *parameters;        /* what documentation has between name and text; owned, or the scope's if shared */
    Argument arguments[];
};

/* What calling `prototype` takes; a method of `self` if that is not NULL and its first parameter points to it.
 * Returns a signature for signature_free; NULL with an exception, or without one and with `reason` where the
 * prototype cannot be called by this version. */
Signature *signature_compile(LibraryObject *library, const Prototype *prototype, const Struct *self,
                             char reason[REASON_MAX]);

void signature_free(Signature *signature);         /* NULL is fine */

/* The same for a function that native code calls and Python implements; `data` is the number of the parameter that the
 * closure comes in, or -1. */
Signature *signature_compile_callback(LibraryObject *library, const Prototype *prototype, int data,
                                      char reason[REASON_MAX]);

/* The same for a method that native code calls and Python implements. */
Signature *signature_compile_incoming(LibraryObject *library, const Prototype *prototype, const Struct *self,
                                      char reason[REASON_MAX]);
/* How `library` releases what a call of the signature hands over: its own destructor, not that of the plugin which
 * declared the same struct first.  Returns 0, or -1 with an exception. */
int signature_release(const Signature *signature, LibraryObject *library, Release *release);

/* ------------------------------------------------------------------ pair.c: callbacks and their data */

/* Find the `void *` that is given with each callback and passed to it: one of the same name, wherever it stands, or the
 * one that follows.  Fills in `data` and `inner` of all arguments; those that are data get the conversion DATA. */
void signature_pair(Signature *signature);

/* ------------------------------------------------------------------ describe.c: what is told of a signature */

/* The Python name of parameter `number`: `in_` for `in`, `arg2` for one without. */
void signature_name(const Signature *signature, int number, char *buffer, size_t size);

/* Write `(a, b)\n--\n\n`, which stands behind a name in front of its documentation, into `buffer`, if that is not NULL.
 * Its bytes, NUL included. */
size_t signature_parameters(const Signature *signature, bool method, char *buffer);

/* Write the documentation of a function into `buffer`, if that is not NULL; `doc` may be NULL.  Its bytes, NUL included. */
size_t doc_join(char *buffer, const char *name, const char *parameters, const char *text, const char *doc);

/* That of a method; PyMem_Malloc'ed. */
char *signature_doc(const Signature *signature, const char *name, const char *text);

/* What a type checker needs to know: ([(name, kind, spelling, extra, nullable)...], [results alike]). */
PyObject *signature_describe(const Signature *signature);

/* ------------------------------------------------------------------ callback.c: native calls into Python */

enum {
    CALLBACK_POOL = 64,            /* callables at one time that are called without a data pointer */
    CALLBACK_STACK = 8,            /* words of arguments on the stack that an entry point can be given */
    CALLBACKS_MAX = 8,             /* callables that one call can be given */
};

/* A callable that native code may call, from any thread, between closure_start and closure_stop. */
typedef struct {
    const Signature *signature;    /* borrowed, like all of this, from whoever keeps the closure */
    PyObject *callable;
    LibraryObject *library;        /* whose types count */
    Life *life;
    PyThreadState *caller;         /* of the call that was given it, while that is under way; NULL if it outlives that */
    const void *thread;            /* of that call */
    const char *owner, *parameter; /* for messages */
    int slot;                      /* in the pool, or -1 */
    PyObject *given;               /* owned: what the last result's pointer stands on, good until the next one */
    Signature *own;                /* owned by a closure that outlives the call and has a signature of its own; or NULL */
} Closure;

/* Whether native code was ever given a way to call Python: without one, no call of a plugin can leave an exception or
 * release what it was given.  Of the process, and never taken back: an interpreter that asks is told too much at worst. */
extern bool callback_given __attribute__((visibility("hidden")));

static inline bool
native_calls_python(void)
{
    return SHARED_LOAD(callback_given);
}

static inline void
native_may_call_python(void)
{
    SHARED_STORE(callback_given, true);
}

/* The exception that is set becomes the failure of native code: its text, behind the name of its type if so asked. */
void callback_failure(NativeError *error, int32_t code, bool with_type);

/* The life of the current interpreter, and its end, after which callbacks return zero without being run.
 * The end waits, for a second at most, until the threads that Python does not know have left.  In the child of a fork
 * `making` (borrowed until life_forget) is free again. */
Life *life_new(Once *making);
void life_forget(Life *life);
void life_end(Life *life);

/* ------------------------------------------------------------------ quick.c: callbacks of numbers */

/* The closure is called back only while the call that is made now is under way. */
void closure_belongs_here(Closure *closure);

/* Fill in what of a callback's signature tells how it can be called. */
void callback_grade(Signature *signature);

/* ------------------------------------------------------------------ closure.c: entry points */

/* Find an entry point: `function` is what to give to native code, with the closure itself as data if the signature
 * has a place for that. */
int closure_start(Closure *closure, const Where *where, void **function);
void closure_stop(Closure *closure);

/* ------------------------------------------------------------------ implement.c: Python objects as structs */

/* A capsule that owns a struct whose methods are `object`'s; `structure` is what native code is given. */
PyObject *implement(LibraryObject *library, const StructInfo *info, PyObject *object, const Where *where, void **structure);

/* Whether the plugin has called the destructor of what the capsule owns. */
bool implement_released(PyObject *capsule);

/* The object that a struct of ours stands for; NULL without an exception if it is none of ours. */
PyObject *implement_find(ModuleState *state, const void *structure);

/* ------------------------------------------------------------------ arguments.c, call.c, ready.c: calls from Python */

#include "calls.h"

/* ------------------------------------------------------------------ room.c: memory that is lent */

/* A sequence of str as an array of pointers; `count` is how many. */
int room_strings(Frame *frame, const Argument *argument, int number, PyObject *object, Value *value, Py_ssize_t *count);

/* Room for all results of many items, once the lengths are known. */
int room_make(Frame *frame);

/* What the plugin wrote there: str, bytes or a memoryview. */
PyObject *room_take(Frame *frame, const Argument *argument, int number);

/* ------------------------------------------------------------------ retain.c: what the plugin keeps */

/* A copy of a closure that lives as long as the capsule, and keeps its callable. */
PyObject *retain_closure(const Closure *closure, Closure **kept);

/* A callable for a function pointer that stays: a capsule that keeps it, and its entry point.
 * NULL with an exception, or without one and with `reason`. */
PyObject *retain_callable(LibraryObject *library, const Prototype *prototype, PyObject *callable, const Where *where,
                          void **function, char reason[REASON_MAX]);

/* After a call that was made: keep what its retained arguments stand on, as long as the object that the call was
 * about, or the library. */
int retain_arguments(Frame *frame, PyObject *const *args);

/* Where to keep what an object of the plugin stands on: with the object that we release, or else for ever. */
PyObject **retain_dict(HandleObject *handle, LibraryObject *library);

/* Such a dict, borrowed, made if need be. */
PyObject *retain_made(PyObject **dict);

/* Keep `keeper` (NULL: nothing) in it, instead of what was there. */
int retain_set(PyObject **dict, PyObject *place, PyObject *keeper);

/* ------------------------------------------------------------------ handle.c: objects of a plugin */

/* A Pointer or a struct object: something that a plugin made.  No other object refers back to it: no GC. */
struct HandleObject {
    PyObject_HEAD
    void *address;                 /* shared: NULL once released */
    LibraryObject *library;        /* owned; NULL for a Pointer made from a number */
    HandleObject *parent;          /* owned: what it came from, alive as long as it is; or NULL */
    const char *name;              /* of its type: borrowed from the library; NULL for a void * */
    const StructInfo *info;        /* of a struct object: borrowed from its Python type */
    Release release;
    bool owned;                    /* shared: to be released by us, once */
    bool readonly;                 /* its members may only be read */
    int uses;                      /* shared: calls under way that were given it, and views of its memory; or CLAIMED */
    int views;                     /* shared: of these, views, which nobody waits for */
    PyObject *kept;                /* shared, owned: dict of what the plugin was given and keeps, or NULL */
    PyObject *weakrefs;
};

extern PyType_Spec handle_spec, pointer_spec;

/* The destructor of all these types: each names it itself, as what is inherited goes a longer way. */
void handle_dealloc(PyObject *object);

/* An object for what a plugin handed out: a Pointer, or an object of the struct's type. */
PyObject *handle_new(LibraryObject *library, const Type *type, void *address, HandleObject *parent, const Release *release,
                     bool owned);

/* Free the memory that is kept for new objects. */
void handle_free_spare(ModuleState *state);

/* An object of a struct in memory of ours (PyMem_Malloc), which is taken over. */
PyObject *handle_of_memory(const StructInfo *info, void *memory);

/* Release what is at `address`, once.  A failure that the plugin reports goes to sys.unraisablehook.  Keeps an exception
 * that is set already. */
void handle_release(LibraryObject *library, const Release *release, void *address);

/* Whether it is an object of that struct or opaque type, the latter of that library. */
bool handle_is(const HandleObject *handle, const Type *type, const LibraryObject *library);

/* From now on the object is closed: it was released by a call, or else the plugin has it now, with all that it keeps. */
void handle_forget(HandleObject *handle, bool released);

/* What a message calls its type: `sqlite3 *`. */
void handle_spell(const HandleObject *handle, char *buffer, size_t size);

/* ------------------------------------------------------------------ uses.c: objects in use, and their release */

#include "uses.h"

/* ------------------------------------------------------------------ record.c: struct objects */

struct Method {
    const Field *member;
    Signature *signature;          /* owned */
    MethodCall call;               /* made for the signature, or call_method */
    size_t offset;                 /* bytes, of the member */
    Py_ssize_t wants;              /* Python arguments */
    char *name;                    /* owned: "Driver.Mean" */
    bool is_method;                /* takes the object first */
    Signature *incoming;           /* owned: for a Python object that implements it; or NULL with a */
    char *refusal;                 /* owned: reason why Python cannot */
};

struct StructInfo {
    PyTypeObject *type;            /* borrowed: it owns this through a capsule */
    char *format;                  /* owned: of a buffer of such structs */
    Struct *record;                /* borrowed from `library` */
    LibraryObject *library;        /* whose declaration made the type, which owns it: there the GC sees it */
    int count;
    Method *methods;               /* owned */
    PyMethodDef *definitions;      /* owned, ended by an empty one */
    PyGetSetDef *getters;          /* owned: data members, and methods that may be NULL; by number of the member */
    int destructor;                /* number of the method that releases the object, or -1 */
};

enum { METHODS_MAX = 256 };        /* function pointers of one struct */

extern PyType_Spec structure_spec;

/* ------------------------------------------------------------------ making.c: the types of structs */

#include "making.h"

/* ------------------------------------------------------------------ method.c: calls of function pointers in structs */

/* The C function of each method of a type, by the method's number. */
extern const FastCall method_slots[METHODS_MAX];

/* ------------------------------------------------------------------ enum.c: enums as IntEnum */

/* Make the IntEnum of an enum type, or find it: the same for all plugins that declare it alike. */
int enum_prepare(ModuleState *state, const Type *type);

/* The IntEnum, borrowed; NULL without an exception before enum_prepare, and for an enum without a name. */
PyObject *enum_class(const Type *type);

/* The member of that value, or an int if there is none. */
PyObject *enum_member(const Type *type, int64_t value);

/* Whether it has that value; true before enum_prepare. */
bool enum_has(const Type *type, int64_t value);

/* ------------------------------------------------------------------ library.c: one open plugin */

struct LibraryObject {
    PyObject_HEAD
    ModuleState *state;            /* borrowed: the type holds the module */
    void *handle;                  /* the loader's; never closed once code has run */
    Library *entry;                /* of the registry; borrowed for ever */
    FileFacts facts;               /* owned */
    Scope *scope;                  /* owned */
    int mode;                      /* of dlopen */
    bool is_guest;                 /* another GIL than this interpreter's guards its unmarked functions */
    PyObject *path;                /* owned, as all below: str, the real path */
    PyObject *name;                /* str */
    PyObject *version;             /* str or None */
    PyObject *found;               /* dict: name -> what lookup gives */
    PyObject *symbols;             /* shared: dict: name -> Symbol, but for functions that `found` leads to; NULL at first */
    PyObject *kept;                /* dict of what the plugin was given and keeps, or NULL */
    PyObject *pending;             /* list of struct types that are being made, under state->making; or NULL */
    unsigned declared;             /* shared: how often the host has declared something */
    MUTEX_MEMBER(declaring);       /* of `declared`, with the dicts that it makes stale */
    MUTEX_MEMBER(keeping);         /* of `kept`, those of its objects, and of the pointers that Python wrote */
    FORKABLE_MEMBER;
};

extern PyType_Spec library_spec;

PyObject *library_own_lookup(PyObject *module, PyObject *type);    /* function of the module: own_lookup(type) */

/* compare.c: two methods that ask what is declared, without loading. */
PyObject *library_described(PyObject *library, PyObject *name);
PyObject *library_compare(PyObject *library, PyObject *text);

/* The Symbol of that name, made and remembered. */
PyObject *library_symbol(LibraryObject *library, PyObject *name);

/* The address of a symbol of this library or, if `anywhere`, of what the library's own reference to it would be bound
 * to: the global symbol of that name, else that of a library that it needs.
 * NULL without an exception and with `reason`. */
void *library_address(LibraryObject *library, const char *name, bool anywhere, SymbolFacts *facts,
                      char reason[REASON_MAX]);

/* Remember what a lookup with a type gave: `use` (taken over), or what another thread put there first. */
PyObject *library_remember(LibraryObject *library, PyObject *key, PyObject *use);

/* Raise DeclarationError for a symbol of the library; NULL.  Keeps an exception that is set already. */
PyObject *library_refuse(LibraryObject *library, const char *symbol, const char *reason);

/* ------------------------------------------------------------------ symbol.c, function.c, variable.c: Symbol and its kinds */

#include "symbol.h"

/* ------------------------------------------------------------------ load.c, plain.c: opening */

#include "opening.h"

/* ------------------------------------------------------------------ tenant.c: one GIL for unmarked functions */

int tenant_init(ModuleState *state, PyObject *module);             /* 0, or -1 with an exception */

/* Before a reserved library is loaded: -1 with an exception if it has unmarked functions, and another GIL's. */
int tenant_enter(LibraryObject *library, PyObject *shown);

/* Whether such a function can be called here; else `reason` says why not. */
bool tenant_may_call(const LibraryObject *library, const Prototype *prototype, char reason[REASON_MAX]);

/* ------------------------------------------------------------------ facts.c: functions of the module */

PyObject *facts_of_file(PyObject *module, PyObject *arguments);    /* facts(path, shown) */
PyObject *facts_digest(PyObject *module, PyObject *arguments);     /* digest(path, shown) */

#endif
