/* The call itself: all registers and some words of stack, whatever the callee takes of them.
 *
 * Not ISO C: it relies on the ABI.  x86-64 System V and AArch64 number integer and floating-point registers
 * independently, in the order of the arguments, then use stack slots of 8 bytes; the caller cleans up.  So one
 * function type serves every prototype whose arguments are words.  Inline: what is put in memory here is loaded
 * again at once. */
#ifndef PLUGIN_REGISTERS_H
#define PLUGIN_REGISTERS_H

#include "internal.h"

#if !(defined(__x86_64__) || defined(__aarch64__)) || defined(_WIN32) || !defined(__LP64__)
#error "plugin calls functions by the System V ABI of x86-64 or by AArch64's; this machine's ABI is not covered"
#endif

#define I registers->integers
#define D registers->floats
#define S registers->stack

#if defined(__aarch64__)
#define INTEGER_TYPES int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t
#define INTEGER_VALUES I[0], I[1], I[2], I[3], I[4], I[5], I[6], I[7]
#else
#define INTEGER_TYPES int64_t, int64_t, int64_t, int64_t, int64_t, int64_t
#define INTEGER_VALUES I[0], I[1], I[2], I[3], I[4], I[5]
#endif
#define FLOAT_TYPES double, double, double, double, double, double, double, double
#define FLOAT_VALUES D[0], D[1], D[2], D[3], D[4], D[5], D[6], D[7]
#define STACK8_TYPES int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t
#define STACK8_VALUES(n) S[n], S[(n) + 1], S[(n) + 2], S[(n) + 3], S[(n) + 4], S[(n) + 5], S[(n) + 6], S[(n) + 7]

/* The same three calls for each file of registers that a result comes back in. */
#define DEFINE_CALL(name, result)                                                                                \
    static inline result name(void *function, const Registers *registers, int stack)                              \
    {                                                                                                              \
        typedef result (*Registers0)(INTEGER_TYPES, FLOAT_TYPES);                                                 \
        typedef result (*Registers8)(INTEGER_TYPES, FLOAT_TYPES, STACK8_TYPES);                                   \
        typedef result (*Registers32)(INTEGER_TYPES, FLOAT_TYPES, STACK8_TYPES, STACK8_TYPES, STACK8_TYPES,       \
                                      STACK8_TYPES);                                                               \
                                                                                                                   \
        if (stack == 0) {                                                                                          \
            return ((Registers0)(uintptr_t)function)(INTEGER_VALUES, FLOAT_VALUES);                               \
        }                                                                                                          \
        if (stack <= 8) {                                                                                          \
            return ((Registers8)(uintptr_t)function)(INTEGER_VALUES, FLOAT_VALUES, STACK8_VALUES(0));             \
        }                                                                                                          \
        return ((Registers32)(uintptr_t)function)(INTEGER_VALUES, FLOAT_VALUES, STACK8_VALUES(0), STACK8_VALUES(8), \
                                                  STACK8_VALUES(16), STACK8_VALUES(24));                           \
    }

/* Call `function` with these registers and as many words of stack.  What it does not take, it does not see. */
DEFINE_CALL(registers_call_integer, int64_t)
DEFINE_CALL(registers_call_float, double)

#undef I
#undef D
#undef S

#endif
