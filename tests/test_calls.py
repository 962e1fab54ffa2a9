"""Calls: arguments by position and by name, results in order, and functions as Python objects."""

import functools
import inspect
import pickle
import pydoc
import subprocess
import sys

import natives
import pytest

import plugin

SOURCE = """
#include <plugin.h>
PLUGIN("calls/one", "1.0");
PLUGIN_DOC(sub, "The difference of two numbers.\\n\\nOf \\"any\\" sign: é.");
PLUGIN_FUNC(int, sub, (int a, int b)) { return a - b; }
PLUGIN_FUNC(int, answer, (void)) { return 42; }
PLUGIN_FUNC(int, calls, (void)) { static __thread int count; return ++count; }
PLUGIN_FUNC(int, words, (int in, int def, int None, int match, int self)) { return in + 10 * def + 100 * None + 1000 * match + 10000 * self; }
PLUGIN_FUNC(void, nothing, (int a)) { (void)a; }
PLUGIN_FUNC(void, one_out, (int a, int *b plugin_out)) { *b = a + 1; }
PLUGIN_FUNC(int, outs, (double *first plugin_out, int a, const char **second plugin_out, bool *third plugin_out))
{
    *first = a / 2.0;
    *second = "text";
    *third = a > 0;
    return a;
}
PLUGIN_FUNC(int, both, (int *a plugin_inout, float *b plugin_inout, uint8_t *c plugin_out)) { int old = *a; *a += 1; *b *= 2; *c = 200; return old; }
PLUGIN_FUNC(int, mixed, (const double *x plugin_count(n), int a, size_t n, const char *s)) { return (int)(x[0] + n) + a + s[0]; }
PLUGIN_FUNC(int, unnamed, (int, double));
int unnamed(int a, double b) { return a + (int)b; }
__attribute__((visibility("default"))) int untyped(int a) { return a; }
"""  # noqa: E501

NESTED = """
import sys, threading, plugin
name = sys.argv[2]
f = plugin.open(sys.argv[1]).lookup(name)

class Nested:
    def __init__(self, depth):
        self.depth = depth

    def __index__(self):
        return 0 if self.depth == 0 else f(Nested(self.depth - 1), *[-1][: name == "sub"])

def too_deep():
    try:
        f(Nested(10**6), *[0][: name == "sub"])
    except RecursionError:
        print("RecursionError")

print(Nested(50).__index__())
too_deep()
thread = threading.Thread(target=too_deep)
thread.start()
thread.join()
"""


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """The plugin of this file."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE))


class TestArguments:
    """Arguments by position and by name."""

    def test_given(self, p):
        """Arguments are taken by position, by name, and mixed, in any order."""
        sub = p.lookup("sub")

        assert [3, 3, 3, 3] == [sub(5, 2), sub(5, b=2), sub(a=5, b=2), sub(b=2, a=5)]
        assert sub(*[5], **{"b": 2}) == 3

    @pytest.mark.parametrize(
        ("args", "kwargs", "words"),
        [
            ((), {}, ["missing", "'a'"]),
            ((1,), {}, ["missing", "'b'"]),
            ((), {"b": 1}, ["missing", "'a'"]),
            ((1, 2, 3), {}, ["2 arguments", "3"]),
            ((1, 2), {"c": 3}, ["unexpected", "'c'"]),
            ((1,), {"c": 3}, ["unexpected", "'c'"]),
            ((1, 2), {"a": 3}, ["multiple", "'a'"]),
            ((1,), {"b": 2, "": 3}, ["unexpected"]),
            ((1,), {"\ud800": 2}, ["unexpected"]),
        ],
    )
    def test_wrong(self, p, args, kwargs, words):
        """A missing, surplus, unknown or doubled argument is a TypeError that names the function and the argument."""
        with pytest.raises(TypeError) as caught:
            p.lookup("sub")(*args, **kwargs)

        for word in ["sub()", *words]:
            assert word in str(caught.value)

    def test_none(self, p):
        """A function of no arguments takes none, and is not called with some."""
        assert p.lookup("answer")() == 42
        before = p.lookup("calls")()
        for args, kwargs in (((1,), {}), ((), {"a": 1})):
            with pytest.raises(TypeError):
                p.lookup("calls")(*args, **kwargs)

        assert before + 1 == p.lookup("calls")()

    def test_keywords_of_python(self, p):
        """A name that is a keyword of Python gets an underscore; other names stay as they are."""
        words = p.lookup("words")

        assert ["in_", "def_", "None_", "match", "self"] == list(inspect.signature(words).parameters)
        assert words(in_=1, def_=2, None_=3, match=4, self=5) == 54321
        with pytest.raises(TypeError) as caught:
            words(1, 2, 3, 4, **{"self": 5, "in": 1})
        assert "'in'" in str(caught.value)

    def test_unnamed(self, p):
        """A parameter without a name is taken by position, or by the name that its signature shows."""
        unnamed = p.lookup("unnamed")

        assert unnamed(1, 2.0) == 3
        assert unnamed(**dict.fromkeys(inspect.signature(unnamed).parameters, 2)) == 4

    def test_same_names(self, p):
        """Two parameters of one name are refused, as the compiler refuses them; the error names it."""
        with pytest.raises(plugin.DeclarationError) as caught:
            p.symbols["untyped"].as_type("int (int twin, int other, int twin)")

        assert '"twin"' in str(caught.value)

    def test_not_callable(self, p):
        """A type that cannot be called is refused where it is asserted, by the symbol's name and with the reason."""
        with pytest.raises(plugin.DeclarationError) as caught:
            p.symbols["untyped"].as_type("int (int, ...)")

        assert "untyped" in str(caught.value)
        assert "it cannot be called: it takes variable arguments" in str(caught.value)

    def test_without_lengths(self, p):
        """Lengths that arrays tell do not count: what follows them moves up."""
        x = memoryview(bytes(24)).cast("d")

        assert p.lookup("mixed")(x, 10, "A") == p.lookup("mixed")(s="A", a=10, x=x) == 78

    def test_message(self, p):
        """A wrong type names the function and the argument, by position and by name."""
        for call in (lambda: p.lookup("sub")(1, "x"), lambda: p.lookup("sub")(b="x", a=1)):
            with pytest.raises(TypeError) as caught:
                call()
            assert "sub()" in str(caught.value)
            assert "'b'" in str(caught.value)


class TestResults:
    """The function's own result, then those by pointer."""

    def test_void(self, p):
        """void is None."""
        assert p.lookup("nothing")(1) is None

    def test_one_out(self, p):
        """A single result by pointer comes alone."""
        assert p.lookup("one_out")(1) == 2

    def test_in_order(self, p):
        """Several results are a tuple: the function's own first, then the others in the prototype's order."""
        assert p.lookup("outs")(5) == (5, 2.5, "text", True)
        assert [(int, float, str, bool)] == [tuple(map(type, p.lookup("outs")(5)))]

    def test_inout(self, p):
        """plugin_inout is passed, and comes back as well."""
        assert p.lookup("both")(1, 1.5) == (1, 2, 3.0, 200)
        assert p.lookup("both")(b=1.5, a=2**31 - 2) == (2**31 - 2, 2**31 - 1, 3.0, 200)
        with pytest.raises(OverflowError) as caught:
            p.lookup("both")(2**31, 1.0)
        assert "'a'" in str(caught.value)


class TestDescription:
    """What a function says of itself."""

    def test_names(self, p):
        """__name__, __qualname__ and __doc__ are the function's: its C text, then what PLUGIN_DOC says."""
        sub = p.lookup("sub")

        assert sub.__name__ == "sub"
        assert sub.__qualname__.endswith("sub")
        assert sub.__module__ == "calls/one"
        assert sub.__doc__.startswith("int sub(int a, int b)")
        assert 'The difference of two numbers.\n\nOf "any" sign: é.' in sub.__doc__

    def test_help(self, p):
        """help shows the parameters, the C declaration and the documentation."""
        text = pydoc.render_doc(p.lookup("sub"), renderer=pydoc.TextDoc())

        assert "(a, b)" in text
        assert "int sub(int a, int b)" in text
        assert "The difference of two numbers." in text

    @pytest.mark.parametrize(
        ("name", "parameters"),
        [("sub", "a b"), ("answer", ""), ("mixed", "x a s"), ("outs", "a"), ("both", "a b"), ("one_out", "a")],
    )
    def test_signature(self, p, name, parameters):
        """inspect.signature has what Python passes, for the function and for its Symbol."""
        assert parameters.split() == list(inspect.signature(p.lookup(name)).parameters)
        assert parameters.split() == list(inspect.signature(p.symbols[name]).parameters)

    def test_annotations(self, p):
        """The signature of a Symbol has Python's types, several results as a tuple."""
        signature = inspect.signature(p.symbols["outs"])

        assert signature.parameters["a"].annotation is int
        assert tuple[int, float, str, bool] == signature.return_annotation
        assert inspect.signature(p.symbols["nothing"]).return_annotation is None
        assert float is inspect.signature(p.symbols["unnamed"]).parameters["arg2"].annotation


class TestObjects:
    """Functions as objects of Python."""

    def test_same(self, p):
        """A name gives the same function each time, and that knows its Symbol."""
        assert p.lookup("sub") is p.lookup("sub")
        assert p.lookup("sub").__self__ is p.symbols["sub"]
        assert type(p.lookup("sub")) is type(len)

    def test_symbol(self, p):
        """A Function is called as what lookup gives, keywords included; an untyped one says that it has no type."""
        symbol = p.symbols["sub"]

        assert isinstance(symbol, plugin.Function)
        assert symbol(5, b=2) == 3
        assert (symbol.name, symbol.plugin) == ("sub", p)
        with pytest.raises(plugin.SymbolTypeError) as caught:
            p.symbols["untyped"](1)
        assert "untyped" in str(caught.value)
        assert p.symbols["untyped"].as_type("int (int)")(3) == 3

    def test_callable(self, p):
        """map, sorted, functools and comprehensions take one as they take len."""
        sub = p.lookup("sub")

        assert [4, 3, 2] == list(map(sub, [5, 5, 5], [1, 2, 3]))
        assert [3, 2, 1] == sorted([1, 3, 2], key=functools.partial(sub, 0))
        assert functools.reduce(sub, [10, 1, 2]) == 7
        assert {sub: 1}[p.lookup("sub")] == 1

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_pickle(self, p, protocol):
        """A function, a Symbol and a Plugin come back from a pickle as the same objects."""
        for thing in (p, p.symbols["sub"], p.lookup("sub")):
            assert thing is pickle.loads(pickle.dumps(thing, protocol))

    def test_pickle_elsewhere(self, build):
        """Another process opens the plugin anew; what the host declared goes along."""
        path = build('__attribute__((visibility("default"))) int triple(int a) { return 3 * a; }')
        triple = plugin.open(path, declare="int triple(int a);").lookup("triple")
        code = "import pickle, sys; print(pickle.load(sys.stdin.buffer)(14))"
        done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(triple), capture_output=True)

        assert (b"42", b"") == (done.stdout.strip(), done.stderr)

    @pytest.mark.parametrize("name", ["sub", "one_out"])
    def test_nested(self, p, name):
        """A call may happen while the arguments of another are converted; too deep is a RecursionError, no crash."""
        done = subprocess.run([sys.executable, "-c", NESTED, p.path, name], capture_output=True, text=True)

        assert (done.returncode, done.stderr) == (0, "")
        assert ["50", "RecursionError", "RecursionError"] == done.stdout.split()
