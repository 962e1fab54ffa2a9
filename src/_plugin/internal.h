/* The contracts of the parts that know Python.  Everything here is called with the GIL held.
 *
 * A pointer function returns NULL and an int function -1 on failure, always with an exception set, unless its
 * contract says otherwise.  Results are new references. */
#ifndef PLUGIN_INTERNAL_H
#define PLUGIN_INTERNAL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include "declare.h"

typedef struct ModuleState ModuleState;
typedef struct LibraryObject LibraryObject;
typedef struct HandleObject HandleObject;
typedef struct StructInfo StructInfo;
typedef struct Signature Signature;

/* ------------------------------------------------------------------ _plugin.c */

/* All owned. */
struct ModuleState {
    PyObject *errors;              /* the module plugin._sentences, which writes the sentences */
    PyObject *structs;             /* dict: key of a struct -> its type */
    PyTypeObject *library, *symbol, *function, *variable, *handle, *pointer, *structure;
};

extern struct PyModuleDef plugin_module;

ModuleState *state_of(PyTypeObject *type);     /* borrowed; of the module that made `type` or a base of it */

/* Load the library at `path` (bytes in the file system's encoding).
 * Returns a handle that the caller owns, or NULL with `reason` filled in.  Without the GIL. */
void *pluginOpen(const char *path, int mode, char reason[REASON_MAX]);

/* The address of `name` in the library, or NULL with `reason` filled in: also for a symbol whose value is NULL.
 * Waits for the loader's lock, so it is called without the GIL. */
void *pluginLookup(void *handle, const char *name, char reason[REASON_MAX]);

/* Raise what the function `fact` of plugin._sentences makes of the facts (as Py_BuildValue, a tuple).  Returns NULL. */
PyObject *raise_fact(ModuleState *state, const char *fact, const char *format, ...);

/* ------------------------------------------------------------------ convert.c: single values */

/* One argument, result, member or variable of at most 8 bytes. */
typedef union {
    int64_t i;
    uint64_t u;
    double d;
    float f;
    void *p;
} Value;

/* What an error message calls a value: "add() argument 'b'", or the owner alone. */
typedef struct {
    const char *owner;
    const char *name;              /* NULL if the owner says it all */
} Where;

/* Set an exception whose message begins with `where`.  Returns -1. */
int convert_fail(PyObject *type, const Where *where, const char *format, ...);

/* A Python number as a value of the scalar or enum `type`: checked for range, extended to 8 bytes. */
int convert_scalar(const Type *type, PyObject *object, const Where *where, Value *value);

/* The other way; only the type's own bytes of `value` count. */
PyObject *convert_result(const Type *type, Value value);

/* Between a value and memory of the type's own size. */
void convert_store(const Type *type, void *memory, Value value);
Value convert_load(const Type *type, const void *memory);

/* A str as UTF-8 or bytes, without a NUL in it; good while `object` lives. */
int convert_string(PyObject *object, bool bytes_only, const Where *where, const char **string);

/* Text of a plugin as str (bytes if so asked). */
PyObject *convert_text(const char *string, bool bytes, const Where *where);

/* Acquire a buffer for a pointer to `item`, or to anything if that is void: C-contiguous, aligned, writable unless
 * the items are const, of matching kind, size and byte order.  `dims` extents are wanted, 0 for any shape with at
 * least one item.  The caller releases `view`. */
int convert_buffer(const Type *item, int dims, PyObject *object, const Where *where, Py_buffer *view);

/* The struct-module format of one scalar, for buffers that we export. */
const char *convert_format(const Type *type);

/* The address behind a ctypes or cffi pointer: 1 with `address`, 0 if `object` is none, -1. */
int convert_foreign_pointer(PyObject *object, void **address);

/* ------------------------------------------------------------------ registers.c: the call itself */

typedef struct {
    int64_t integers[CALL_INTEGERS];
    double floats[CALL_FLOATS];
    int64_t stack[32];
} Registers;

/* Call `function` with these registers and as many words of stack.  What it does not take, it does not see. */
int64_t registers_call_integer(void *function, const Registers *registers, int stack);
double registers_call_float(void *function, const Registers *registers, int stack);

/* ------------------------------------------------------------------ signature.c: prototypes to conversions */

/* How one parameter, or the result, is converted. */
typedef enum {
    CONVERT_NOTHING,               /* void */
    CONVERT_SCALAR,                /* numbers, bool, enums */
    CONVERT_STRING,
    CONVERT_BUFFER,                /* items with or without lengths */
    CONVERT_ADDRESS,               /* void * */
    CONVERT_HANDLE,                /* S *, with members or opaque */
    /* Parameters that Python does not pass: */
    CONVERT_SELF,                  /* the S * of a method */
    CONVERT_LENGTH,                /* taken from buffers */
    CONVERT_CAPACITY,              /* T *n plugin_inout named by plugin_count(*n): buffers' length in, used length out */
    CONVERT_OUT,                   /* T *x plugin_out: room for one T */
    CONVERT_ERROR,                 /* plugin_error * */
} Conversion;

typedef struct {
    uint8_t conversion;            /* Conversion */
    uint8_t result;                /* of OUT: the Conversion of what comes out */
    bool nullable, bytes, owned;
    bool both;                     /* plugin_inout of a scalar: passed and returned */
    int8_t python;                 /* number among the Python arguments, or -1 */
    uint16_t place;                /* bytes into Registers */
    const Type *type;              /* the parameter's own; of OUT, CAPACITY and buffers: what it points to */
    const Field *field;            /* NULL for the result */
} Argument;

/* How to release an object of a plugin. */
typedef struct {
    enum { RELEASE_NONE, RELEASE_FUNCTION, RELEASE_MEMBER } how;
    void *function;
    size_t offset;                 /* bytes: where the object holds the function itself */
    bool takes_error;              /* a plugin_error * comes second */
} Release;

struct Signature {
    LibraryObject *library;        /* borrowed: the one that it was compiled for; other plugins may share a struct's */
    const Prototype *prototype;    /* borrowed, as all types here: the library lives */
    uint8_t count;                 /* C parameters */
    uint8_t python_count;          /* Python arguments */
    uint8_t stack;                 /* words */
    uint8_t out_count;             /* results by pointer */
    bool has_lengths, has_error, is_destructor;
    bool is_simple;                /* scalars and strings only: no cleaning up */
    Argument result;
    Release release;               /* of an owned result or out */
    Argument arguments[];
};

/* What calling `prototype` takes; a method of `self` if that is not NULL and its first parameter points to it.
 * Returns a malloc'ed signature that the caller frees; NULL with an exception, or without one and with `reason`
 * where the prototype cannot be called by this version. */
Signature *signature_compile(LibraryObject *library, const Prototype *prototype, const Struct *self,
                             char reason[REASON_MAX]);

/* How `library` releases what a call of the signature hands over: its own destructor, not that of the plugin which
 * declared the same struct first.  Returns 0, or -1 with an exception. */
int signature_release(const Signature *signature, LibraryObject *library, Release *release);

/* The Python name of parameter `number`: `in_` for `in`, `arg2` for one without. */
void signature_name(const Signature *signature, int number, char *buffer, size_t size);

/* `name(a, b)\n--\n\n` and the documentation behind it, malloc'ed. */
char *signature_doc(const Signature *signature, const char *name, bool method, const char *text, const char *doc);

/* What a type checker needs to know: ([(name, kind, spelling, extra, nullable)...], [results alike]). */
PyObject *signature_describe(const Signature *signature);

/* ------------------------------------------------------------------ arguments.c: what a call is given */

typedef struct {
    const Signature *signature;
    void *address;
    LibraryObject *library;        /* whose opaque types count */
    const char *name;              /* "Mean" or "Driver.Mean" */
    HandleObject *self;            /* of a method, or NULL */
} Callee;

/* What a call holds until it is over. */
typedef struct {
    const Callee *callee;
    const Signature *signature;
    Where where;
    HandleObject *parent;          /* borrowed: the first object that was passed, which results may belong to */
    Release release;               /* of what the call hands over */
    int buffer_count, pin_count, taken_count;
    /* Arrays beside the frame, as long as the signature needs: a call may stand in the conversions of another, as
     * deep as Python's recursion limit lets it, and all of them share the C stack. */
    Value *outs;                   /* by number of the parameter */
    Py_ssize_t *lengths;           /* likewise; -1 until a buffer tells it */
    int8_t *tellers;               /* the parameter whose buffer told it */
    HandleObject **pins;           /* borrowed from the arguments, in use */
    HandleObject **taken;          /* those that the call closes: released by it, or given to the plugin */
    Py_buffer *buffers;
    Registers registers;
    NativeError error;
} Frame;

/* Put a value where the argument goes. */
static inline void
call_put(Registers *registers, const Argument *argument, Value value)
{
    memcpy((char *)registers + argument->place, &value, sizeof value);
}

/* Mark an object as in use until the call is over. */
void arguments_pin(Frame *frame, HandleObject *handle);

/* Convert all arguments, which are in the order of the prototype.  Whatever it returns, the caller releases the
 * buffers and the pins. */
int arguments_convert(Frame *frame, PyObject *const *args);

/* ------------------------------------------------------------------ call.c: a Python call */

PyObject *call_function(const Callee *callee, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);

/* ------------------------------------------------------------------ handle.c: objects of a plugin */

/* A Pointer or a struct object: something that a plugin made.  No other object refers back to it: no GC. */
struct HandleObject {
    PyObject_HEAD
    void *address;                 /* NULL once released */
    LibraryObject *library;        /* owned; NULL for a Pointer made from a number */
    HandleObject *parent;          /* owned: what it came from, alive as long as it is; or NULL */
    const Type *type;              /* borrowed from the library; NULL for a void * */
    const StructInfo *info;        /* of a struct object: borrowed from its Python type */
    Release release;
    bool owned;                    /* to be released by us, once */
    int uses;                      /* calls under way that were given it */
    PyObject *weakrefs;
};

extern PyType_Spec handle_spec, pointer_spec;

/* An object for what a plugin handed out: a Pointer, or an object of the struct's type. */
PyObject *handle_new(LibraryObject *library, const Type *type, void *address, HandleObject *parent, const Release *release,
                     bool owned);

/* Release what is at `address`, once.  A failure that the plugin reports goes to sys.unraisablehook.  Keeps an exception
 * that is set already. */
void handle_release(LibraryObject *library, const Release *release, void *address);

/* Whether it can be used: not released, nor what it was borrowed from.  Sets ClosedError. */
int handle_check(HandleObject *handle, const Where *where);

/* It was released, or taken over, by a call: from now on it is closed. */
void handle_forget(HandleObject *handle);

/* What a message calls its type: `sqlite3 *`. */
void handle_spell(const HandleObject *handle, char *buffer, size_t size);

/* ------------------------------------------------------------------ record.c: struct objects */

typedef struct {
    const Field *member;
    Signature *signature;          /* owned */
    char *name;                    /* owned: "Driver.Mean" */
    bool is_method;                /* takes the object first */
} Method;

struct StructInfo {
    PyTypeObject *type;            /* borrowed: it owns this through a capsule */
    Struct *record;                /* borrowed from `library` */
    LibraryObject *library;        /* whose declaration made the type, which owns it: there the GC sees it */
    int count;
    Method *methods;               /* owned */
    PyMethodDef *definitions;      /* owned, ended by an empty one */
    PyGetSetDef *getters;          /* owned: members that may be NULL; likewise */
};

enum { METHODS_MAX = 256 };        /* function pointers of one struct */

extern PyType_Spec structure_spec;

/* The Python type of a complete struct and what belongs to it, made when it is first asked for; the same for all
 * plugins that declare it alike.  Borrowed; afterwards also in record->host.
 * NULL with an exception, or without one and with `reason`. */
const StructInfo *record_info(LibraryObject *library, Struct *record, char reason[REASON_MAX]);

/* ------------------------------------------------------------------ library.c: one open plugin */

struct LibraryObject {
    PyObject_HEAD
    ModuleState *state;            /* borrowed: the type holds the module */
    void *handle;                  /* the loader's; never closed once code has run */
    Library *entry;                /* of the registry; borrowed for ever */
    FileFacts facts;               /* owned */
    Scope *scope;                  /* owned */
    int mode;                      /* of dlopen */
    PyObject *path;                /* owned, as all below: str, the real path */
    PyObject *name;                /* str */
    PyObject *version;             /* str or None */
    PyObject *found;               /* dict: name -> what lookup gives */
    PyObject *symbols;             /* dict: name -> Symbol */
    PyObject *texts;               /* dict: name of a variable -> the string that Python wrote there last */
    PyThread_type_lock making;     /* owned: held by the thread that makes struct types */
    unsigned long maker;           /* that thread, or 0 */
    PyObject *pending;             /* list of struct types that are being made, or NULL */
};

extern PyType_Spec library_spec;

/* The Symbol of that name, made and remembered. */
PyObject *library_symbol(LibraryObject *library, PyObject *name);

/* The address of a symbol of this library or, if `anywhere`, of what the library's own reference to it would be bound
 * to: the global symbol of that name, else that of a library that it needs.
 * NULL without an exception and with `reason`. */
void *library_address(LibraryObject *library, const char *name, bool anywhere, SymbolFacts *facts,
                      char reason[REASON_MAX]);

/* Remember what a lookup gave under `key`: `use` (taken over), or what another thread put there first. */
PyObject *library_remember(LibraryObject *library, PyObject *key, PyObject *use);

/* Raise DeclarationError for a symbol of the library; NULL.  Keeps an exception that is set already. */
PyObject *library_refuse(LibraryObject *library, const char *symbol, const char *reason);

/* ------------------------------------------------------------------ symbol.c: Symbol and Function */

typedef struct {
    PyObject_HEAD
    LibraryObject *library;        /* owned */
    PyObject *name;                /* owned: str */
    void *address;
    SymbolFacts facts;
    Declaration declaration;       /* its type is NULL for an untyped symbol; borrowed from the library */
    PyObject *weakrefs;
} SymbolObject;

typedef struct {
    SymbolObject symbol;
    Signature *signature;          /* owned; NULL if untyped */
    PyMethodDef definition;        /* ml_name and ml_doc owned */
} FunctionObject;

extern PyType_Spec symbol_spec, function_spec;

/* A Symbol of the kind that the declaration, or without one the file, says.  `declaration` is copied, may be NULL. */
PyObject *symbol_new(LibraryObject *library, PyObject *name, void *address, const SymbolFacts *facts,
                     const Declaration *declaration);

/* What lookup gives for it, its type asserted: C text or a Python type. */
PyObject *symbol_as_type(PyObject *symbol, PyObject *type);

/* What lookup gives for it: a built-in function, the Variable, or the untyped Symbol itself. */
PyObject *symbol_use(PyObject *symbol);

/* ------------------------------------------------------------------ load.c: functions of the module */

PyObject *load_library(PyObject *module, PyObject *arguments);     /* load(type, path, shown, mode, declare) */
PyObject *load_identify(PyObject *module, PyObject *path);         /* identify(path): (device, inode, size, mtime_ns) */
PyObject *load_realpath(PyObject *module, PyObject *path);         /* realpath(path): bytes */

PyObject *identity_tuple(const FileIdentity *identity);

/* Raise the error for a file that elf_read refused; `shown` is the path as the caller wrote it.  NULL. */
PyObject *file_refused(ModuleState *state, FileStatus status, int error, PyObject *shown, const char *reason);

/* ------------------------------------------------------------------ facts.c: functions of the module */

PyObject *facts_of_file(PyObject *module, PyObject *arguments);    /* facts(path, shown) */

/* ------------------------------------------------------------------ variable.c: a Variable is a SymbolObject */

extern PyType_Spec variable_spec;

#endif
