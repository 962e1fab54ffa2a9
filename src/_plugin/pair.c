/* Which `void *` of a function is the data of a callback that it takes. */
#include "internal.h"

static bool
is_plain_pointer(const Field *field)
{
    return field->type->kind == TYPE_POINTER && field->type->target->kind == TYPE_VOID && !field->type->target->is_const &&
           field->words == 0;
}

/* The `void *data` of a callback's own prototype: the last one that has `name`, or the last one if that is NULL. */
static int
find_inner_data(const Prototype *prototype, const char *name)
{
    for (int i = prototype->count - 1; i >= 0; i--) {
        const Field *param = &prototype->params[i];

        if (is_plain_pointer(param) && (name == NULL || (param->name != NULL && strcmp(param->name, name) == 0))) {
            return i;
        }
    }
    return -1;
}

static void
pair(Signature *signature, int number)
{
    const Prototype *prototype = signature->prototype;
    const Prototype *callback = prototype->params[number].type->target->prototype;
    Argument *argument = &signature->arguments[number];

    for (int i = 0; i < prototype->count && argument->data < 0; i++) {
        const Field *param = &prototype->params[i];
        int inner;

        if (is_plain_pointer(param) && signature->arguments[i].conversion != CONVERT_DATA) {
            inner = param->name != NULL ? find_inner_data(callback, param->name) : -1;
            if (inner < 0 && i == number + 1) {
                inner = find_inner_data(callback, NULL);
            }
            if (inner >= 0) {
                argument->data = (int8_t)i;
                argument->inner = (int8_t)inner;
                signature->arguments[i].conversion = CONVERT_DATA;
            }
        }
    }
}

void
signature_pair(Signature *signature)
{
    for (int i = 0; i < signature->count; i++) {
        const Field *param = &signature->prototype->params[i];

        signature->arguments[i].data = signature->arguments[i].inner = -1;
        if (param->type->kind == TYPE_POINTER && param->type->target->kind == TYPE_FUNCTION) {
            pair(signature, i);
        }
    }
}
