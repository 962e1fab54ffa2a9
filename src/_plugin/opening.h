/* Contracts of load.c and plain.c, which open a library.  A part of internal.h, which includes it. */
#ifndef PLUGIN_OPENING_H
#define PLUGIN_OPENING_H

/* ------------------------------------------------------------------ load.c: functions of the module */

PyObject *load_read(PyObject *module, PyObject *arguments);        /* read(type, path, shown, mode, declare) */
PyObject *load_library(PyObject *module, PyObject *arguments);     /* load(library, path, shown, host) */
PyObject *load_identify(PyObject *module, PyObject *path);         /* identify(path): (device, inode, size, mtime_ns) */
PyObject *load_realpath(PyObject *module, PyObject *path);         /* realpath(path): bytes */

PyObject *identity_tuple(const FileIdentity *identity);

/* Raise the error for a file that elf_read refused; `shown` is the path as the caller wrote it.  NULL. */
PyObject *file_refused(ModuleState *state, FileStatus status, int error, PyObject *shown, const char *reason);

/* What a library is read from.  Everything is borrowed, but for the descriptor. */
typedef struct {
    PyTypeObject *type;            /* of the object, derived from Library */
    const char *path;              /* the real one, in the file system's encoding */
    PyObject *name;                /* the same as a str, or NULL */
    PyObject *shown;               /* as the caller wrote it: str or bytes */
    int fd;                        /* of the file, taken over; or -1 */
    int mode;                      /* of dlopen */
    const char *declare;           /* the host's declarations, or NULL */
} Source;

/* A library that was read and checked, and is not loaded yet. */
LibraryObject *load_read_source(const Source *source);

/* Load and initialise it; gives the library. */
PyObject *load_open(LibraryObject *library, const char *path, PyObject *shown, PyObject *host);

/* ------------------------------------------------------------------ plain.c: functions of the module */

PyObject *plain_open(PyObject *module, PyObject *const *args, Py_ssize_t nargs);      /* plain(type, path) */

#endif
