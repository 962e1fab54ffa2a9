"""Methods that give objects, and the words that go with them."""

import pytest

import plugin

SOURCE = """
#include <stdlib.h>
#include <plugin.h>
PLUGIN("example.com/nodes", "1");
PLUGIN_STRUCT(Node, {
    plugin_owned Node *(*Copy)(Node *self);
    Node *plugin_nullable (*Next)(Node *self);
    int (*Optional)(Node *self) plugin_nullable;
    plugin_destructor void (*Release)(Node *self);
});
PLUGIN_VAR(int, released);
static Node *copy(Node *self);
static Node *next(Node *self) { (void)self; return NULL; }
static void release(Node *self) { released++; free(self); }
static Node *copy(Node *self)
{
    Node *made = malloc(sizeof *made);
    *made = self != NULL ? *self : (Node){copy, next, NULL, release};
    return made;
}
PLUGIN_FUNC(plugin_owned Node *, create, (void)) { return copy(NULL); }
PLUGIN_FUNC(const char *plugin_nullable, behind, (void)) { return NULL; }
PLUGIN_FUNC(plugin_nullable const char *, before, (void)) { return NULL; }
"""


@pytest.fixture
def nodes(build, request):
    """The plugin of SOURCE, under a name of the test's own."""
    return plugin.open(build(SOURCE.replace("nodes", request.node.name)))


class TestOwnedMethods:
    """Methods that hand objects over."""

    def test_destructor_later(self, nodes):
        """A method may give an object of its own struct, although the destructor stands behind it."""
        first = nodes.lookup("create")()
        copy = first.Copy()
        copy.Release()

        with pytest.raises(plugin.ClosedError):
            copy.Copy()
        assert 1 == nodes.lookup("released").value


class TestNullable:
    """Where plugin_nullable may stand."""

    def test_result(self, nodes):
        """Before a result and among its stars it means the same."""
        assert nodes.lookup("behind")() is None
        assert nodes.lookup("before")() is None
        assert nodes.lookup("create")().Next() is None

    def test_method(self, nodes):
        """A method that may be missing is None then."""
        assert nodes.lookup("create")().Optional is None
