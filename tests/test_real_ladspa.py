"""The effects of the LADSPA SDK, by examples/ladspa: a standard's structs as its header has them."""

import importlib
import pathlib
import subprocess
import sys
import wave
import zlib

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parent.parent / "examples/ladspa"


def example(name: str):
    """A module of the example."""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return importlib.import_module(name)


@pytest.fixture(scope="module")
def library():
    """A function that gives the path of a library of effects; it skips the test if there is none."""

    def library(name: str) -> str:
        path = example("ladspa").find(name)
        if path is None:
            pytest.skip(f"no LADSPA effect {name} on this machine (Debian: ladspa-sdk)")
        return path

    return library


def effect_of(path: str, label: str):
    """The effect of that label."""
    return next(effect for effect in example("ladspa").effects(path) if effect.Label == label)


class TestDescriptor:
    """What the library tells of its effects."""

    def test_members(self, library):
        """Numbers, text, the ports' kinds, names and ranges are those of the SDK's low-pass."""
        effect = effect_of(library("filter.so"), "lpf")

        assert (1041, "Simple Low Pass Filter", 3) == (effect.UniqueID, effect.Name, effect.PortCount)
        assert [1 | 4, 1 | 8, 2 | 8] == effect.PortDescriptors.tolist()
        assert ("Cutoff Frequency (Hz)", "Input", "Output") == effect.PortNames
        ranges = np.asarray(effect.PortRangeHints)
        assert (0.0, 0.5) == (ranges["LowerBound"][0], ranges["UpperBound"][0])
        assert effect.run_adding is None
        assert effect.activate is not None

    def test_until_null(self, library):
        """The function gives a descriptor for each number, and None behind the last."""
        assert ["lpf", "hpf"] == [effect.Label for effect in example("ladspa").effects(library("filter.so"))]


class TestEffects:
    """What the effects do to a signal."""

    @pytest.mark.parametrize(
        ("file", "label"),
        [("filter.so", "lpf"), ("filter.so", "hpf"), ("amp.so", "amp_mono"), ("delay.so", "delay_5s")],
    )
    def test_definition(self, library, file, label):
        """The measured gain, response or delay is that of the effect's definition."""
        lines = example("checks").CHECKS[label](effect_of(library(file), label))

        assert lines
        assert [] == [line for line in lines if not line.holds]

    def test_check_can_fail(self, library):
        """The check of a low-pass does not take a high-pass for one."""
        checks = example("checks")
        lines = checks.CHECKS["lpf"](effect_of(library("filter.so"), "hpf"))

        assert [line for line in lines if not line.holds]

    def test_two_instances(self, library):
        """Instances have states and buffers of their own: run in turns, each gives what it gives alone."""
        effect = effect_of(library("filter.so"), "lpf")
        rate, cutoffs = 48000, (100.0, 5000.0)
        signal = np.random.default_rng(3).standard_normal(4096).astype(np.float32)
        alone = [example("ladspa").run(effect, signal, rate, cutoff=cutoff) for cutoff in cutoffs]
        outs = [np.zeros_like(signal) for _ in cutoffs]
        instances = [effect.instantiate(rate) for _ in cutoffs]
        for instance, cutoff in zip(instances, cutoffs, strict=True):
            effect.connect_port(instance, 0, np.array([cutoff], np.float32))
            effect.activate(instance)
        for start in range(0, 4096, 512):
            for instance, out in zip(instances, outs, strict=True):
                effect.connect_port(instance, 1, signal[start : start + 512])
                effect.connect_port(instance, 2, out[start : start + 512])
                effect.run(instance, 512)
        for instance in instances:
            effect.cleanup(instance)

        assert np.array_equal(alone, outs)

    def test_wrong_buffer(self, library):
        """A port wants writable floats: doubles, a stepped view and read-only memory are refused by name."""
        effect = effect_of(library("filter.so"), "lpf")
        instance = effect.instantiate(48000)
        frozen = np.zeros(8, np.float32)
        frozen.flags.writeable = False
        for data in (np.zeros(8), np.zeros(8, np.float32)[::2], frozen):
            with pytest.raises((TypeError, ValueError, BufferError), match="DataLocation"):
                effect.connect_port(instance, 1, data)
        effect.cleanup(instance)


class TestProgram:
    """The example as a program."""

    def test_files(self, library, tmp_path):
        """It ends well, and leaves WAVs that can be read and a picture with the curve in it."""
        command = [sys.executable, str(FOLDER / "effect.py"), library("filter.so"), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)

        assert 0 == done.returncode, done.stdout + done.stderr
        assert "DIFFERS" not in done.stdout
        loudness = {}
        for name in ("before", "after"):
            with wave.open(str(tmp_path / f"lpf-{name}.wav")) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            loudness[name] = float(np.sqrt(np.mean(samples.astype(float) ** 2)))
        assert 0.2 * loudness["before"] < loudness["after"] < 0.9 * loudness["before"]
        image = (tmp_path / "lpf.png").read_bytes()
        size = int.from_bytes(image[33:37], "big")
        assert b"\x89PNG" == image[:4]
        assert bytes((20, 90, 200)) in zlib.decompress(image[41 : 41 + size])

    def test_no_effect(self, tmp_path):
        """Where there is no effect it says how to get one, and its status is 2."""
        program = "import sys, effect, ladspa; ladspa.find = lambda name: None; sys.exit(effect.main())"
        done = subprocess.run([sys.executable, "-c", program], cwd=FOLDER, capture_output=True, text=True, check=False)

        assert 2 == done.returncode, done.stderr
        assert "ladspa-sdk" in done.stdout
