"""Facts computed from the PCM before encoding."""

import asyncio
from array import array
from dataclasses import replace

import numpy as np
import pytest

from converting import Converted, a_converter, convert, finished, in_blocks
from factories import chunk, fmt_chunk, riff, wav
from pigwav.audio.conversion import Converter
from pigwav.audio.pcm import PcmFormat
from pigwav.domain import AudioFacts
from reference import reaching_lame

ADPCM = riff(
    fmt_chunk(tag=2, rate=22_050, channels=1, bits=4, block=512, more=b"\2\0\0\0")
    + chunk(b"data", bytes(512 * 99))
)
EVERY_WAY_TO_PCM = [
    pytest.param(wav(0.5), id="as-it-is"),
    pytest.param(wav(0.5, bits=24), id="unpacked"),
    pytest.param(wav(0.5, channels=6), id="downmixed-by-a-decoder"),
    pytest.param(wav(0.5, rate=96_000), id="resampled-by-a-decoder"),
    pytest.param(ADPCM, id="decoded"),
]


class KeepsAll:
    """An analyser that stores the PCM and its format, and changes a fact."""

    def __init__(self, pcm_format: PcmFormat) -> None:
        self.pcm_format = pcm_format
        self.pcm = bytearray()

    def feed(self, pcm: bytes) -> None:
        self.pcm += pcm

    def complete(self, facts: AudioFacts) -> AudioFacts:
        return replace(facts, bitrate_kbps=facts.bitrate_kbps + len(self.pcm))


@pytest.mark.parametrize("body", EVERY_WAY_TO_PCM)
def test_an_analyser_sees_all_that_the_encoder_gets_and_adds_to_the_facts(body: bytes) -> None:
    opened: list[KeepsAll] = []

    def open_analyser(pcm_format: PcmFormat) -> KeepsAll:
        opened.append(KeepsAll(pcm_format))
        return opened[-1]

    with a_converter() as plain:
        converter = replace(plain, analysers=[open_analyser, open_analyser])
        done = asyncio.run(_converted(converter, body))
    [heard] = reaching_lame(body)

    first, second = opened
    assert bytes(first.pcm) == bytes(second.pcm) == heard.pcm.tobytes() != b""
    assert first.pcm_format == PcmFormat(heard.sample_rate_hz, heard.pcm.shape[1])
    assert done.facts.bitrate_kbps == done.conversion.bitrate_kbps + 2 * len(first.pcm)


async def _converted(converter: Converter, body: bytes) -> Converted:
    return await finished(await converter.open(in_blocks(body)))


def peak_of(*samples: int, channels: int = 1) -> float | None:
    audio = array("h", samples * channels).tobytes()
    return convert(riff(fmt_chunk(channels=channels) + chunk(b"data", audio))).facts.peak_dbfs


@pytest.mark.parametrize(
    ("samples", "peak_dbfs"),
    [
        ((0, 0, 0), -120.0),
        ((0, 1, 0), -90.31),
        ((0, 0, -1), -90.31),
        ((16_384, 3), -6.02),
        ((3, -16_384), -6.02),
        ((32_767,), 0.0),
        ((-32_768,), 0.0),
    ],
)
def test_the_sample_peak_is_the_largest_magnitude_below_full_scale(
    samples: tuple[int, ...], peak_dbfs: float
) -> None:
    peak = peak_of(*samples)

    assert peak == peak_of(*samples, channels=2) == peak_dbfs
    assert str(peak) != "-0.0"


def test_the_peak_of_a_long_recording_is_found_wherever_it_stands() -> None:
    quiet = array("h", [100] * 200_000)
    for place in (0, 65_535, 65_536, 199_999):
        loud = array("h", quiet)
        loud[place] = -20_000
        wav = riff(fmt_chunk(channels=1) + chunk(b"data", loud.tobytes()))
        assert convert(wav, block_bytes=10_001).facts.peak_dbfs == -4.29


@pytest.mark.parametrize("body", EVERY_WAY_TO_PCM)
def test_the_peak_is_that_of_what_the_encoder_gets(body: bytes) -> None:
    [heard] = reaching_lame(body)

    largest = np.abs(heard.pcm.astype(np.int32)).max()
    expected = -120.0 if largest == 0 else 20 * np.log10(largest / 32_768)
    assert heard.converted.facts.peak_dbfs == pytest.approx(expected, abs=0.005)
