/* Which interpreters may call a plugin's unmarked functions: those with the GIL of the first one that opened it, as only a
 * common GIL keeps their calls apart.  Without a GIL that is one interpreter. */
#include "internal.h"

/* ------------------------------------------------------------------ whose GIL */

#if PY_VERSION_HEX >= 0x030C0000 && !defined(Py_GIL_DISABLED)
/* A module that does not support a GIL of its own: an interpreter that has one refuses to make it, and no public
 * function tells otherwise. */
static int
has_own_gil(PyObject *module)
{
    static PyModuleDef_Slot slots[] = {
        {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED},
        {0, NULL},
    };
    static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "plugin._plugin", .m_slots = slots};
    PyObject *spec = PyObject_GetAttrString(module, "__spec__");
    PyObject *made = spec != NULL ? PyModule_FromDefAndSpec(&definition, spec) : NULL;
    bool refused = spec != NULL && made == NULL && PyErr_ExceptionMatches(PyExc_ImportError);

    if (refused) {
        PyErr_Clear();
    }
    Py_XDECREF(spec);
    Py_XDECREF(made);
    return refused ? 1 : PyErr_Occurred() ? -1 : 0;
}
#endif

int
tenant_init(ModuleState *state, PyObject *module)
{
    int own = PyInterpreterState_Get() != PyInterpreterState_Main();

#if PY_VERSION_HEX < 0x030C0000
    own = 0;
#elif !defined(Py_GIL_DISABLED)
    own = own ? has_own_gil(module) : 0;
#endif
    (void)module;
    state->gil = own > 0 ? PyInterpreterState_GetID(PyInterpreterState_Get()) : 0;
    return own < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------ what is not marked */

typedef struct {
    LibraryObject *library;
    char name[128];                /* of the first function that is not marked; empty if there is none */
} Search;

static bool
is_unmarked(const Type *type)
{
    const Type *function = type_function(type);

    return function != NULL && (function->prototype->words & (WORD_BLOCKING | WORD_THREADSAFE)) == 0;
}

/* A method of a struct takes it first; other function pointers may be the host's to fill in. */
static bool
takes_self(const Type *type, const Struct *self)
{
    const Prototype *prototype = type_function(type)->prototype;
    const Type *first = prototype->count > 0 ? prototype->params[0].type : NULL;

    return first != NULL && first->kind == TYPE_POINTER && first->target->kind == TYPE_STRUCT && first->target->record == self;
}

static int
visit_function(void *context, const char *name, RecordKind kind)
{
    Search *search = context;
    char reason[REASON_MAX];
    Declaration declaration;

    (void)kind;
    if (scope_find(search->library->scope, name, &declaration, reason) && declaration.type->kind == TYPE_FUNCTION &&
        is_unmarked(declaration.type)) {
        PyOS_snprintf(search->name, sizeof search->name, "%.120s", name);
    }
    return search->name[0] != '\0';
}

static void
search_struct(Search *search, const char *name)
{
    Declaration declaration;
    char reason[REASON_MAX];

    if (scope_read_type(search->library->scope, name, &declaration, reason) < 0 ||
        declaration.type->kind != TYPE_STRUCT ||
        scope_complete(search->library->scope, declaration.type->record, reason) < 0) {
        return;                    /* what cannot be understood cannot be called either */
    }
    for (int i = 0; i < declaration.type->record->count; i++) {
        const Field *member = &declaration.type->record->members[i];

        if (search->name[0] == '\0' && is_unmarked(member->type) && takes_self(member->type, declaration.type->record)) {
            PyOS_snprintf(search->name, sizeof search->name, "%.60s.%.60s", name, member->name);
        }
    }
}

static void
find_unmarked(Search *search)
{
    Records records = elf_records(&search->library->facts, true);

    scope_each(search->library->scope, visit_function, search);
    for (size_t i = 0; i < records.count && search->name[0] == '\0'; i++) {
        if (records.items[i].kind == RECORD_STRUCT) {
            search_struct(search, records.items[i].name);
        }
    }
}

/* ------------------------------------------------------------------ may it be used here? */

int
tenant_enter(LibraryObject *library, PyObject *shown)
{
    Search search = {library, ""};

    library->is_guest = !registry_hold(library->entry, library->state->gil);
    if (!library->is_guest) {
        return 0;
    }
    find_unmarked(&search);
    if (search.name[0] == '\0') {
        return 0;
    }
    raise_fact(library->state, "other_gil", "(OOs)", shown, library->name, search.name);
    return -1;
}

bool
tenant_may_call(const LibraryObject *library, const Prototype *prototype, char reason[REASON_MAX])
{
    if (!library->is_guest || (prototype->words & (WORD_BLOCKING | WORD_THREADSAFE)) != 0) {
        return true;
    }
    PyOS_snprintf(reason, REASON_MAX, "another interpreter, with another GIL, has this plugin open: here only functions can be "
                  "called that are marked plugin_threadsafe or plugin_blocking");
    return false;
}
