"""Parses the `fmt ` chunk: how the audio is encoded, and how many samples a number of bytes holds. Pure.

Source: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (1991), chapter 3, and WAVEFORMATEX
and WAVEFORMATEXTENSIBLE in mmreg.h. A codec's name is ffmpeg's name of its decoder, such as `pcm_s24le`.
"""

import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Self
from uuid import UUID

from pigwav.domain import WavSource
from pigwav.errors import (
    BitsInvalid,
    BlockSizeInvalid,
    ChannelsZero,
    FmtChunkTooShort,
    SampleRateZero,
    UnsupportedChannels,
    UnsupportedCodec,
    UnsupportedSampleRate,
)

MAX_SAMPLE_RATE_HZ: Final = 768_000
MAX_CHANNELS: Final = 32

EXTENSIBLE: Final = 0xFFFE
_SUBFORMAT_SUFFIX: Final = bytes.fromhex("0000 0000 1000 8000 00aa 0038 9b71")  # KSDATAFORMAT_SUBTYPE_*
_AMBISONIC_SUFFIX: Final = bytes.fromhex("0000 2107 d311 8644 c8c1 ca00 0000")
_INTEGER_CODECS: Final = {1: "pcm_u8", 2: "pcm_s16le", 3: "pcm_s24le", 4: "pcm_s32le", 8: "pcm_s64le"}
_FLOAT_CODECS: Final = {4: "pcm_f32le", 8: "pcm_f64le"}
_MAX_BLOCK_SAMPLES: Final = 0xFFFF
"""The `fmt ` chunk has 16 bits for this number, also the chunk that we write for the decoder."""

_GSM_BLOCK_BYTES: Final = 65
_GSM_BLOCK_SAMPLES: Final = 320

_UNSUPPORTED: Final = {
    0x0010: "OKI ADPCM",
    0x0020: "Yamaha ADPCM",
    0x0022: "TrueSpeech",
    0x0040: "G.721 ADPCM",
    0x0042: "G.723.1",
    0x0045: "G.726 ADPCM",
    0x0050: "MPEG layer 1 or 2",
    0x0055: "MP3",
    0x0064: "G.726 ADPCM",
    0x0065: "G.722 ADPCM",
    0x0092: "AC-3 over S/PDIF",
    0x00FF: "AAC",
    0x0160: "WMA1",
    0x0161: "WMA2",
    0x0162: "WMA Pro",
    0x0163: "WMA Lossless",
    0x0270: "ATRAC3",
    0x1610: "HE-AAC",
    0x2000: "AC-3",
    0x2001: "DTS",
    0x674F: "Vorbis",
    0x704F: "Opus",
    0xF1AC: "FLAC",
}


@dataclass(frozen=True)
class WavFormat:
    """How the bytes of the `data` chunk become samples.

    A block is the smallest unit that can be decoded alone: one sample of every channel in PCM, a packet in ADPCM and
    GSM. `bits` is per sample as stored, 0 if the codec has no such number. `speakers` is WAVEFORMATEXTENSIBLE's channel
    mask, else 0. `in_low_bytes`: each sample is one byte shorter than its container, whose highest byte is unused.
    `wrong_block_bytes`: the block size in the header, if it is not `block_bytes`.
    """

    codec: str
    sample_rate_hz: int
    channels: int
    bits: int
    block_bytes: int
    block_samples: int
    speakers: int = 0
    in_low_bytes: bool = False
    wrong_block_bytes: int | None = None

    @property
    def cut_bytes(self) -> int:
        """The end of the data may be cut to a multiple of this. 1 for ADPCM: it decodes even a part of a block."""
        return 1 if self.codec in _ADPCM_SAMPLES else self.block_bytes

    @property
    def source(self) -> WavSource:
        return WavSource(self.codec, self.sample_rate_hz, self.channels, self.bits)

    def samples_in(self, size_bytes: int) -> int:
        """Samples per channel in this many bytes of the `data` chunk."""
        blocks, rest = divmod(size_bytes, self.block_bytes)
        count = _ADPCM_SAMPLES.get(self.codec)
        return blocks * self.block_samples + (count(rest, self.channels) if count else 0)


@dataclass(frozen=True)
class _Fields:
    """The chunk's fields as written. In an extensible chunk, `tag` is the sub-format's; valid bits replace 0 bits."""

    tag: int
    channels: int
    sample_rate_hz: int
    block_bytes: int
    bits: int
    speakers: int
    extensible: bool

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Raises FmtChunkTooShort and UnsupportedCodec."""
        if len(body) < 14:
            raise FmtChunkTooShort(f"The fmt chunk has {len(body)} bytes; the minimum is 14.")
        tag, channels, sample_rate_hz, block_bytes, bits = struct.unpack(
            "<HHI4xHH", body[:16].ljust(16, b"\0")
        )
        speakers = 0
        extensible = tag == EXTENSIBLE
        if extensible:
            if len(body) < 40:
                raise FmtChunkTooShort(f"The extensible fmt chunk has {len(body)} bytes; the minimum is 40.")
            valid_bits, speakers, guid = struct.unpack_from("<HI16s", body, 18)
            bits = bits or valid_bits
            if guid[2:] == _AMBISONIC_SUFFIX:
                raise UnsupportedCodec(
                    "The audio is ambisonic (B-format): its channels are not signals for speakers."
                )
            if guid[2:] != _SUBFORMAT_SUFFIX:
                raise UnsupportedCodec(f"The audio has the unsupported sub-format {UUID(bytes_le=guid)}.")
            tag = int.from_bytes(guid[:2], "little")
        return cls(tag, channels, sample_rate_hz, block_bytes, bits, speakers, extensible)

    def container_bytes(self, sizes: Collection[int]) -> int:
        """Bytes per sample of one channel. `sizes`: those that the coding has; the result may be another one.

        Two fields state it, and some writers set one of them wrong. The bits per sample count if they are one of these
        sizes, except 24 bits, which may be in 3 or 4 bytes. For these and for all other numbers of bits, the block size
        counts if it gives one of the sizes that can hold them; if not, the bits are rounded up to whole bytes.
        """
        by_bits = -(-self.bits // 8)
        by_block, rest = divmod(self.block_bytes, self.channels)
        if self.bits == 24:
            possible: Collection[int] = (3, 4)
        elif self.bits % 8 == 0 and by_bits in sizes:
            return by_bits
        else:
            possible = sizes
        return by_block if rest == 0 and by_block in possible and by_block >= by_bits else by_bits


def parse_fmt(body: bytes) -> WavFormat:
    """`body`: at least the chunk's first 40 bytes, or all of it if it is shorter.

    Raises BrokenFmtChunk, UnsupportedCodec, UnsupportedChannels and UnsupportedSampleRate.
    """
    fields = _Fields.parse(body)
    if fields.sample_rate_hz == 0:
        raise SampleRateZero
    if fields.channels == 0:
        raise ChannelsZero
    shape = _CODINGS.get(fields.tag)
    if shape is None:
        raise _unsupported(fields.tag, _UNSUPPORTED.get(fields.tag))
    if fields.channels > MAX_CHANNELS:
        raise UnsupportedChannels(f"The WAV has {fields.channels} channels; the maximum is {MAX_CHANNELS}.")
    if fields.sample_rate_hz > MAX_SAMPLE_RATE_HZ:
        raise UnsupportedSampleRate(
            f"The WAV has a sample rate of {fields.sample_rate_hz} Hz; the maximum is {MAX_SAMPLE_RATE_HZ} Hz."
        )
    found = shape(fields)
    wrong = found.block_bytes != fields.block_bytes
    return replace(found, wrong_block_bytes=fields.block_bytes) if wrong else found


def _samples(fields: _Fields, codec: str, container_bytes: int) -> WavFormat:
    block_bytes = container_bytes * fields.channels
    bits = container_bytes * 8
    return WavFormat(codec, fields.sample_rate_hz, fields.channels, bits, block_bytes, 1, fields.speakers)


def _integers(fields: _Fields) -> WavFormat:
    """The codec follows from the container's size, because samples with fewer bits are in its high bits.

    Exception: 24 bits in 4 bytes without WAVE_FORMAT_EXTENSIBLE. ALSA's arecord writes S24_LE like this, in the low
    bytes.
    """
    container_bytes = fields.container_bytes(_INTEGER_CODECS)
    codec = _INTEGER_CODECS.get(container_bytes)
    if codec is None:
        raise _unsupported_bits("PCM", fields)
    in_low_bytes = (container_bytes, fields.bits) == (4, 24) and not fields.extensible
    return replace(_samples(fields, codec, container_bytes), in_low_bytes=in_low_bytes)


def _floats(fields: _Fields) -> WavFormat:
    container_bytes = fields.container_bytes(_FLOAT_CODECS)
    codec = _FLOAT_CODECS.get(container_bytes)
    if codec is None:
        raise _unsupported_bits("floating point PCM", fields)
    return _samples(fields, codec, container_bytes)


def _unsupported_bits(coding: str, fields: _Fields) -> BitsInvalid | UnsupportedCodec:
    if not 1 <= fields.bits <= 64:
        return BitsInvalid(f"The fmt chunk states {fields.bits} bits per sample.")
    return _unsupported(fields.tag, f"{coding} of {fields.bits} bits")


def _unsupported(tag: int, name: str | None) -> UnsupportedCodec:
    codec = f"0x{tag:04X} ({name})" if name else f"0x{tag:04X}"
    return UnsupportedCodec(f"The audio has the unsupported codec {codec}.")


def _adpcm(fields: _Fields, codec: str) -> WavFormat:
    if fields.channels > 2:
        raise UnsupportedChannels(f"The WAV has {fields.channels} channels of ADPCM; the maximum is 2.")
    if fields.bits != 4:
        raise _unsupported(fields.tag, f"ADPCM of {fields.bits} bits")
    block_samples = _ADPCM_SAMPLES[codec](fields.block_bytes, fields.channels)
    if not 2 <= block_samples <= _MAX_BLOCK_SAMPLES:
        raise BlockSizeInvalid(f"The fmt chunk states ADPCM blocks of {fields.block_bytes} bytes.")
    return WavFormat(codec, fields.sample_rate_hz, fields.channels, 4, fields.block_bytes, block_samples)


def _gsm(fields: _Fields) -> WavFormat:
    if fields.channels != 1:
        raise UnsupportedChannels(f"The WAV has {fields.channels} channels of GSM 6.10; it must have 1.")
    if fields.block_bytes not in (0, _GSM_BLOCK_BYTES):
        raise BlockSizeInvalid(
            f"The fmt chunk states GSM 6.10 blocks of {fields.block_bytes} bytes; they have 65."
        )
    return WavFormat("gsm_ms", fields.sample_rate_hz, 1, 0, _GSM_BLOCK_BYTES, _GSM_BLOCK_SAMPLES)


def _ms_adpcm_samples(size_bytes: int, channels: int) -> int:
    """Samples per channel in a block: 7 bytes of preamble per channel hold two samples, then each byte holds two."""
    return max(0, size_bytes - 6 * channels) * 2 // channels if size_bytes >= 7 * channels else 0


def _ima_adpcm_samples(size_bytes: int, channels: int) -> int:
    """Samples per channel in a block: 4 bytes of preamble per channel hold one sample, then every 4 bytes hold 8."""
    preamble_bytes = 4 * channels
    return 1 + (size_bytes - preamble_bytes) // (4 * channels) * 8 if size_bytes > preamble_bytes else 0


_ADPCM_SAMPLES: Final[dict[str, Callable[[int, int], int]]] = {
    "adpcm_ms": _ms_adpcm_samples,
    "adpcm_ima_wav": _ima_adpcm_samples,
}

_CODINGS: Final[dict[int, Callable[[_Fields], WavFormat]]] = {
    0x0001: _integers,
    0x0002: partial(_adpcm, codec="adpcm_ms"),
    0x0003: _floats,
    0x0006: partial(_samples, codec="pcm_alaw", container_bytes=1),
    0x0007: partial(_samples, codec="pcm_mulaw", container_bytes=1),
    0x0011: partial(_adpcm, codec="adpcm_ima_wav"),
    0x0031: _gsm,
}
FORMAT_TAGS: Final = {
    **dict.fromkeys(_INTEGER_CODECS.values(), 0x0001),
    **dict.fromkeys(_FLOAT_CODECS.values(), 0x0003),
    "adpcm_ms": 0x0002,
    "pcm_alaw": 0x0006,
    "pcm_mulaw": 0x0007,
    "adpcm_ima_wav": 0x0011,
    "gsm_ms": 0x0031,
}
"""The `fmt ` tag of every supported codec."""
