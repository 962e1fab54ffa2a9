/* Opening: from a path to an initialised Library, step by step.  The short way is plain.c's, the cache the Python package's. */
#include "internal.h"

#include <errno.h>
#include <fenv.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

typedef void (*Init)(NativeError *error);
typedef void (*HostInit)(void *host, NativeError *error);
typedef void (*HostOnly)(void *host);

/* ------------------------------------------------------------------ facts about files */

PyObject *
identity_tuple(const FileIdentity *identity)
{
    long long nanoseconds = (long long)identity->modified.tv_sec * 1000000000 + identity->modified.tv_nsec;

    return Py_BuildValue("(KKLL)", (unsigned long long)identity->device, (unsigned long long)identity->inode,
                         (long long)identity->size, nanoseconds);
}

PyObject *
load_identify(PyObject *module, PyObject *path)
{
    const char *bytes = PyBytes_AsString(path);
    FileIdentity identity;
    int failed;

    (void)module;
    if (bytes == NULL) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    failed = elf_identify(bytes, &identity);
    Py_END_ALLOW_THREADS
    if (failed < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return identity_tuple(&identity);
}

PyObject *
load_realpath(PyObject *module, PyObject *path)
{
    const char *bytes = PyBytes_AsString(path);
    PyObject *result;
    char *real;

    (void)module;
    if (bytes == NULL) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    real = realpath(bytes, NULL);
    Py_END_ALLOW_THREADS
    if (real == NULL) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    result = PyBytes_FromString(real);
    free(real);
    return result;
}

PyObject *
file_refused(ModuleState *state, FileStatus status, int error, PyObject *shown, const char *reason)
{
    static const char *const names[] = {
        [FILE_ERRNO] = "system", [FILE_NOT_REGULAR] = "irregular", [FILE_INVALID] = "invalid",
        [FILE_INCOMPATIBLE] = "incompatible",
    };

    return raise_fact(state, "file_refused", "(Osiy)", shown, names[status], error, reason);
}

/* ------------------------------------------------------------------ reading the file */

static PyObject *
decode(const char *text)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "surrogateescape");
}

static int
set_names(LibraryObject *library, const Source *source)
{
    const FileFacts *facts = &library->facts;
    const char *path = source->path;
    const char *base = strrchr(path, '/');
    const char *name = facts->header != NULL ? facts->header->name : facts->soname;

    library->path = source->name != NULL ? Py_NewRef(source->name) : PyUnicode_DecodeFSDefault(path);
    library->name = decode(name != NULL && *name != '\0' ? name : base != NULL ? base + 1 : path);
    library->version = facts->header != NULL ? decode(facts->header->text) : Py_NewRef(Py_None);
    library->found = PyDict_New();
    library->scope = scope_new(facts);
    if (library->scope == NULL) {
        PyErr_NoMemory();
    }
    return PyErr_Occurred() ? -1 : 0;
}

static const Record *
init_record(const FileFacts *facts)
{
    Records records = facts->has_init ? elf_records(facts, true) : (Records){NULL, 0};

    for (size_t i = 0; i < records.count; i++) {
        if (records.items[i].kind == RECORD_INIT) {
            return &records.items[i];
        }
    }
    return NULL;
}

/* The prototype of PLUGIN_INIT, or NULL if there is none; or NULL with an exception. */
static const Prototype *
init_prototype(LibraryObject *library)
{
    const Record *record = init_record(&library->facts);
    Declaration declaration;
    char reason[REASON_MAX];

    if (record == NULL) {
        return NULL;
    }
    if (scope_read_type(library->scope, record->text, &declaration, reason) < 0 ||
        declaration.type->kind != TYPE_FUNCTION) {
        library_refuse(library, "PLUGIN_INIT", reason);
        return NULL;
    }
    return declaration.type->prototype;
}

/* The struct of services that init takes, or NULL. */
static const Field *
host_parameter(const Prototype *prototype)
{
    const Field *param = prototype != NULL && prototype->count > 0 ? &prototype->params[0] : NULL;

    return param != NULL && !type_is_error(param->type) ? param : NULL;
}

/* PLUGIN_INIT takes a plugin_error *, a struct of services before it, or nothing; what else it may take is refused
 * before any code runs. */
static int
check_init(LibraryObject *library)
{
    const Prototype *prototype = init_prototype(library);
    const Field *host = host_parameter(prototype);
    int rest = prototype != NULL ? prototype->count - (host != NULL) : 0;

    if (prototype == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    if (rest > 1 || (rest == 1 && !type_is_error(prototype->params[prototype->count - 1].type)) ||
        (host != NULL && (host->type->kind != TYPE_POINTER || host->type->target->kind != TYPE_STRUCT))) {
        library_refuse(library, "PLUGIN_INIT", "it may take a pointer to one struct of services, and a plugin_error *");
        return -1;
    }
    return 0;
}

/* The host's declarations are read before any code of the library runs. */
static int
declare_early(LibraryObject *library, const char *declare)
{
    char reason[REASON_MAX];

    if (declare != NULL && scope_declare(library->scope, declare, reason) < 0) {
        library_refuse(library, "", reason);
        return -1;
    }
    return 0;
}

static void
close_descriptor(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

#ifdef Py_GIL_DISABLED
static void
renew_library(Forkable *forkable)
{
    LibraryObject *library = (LibraryObject *)((char *)forkable - offsetof(LibraryObject, forkable));

    forked_object((PyObject *)library);
    forked_object(library->found);
    forked_object(library->symbols);
    forked_object(library->kept);
    forked_object(library->pending);
    library->declaring = library->keeping = (PyMutex){0};      /* who forks has neither */
}
#endif

LibraryObject *
load_read_source(const Source *source)
{
    LibraryObject *library = (LibraryObject *)source->type->tp_alloc(source->type, 0);
    char reason[REASON_MAX] = "";
    FileStatus status;

    if (library == NULL) {
        close_descriptor(source->fd);
        return NULL;
    }
    PyObject_GC_UnTrack(library);  /* until it is complete nobody finds it, by gc.get_objects() either */
    library->state = state_of(source->type);
    library->mode = source->mode;
    Py_BEGIN_ALLOW_THREADS
    status = elf_read_open(source->fd, source->path, &library->facts, reason);
    Py_END_ALLOW_THREADS
    if (status != FILE_OK) {
        file_refused(library->state, status, library->facts.error, source->shown, reason);
        Py_CLEAR(library);
    } else if (set_names(library, source) < 0 || check_init(library) < 0 || declare_early(library, source->declare) < 0) {
        Py_CLEAR(library);
    } else {
        FORKABLE_ADD(library, renew_library);
        PyObject_GC_Track(library);
    }
    return library;
}

/* ------------------------------------------------------------------ loading it */

typedef enum { LOADED, NOT_LOADED, CHANGED } Outcome;

/* dlopen, without the GIL and without a lock of ours: constructors may want either.  Some libraries switch
 * denormal numbers off for the thread that opens them, so the floating-point environment is put back. */
static Outcome
map_library(LibraryObject *library, const char *path, char reason[REASON_MAX])
{
    RegistryFrame frame;
    Outcome outcome = LOADED;
    fenv_t environment;

    Py_BEGIN_ALLOW_THREADS
    fegetenv(&environment);
    registry_enter_dlopen(&frame, library->entry);
    library->handle = pluginOpen(path, library->mode, reason);
    registry_leave_dlopen(&frame);
    fesetenv(&environment);
    if (library->handle == NULL) {
        outcome = NOT_LOADED;
    } else if (!image_matches(library->handle, &library->facts, scope_is_unused(library->scope), reason)) {
        outcome = CHANGED;
    }
    if (outcome != LOADED) {
        registry_abandon(library->entry);
    }
    Py_END_ALLOW_THREADS
    return outcome;
}

/* What init is given as host: a struct that stands for the object.  It lives as long as the process. */
static int
make_host(LibraryObject *library, PyObject *object, const Prototype *prototype, void **structure)
{
    const Field *param = host_parameter(prototype);
    Where where = {"plugin.open", "host"};
    char reason[REASON_MAX];
    PyObject *capsule, *place;
    int failed;

    *structure = NULL;
    if (param == NULL || object == Py_None) {
        return 0;
    }
    if (record_prepare(library, param->type->target, reason) < 0) {
        library_refuse(library, "PLUGIN_INIT", reason);
        return -1;
    }
    capsule = implement(library, record_known(param->type->target->record), object, &where, structure);
    place = capsule != NULL ? PyUnicode_FromString("host") : NULL;
    failed = place == NULL ? -1 : retain_set(&library->kept, place, capsule);
    Py_XDECREF(place);
    Py_XDECREF(capsule);
    return failed;
}

static void
call_init(void *function, const Prototype *prototype, void *host, NativeError *error)
{
    bool takes_error = prototype->count > (host_parameter(prototype) != NULL);

    if (host_parameter(prototype) != NULL) {
        takes_error ? ((HostInit)(uintptr_t)function)(host, error) : ((HostOnly)(uintptr_t)function)(host);
    } else {
        ((Init)(uintptr_t)function)(error);        /* one that takes nothing does not look */
    }
}

/* Whether the exception that is set asks the process to stop, and is no failure that somebody may catch by the way. */
static bool
is_order(void)
{
    return PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception);
}

/* What a callback left becomes the failure of init, but for Ctrl-C and the like, which are raised as they are. */
static void
take_exception(NativeError *error)
{
    PyObject *type, *value, *traceback;
    bool keep = is_order();

    PyErr_Fetch(&type, &value, &traceback);
    if (type != NULL && error->code == 0) {
        PyErr_Restore(Py_NewRef(type), Py_XNewRef(value), Py_XNewRef(traceback));
        callback_failure(error, REGISTRY_INTERRUPTED - 1, true);
    }
    if (keep) {
        PyErr_Restore(type, value, traceback);
        return;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

/* The library's own init, as an unmarked call: with the GIL.  Returns how it ended. */
static RegistryStatus
run_init(LibraryObject *library, PyObject *host)
{
    const Record *record = init_record(&library->facts);
    const Prototype *prototype = init_prototype(library);
    NativeError error = {0, ""};
    char reason[REASON_MAX];
    void *address, *structure;

    if (record != NULL && prototype != NULL) {
        address = library_address(library, record->name, false, NULL, reason);
        if (address == NULL) {
            error.code = REGISTRY_INTERRUPTED - 1;
            PyOS_snprintf(error.message, sizeof error.message, "its init function cannot be found: %.400s", reason);
        } else if (make_host(library, host, prototype, &structure) == 0) {
            EXCLUSIVE_BEGIN(section, library, true)
            call_init(address, prototype, structure, &error);
            EXCLUSIVE_END(section)
            error.message[ERROR_MESSAGE_MAX - 1] = '\0';
        }
    }
    take_exception(&error);
    registry_initialised(library->entry, &error);
    return error.code != 0 ? REGISTRY_FAILED : REGISTRY_OK;
}

static PyObject *
raise_init(LibraryObject *library, PyObject *shown, bool before)
{
    const Failure failure = registry_failure(library->entry);

    return raise_fact(library->state, "init_failed", "(OOOiyO)", shown, library->name, library->version,
                      (int)failure.code, failure.message, before ? Py_True : Py_False);
}

static PyObject *
initialise(LibraryObject *library, PyObject *shown, PyObject *host)
{
    RegistryStatus status;
    char reason[REASON_MAX] = "";

    Py_BEGIN_ALLOW_THREADS
    status = registry_initialise(library->entry, reason);
    Py_END_ALLOW_THREADS
    if (status == REGISTRY_RUN_INIT) {
        status = run_init(library, host);
    }
    switch (status) {
    case REGISTRY_OK:
        return Py_NewRef((PyObject *)library);
    case REGISTRY_RING:
        return raise_fact(library->state, "would_wait", "(OOy)", shown, library->name, reason);
    default:
        return PyErr_Occurred() ? NULL : raise_init(library, shown, false);
    }
}

static PyObject *
open_checked(LibraryObject *library, const char *path, PyObject *shown, PyObject *host)
{
    const FileFacts *facts = &library->facts;
    char reason[REASON_MAX] = "";
    RegistryStatus status =
        registry_reserve(&facts->identity, path, facts->header != NULL ? facts->header->name : NULL, &library->entry, reason);

    switch (status) {
    case REGISTRY_OK:
        break;
    case REGISTRY_NAME_TAKEN:
        return raise_fact(library->state, "already_loaded", "(OOy)", shown, library->name, reason);
    case REGISTRY_FAILED_BEFORE:
        return raise_init(library, shown, true);
    default:
        return PyErr_NoMemory();
    }
    if (tenant_enter(library, shown) < 0) {
        registry_abandon(library->entry);
        return NULL;
    }
    switch (map_library(library, path, reason)) {
    case NOT_LOADED:
        return raise_fact(library->state, "load_failed", "(OOy)", shown, library->path, reason);
    case CHANGED:
        return raise_fact(library->state, "changed_while_opening", "(OOy)", shown, library->path, reason);
    default:
        return initialise(library, shown, host);
    }
}

PyObject *
load_read(PyObject *module, PyObject *arguments)
{
    ModuleState *state = PyModule_GetState(module);
    Source source = {.fd = -1};

    if (!PyArg_ParseTuple(arguments, "O!yOiz", &PyType_Type, &source.type, &source.path, &source.shown, &source.mode,
                          &source.declare)) {
        return NULL;
    }
    if (state_errors(state) == NULL) {     /* what a call may have to say later, a host without rights could not read */
        return NULL;
    }
    if (!PyType_IsSubtype(source.type, state->library)) {
        PyErr_Format(PyExc_TypeError, "read() takes a type derived from Library, not %s", source.type->tp_name);
        return NULL;
    }
    return (PyObject *)load_read_source(&source);
}

/* The names of the methods that the host object lacks. */
static PyObject *
missing_methods(const Struct *record, PyObject *host)
{
    PyObject *missing = PyList_New(0);

    for (int i = 0; i < record->count && missing != NULL; i++) {
        const Field *member = &record->members[i];

        if (type_function(member->type) != NULL && !(member->words & WORD_NULLABLE) &&
            !PyObject_HasAttrString(host, member->name)) {
            PyObject *name = PyUnicode_FromString(member->name);

            if (name == NULL || PyList_Append(missing, name) < 0) {
                Py_CLEAR(missing);
            }
            Py_XDECREF(name);
        }
    }
    return missing;
}

/* The host object must be what init wants, before anything runs: its methods are looked for here and taken later. */
static int
check_host(LibraryObject *library, PyObject *shown, PyObject *host)
{
    const Field *param = host_parameter(init_prototype(library));
    char reason[REASON_MAX];
    PyObject *missing;
    const Struct *record;

    if (param == NULL || PyErr_Occurred()) {
        if (host != Py_None && !PyErr_Occurred()) {
            raise_fact(library->state, "host_refused", "(OOs())", shown, library->name, "");
        }
        return PyErr_Occurred() ? -1 : 0;
    }
    record = param->type->target->record;
    if (host == Py_None) {
        if (!(param->words & WORD_NULLABLE)) {
            raise_fact(library->state, "host_refused", "(OOs())", shown, library->name, record->name);
        }
        return PyErr_Occurred() ? -1 : 0;
    }
    if (scope_complete(library->scope, param->type->target->record, reason) < 0) {
        library_refuse(library, "PLUGIN_INIT", *reason != '\0' ? reason : "its host struct is not defined");
        return -1;
    }
    missing = missing_methods(record, host);
    if (missing == NULL || PyList_GET_SIZE(missing) > 0) {
        if (missing != NULL) {
            raise_fact(library->state, "host_refused", "(OOsO)", shown, library->name, record->name, missing);
        }
        Py_XDECREF(missing);
        return -1;
    }
    Py_DECREF(missing);
    return 0;
}

PyObject *
load_open(LibraryObject *library, const char *path, PyObject *shown, PyObject *host)
{
    return check_host(library, shown, host) < 0 ? NULL : open_checked(library, path, shown, host);
}

PyObject *
load_library(PyObject *module, PyObject *arguments)
{
    ModuleState *state = PyModule_GetState(module);
    PyObject *shown, *host;
    LibraryObject *library;
    const char *path;

    if (!PyArg_ParseTuple(arguments, "O!yOO", state->library, &library, &path, &shown, &host)) {
        return NULL;
    }
    if (library->handle != NULL) {
        PyErr_SetString(PyExc_ValueError, "load() takes what read() gave, once");
        return NULL;
    }
    return load_open(library, path, shown, host);
}
