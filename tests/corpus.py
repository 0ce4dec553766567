"""A folder of WAVs with an EXPECTED.tsv, and a check of the service's result for each.

EXPECTED.tsv has a header and tab-separated columns. `file` and `expected` are required; `expected` is CONVERT,
CONVERT-TINY (a few samples), REJECT, POLICY (MP3 in a WAV, which we do not support) or EITHER. With the columns
`samples` and `rate`, libsndfile and ffmpeg are not asked about the file.
"""

import csv
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import httpx2
import soundfile

from reference import FFMPEG

CORPUS: Final = Path(os.environ.get("PIGWAV_WAV_CORPUS", Path(__file__).parents[2] / "shared" / "wavs"))
INDEX_NAME: Final = "EXPECTED.tsv"

THREE_SAMPLES: Final = "Borewit-music-metadata/test_samples_wav_odd-list-type.wav"
"""EXPECTED.tsv says REJECT, but the file's 20 bytes of 24-bit stereo are three whole samples of the declared 187 s.
The service converts it and marks it truncated."""

REFUSED: Final = frozenset((415, 422))
MP3_RATES_HZ: Final = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


@dataclass(frozen=True)
class Audio:
    """The audio in a WAV, as read by EXPECTED.tsv, libsndfile or ffmpeg. `samples`: per channel."""

    samples: int
    sample_rate_hz: int

    @property
    def mp3_rate_hz(self) -> int:
        """The lowest MP3 rate not below the WAV's; above 48 kHz, 44.1 kHz for its multiples and 48 kHz otherwise."""
        if self.sample_rate_hz > MP3_RATES_HZ[-1]:
            return 44_100 if self.sample_rate_hz % 44_100 == 0 else 48_000
        return min(rate for rate in MP3_RATES_HZ if rate >= self.sample_rate_hz)

    @property
    def due_samples(self) -> int:
        """The number of samples per channel in the MP3, rounded up."""
        return -(-self.samples * self.mp3_rate_hz // self.sample_rate_hz)


@dataclass(frozen=True)
class Row:
    file: str
    expected: str
    told: Audio | None = None

    @classmethod
    def of(cls, row: dict[str, str]) -> Self:
        told = Audio(int(row["samples"]), int(row["rate"])) if row.get("samples") else None
        return cls(row["file"], row["expected"], told)

    def audio(self, folder: Path) -> Audio | None:
        """The audio in this file: from EXPECTED.tsv, otherwise as libsndfile or ffmpeg reads it."""
        return self.told or audio_in(folder / self.file)


@dataclass(frozen=True)
class Outcome:
    """The service's result for a WAV. `code`: the problem's; `recording`: the 201's body; `samples`: in the MP3."""

    status: int
    code: str = ""
    recording: dict[str, Any] | None = None
    samples: int = 0


def rows(folder: Path = CORPUS) -> list[Row]:
    """The rows of EXPECTED.tsv; empty if the folder does not exist."""
    index = folder / INDEX_NAME
    if not index.exists():
        return []
    with index.open(newline="", encoding="utf-8") as lines:
        table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Row.of(row) for row in table]


def audio_in(wav: Path) -> Audio | None:
    """As libsndfile reads it, or as ffmpeg does if libsndfile cannot (blank sizes, GSM with a pad byte)."""
    try:
        info = soundfile.info(wav)
    except soundfile.LibsndfileError:
        return _decoded(wav)
    if info.frames == 0 or info.subtype == "GSM610":
        return _decoded(wav)
    return Audio(info.frames, info.samplerate)


def _decoded(wav: Path) -> Audio | None:
    """Takes the rate from ffmpeg's stderr and counts the decoded samples. None if it decodes nothing."""
    command = [FFMPEG, "-nostdin", "-hide_banner", "-i", str(wav), "-ac", "1", "-f", "s16le", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    rate = re.search(r"Audio: .* (\d+) Hz", done.stderr.decode(errors="replace"))
    return Audio(len(done.stdout) // 2, int(rate[1])) if done.stdout and rate else None


def outcome_of(http: httpx2.Client, user: int, token: str, wav: bytes) -> Outcome:
    """Uploads the WAV, downloads the MP3 and decodes it."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "audio/wav"}
    answer = http.post("/records", params={"user": user}, content=wav, headers=headers)
    document = answer.json()
    if answer.status_code != 201:
        return Outcome(answer.status_code, document.get("code", ""))
    mp3 = http.get(document["url"]).raise_for_status().content
    return Outcome(201, "", document, played_samples(mp3, document["channels"]))


def played_samples(mp3: bytes, channels: int) -> int:
    """Samples per channel of the decoded MP3, without encoder delay and padding.

    `-f mp3`: ffmpeg guesses from the bytes, and takes a few frames of noise for H.263, or for nothing it knows.
    """
    with tempfile.NamedTemporaryFile(suffix=".mp3") as file:
        file.write(mp3)
        file.flush()
        command = [FFMPEG, "-nostdin", "-v", "error", "-f", "mp3", "-i", file.name, "-f", "s16le", "-"]
        return len(subprocess.run(command, capture_output=True, check=True).stdout) // (2 * channels)


def disagreement(row: Row, outcome: Outcome, audio: Audio | None) -> str:
    """What is wrong with this outcome; empty if it is right. `audio`: the audio in the WAV, as others read it."""
    if row.file == THREE_SAMPLES:
        return _not_converted(outcome, Audio(3, 44_100))
    if row.expected.startswith("CONVERT"):
        return _not_converted(outcome, audio)
    if row.expected == "EITHER" and outcome.status == 201:
        return "" if outcome.samples else "nothing to play"
    return _not_refused(outcome, {"unsupported-codec"} if row.expected == "POLICY" else None)


def _not_refused(outcome: Outcome, codes: set[str] | None) -> str:
    if outcome.status not in REFUSED:
        return f"{outcome.status} is not a refusal of a WAV"
    if not outcome.code or (codes and outcome.code not in codes):
        return f"refused as {outcome.code!r}"
    return ""


def _not_converted(outcome: Outcome, audio: Audio | None) -> str:
    if outcome.recording is None:
        return f"{outcome.status} {outcome.code}"
    if audio is None:
        return "converted, but neither libsndfile nor ffmpeg can read it"
    if outcome.samples != audio.due_samples:
        return f"plays {outcome.samples} samples, not {audio.due_samples}"
    duration_ms = outcome.recording["duration_ms"]
    if abs(duration_ms - 1000 * audio.samples / audio.sample_rate_hz) > 1:  # rounded; samples are rounded up
        return f"declares {duration_ms} ms"
    return ""
