"""PLUGIN_INIT: once a process, its failure shared and remembered, and never for a plugin that was refused."""

import pathlib

import pytest
from hosting import manifest, run_host, unique

import plugin

COUNT = """
PLUGIN_VAR(int, runs) = 0;
PLUGIN_INIT(void) { struct timespec t = {0, 50000000}; nanosleep(&t, NULL); runs++; }
"""
FAILING = """
PLUGIN_VAR(int, runs) = 0;
PLUGIN_INIT(plugin_error *error)
{
    struct timespec t = {0, 50000000};
    nanosleep(&t, NULL);
    plugin_fail(error, 7, "no device %d", ++runs);
}
"""
THREADS = """
import collections, ctypes, plugin, sys, threading
gate, found = threading.Barrier(64), []
def run():
    gate.wait()
    try:
        found.append(plugin.open(sys.argv[1]))
    except plugin.InitError as error:
        found.append((error.code, str(error)))
threads = [threading.Thread(target=run) for _ in range(64)]
[t.start() for t in threads]; [t.join(60) for t in threads]
runs = ctypes.c_int.in_dll(ctypes.CDLL(sys.argv[1]), "runs").value
"""
TRACE = """#include <stdlib.h>
__attribute__((constructor)) static void arrive(void) { setenv("ARRIVED", NAME, 1); }
PLUGIN_INIT(void) { setenv("INITIALISED", NAME, 1); }
PLUGIN_FUNC(int, answer, (void)) { return 42; }
"""
TRAP = "__attribute__((constructor)) static void trap(void) { __builtin_trap(); }\n"


def timed(source, name=None):
    """A plugin with a name, whose init takes a while."""
    return "#define _GNU_SOURCE\n#include <time.h>\n" + manifest(source, name)


class TestOnce:
    """How often init runs."""

    def test_before_lookup(self, build):
        """Init has run when open returns."""
        p = plugin.open(build(timed(COUNT)))

        assert 1 == p.lookup("runs").value

    def test_again(self, build):
        """A second open runs no init."""
        path = build(timed(COUNT))
        plugin.open(path)

        assert 1 == plugin.open(path).lookup("runs").value

    def test_threads(self, build):
        """64 threads that open one plugin at once run its init once, and all wait for it."""
        script = THREADS + "print(runs, len(found), {p.lookup('runs').value for p in found})"

        assert "1 64 {1}\n" == run_host(script, build(timed(COUNT)))

    def test_without_parameters(self, build):
        """An init without parameters, empty parentheses included, is called."""
        for parameters in ("", "void"):
            p = plugin.open(build(manifest(f"PLUGIN_VAR(int, x); PLUGIN_INIT({parameters}) {{ x = 5; }}")))
            assert 5 == p.lookup("x").value

    def test_not_opened(self, build):
        """inspect runs no init and no constructor."""
        path = build(manifest(TRAP + "PLUGIN_INIT(void) { __builtin_trap(); }"))

        run_host("import plugin, sys; plugin.inspect(sys.argv[1])", path)


class TestFailure:
    """An init that fails."""

    def test_error(self, build):
        """The error has the plugin's code and message, and names plugin, version and path."""
        name = unique()
        path = build(timed(FAILING, name))

        with pytest.raises(plugin.InitError) as caught:
            plugin.open(path)

        error = caught.value
        assert (7, path, "init") == (error.code, error.path, error.phase)
        for part in ("no device 1", name, "1.0.0", path, "7"):
            assert part in str(error)
        assert "previous" not in str(error)

    def test_again(self, build):
        """A later open fails with the same code and message and `(previous failure)`, and does not run init again."""
        path = build(timed(FAILING))
        with pytest.raises(plugin.InitError):
            plugin.open(path)

        for _ in range(3):
            with pytest.raises(plugin.InitError) as caught:
                plugin.open(path)
            assert 7 == caught.value.code
            assert "no device 1" in str(caught.value)
            assert "(previous failure)" in str(caught.value)

    def test_threads(self, build):
        """64 threads that open one failing plugin at once share the failure of one run."""
        script = THREADS + "print(runs, len(found), {f[0] for f in found}, all('no device 1 ' in f[1] for f in found))"

        assert "1 64 {7} True\n" == run_host(script, build(timed(FAILING)))

    @pytest.mark.parametrize("code", [-1, -5, 0x7FFFFFFF])
    def test_any_code(self, build, code):
        """Any code but 0 is a failure, a reserved negative one too, and is told as it is."""
        path = build(manifest(f"PLUGIN_INIT(plugin_error *error) {{ error->code = {code}; }}"))

        with pytest.raises(plugin.InitError) as caught:
            plugin.open(path)
        assert code == caught.value.code

    def test_message(self, build):
        """A message without an end, and one that is not UTF-8, are shown as far as they go."""
        path = build(manifest("PLUGIN_INIT(plugin_error *e) { memset(e, 0xe9, sizeof *e); }"))

        with pytest.raises(plugin.InitError) as caught:
            plugin.open(path)
        assert "\ufffd" * 100 in str(caught.value)

    def test_other_plugins(self, build):
        """After a failed init other plugins open as before."""
        with pytest.raises(plugin.InitError):
            plugin.open(build(timed(FAILING)))

        assert 1 == plugin.open(build(timed(COUNT))).lookup("runs").value

    def test_hidden(self, build, tmp_path):
        """An init that is declared and not exported is an InitError which says so, not an init that is left out."""
        (tmp_path / "hide").write_text("{ local: plugin_init; };")
        path = build(manifest("PLUGIN_INIT(void) { }"), f"-Wl,--version-script={tmp_path / 'hide'}")

        with pytest.raises(plugin.InitError) as caught:
            plugin.open(path)
        assert caught.value.code < 0
        assert "cannot be found" in str(caught.value)


class TestRefused:
    """Nothing of a plugin that is refused runs, neither init nor constructors."""

    def test_copy(self, build, tmp_path):
        """A copy of an open plugin is `already loaded` before its constructors run; the error names the first path."""
        name = unique()
        first = build(manifest(TRACE, name), f'-DNAME="{name}"')
        other = build(manifest(TRACE.replace("42", "43"), name), '-DNAME="copy"')
        good = build(manifest("PLUGIN_FUNC(int, good, (void)) { return 1; }"))
        script = """
import ctypes, plugin, sys
first, copy, other, good = sys.argv[1:]
libc = ctypes.CDLL(None)
getenv = libc.getenv
getenv.restype = ctypes.c_char_p
opened = plugin.open(first)
assert None not in (getenv(b"ARRIVED"), getenv(b"INITIALISED"))
libc.unsetenv(b"ARRIVED"), libc.unsetenv(b"INITIALISED")
for path in (copy, other, copy):
    try:
        plugin.open(path)
    except plugin.AlreadyLoadedError as error:
        text = str(error)
        assert "plugin already loaded" in text and opened.name in text and path in text and first in text, text
        assert (error.first_path, error.path, error.phase) == (first, path, "read")
    else:
        raise SystemExit("a copy was opened")
    assert (getenv(b"ARRIVED"), getenv(b"INITIALISED")) == (None, None)
    assert plugin.open(first) is opened and opened.lookup("answer")() == 42
print(plugin.open(good).lookup("good")())
"""
        copied = tmp_path / "copy.so"
        copied.write_bytes(pathlib.Path(first).read_bytes())

        assert "1\n" == run_host(script, first, copied, other, good)

    @pytest.mark.parametrize("parameters", ["int x", "plugin_error *a, int b", "const int *x"])
    def test_parameter(self, build, parameters):
        """An init with a parameter that is neither a host nor an error is refused before anything runs."""
        path = build(manifest(TRAP + f"PLUGIN_INIT({parameters}) {{ }}"))

        with pytest.raises(plugin.DeclarationError) as caught:
            plugin.open(path)
        assert "PLUGIN_INIT" in str(caught.value)
        assert path in str(caught.value)

    @pytest.mark.parametrize("parameters", ["const Host *host", "const Host *host, plugin_error *error"])
    def test_no_host(self, build, parameters):
        """An init that wants a host object is refused without one, or without its methods, before anything runs."""
        host = "PLUGIN_STRUCT(Host, { void (*log)(const Host *self, const char *text); });"
        path = build(manifest(TRAP + f"{host} PLUGIN_INIT({parameters}) {{ }}"))

        for wrong, words in ((None, ["host=", "Host"]), (object(), ["lacks", "log", "Host"])):
            with pytest.raises(plugin.IncompatiblePluginError) as caught:
                plugin.open(path, host=wrong)
            assert [] == [word for word in [path, *words] if word not in str(caught.value)], str(caught.value)
            assert 1 == len(caught.value.differences)

    def test_no_place_for_host(self, build):
        """A host object for an init that takes none is refused before anything runs."""
        path = build(manifest(TRAP + "PLUGIN_INIT(void) { }"))

        with pytest.raises(plugin.IncompatiblePluginError) as caught:
            plugin.open(path, host=object())
        assert "no parameter" in str(caught.value)

    def test_unreadable_init(self, build):
        """An init record that cannot be understood refuses the plugin before anything runs."""
        path = build(manifest(TRAP + 'PLUGIN_RECORD_(0x108, 0, 0, "plugin_init", "void plugin_init(");'))

        with pytest.raises(plugin.DeclarationError):
            plugin.open(path)

    def test_bad_declare(self, build):
        """A `declare` that contradicts the plugin is refused before anything of it runs."""
        path = build(manifest(TRAP + "PLUGIN_FUNC(int, f, (void)) { return 0; }"))

        with pytest.raises(plugin.DeclarationError):
            plugin.open(path, declare="double f(int x);")
