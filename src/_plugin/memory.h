/* The contracts of the parts that look at typed memory: places, data members, views, formats. */
#ifndef PLUGIN_MEMORY_H
#define PLUGIN_MEMORY_H

#include "internal.h"

/* ------------------------------------------------------------------ spot.c: typed memory */

/* A place of a type in native memory. */
typedef struct {
    LibraryObject *library;
    HandleObject *owner;           /* whose memory it is, or NULL for a variable */
    const Type *type;
    unsigned words;
    char *memory;
    Where where;
    bool readonly;
} Spot;

const Type *spot_innermost(const Type *type);      /* the item of arrays of arrays */

/* The value that stands there; arrays and structs as views of the memory. */
PyObject *spot_get(const Spot *spot);

/* The pointers that stand at `memory` as a tuple of what they point to, each as a member of the type `item` reads. */
PyObject *spot_tuple(const Spot *spot, const Type *item, char *memory, Py_ssize_t count);

/* Write it; the text of strings, and objects and buffers that are pointed to, are kept alive.  NULL deletes: refused. */
int spot_set(const Spot *spot, PyObject *value);
int spot_keep(const Spot *spot, PyObject *keeper);

/* Write a pointer, and keep what it stands on; the two together, for whoever reads them so. */
int spot_point(const Spot *spot, PyObject *keeper, const void *pointer);

/* The pointer that stands there, and what the place keeps since Python wrote it: a new reference, or NULL. */
int spot_pointer(const Spot *spot, void **pointer, PyObject **kept);

/* ------------------------------------------------------------------ member.c: data members of structs */

PyObject *member_get(PyObject *object, void *field);               /* a getter and a setter of PyGetSetDef */
int member_set(PyObject *object, PyObject *value, void *field);

/* Why Python cannot see a member of that type, in `reason`; or 0. */
int member_check(const Field *field, char reason[REASON_MAX]);

/* ------------------------------------------------------------------ items.c: memory of a plugin as buffers */

extern PyType_Spec items_spec;

/* A memoryview of items at `memory`, `shape` having `dims` extents; it keeps `owner` in use, and `keeper` alive, which
 * may be NULL, both. */
PyObject *items_view(LibraryObject *library, HandleObject *owner, PyObject *keeper, void *memory, const Type *item,
                     int dims, const Py_ssize_t *shape, bool readonly);

/* The memory behind such a view, which has `items` as its object, is not lent any longer: BufferError if somebody still
 * looks at it. */
int items_end(PyObject *view, PyObject *items);

/* ------------------------------------------------------------------ layout.c: formats of the buffer protocol */

/* The format of one struct, with explicit padding; PyMem_Malloc'ed.  NULL with an exception. */
char *layout_format(const Struct *record);

/* Whether a buffer's format lays out such a struct: the same places, kinds and sizes; names do not matter. */
bool layout_matches(const Struct *record, const char *format);

#endif
