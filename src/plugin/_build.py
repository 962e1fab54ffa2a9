"""The `build` verb: sources to a plugin that exports what it declares, and nothing else."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import plugin
from plugin import _compiler, _stamp
from plugin._compiler import BuildError

if TYPE_CHECKING:
    from plugin._inspect import Inspection

__all__ = ["BuildError", "build"]

_NO_HEADER = 'a plugin has one in one of its sources, as in PLUGIN("example.com/driver", "1.0.0");'
_MACOS = sys.platform == "darwin"


def build(
    sources: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    flags: Sequence[str] = (),
    verbose: bool = False,
    stamp: bool = False,
) -> None:
    """Make the plugin `output` of C, C++ and assembly sources, objects and archives.

    CC, CXX, CPPFLAGS, CFLAGS, CXXFLAGS and LDFLAGS are heeded. Only what the sources declare (PLUGIN_FUNC,
    PLUGIN_VAR, PLUGIN_INIT) is exported. The output appears whole or not at all, by a rename: a host that has the
    file of before open never sees a half-written one. The same sources give the same bytes, wherever they lie.

    Args:
        sources: their suffixes tell what they are: .c; .cc .cpp .cxx .c++ .C; .s .S; .o .a.
        output: path of the plugin, in a folder that exists.
        flags: for the compiler and the linker, after all others.
        verbose: print each command on the standard error.
        stamp: put a digest into the plugin, as the verb `stamp` does.

    Raises:
        BuildError: what is wrong with the sources, the compiler or the result. `output` is as it was.
    """
    inputs = [Path(source) for source in sources]
    target = Path(output)
    _check_paths(inputs, target)
    try:
        # Beside the output, so that the last step is a rename within one file system.
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
            _Steps(inputs, target, Path(folder), flags, verbose).run(stamp)
    except OSError as error:
        raise BuildError(f"{error.filename or target}: {error.strerror}") from error


def _check_paths(sources: list[Path], target: Path) -> None:
    """Refuse what a compiler would complain of in other words, or would overwrite."""
    known = _compiler.C_SUFFIXES | _compiler.CXX_SUFFIXES | _compiler.LINKER_SUFFIXES
    if not sources:
        raise BuildError("no sources")
    for source in sources:
        if source.suffix not in known:
            raise BuildError(f"{source} is no C, C++ or assembly source, object or archive; flags stand after --")
        if not source.exists():
            raise BuildError(f"{source} does not exist")
        if target.exists() and source.samefile(target):
            raise BuildError(f"{target} is the output and a source")
    if not target.parent.is_dir():
        raise BuildError(f"{target}: there is no folder {target.parent}")
    if target.is_dir():
        raise BuildError(f"{target} is a folder")


def _without_folder(flags: Sequence[str]) -> list[str]:
    """The option that keeps the current folder's name out of debug information, where there is any."""
    has_debug = any(flag.startswith("-g") and flag != "-g0" for flag in flags)
    return [f"-ffile-prefix-map={os.getcwd()}=."] if has_debug else []


class _Steps:
    """One build: its inputs and its temporary folder, one method a step."""

    def __init__(self, sources: list[Path], target: Path, folder: Path, flags: Sequence[str], verbose: bool) -> None:
        self.sources = sources
        self.target = target
        self.folder = folder
        self.verbose = verbose
        self.compile_flags, self.link_flags = _compiler.split_flags(flags)
        self.cxx = any(source.suffix in _compiler.CXX_SUFFIXES for source in sources)

    def run(self, stamp: bool) -> None:
        """Compile; link once to learn what is declared; link again, exporting that alone; put it in place."""
        objects = [self.compile(number, source) for number, source in enumerate(self.sources)]
        first = self.folder / "first.so"
        self.link(objects, first, [], quiet=True)
        facts = self.inspect(first)
        names = self.declared(facts)
        self.check_exports(names, facts)

        result = self.folder / self.target.name
        self.link(objects, result, [self.export_option(names)])
        self.check_exports(names, self.inspect(result))
        if stamp:
            self.put_digest(result)
        os.replace(result, self.target)

    def compile(self, number: int, source: Path) -> str:
        """The object made of `source`; `source` itself if there is nothing to compile."""
        if source.suffix in _compiler.LINKER_SUFFIXES:
            return str(source)
        variable, own = ("CXX", "CXXFLAGS") if source.suffix in _compiler.CXX_SUFFIXES else ("CC", "CFLAGS")
        result = str(self.folder / f"{number}-{source.stem}.o")
        flags = [*_compiler.words("CPPFLAGS"), *_compiler.words(own), *self.compile_flags]
        command = [
            *_compiler.find(variable),
            "-fPIC",
            "-O2",
            "-fvisibility=hidden",
            f"-I{plugin.get_include()}",
        ]
        command += [*_without_folder(flags), *flags, "-c", str(source), "-o", result]
        _compiler.run(command, verbose=self.verbose)
        return result

    def link(self, objects: list[str], result: Path, options: list[str], *, quiet: bool = False) -> None:
        """Link `objects` into `result`. What the compiler was told it is told again: LTO and sanitizers want that."""
        variable, own = ("CXX", "CXXFLAGS") if self.cxx else ("CC", "CFLAGS")
        flags = [*_compiler.words(own), *self.link_flags]
        command = [
            *_compiler.find(variable),
            "-shared",
            "-O2",
            *_without_folder(flags),
            *_compiler.words(own),
        ]
        if not _MACOS:
            # Symbolic: the plugin's own names are meant inside it, though the process has libc's `step` already.
            command += ["-Wl,-z,defs", "-Wl,--build-id", "-Wl,-Bsymbolic"]
        command += [*options, "-o", str(result), *objects, *_compiler.words("LDFLAGS"), *self.link_flags]
        _compiler.run(command, verbose=self.verbose, quiet=quiet)

    def inspect(self, path: Path) -> "Inspection":
        """What stands in `path`; complaints name the output instead of the temporary file."""
        try:
            return plugin.inspect(path)
        except plugin.PluginError as error:
            message = str(error).replace(os.path.realpath(path), str(self.target))
            raise BuildError(message.replace(str(path), str(self.target))) from error

    def put_digest(self, path: Path) -> None:
        """Stamp `path`; on systems without records there is nothing to put a digest into."""
        try:
            _stamp.stamp(path)
        except plugin.PluginError as error:
            raise BuildError(str(error).replace(str(path), str(self.target))) from error

    def declared(self, facts: "Inspection") -> list[str]:
        """The symbols that the records declare, sorted."""
        given = ", ".join(str(source) for source in self.sources)
        has = "has" if len(self.sources) == 1 else "have"
        if facts.name is None:
            raise BuildError(f"{given} {has} no PLUGIN(name, version): {_NO_HEADER}")
        if not any(record.kind in ("func", "var") for record in facts.records):
            raise BuildError(
                f"{given}: the plugin {facts.name} declares nothing: it {has} no PLUGIN_FUNC and no PLUGIN_VAR"
            )
        return sorted({record.name for record in facts.records if record.kind in ("func", "var", "init")})

    def check_exports(self, names: list[str], facts: "Inspection") -> None:
        """Refuse a result that lacks what it declares."""
        present = {symbol.name for symbol in facts.symbols}
        lacking = [name for name in names if name not in present]
        if lacking:
            raise BuildError(
                f"declared but not exported by {self.target.name}: {', '.join(lacking)} (never defined, or defined"
                " with hidden visibility in a file that does not see the declaration)"
            )

    def export_option(self, names: list[str]) -> str:
        """The linker's option that exports `names` and hides everything else."""
        script = self.folder / "exports"
        if _MACOS:
            script.write_text("".join(f"_{name}\n" for name in names), encoding="utf-8")
            return f"-Wl,-exported_symbols_list,{script}"
        listed = "".join(f' "{name}";' for name in names)
        script.write_text(f"{{ global:{listed} local: *; }};\n", encoding="utf-8")
        return f"-Wl,--version-script={script}"
