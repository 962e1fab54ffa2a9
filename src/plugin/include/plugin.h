/* plugin.h - write a plugin for Python in plain C or C++, knowing nothing of Python.
 *
 * SPDX-License-Identifier: MIT-0
 * Copyright (c) the plugin authors
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
 * associated documentation files (the "Software"), to deal in the Software without restriction,
 * including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense,
 * and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
 * LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT.
 * IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION
 * WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE. */

/* A whole plugin:
 *
 *     #include <plugin.h>
 *     PLUGIN("example.com/adder", "1.0.0");
 *     PLUGIN_FUNC(double, add, (double a, double b)) { return a + b; }
 *
 *     cc -shared -fPIC $(python -m plugin --cflags) adder.c -o adder.so
 *
 * Each macro declares what it names, exports it, and stores the text that you wrote in an ELF note; the
 * host reads the notes before it loads the file.  They cost nothing at run time, and on systems without
 * ELF everything compiles, without notes.  docs/manifest.md has the format and the traps.
 *
 * All macros stand at file scope (in C++ also inside a namespace or extern "C"), followed by a semicolon
 * or a body; behind PLUGIN_DECLARE the semicolon may be left out.  C11 or C++11 and later.  Names that
 * begin with plugin_ or PLUGIN_ are reserved.
 *
 * Threads: unless a function says otherwise (see Words), the host never runs two functions of one
 * plugin at the same time, but may call from a different thread each time.
 * Lifetime: unless retained, a pointer that the host passes is good until the function returns. */
#ifndef PLUGIN_INCLUDE_PLUGIN_H_1
#define PLUGIN_INCLUDE_PLUGIN_H_1

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PLUGIN_ABI_MAJOR 1 /* of the records: a host refuses another */
#define PLUGIN_ABI_MINOR 0 /* grows when something is added; `Since` below names it */

#if defined __cplusplus && __cplusplus < 201103L && !defined _MSC_VER
#error "plugin.h needs C++11: compile with -std=c++11 or later"
#elif !defined __cplusplus && defined __GNUC__ && (!defined __STDC_VERSION__ || __STDC_VERSION__ < 201112L)
#error "plugin.h needs C11: compile with -std=c11 or later"
#endif

/* ---------------------------------------------------------------------------------------- Macros */

/* PLUGIN - name the plugin.
 *
 *   name      what the host knows it by, and shows in errors; unique in a process, as a Go import path is
 *   version   any text
 *
 * Place:    once, in one file of the plugin.  A second fails to link: "PLUGIN_stands_in_more_than_one_file".
 * Lifetime: the process.   Threads: any.   Since: 1.0
 *
 *   PLUGIN("example.com/driver", "1.0.0"); */
#define PLUGIN(name, version)                                                                          \
    PLUGIN_ONCE_                                                                                       \
    PLUGIN_RECORD_(0x109, 0, 0, "", ""); /* room for `python -m plugin stamp` */                       \
    PLUGIN_RECORD_(0x101, PLUGIN_ABI_MAJOR << 16 | PLUGIN_ABI_MINOR, CHAR_MIN, "" name, "" version)

/* PLUGIN_FUNC - export a function.
 *
 *   result      its type, with the words that go before it
 *   name        a plain C identifier; the symbol has this name, in C++ too
 *   parameters  in parentheses, each with its name; (void) if there are none
 *
 * Place:    before the body; or, followed by `;`, anywhere at all, for a function whose body stands in
 *           another file or an archive (it must be visible there: see Traps in docs/manifest.md).
 * Lifetime: what it returns is borrowed by the host, unless plugin_owned or plugin_free is said.
 * Threads:  one at a time, unless plugin_threadsafe or plugin_blocking is said.   Since: 1.0
 *
 *   PLUGIN_FUNC(double, mean, (const double *x plugin_count(n), size_t n)) { ... }
 *   PLUGIN_FUNC(plugin_owned char *, shout, (const char *text)); */
#define PLUGIN_FUNC(result, name, parameters)                                                          \
    PLUGIN_EXPORT_ result name parameters;                                                             \
    PLUGIN_SEEK_(#name)                                                                                \
    PLUGIN_RECORD_(0x102, 0, 0, #name, #result " " #name #parameters);                                 \
    result name parameters

/* PLUGIN_VAR - define and export a variable.
 *
 *   type   without array brackets; const if the host must not write it
 *   name   a plain C identifier
 *   [n]    of an array, as a third argument
 *
 * Place:    in one file, with an initialiser or without one (then it is zero, and const needs one in C++).
 * Lifetime: the process; text that the host stores in it belongs to the host.
 * Threads:  the host reads and writes it as plain memory: no lock, not atomic.   Since: 1.0
 *
 *   PLUGIN_VAR(int, verbosity) = 1;
 *   PLUGIN_VAR(double, gains, [16]); */
#define PLUGIN_VAR(type, ...)                                                                          \
    PLUGIN_THIRD_(__VA_ARGS__, PLUGIN_VAR_ARRAY_, PLUGIN_VAR_PLAIN_, )(type, #type, __VA_ARGS__)

/* PLUGIN_STRUCT - define a struct that the host knows, and its typedef of the same name.
 *
 *   name     of both, the struct and the type
 *   members  in braces.  A pointer to a function that takes the struct first is a method
 *
 * Place:    before its first use; in a header of yours is fine, equal records count once.
 * Lifetime: a `name *` that reaches the host keeps the plugin alive; plugin_owned hands it over.
 * Threads:  as for functions; the words go before a method.   Since: 1.0
 *
 *   PLUGIN_STRUCT(Driver, {
 *       const char *(*Name)(Driver *self);
 *       plugin_destructor void (*Close)(Driver *self);
 *   }); */
#define PLUGIN_STRUCT(name, ...)                                                                       \
    typedef struct name name;                                                                          \
    struct name __VA_ARGS__;                                                                           \
    PLUGIN_RECORD_(0x104, sizeof(struct name), PLUGIN_ALIGNOF_(struct name), #name,                    \
                   "struct " #name " " #__VA_ARGS__)

/* PLUGIN_ENUM - define an enum that the host knows, and its typedef of the same name.
 *
 *   name      of both
 *   members   in braces; values are literals, earlier members and + - ~ | & << >> ()
 *
 * Place:    before its first use, in a header too.
 * Lifetime: a value.   Threads: any.   Since: 1.0
 *
 *   PLUGIN_ENUM(Level, { LOW = 1, HIGH }); */
#define PLUGIN_ENUM(name, ...)                                                                         \
    enum name __VA_ARGS__;                                                                             \
    typedef enum name name;                                                                            \
    PLUGIN_RECORD_(0x105, sizeof(enum name), PLUGIN_ALIGNOF_(enum name), #name,                        \
                   "enum " #name " " #__VA_ARGS__)

/* PLUGIN_DECLARE - compile a declaration, and show it to the host too.
 *
 *   ...   typedefs, forward declarations and enum constants, each with its own `;`
 *
 * Place:    before its first use, in a header too.
 * Lifetime: none.   Threads: any.   Since: 1.0
 *
 *   PLUGIN_DECLARE(typedef float sample_t; typedef struct Context Context;) */
#define PLUGIN_DECLARE(...)                                                                            \
    PLUGIN_RECORD_(0x106, 0, 0, "", #__VA_ARGS__);                                                     \
    __VA_ARGS__ PLUGIN_MAY_END_

/* PLUGIN_DOC - document a name: what the host's help() shows.
 *
 *   name   a function, variable, struct or enum of this plugin
 *   text   a string literal, UTF-8
 *
 * Place:    anywhere, once for each name.
 * Lifetime: the process.   Threads: any.   Since: 1.0
 *
 *   PLUGIN_DOC(mean, "The arithmetic mean.  Fails if x is empty."); */
#define PLUGIN_DOC(name, text) PLUGIN_RECORD_(0x107, 0, 0, #name, "" text)

/* PLUGIN_INIT - what runs once in a process, after loading, before the host sees the plugin.
 *
 *   ...   plugin_error *error, or first a struct of services: const Host *host, plugin_error *error
 *
 * Place:    before the body, in one file.  A failure refuses the plugin; the file stays loaded.
 * Lifetime: `host` is good for the whole process, `error` for the call.
 * Threads:  never twice, never beside a function of this plugin.   Since: 1.0
 *
 *   PLUGIN_INIT(plugin_error *error) { if (!device_open()) plugin_fail(error, 1, "no device"); } */
#define PLUGIN_INIT(...)                                                                               \
    PLUGIN_EXPORT_ void plugin_init(__VA_ARGS__);                                                      \
    PLUGIN_SEEK_("plugin_init")                                                                        \
    PLUGIN_RECORD_(0x108, 0, 0, "plugin_init", "void plugin_init(" #__VA_ARGS__ ")");                  \
    void plugin_init(__VA_ARGS__)

/* ----------------------------------------------------------------------------------------- Words */

/* They mean nothing to the compiler; the host reads them in the stored text.  Write them inside the macros
 * above, never through a macro of your own, which would lose them.  Since: 1.0, all.
 *
 * After a pointer parameter or member: */
#define plugin_count(...) PLUGIN_WORD_ /* it points to (n) or (n, m) items; (*n): room in, used out */
#define plugin_out PLUGIN_WORD_        /* a result: the host does not pass it */
#define plugin_inout PLUGIN_WORD_      /* an argument and a result */
#define plugin_nullable PLUGIN_WORD_   /* NULL is allowed, and is None; of a result or a method too */
#define plugin_retained PLUGIN_WORD_   /* the plugin keeps the pointer beyond the call */

/* After a pointer parameter (the plugin takes it over) or before a result (the host does): */
#define plugin_owned PLUGIN_WORD_      /* released once, by the type's destructor; char * by free */

/* Before a result: */
#define plugin_free(f) PLUGIN_WORD_    /* owned, and released by the function f */
#define plugin_destructor PLUGIN_WORD_ /* this function releases its first argument */
#define plugin_bytes PLUGIN_WORD_      /* const char * is bytes, not text; before a parameter too */
#define plugin_blocking PLUGIN_WORD_   /* may take long: other Python threads run meanwhile, here too */
#define plugin_threadsafe PLUGIN_WORD_ /* several threads may be in it at once */

/* ------------------------------------------------------------------------------------- Internals */

/* Not for use: these may change.  First, what differs between languages. */
#ifdef __cplusplus
#define PLUGIN_EXTERN_ extern "C"
#define PLUGIN_ALIGNOF_(type) alignof(type)
#else
#define PLUGIN_EXTERN_ extern
#define PLUGIN_ALIGNOF_(type) _Alignof(type)
#endif

/* Then compilers.  A word leaves an attribute behind: the host refuses text in which a macro around ours
 * expanded the words before they could be stored. */
#ifdef __GNUC__
#define PLUGIN_WORD_ __attribute__(())
#define PLUGIN_MAY_END_ __extension__ /* `;` may follow, and -pedantic is silent about it */
#define PLUGIN_PRINTF_ __attribute__((format(printf, 3, 4), unused))
#else
#define PLUGIN_WORD_
#define PLUGIN_MAY_END_
#define PLUGIN_PRINTF_
#endif

#if defined _WIN32
#define PLUGIN_EXPORT_ PLUGIN_EXTERN_ __declspec(dllexport)
#elif defined __GNUC__
#define PLUGIN_EXPORT_ PLUGIN_EXTERN_ __attribute__((visibility("default")))
#else
#define PLUGIN_EXPORT_ PLUGIN_EXTERN_
#endif

/* Then files.  Define PLUGIN_NO_RECORDS to compile a plugin's sources into something that is none. */
#if defined __ELF__ && defined __GNUC__ && !defined PLUGIN_NO_RECORDS

/* One note, as docs/manifest.md shows it: no pointers, hence no relocations.  `aligned` stands on the
 * variable, because compilers align large ones further, and the next note must follow at once. */
#define PLUGIN_RECORD_(kind, size, align, name, text)                                                  \
    __extension__ PLUGIN_NUMBERED_(__COUNTER__, kind, size, align, name, text)
#define PLUGIN_NUMBERED_(number, ...) PLUGIN_NOTE_(number, __VA_ARGS__)
#define PLUGIN_NOTE_(number, kind_, size_, align_, name_, text_)                                       \
    static const struct {                                                                              \
        uint32_t owner_size, desc_size, kind;                                                          \
        char owner[8];                                                                                 \
        uint32_t size;                                                                                 \
        int32_t align;                                                                                 \
        char name[sizeof(name_)], text[sizeof(text_)];                                                 \
    } plugin_record_##number##_ PLUGIN_NOTE_ATTRIBUTES_ = {                                            \
        7, 8 + sizeof(name_) + sizeof(text_), kind_, "plugin", size_, align_, name_, text_}

/* clang's sanitizers would put a red zone behind each note; gcc's leave sections alone. */
#ifdef __clang__
#define PLUGIN_NOTE_ATTRIBUTES_                                                                        \
    __attribute__((used, aligned(4), section(".note.plugin"), no_sanitize_address))
#else
#define PLUGIN_NOTE_ATTRIBUTES_ __attribute__((used, aligned(4), section(".note.plugin")))
#endif

/* Make the linker look for a symbol, in archives too, without a pointer to it. */
#define PLUGIN_SEEK_(name) __asm__(".globl " PLUGIN_STRING_(__USER_LABEL_PREFIX__) name);
#define PLUGIN_STRING_(prefix) PLUGIN_STRING_OF_(prefix)
#define PLUGIN_STRING_OF_(prefix) #prefix

#define PLUGIN_ONCE_                                                                                   \
    PLUGIN_EXTERN_ __attribute__((visibility("hidden"))) char PLUGIN_stands_in_more_than_one_file;     \
    char PLUGIN_stands_in_more_than_one_file = 0;

#else
#define PLUGIN_RECORD_(kind, size, align, name, text) struct plugin_no_record_
#define PLUGIN_SEEK_(name)
#define PLUGIN_ONCE_
#endif

/* `type` reaches these as text before anything is expanded in it; an array's length is expanded. */
#define PLUGIN_THIRD_(name, dimension, third, ...) third
#define PLUGIN_VAR_PLAIN_(type, text, name) PLUGIN_VARIABLE_(type, text, name, )
#define PLUGIN_VAR_ARRAY_(type, text, name, dimension) PLUGIN_VARIABLE_(type, text, name, dimension)
#define PLUGIN_VARIABLE_(type, text, name, dimension)                                                  \
    PLUGIN_EXPORT_ type name dimension;                                                                \
    PLUGIN_RECORD_(0x103, sizeof(name), PLUGIN_ALIGNOF_(type), #name, text " " #name #dimension);      \
    type name dimension

/* ---------------------------------------------------------------------------------------- Errors */

/* plugin_error - how a function fails: the host passes one that is zero, and raises what is written in it.
 *
 *   code     0 is no failure, positive codes are yours, negative ones reserved
 *   message  UTF-8, NUL-terminated
 *
 * Place:    the last parameter, `plugin_error *error`; the host's user does not see it.
 * Lifetime: the call.   Threads: the caller's own.   Since: 1.0 */
typedef struct plugin_error {
    int32_t code;
    char message[508];
} plugin_error;

/* plugin_fail - fill in `error`, then return whatever you like: the result is not used.
 *
 *   error    NULL does nothing; an earlier failure is kept
 *   code     positive; 0, which would be no failure, becomes 1
 *   format   as printf's.  What does not fit is cut, on a whole UTF-8 character
 *
 * Place:    in any function.   Lifetime: the text is copied.   Threads: any.   Since: 1.0
 *
 *   if (n == 0) { plugin_fail(error, 1, "no values"); return 0; } */
static inline void PLUGIN_PRINTF_
plugin_fail(plugin_error *error, int32_t code, const char *format, ...)
{
    char text[sizeof error->message + 1] = {0}; /* one byte more tells whether a character goes on */
    size_t end = sizeof error->message - 1;
    va_list arguments;

    if (error == NULL || error->code != 0) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    while (end > 0 && (text[end] & 0xC0) == 0x80) {
        end--;
    }
    memcpy(error->message, text, end);
    error->message[end] = '\0';
    error->code = code != 0 ? code : 1;
}

#endif
