# cython: language_level=3, c_string_type=str, c_string_encoding=utf8
"""The functions of work.h, bound by Cython."""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t

ctypedef int64_t (*Function)(int64_t i, void *data) noexcept

cdef extern from "work.h" nogil:
    void c_nothing "nothing" ()
    int64_t c_add "add" (int64_t a, int64_t b)
    int64_t c_add_shared "add_shared" (int64_t a, int64_t b)
    int64_t c_add_released "add_released" (int64_t a, int64_t b)
    int64_t c_nap "nap" (int64_t microseconds)
    int32_t c_add_int32 "add_int32" (int32_t a, int32_t b)
    double c_add_doubles "add_doubles" (double a, double b)
    double c_add_six "add_six" (double a, double b, double c, double d, double e, double f)
    double c_add_mixed "add_mixed" (int8_t a, double b, uint16_t c, int64_t d, float e, double f, uint32_t g, int64_t h)
    int64_t c_text_length "text_length" (const char *text)
    const char *c_greeting "greeting" ()
    const char *c_skip_byte "skip_byte" (const char *data)
    double c_sum "sum" (const double *x, size_t n)
    void c_copy_bytes "copy_bytes" (const uint8_t *source, uint8_t *target, size_t n)
    int64_t c_level "level"
    ctypedef struct c_Counter "Counter":
        pass
    c_Counter *c_counter_new "counter_new" (int64_t start)
    int64_t c_counter_value "counter_value" (c_Counter *counter)
    void c_counter_free "counter_free" (c_Counter *counter)
    ctypedef struct c_Adder "Adder":
        int64_t (*Add)(c_Adder *self, int64_t by)
        void (*Close)(c_Adder *self)
    c_Adder *c_adder_new "adder_new" (int64_t start)
    int64_t c_call_many "call_many" (int64_t count, Function function, void *data)


def nothing():
    c_nothing()


def add(int64_t a, int64_t b):
    return c_add(a, b)


def add_shared(int64_t a, int64_t b):
    return c_add_shared(a, b)


def add_released(int64_t a, int64_t b):
    with nogil:
        a = c_add_released(a, b)
    return a


def nap(int64_t microseconds):
    with nogil:
        microseconds = c_nap(microseconds)
    return microseconds


def add_int32(int32_t a, int32_t b):
    return c_add_int32(a, b)


def add_doubles(double a, double b):
    return c_add_doubles(a, b)


def add_six(double a, double b, double c, double d, double e, double f):
    return c_add_six(a, b, c, d, e, f)


def add_mixed(int8_t a, double b, uint16_t c, int64_t d, float e, double f, uint32_t g, int64_t h):
    return c_add_mixed(a, b, c, d, e, f, g, h)


def text_length(const char *text):
    return c_text_length(text)


def greeting():
    return c_greeting()


def skip_byte(bytes data not None):
    return <bytes>c_skip_byte(<const char *>data)


def sum(const double[::1] x not None):
    return c_sum(&x[0] if x.shape[0] else NULL, x.shape[0])


def copy_bytes(const uint8_t[::1] source not None, uint8_t[::1] target not None):
    if source.shape[0] != target.shape[0]:
        raise ValueError("in and out differ in length")
    if source.shape[0]:
        c_copy_bytes(&source[0], &target[0], source.shape[0])


cdef class Callback:
    cdef object function
    cdef object error


cdef int64_t call_python(int64_t i, void *data) noexcept:
    cdef Callback callback = <Callback>data
    if callback.error is not None:
        return 0
    try:
        return callback.function(i)
    except BaseException as error:
        callback.error = error
        return 0


def call_many(int64_t count, function):
    cdef Callback callback = Callback()
    callback.function = function
    count = c_call_many(count, call_python, <void *>callback)
    if callback.error is not None:
        raise callback.error
    return count


cdef class Counter:
    cdef c_Counter *counter

    def __cinit__(self, int64_t start):
        self.counter = c_counter_new(start)
        if self.counter == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.counter != NULL:
            c_counter_free(self.counter)


counter_new = Counter


def counter_value(Counter counter not None):
    return c_counter_value(counter.counter)


cdef class Adder:
    cdef c_Adder *adder

    def __cinit__(self, int64_t start):
        self.adder = c_adder_new(start)
        if self.adder == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.adder != NULL:
            self.adder.Close(self.adder)

    def Add(self, int64_t by):
        return self.adder.Add(self.adder, by)


adder_new = Adder


cdef class State:
    @property
    def level(self):
        return c_level

    @level.setter
    def level(self, int64_t value):
        global c_level
        c_level = value
