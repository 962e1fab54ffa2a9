"""Structs that cannot be laid out, or that two plugins see differently."""

import pytest

import plugin

HEAD = '#include <plugin.h>\nPLUGIN("refusals/{0}", "1");\n'


class TestLayouts:
    """What has no layout here is refused by name."""

    @pytest.mark.parametrize(
        ("members", "words"),
        [
            ("unsigned flag : 3;", ("flag",)),
            ("union { int i; float f; } u;", ("union",)),
            ("int n; double rest[];", ("rest",)),
            ("S inner;", ("S",)),
            ("struct Unknown other;", ("Unknown",)),
            ("long double x;", ("long double",)),
            ("int *x plugin_count(missing);", ("missing",)),
        ],
    )
    def test_refused(self, build, members, words):
        """The sentence names what it is about."""
        p = plugin.open(build("int x;"))
        with pytest.raises(plugin.DeclarationError) as caught:
            p.declare(f"typedef struct S S; struct S {{ {members} }}; void f(S *s);")
            p.lookup("S")
        for word in words:
            assert word in str(caught.value)

    @pytest.mark.parametrize("word", ["__attribute__((packed))", "__attribute__((aligned(32)))"])
    def test_other_layout(self, build, word):
        """A size or an alignment that is not what the text gives is refused, naming the struct."""
        source = (
            f"PLUGIN_STRUCT(Tight, {{ char c; double d; }} {word});\nPLUGIN_FUNC(void, f, (Tight *t)) {{ (void)t; }}"
        )
        p = plugin.open(build(HEAD.format(len(word)) + source))
        with pytest.raises(plugin.DeclarationError, match="Tight"):
            p.lookup("f")


class TestTwoPlugins:
    """One struct of data in two plugins."""

    def test_same(self, build):
        """The same declaration is the same type, and objects made by either serve both; another is another."""
        text = "PLUGIN_STRUCT(P, {{ {0} x; double y; }});\nPLUGIN_FUNC(double, y{1}, (const P *p)) {{ return p->y; }}"
        a, b, c = (
            plugin.open(build(HEAD.format(f"two{n}") + text.format(kind, n)))
            for n, kind in enumerate(["int", "int", "short"])
        )

        assert a.lookup("P") is b.lookup("P")
        assert 2.5 == b.lookup("y1")(a.lookup("P")(y=2.5))
        assert a.lookup("P") is not c.lookup("P")
        with pytest.raises(TypeError, match="P"):
            c.lookup("y2")(a.lookup("P")())
