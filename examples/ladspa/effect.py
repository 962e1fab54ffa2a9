"""Run real LADSPA effects over a NumPy signal: hear, see and check what they do.

Usage: python effect.py [LIBRARY.so] [FOLDER]

LIBRARY.so is filter.so, amp.so or delay.so of the LADSPA SDK; without it, filter.so is looked for. For each effect in
it whose definition checks.py knows, LABEL-before.wav, LABEL-after.wav and LABEL.png are written into FOLDER (`.`), and
what was measured is printed beside what is defined. The status is 1 if one differs, 2 if there is no effect.
"""

import pathlib
import sys
import wave
from typing import Any

import checks
import ladspa
import numpy as np
import picture
from ladspa import Signal

SECONDS, LOWEST, HIGHEST = 3.0, 20.0, 20000.0  # of a sweep, in Hz
CONTROLS = {"cutoff": checks.CUTOFF, "gain": checks.GAIN, "delay": checks.DELAY, "dry/wet": checks.BALANCE}
DEFINITIONS = {"lpf": checks.lowpass, "hpf": checks.highpass, "amp_mono": lambda f: np.full_like(f, checks.GAIN)}


def sweep() -> Signal:
    """A tone that rises through all frequencies, each octave in the same time."""
    time = np.arange(int(SECONDS * checks.RATE)) / checks.RATE
    growth = np.log(HIGHEST / LOWEST) / SECONDS
    return (0.8 * np.sin(2 * np.pi * LOWEST / growth * np.expm1(growth * time))).astype(np.float32)


def save_wave(path: pathlib.Path, signal: Signal) -> None:
    """Write a mono WAV of 16 bits; what is beyond full scale is clipped."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(checks.RATE)
        file.writeframes(np.rint(np.clip(signal, -1, 1) * 32767).astype("<i2").tobytes())


def draw(path: pathlib.Path, effect: Any, before: Signal, after: Signal) -> None:
    """Above the response, measured (blue) and defined (red); below the sweep, before (grey) and after (blue)."""
    pixels = picture.canvas(900, 620)
    top = picture.Panel(pixels[:360], (np.log10(LOWEST), np.log10(HIGHEST)), (-40, 6))
    for frequency, text in ((100, "100Hz"), (1000, "1kHz"), (10000, "10kHz")):
        top.upright(np.log10(frequency), text)
    for level in range(-36, 6, 6):
        top.level(level, f"{level}dB")
    frequencies = np.geomspace(LOWEST, HIGHEST, 4000)
    measured = checks.measure(effect, **CONTROLS)
    response = np.interp(frequencies, np.arange(len(measured)), measured)
    top.line(np.log10(frequencies), response, picture.BLUE, width=7)
    if effect.Label in DEFINITIONS:
        top.line(np.log10(frequencies), checks.decibel(DEFINITIONS[effect.Label](frequencies)), picture.RED)
    below = picture.Panel(pixels[370:], (0, SECONDS), (-1, 1))
    time = np.arange(len(before)) / checks.RATE
    below.line(time, before.astype(np.float64), picture.GREY)
    below.line(time, after.astype(np.float64), picture.BLUE)
    for second in range(1, int(SECONDS)):
        below.upright(second, f"{second}s")
    picture.save(path, pixels)


def show(effect: Any, folder: pathlib.Path) -> bool:
    """Write the files of one effect and print its table.  Returns whether it does what it should."""
    print(f"{effect.Name} ({effect.Label}), by {effect.Maker}; ports: {', '.join(effect.PortNames)}")
    before = sweep()
    after = ladspa.run(effect, before, checks.RATE, **CONTROLS)
    save_wave(folder / f"{effect.Label}-before.wav", before)
    save_wave(folder / f"{effect.Label}-after.wav", after)
    draw(folder / f"{effect.Label}.png", effect, before, after)
    lines = checks.CHECKS[effect.Label](effect)
    for line in lines:
        verdict = "" if line.holds else "  DIFFERS"
        print(f"    {line.what:36}{line.measured:9.4f}, defined {line.defined:9.4f}{verdict}")
    return all(line.holds for line in lines)


def main(library: str | None = None, folder: str = ".") -> int:
    library = library or ladspa.find("filter.so")
    if library is None:
        print(ladspa.HOW_TO_GET_ONE)
        return 2
    known = [effect for effect in ladspa.effects(library) if effect.Label in checks.CHECKS]
    if not known:
        print(f"{library} has no effect whose definition is known here")
        return 2
    good = [show(effect, pathlib.Path(folder)) for effect in known]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
