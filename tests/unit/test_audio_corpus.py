"""WAVs of other projects and generated odd WAVs: their PCM at LAME's input, and the predicted lengths.

tests/e2e/test_wav_corpus.py tests whether the service accepts or refuses them.
"""

from typing import Final

import pytest
import soundfile
from numpy.testing import assert_array_equal

from converting import convert
from corpus import CORPUS, INDEX_NAME, THREE_SAMPLES, rows
from longer import long
from needs import skip_or_fail
from odd_wav import OddWav
from odd_wavs import odd_wavs
from pigwav.errors import BadAudio
from reference import by_ffmpeg, by_libsndfile, reaching_lame

DISPUTED: Final = "24bit-4byte"
"""24 bits in 32: ffmpeg reads it as floats of an old Cool Edit, libsndfile as 24 in 24."""
DISPUTED_BY_LIBSNDFILE: Final = ("MS_ADPCM", "GSM610")
"""libsndfile rounds MS ADPCM's prediction down, ffmpeg towards 0; with GSM, libsndfile wraps beyond full scale."""


def expecting(*outcomes: str) -> list[str]:
    return [row.file for row in rows() if row.expected in outcomes and row.file != THREE_SAMPLES] or [""]


def corpus(name: str) -> bytes:
    if not name:
        skip_or_fail("wavs", f"there is no {CORPUS / INDEX_NAME}")
    return (CORPUS / name).read_bytes()


@pytest.mark.parametrize("name", expecting("CONVERT", "CONVERT-TINY"))
def test_prediction_of_a_file_comes_true(name: str) -> None:
    done = convert(corpus(name))
    assert not done.facts.truncated
    if done.conversion.expected_bytes is not None:
        assert done.conversion.first_frame == done.result.first_frame
        assert done.conversion.expected_bytes == len(done.mp3)


@pytest.mark.parametrize("name", [n for n in expecting("CONVERT", "CONVERT-TINY") if DISPUTED not in n])
def test_lame_gets_of_a_file_what_ffmpeg_and_libsndfile_decode(name: str) -> None:
    wav = corpus(name)
    [heard] = reaching_lame(wav, block_bytes=[10_007])
    rate_hz, channels = heard.sample_rate_hz, heard.pcm.shape[1]
    padded = by_ffmpeg(wav, channels=channels, rate_hz=rate_hz, filters="apad=pad_len=4096")
    assert_array_equal(heard.pcm, padded[: len(heard.pcm)])
    if read_by_libsndfile(name, rate_hz):
        assert_array_equal(heard.pcm, by_libsndfile(wav))


def read_by_libsndfile(name: str, rate_hz: int) -> bool:
    """Whether libsndfile reads the same samples: the rate must be one of MP3's, and the size must not be blank."""
    try:
        info = soundfile.info(CORPUS / name)
    except soundfile.LibsndfileError:
        return False
    return info.frames > 0 and info.samplerate == rate_hz and info.subtype not in DISPUTED_BY_LIBSNDFILE


def test_a_file_cut_down_to_three_samples_is_converted_and_marked() -> None:
    done = convert(corpus(THREE_SAMPLES if rows() else ""))
    assert (done.facts.samples, done.facts.truncated) == (3, True)


@pytest.mark.parametrize("kind", odd_wavs())
@pytest.mark.parametrize("block_bytes", [*long(1), 997, 1 << 20])
def test_odd_wavs_come_out_as_the_rules_say_however_they_arrive(kind: str, block_bytes: int) -> None:
    small_enough = [odd for odd in odd_wavs()[kind] if len(odd.body) < 100_000 * block_bytes]
    assert [*filter(None, (complaint_about(odd, block_bytes) for odd in small_enough))] == []


def complaint_about(odd: OddWav, block_bytes: int) -> str:
    try:
        return odd.complaint(convert(odd.body, block_bytes=block_bytes).facts.samples, "")
    except BadAudio as error:
        return odd.complaint(0, error.code)
