"""What Python code may try on the core's objects: it gets an exception, never a crash."""

import copy
import ctypes
import gc
import itertools
import os
import pickle
import subprocess
import sys
import textwrap

import pytest

import plugin

NODES = """
#include <plugin.h>
#include <stdlib.h>
PLUGIN("example.com/nodes", "1.0.0");
PLUGIN_STRUCT(Node, {
    int (*Value)(struct Node *self);
    struct Node *(*Next)(struct Node *self);
    plugin_destructor void (*Free)(struct Node *self);
});
static int freed;
static int value(struct Node *node) { (void)node; return 7; }
static struct Node node;
static struct Node *next(struct Node *self) { (void)self; return &node; }
static void release(struct Node *self) { if (self != &node) { freed++; free(self); } }
static struct Node node = {value, next, release};
PLUGIN_FUNC(Node *, First, (void)) { return &node; }
PLUGIN_FUNC(plugin_owned Node *, Make, (Node *from)) { Node *made = malloc(sizeof *made); *made = *from; return made; }
PLUGIN_FUNC(int, Freed, (void)) { return freed; }
PLUGIN_FUNC(int, add, (int a, int b)) { return a + b; }
PLUGIN_FUNC(bool, negate, (bool a)) { return !a; }
PLUGIN_FUNC(double, half, (double a)) { return a / 2; }
PLUGIN_FUNC(int, peek, (const void *p)) { return p != NULL; }
PLUGIN_FUNC(int, peek_or_not, (const void *p plugin_nullable)) { return p != NULL; }
int bare(int x) { return x; }
int number = 4;
"""

NUMBERS = itertools.count()


@pytest.fixture
def nodes(build):
    """The plugin of this file, open, under a name of its own."""
    source = NODES.replace("/nodes", f"/nodes{next(NUMBERS)}")
    return plugin.open(build("#include <stdbool.h>\n" + source, "-fvisibility=default"))


def in_another_process(*lines, **environment):
    """Run Python code in a process of its own, which may crash; AssertionError if it does."""
    environment = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr}"
    return done.stdout


class TestStructTypes:
    """The Python type of a PLUGIN_STRUCT belongs to the core."""

    @pytest.mark.parametrize("name", ["__plugin_struct__", "__plugin_methods__", "Value", "new"])
    def test_immutable(self, nodes, name):
        """No attribute of the type can be set or deleted: its methods would lose what they stand on."""
        kind = type(nodes.lookup("First")())

        with pytest.raises(TypeError):
            setattr(kind, name, None)
        with pytest.raises(TypeError):
            delattr(kind, name)
        assert 7 == nodes.lookup("First")().Value()

    def test_description_immutable(self, nodes):
        """The description that type checks read cannot be changed."""
        with pytest.raises(TypeError):
            type(nodes.lookup("First")()).__plugin_methods__["Value"] = None

    def test_class_assignment(self, nodes, build):
        """An object cannot be given the type of another struct."""
        source = NODES.replace("/nodes", "/others").replace("Node", "Other")
        other = plugin.open(build("#include <stdbool.h>\n" + source))

        with pytest.raises(TypeError):
            nodes.lookup("First")().__class__ = type(other.lookup("First")())

    def test_no_subclass(self, nodes):
        """There are no subclasses of it."""
        with pytest.raises(TypeError):
            type("Sub", (type(nodes.lookup("First")()),), {})

    def test_foreign_self(self, nodes):
        """A method taken from the type refuses another kind of object."""
        with pytest.raises(TypeError):
            type(nodes.lookup("First")()).Value(plugin.Pointer(1))

    @pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_no_copy(self, nodes, copier):
        """An object of a plugin is neither copied nor pickled."""
        with pytest.raises(TypeError):
            copier(nodes.lookup("First")())


class TestChains:
    """Objects that came from one another."""

    def test_long_borrowed(self, nodes):
        """Walking along a list of three thousand borrowed objects does not overflow the stack at its end."""
        path = nodes.path
        lines = (
            "import plugin",
            f"node = plugin.open({path!r}).lookup('First')()",
            "method = type(node).Next",
            "for _ in range(3000): node = method(node)",
            "import resource, threading",
            "threading.stack_size(131072)",
            "def drop(things): things.clear()",
            "things = [node]; del node",
            "thread = threading.Thread(target=drop, args=(things,))",
            "thread.start(); thread.join(); print('done')",
        )

        assert "done\n" == in_another_process(*lines)

    def test_long_owned(self, nodes):
        """Owned objects that came from one another are each released once."""
        make, freed = nodes.lookup("Make"), nodes.lookup("Freed")
        before = freed()
        node = nodes.lookup("First")()
        for _ in range(3000):
            node = make(node)
        assert before == freed()

        del node
        gc.collect()

        assert before + 3000 == freed()


class TestRelease:
    """The function of plugin_free."""

    def test_preloaded(self, build):
        """It is the one that the plugin's own call would reach: a preloaded one, as of another malloc, comes first."""
        source = 'int puts(const char *); void free(void *); void release(void *p) {{ puts("{}"); free(p); }}'
        preloaded, needed = (build(source.format(word), "-fvisibility=default") for word in ("preloaded", "needed"))
        declare = "plugin_free(release) char *make(void);"
        text = 'void release(void *); char *strdup(const char *); char *make(void) { release(0); return strdup("x"); }'
        path = build(text, needed, "-fvisibility=default")
        lines = (
            "import ctypes, plugin",
            f"p = plugin.open({path!r}, declare={declare!r})",
            "assert p.lookup('make')() == 'x'",
            "ctypes.CDLL(None).fflush(None)",
        )
        others = os.environ.get("LD_PRELOAD", "")

        assert "needed\n" * 2 == in_another_process(*lines)
        assert "preloaded\n" * 2 == in_another_process(*lines, LD_PRELOAD=f"{others} {preloaded}".strip())


class TestArguments:
    """Values that are hostile to a conversion."""

    @pytest.mark.parametrize("function", ["add", "negate"])
    @pytest.mark.parametrize("sign", [1, -1])
    def test_unprintable(self, nodes, function, sign):
        """A number too long to be printed is an OverflowError like others."""
        number = sign * 10**5000
        arguments = [number, 1] if function == "add" else [number]
        with pytest.raises(OverflowError) as caught:
            nodes.lookup(function)(*arguments)

        assert function in str(caught.value)

    def test_large_float(self, nodes):
        """An int beyond double names the function and the argument."""
        with pytest.raises(OverflowError) as caught:
            nodes.lookup("half")(10**400)

        assert "half() argument 'a'" in str(caught.value)

    def test_keyword_with_null(self, nodes):
        """A keyword is compared whole, not up to a null character."""
        with pytest.raises(TypeError):
            nodes.lookup("add")(**{"a\0": 1, "b": 2})

    @pytest.mark.parametrize("value", [(1,), (1, 2), ()])
    def test_tuple_is_one_argument(self, nodes, value):
        """A tuple where an address is wanted is one wrong argument, whatever is in it."""
        with pytest.raises(TypeError) as caught:
            nodes.lookup("peek")(value)

        assert "not tuple" in str(caught.value)

    def test_null_of_ctypes(self, nodes):
        """A NULL pointer of ctypes passes where NULL is allowed, and nowhere else."""
        assert 0 == nodes.lookup("peek_or_not")(ctypes.c_void_p(None))
        with pytest.raises(ValueError) as caught:
            nodes.lookup("peek")(ctypes.c_void_p(None))
        assert "NULL" in str(caught.value)

    def test_closed_while_converting(self, nodes):
        """An argument that a later argument's conversion tries to release is not released under the call."""
        made = nodes.lookup("Make")(nodes.lookup("First")())

        class Hostile:
            def __index__(self):
                made.__exit__()
                return 1

        take = nodes.lookup("bare", "int (Node *, int)")
        with pytest.raises(ValueError) as caught:
            take(made, Hostile())
        assert "in use" in str(caught.value)
        assert 7 == made.Value()


class TestLookups:
    """Types and texts that are hostile to a lookup."""

    @pytest.mark.parametrize("kind", [("int (int)",), ("int (int)", 1), (), 7, b"int (int)"])
    def test_type_is_one_argument(self, nodes, kind):
        """A tuple is not spread into as_type, and no C text either."""
        with pytest.raises(TypeError):
            nodes.lookup("bare", kind)

    def test_bare_type_has_no_name(self, nodes):
        """A symbol with a bare type is compared with a declaration that has a name."""
        bare = nodes.lookup("bare", "int (int)").__self__

        assert 3 == bare.as_type("int bare(int x)")(3)

    def test_load_of_other_types(self, nodes):
        """The core makes objects of Library and its subclasses only."""
        code = f"import plugin; plugin._plugin.load(int, {nodes.path.encode()!r}, 'x', plugin.RTLD_NOW, None)"
        with pytest.raises(AssertionError) as caught:
            in_another_process(code)
        assert "TypeError" in str(caught.value)

    def test_bare_type_pickles(self, nodes):
        """A function that was looked up with a bare type is pickled with it."""
        again = pickle.loads(pickle.dumps(nodes.lookup("bare", "int (int)")))

        assert 9 == again(9)

    def test_bare_variable_pickles(self, nodes):
        """So is a variable."""
        assert 4 == pickle.loads(pickle.dumps(nodes.lookup("number", "int"))).value

    def test_long_names(self, build):
        """Parameters with names of hundreds of characters keep their documentation within its memory."""
        count = 38
        names = [f"{'n' * 300}{number}" for number in range(count)]
        parameters = ", ".join(f"int {name}" for name in names)
        p = plugin.open(
            build("int many(void) { return 1; }", "-fvisibility=default"), declare=f"int many({parameters});"
        )

        assert 1 == p.lookup("many")(*range(count))
        assert textwrap.dedent(p.lookup("many").__doc__).startswith("int many(")
