"""An odd WAV: its bytes, and the results that the specification allows."""

import random
from dataclasses import dataclass
from typing import Final

from corpus import Audio
from factories import chunk

SEED: Final = 5
SAMPLES: Final = 500
DATA: Final = random.Random(SEED).randbytes(4 * SAMPLES)
"""16-bit stereo."""


@dataclass(frozen=True)
class OddWav:
    """`samples`: allowed sample counts after conversion, at the WAV's rate. `codes`: allowed codes of a refusal.

    One of them is empty unless both results are allowed.
    """

    name: str
    body: bytes
    samples: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    rate_hz: int = 44_100

    @property
    def due_samples(self) -> set[int]:
        return {Audio(samples, self.rate_hz).due_samples for samples in self.samples}

    def complaint(self, samples: int, code: str) -> str:
        """What is wrong with a conversion to `samples` at the MP3's rate, or with a refusal with `code`."""
        if samples in self.due_samples or code in self.codes:
            return ""
        return f"{self.name}: {code or samples}, not {self.codes or self.due_samples}"

    @property
    def expected(self) -> str:
        if self.samples and self.codes:
            return "EITHER"
        return "CONVERT" if self.samples else "REJECT"


def good(name: str, body: bytes, samples: int = SAMPLES, rate_hz: int = 44_100) -> OddWav:
    return OddWav(name, body, (samples,), rate_hz=rate_hz)


def bad(name: str, body: bytes, *codes: str) -> OddWav:
    return OddWav(name, body, codes=codes)


def data_chunk(size: int | None = None, body: bytes = DATA) -> bytes:
    return chunk(b"data", body, size=size)


def junk_chunk(size: int = 300) -> bytes:
    return chunk(b"JUNK", random.Random(size).randbytes(size))


def fact_chunk(samples: int) -> bytes:
    return chunk(b"fact", samples.to_bytes(4, "little"))
