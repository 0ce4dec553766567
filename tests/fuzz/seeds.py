"""The WAVs that fuzzing starts from: odd ones, every codec, and files of other projects if they are present."""

from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Final

from codings import CODINGS, sample
from corpus import CORPUS, rows
from odd_wavs import odd_wavs

MAX_BYTES: Final = 16 * 1024


@cache
def wavs() -> tuple[bytes, ...]:
    """Deterministic on one machine. Long WAVs are cut."""
    return tuple(dict.fromkeys(wav[:MAX_BYTES] for wav in chain(_odd(), _codings(), _others())))


def small_wavs(limit_bytes: int = 4_096) -> Iterator[bytes]:
    return (wav for wav in wavs() if len(wav) <= limit_bytes)


def _odd() -> Iterator[bytes]:
    return (odd.body for kind in odd_wavs().values() for odd in kind)


def _codings() -> Iterator[bytes]:
    """Stereo at a rate of MP3, and WAVs that need a decoder: other rates, more channels."""
    for coding in CODINGS:
        yield sample(coding, 400, 2, 44_100).wav
        yield sample(coding, 400, 1, 8_000).wav
    for rate_hz, channels in ((11_111, 1), (96_000, 2), (44_100, 6)):
        yield sample("16-bit", 300, channels, rate_hz).wav


def _others() -> Iterator[bytes]:
    for row in rows():
        path = CORPUS / row.file
        with path.open("rb") as file:
            yield file.read(MAX_BYTES)
