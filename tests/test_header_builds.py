"""plugin.h under the compilers, linkers and tools that plugins meet: every record is found each time."""

import importlib.util
import pathlib
import sys

import pytest
import support
from support import DECLARE, FUNC, HEADER, VAR
from test_header import EVERYTHING, STORED, texts

WARNINGS = ["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wundef", "-Werror"]
C_WARNINGS = [*WARNINGS, "-Wmissing-prototypes"]
CXX_WARNINGS = [*WARNINGS, "-Wmissing-declarations", "-Wextra-semi", "-Wold-style-cast"]


class TestDialects:
    """Nothing is warned of, in any dialect."""

    @pytest.mark.parametrize("standard", ["c11", "c17", "gnu11", "c2x"])
    @pytest.mark.parametrize("compiler", ["gcc", "clang", "clang-22"])
    def test_c(self, build, compiler, standard):
        """C compiles without a warning, and all records are there."""
        support.need(compiler)
        library = build(EVERYTHING, f"-std={standard}", *C_WARNINGS, compiler=compiler)

        assert sorted(STORED) == sorted(support.notes(library))

    @pytest.mark.parametrize("standard", ["c++11", "c++17", "c++20", "c++2b"])
    @pytest.mark.parametrize("compiler", ["g++", "clang++", "clang++-22"])
    def test_cxx(self, build, compiler, standard):
        """C++ compiles without a warning, and all records are there."""
        support.need(compiler)
        library = build(EVERYTHING, f"-std={standard}", *CXX_WARNINGS, compiler=compiler, suffix=".cpp")

        assert sorted(STORED) == sorted(support.notes(library))

    @pytest.mark.parametrize("end", ["", ";"])
    @pytest.mark.parametrize("compiler", ["gcc", "clang", "clang-22"])
    def test_declare_end(self, build, compiler, end):
        """PLUGIN_DECLARE is as quiet with a semicolon behind it as without one."""
        support.need(compiler)
        declarations = f"PLUGIN_DECLARE(typedef float a;){end}\nPLUGIN_DECLARE(typedef a b;){end}\n"
        source = f"#include <plugin.h>\n{declarations}extern b c;\n"
        library = build(source, "-std=c11", *WARNINGS, compiler=compiler)

        assert ["typedef a b;", "typedef float a;"] == sorted(texts(library, DECLARE))

    @pytest.mark.parametrize("compiler", ["gcc", "clang"])
    def test_without_records(self, build, compiler):
        """The form for systems without records compiles without a warning too."""
        support.need(compiler)
        library = build(EVERYTHING, "-DPLUGIN_NO_RECORDS", "-std=c11", *C_WARNINGS, compiler=compiler)

        assert [] == support.notes(library)

    @pytest.mark.parametrize("suffix", [".c", ".cpp"])
    def test_unused(self, build, suffix):
        """A file that includes the header and uses nothing of it compiles without a warning."""
        build("#include <plugin.h>\nextern int a;", *WARNINGS, suffix=suffix)

    def test_too_old(self, build):
        """A dialect before C11 is refused by name."""
        with pytest.raises(AssertionError, match="needs C11"):
            build(EVERYTHING, "-std=gnu99")


class TestBuilds:
    """Every record is found, however the library was made."""

    @pytest.mark.parametrize("suffix", [".c", ".cpp"])
    @pytest.mark.parametrize(
        ("compiler", "flags"),
        [
            ("gcc", "-O0 -g"),
            ("gcc", "-O2"),
            ("gcc", "-O3 -march=native"),
            ("gcc", "-O2 -flto"),
            ("gcc", "-O2 -ffunction-sections -fdata-sections -Wl,--gc-sections"),
            ("gcc", "-O2 -flto -ffunction-sections -fdata-sections -Wl,--gc-sections"),
            ("gcc", "-fuse-ld=gold -ffunction-sections -fdata-sections -Wl,--gc-sections,--icf=all"),
            ("gcc", "-fuse-ld=lld -ffunction-sections -fdata-sections -Wl,--gc-sections,--icf=all"),
            ("gcc", "-fsanitize=address,undefined"),
            ("clang", "-O0 -g"),
            ("clang", "-O2 -ffunction-sections -fdata-sections -Wl,--gc-sections"),
            ("clang", "-O2 -fuse-ld=lld -flto -Wl,--gc-sections"),
            ("clang", "-O2 -fuse-ld=lld -flto=thin -Wl,--gc-sections"),
            ("clang", "-fsanitize=address,undefined"),
        ],
    )
    def test_flags(self, build, compiler, flags, suffix):
        """Optimisation, LTO, section collection, other linkers and sanitizers keep all records, with no hole."""
        words = flags.split()
        command = {"gcc": "g++", "clang": "clang++"}[compiler] if suffix == ".cpp" else compiler
        support.need(command, *(f"ld.{word[9:]}" for word in words if word.startswith("-fuse-ld=")))
        library = build(EVERYTHING, *words, compiler=command, suffix=suffix)

        assert sorted(STORED) == sorted(support.notes(library))

    @pytest.mark.parametrize("strip", ["strip", "llvm-strip"])
    def test_strip(self, build, strip):
        """Stripping everything that can be stripped leaves the records."""
        support.need(strip)
        library = build(EVERYTHING)
        support.run(strip, "-s", library)

        assert sorted(STORED) == sorted(support.notes(library))

    def test_two_sources(self, build, tmp_path):
        """Records of all files of a plugin are found, without a table in the middle."""
        other = tmp_path / "other.c"
        other.write_text("#include <plugin.h>\nPLUGIN_FUNC(int, other, (void)) { return 1; }")
        library = build(EVERYTHING, other)

        assert sorted([*STORED, support.Note(FUNC, 0, 0, "other", "int other(void)")]) == sorted(support.notes(library))

    @pytest.mark.parametrize(
        ("compiler", "flags"),
        [
            ("gcc", ""),
            ("gcc", "-flto"),
            ("gcc", "-Wl,--gc-sections"),
            ("gcc", "-fuse-ld=gold"),
            ("gcc", "-fuse-ld=lld"),
            ("clang", "-flto -fuse-ld=lld"),
        ],
    )
    def test_archive(self, build, tmp_path, compiler, flags):
        """A declaration alone fetches its definition out of an archive, and the records that stand beside it."""
        support.need("ar", compiler, *(f"ld.{word[9:]}" for word in flags.split() if word.startswith("-fuse-ld=")))
        (tmp_path / "a.c").write_text(
            "#include <plugin.h>\nPLUGIN_FUNC(int, f, (void)) { return 1; } PLUGIN_VAR(int, v) = 2;"
        )
        include = ("-I", support.include_directory())
        support.run(compiler, "-fPIC", "-c", *include, tmp_path / "a.c", "-o", tmp_path / "a.o")
        support.run("ar", "rc", tmp_path / "liba.a", tmp_path / "a.o")
        library = build(
            "#include <plugin.h>\nPLUGIN_FUNC(int, f, (void));", tmp_path / "liba.a", *flags.split(), compiler=compiler
        )

        assert {"int f(void)", "int v"} == set(texts(library, FUNC) + texts(library, VAR))
        assert "f T" in support.run("nm", "-DP", library)


class TestTwice:
    """Declaring and defining one thing in one file."""

    @pytest.mark.parametrize("suffix", [".c", ".cpp"])
    def test_function(self, build, suffix):
        """A function may be declared, twice, and then defined; its records are equal."""
        declaration = "PLUGIN_FUNC(int, f, (int a, int b));\n"
        source = f"#include <plugin.h>\n{declaration * 2}PLUGIN_FUNC(int, f, (int a, int b)) {{ return a + b; }}"
        library = build(source, *WARNINGS, suffix=suffix)

        assert ["int f(int a, int b)"] * 3 == texts(library, FUNC)

    def test_header_of_its_own(self, build, tmp_path):
        """A header without a guard, included twice, repeats records of functions and does no harm."""
        (tmp_path / "mine.h").write_text("PLUGIN_FUNC(int, f, (void));\n")
        source = '#include <plugin.h>\n#include "mine.h"\n#include "mine.h"\nPLUGIN_FUNC(int, f, (void)) { return 1; }'

        assert ["int f(void)"] * 3 == texts(build(source, *WARNINGS), FUNC)

    def test_variable(self, build):
        """In C a variable may stand without its value first."""
        source = "#include <plugin.h>\nPLUGIN_VAR(int, v);\nPLUGIN_VAR(int, v) = 7;"

        assert ["int v"] * 2 == texts(build(source, *WARNINGS), VAR)

    def test_contradiction(self, build):
        """Two different prototypes of one function in one file do not compile."""
        with pytest.raises(AssertionError, match="conflicting types"):
            build(
                "#include <plugin.h>\nPLUGIN_FUNC(int, f, (int a));\nPLUGIN_FUNC(int, f, (long a)) { return a != 0; }"
            )


class TestTools:
    """What else reads a plugin's source."""

    @pytest.mark.parametrize("style", ["LLVM", "Google", "GNU", "Mozilla", "WebKit", "Microsoft", "Chromium"])
    def test_clang_format(self, build, style):
        """Reformatted source still compiles, and its records differ in spaces only."""
        support.need("clang-format")
        text = support.run("clang-format", f"-style={style}", support.PLUGINS / "everything.c")

        def packed(notes):
            return sorted(note._replace(text=note.text.replace(" ", "")) for note in notes)

        assert packed(STORED) == packed(support.notes(build(text, *C_WARNINGS)))

    def test_clang_tidy(self):
        """clang-tidy with its bug-finding checks has nothing to say where the macros are used."""
        support.need("clang-tidy")
        include = ("-I", support.include_directory())
        checks = "-checks=clang-analyzer-*,bugprone-*,cert-*,misc-*,performance-*,portability-*"
        source = support.PLUGINS / "everything.c"

        said = support.run("clang-tidy", "-quiet", "-warnings-as-errors=*", checks, source, "--", *include)

        assert "" == said.strip()

    @pytest.mark.parametrize("target", ["aarch64-macos", "x86_64-macos", "x86_64-windows-gnu"])
    def test_other_systems(self, tmp_path, target):
        """Where records are impossible the header still compiles."""
        if importlib.util.find_spec("ziglang") is None:
            pytest.skip("ziglang is not installed")
        (tmp_path / "everything.c").write_text(EVERYTHING, encoding="utf-8")
        compiler = (sys.executable, "-m", "ziglang", "cc", "-target", target)
        include = ("-I", support.include_directory())
        result = tmp_path / "everything.o"
        support.run(*compiler, "-c", *include, *WARNINGS, tmp_path / "everything.c", "-o", result)

        assert b"example.com/everything" not in result.read_bytes()

    @pytest.mark.slow
    def test_aarch64(self, tmp_path: pathlib.Path):
        """On aarch64 the records are the same, but that char is unsigned there."""
        if importlib.util.find_spec("ziglang") is None:
            pytest.skip("ziglang is not installed")
        (tmp_path / "everything.c").write_text(EVERYTHING, encoding="utf-8")
        compiler = (sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-gnu")
        include = ("-I", support.include_directory())
        result = tmp_path / "everything.so"
        support.run(*compiler, "-shared", "-fPIC", *include, tmp_path / "everything.c", "-o", result)

        assert sorted([STORED[0]._replace(align=0), *STORED[1:]]) == sorted(support.notes(result))


class TestManifestPage:
    """What docs/manifest.md shows is what happens."""

    ADDER = (
        support.Note(HEADER, 1 << 16, support.CHAR_MIN, "example.com/adder", "1.0.0"),
        support.Note(FUNC, 0, 0, "add", "double add(double a, double b)"),
    )

    @staticmethod
    def block(language):
        """The page's block of code in that language."""
        page = support.TESTS.parent / "docs" / "manifest.md"
        if not page.exists():
            pytest.skip("docs are not here")
        return page.read_text(encoding="utf-8").split(f"```{language}\n")[1].split("```")[0]

    def test_hexdump(self, build):
        """The bytes of the page are those of the compiled record."""
        words = [word for line in self.block("hexdump").splitlines() for word in line.split()[:4]]
        library = build("#include <plugin.h>\nPLUGIN_FUNC(double, add, (double a, double b)) { return a + b; }")

        assert bytes.fromhex("".join(words)) in pathlib.Path(library).read_bytes()

    def test_digest(self, build):
        """So are those of the room for the digest."""
        words = [word for line in self.block("digest").splitlines() for word in line.split()[:4]]
        library = build('#include <plugin.h>\nPLUGIN("a", "1");')

        assert bytes.fromhex("".join(words))[:30] in pathlib.Path(library).read_bytes()

    def test_rust(self, tmp_path):
        """The Rust of the page makes a plugin with these records."""
        support.need("rustc")
        (tmp_path / "adder.rs").write_text(self.block("rust"))
        result = tmp_path / "adder.so"
        support.run("rustc", "--edition", "2024", "--crate-type", "cdylib", tmp_path / "adder.rs", "-o", result)

        assert sorted(self.ADDER) == sorted(support.notes(result))

    def test_zig(self, tmp_path):
        """The Zig of the page makes a plugin with these records."""
        if importlib.util.find_spec("ziglang") is None:
            pytest.skip("ziglang is not installed")
        (tmp_path / "adder.zig").write_text(self.block("zig"))
        result = tmp_path / "adder.so"
        options = ("-dynamic", "-OReleaseSmall", tmp_path / "adder.zig", f"-femit-bin={result}")
        support.run(sys.executable, "-m", "ziglang", "build-lib", *options)

        assert sorted(self.ADDER) == sorted(support.notes(result))
