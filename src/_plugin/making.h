/* Contracts of making.c, which makes each struct's Python type once, and of the half of record.c that it is made with.
 * A part of internal.h, which includes it. */
#ifndef PLUGIN_MAKING_H
#define PLUGIN_MAKING_H

/* The type of a struct, NULL while it has none: opaque, or not asked for yet. */
static inline const StructInfo *
record_known(const Struct *record)
{
    return SHARED_LOAD(record->host);
}

static inline void
record_publish(Struct *record, const StructInfo *info)
{
    SHARED_STORE(record->host, (void *)(uintptr_t)info);
}

/* The same, with those that this very thread is making. */
static inline const StructInfo *
record_made(const ModuleState *state, const Struct *record)
{
    const StructInfo *info = record_known(record);

    return info == NULL && once_is_mine(&state->making) ? record->making : info;
}

/* Make the Python type of an enum or struct, or of what a pointer leads to; of other types there is nothing to make.
 * Opaque types pass.  -1 with an exception, or without one and with `reason`. */
int record_prepare(LibraryObject *library, const Type *type, char reason[REASON_MAX]);

/* A new Python type for a struct, still empty, and what it owns; to fill it, after which nobody changes it.  A failure to
 * fill is an exception, or none and `reason`. */
PyObject *record_new(LibraryObject *library, Struct *record, StructInfo **info);
int record_fill(StructInfo *info, char reason[REASON_MAX]);

/* What a struct's type owns; borrowed from it. */
StructInfo *record_info(PyObject *type);

#endif
