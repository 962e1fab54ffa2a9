"""The documents: what they tell the reader to type gives what they show.

A block that follows `<!-- file: NAME -->` is written to that file; one that follows `<!-- run -->` is a session whose
commands are run in the same folder, in order.
"""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import plugin

ROOT = pathlib.Path(__file__).parent.parent
DOCUMENTS = ["README.md", "docs/hosts.md", "docs/plugins.md"]
BLOCK = re.compile(r"^<!-- (?:file: (?P<file>\S+)|run) -->\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def session(text: str) -> list[tuple[str, str]]:
    """The commands of a session, each with the output that is shown below it."""
    parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def run(command: str, folder: pathlib.Path) -> str:
    """What the command prints, errors too."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        encoding="utf-8",
    )
    return done.stdout


class TestDocuments:
    """README.md and its like."""

    @pytest.mark.parametrize("name", DOCUMENTS)
    def test_sessions(self, tmp_path, name):
        """Each marked file and session of the document works as it stands there."""
        blocks = list(BLOCK.finditer((ROOT / name).read_text(encoding="utf-8")))
        commands = 0
        for block in blocks:
            if block["file"]:
                (tmp_path / block["file"]).write_text(block["text"], encoding="utf-8")
                continue
            for command, output in session(block["text"]):
                assert output == run(command, tmp_path), command
                commands += 1
        assert commands > 0

    @pytest.mark.parametrize("name", DOCUMENTS)
    def test_links(self, name):
        """Each relative link leads to a file."""
        document = ROOT / name
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), target

    def test_public_names(self):
        """docs/hosts.md tells of every public name."""
        text = (ROOT / "docs/hosts.md").read_text(encoding="utf-8")
        assert [] == [name for name in plugin.__all__ if name not in text]
