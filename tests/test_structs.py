"""Data members of structs: what each kind of member reads as, takes and refuses."""

import array
import enum

import natives
import pytest
import support

import plugin

KINDS = {
    "b": "bool", "c": "char", "sc": "signed char", "uc": "unsigned char", "s": "short", "us": "unsigned short",
    "i": "int", "u": "unsigned", "l": "long", "ul": "unsigned long", "ll": "long long", "ull": "unsigned long long",
    "i8": "int8_t", "u16": "uint16_t", "i32": "int32_t", "u64": "uint64_t", "z": "size_t", "f": "float", "d": "double",
}  # fmt: skip
SIGNED = {"c": 8, "sc": 8, "s": 16, "i": 32, "l": 64, "ll": 64, "i8": 8, "i32": 32}  # bits
UNSIGNED = {"uc": 8, "us": 16, "u": 32, "ul": 64, "ull": 64, "u16": 16, "u64": 64, "z": 64}
SOURCE = """
#include <plugin.h>
#include <stdlib.h>
PLUGIN("structs/members", "1");
PLUGIN_STRUCT(Scalars, { @KINDS@ });
PLUGIN_ENUM(Level, { LOW = -1, HIGH = 7 });
PLUGIN_STRUCT(Point, { int16_t x; double y; });
PLUGIN_STRUCT(Fixed, { double v[3]; int16_t m[2][3]; uint8_t cube[2][2][2]; bool flags[4]; char name[8]; Point pts[2];
                       Level levels[2]; const int serial[2]; });
PLUGIN_STRUCT(Line, { int8_t id; Point from, to; Level level; });
PLUGIN_STRUCT(Odd, { const int fixed; void *data plugin_nullable; const void *raw; Point *at;
    Point *maybe plugin_nullable; });
PLUGIN_STRUCT(Text, { const char *name; const char *title plugin_nullable; plugin_bytes const char *raw;
    char *plain; });
PLUGIN_STRUCT(Hooks, { int (*twice)(int x); int (*maybe)(int x) plugin_nullable; });
PLUGIN_FUNC(int, scalars_sum, (const Scalars *s)) { return s->i + s->s + s->b + (int)s->d + (int)s->u64; }
PLUGIN_FUNC(void, grow, (Point *p, double by)) { p->x++; p->y *= by; }
PLUGIN_FUNC(double, length, (const Line *line)) { return line->to.y - line->from.y; }
PLUGIN_FUNC(int, fixed_at, (const Fixed *f, int i, int k)) { return f->m[i][k]; }
PLUGIN_FUNC(void, spoil, (Fixed *f)) { for (int i = 0; i < 8; i++) f->name[i] = (char)0xff; }
PLUGIN_FUNC(void, full, (Fixed *f)) { for (int i = 0; i < 8; i++) f->name[i] = 'x'; }
PLUGIN_FUNC(void, odd_level, (Line *line)) { line->level = (Level)5; }
PLUGIN_FUNC(int, strings, (const Text *t)) { return t->name[0] + (t->title != NULL ? t->title[0] : 0) + t->raw[0]; }
PLUGIN_FUNC(void, bad_text, (Text *t)) { t->name = "\\xff"; }
PLUGIN_FUNC(bool, is_null, (const Odd *o)) { return o->data == NULL && o->raw == NULL && o->at == NULL; }
PLUGIN_FUNC(double, at_y, (const Odd *o)) { return o->at->y; }
static int twice(int x) { return 2 * x; }
static Hooks the_hooks = { twice, NULL };
PLUGIN_FUNC(Hooks *, hooks, (void)) { return &the_hooks; }
static Point the_point = { 3, 4.5 };
PLUGIN_FUNC(Point *, point, (void)) { return &the_point; }
""".replace("@KINDS@", " ".join(f"{kind} {name};" for name, kind in KINDS.items()))


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """The plugin of this file."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE))


def text_of(caught):
    """What the exception says."""
    return str(caught.value)


class TestMaking:
    """Structs made in Python."""

    def test_zeroed(self, p):
        """What no keyword gives is zero, whatever its kind."""
        s = p.lookup("Scalars")()

        assert [0] * len(KINDS) == [getattr(s, name) for name in KINDS]
        assert (False, 0.0) == (s.b, s.d)
        assert (bool, float) == (type(s.b), type(s.d))
        assert p.lookup("is_null")(p.lookup("Odd")())

    def test_keywords(self, p):
        """Keywords give members."""
        point = p.lookup("Point")(y=2.5, x=-3)

        assert (-3, 2.5) == (point.x, point.y)

    def test_unknown(self, p):
        """An unknown keyword is refused, naming it."""
        with pytest.raises((TypeError, AttributeError)) as caught:
            p.lookup("Point")(x=1, zz=2)
        assert "zz" in text_of(caught)

    def test_positional(self, p):
        """Positional values are refused, naming the struct."""
        with pytest.raises(TypeError) as caught:
            p.lookup("Point")(1, 2)
        assert "Point" in text_of(caught)
        assert "keyword" in text_of(caught)

    def test_bad_value(self, p):
        """A value that does not fit is refused, naming the member."""
        with pytest.raises(OverflowError) as caught:
            p.lookup("Point")(x=40000)
        assert "x" in text_of(caught)

    def test_passed(self, p):
        """The plugin sees what Python wrote, and Python what the plugin wrote."""
        point = p.lookup("Point")(x=1, y=2.0)
        p.lookup("grow")(point, 4)

        assert (2, 8.0) == (point.x, point.y)
        assert 16 == p.lookup("scalars_sum")(p.lookup("Scalars")(i=1, s=-2, b=True, d=6.9, u64=10))

    def test_other_struct(self, p):
        """An object of another struct is refused, both named."""
        with pytest.raises(TypeError) as caught:
            p.lookup("grow")(p.lookup("Line")(), 1)
        assert "Point" in text_of(caught)
        assert "Line" in text_of(caught)


class TestScalars:
    """Members that are numbers."""

    @pytest.mark.parametrize("name", [*SIGNED, *UNSIGNED])
    def test_range(self, p, name):
        """Each integer member holds its least and most value, and refuses what lies beyond."""
        s = p.lookup("Scalars")()
        bits = SIGNED.get(name) or UNSIGNED[name]
        signed = name in SIGNED if name != "c" else support.CHAR_MIN < 0
        least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

        for value in (least, most):
            setattr(s, name, value)
            assert value == getattr(s, name)
        for value in (least - 1, most + 1):
            with pytest.raises(OverflowError):
                setattr(s, name, value)
        assert most == getattr(s, name)

    def test_float(self, p):
        """Floating-point members take ints and floats; text is refused."""
        s = p.lookup("Scalars")(f=1, d=0.1)

        assert (1.0, 0.1) == (s.f, s.d)
        with pytest.raises(TypeError):
            s.d = "1"
        with pytest.raises(OverflowError):
            s.f = 1e300

    def test_bool(self, p):
        """A bool member takes bools, 0 and 1."""
        s = p.lookup("Scalars")(b=1)

        assert s.b is True
        with pytest.raises(OverflowError):
            s.b = 2

    def test_delete(self, p):
        """Members cannot be deleted."""
        with pytest.raises((TypeError, AttributeError)) as caught:
            del p.lookup("Point")().x
        assert "x" in text_of(caught)

    def test_strange_name(self, p):
        """A name that is no member cannot be set."""
        with pytest.raises(AttributeError):
            p.lookup("Point")().zz = 1

    def test_enum(self, p):
        """Enum members are members of the IntEnum; other ints are refused, and read as ints where C wrote them."""
        level, line = p.lookup("Level"), p.lookup("Line")(level=-1)

        assert issubclass(level, enum.IntEnum)
        assert line.level is level.LOW
        line.level = level.HIGH
        assert line.level is level.HIGH
        with pytest.raises(ValueError, match="Level"):
            line.level = 3
        p.lookup("odd_level")(line)
        assert (5, int) == (line.level, type(line.level))


class TestFixed:
    """Members that are arrays of constant length."""

    def test_shapes(self, p):
        """They are writable views of the struct's own memory, of up to three dimensions here."""
        f = p.lookup("Fixed")()
        views = f.v, f.m, f.cube, f.flags, f.levels

        assert [(3,), (2, 3), (2, 2, 2), (4,), (2,)] == [view.shape for view in views]
        assert ["d", "h", "B", "?", "i"] == [view.format for view in views]
        f.m[1, 2] = -7
        f.v[0] = 1.5
        assert -7 == p.lookup("fixed_at")(f, 1, 2) == f.m[1, 2]
        assert [1.5, 0.0, 0.0] == f.v.tolist()

    def test_assign(self, p):
        """A buffer of the same items and shape is copied in; another shape or kind is refused."""
        f = p.lookup("Fixed")(v=array.array("d", [1, 2, 3]))

        assert [1, 2, 3] == f.v.tolist()
        for wrong in (array.array("d", [1, 2]), array.array("f", [1, 2, 3]), 5, [1, 2, 3]):
            with pytest.raises((TypeError, ValueError), match="v"):
                f.v = wrong
        assert [1, 2, 3] == f.v.tolist()

    def test_const(self, p):
        """Const items are read-only, as a view and as a whole."""
        f = p.lookup("Fixed")()

        assert f.serial.readonly
        with pytest.raises(TypeError, match="const"):
            f.serial = array.array("i", [1, 2])

    def test_text(self, p):
        """char[8] is text of at most 7 bytes of UTF-8."""
        f = p.lookup("Fixed")(name="äöü")

        assert "äöü" == f.name
        f.name = "1234567"
        assert "1234567" == f.name
        f.name = ""
        assert "" == f.name
        for wrong, error in (("12345678", ValueError), ("äöüß", ValueError), ("a\0b", ValueError), (5, TypeError)):
            with pytest.raises(error, match="name"):
                f.name = wrong
        assert "" == f.name

    def test_text_from_plugin(self, p):
        """Text without a NUL ends with the array; what is not UTF-8 is an error that names the member."""
        f = p.lookup("Fixed")()

        p.lookup("full")(f)
        assert "x" * 8 == f.name
        p.lookup("spoil")(f)
        with pytest.raises(ValueError, match=r"name.*UTF-8"):
            _ = f.name

    def test_structs(self, p):
        """An array of structs is a buffer of them, in the struct's memory."""
        f = p.lookup("Fixed")()

        assert (2,) == f.pts.shape
        assert memoryview(p.lookup("Point")()).format == f.pts.format
        assert memoryview(p.lookup("Point")()).nbytes == f.pts.itemsize


class TestNested:
    """Structs within structs."""

    def test_view(self, p):
        """A nested struct is a view of its parent's memory, and keeps it alive."""
        line = p.lookup("Line")()
        line.to.y = 5.0
        end = line.to

        assert 5.0 == p.lookup("length")(line)
        p.lookup("grow")(end, 2)
        assert 10.0 == line.to.y
        del line
        assert 10.0 == end.y

    def test_copy(self, p):
        """A struct is copied in; another type is refused."""
        point = p.lookup("Point")(x=1, y=2)
        line = p.lookup("Line")(to=point)
        point.y = 9

        assert (1, 2.0) == (line.to.x, line.to.y)
        with pytest.raises(TypeError, match="Point"):
            line.to = line
        with pytest.raises(TypeError, match="Point"):
            line.to = (1, 2)
