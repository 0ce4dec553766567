"""Facts that are computed from the PCM on its way to the encoder."""

import asyncio
from dataclasses import replace

import pytest

from converting import Converted, a_converter, finished, in_blocks
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
    """An analyser that keeps the PCM and its format, and notes in the facts that it has seen them."""

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
