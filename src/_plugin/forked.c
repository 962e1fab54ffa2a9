/* Without a GIL: locks in the child of a fork.  Python's fork stops all other threads first, but one that waited for a lock
 * may have been handed it by then and not know yet: the child, which has no such thread, would wait for it for ever
 * (CPython's issues 133130 and 144513).  So those of our objects that threads share are unlocked in the child. */
#include "threads.h"

#ifdef Py_GIL_DISABLED

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;      /* of `forkables`; its holder calls nothing */
static Forkable *forkables;

enum { SUSPENDED = 1, OF_TWO = 2, MARKS = 3 };     /* bits of a pointer in a thread's list of critical sections */

/* Whether the calling thread, the child's only one, is in a critical section of that lock. */
static bool
is_held(const PyMutex *lock)
{
    const PyThreadState *thread = PyThreadState_GetUnchecked();
    uintptr_t marked = thread != NULL ? thread->critical_section : 0;

    while (marked != 0) {
        const PyCriticalSection *section = (const PyCriticalSection *)(marked & ~(uintptr_t)MARKS);
        bool is_other = (marked & OF_TWO) != 0 && ((const PyCriticalSection2 *)section)->_cs_mutex2 == lock;

        if ((marked & SUSPENDED) == 0 && (section->_cs_mutex == lock || is_other)) {
            return true;
        }
        marked = section->_cs_prev;
    }
    return false;
}

void
forked_object(PyObject *object)
{
    if (object != NULL && !is_held(&object->ob_mutex)) {
        object->ob_mutex = (PyMutex){0};
    }
}

static void
before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

static void
after_fork_in_parent(void)
{
    pthread_mutex_unlock(&mutex);
}

static void
after_fork_in_child(void)
{
    for (Forkable *each = forkables; each != NULL; each = each->next) {
        each->renew(each);
    }
    pthread_mutex_unlock(&mutex);
}

static void
watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void
forkable_add(Forkable *forkable, void (*renew)(Forkable *))
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&mutex);
    *forkable = (Forkable){forkables, &forkables, renew};
    if (forkables != NULL) {
        forkables->link = &forkable->next;
    }
    forkables = forkable;
    pthread_mutex_unlock(&mutex);
}

void
forkable_remove(Forkable *forkable)
{
    pthread_mutex_lock(&mutex);
    if (forkable->link != NULL) {
        *forkable->link = forkable->next;
        if (forkable->next != NULL) {
            forkable->next->link = forkable->link;
        }
        forkable->link = NULL;
    }
    pthread_mutex_unlock(&mutex);
}

#else

typedef int NothingHere;

#endif
