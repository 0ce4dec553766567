"""What all measurements of one run use: the music, and the allocators with which PigWav is compared."""

import os
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Self

from bench.harness import CHANNELS, RATE_HZ, music
from factories import chunk, fmt_chunk, riff
from pigwav.allocator import SETTING, find_jemalloc

LOOP_S: Final = 600


@dataclass(frozen=True)
class Material:
    """`music`: a WAV of 44.1 kHz, 16 bits, stereo; None: synthetic. `allocators`: PigWav's environment for each."""

    music: Path | None
    allocators: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, music: Path | None) -> Self:
        """With the allocators of this machine. PIGWAV_JEMALLOC may name the library."""
        library = find_jemalloc(os.environ.get(SETTING, ""))
        return cls(
            music,
            {**({"jemalloc": {SETTING: library}} if library else {}), "plain": {SETTING: "off"}},
        )

    def wav(self, seconds: float, *, skipped_s: float = 0) -> bytes:
        """So much of the music, from `skipped_s` on, repeated if it is too short."""
        frame = 2 * CHANNELS
        begin, length = int(skipped_s * RATE_HZ) * frame, int(seconds * RATE_HZ) * frame
        pcm = _pcm(self.music)
        begin %= len(pcm)
        looped = pcm[begin:] + pcm * (length // len(pcm) + 1)
        return riff(fmt_chunk(rate=RATE_HZ, channels=CHANNELS) + chunk(b"data", looped[:length]))


@cache
def _pcm(path: Path | None) -> bytes:
    if path is None:
        return music(LOOP_S)[44:]
    with wave.open(str(path)) as wav:
        shape = (wav.getframerate(), wav.getnchannels(), wav.getsampwidth())
        if shape != (RATE_HZ, CHANNELS, 2):
            raise SystemExit(f"{path} must have 44.1 kHz, 16 bits and two channels")
        return wav.readframes(wav.getnframes())
