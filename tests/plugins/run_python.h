/* Lets a plugin of the tests run Python code in the host's __main__, as callbacks are not there yet: what it needs of
 * the interpreter is found at run time.  Include it first, and link with -ldl where that is a library of its own. */
#ifndef RUN_PYTHON_H
#define RUN_PYTHON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <plugin.h>

/* Run `code` with the GIL, whether this thread has it or not.  Exceptions are printed, nothing more. */
static inline void
run_python(const char *code)
{
    int (*ensure)(void);
    int (*run)(const char *, void *);
    void (*release)(int);
    int state;

    *(void **)&ensure = dlsym(RTLD_DEFAULT, "PyGILState_Ensure");
    *(void **)&run = dlsym(RTLD_DEFAULT, "PyRun_SimpleStringFlags");
    *(void **)&release = dlsym(RTLD_DEFAULT, "PyGILState_Release");
    if (ensure == NULL || run == NULL || release == NULL) {
        __builtin_trap();
    }
    state = ensure();
    run(code, NULL);
    release(state);
}

#endif
