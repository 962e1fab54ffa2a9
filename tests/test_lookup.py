"""Plugin.lookup and Plugin.symbols: what is found, what is refused and why, and the same object for the same name."""

import ctypes
import threading

import pytest
from hosting import manifest

import plugin

PLAIN = """
int square(int x); int square(int x) { return x * x; }
int number = 7;
const char table[5] = "abcd";
__thread int local = 3;
"""


@pytest.fixture
def declared(build):
    """A plugin with a function and a variable."""
    source = "PLUGIN_FUNC(int, square, (int x)) { return x * x; } PLUGIN_VAR(int, number) = 7;"
    return plugin.open(build(manifest(source)))


@pytest.fixture
def plain(build):
    """A library without a manifest."""
    return plugin.open(build(PLAIN, "-fvisibility=default"))


def missed(p, name, *parts):
    """The error of a lookup that misses, which names symbol and plugin, and says all of `parts`."""
    with pytest.raises(plugin.SymbolNotFoundError) as caught:
        p.lookup(name)
    for part in (f"symbol {name} not found in plugin {p.name}", p.path, *parts):
        assert part in str(caught.value)
    assert isinstance(caught.value, LookupError)
    return str(caught.value)


class TestFound:
    """What a lookup gives."""

    def test_function(self, declared):
        """A function is a built-in function object, whose __self__ tells what is known of it."""
        square = declared.lookup("square")

        assert 49 == square(7)
        assert isinstance(square.__self__, plugin.Function)
        assert square.__self__ is declared.symbols["square"]

    def test_variable(self, declared):
        """A variable is the Variable itself."""
        number = declared.lookup("number")

        assert isinstance(number, plugin.Variable)
        assert number is declared.symbols["number"]
        assert 7 == number.value

    @pytest.mark.parametrize("name", ["square", "number"])
    def test_same_object(self, declared, plain, name):
        """The same name gives the same object each time, from many threads at once too, typed or not."""
        for p in (declared, plain):
            found: list[object] = []
            threads = [threading.Thread(target=lambda p=p, f=found: f.append(p.lookup(name))) for _ in range(32)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert [p.lookup(name)] * 32 == found
            assert 1 == len({id(one) for one in found})

    def test_facts(self, declared):
        """A Symbol tells its name, plugin, C declaration and the address that the loader has."""
        square = declared.symbols["square"]
        address = ctypes.cast(ctypes.CDLL(declared.path).square, ctypes.c_void_p).value

        assert ("square", declared, address) == (square.name, square.plugin, square.address)
        assert "int square(int x)" == " ".join(square.declaration.split())
        for part in ("square", declared.name, "int"):
            assert part in repr(square)

    def test_keywords(self, plain):
        """name and type may be given as keywords, and nothing else."""
        assert 9 == plain.lookup(name="square", type="int (int)")(3)
        wrong: list[tuple[tuple[object, ...], dict[str, object]]] = [
            ((), {}),
            (("square", None, 1), {}),
            (("square",), {"name": "x"}),
            (("square",), {"x": 1}),
        ]
        for arguments, keywords in wrong:
            with pytest.raises(TypeError):
                plain.lookup(*arguments, **keywords)


class TestTyped:
    """lookup with C text, on declared and on untyped symbols."""

    def test_cached(self, plain):
        """The same name and text give the same object each time."""
        assert plain.lookup("square", "int (int)") is plain.lookup("square", "int (int)")
        assert 9 == plain.lookup("square", "int (int)")(3)

    def test_believed_once(self, plain):
        """A type that was asserted for one lookup is not declared for others."""
        plain.lookup("square", "int (int)")

        assert plain.symbols["square"].declaration is None
        with pytest.raises(plugin.SymbolTypeError):
            plain.lookup("square")(3)

    @pytest.mark.parametrize("text", ["int (int)", "int square(int x)", "int(int other)", "int square(int x);"])
    def test_agrees(self, declared, text):
        """A type that agrees with what was compiled gives the same callable; parameters' names do not matter."""
        assert declared.lookup("square") is declared.lookup("square", text)

    @pytest.mark.parametrize(
        "text", ["long (int)", "int (int, int)", "int (void)", "int", "unsigned (int)", "int (int *)"]
    )
    def test_disagrees(self, declared, text):
        """A type that differs is a SymbolTypeError, a TypeError that shows both sides."""
        with pytest.raises(plugin.SymbolTypeError) as caught:
            declared.lookup("square", text)
        assert text in str(caught.value)
        assert "int square(int x)" in " ".join(str(caught.value).split())
        assert isinstance(caught.value, TypeError)

    def test_other_name(self, declared):
        """A text that declares another name is refused."""
        with pytest.raises(plugin.DeclarationError, match="another name"):
            declared.lookup("square", "int cube(int)")

    @pytest.mark.parametrize("text", ["", "int (", "7", "int (int) plugin_frobnicate", "unknown (int)"])
    def test_unreadable(self, plain, text):
        """A text that cannot be understood is a DeclarationError, and the symbol is as it was."""
        with pytest.raises(plugin.DeclarationError) as caught:
            plain.lookup("square", text)
        assert "square" in str(caught.value)
        assert 9 == plain.lookup("square", "int (int)")(3)


class TestUntyped:
    """Symbols of which nothing but the file's own table is known."""

    def test_kinds(self, plain):
        """The file tells functions from variables."""
        assert isinstance(plain.lookup("square"), plugin.Function)
        assert isinstance(plain.lookup("number"), plugin.Variable)

    def test_use(self, plain):
        """To call or to read one is a SymbolTypeError that says how a type is given."""
        for use in (lambda: plain.lookup("square")(3), lambda: plain.lookup("number").value):
            with pytest.raises(plugin.SymbolTypeError) as caught:
                use()
            for part in ("no declared type", "declare(", plain.name):
                assert part in str(caught.value)

    def test_write(self, plain):
        """To write one is a SymbolTypeError, and writes nothing."""
        with pytest.raises(plugin.SymbolTypeError):
            plain.lookup("number").value = 8
        assert 7 == plain.lookup("number", "int").value

    def test_declared_later(self, plain):
        """What was looked up untyped is found typed after a declaration, while the old object stays untyped."""
        before = plain.lookup("square")
        plain.declare("int square(int x);")

        assert 9 == plain.lookup("square")(3)
        assert before.declaration is None


class TestBelieved:
    """Where the file knows better than a declaration."""

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("number", "int number(void)", "variable"),
            ("square", "int square", "function"),
            ("number", "long number", "4"),
            ("number", "char number", "4"),
            ("table", "int table", "5"),
        ],
    )
    def test_contradicted(self, build, name, text, said):
        """A declaration whose kind or size is not the symbol's is refused, as lookup's text and declared."""
        p = plugin.open(build(PLAIN, "-fvisibility=default"))
        with pytest.raises(plugin.DeclarationError) as first:
            p.lookup(name, text)
        p.declare(text + ";")
        with pytest.raises(plugin.DeclarationError) as second:
            p.lookup(name)

        for caught in (first, second):
            assert said in str(caught.value)
            assert name in str(caught.value)

    def test_no_type(self, build):
        """A symbol of which the file tells no type, as assembly has them, is what the declaration says."""
        path = build("int unused;", "-fvisibility=default", "-Wl,--defsym,mark=unused")
        p = plugin.open(path, declare="int mark;")

        assert 0 == p.lookup("mark").value


class TestSymbols:
    """The mapping of all symbols."""

    def test_mapping(self, declared):
        """It iterates, counts, contains and gets by name, as a dict does."""
        symbols = declared.symbols

        assert {"square", "number"} == set(symbols) == set(symbols.keys())
        assert 2 == len(symbols)
        assert symbols["square"] is dict(symbols)["square"] is symbols.get("square")
        assert [True, False, False] == [name in symbols for name in ("square", "cube", 7)]
        assert symbols.get("cube") is None
        assert all(name in repr(symbols) for name in symbols)

    @pytest.mark.parametrize("name", ["cube", "printf", ""])
    def test_key_error(self, declared, name):
        """A name that the plugin does not have is a KeyError."""
        with pytest.raises(KeyError) as caught:
            declared.symbols[name]
        assert (name,) == caught.value.args

    def test_read_only(self, declared):
        """Nothing can be put into it."""
        with pytest.raises(TypeError):
            declared.symbols["square"] = 1

    def test_all_found(self, build, tmp_path):
        """Each name in it can be had: neither thread-local symbols nor declared ones that are hidden are there."""
        (tmp_path / "hide").write_text("{ local: hidden; };")
        source = manifest("PLUGIN_FUNC(int, hidden, (void)) { return 1; }" + PLAIN)
        flags = ["-fvisibility=default", f"-Wl,--version-script={tmp_path / 'hide'}"]
        p = plugin.open(build(source, *flags), declare="int absent(void); int number;")

        assert {"square", "number", "table"} == set(p.symbols)
        assert 3 == len(dict(p.symbols))

    @pytest.mark.parametrize("name", ["m", "c"])
    def test_system(self, name):
        """Of the system's libraries, too, each symbol in it can be had, under its own name."""
        symbols = plugin.open(plugin.find_library(name)).symbols

        assert len(symbols) > 100
        assert [name for name, symbol in symbols.items() if symbol.name != name] == []


class TestMissing:
    """Names that are not there."""

    def test_missing(self, declared):
        """A miss names the symbol, the plugin and its file, in Go's words."""
        missed(declared, "cube")

    def test_again(self, declared):
        """A miss is not remembered as a hit, nor does it change what follows."""
        missed(declared, "cube")
        missed(declared, "cube")

        assert 9 == declared.lookup("square")(3)

    def test_hidden(self, build, tmp_path):
        """A symbol that is declared and not exported is missed, saying so."""
        (tmp_path / "hide").write_text("{ local: hidden; };")
        source = manifest("PLUGIN_FUNC(int, hidden, (void)) { return 1; }")
        p = plugin.open(build(source, f"-Wl,--version-script={tmp_path / 'hide'}"))

        missed(p, "hidden", "declared, but not exported")

    def test_static(self, build):
        """Static functions and hidden ones are missed."""
        p = plugin.open(build(manifest("int quiet(void); int quiet(void) { return 1; }")))

        assert "declared" not in missed(p, "quiet")
