"""Lookups of other libraries' symbols, of thread-local and NULL ones, and of names that no C programmer would write."""

import pytest
from hosting import manifest, run_host
from test_lookup import missed

import plugin

EXPORT = '__attribute__((visibility("default"))) '


class TestOfOthers:
    """Symbols of the libraries that a plugin links."""

    def test_libc(self, build):
        """printf, which the loader would find in libc, is refused, saying whose it is."""
        path = build(manifest("PLUGIN_FUNC(int, own, (void)) { return 1; }"), "-Wl,--no-as-needed")
        p = plugin.open(path)

        missed(p, "printf", "belongs to", "libc")

    def test_libm(self, build):
        """So is cos of libm, though the host declares it."""
        path = build(manifest("PLUGIN_FUNC(int, own, (void)) { return 1; }"), "-Wl,--no-as-needed", "-lm")
        p = plugin.open(path, declare="double cos(double x);")

        missed(p, "cos", "belongs to", "libm")

    def test_own_of_that_name(self, build):
        """A plugin's own function counts, though a library that it links has one of that name."""
        source = "PLUGIN_FUNC(double, cos, (double x)) { return x + 1000; }"
        p = plugin.open(build(manifest(source), "-fno-builtin", "-Wl,--no-as-needed", "-lm"))

        assert 1001.0 == p.lookup("cos")(1.0)

    def test_of_another_plugin(self, build):
        """A symbol of another plugin is not found, though that one is open and was opened with RTLD_GLOBAL."""
        other = build(manifest("PLUGIN_FUNC(int, only_there, (void)) { return 1; }"))
        plugin.open(other, mode=plugin.RTLD_NOW | plugin.RTLD_GLOBAL)
        p = plugin.open(build(manifest("PLUGIN_FUNC(int, own, (void)) { return 1; }")))

        missed(p, "only_there")

    def test_imported(self, build):
        """A symbol that the plugin merely uses is refused too."""
        source = '#include <stdlib.h>\nPLUGIN_FUNC(int, own, (void)) { return atoi(getenv("HOME")); }'

        missed(plugin.open(build(manifest(source))), "getenv", "belongs to")


class TestRefused:
    """Symbols that are there and cannot be used."""

    @pytest.mark.parametrize("declare", [None, "int local;"])
    def test_thread_local(self, build, declare):
        """A thread-local variable is refused as such, declared or not."""
        p = plugin.open(build(EXPORT + "__thread int local = 3;"), declare=declare)

        missed(p, "local", "thread-local")

    def test_null(self, build):
        """A symbol whose value is NULL is refused, saying so, and not called."""
        source = "static void *resolve(void) { return 0; }\n" + EXPORT
        p = plugin.open(build(source + 'int f(void) __attribute__((ifunc("resolve")));'), declare="int f(void);")

        missed(p, "f", "NULL")

    def test_absolute(self, build):
        """So is an absolute symbol whose value is 0."""
        missed(plugin.open(build("int x;", "-Wl,--defsym,nothing=0")), "nothing", "NULL")

    def test_version_name(self, build, tmp_path):
        """The name of a version, which stands among the symbols, is none."""
        script = tmp_path / "map"
        script.write_text("VERS_1 { global: x; local: *; };")
        p = plugin.open(build(EXPORT + "int x = 3;", f"-Wl,--version-script={script}"))

        missed(p, "VERS_1")
        assert 3 == p.lookup("x", "int").value

    def test_ifunc(self, build):
        """A function whose address a resolver chooses is called where the resolver says."""
        source = "static int two(void) { return 2; } static void *resolve(void) { return two; }\n"
        p = plugin.open(build(source + EXPORT + 'int f(void) __attribute__((ifunc("resolve")));'))

        assert 2 == p.lookup("f", "int (void)")()

    def test_weak(self, build):
        """A weak symbol that nobody defines is missed, one that is defined is found."""
        source = f"{EXPORT}extern int nobody __attribute__((weak)); {EXPORT}int *where(void) {{ return &nobody; }}\n"
        p = plugin.open(build(source + EXPORT + "__attribute__((weak)) int weak(void) { return 4; }"))

        missed(p, "nobody")
        assert 4 == p.lookup("weak", "int (void)")()


class TestNames:
    """Names as they come."""

    @pytest.mark.parametrize("name", [None, 1, b"square", bytearray(b"x"), ("square",), ["square"], object])
    @pytest.mark.parametrize("type", [None, "int (int)"])
    def test_no_str(self, build, name, type):
        """A name that is no str is a TypeError."""
        p = plugin.open(build("int x;"))

        with pytest.raises(TypeError):
            p.lookup(name, type)
        with pytest.raises(TypeError):
            p.symbols[name]

    @pytest.mark.parametrize("name", ["square\0", "\0", "squ\0are", "\ud800", "x\udfff"])
    def test_no_name(self, build, name):
        """A NUL and a lone surrogate are a ValueError; nothing is cut off at them."""
        p = plugin.open(build(EXPORT + "int square(int x) { return x; }"))

        for use in (lambda: p.lookup(name), lambda: p.lookup(name, "int (int)"), lambda: p.symbols[name]):
            with pytest.raises(ValueError, match="name of a symbol"):
                use()

    @pytest.mark.parametrize(
        "name", ["", " ", "squar", "square ", "Square", "square@", "square@@V", "x" * 9999, "%s%n"], ids=ascii
    )
    def test_near(self, build, name):
        """A name that is nearly one, is empty, has a version or is very long, is missed."""
        p = plugin.open(build(EXPORT + "int square(int x) { return x; }"))

        with pytest.raises(plugin.SymbolNotFoundError):
            p.lookup(name)

    def test_str_subclass(self, build):
        """A str of a type of its own is a name like others."""
        p = plugin.open(build(EXPORT + "int square(int x) { return x; }"))

        class Name(str):
            pass

        assert p.lookup("square") is p.lookup(Name("square"))

    @pytest.mark.parametrize(
        "name", ["odd name", "größe", "a.b$c", "7", "\udcff\udcfe", "日本", "-", "%s%n", "a'b", "x" * 5000], ids=ascii
    )
    def test_odd(self, build, name):
        """Odd names, and such that are not UTF-8, are listed, found and called as they are."""
        octal = "".join(f"\\{byte:03o}" for byte in name.encode("utf-8", "surrogateescape"))
        alias = f'__asm__(".globl \\"{octal}\\"\\n.set \\"{octal}\\", f");'
        p = plugin.open(build(f"{EXPORT}int f(void) {{ return 5; }} {alias}"))

        assert name in p.symbols
        assert name == p.symbols[name].name
        if "\udcff" in name:  # a function object's name is UTF-8
            with pytest.raises(ValueError):
                p.lookup(name, "int (void)")
        else:
            assert 5 == p.lookup(name, "int (void)")()

    def test_mangled(self, build):
        """C++ functions are found by their mangled names, templates that were instantiated in the plugin included."""
        source = f"namespace space {{ template <class T> {EXPORT} T twice(T x) {{ return x + x; }} }}\n"
        source += f"template int space::twice(int); {EXPORT} double over(double x) {{ return x / 2; }}"
        p = plugin.open(build(source, suffix=".cpp"))

        assert 42 == p.lookup("_ZN5space5twiceIiEET_S1_", "int (int)")(21)
        assert 21.0 == p.lookup("_Z4overd", "double (double)")(42.0)
        missed(p, "over")

    def test_versions(self, build, tmp_path):
        """Of a symbol with versions the default one is found by its bare name; a version is no part of a name."""
        (tmp_path / "versions").write_text("V_1 { }; V_2 { } V_1;")
        source = """
__asm__(".symver f_1, f@V_1"); __asm__(".symver f_2, f@@V_2");
int f_1(void) { return 1; } int f_2(void) { return 2; } int g(void) { return 3; }
"""
        flags = ["-fvisibility=default", f"-Wl,--version-script={tmp_path / 'versions'}"]
        p = plugin.open(build(source, *flags))

        assert (2, 3) == tuple(p.lookup(name, "int (void)")() for name in "fg")
        for name in ("f@V_1", "f@@V_2", "V_1", "V_2"):
            assert name not in p.symbols
            with pytest.raises(plugin.SymbolNotFoundError):
                p.lookup(name)

    def test_only_hidden_version(self, build, tmp_path):
        """A symbol of which there is no default version is not listed."""
        (tmp_path / "versions").write_text("V_1 { };")
        source = '__asm__(".symver f_1, f@V_1"); int f_1(void) { return 1; } int g(void) { return 3; }'
        flags = ["-fvisibility=default", f"-Wl,--version-script={tmp_path / 'versions'}"]
        p = plugin.open(build(source, *flags))

        assert "f" not in p.symbols
        assert "g" in p.symbols


class TestMemory:
    """What questions cost, when they are asked again and again."""

    def test_types(self, build):
        """20,000 type assertions of one text, right, wrong or on an untyped symbol, take no memory each."""
        path = build(
            manifest("PLUGIN_FUNC(int, f, (void)) { return 1; } int g(void) { return 2; }"), "-fvisibility=default"
        )
        script = """
import os, plugin, sys
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1])
p = plugin.open(sys.argv[1])
def ask():
    for symbol in p.symbols["f"], p.symbols["g"]:
        symbol.as_type("int (void)")
    try:
        p.lookup("f", "int (int)")
    except plugin.SymbolTypeError:
        pass
for rounds in (100, 20000):
    before = resident()
    for _ in range(rounds):
        ask()
    grown = resident() - before
assert grown < 500 or "asan" in os.environ.get("LD_PRELOAD", ""), f"{grown} pages more"
"""
        run_host(script, path)

    def test_meaning(self, build):
        """A text that was asserted before a declaration is read anew after it."""
        p = plugin.open(build("int f(int x) { return x; }", "-fvisibility=default"))
        with pytest.raises(plugin.DeclarationError):
            p.lookup("f", "number (number)")
        p.symbols["f"].as_type("int (Thing *)")

        p.declare("typedef int number; typedef int Thing;")

        assert 3 == p.lookup("f", "number (number)")(3)
        with pytest.raises(TypeError):
            p.symbols["f"].as_type("int (Thing *)")(None)
