"""open(path, host=obj): the services that a plugin's init is given."""

import gc
import weakref
from typing import Any

import pytest
from hosting import manifest, run_host

import plugin

HOST = """
#include <stdlib.h>
PLUGIN_STRUCT(Host, {
    int (*add)(const Host *self, int a, int b);
    void (*log)(const Host *self, const char *text);
    int (*maybe)(const Host *self) plugin_nullable;
    int version;
});
static const Host *the_host;
__attribute__((constructor)) static void ran(void) { setenv("PLUGIN_TEST_RAN", "yes", 1); }
"""
SERVED = (
    HOST
    + """
PLUGIN_INIT(const Host *host, plugin_error *error)
{
    (void)error;
    the_host = host;
    host->log(host, "init");
}
PLUGIN_FUNC(int, sum, (int a, int b)) { return the_host->add(the_host, a, b); }
PLUGIN_FUNC(int, version, (void)) { return the_host->version; }
PLUGIN_FUNC(int, maybe, (void)) { return the_host->maybe ? the_host->maybe(the_host) : -1; }
"""
)


class Host:
    """What SERVED wants."""

    version = 12

    def __init__(self):
        self.seen = []

    def add(self, a, b):
        return a + b

    def log(self, text):
        self.seen.append(text)


@pytest.fixture(autouse=True)
def not_ran():
    """No constructor of a plugin of this file has run in this test."""
    clear()


def clear():
    import ctypes

    ctypes.CDLL(None).unsetenv(b"PLUGIN_TEST_RAN")


def ran():
    """Whether a constructor ran: os.environ would not tell."""
    import ctypes

    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return getenv(b"PLUGIN_TEST_RAN") is not None


class TestServices:
    """A host object that the plugin calls."""

    def test_init_and_later(self, build):
        """Its methods are called in init and by later calls; its attributes are the struct's data."""
        host: Any = Host()
        p = plugin.open(build(manifest(SERVED)), host=host).bind()

        assert ["init"] == host.seen
        assert (5, 12, -1) == (p.sum(2, 3), p.version(), p.maybe())
        assert ran()

    def test_nullable(self, build):
        """A method that may be missing is called if it is there."""

        class More(Host):
            def maybe(self):
                return 8

        assert 8 == plugin.open(build(manifest(SERVED)), host=More()).lookup("maybe")()

    def test_for_ever(self, build):
        """The host lives as long as the process."""
        host: Any = Host()
        gone = weakref.ref(host)
        p = plugin.open(build(manifest(SERVED)), host=host)
        del host
        gc.collect()

        assert gone() is not None
        assert 5 == p.lookup("sum")(2, 3)

    def test_module(self, build):
        """Anything with the methods serves: a class with static methods, a namespace."""
        import types

        seen: Any = []
        host = types.SimpleNamespace(add=lambda a, b: a * b, log=seen.append)
        p = plugin.open(build(manifest(SERVED)), host=host)

        assert (6, 0) == (p.lookup("sum")(2, 3), p.lookup("version")())
        assert ["init"] == seen

    def test_exception_later(self, build):
        """What a method of the host raises in a later call is raised at that call."""
        host: Any = Host()
        host.add = lambda a, b: 1 // 0
        p = plugin.open(build(manifest(SERVED)), host=host)

        with pytest.raises(ZeroDivisionError):
            p.lookup("sum")(1, 2)

    def test_no_error_parameter(self, build):
        """An init that takes only the host is called with it."""
        source = HOST + 'PLUGIN_INIT(const Host *host) { the_host = host; host->log(host, "only"); }'
        host: Any = Host()
        plugin.open(build(manifest(source)), host=host)

        assert ["only"] == host.seen

    def test_opens_plugin(self, build):
        """A method of the host opens another plugin, from init."""
        other = build(manifest("PLUGIN_FUNC(int, f, (void)) { return 4; }"))
        host: Any = Host()
        host.log = lambda text: host.seen.append(plugin.open(other).lookup("f")())
        plugin.open(build(manifest(SERVED)), host=host)

        assert [4] == host.seen


class TestRefused:
    """Hosts that do not fit: nothing of the plugin runs, and a good host opens it after all."""

    def test_missing(self, build):
        """A plugin that wants a host says so, and names the struct."""
        path = build(manifest(SERVED))
        with pytest.raises(plugin.IncompatiblePluginError, match=r"wants a host.*Host.*host="):
            plugin.open(path)

        assert not ran()
        assert 5 == plugin.open(path, host=Host()).lookup("sum")(2, 3)

    def test_missing_methods(self, build):
        """All methods that the host lacks are named, and those that may be missing are not."""
        with pytest.raises(plugin.IncompatiblePluginError) as caught:
            plugin.open(build(manifest(SERVED)), host=object())

        assert "add, log" in str(caught.value)
        assert "maybe" not in str(caught.value)
        assert not ran()

    def test_many_missing(self, build):
        """However many they are."""
        names = [f"a_method_of_the_host_{n}" for n in range(40)]
        members = " ".join(f"int (*{name})(const Host *self);" for name in names)
        source = f"PLUGIN_STRUCT(Host, {{ {members} }}); PLUGIN_INIT(const Host *host) {{ (void)host; }}"
        with pytest.raises(plugin.IncompatiblePluginError) as caught:
            plugin.open(build(manifest(source)), host=object())

        assert ", ".join(names) in str(caught.value)

    @pytest.mark.parametrize("init", ["", "PLUGIN_INIT(plugin_error *error) { (void)error; }", "PLUGIN_INIT(void) { }"])
    def test_not_wanted(self, build, init):
        """A host for a plugin that takes none is an error."""
        path = build(manifest(HOST + init))
        with pytest.raises(plugin.IncompatiblePluginError, match="takes no host"):
            plugin.open(path, host=Host())

        assert not ran()
        plugin.open(path)

    def test_another_later(self, build):
        """The same host again is the same plugin; another is an error; none is fine."""
        path, host = build(manifest(SERVED)), Host()
        p = plugin.open(path, host=host)

        assert p is plugin.open(path, host=host) is plugin.open(path)
        with pytest.raises(plugin.OpenError, match="another host"):
            plugin.open(path, host=Host())
        assert ["init"] == host.seen

    def test_nullable_host(self, build):
        """A host that may be NULL may be left out, or given."""
        source = (
            HOST
            + """PLUGIN_INIT(const Host *host plugin_nullable) { the_host = host; }
            PLUGIN_FUNC(bool, there, (void)) { return the_host != NULL; }"""
        )

        assert not plugin.open(build(manifest(source))).lookup("there")()
        assert plugin.open(build(manifest(source)), host=Host()).lookup("there")()


class TestFailure:
    """A host whose methods fail."""

    def test_exception(self, build):
        """An exception in init is an InitError with its type and text, for later opens too."""

        class Failing(Host):
            def log(self, text):
                raise LookupError("no log h\xe4re")

        path, host = build(manifest(SERVED)), Failing()
        with pytest.raises(plugin.InitError, match="LookupError: no log h\xe4re"):
            plugin.open(path, host=host)
        with pytest.raises(plugin.InitError, match=r"no log h\xe4re.*previous failure"):
            plugin.open(path, host=host)

    def test_not_callable(self, build):
        """An attribute that cannot be called is a failure of init."""
        host: Any = Host()
        host.log = 5
        with pytest.raises(plugin.OpenError, match="callable"):
            plugin.open(build(manifest(SERVED)), host=host)

    def test_exit(self, build):
        """The host is called no more when the interpreter ends: a destructor of the library gets zero."""
        source = (
            SERVED
            + """
#include <stdio.h>
__attribute__((destructor)) static void end(void)
{
    if (the_host) { printf("sum %d\\n", the_host->add(the_host, 1, 2)); fflush(stdout); }
}"""
        )
        script = """
import plugin, sys
class Host:
    version = 1
    def add(self, a, b): return a + b
    def log(self, text): pass
print(plugin.open(sys.argv[1], host=Host()).lookup("sum")(2, 3), flush=True)
"""
        assert "5\nsum 0\n" == run_host(script, build(manifest(source)))
