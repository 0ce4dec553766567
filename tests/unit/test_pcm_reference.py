"""LAME's input, bit for bit: compared with the written samples, ffmpeg's decode of the whole file, and libsndfile's."""

from itertools import product
from math import ceil
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from codings import ADPCM, CODINGS, COMPANDED, FLOATS, KNOWN, Sample, float_wav, sample
from factories import chunk, fmt_chunk, riff
from longer import long
from pigwav.audio.conversion import BATCH_BYTES
from pigwav.audio.mp3 import SAMPLE_RATES_HZ
from reference import Pcm, by_ffmpeg, by_libsndfile, reaching_lame

WHOLE: Final = 1 << 30
SEVERAL_BATCHES: Final = 5 * BATCH_BYTES // 2

LEFT_JUSTIFIED: Final = {"extensible 24 bits in 32": ("-c:a", "pcm_s32le")}
"""Without these options, ffmpeg would read the samples as floats of an old Cool Edit."""
NOT_BY_LIBSNDFILE: Final = ("64-bit", "MS ADPCM of all predictors")
"""libsndfile cannot read 64-bit. It rounds MS ADPCM's prediction down; ffmpeg rounds it towards 0."""

every_coding = pytest.mark.parametrize("coding", CODINGS)


def opinions(coding: str, written: Sample) -> dict[str, Pcm]:
    """Reference PCM by source."""
    by_one = by_ffmpeg(written.wav, channels=written.channels, demand=LEFT_JUSTIFIED.get(coding, ()))
    found = {"ffmpeg": by_one}
    if coding not in NOT_BY_LIBSNDFILE:  # libsndfile reads a pad byte as another GSM packet: cut
        found["libsndfile"] = by_libsndfile(written.wav)[: len(by_one)]
    if written.pcm is not None:
        found["what was written"] = written.pcm
    return found


@every_coding
@pytest.mark.parametrize("channels", [1, 2], ids=["mono", "stereo"])
def test_lame_gets_what_ffmpeg_and_libsndfile_decode(coding: str, channels: int) -> None:
    """Audio of several batches, in blocks of several sizes."""
    written = of_size(coding, SEVERAL_BATCHES, channels)
    assert len(written.wav) > SEVERAL_BATCHES
    others = opinions(coding, written)
    for heard in reaching_lame(written.wav, block_bytes=[1_001, 65_536, WHOLE]):
        for other, pcm in others.items():
            assert_array_equal(heard.pcm, pcm, err_msg=f"ours is not {other}'s")


def of_size(coding: str, size_bytes: int, channels: int) -> Sample:
    """A sample of at least `size_bytes`."""
    per_sample = len(sample(coding, 50_000, channels).wav) / 50_000
    return sample(coding, ceil(1.1 * size_bytes / per_sample), channels)


@every_coding
@pytest.mark.parametrize("block_bytes", [1, 7])
def test_a_trickle_of_bytes_is_decoded_as_well(coding: str, block_bytes: int) -> None:
    written = sample(coding, samples=300)
    [heard] = reaching_lame(written.wav, block_bytes=[block_bytes])
    for other, pcm in opinions(coding, written).items():
        assert_array_equal(heard.pcm, pcm, err_msg=f"ours is not {other}'s")


@every_coding
@pytest.mark.parametrize("rate_hz", SAMPLE_RATES_HZ)
def test_at_mp3_s_own_rates_nothing_is_resampled(coding: str, rate_hz: int) -> None:
    written = sample(coding, samples=300, rate_hz=rate_hz)
    [heard] = reaching_lame(written.wav)
    assert heard.sample_rate_hz == rate_hz
    expected = by_ffmpeg(written.wav, channels=written.channels) if written.pcm is None else written.pcm
    assert_array_equal(heard.pcm, expected)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(KNOWN)), st.integers(1, 2), st.integers(1, 700), st.integers(1, 3_000))
def test_no_length_and_no_block_size_makes_a_difference(
    coding: str, channels: int, samples: int, block_bytes: int
) -> None:
    written = KNOWN[coding](max(samples, 5), channels, 44_100)
    [heard] = reaching_lame(written.wav, block_bytes=[block_bytes])
    assert written.pcm is not None
    assert_array_equal(heard.pcm, written.pcm)


@pytest.mark.parametrize("coding", KNOWN)
def test_silence_is_silence(coding: str) -> None:
    """Silence is zeros in signed integers and floats; 0x80, 0xD5 and 0xFF in 8-bit, A-law and mu-law."""
    written = sample(coding, samples=300)
    at = written.wav.index(b"data") + 8
    zero = {"8-bit": b"\x80", "extensible 8-bit": b"\x80", "A-law": b"\xd5", "mu-law": b"\xff"}
    silent = written.wav[:at] + zero.get(coding, b"\0") * (len(written.wav) - at)
    [heard] = reaching_lame(silent)
    assert_array_equal(heard.pcm, 8 if coding == "A-law" else 0)  # A-law has no code for zero


@pytest.mark.parametrize("coding", COMPANDED)
@pytest.mark.parametrize("channels", [1, 2])
def test_all_256_codes_of_g_711_are_expanded(coding: str, channels: int) -> None:
    written = sample(coding, samples=256, channels=channels)
    assert len(set(written.wav[-256 * channels :: channels])) == 256
    [heard] = reaching_lame(written.wav)
    for other, pcm in opinions(coding, written).items():
        assert_array_equal(heard.pcm, pcm, err_msg=f"ours is not {other}'s")


@pytest.mark.parametrize(("channels", "rate_hz"), [(1, 44_100), (2, 48_000), (2, 96_000), (3, 44_100)])
@pytest.mark.parametrize("unused", [b"\0", b"\xff", b"\x5a"])
def test_24_bits_in_the_low_bytes_of_32_are_the_same_as_packed_24(
    channels: int, rate_hz: int, unused: bytes
) -> None:
    """ALSA's arecord writes S24_LE so. ffmpeg reads it as floats of an old Cool Edit, libsndfile as packed 24 bits."""
    packed_24 = sample("24-bit", 3_000, channels, rate_hz).wav
    data = packed_24[packed_24.index(b"data") + 8 :]
    samples = [data[start : start + 3] + unused for start in range(0, len(data), 3)]
    fmt = fmt_chunk(bits=24, block=4 * channels, channels=channels, rate=rate_hz)
    [low], [packed] = (
        reaching_lame(body, block_bytes=[1_001])
        for body in (riff(fmt + chunk(b"data", b"".join(samples))), packed_24)
    )
    assert_array_equal(low.pcm, packed.pcm)


FAR_OUT: Final = {
    "not a number": (np.nan, 0),
    "infinite": (np.inf, 32_767),
    "minus infinite": (-np.inf, -32_768),
    "full scale": (1.0, 32_767),
    "minus full scale": (-1.0, -32_768),
    "over full scale": (1.25, 32_767),
    "under minus full scale": (-1.25, -32_768),
    "so far out that an integer would wrap": (70_000.0, 32_767),
    "as far out below": (-70_000.0, -32_768),
    "the largest there is": (3.4e38, 32_767),
    "the lowest there is": (-3.4e38, -32_768),
    "denormal": (1e-40, 0),
    "minus denormal": (-1e-40, 0),
    "minus nothing": (-0.0, 0),
    "half a step is rounded to even, down": (0.5 / 32_768, 0),
    "half a step is rounded to even, up": (1.5 / 32_768, 2),
    "half a step below nothing": (-0.5 / 32_768, 0),
    "just over half a step": (0.5001 / 32_768, 1),
    "the highest step": (32_767 / 32_768, 32_767),
    "the lowest step but one": (-32_767 / 32_768, -32_767),
}


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
@pytest.mark.parametrize("channels", [1, 2, 6], ids=["mono", "stereo", "surround"])
def test_floats_out_of_range_are_clipped_and_never_wrapped(kind: str, channels: int) -> None:
    values, expected = zip(*FAR_OUT.values(), strict=True)
    signal = np.zeros((len(values), channels), kind)
    signal[:, 0] = values
    [heard] = reaching_lame(float_wav(signal).wav)
    if channels > 2:  # the downmix scales it, so only the sign is unchanged
        assert_array_equal(np.sign(heard.pcm[:10, 0]), np.sign(expected[:10]))
        return
    found = dict(zip(FAR_OUT, heard.pcm[:, 0].tolist(), strict=True))
    assert found == dict(zip(FAR_OUT, expected, strict=True))
    assert not heard.pcm[:, 1:].any()


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
def test_resampling_lets_no_far_out_float_spoil_its_neighbours(kind: str) -> None:
    """A single NaN or infinity would spoil all samples in the resampler's window."""
    signal = np.random.default_rng(8).uniform(-0.5, 0.5, (3_000, 2)).astype(kind)
    tamed = signal.copy()
    signal[1_000:1_004, 0], tamed[1_000:1_004, 0] = (np.nan, np.inf, -np.inf, 1e30), (0, 1, -1, 1)
    [heard] = reaching_lame(float_wav(signal, 96_000).wav)
    [without] = reaching_lame(float_wav(tamed, 96_000).wav)
    assert_array_equal(heard.pcm, without.pcm)


@pytest.mark.long
@pytest.mark.parametrize("coding", [*ADPCM, "GSM 6.10"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_last_packet_that_is_cut_is_decoded_as_far_as_ffmpeg_does(coding: str, channels: int) -> None:
    written = sample(coding, samples=2_500, channels=channels)
    start = written.wav.index(b"data") + 8
    for cut in (1, 2, 3, 5, 8, 13, 31, 60, 64, 127, 200):
        data = written.wav[start:-cut]
        wav = written.wav[: start - 4] + len(data).to_bytes(4, "little") + data
        [heard] = reaching_lame(wav)
        assert_array_equal(heard.pcm, by_ffmpeg(wav, channels=written.channels), err_msg=f"{cut} bytes less")


ODD_RATES_HZ: Final = {
    1: 8_000,
    7: 8_000,
    999: 8_000,
    1_000: 8_000,
    7_350: 8_000,
    11_024: 11_025,
    37_800: 44_100,
    44_056: 44_100,
    44_101: 48_000,
    47_999: 48_000,
    50_000: 48_000,
    64_000: 48_000,
    88_200: 44_100,
    96_000: 48_000,
    176_400: 44_100,
    192_000: 48_000,
    352_800: 44_100,
    384_000: 48_000,
}
QUICK_HZ: Final = 1_000
"""Below this rate, few samples are used, because each one becomes many samples of the MP3."""


@pytest.mark.parametrize(
    "coding",
    [
        "16-bit",
        "32-bit float",
        *long("8-bit", "24-bit", "32-bit", "mu-law"),
    ],
)
@pytest.mark.parametrize("rate_hz", ODD_RATES_HZ)
def test_other_rates_are_resampled_as_ffmpeg_does_in_one_go(coding: str, rate_hz: int) -> None:
    """Compares only the samples up to the WAV's end."""
    samples = 20 if rate_hz < QUICK_HZ else 1_500
    written = sample(coding, samples, rate_hz=rate_hz)
    due = -(-samples * ODD_RATES_HZ[rate_hz] // rate_hz)
    expected = by_ffmpeg(with_silence_behind(written, coding), channels=2, rate_hz=ODD_RATES_HZ[rate_hz])
    for heard in reaching_lame(written.wav, block_bytes=[1_001, WHOLE]):
        assert heard.sample_rate_hz == ODD_RATES_HZ[rate_hz]
        assert_array_equal(heard.pcm, expected[:due])


def with_silence_behind(written: Sample, coding: str) -> bytes:
    """The same WAV with silence appended, so that ffmpeg's resampler outputs the last real samples."""
    at = written.wav.index(b"data")
    data = written.wav[at + 8 :]
    if coding == "32-bit float":  # ffmpeg wraps values far out of range; we clip before we resample
        data = np.clip(np.frombuffer(data, "<f4"), -1, 1).tobytes()
    silence = {"8-bit": b"\x80", "mu-law": b"\xff"}.get(coding, b"\0") * 4_096
    return riff(written.wav[12:at] + chunk(b"data", data + silence))


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize(("rate_hz", "channels"), [*product([44_100, 8_000], [1, 2])])
def test_bytes_of_half_a_sample_at_the_end_reach_nobody(bits: int, rate_hz: int, channels: int) -> None:
    whole = sample(f"{bits}-bit", 100, channels, rate_hz)
    data = whole.wav[44:]
    for extra in range(1, channels * bits // 8):
        fmt = fmt_chunk(bits=bits, channels=channels, rate=rate_hz)
        [heard] = reaching_lame(riff(fmt + chunk(b"data", data + bytes([77] * extra))))
        assert_array_equal(heard.pcm, whole.pcm)


def test_the_left_channel_comes_first_and_up_is_up() -> None:
    """A step up on the left and a larger step down on the right, in every lossless codec."""
    steps = np.array([[1_024, -2_048]] * 64 + [[0, 0]] * 64)
    for bits, tag in ((16, 1), (24, 1), (32, 1), (64, 1), (32, 3), (64, 3)):
        stored = (steps << bits - 16) if tag == 1 else (steps / 32_768)
        kind = {(24, 1): "<i4", (32, 3): "<f4", (64, 3): "<f8"}.get((bits, tag), f"<i{bits // 8}")
        data = stored.astype(kind).tobytes()
        if bits == 24:
            data = np.frombuffer(data, np.uint8).reshape(-1, 4)[:, :3].tobytes()
        [heard] = reaching_lame(riff(fmt_chunk(tag=tag, bits=bits) + chunk(b"data", data)))
        assert_array_equal(heard.pcm, steps, err_msg=f"{bits} bits of tag {tag}")


def test_every_coding_is_in_the_matrix() -> None:
    assert set(FLOATS) | set(COMPANDED) < set(KNOWN) < set(CODINGS)
