"""Structs that name each other, and structs that two plugins declare."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plugin

Build = Callable[..., str]

DRIVER = """
#include <plugin.h>
#include <stdlib.h>
PLUGIN("example.com/driver{number}{suffix}", "1.0");
PLUGIN_DECLARE(typedef {scalar} scalar_t; typedef struct Context Context;)
PLUGIN_STRUCT(Row, {{ scalar_t (*get)(Row *self); int n; }});
PLUGIN_STRUCT(Driver, {{
    Row *(*row)(Driver *self);
    plugin_owned Context *(*connect)(Driver *self);
    int (*use)(Driver *self, Context *context);
}});
struct Context {{ int n; }};
PLUGIN_VAR(int, closed) = 0;
static scalar_t get(Row *self) {{ return (scalar_t)self->n; }}
static Row the_row = {{ get, {number} }};
static Row *row(Driver *self) {{ (void)self; return &the_row; }}
static Context *connect(Driver *self) {{ (void)self; return calloc(1, sizeof(Context)); }}
static int use(Driver *self, Context *context) {{ (void)self; return context->n; }}
static Driver driver = {{ row, connect, use }};
PLUGIN_FUNC(Driver *, new_driver, (void)) {{ return &driver; }}
PLUGIN_FUNC(scalar_t, read_row, (Row *row)) {{ return row->get(row); }}
PLUGIN_FUNC(plugin_destructor void, context_close, (Context *context)) {{ closed++; free(context); }}
"""


class TestTwoPlugins:
    """One convention, two plugins."""

    def open(self, build: Build, *scalars: str) -> list[Any]:
        """A plugin for each type of scalar_t, numbered from 0; each test's have names of their own."""
        suffix = "/" + "-".join(scalars)
        texts = [DRIVER.format(number=i, suffix=suffix, scalar=scalar) for i, scalar in enumerate(scalars)]
        return [plugin.open(build(text)) for text in texts]

    def test_same(self, build: Build) -> None:
        """A struct that both declare alike is one Python type, and objects of one are taken by the other."""
        a, b = self.open(build, "int", "int")
        rows = [p.lookup("new_driver")().row() for p in (a, b)]

        assert type(rows[0]) is type(rows[1])
        assert (0, 1) == (rows[0].get(), rows[1].get())
        assert (1, 0) == (a.lookup("read_row")(rows[1]), b.lookup("read_row")(rows[0]))
        assert rows[1].__class__.get(rows[0]) == 0

    def test_typedef(self, build: Build) -> None:
        """Structs that differ only in what a typedef means are different types; objects of one are refused."""
        a, b = self.open(build, "int", "long")
        row = a.lookup("new_driver")().row()

        assert type(row) is not type(b.lookup("new_driver")().row())
        with pytest.raises(TypeError) as caught:
            b.lookup("read_row")(row)
        assert "Row *" in str(caught.value)

    def test_opaque(self, build: Build) -> None:
        """An opaque type belongs to its plugin: another plugin's is refused, both named."""
        a, b = self.open(build, "short", "short")
        context = a.lookup("new_driver")().connect()

        assert 0 == a.lookup("new_driver")().use(context)
        for refuse in (b.lookup("new_driver")().use, b.lookup("context_close")):
            with pytest.raises(TypeError) as caught:
                refuse(context)
            assert "example.com/driver0" in str(caught.value)
            assert "example.com/driver1" in str(caught.value)

    def test_release(self, build: Build) -> None:
        """What a method hands over is released by the plugin that it came from, not by the first of that struct."""
        a, b = self.open(build, "int8_t", "int8_t")
        drivers = [p.lookup("new_driver")() for p in (a, b)]

        contexts = [driver.connect() for driver in drivers]
        del contexts[1]
        assert (0, 1) == (a.lookup("closed").value, b.lookup("closed").value)
        del contexts
        assert (1, 1) == (a.lookup("closed").value, b.lookup("closed").value)


class TestNaming:
    """Structs that name other structs."""

    def test_recursive(self, build: Build) -> None:
        """A struct may name itself, and two may name each other."""
        source = """#include <plugin.h>
            PLUGIN("example.com/rings", "1");
            PLUGIN_DECLARE(typedef struct Even Even;)
            PLUGIN_STRUCT(Odd, { Even *(*next)(Odd *self); Odd *(*self)(Odd *self); Even *even; });
            struct Even { Odd *(*back)(Even *self); Odd *odd; };
            static Even *next(Odd *self) { return self->even; }
            static Odd *self_(Odd *self) { return self; }
            static Odd *back(Even *self) { return self->odd; }
            extern Even even;
            static Odd odd = { next, self_, &even };
            Even even = { back, &odd };
            PLUGIN_DECLARE(struct Even;)
            PLUGIN_FUNC(Odd *, get, (void)) { return &odd; }"""
        source = source.replace(
            "PLUGIN_DECLARE(typedef struct Even Even;)", "typedef struct Even Even; typedef struct Odd Odd;"
        ).replace(
            "struct Even { Odd *(*back)(Even *self); Odd *odd; };",
            "PLUGIN_STRUCT(Even, { Odd *(*back)(Even *self); Odd *odd; });",
        )
        odd = plugin.open(build(source)).lookup("get")()

        assert odd.next().back() == odd
        assert type(odd.self()) is type(odd)

    def test_not_understood(self, build: Build) -> None:
        """A struct that names one that cannot be used fails as a whole, and again in the same way."""
        source = """#include <plugin.h>
            PLUGIN("example.com/bad", "1");
            PLUGIN_STRUCT(Flags, { int a : 3; });
            PLUGIN_STRUCT(Outer, { Flags *(*flags)(Outer *self); });
            PLUGIN_FUNC(int, good, (void)) { return 1; }
            PLUGIN_FUNC(int, outer, (Outer *x)) { return x != NULL; }
            PLUGIN_FUNC(int, flags, (Flags *x)) { return x != NULL; }"""
        p = plugin.open(build(source))
        sentences = set()

        for name in ("outer", "flags", "outer", "flags"):
            with pytest.raises(plugin.DeclarationError) as caught:
                p.lookup(name)
            assert "bit-field" in str(caught.value)
            assert f"{name} of example.com/bad" in str(caught.value)
            sentences.add(str(caught.value))

        assert 2 == len(sentences)
        assert 1 == p.lookup("good")()

    def test_long_chain(self, build: Build, tmp_path: Path) -> None:
        """A chain of three thousand structs, each naming the next, ends in a result or an error, not in a crash."""
        names = "".join(f"PLUGIN_STRUCT(S{i}, {{ S{i + 1} *(*next)(S{i} *self); }});\n" for i in reversed(range(3000)))
        source = f"""#include <plugin.h>
            PLUGIN("example.com/chain", "1");
            PLUGIN_STRUCT(S3000, {{ int (*get)(S3000 *self); }});
            {names}
            PLUGIN_FUNC(int, f, (S0 *x)) {{ return x != NULL; }}"""
        program = f"""import plugin
try: plugin.open({build(source, "-O0")!r}).lookup("f")
except (plugin.DeclarationError, RecursionError): pass
print("alive")"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

        assert ("alive\n", 0) == (done.stdout, done.returncode)


class TestExit:
    """Objects that live until the interpreter ends."""

    def test_exit(self, build: Build) -> None:
        """Owned objects in globals, in cycles and in modules do not crash the end of the interpreter."""
        import objects_plugin

        program = f"""import plugin, sys, types
p = plugin.open({build(objects_plugin.SOURCE)!r})
box, handle = p.lookup("make")(1), p.lookup("handle_open")(2)
bad = p.lookup("handle_open")(-1)
child = p.lookup("make")(2).child()
cycle = [p.lookup("make")(3)]; cycle.append(cycle)
sys.modules["late"] = types.SimpleNamespace(box=p.lookup("make")(4), value=box.value)
print("end")"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

        assert ("end\n", 0) == (done.stdout, done.returncode)
