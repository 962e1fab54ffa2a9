/* plugin._plugin: Go's plugin package for Python, in C.  Start here.
 *
 * The system seam is the two functions pluginOpen and pluginLookup below, over dlopen, dlsym and dlerror.  All else
 * stands in parts of one concern each, in src/_plugin/; contracts are in its headers:
 *
 *     native.h    know no Python    format.c elf.c exports.c               a file, before it is mapped
 *     note.h ledger.h               note.c usual.c records.c ledger.c      its manifest
 *                                   entering.c
 *                                   settled.c                              and what is kept of it
 *     check.h                       check.c segments.c dynamic.c needed.c  is it sound?
 *                                   hashes.c symbols.c versions.c relocs.c slots.c
 *                                   digest.c                               was it stamped so?
 *                                   symtab.c image.c                       a library, once it is mapped
 *                                   registry.c                             init once a process
 *     declare.h   nor do these      lex.c type.c specify.c rules.c declare.c C declarations to types
 *     parse.h                       scope.c entry.c naming.c hosted.c key.c  what one plugin declares
 *                                   declared.c pattern.c
 *     internal.h  know Python       convert.c                              single values
 *                                   signature.c pair.c describe.c          prototypes to lists of conversions
 *     calls.h registers.h           arguments.c room.c call.c              a call
 *                                   ready.c scalars.c method.c             the same, made for one shape of it
 *     entrypoint.h                  callback.c closure.c quick.c           calls into Python
 *                                   implement.c retain.c                   and what is kept for them
 *     uses.h making.h               handle.c uses.c record.c making.c enum.c objects of a plugin, and their types
 *     memory.h                      spot.c member.c items.c layout.c       typed memory
 *     symbol.h                      symbol.c function.c variable.c         Symbol, Function, Variable
 *     opening.h                     library.c compare.c load.c plain.c     Plugin, open, inspect
 *                                   tenant.c facts.c
 *     threads.h                     forked.c                               threads, and what a fork leaves of them
 */
#include "_plugin/memory.h"

#include <dlfcn.h>

/* ------------------------------------------------------------------ libdl */

/* The system's text is copied before anything else runs: the next call of libdl may free it. */
static void
copy_reason(char reason[REASON_MAX], const char *text)
{
    PyOS_snprintf(reason, REASON_MAX, "%s", text != NULL ? text : "the system gave no reason");
}

void *
pluginOpen(const char *path, int mode, char reason[REASON_MAX])
{
    void *handle = dlopen(path, mode);

    if (handle == NULL) {
        copy_reason(reason, dlerror());
    }
    return handle;
}

void *
pluginLookup(void *handle, const char *name, char reason[REASON_MAX])
{
    void *address;

    dlerror();
    address = dlsym(handle, name);
    if (address == NULL) {
        const char *text = dlerror();

        copy_reason(reason, text != NULL ? text : "its value is NULL");
    }
    return address;
}

/* ------------------------------------------------------------------ state */

ModuleState *
state_of(PyTypeObject *type)
{
    return PyModule_GetState(PyType_GetModuleByDef(type, &plugin_module));
}

PyObject *
state_errors(ModuleState *state)
{
    PyObject *errors = SHARED_LOAD(state->errors);

    if (errors == NULL) {
        errors = PyImport_ImportModule("plugin._sentences");
        if (errors != NULL && !shared_publish((void **)&state->errors, errors)) {
            Py_DECREF(errors);
            errors = SHARED_LOAD(state->errors);
        }
    }
    return errors;
}

PyObject *
raise_fact(ModuleState *state, const char *fact, const char *format, ...)
{
    PyObject *errors = state_errors(state);
    PyObject *function = errors != NULL ? PyObject_GetAttrString(errors, fact) : NULL;
    PyObject *arguments = NULL, *error = NULL;
    va_list facts;

    if (function != NULL) {
        va_start(facts, format);
        arguments = Py_VaBuildValue(format, facts);
        va_end(facts);
    }
    error = arguments != NULL ? PyObject_Call(function, arguments, NULL) : NULL;
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    }
    Py_XDECREF(error);
    Py_XDECREF(arguments);
    Py_XDECREF(function);
    return NULL;
}

/* ------------------------------------------------------------------ the module */

static int
add_type(PyObject *module, PyTypeObject **place, PyType_Spec *spec, PyTypeObject *base)
{
    *place = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, (PyObject *)base);
    return *place != NULL ? PyModule_AddType(module, *place) : -1;
}

/* Called by atexit, while everything still works: callbacks that come later are not run. */
static PyObject *
life_at_exit(PyObject *capsule, PyObject *unused)
{
    (void)unused;
    life_end(PyCapsule_GetPointer(capsule, NULL));
    Py_RETURN_NONE;
}

/* atexit is given the life alone: with the module it would keep all that was opened until the end. */
static int
end_at_exit(Life *life)
{
    static PyMethodDef definition = {"end", life_at_exit, METH_NOARGS, NULL};
    PyObject *atexit = PyImport_ImportModule("atexit");
    PyObject *capsule = atexit != NULL ? PyCapsule_New(life, NULL, NULL) : NULL;
    PyObject *function = capsule != NULL ? PyCFunction_New(&definition, capsule) : NULL;
    PyObject *result = function != NULL ? PyObject_CallMethod(atexit, "register", "O", function) : NULL;

    Py_XDECREF(atexit);
    Py_XDECREF(capsule);
    Py_XDECREF(function);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

#ifdef Py_GIL_DISABLED
static void
renew_state(Forkable *forkable)
{
    const ModuleState *state = (ModuleState *)((char *)forkable - offsetof(ModuleState, forkable));

    forked_object(state->structs);
    forked_object(state->stand_ins);
    forked_object(state->enums);
    forked_object(state->by_file);
    forked_object(state->by_path);
}
#endif

static int
module_exec(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);

    ledger_watch_forks();
    state->structs = PyDict_New();
    state->enums = PyDict_New();
    state->stand_ins = PyDict_New();
    state->by_file = PyDict_New();
    state->by_path = PyDict_New();
    if (once_init(&state->making) < 0 || tenant_init(state, module) < 0) {
        return -1;
    }
    state->life = life_new(&state->making);
    if (state->structs == NULL || state->enums == NULL || state->stand_ins == NULL || state->by_file == NULL ||
        state->by_path == NULL || state->life == NULL || end_at_exit(state->life) < 0) {
        return -1;
    }
    FORKABLE_ADD(state, renew_state);
    if (add_type(module, &state->library, &library_spec, NULL) < 0 ||
        add_type(module, &state->symbol, &symbol_spec, NULL) < 0 ||
        add_type(module, &state->function, &function_spec, state->symbol) < 0 ||
        add_type(module, &state->variable, &variable_spec, state->symbol) < 0 ||
        add_type(module, &state->handle, &handle_spec, NULL) < 0 ||
        add_type(module, &state->pointer, &pointer_spec, state->handle) < 0 ||
        add_type(module, &state->structure, &structure_spec, state->handle) < 0 ||
        add_type(module, &state->items, &items_spec, NULL) < 0) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "by_file", state->by_file) < 0 ||
                   PyModule_AddObjectRef(module, "by_path", state->by_path) < 0 ||
                   PyModule_AddIntConstant(module, "RTLD_NOW", RTLD_NOW) < 0 ||
                   PyModule_AddIntConstant(module, "RTLD_LAZY", RTLD_LAZY) < 0 ||
                   PyModule_AddIntConstant(module, "RTLD_LOCAL", RTLD_LOCAL) < 0 ||
                   PyModule_AddIntConstant(module, "RTLD_GLOBAL", RTLD_GLOBAL) < 0
               ? -1
               : 0;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    ModuleState *state = PyModule_GetState(module);

    Py_VISIT(state->errors);
    Py_VISIT(state->structs);
    Py_VISIT(state->enums);
    Py_VISIT(state->stand_ins);
    Py_VISIT(state->by_file);
    Py_VISIT(state->by_path);
    Py_VISIT(state->library);
    Py_VISIT(state->symbol);
    Py_VISIT(state->function);
    Py_VISIT(state->variable);
    Py_VISIT(state->handle);
    Py_VISIT(state->pointer);
    Py_VISIT(state->structure);
    Py_VISIT(state->items);
    return 0;
}

static int
module_clear(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);

    Py_CLEAR(state->errors);
    Py_CLEAR(state->structs);
    Py_CLEAR(state->enums);
    Py_CLEAR(state->by_file);
    Py_CLEAR(state->by_path);
    Py_CLEAR(state->library);
    Py_CLEAR(state->symbol);
    Py_CLEAR(state->function);
    Py_CLEAR(state->variable);
    Py_CLEAR(state->handle);
    Py_CLEAR(state->pointer);
    Py_CLEAR(state->structure);
    Py_CLEAR(state->items);
    return 0;
}

static void
module_free(void *module)
{
    ModuleState *state = PyModule_GetState(module);

    FORKABLE_REMOVE(state);
    module_clear(module);
    if (state->life != NULL) {
        life_forget(state->life);  /* before the lock goes */
    }
    registry_let_go(state->gil);   /* every object of ours holds the module: no call can follow */
    once_free(&state->making);
    Py_CLEAR(state->stand_ins);    /* libraries look at it as long as they live */
    handle_free_spare(state);
}

static PyMethodDef module_methods[] = {
    {"read", load_read, METH_VARARGS,
     "read(type, path, shown, mode, declare)\n--\n\nA library that was read and checked, and is not loaded yet."},
    {"load", load_library, METH_VARARGS,
     "load(library, path, shown, host)\n--\n\nLoad and initialise what read() gave, with a host object or None."},
    {"identify", load_identify, METH_O, "identify(path, /)\n--\n\n(device, inode, bytes, mtime in ns) of `path` (bytes)."},
    {"plain", (PyCFunction)(void (*)(void))plain_open, METH_FASTCALL,
     "plain(type, path, /)\n--\n\nThe library at `path` (str or bytes), opened with nothing but that and entered into by_file "
     "and by_path, or found there;\nNone where that takes more than the short way."},
    {"realpath", load_realpath, METH_O, "realpath(path, /)\n--\n\nThe real path (bytes) of `path` (bytes)."},
    {"own_lookup", library_own_lookup, METH_O,
     "own_lookup(type, /)\n--\n\nGive a type derived from Library a method lookup of its own, which is called faster."},
    {"facts", facts_of_file, METH_VARARGS, "facts(path, shown)\n--\n\nRecords and facts of the file at `path` (bytes)."},
    {"digest", facts_digest, METH_VARARGS,
     "digest(path, shown)\n--\n\n(has a manifest, is stamped, value to stamp, offsets of its places, number that tells of it, "
     "offsets of its places) of the file at `path`; the value is good once the number stands there."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

struct PyModuleDef plugin_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "plugin._plugin",
    .m_doc = "The C core of plugin.",
    .m_size = sizeof(ModuleState),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__plugin(void)
{
    return PyModuleDef_Init(&plugin_module);
}
