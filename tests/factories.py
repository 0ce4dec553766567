"""WAV files for tests: deterministic, with defaults, and malformed if a test needs that."""

import math
import random
import struct
from array import array
from functools import lru_cache
from typing import Final

STREAMED: Final = 0xFFFFFFFF
PCM_TAG: Final = 0x0001
FLOAT_TAG: Final = 0x0003
EXTENSIBLE_TAG: Final = 0xFFFE


def wav(
    seconds: float = 1.0,
    *,
    rate: int = 44_100,
    channels: int = 2,
    bits: int = 16,
    content: str = "sine",
    samples: int | None = None,
    before: bytes = b"",
    after: bytes = b"",
    data_size: int | None = None,
    magic: bytes = b"RIFF",
) -> bytes:
    """A WAV of integer PCM (8, 16, 24 or 32 bits).

    `samples` (per channel) overrides `seconds`. `content`: sine, noise or silence. `before` and `after`: chunks around
    the audio. `data_size`: the size in the header (default: the real one).
    """
    count = round(seconds * rate) if samples is None else samples
    data = pcm(count, rate=rate, channels=channels, bits=bits, content=content)
    fmt = fmt_chunk(rate=rate, channels=channels, bits=bits)
    return riff(fmt + before + chunk(b"data", data, size=data_size) + after, magic=magic)


def riff(chunks: bytes, *, magic: bytes = b"RIFF") -> bytes:
    size = STREAMED if magic != b"RIFF" else min(len(chunks) + 4, STREAMED)
    return magic + size.to_bytes(4, "little") + b"WAVE" + chunks


def chunk(name: bytes, body: bytes, *, size: int | None = None, padded: bool = True) -> bytes:
    """`size`: the size in the chunk's header (default: the real one)."""
    head = name + (len(body) if size is None else size).to_bytes(4, "little")
    return head + body + (b"\0" if padded and len(body) % 2 else b"")


def fmt_chunk(
    *,
    tag: int = PCM_TAG,
    rate: int = 44_100,
    channels: int = 2,
    bits: int = 16,
    block: int | None = None,
    more: bytes = b"",
) -> bytes:
    """`block`: bytes per block (default: one sample of every channel). `more`: bytes after the 16 of WAVEFORMAT."""
    block = channels * -(-bits // 8) if block is None else block
    fields = struct.pack("<HHIIHH", tag, channels, rate, rate * block & STREAMED, block, bits)
    return chunk(b"fmt ", fields + more)


def extensible_fmt_chunk(
    *,
    sub_tag: int = PCM_TAG,
    rate: int = 44_100,
    channels: int = 2,
    bits: int = 16,
    valid_bits: int | None = None,
    speakers: int = 0,
) -> bytes:
    guid = sub_tag.to_bytes(2, "little") + bytes.fromhex("0000 0000 1000 8000 00aa 0038 9b71")
    more = struct.pack("<HHI", 22, bits if valid_bits is None else valid_bits, speakers) + guid
    return fmt_chunk(tag=EXTENSIBLE_TAG, rate=rate, channels=channels, bits=bits, more=more)


def info_chunk(*, encoding: str = "cp1251", **fields: str) -> bytes:
    """LIST INFO. `fields`: INAM="title" and so on, correctly zero-terminated and padded."""
    said = b"".join(chunk(name.encode(), text.encode(encoding) + b"\0") for name, text in fields.items())
    return chunk(b"LIST", b"INFO" + said)


def bext_chunk(
    *, description: str = "", originator: str = "", date: str = "", time: str = "", time_reference: int = 0
) -> bytes:
    """EBU Tech 3285, version 0."""
    fields = struct.pack(
        "<256s32s32s10s8sQH",
        *(text.encode("cp1251") for text in (description, originator, "", date, time)),
        time_reference,
        0,
    )
    return chunk(b"bext", fields.ljust(602, b"\0"))


def ds64_chunk(data_bytes: int) -> bytes:
    return chunk(b"ds64", struct.pack("<QQQI", data_bytes + 72, data_bytes, 0, 0))


@lru_cache(maxsize=16)
def pcm(
    samples: int, *, rate: int = 44_100, channels: int = 2, bits: int = 16, content: str = "sine"
) -> bytes:
    """Interleaved samples, with a different tone or noise in each channel."""
    if content == "silence":
        return (b"\x80" if bits == 8 else b"\0") * (samples * channels * (bits // 8))
    if content == "noise":
        return random.Random(samples).randbytes(samples * channels * (bits // 8))
    return _in_bits(_sines(samples, rate, channels), bits)


def _sines(samples: int, rate: int, channels: int) -> "array[int]":
    """16-bit tones at half scale: 440 Hz, 880 Hz, ... A period of 0.1 s is repeated, which is fast for long WAVs."""
    period = max(1, min(samples, rate // 10))
    tones = [(min(440 * (channel + 1), rate // 4)) / rate * 2 * math.pi for channel in range(channels)]
    once = array("h", (round(16_000 * math.sin(tone * index)) for index in range(period) for tone in tones))
    return (once * (samples // period + 1))[: samples * channels]


def _in_bits(values: "array[int]", bits: int) -> bytes:
    if bits == 16:
        return values.tobytes()
    if bits == 8:
        return bytes((value >> 8) + 128 for value in values)
    low = bytes(bits // 8 - 2)
    return b"".join(low + value.to_bytes(2, "little", signed=True) for value in values)
