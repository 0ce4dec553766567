"""`fmt ` chunks whose fields contradict each other, read by the service, by ffmpeg and by libsndfile."""

import io
import re
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import imageio_ffmpeg
import pytest
import soundfile

from factories import FLOAT_TAG, PCM_TAG, chunk, riff
from pigwav.audio.fmt import parse_fmt
from pigwav.errors import BadAudio

FFMPEG: Final = imageio_ffmpeg.get_ffmpeg_exe()
RATE_HZ: Final = 44_100
AUDIO: Final = bytes(3 * 5 * 16 * 8)
CODECS: Final = {
    "PCM_U8": "pcm_u8",
    "PCM_16": "pcm_s16le",
    "PCM_24": "pcm_s24le",
    "PCM_32": "pcm_s32le",
    "FLOAT": "pcm_f32le",
    "DOUBLE": "pcm_f64le",
}
"""libsndfile's names."""
REFUSED: Final = "refused"
WHOLE_BITS: Final = {PCM_TAG: (8, 16, 32, 64), FLOAT_TAG: (32, 64)}


@dataclass(frozen=True)
class Fields:
    """The fields of one `fmt ` chunk."""

    tag: int
    channels: int
    bits: int
    block_bytes: int
    bytes_per_s: int

    @property
    def fmt(self) -> bytes:
        return struct.pack(
            "<HHIIHH", self.tag, self.channels, RATE_HZ, self.bytes_per_s, self.block_bytes, self.bits
        )

    @property
    def wav(self) -> bytes:
        return riff(chunk(b"fmt ", self.fmt) + chunk(b"data", AUDIO))

    @property
    def container_bytes(self) -> float:
        """By the block size: bytes per sample of one channel."""
        return self.block_bytes / self.channels


@dataclass(frozen=True)
class Difference:
    """`applies`: to these fields, of which at least one reader thinks otherwise than the service."""

    reason: str
    applies: Callable[[Fields], bool]


DIFFERENCES: Final = (
    Difference(
        "24 bits in 4 bytes: arecord writes them in the low bytes; ffmpeg reads floats, libsndfile 3 bytes",
        lambda of: (of.tag, of.bits, of.container_bytes) == (PCM_TAG, 24, 4),
    ),
    Difference(
        "12, 20 and other bits in wider samples: the others ignore the block size",
        lambda of: of.bits not in (*WHOLE_BITS[of.tag], 24) and 8 * of.container_bytes > of.bits,
    ),
    Difference(
        "floats of 24 bits in 4 bytes: the others refuse them",
        lambda of: (of.tag, of.bits, of.container_bytes) == (FLOAT_TAG, 24, 4),
    ),
    Difference(
        "integers of 33 to 64 bits: libsndfile cannot read them",
        lambda of: of.tag == PCM_TAG and of.bits > 32,
    ),
    Difference(
        "floats of 25 to 31 bits: ffmpeg refuses them", lambda of: of.tag == FLOAT_TAG and 24 < of.bits < 32
    ),
)


def grid(channels: tuple[int, ...], bits: tuple[int, ...]) -> Iterator[Fields]:
    for tag in (PCM_TAG, FLOAT_TAG):
        for count in channels:
            for size in bits:
                right = count * -(-size // 8)
                for block in sorted(
                    {0, 1, right, *(count * wide for wide in (1, 2, 3, 4, 8, 16)), 2 * count + 1}
                ):
                    for bytes_per_s in {RATE_HZ * block, 0, RATE_HZ * right}:
                        yield Fields(tag, count, size, block, bytes_per_s)


def ours(fields: Fields) -> tuple[str, int]:
    """Codec, and samples per channel."""
    try:
        found = parse_fmt(fields.fmt)
    except BadAudio:
        return REFUSED, 0
    return found.codec, found.samples_in(len(AUDIO))


def libsndfile(fields: Fields) -> tuple[str, int]:
    try:
        found = soundfile.info(io.BytesIO(fields.wav))
    except soundfile.LibsndfileError:
        return REFUSED, 0
    return CODECS[found.subtype], found.frames


def ffmpeg(fields: Fields) -> str:
    """Its codec, which implies the number of samples."""
    command = [FFMPEG, "-nostdin", "-hide_banner", "-f", "wav", "-i", "-"]
    done = subprocess.run(command, input=fields.wav, capture_output=True, check=False)
    found = re.search(r"Audio: (\w+)", done.stderr.decode(errors="replace"))
    return found[1] if found and found[1] != "none" else REFUSED


def differences(cases: list[Fields], *, ask_ffmpeg: Callable[[Fields], bool]) -> set[str]:
    """The reasons that were needed. Fails if a reader differs without one."""
    needed = set()
    for fields in cases:
        found = ours(fields)
        others = {libsndfile(fields)[0]} | ({ffmpeg(fields)} if ask_ffmpeg(fields) else set())
        if libsndfile(fields) == found and others == {found[0]}:
            continue
        reasons = [one.reason for one in DIFFERENCES if one.applies(fields)]
        if found[0] == REFUSED and others == {REFUSED}:
            continue
        assert reasons, f"{fields}: {found}, not {others}"
        needed.update(reasons)
    return needed


def test_contradicting_fields_are_read_as_others_read_them() -> None:
    """ffmpeg is a process for each file, so it is asked about a part of them."""
    cases = [*grid((1, 2), (8, 12, 16, 24, 28, 32, 64))]
    asked = {*cases[::17]}
    assert differences(cases, ask_ffmpeg=asked.__contains__) >= {DIFFERENCES[0].reason, DIFFERENCES[1].reason}


@pytest.mark.long
def test_all_contradicting_fields_are_read_as_others_read_them() -> None:
    bits = (0, 1, 4, 8, 9, 12, 16, 20, 24, 28, 32, 33, 40, 48, 56, 64, 65, 80, 255)
    needed = differences([*grid((1, 2, 3, 6), bits)], ask_ffmpeg=lambda fields: fields.bytes_per_s == 0)
    assert needed == {one.reason for one in DIFFERENCES}, "a reason that is not needed"


@pytest.mark.parametrize(
    ("fields", "codec", "samples"),
    [
        pytest.param(
            Fields(PCM_TAG, 1, 16, 4, 176_400), "pcm_s16le", 960, id="the most copied browser recorder"
        ),
        pytest.param(Fields(FLOAT_TAG, 1, 32, 8, 352_800), "pcm_f32le", 480, id="its twin with floats"),
        pytest.param(Fields(PCM_TAG, 2, 8, 4, 176_400), "pcm_u8", 960, id="8 bits in blocks for 16"),
        pytest.param(Fields(PCM_TAG, 2, 12, 4, 176_400), "pcm_s16le", 480, id="12 bits in 2 bytes"),
        pytest.param(Fields(PCM_TAG, 2, 20, 8, 352_800), "pcm_s32le", 240, id="20 bits in 4 bytes"),
        pytest.param(Fields(PCM_TAG, 1, 24, 2, 88_200), "pcm_s24le", 640, id="24 bits in blocks for 16"),
    ],
)
def test_bits_or_block_size_decide(fields: Fields, codec: str, samples: int) -> None:
    assert ours(fields) == (codec, samples)
