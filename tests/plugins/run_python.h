/* Lets a plugin of the tests run Python code in the host's __main__, from wherever it is called.
 *
 * What it needs of the interpreter is bound when the plugin is loaded.  To look for it with dlsym would wait for the
 * loader's lock, with the GIL where init is called: it would hang with a constructor of another thread that wants the GIL. */
#ifndef RUN_PYTHON_H
#define RUN_PYTHON_H

#include <plugin.h>

extern int PyGILState_Ensure(void);
extern int PyRun_SimpleStringFlags(const char *code, void *flags);
extern void PyGILState_Release(int state);

/* Run `code` with the GIL, whether this thread has it or not.  Exceptions are printed, nothing more. */
static inline void
run_python(const char *code)
{
    int state = PyGILState_Ensure();

    PyRun_SimpleStringFlags(code, NULL);
    PyGILState_Release(state);
}

#endif
