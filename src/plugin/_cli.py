"""The command `python -m plugin`: arguments in, text and an exit status out; the work is done elsewhere."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import plugin
from plugin import _build, _stamp
from plugin._version import __version__

if TYPE_CHECKING:
    from plugin._inspect import Inspection

_PROGRAM = "python -m plugin"
_DESCRIPTION = "Build native plugins, and see what is in them."
_BUILD = """\
Make a plugin: compile the sources, link them, and export what they declare and nothing else.
The environment variables CC, CXX, CPPFLAGS, CFLAGS, CXXFLAGS and LDFLAGS are heeded."""
_STAMP = """\
Put a digest of what will be loaded into a plugin, so that damage is found before it is loaded. strip may follow; tools
that change more, like patchelf, come before. The file is replaced as a whole."""
_INSPECT = "Show name, version and declarations of a plugin, or the symbols of any library, without running its code."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 if the work failed, 2 if the command was not understood.

    Args:
        arguments: the words after `python -m plugin`; those of the process if None.

    Raises:
        SystemExit: after --help, --version or words that are not understood, as argparse does.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough; the interpreter's last flush must not fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _run(given: list[str]) -> int:
    """Choose the verb."""
    if given[:1] == ["build"]:
        return _run_build(given[1:])
    if given[:1] == ["stamp"]:
        return _run_stamp(given[1:])
    if given[:1] == ["inspect"]:
        return _run_inspect(given[1:])
    parser = argparse.ArgumentParser(prog=_PROGRAM, description=_DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"plugin {__version__}")
    parser.add_argument("--cflags", action="store_true", help="print the compiler's option for plugin.h, and end")
    parser.add_argument("verb", nargs="?", choices=["build", "stamp", "inspect"], help="each has a --help of its own")
    options = parser.parse_args(given)
    if not options.cflags or options.verb is not None:
        parser.error("a verb is wanted first: build, stamp or inspect")
    print(f"-I{plugin.get_include()}")
    return 0


def _run_build(given: list[str]) -> int:
    """The verb `build`; what stands after `--` goes to the compiler."""
    end = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(
        prog=f"{_PROGRAM} build",
        usage="%(prog)s SOURCE... -o OUTPUT [-v] [--stamp] [-- FLAG...]",
        description=_BUILD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="C, C++, assembly, object or archive file")
    parser.add_argument("-o", dest="output", required=True, metavar="OUTPUT", help="the plugin to make")
    parser.add_argument("-v", dest="verbose", action="store_true", help="print each command that is run")
    parser.add_argument("--stamp", action="store_true", help="as the verb stamp does, before the plugin is in place")
    options, unknown = parser.parse_known_intermixed_args(given[:end])
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)} (flags for the compiler stand after --)")
    try:
        _build.build(
            options.sources, options.output, flags=given[end + 1 :], verbose=options.verbose, stamp=options.stamp
        )
    except _build.BuildError as error:
        print(f"plugin build: {error}", file=sys.stderr)
        return 1
    return 0


def _run_stamp(given: list[str]) -> int:
    """The verb `stamp`."""
    parser = argparse.ArgumentParser(prog=f"{_PROGRAM} stamp", description=_STAMP, allow_abbrev=False)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a plugin")
    failed = 0
    for path in parser.parse_args(given).files:
        try:
            _stamp.stamp(path)
        except OSError as error:
            words = str(error) if isinstance(error, plugin.PluginError) else f"{path}: {error.strerror}"
            print(f"plugin stamp: {words}", file=sys.stderr)
            failed = 1
    return failed


def _run_inspect(given: list[str]) -> int:
    """The verb `inspect`."""
    parser = argparse.ArgumentParser(prog=f"{_PROGRAM} inspect", description=_INSPECT, allow_abbrev=False)
    parser.add_argument("file", metavar="FILE", help="a plugin, or any shared library")
    path = parser.parse_args(given).file
    try:
        facts = plugin.inspect(path)
    except plugin.PluginError as error:
        print(f"plugin inspect: {error}", file=sys.stderr)
        return 1
    for line in _describe(facts):
        print(_printable(line))
    return 0


def _printable(text: str) -> str:
    """`text` on one line, fit for any terminal: what a file contains may be meant to mislead."""
    encoding = sys.stdout.encoding or "ascii"
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _describe(facts: "Inspection") -> Iterator[str]:
    """The lines that tell of a file: what it is, then what it declares or else exports."""
    abi = None if facts.abi is None else ".".join(map(str, facts.abi))
    heads = {
        "path": facts.path,
        "name": facts.name,
        "version": facts.version,
        "abi": abi,
        "build id": facts.build_id,
        "soname": facts.soname,
        "digest": facts.digest,
        "needs": ", ".join(facts.needed) or None,
    }
    for head, value in heads.items():
        yield f"{head + ':':<10}{'-' if value is None else value}"
    if facts.name is not None:
        for record in facts.records:
            text = " ".join(record.text.split())
            yield f"/* {record.name}: {text} */" if record.kind == "doc" else text.rstrip("; ") + ";"
        return
    yield "no manifest; exported symbols:"
    for symbol in sorted(facts.symbols, key=lambda symbol: symbol.name):
        size = f" ({symbol.size} bytes)" if symbol.kind in ("object", "tls") and symbol.size else ""
        yield f"{symbol.kind:<9} {symbol.name}{size}"
