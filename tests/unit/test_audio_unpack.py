"""Samples to PCM without a decoder. test_pcm_reference.py compares the result with ffmpeg and libsndfile."""

import struct
import subprocess
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converting import FFMPEG
from pigwav.audio.fmt import WavFormat
from pigwav.audio.unpack import cleaner, unpacker

FLOATS = pytest.mark.parametrize(("codec", "code"), [("pcm_f32le", "f"), ("pcm_f64le", "d")])
LOUD = [1.0, 1.5, -1.5, 70_000, -70_000, 1e30, -1e30, float("inf"), -float("inf")]
SIGNALLING_NANS = {"f": b"\1\0\x80\x7f", "d": b"\1\0\0\0\0\0\xf0\x7f"}


def samples_of(codec: str) -> WavFormat:
    return WavFormat(codec, 44_100, 1, bits=0, block_bytes=1, block_samples=1)


def unpacked(codec: str, audio: bytes) -> list[int]:
    unpack = unpacker(samples_of(codec))
    assert unpack is not None
    return array("h", unpack(audio)).tolist()


@pytest.mark.parametrize(
    ("codec", "audio", "samples"),
    [
        ("pcm_u8", b"\x00\x7f\x80\xff", [-32768, -256, 0, 32512]),
        ("pcm_s16le", b"\x01\x00\xff\xff", [1, -1]),
        ("pcm_s24le", b"\xff\x01\x00\x00\xff\xff\xff\xff\x7f", [1, -1, 32767]),
        ("pcm_s32le", b"\xff\xff\x01\x00\x00\x00\xff\xff", [1, -1]),
        ("pcm_s64le", b"\xff\xff\xff\xff\xff\xff\x01\x00" + bytes(6) + b"\xff\xff", [1, -1]),
        ("pcm_alaw", b"\xd5\x55\xaa\x2a", [8, -8, 32256, -32256]),
        ("pcm_mulaw", b"\xff\x7f\x00\x80", [0, 0, -32124, 32124]),
        ("pcm_f32le", struct.pack("<4f", 0.5, -0.5, 1.5 / 32_768, 2.5 / 32_768), [16384, -16384, 2, 2]),
    ],
)
def test_samples_keep_their_highest_sixteen_bits(codec: str, audio: bytes, samples: list[int]) -> None:
    assert unpacked(codec, audio) == samples
    assert unpacked(codec, b"") == []


@pytest.mark.parametrize(("codec", "name"), [("pcm_alaw", "alaw"), ("pcm_mulaw", "mulaw")])
def test_every_code_of_g_711_means_what_ffmpeg_takes_it_for(codec: str, name: str) -> None:
    codes = bytes(range(256))
    command = [FFMPEG, "-v", "error", "-f", name, "-ar", "8000", "-ac", "1", "-i", "-", "-f", "s16le", "-"]
    done = subprocess.run(command, input=codes, capture_output=True, check=True)
    assert unpacked(codec, codes) == array("h", done.stdout).tolist()


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=20))
def test_integers_of_any_width_lose_their_low_bits(samples: list[int]) -> None:
    expected = [sample >> 48 for sample in samples]
    for codec, width in (("pcm_s24le", 3), ("pcm_s32le", 4), ("pcm_s64le", 8)):
        narrow = [(sample >> 64 - 8 * width).to_bytes(width, "little", signed=True) for sample in samples]
        assert unpacked(codec, b"".join(narrow)) == expected


@FLOATS
def test_floats_out_of_range_are_clipped_and_what_is_no_number_is_silence(codec: str, code: str) -> None:
    audio = struct.pack(f"<{len(LOUD)}{code}", *LOUD)
    assert unpacked(codec, audio) == [32767 if level > 0 else -32768 for level in LOUD]
    nans = struct.pack(f"<2{code}", float("nan"), -float("nan")) + SIGNALLING_NANS[code]
    assert unpacked(codec, nans) == [0, 0, 0]


@FLOATS
def test_a_decoder_gets_floats_in_range_and_all_else_as_it_is(codec: str, code: str) -> None:
    quiet = struct.pack(f"<5{code}", 0.25, -1.0, 1.0, 0.0, 1e-30)
    assert cleaner(samples_of(codec))(quiet) == quiet
    loud = cleaner(samples_of(codec))(struct.pack(f"<{len(LOUD)}{code}", *LOUD) + SIGNALLING_NANS[code])
    assert struct.unpack(f"<{len(LOUD) + 1}{code}", loud) == (*(1 if x > 0 else -1 for x in LOUD), 0)
    assert cleaner(samples_of("pcm_s24le"))(b"\xff\xff\xff") == b"\xff\xff\xff"


def test_what_is_pcm_already_is_not_copied() -> None:
    unpack, audio = unpacker(samples_of("pcm_s16le")), bytes(1_000)
    assert unpack is not None
    assert unpack(audio) is audio


@pytest.mark.parametrize("codec", ["adpcm_ms", "adpcm_ima_wav", "gsm_ms"])
def test_packets_need_a_decoder(codec: str) -> None:
    assert unpacker(samples_of(codec)) is None
