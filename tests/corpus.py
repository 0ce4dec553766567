"""A folder of WAVs with an EXPECTED.tsv, and whether what a service made of each is what it should be.

EXPECTED.tsv has a header and tab-separated columns, of which `file` and `expected` count: CONVERT, CONVERT-TINY (a few
samples), REJECT, POLICY (MP3 in a WAV: refused by our rule), EITHER. Where it has the columns `samples` and `rate`,
nobody else is asked what the file holds.
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
"""Expected to be rejected; but its 20 bytes of 24-bit stereo are three whole samples of the 187 s that it declares:
converted, and marked truncated."""

REFUSED: Final = frozenset((415, 422))
MP3_RATES_HZ: Final = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


@dataclass(frozen=True)
class Audio:
    """What a WAV holds, as others read it. `samples`: per channel."""

    samples: int
    sample_rate_hz: int

    @property
    def mp3_rate_hz(self) -> int:
        """The next one that MP3 has, else one of the highest two."""
        if self.sample_rate_hz > MP3_RATES_HZ[-1]:
            return 44_100 if self.sample_rate_hz % 44_100 == 0 else 48_000
        return min(rate for rate in MP3_RATES_HZ if rate >= self.sample_rate_hz)

    @property
    def due_samples(self) -> int:
        """In the MP3; a begun one counts."""
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
        """What this file of `folder` holds, as it is told, or as others see it."""
        return self.told or audio_in(folder / self.file)


@dataclass(frozen=True)
class Outcome:
    """What the service made of a WAV. `code`: of the problem; `recording`: the answer's document; `samples`: played."""

    status: int
    code: str = ""
    recording: dict[str, Any] | None = None
    samples: int = 0


def rows(folder: Path = CORPUS) -> list[Row]:
    """None where there is no such folder."""
    index = folder / INDEX_NAME
    if not index.exists():
        return []
    with index.open(newline="", encoding="utf-8") as lines:
        table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Row.of(row) for row in table]


def audio_in(wav: Path) -> Audio | None:
    """As libsndfile counts; as ffmpeg does where libsndfile cannot (sizes left blank, GSM with its pad byte)."""
    try:
        info = soundfile.info(wav)
    except soundfile.LibsndfileError:
        return _decoded(wav)
    if info.frames == 0 or info.subtype == "GSM610":
        return _decoded(wav)
    return Audio(info.frames, info.samplerate)


def _decoded(wav: Path) -> Audio | None:
    """ffmpeg says the rate on stderr, and the samples are counted; None where it decodes nothing."""
    command = [FFMPEG, "-nostdin", "-hide_banner", "-i", str(wav), "-ac", "1", "-f", "s16le", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    rate = re.search(r"Audio: .* (\d+) Hz", done.stderr.decode(errors="replace"))
    return Audio(len(done.stdout) // 2, int(rate[1])) if done.stdout and rate else None


def outcome_of(http: httpx2.Client, user: int, token: str, wav: bytes) -> Outcome:
    """Upload, and download and play what comes of it."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "audio/wav"}
    answer = http.post("/records", params={"user": user}, content=wav, headers=headers)
    document = answer.json()
    if answer.status_code != 201:
        return Outcome(answer.status_code, document.get("code", ""))
    mp3 = http.get(document["url"]).raise_for_status().content
    return Outcome(201, "", document, played_samples(mp3, document["channels"]))


def played_samples(mp3: bytes, channels: int) -> int:
    """Per channel, that a player which honours delay and padding plays."""
    with tempfile.NamedTemporaryFile(suffix=".mp3") as file:
        file.write(mp3)
        file.flush()
        command = [FFMPEG, "-nostdin", "-v", "error", "-i", file.name, "-f", "s16le", "-"]
        return len(subprocess.run(command, capture_output=True, check=True).stdout) // (2 * channels)


def disagreement(row: Row, outcome: Outcome, audio: Audio | None) -> str:
    """What is wrong with this outcome; empty where nothing is. `audio`: what the WAV holds, as others see it."""
    if row.file == THREE_SAMPLES:
        return _not_converted(outcome, Audio(3, 44_100))
    if row.expected.startswith("CONVERT"):
        return _not_converted(outcome, audio)
    if row.expected == "EITHER" and outcome.status == 201:
        return "" if outcome.samples else "nothing to play"
    return _not_refused(outcome, {"unsupported-codec"} if row.expected == "POLICY" else None)


def _not_refused(outcome: Outcome, codes: set[str] | None) -> str:
    if outcome.status not in REFUSED:
        return f"{outcome.status} is no refusal of a WAV"
    if not outcome.code or (codes and outcome.code not in codes):
        return f"refused as {outcome.code!r}"
    return ""


def _not_converted(outcome: Outcome, audio: Audio | None) -> str:
    if outcome.recording is None:
        return f"{outcome.status} {outcome.code}"
    if audio is None:
        return "converted, but nobody else can read it"
    if outcome.samples != audio.due_samples:
        return f"plays {outcome.samples} samples, not {audio.due_samples}"
    duration_ms = outcome.recording["duration_ms"]
    if (
        abs(duration_ms - 1000 * audio.samples / audio.sample_rate_hz) > 1
    ):  # rounded, and a begun sample counts
        return f"says {duration_ms} ms"
    return ""
