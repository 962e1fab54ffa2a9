/* Struct objects: the Python types of PLUGIN_STRUCTs, whose function pointers are methods. */
#include "memory.h"

#include <stdio.h>

/* ------------------------------------------------------------------ members that may be NULL */

/* A member that may be NULL reads as None then, else as a bound method. */
static PyObject *
get_nullable(PyObject *object, void *closure)
{
    HandleObject *self = (HandleObject *)object;
    const Method *method = closure;
    Where where = {method->name, NULL};
    void *function;

    if (handle_read(self, method->member->offset, &function, &where) < 0) {
        return NULL;
    }
    if (function == NULL) {
        Py_RETURN_NONE;
    }
    return PyCFunction_New(&self->info->definitions[method - self->info->methods], object);
}

/* ------------------------------------------------------------------ what a struct's type needs */

static void
info_free(StructInfo *info)
{
    for (int i = 0; i < info->count; i++) {
        signature_free(info->methods[i].signature);
        signature_free(info->methods[i].incoming);
        PyMem_Free(info->methods[i].refusal);
        PyMem_Free(info->methods[i].name);
        PyMem_Free((void *)(uintptr_t)info->definitions[i].ml_doc);
    }
    PyMem_Free(info->methods);
    PyMem_Free(info->definitions);
    PyMem_Free(info->getters);
    PyMem_Free(info->format);
    PyMem_Free(info);
}

static void
capsule_free(PyObject *capsule)
{
    info_free(PyCapsule_GetPointer(capsule, "plugin.StructInfo"));
}

static int
count_methods(const Struct *record)
{
    int count = 0;

    for (int i = 0; i < record->count; i++) {
        count += record->members[i].type->kind == TYPE_POINTER && type_function(record->members[i].type) != NULL;
    }
    return count;
}

static StructInfo *
info_new(LibraryObject *library, Struct *record)
{
    size_t count = (size_t)count_methods(record);
    StructInfo *info = PyMem_Calloc(1, sizeof *info);

    if (info == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    info->record = record;
    info->destructor = -1;
    info->library = library;
    info->methods = PyMem_Calloc(count + 1, sizeof *info->methods);
    info->definitions = PyMem_Calloc(count + 1, sizeof *info->definitions);
    info->getters = PyMem_Calloc((size_t)record->count + 1, sizeof *info->getters);
    info->format = layout_format(record);
    if (info->format == NULL || info->methods == NULL || info->definitions == NULL || info->getters == NULL) {
        info_free(info);
        PyErr_NoMemory();
        return NULL;
    }
    return info;
}

static char *
method_name(const Struct *record, const Field *member)
{
    size_t size = strlen(record->name) + strlen(member->name) + 2;
    char *name = PyMem_Malloc(size);

    if (name == NULL) {
        PyErr_NoMemory();
    } else {
        snprintf(name, size, "%s.%s", record->name, member->name);
    }
    return name;
}

/* What it takes for Python to implement the method; if it cannot, that is an error only for those who try. */
static int
add_incoming(StructInfo *info, Method *method, const Prototype *prototype)
{
    char reason[REASON_MAX];

    method->incoming = signature_compile_incoming(info->library, prototype, info->record, reason);
    if (method->incoming == NULL && !PyErr_Occurred()) {
        method->refusal = PyMem_Malloc(strlen(reason) + 1);
        if (method->refusal == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        strcpy(method->refusal, reason);
    }
    return PyErr_Occurred() ? -1 : 0;
}

/* Fill in the next method from a member; its number is info->count. */
static int
add_method(StructInfo *info, const Field *member, char reason[REASON_MAX])
{
    const Prototype *prototype = type_function(member->type)->prototype;
    Method *method = &info->methods[info->count];
    PyMethodDef *definition = &info->definitions[info->count];
    char text[REASON_MAX];

    if (info->count == METHODS_MAX) {
        snprintf(reason, REASON_MAX, "it has more than %d function pointers", METHODS_MAX);
        return -1;
    }
    method->member = member;
    method->name = method_name(info->record, member);
    if (method->name == NULL) {
        return -1;
    }
    method->signature = signature_compile(info->library, prototype, info->record, reason);
    if (method->signature == NULL) {
        char cause[REASON_MAX];

        snprintf(cause, sizeof cause, "struct \"%.80s\", member \"%.80s\": %.700s", info->record->name, member->name, reason);
        memcpy(reason, cause, REASON_MAX);
        PyMem_Free(method->name);
        return -1;
    }
    method->call = ready_method(method->signature);
    if (method->call == NULL) {
        method->call = call_method;
    }
    method->offset = member->offset;
    method->wants = method->signature->python_count;
    if (add_incoming(info, method, prototype) < 0) {
        signature_free(method->signature);
        PyMem_Free(method->name);
        return -1;
    }
    method->is_method = prototype->count > 0 && method->signature->arguments[0].conversion == CONVERT_SELF;
    if (method->is_method && prototype->words & WORD_DESTRUCTOR && info->destructor < 0) {
        info->destructor = info->count;
    }
    type_spell(member->type->target, member->name, text, sizeof text);
    definition->ml_name = member->name;
    definition->ml_meth = (PyCFunction)(void (*)(void))method_slots[info->count];
    definition->ml_flags = METH_FASTCALL | METH_KEYWORDS;
    definition->ml_doc = signature_doc(method->signature, member->name, text);
    info->count++;
    return definition->ml_doc != NULL ? 0 : -1;
}

static bool
is_method(const Field *member)
{
    return member->type->kind == TYPE_POINTER && type_function(member->type) != NULL;
}

static int
add_methods(StructInfo *info, char reason[REASON_MAX])
{
    const Struct *record = info->record;

    for (int i = 0; i < record->count; i++) {
        if (is_method(&record->members[i]) && add_method(info, &record->members[i], reason) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Make sure that what a data member leads to has a Python type, too. */
static int
prepare_member(StructInfo *info, const Field *member, char reason[REASON_MAX])
{
    const Type *type = member->dim_count > 0 && member->type->target->kind == TYPE_POINTER
                           ? member->type->target : spot_innermost(member->type);

    if (member_check(member, reason) < 0) {
        return -1;
    }
    return record_prepare(info->library, type, reason);
}

static int
add_members(StructInfo *info, char reason[REASON_MAX])
{
    const Struct *record = info->record;

    for (int i = 0; i < record->count; i++) {
        const Field *member = &record->members[i];
        PyGetSetDef *getter = &info->getters[i];
        PyObject *descriptor;
        int failed;

        reason[0] = '\0';
        if (is_method(member)) {
            continue;
        }
        if (prepare_member(info, member, reason) < 0) {
            return -1;
        }
        *getter = (PyGetSetDef){member->name, member_get, member_set, NULL, (void *)(uintptr_t)member};
        descriptor = PyDescr_NewGetSet(info->type, getter);
        failed = descriptor == NULL ? -1 : PyObject_SetAttrString((PyObject *)info->type, member->name, descriptor);
        Py_XDECREF(descriptor);
        if (failed < 0) {
            return -1;
        }
    }
    return 0;
}

/* ------------------------------------------------------------------ the Python type */

static PyTypeObject *
make_type(const StructInfo *info)
{
    PyType_Slot type_slots[] = {
        {Py_tp_doc, (void *)(uintptr_t)info->record->text}, {Py_tp_dealloc, (void *)(uintptr_t)handle_dealloc}, {0, NULL},
    };
    char name[256];
    PyType_Spec spec = {.name = name, .flags = Py_TPFLAGS_DEFAULT, .slots = type_slots};

    snprintf(name, sizeof name, "plugin.%.200s", info->record->name);
    return (PyTypeObject *)PyType_FromSpecWithBases(&spec, (PyObject *)info->library->state->structure);
}

/* Members that may be NULL are attributes, the others method descriptors. */
static int
add_attribute(StructInfo *info, int number)
{
    const Method *method = &info->methods[number];
    PyObject *descriptor;
    int failed;

    if (method->member->words & WORD_NULLABLE) {
        PyGetSetDef *getter = &info->getters[method->member - info->record->members];

        *getter = (PyGetSetDef){method->member->name, get_nullable, NULL, info->definitions[number].ml_doc,
                                (void *)(uintptr_t)method};
        descriptor = PyDescr_NewGetSet(info->type, getter);
    } else {
        descriptor = PyDescr_NewMethod(info->type, &info->definitions[number]);
    }
    failed = descriptor == NULL ? -1 : PyObject_SetAttrString((PyObject *)info->type, method->member->name, descriptor);
    Py_XDECREF(descriptor);
    return failed;
}

/* The parameters and results of each method, for type checks: {name: (parameters, results, optional)}. */
static int
add_description(StructInfo *info)
{
    PyObject *methods = PyDict_New(), *view;
    int failed = methods == NULL ? -1 : 0;

    for (int i = 0; i < info->count && failed == 0; i++) {
        const Method *method = &info->methods[i];
        PyObject *signature = signature_describe(method->signature);
        PyObject *item = signature == NULL ? NULL
                         : Py_BuildValue("(OO)", signature, method->member->words & WORD_NULLABLE ? Py_True : Py_False);

        failed = item == NULL ? -1 : PyDict_SetItemString(methods, method->member->name, item);
        Py_XDECREF(signature);
        Py_XDECREF(item);
    }
    view = failed == 0 ? PyDictProxy_New(methods) : NULL;
    failed = view == NULL ? -1 : PyObject_SetAttrString((PyObject *)info->type, "__plugin_methods__", view);
    Py_XDECREF(view);
    Py_XDECREF(methods);
    return failed;
}

/* Nobody changes the type from here on: its objects need what it owns, in the order of its slots. */
static void
freeze(PyTypeObject *type)
{
    type->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
    PyType_Modified(type);
}

int
record_fill(StructInfo *info, char reason[REASON_MAX])
{
    if (add_methods(info, reason) < 0) {
        return -1;
    }
    for (int i = 0; i < info->count; i++) {
        if (add_attribute(info, i) < 0) {
            return -1;
        }
    }
    if (add_members(info, reason) < 0 || add_description(info) < 0) {
        return -1;
    }
    freeze(info->type);
    return 0;
}

PyObject *
record_new(LibraryObject *library, Struct *record, StructInfo **result)
{
    StructInfo *info = info_new(library, record);
    PyTypeObject *type = info != NULL ? make_type(info) : NULL;
    PyObject *capsule = type != NULL ? PyCapsule_New(info, "plugin.StructInfo", capsule_free) : NULL;

    if (capsule == NULL) {
        Py_XDECREF((PyObject *)type);
        if (info != NULL) {
            info_free(info);
        }
        return NULL;
    }
    *result = info;
    info->type = type;
    if (PyObject_SetAttrString((PyObject *)type, "__plugin_struct__", capsule) < 0 ||
        PyObject_SetAttrString((PyObject *)type, "__plugin_library__", (PyObject *)library) < 0) {
        Py_CLEAR(type);
    }
    Py_DECREF(capsule);
    return (PyObject *)type;
}

StructInfo *
record_info(PyObject *type)
{
    PyObject *capsule = PyObject_GetAttrString(type, "__plugin_struct__");
    StructInfo *info = capsule != NULL ? PyCapsule_GetPointer(capsule, "plugin.StructInfo") : NULL;

    Py_XDECREF(capsule);           /* the type still has it */
    return info;
}

/* ------------------------------------------------------------------ the base of all struct types */

static int
set_member(PyObject *self, PyObject *name, PyObject *value)
{
    PyObject *member = PyObject_GetAttr((PyObject *)Py_TYPE(self), name);
    bool is_data = member != NULL && Py_IS_TYPE(member, &PyGetSetDescr_Type);

    Py_XDECREF(member);
    if (!is_data) {
        PyErr_Format(PyExc_TypeError, "%s() has no data member '%.300U'", ((HandleObject *)self)->info->record->name, name);
        return -1;
    }
    return PyObject_SetAttr(self, name, value);
}

/* Zeroed memory of ours for one struct; members by keyword. */
static PyObject *
Struct_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    StructInfo *info = record_info((PyObject *)type);
    Py_ssize_t at = 0;
    PyObject *self, *name, *value;
    void *memory;

    if (info == NULL) {
        return NULL;
    }
    if (PyTuple_GET_SIZE(arguments) > 0) {
        PyErr_Format(PyExc_TypeError, "%s() takes its members by keyword only", info->record->name);
        return NULL;
    }
    memory = PyMem_Calloc(1, info->record->size > 0 ? info->record->size : 1);
    if (memory == NULL) {
        return PyErr_NoMemory();
    }
    self = handle_of_memory(info, memory);
    while (self != NULL && keywords != NULL && PyDict_Next(keywords, &at, &name, &value)) {
        if (set_member(self, name, value) < 0) {
            Py_CLEAR(self);
        }
    }
    return self;
}

static int
Struct_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    HandleObject *self = (HandleObject *)object;
    Where where = {"buffer", NULL};

    if (handle_lend(self, &where) < 0) {           /* not to be released meanwhile */
        return -1;
    }
    if (PyBuffer_FillInfo(view, object, self->address, (Py_ssize_t)self->info->record->size, self->readonly, flags) < 0) {
        handle_take_back(self);
        return -1;
    }
    view->itemsize = (Py_ssize_t)self->info->record->size;
    view->format = flags & PyBUF_FORMAT ? self->info->format : NULL;
    view->ndim = 0;
    view->shape = view->strides = NULL;
    return 0;
}

static void
Struct_releasebuffer(PyObject *object, Py_buffer *view)
{
    (void)view;
    handle_take_back((HandleObject *)object);
}

static PyType_Slot structure_slots[] = {
    {Py_tp_doc, "The base of the types of PLUGIN_STRUCTs: data members are attributes, function pointers methods."},
    {Py_tp_new, Struct_new},
    {Py_bf_getbuffer, Struct_getbuffer},
    {Py_bf_releasebuffer, Struct_releasebuffer},
    {0, NULL},
};

PyType_Spec structure_spec = {
    .name = "plugin.Struct",
    .basicsize = sizeof(HandleObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = structure_slots,
};
