"""The system's libc: strings, integers, memory, and what cannot be called."""

import inspect
import os
import socket
import sys

import natives
import pytest
import support

import plugin

DECLARATIONS = """
    size_t strlen(const char *s);
    int strcmp(const char *a, const char *b);
    plugin_nullable const char *getenv(const char *name);
    plugin_nullable const char *strstr(const char *haystack, const char *needle);
    plugin_nullable const char *strchr(const char *s, int c);
    const char *strerror(int code);
    plugin_free(free) char *strdup(const char *s);
    int abs(int n); long labs(long n); long long llabs(long long n);
    int atoi(const char *s); long atol(const char *s); double atof(const char *s);
    long strtol(const char *s, char **end plugin_out, int base);
    unsigned long long strtoull(const char *s, char **end plugin_nullable plugin_out, int base);
    double strtod(const char *s, char **end plugin_out);
    int toupper(int c), isdigit(int c), ffs(int n);
    uint16_t htons(uint16_t n); uint32_t htonl(uint32_t n);
    int rand_r(unsigned int *seed plugin_inout);
    void *memcpy(void *to, const void *from, size_t n);
    int memcmp(const void *a, const void *b, size_t n);
    void *memset(void *memory, int byte, size_t n);
    plugin_nullable void *memchr(const void *memory, int byte, size_t n);
    int gethostname(char *name plugin_count(n), size_t n);
    pid_t getpid(void);
    plugin_nullable void *malloc(size_t n); void free(void *memory plugin_nullable);
"""

COUNTING_FREE = """
#define _GNU_SOURCE
#include <dlfcn.h>
__attribute__((visibility("default"))) int freed;
__attribute__((visibility("default"))) void free(void *memory)
{
    static void (*next)(void *);
    if (!next) next = (void (*)(void *))dlsym(RTLD_NEXT, "free");
    freed++;
    next(memory);
}
"""
FREED = """
import ctypes, sys, plugin
libc = plugin.open(sys.argv[1], declare="plugin_free(free) char *strdup(const char *s);")
strdup, freed = libc.lookup("strdup"), ctypes.c_int.in_dll(ctypes.CDLL(None), "freed")
before = freed.value
for _ in range(1_000):
    strdup("x")
print(freed.value - before)
"""


@pytest.fixture(scope="module")
def libc():
    """The plugin of the system's libc."""
    return plugin.open(natives.system("c"), declare="typedef int pid_t;" + DECLARATIONS)


class TestText:
    """Functions of strings."""

    @pytest.mark.parametrize("text", ["", "a", "grüße, 世界 🐍", "x" * 10_000])
    def test_strlen(self, libc, text):
        """strlen sees a str as UTF-8, and bytes as they are."""
        strlen = libc.lookup("strlen")

        assert len(text.encode()) == strlen(text)
        assert len(text.encode()) == strlen(text.encode())

    def test_two_strings(self, libc):
        """Two strings of one call stand side by side."""
        strcmp = libc.lookup("strcmp")

        assert (True, True, True) == (strcmp("a", "b") < 0, strcmp("b", "b") == 0, strcmp("c", "b") > 0)

    def test_getenv(self, libc, monkeypatch):
        """getenv gives what Python put into the environment, and None where there is nothing."""
        monkeypatch.setenv("PLUGIN_TEST_WORD", "wört")

        assert libc.lookup("getenv")("PLUGIN_TEST_WORD") == "wört"
        monkeypatch.delenv("PLUGIN_TEST_WORD")
        assert libc.lookup("getenv")("PLUGIN_TEST_WORD") is None

    def test_result_within_argument(self, libc):
        """A result that points into an argument is copied before the argument goes."""
        assert libc.lookup("strstr")("a needle here", "needle") == "needle here"
        assert libc.lookup("strstr")("hay", "needle") is None
        assert libc.lookup("strchr")("path/file", ord("/")) == "/file"

    def test_strdup(self, libc):
        """An owned string is the text; 1,000 of 1 MB do not add up to a gigabyte, so they are freed."""
        strdup = libc.lookup("strdup")
        text = "é" * 500_000
        assert text == strdup(text)
        before = resident()
        for _ in range(1_000):
            strdup(text)

        assert resident() - before < 500 << 20

    @pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="an allocator is preloaded already")
    def test_preloaded_allocator(self, build):
        """The process's own free releases a string, where another allocator was preloaded: libc's would crash."""
        preload = f"LD_PRELOAD={build(COUNTING_FREE)}"
        freed = int(support.run("env", preload, sys.executable, "-c", FREED, natives.system("c")))

        assert freed >= 1_000

    def test_strerror(self, libc):
        """strerror says what os.strerror says."""
        assert os.strerror(2) == libc.lookup("strerror")(2)


def resident():
    """The process's resident memory, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class TestIntegers:
    """Functions of integers of every width."""

    @pytest.mark.parametrize(("name", "width"), [("abs", 32), ("labs", 64), ("llabs", 64)])
    def test_abs(self, libc, name, width):
        """The absolute value of all but the least integer, which has none; beyond the width it is refused."""
        function = libc.lookup(name)
        most = 2 ** (width - 1) - 1

        assert [0, 5, 5, most, most] == [function(n) for n in (0, 5, -5, most, -most)]
        for n in (most + 1, -most - 2):
            with pytest.raises(OverflowError) as caught:
                function(n)
            assert str(n) in str(caught.value)

    def test_atoi(self, libc):
        """Numbers in text become numbers."""
        assert [42, -7, 0] == [libc.lookup("atoi")(s) for s in ("42", " -7x", "x")]
        assert libc.lookup("atol")(str(2**62)) == 2**62
        assert libc.lookup("atof")("2.5e3") == 2500.0

    @pytest.mark.parametrize(
        ("text", "base"), [("42 rest", 10), ("-ffz", 16), ("0x1F", 0), ("none", 10), ("9" * 30, 10)]
    )
    def test_strtol(self, libc, text, base):
        """strtol gives the number and, through its `char **`, what is left of the text."""
        number, rest = libc.lookup("strtol")(text, base)
        digits = text[: len(text) - len(rest)]

        assert text.endswith(rest)
        assert (min(int(digits, base), 2**63 - 1) if digits else 0) == number

    def test_unsigned(self, libc):
        """The largest unsigned long long is no negative number."""
        assert libc.lookup("strtoull")(str(2**64 - 1), 10) == (2**64 - 1, "")

    def test_strtod(self, libc):
        """A double and a string come back side by side."""
        assert libc.lookup("strtod")("1.5kg") == (1.5, "kg")

    def test_characters(self, libc):
        """toupper, isdigit and ffs take and give ints."""
        assert ord("Q") == libc.lookup("toupper")(ord("q"))
        assert [False, True] == [bool(libc.lookup("isdigit")(ord(c))) for c in "x7"]
        assert libc.lookup("ffs")(-(2**31)) == 32

    def test_network_order(self, libc):
        """16 and 32 bits come back without a sign."""
        assert [socket.htons(n) for n in (1, 255, 65535)] == [libc.lookup("htons")(n) for n in (1, 255, 65535)]
        assert [socket.htonl(n) for n in (1, 2**32 - 2)] == [libc.lookup("htonl")(n) for n in (1, 2**32 - 2)]

    def test_inout(self, libc):
        """rand_r takes its seed and gives the next: passing that on goes on with the same sequence."""
        rand_r = libc.lookup("rand_r")
        number, seed = rand_r(1)
        again = rand_r(1)

        assert again == (number, seed)
        assert seed != 1
        assert rand_r(seed) != again

    def test_no_argument(self, libc):
        """getpid is the process's."""
        assert os.getpid() == libc.lookup("getpid")()


class TestMemory:
    """Functions of raw memory."""

    def test_memcpy(self, libc):
        """memcpy fills a bytearray from bytes, and gives the address that it was given."""
        to = bytearray(6)
        first = libc.lookup("memcpy")(to, b"abcdef", 3)

        assert b"abc\0\0\0" == to
        assert "void" == first.type
        assert first == libc.lookup("memset")(to, ord("z"), 1)

    def test_memcpy_to_bytes(self, libc):
        """bytes are not written to: `void *` wants a writable buffer."""
        target = b"unchanged"
        with pytest.raises(TypeError) as caught:
            libc.lookup("memcpy")(target, b"abcdefghi", 9)

        assert "read-only" in str(caught.value)
        assert "'to'" in str(caught.value)
        assert b"unchanged" == target

    def test_memcmp(self, libc):
        """memcmp compares any two buffers."""
        memcmp = libc.lookup("memcmp")

        assert memcmp(b"abc", bytearray(b"abc"), 3) == 0
        assert memcmp(b"abd", memoryview(b"abc"), 3) > 0

    def test_memchr(self, libc):
        """A pointer into memory is a Pointer whose address counts from the start; a miss is None."""
        memory = bytearray(b"hay needle")
        start = libc.lookup("memchr")(memory, ord("h"), len(memory))

        assert start.address + 4 == libc.lookup("memchr")(memory, ord("n"), len(memory)).address
        assert libc.lookup("memchr")(memory, 0, len(memory)) is None

    def test_malloc(self, libc):
        """A Pointer from malloc is good for memset, memcpy and free."""
        memory = libc.lookup("malloc")(8)
        copy = bytearray(8)
        libc.lookup("memset")(memory, 7, 8)
        libc.lookup("memcpy")(copy, memory, 8)
        libc.lookup("free")(memory)

        assert b"\7" * 8 == copy

    def test_counted_characters(self, libc):
        """`char *name plugin_count(n)` is a writable buffer of bytes that tells its own length."""
        name = bytearray(256)

        assert libc.lookup("gethostname")(name) == 0
        assert socket.gethostname().encode() == name.split(b"\0")[0]


class TestRefused:
    """What cannot be called is refused by name, before anything is called."""

    def test_varargs(self, libc):
        """A declaration with `...` is refused, naming the function and the reason."""
        with pytest.raises(plugin.DeclarationError) as caught:
            libc.declare("int snprintf(char *to, size_t n, const char *format, ...);")

        assert "snprintf" in str(caught.value)
        assert "variable arguments" in str(caught.value)

    def test_struct_by_value(self, libc):
        """A struct by value is refused, naming the struct."""
        with pytest.raises(plugin.DeclarationError) as caught:
            libc.declare("typedef struct { int quot, rem; } div_t; div_t div(int a, int b);")

        assert '"div"' in str(caught.value)
        assert "by value" in str(caught.value)

    def test_long_double(self, libc):
        """long double is refused, naming the type."""
        with pytest.raises(plugin.DeclarationError) as caught:
            libc.declare("long double strtold(const char *s, char **end plugin_out);")

        assert "strtold" in str(caught.value)
        assert "long double" in str(caught.value)

    def test_callback(self, libc):
        """A function that gives a function back to a callable of ours is refused, naming the parameter."""
        with pytest.raises(plugin.DeclarationError) as caught:
            libc.lookup("tdelete", "void (void (*last)(void (*inner)(void)))")

        assert "tdelete" in str(caught.value)
        assert "last" in str(caught.value)

    def test_others_go_on(self, libc):
        """One refused symbol leaves the others usable."""
        with pytest.raises(plugin.DeclarationError):
            libc.lookup("twalk", "void (void (*last)(void (*inner)(void)))")

        assert libc.lookup("abs")(-1) == 1
        assert ["s", "base"] == list(inspect.signature(libc.lookup("strtol")).parameters)
