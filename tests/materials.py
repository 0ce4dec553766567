"""PCM that is hard for an encoder in different ways, as 16-bit samples; deterministic."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]
"""Full scale is 1; by time, by channel."""


def material(kind: str, *, samples: int, rate_hz: int, channels: int, seed: int = 1) -> bytes:
    signal = MATERIALS[kind](np.random.default_rng(seed), samples, rate_hz, channels)
    return (np.clip(signal, -1, 1) * 32_767).astype("<i2").tobytes()


def _times(samples: int, rate_hz: int) -> Signal:
    return np.arange(samples)[:, None] / rate_hz


def _music(random: np.random.Generator, samples: int, rate_hz: int, channels: int) -> Signal:
    """Gliding tones and strokes, which switch the encoder's windows."""
    t = _times(samples, rate_hz)
    made = random.normal(0, 0.003, (samples, channels))
    for loudness in (0.2, 0.12, 0.08, 0.05):
        hz, wobble_hz = random.uniform(60, rate_hz / 5, channels), random.uniform(0.1, 3, channels)
        made += loudness * np.sin(2 * np.pi * hz * t + 4 * np.sin(wobble_hz * t))
    strokes = np.exp(-((t + random.random(channels)) % 0.37) * 40)
    return made + 0.4 * strokes * random.normal(0, 1, (samples, channels))


def _speech(random: np.random.Generator, samples: int, rate_hz: int, channels: int) -> Signal:
    """Syllables of voice with pauses in between, the same in all channels."""
    t = _times(samples, rate_hz)
    phase = 2 * np.pi * np.cumsum(110 + 30 * np.sin(2 * t), axis=0) / rate_hz
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * t) + 0.4 * np.sin(2 * np.pi * 0.41 * t), 0, 1)
    hiss = random.normal(0, 0.1, (samples, 1)) * np.clip(np.sin(2 * np.pi * 2.3 * t) - 0.6, 0, 1)
    return np.repeat(0.3 * voice * syllables + hiss, channels, axis=1)


def _silence(_: np.random.Generator, samples: int, __: int, channels: int) -> Signal:
    return np.zeros((samples, channels))


def _noise(random: np.random.Generator, samples: int, _: int, channels: int) -> Signal:
    return random.uniform(-1, 1, (samples, channels))


def _squares(_: np.random.Generator, samples: int, rate_hz: int, channels: int) -> Signal:
    return 2.0 * np.sign(np.sin(2 * np.pi * np.array([97, 411][:channels]) * _times(samples, rate_hz)))


def _clicks(random: np.random.Generator, samples: int, _: int, channels: int) -> Signal:
    made = np.zeros((samples, channels))
    made[random.integers(0, samples, samples // 3_000 + 1)] = 1
    return made


def _dead_channel(random: np.random.Generator, samples: int, rate_hz: int, channels: int) -> Signal:
    made = _music(random, samples, rate_hz, channels)
    made[:, -1] = 0
    return made


MATERIALS: Final[dict[str, Callable[[np.random.Generator, int, int, int], Signal]]] = {
    "music": _music,
    "speech": _speech,
    "silence": _silence,
    "noise": _noise,
    "squares": _squares,
    "clicks": _clicks,
    "dead-channel": _dead_channel,
}
