"""A small LADSPA host: the effects of a library, and one of them run over a signal."""

import itertools
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import plugin

Signal = NDArray[np.float32]

# From the standard's header.
PORT_INPUT, PORT_AUDIO = 1, 8
BLOCK = 1024  # samples a call of run()

HOW_TO_GET_ONE = """There is no LADSPA effect on this machine. On Debian or Ubuntu, as root:
    apt-get install ladspa-sdk
or without root, into the current folder:
    apt-get download ladspa-sdk && dpkg -x ladspa-sdk_*.deb sdk
    python effect.py sdk/usr/lib/ladspa/filter.so"""


def find(name: str) -> str | None:
    """The path of an effects' library, from LADSPA_PATH or the usual folders; None if there is none."""
    folders = os.environ.get("LADSPA_PATH", "").split(os.pathsep)
    folders += ["/usr/local/lib/ladspa", "/usr/lib/ladspa", "/usr/lib64/ladspa"]
    folders += [str(path) for path in pathlib.Path("/usr/lib").glob("*-linux-gnu/ladspa")]
    files = [pathlib.Path(folder, name) for folder in folders if folder]
    return next((str(file) for file in files if file.is_file()), None)


def effects(path: str) -> Iterator[Any]:
    """Every effect of the library, as its LADSPA_Descriptor."""
    header = pathlib.Path(__file__).with_name("ladspa.h").read_text(encoding="utf-8")
    describe = plugin.open(path, declare=header).lookup("ladspa_descriptor")
    return itertools.takewhile(lambda effect: effect is not None, map(describe, itertools.count()))


def run(effect: Any, signal: Signal, rate: int, **controls: float) -> Signal:
    """What the effect makes of a signal.

    Args:
        effect: a descriptor of an effect with one audio input and one output.
        signal: samples, read where they are.
        rate: samples a second.
        controls: values of control ports, by the first word of the port's name in lower case. The others are 0.

    Returns:
        As many samples.
    """
    out = np.empty_like(signal)
    instance = effect.instantiate(rate)
    try:
        audio = {}
        for port, (kind, name) in enumerate(zip(effect.PortDescriptors, effect.PortNames, strict=True)):
            if kind & PORT_AUDIO:
                audio[port] = signal if kind & PORT_INPUT else out
            else:  # kept by the effect, hence by plugin: there is no other reference to this array
                value = controls.get(name.split()[0].lower(), 0.0)
                effect.connect_port(instance, port, np.array([value], np.float32))
        if effect.activate is not None:
            effect.activate(instance)
        for start in range(0, len(signal), BLOCK):
            for port, samples in audio.items():
                effect.connect_port(instance, port, samples[start : start + BLOCK])
            effect.run(instance, len(signal[start : start + BLOCK]))
        if effect.deactivate is not None:
            effect.deactivate(instance)
    finally:
        effect.cleanup(instance)
    return out
