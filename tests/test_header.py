"""plugin.h: what each macro stores, exports and refuses, read back without the package."""

import ctypes
import pathlib

import pytest
import support
from support import DECLARE, DOC, ENUM, FUNC, HEADER, INIT, STRUCT, VAR, Note

EVERYTHING = (support.PLUGINS / "everything.c").read_text(encoding="utf-8")
ABI = 1 << 16

STORED = [
    Note(HEADER, ABI, support.CHAR_MIN, "example.com/everything", "1.2.3"),
    Note(DECLARE, 0, 0, "", "typedef float sample_t; typedef struct Context Context;"),
    Note(DECLARE, 0, 0, "", "enum { PORTS = 4, NAMES };"),
    Note(ENUM, 4, 4, "Level", "enum Level { LOW = 1, HIGH }"),
    Note(
        *(STRUCT, 24, 8, "Driver"),
        "struct Driver { const char *(*Name)(Driver *self); double (*Mean)(Driver *self, "
        "const double *x plugin_count(n), size_t n, plugin_error *error); "
        "plugin_destructor void (*Close)(Driver *self plugin_owned); }",
    ),
    Note(DOC, 0, 0, "add", 'Adds, "as one does": a + b; é @ 100%'),
    Note(FUNC, 0, 0, "add", "double add(double a, double b)"),
    Note(
        *(FUNC, 0, 0, "each"),
        "plugin_blocking plugin_threadsafe bool each"
        "(double (*visit)(double x, void *data) plugin_retained, void *data)",
    ),
    Note(
        *(FUNC, 0, 0, "split"),
        "void split(plugin_bytes const char *text, uint8_t *out plugin_count(*n), "
        "size_t *n plugin_inout, int *rest plugin_out, const char *separator plugin_nullable)",
    ),
    Note(FUNC, 0, 0, "copy", "plugin_free(release) char * copy(const char *text)"),
    Note(FUNC, 0, 0, "release", "plugin_destructor void release(char *text)"),
    Note(FUNC, 0, 0, "context", "plugin_owned Context *plugin_nullable context(void)"),
    Note(VAR, 4, 4, "verbosity", "int verbosity"),
    Note(VAR, 8, 8, "pi", "const double pi"),
    Note(VAR, 8, 8, "label", "plugin_bytes const char * label"),
    Note(VAR, 64, 4, "gains", "sample_t gains[16]"),
    Note(VAR, 16, 2, "grid", "short grid[2][PORTS]"),
    Note(INIT, 0, 0, "plugin_init", "void plugin_init(plugin_error *error)"),
]


def texts(path, kind):
    """The texts of the records of one kind."""
    return [note.text for note in support.notes(path) if note.kind == kind]


def exported(path):
    """The names that a library exports."""
    support.need("nm")
    return {line.split()[0] for line in support.run("nm", "-DP", "--defined-only", path).splitlines()}


class TestRecords:
    """What the macros store."""

    @pytest.mark.parametrize("suffix", [".c", ".cpp"])
    def test_everything(self, build, suffix):
        """Every macro stores its text as written, in C and in C++, with the compiler's size and alignment."""
        found = support.notes(build(EVERYTHING, suffix=suffix))

        assert sorted(STORED) == sorted(found)

    def test_readelf(self, build):
        """The records are readable by a person with readelf alone."""
        support.need("readelf")

        shown = support.run("readelf", "-p", ".note.plugin", build(EVERYTHING))

        assert "double add(double a, double b)" in shown

    def test_no_relocations(self, build):
        """Records need no relocation, so they cost nothing at load."""
        support.need("readelf")
        plain = build("int a;")
        functions = "".join(f"PLUGIN_FUNC(int, f{i}, (void)) {{ return {i}; }}\n" for i in range(100))
        library = build("#include <plugin.h>\n" + functions)

        def relocations(path):
            return support.run("readelf", "-rW", path).count("R_")

        assert relocations(plain) == relocations(library)
        assert 100 == len(support.notes(library))

    @pytest.mark.parametrize(("flag", "lowest"), [("-fsigned-char", -128), ("-funsigned-char", 0)])
    def test_char(self, build, flag, lowest):
        """The header record tells the signedness of char."""
        library = build('#include <plugin.h>\nPLUGIN("a", "1");', flag)

        assert [Note(HEADER, ABI, lowest, "a", "1")] == support.notes(library)

    def test_strange_names(self, build):
        """Quotes, escapes, commas, '@', '%' and UTF-8 in a plugin's name and version survive."""
        source = '#include <plugin.h>\nPLUGIN("a,\\"b\\"\\\\@%d{é}\\t" "joined", "1,(0");'

        (header,) = support.notes(build(source))

        assert ('a,"b"\\@%d{é}\tjoined', "1,(0") == (header.name, header.text)

    def test_long_struct(self, build):
        """Text beyond the 4,095 characters that C promises compiles without a warning."""
        members = "".join(f"double member_number_{i};\n" for i in range(300))
        source = f"#include <plugin.h>\nPLUGIN_STRUCT(Long, {{ {members} }});"

        (note,) = support.notes(build(source, "-pedantic", "-Wall", "-Wextra", "-Werror"))

        assert 4095 < len(note.text)
        assert 2400 == note.size

    def test_expanded_words(self, build):
        """A macro around PLUGIN_FUNC expands words before they are stored, and an attribute tells of it."""
        wrapped = "#define EXPORT(result, ...) PLUGIN_FUNC(result, __VA_ARGS__)\n"
        source = "EXPORT(plugin_owned char *, f, (int *n plugin_count(2)));"

        found = texts(build(f"#include <plugin.h>\n{wrapped}{source}"), FUNC)

        assert ["__attribute__(()) char * f(int *n __attribute__(()))"] == found

    def test_bool_unexpanded(self, build):
        """Standard macros such as bool are stored by the name that was written."""
        source = "#include <plugin.h>\nPLUGIN_FUNC(bool, f, (bool x)) { return x; } PLUGIN_VAR(bool, v);"

        found = {note.text for note in support.notes(build(source, "-std=c11"))}

        assert {"bool f(bool x)", "bool v"} == found

    def test_array_length_expanded(self, build):
        """A macro as the length of a variable is stored as its value."""
        source = "#include <plugin.h>\n#define SIZE 16\nPLUGIN_VAR(int, v, [SIZE]);"

        assert ["int v[16]"] == texts(build(source), VAR)

    def test_init_with_host(self, build):
        """PLUGIN_INIT takes a struct of services before the error."""
        source = """#include <plugin.h>
            PLUGIN_STRUCT(Host, { void (*log)(const char *text); });
            PLUGIN_INIT(const Host *host, plugin_error *error) { (void)host; (void)error; }"""

        assert ["void plugin_init(const Host *host, plugin_error *error)"] == texts(build(source), INIT)

    def test_left_out(self, build):
        """PLUGIN_NO_RECORDS leaves the records out and everything else as it is."""
        library = build(EVERYTHING, "-DPLUGIN_NO_RECORDS", "-pedantic", "-Wall", "-Wextra", "-Werror")

        assert [] == support.notes(library)
        assert {"add", "pi", "plugin_init"} <= exported(library)


class TestSymbols:
    """What the macros export, and what they make the linker do."""

    @pytest.mark.parametrize("suffix", [".c", ".cpp"])
    def test_exports(self, build, suffix):
        """Functions and variables, const ones too, are exported under their plain names, and nothing else is."""
        expected = {note.name for note in STORED if note.kind in (FUNC, VAR, INIT)}

        assert expected == exported(build(EVERYTHING, suffix=suffix))

    def test_namespace(self, build):
        """Inside a C++ namespace too the symbol has its plain name."""
        source = """#include <plugin.h>
            namespace deep { PLUGIN_FUNC(int, f, (void)) { return 1; } PLUGIN_VAR(const int, v) = 2; }"""

        assert {"f", "v"} == exported(build(source, suffix=".cpp"))

    @pytest.mark.parametrize("name", ["header", "struct_S", "plugin", "record", "text", "kind", "owner"])
    def test_name_clashes(self, build, name):
        """A function may have a name that the header might have used itself."""
        source = f"""#include <plugin.h>
            PLUGIN("a", "1");
            PLUGIN_STRUCT(S, {{ int {name}; }});
            PLUGIN_FUNC(int, {name}, (int result, int name)) {{ return result + name; }}
            PLUGIN_FUNC(int, {name}, (int result, int name));
            PLUGIN_DOC({name}, "text");"""

        assert {name} == exported(build(source))

    def test_second_plugin(self, build, tmp_path):
        """A second PLUGIN in another file fails to link, and the linker's words say why."""
        other = tmp_path / "other.c"
        other.write_text('#include <plugin.h>\nPLUGIN("b", "1");')

        with pytest.raises(AssertionError, match="PLUGIN_stands_in_more_than_one_file"):
            build('#include <plugin.h>\nPLUGIN("a", "1");', other)

    def test_declared_missing(self, build):
        """A function that is declared and stands nowhere is an undefined symbol, so that tools can name it."""
        support.need("nm")
        library = build("#include <plugin.h>\nPLUGIN_FUNC(int, absent, (void));")

        assert "absent U" in support.run("nm", "-DP", "--undefined-only", library)


class TestFail:
    """plugin_error and plugin_fail."""

    class Error(ctypes.Structure):
        """plugin_error, as the host sees it."""

        _fields_ = (("code", ctypes.c_int32), ("message", ctypes.c_char * 508))

    @pytest.fixture
    def fail(self, build):
        """plugin_fail with "%s" as its format."""
        source = """#include <plugin.h>
            PLUGIN_FUNC(size_t, fail, (plugin_error *error, int32_t code, const char *text))
            { plugin_fail(error, code, "%s", text); return sizeof *error; }"""
        return ctypes.CDLL(build(source)).fail

    def test_fills_in(self, fail):
        """The code and the formatted text stand in an error of 512 bytes."""
        error = self.Error()

        assert 512 == fail(ctypes.byref(error), 7, b"no values")
        assert (7, b"no values") == (error.code, error.message)

    def test_first_kept(self, fail):
        """A second failure does not hide the first."""
        error = self.Error()
        fail(ctypes.byref(error), 7, b"first")
        fail(ctypes.byref(error), 8, b"second")

        assert (7, b"first") == (error.code, error.message)

    def test_null(self, fail):
        """Without an error to fill in nothing happens."""
        assert 512 == fail(None, 7, b"nobody listens")

    def test_zero(self, fail):
        """A failure whose code is 0 is still a failure."""
        error = self.Error()
        fail(ctypes.byref(error), 0, b"errno was lost")

        assert (1, b"errno was lost") == (error.code, error.message)

    @pytest.mark.parametrize("character", ["x", "é", "€", "😀"])
    @pytest.mark.parametrize("before", range(500, 509))
    def test_cut(self, fail, before, character):
        """What does not fit is cut to at most 507 bytes, and never inside a character."""
        error = self.Error()
        text = "-" * before + character * 3
        fail(ctypes.byref(error), 1, text.encode())
        kept = error.message.decode()

        assert text.startswith(kept)
        assert 507 - len(character.encode()) < len(kept.encode()) <= 507 or kept == text

    def test_format_checked(self, build):
        """The compiler checks the arguments against the format."""
        source = '#include <plugin.h>\nPLUGIN_INIT(plugin_error *error) { plugin_fail(error, 1, "%s", 5); }'

        with pytest.raises(AssertionError, match="format"):
            build(source, "-Werror=format")


def test_alone(tmp_path: pathlib.Path):
    """The header knows nothing of Python, and its guard is not everybody's PLUGIN_H."""
    text = (pathlib.Path(support.include_directory()) / "plugin.h").read_text(encoding="utf-8")

    assert "Python.h" not in text
    assert "PLUGIN_H\n" not in text
    assert "MIT-0" in text.split("*/")[0]
