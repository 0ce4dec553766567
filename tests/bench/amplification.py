"""What one byte of a WAV costs at most: bytes of MP3 and CPU time, for every codec, compared with CD audio.

python tests/bench/amplification.py [KILOBYTES]

For each codec, the WAV of this size that costs the most: the lowest sample rate that is not refused as
`output-too-large`, at the highest bit rate of its MP3.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from converting import a_converter, finished, in_blocks
from factories import FLOAT_TAG, chunk, fmt_chunk, riff
from pigwav.audio.mp3 import bit_rates_kbps
from pigwav.audio.plan import MAX_EXPANSION
from pigwav.errors import BadAudio

RATES_HZ = (1, 10, 50, 100, 200, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 44_100)


@dataclass(frozen=True)
class Cost:
    rate_hz: int
    kbps: int
    mp3_bytes: int
    cpu_s: float


def formats(rate: int) -> Iterator[tuple[str, bytes]]:
    """The `fmt ` chunk of every codec with the fewest bytes per sample."""
    mono = {"rate": rate, "channels": 1}
    yield "pcm_u8", fmt_chunk(bits=8, **mono)
    yield "pcm_s16le", fmt_chunk(bits=16, **mono)
    yield "pcm_s24le", fmt_chunk(bits=24, **mono)
    yield "pcm_s32le", fmt_chunk(bits=32, **mono)
    yield "pcm_s64le", fmt_chunk(bits=64, **mono)
    yield "pcm_f32le", fmt_chunk(tag=FLOAT_TAG, bits=32, **mono)
    yield "pcm_f64le", fmt_chunk(tag=FLOAT_TAG, bits=64, **mono)
    yield "pcm_alaw", fmt_chunk(tag=6, bits=8, **mono)
    yield "pcm_mulaw", fmt_chunk(tag=7, bits=8, **mono)
    yield "adpcm_ms", fmt_chunk(tag=2, bits=4, block=1_024, more=b"\2\0\0\0", **mono)
    yield "adpcm_ima_wav", fmt_chunk(tag=0x11, bits=4, block=1_024, more=b"\2\0\0\0", **mono)
    yield "gsm_ms", fmt_chunk(tag=0x31, bits=0, block=65, **mono)


async def cost(wav: bytes, rate: int, kbps: int) -> Cost:
    with a_converter() as converter:
        before = os.times()
        done = await finished(await converter.open(in_blocks(wav), bitrate_kbps=kbps, max_wav_bytes=len(wav)))
        after = os.times()
    return Cost(rate, kbps, len(done.mp3), sum(after[:4]) - sum(before[:4]))


def most_costly(codec: str, data: bytes) -> Cost | None:
    """At the lowest rate that is converted."""
    for rate in RATES_HZ:
        wav = riff(dict(formats(rate))[codec] + chunk(b"data", data))
        kbps = bit_rates_kbps(next(r for r in (8_000, 16_000, 44_100) if rate <= r))[-1]
        try:
            return asyncio.run(cost(wav, rate, kbps))
        except BadAudio:
            continue
    return None


def main(kilobytes: int = 200) -> None:
    size = kilobytes * 1_000
    cd = asyncio.run(cost(riff(fmt_chunk() + chunk(b"data", bytes(20 * size))), 44_100, 128))
    per_cd_byte_s = cd.cpu_s / (20 * size)
    print(
        f"CD audio: {cd.mp3_bytes / (20 * size):.2f} bytes of MP3 and {per_cd_byte_s * 1e9:.0f} ns for each byte"
    )
    print(
        f"{'codec':14}{'lowest rate':>12}{'kb/s':>6}{'MP3/WAV':>9}{'CPU/byte':>11}{'of CD':>8}   limit {MAX_EXPANSION}"
    )
    for codec, _ in formats(8_000):
        data = bytes(size // 65 * 65)
        found = most_costly(codec, data)
        if found is None:
            print(f"{codec:14}{'refused':>12}")
            continue
        cpu_ns = found.cpu_s / size * 1e9
        print(
            f"{codec:14}{found.rate_hz:>9} Hz{found.kbps:>6}{found.mp3_bytes / size:>9.1f}"
            f"{cpu_ns:>8.0f} ns{cpu_ns / per_cd_byte_s / 1e9:>8.0f}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
