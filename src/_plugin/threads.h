/* What several threads of one interpreter need to agree.  With a GIL all of this is plain C, or nothing.
 *
 * A word that one thread writes while another reads it is read and written by these macros alone; its struct says so.
 * Larger things are immutable once a pointer to them was published so, or under a mutex that is named beside them.
 * Without a GIL nobody waits for a plain mutex while its holder may run Python: the collector stops all threads, and
 * one that waits so cannot stop.  A PyMutex and a critical section let go of the interpreter while they wait. */
#ifndef PLUGIN_THREADS_H
#define PLUGIN_THREADS_H

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef Py_GIL_DISABLED
#define SHARED_LOAD(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)
#define SHARED_STORE(place, value) __atomic_store_n(&(place), value, __ATOMIC_RELEASE)
#else
#define SHARED_LOAD(place) (place)
#define SHARED_STORE(place, value) ((void)((place) = (value)))
#endif

/* A number of threads and views that use something.  What changes it gives the new value. */
#ifdef Py_GIL_DISABLED
#define SHARED_ADD(place, change) __atomic_add_fetch(&(place), change, __ATOMIC_SEQ_CST)
#define SHARED_SWAP(place, value) __atomic_exchange_n(&(place), value, __ATOMIC_ACQ_REL)
#else
#define SHARED_ADD(place, change) ((place) += (change))
#define SHARED_SWAP(place, value) shared_swap((void **)&(place), value)

static inline void *
shared_swap(void **place, void *value)
{
    void *old = *place;

    *place = value;
    return old;
}
#endif

/* Set `*place` to `after` if it is `before`. */
static inline bool
shared_replace(int *place, int before, int after)
{
#ifdef Py_GIL_DISABLED
    return __atomic_compare_exchange_n(place, &before, after, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
#else
    if (*place != before) {
        return false;
    }
    *place = after;
    return true;
#endif
}

/* Put the first value into an empty place; false if there is one already. */
static inline bool
shared_publish(void **place, void *value)
{
#ifdef Py_GIL_DISABLED
    void *empty = NULL;

    return __atomic_compare_exchange_n(place, &empty, value, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
#else
    bool first = *place == NULL;

    *place = first ? value : *place;
    return first;
#endif
}

/* Copy an aligned number or pointer of `size` bytes out of a plugin's memory, where other threads may write at the same
 * time, or into it: whole, as the machine does it. */
static inline void
word_copy(void *to, const void *from, size_t size)
{
#ifdef Py_GIL_DISABLED
    switch (size) {
    case 1:
        __atomic_store_n((uint8_t *)to, __atomic_load_n((const uint8_t *)from, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
        return;
    case 2:
        __atomic_store_n((uint16_t *)to, __atomic_load_n((const uint16_t *)from, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
        return;
    case 4:
        __atomic_store_n((uint32_t *)to, __atomic_load_n((const uint32_t *)from, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
        return;
    case 8:
        __atomic_store_n((uint64_t *)to, __atomic_load_n((const uint64_t *)from, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
        return;
    default:
        break;
    }
#endif
    memcpy(to, from, size);
}

/* A mutex that is no longer than the GIL would be: in a struct as MUTEX_MEMBER(name), zeroed to begin with.  Its holder
 * calls nothing that could want it again, so no object dies under it. */
#ifdef Py_GIL_DISABLED
#define MUTEX_MEMBER(name) PyMutex name
#define MUTEX_LOCK(mutex) PyMutex_Lock(&(mutex))
#define MUTEX_UNLOCK(mutex) PyMutex_Unlock(&(mutex))
#else
#define MUTEX_MEMBER(name) _Static_assert(1, #name)
#define MUTEX_LOCK(mutex) ((void)0)
#define MUTEX_UNLOCK(mutex) ((void)0)
#endif

/* A lock of one thread at a time that the same thread may take again, for what must happen once though it runs Python
 * meanwhile.  Who waits lets go of the interpreter. */
typedef struct {
    PyThread_type_lock lock;       /* owned */
    unsigned long holder;          /* shared: the thread that has it, or 0 */
    int depth;                     /* how often: the holder's */
} Once;

/* 0, or -1 with an exception. */
static inline int
once_init(Once *once)
{
    once->lock = PyThread_allocate_lock();
    if (once->lock == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static inline void
once_free(Once *once)
{
    if (once->lock != NULL) {
        PyThread_free_lock(once->lock);
    }
}

/* Whether this thread has it. */
static inline bool
once_is_mine(const Once *once)
{
    return SHARED_LOAD(once->holder) == PyThread_get_thread_ident();
}

static inline void
once_enter(Once *once)
{
    if (!once_is_mine(once)) {
        if (!PyThread_acquire_lock(once->lock, NOWAIT_LOCK)) {
            Py_BEGIN_ALLOW_THREADS
            PyThread_acquire_lock(once->lock, WAIT_LOCK);
            Py_END_ALLOW_THREADS
        }
        SHARED_STORE(once->holder, PyThread_get_thread_ident());
    }
    once->depth++;
}

static inline void
once_leave(Once *once)
{
    if (--once->depth == 0) {
        SHARED_STORE(once->holder, 0ul);
        PyThread_release_lock(once->lock);
    }
}

/* Without a GIL: what stands between these two does not overlap with what another thread does there for the same object.
 * As with a GIL, who waits in between lets the others in.  `section` is a local name. */
#ifdef Py_GIL_DISABLED
#define EXCLUSIVE_BEGIN(section, object, wanted)                                                                 \
    PyCriticalSection section;                                                                                     \
    const bool section##_wanted = (wanted);                                                                        \
    if (section##_wanted) {                                                                                        \
        PyCriticalSection_Begin(&section, (PyObject *)(object));                                                   \
    }
#define EXCLUSIVE_END(section)                                                                                   \
    if (section##_wanted) {                                                                                        \
        PyCriticalSection_End(&section);                                                                           \
    }
#else
#define EXCLUSIVE_BEGIN(section, object, wanted)
#define EXCLUSIVE_END(section)
#endif

/* forked.c: what has locks that are to be renewed in the child of a fork.  It stands in the struct of whatever that is, as
 * FORKABLE_MEMBER, zeroed to begin with.  With a GIL, which the forking thread has, nobody else has such a lock. */
#ifdef Py_GIL_DISABLED
typedef struct Forkable {
    struct Forkable *next, **link;
    void (*renew)(struct Forkable *);              /* in the child: calls forked_object, and nothing that locks */
} Forkable;

void forkable_add(Forkable *forkable, void (*renew)(Forkable *));
void forkable_remove(Forkable *forkable);          /* harmless if it was not added */

/* Unlock the object, which may be NULL, unless it is locked by this thread. */
void forked_object(PyObject *object);

#define FORKABLE_MEMBER Forkable forkable
#define FORKABLE_ADD(owner, renew) forkable_add(&(owner)->forkable, renew)
#define FORKABLE_REMOVE(owner) forkable_remove(&(owner)->forkable)
#else
#define FORKABLE_MEMBER _Static_assert(1, "forkable")
#define FORKABLE_ADD(owner, renew) ((void)0)
#define FORKABLE_REMOVE(owner) ((void)0)
#endif

/* In the child of a fork, before anything else runs there: another thread that had the lock is gone. */
static inline void
once_after_fork(Once *once)
{
    if (once_is_mine(once)) {
        return;
    }
    if (PyThread_acquire_lock(once->lock, NOWAIT_LOCK)) {
        PyThread_release_lock(once->lock);
        return;
    }
    once->lock = PyThread_allocate_lock();         /* the old one stays: one that is held cannot be freed */
    once->holder = 0;
    once->depth = 0;
    if (once->lock == NULL) {
        Py_FatalError("no memory for a lock after fork");
    }
}

/* Whether the process's Python ends: threads that let go of the interpreter do not get it back. */
static inline bool
is_finalizing(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing() != 0;
#else
    return _Py_IsFinalizing() != 0;
#endif
}

/* The value of `key` as a new reference: 1; 0 and NULL without one; -1 and NULL with an exception. */
static inline int
dict_get(PyObject *dict, PyObject *key, PyObject **value)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyDict_GetItemRef(dict, key, value);
#else
    *value = Py_XNewRef(PyDict_GetItemWithError(dict, key));
    return *value != NULL ? 1 : PyErr_Occurred() ? -1 : 0;
#endif
}

/* What is there under `key`, `value` if nothing was, as a new reference. */
static inline PyObject *
dict_set_default(PyObject *dict, PyObject *key, PyObject *value)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *kept;

    return PyDict_SetDefaultRef(dict, key, value, &kept) < 0 ? NULL : kept;
#else
    return Py_XNewRef(PyDict_SetDefault(dict, key, value));
#endif
}

/* Without a GIL, threads that only call a function share its reference count, and that alone keeps them from running side
 * by side: the collector finds out when it is done with, as of Python's own functions.  `object` is new, with the GC.
 * 3.13 makes such objects immortal when the first thread is started, and those that come later at once; `like` is an
 * older object that it treats so, a module.  It has no function for this: these are the steps of its _PyObject_SetDeferredRefcount. */
static inline void
share_uncounted(PyObject *object, PyObject *like)
{
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
    PyUnstable_Object_EnableDeferredRefcount(object);
    (void)like;
#elif defined(Py_GIL_DISABLED)
    __atomic_fetch_or(&object->ob_gc_bits, 64, __ATOMIC_RELAXED);       /* _PyGC_BITS_DEFERRED */
    if (__atomic_load_n(&like->ob_ref_local, __ATOMIC_RELAXED) == UINT32_MAX) {
        __atomic_store_n(&object->ob_ref_local, UINT32_MAX, __ATOMIC_RELAXED);
    } else {
        object->ob_ref_local++;
        object->ob_ref_shared = 2; /* _Py_REF_QUEUED */
    }
#else
    (void)object;
    (void)like;
#endif
}

#endif
