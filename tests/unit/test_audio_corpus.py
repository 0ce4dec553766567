"""WAV files that others wrote, as odd as they come (see the corpus' README); skipped where it is not at hand."""

import csv
import os
from pathlib import Path

import pytest

from converting import convert, played
from needs import miss
from pigwav.errors import BadAudio, UnsupportedCodec

CORPUS = Path(os.environ.get("PIGWAV_WAV_CORPUS", Path(__file__).parents[3] / "shared" / "wavs"))
INDEX = CORPUS / "EXPECTED.tsv"

# Its 20 bytes of 24-bit stereo are three whole samples of the 187 s that it declares: converted, and marked truncated.
THREE_SAMPLES = "Borewit-music-metadata/test_samples_wav_odd-list-type.wav"


def rows() -> list[dict[str, str]]:
    if not INDEX.exists():
        return []
    with INDEX.open(newline="", encoding="utf-8") as index:
        return list(csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE))


def expecting(*outcomes: str) -> list[str]:
    return [
        row["file"] for row in rows() if row["expected"] in outcomes and row["file"] != THREE_SAMPLES
    ] or [""]


def corpus(name: str) -> bytes:
    if not name:
        miss("wavs", f"there is no {INDEX}")
    return (CORPUS / name).read_bytes()


@pytest.mark.parametrize("name", expecting("CONVERT", "CONVERT-TINY"))
def test_convertible_file_becomes_an_mp3_of_all_its_samples(name: str, tmp_path: Path) -> None:
    done = convert(corpus(name))
    channels = done.conversion.channels
    assert len(played(done.mp3, tmp_path, channels=channels)) == done.result.samples * channels * 2
    assert done.result.samples > 0
    assert not done.result.truncated
    if done.conversion.expected_bytes is not None:
        assert done.conversion.first_frame == done.result.first_frame


@pytest.mark.parametrize("name", expecting("REJECT"))
def test_inconvertible_file_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadAudio):
        convert(corpus(name))


@pytest.mark.parametrize("name", expecting("POLICY"))
def test_mp3_in_a_wav_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedCodec, match="MP3"):
        convert(corpus(name))


def test_a_file_cut_down_to_three_samples_is_converted_and_marked() -> None:
    done = convert(corpus(THREE_SAMPLES if INDEX.exists() else ""))
    assert (done.result.samples, done.result.truncated) == (3, True)
