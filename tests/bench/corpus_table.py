"""Uploads a folder of WAVs to a running PigWav; downloads, decodes and compares each MP3 with its WAV.

python tests/bench/corpus_table.py [FOLDER]    FOLDER has an EXPECTED.tsv (see tests/corpus.py); default: the corpus

The exit code is 1 if a result differs from EXPECTED.tsv. `python tests/odd_wavs.py FOLDER` generates more files.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import RunningPigWav, running_pigwav
from corpus import CORPUS, Audio, Outcome, Row, disagreement, outcome_of, rows

COLUMNS = "{:<58} {:<13} {:<32} {:>9} {:>9} {:>10}  {}"


def main(folder: Path = CORPUS) -> int:
    table = rows(folder)
    if not table:
        sys.exit(f"there is no EXPECTED.tsv in {folder}")
    print(COLUMNS.format("file", "expected", "answer", "due", "played", "ms", "ok"))
    with running_pigwav() as pigwav, closing(httpx2.Client(base_url=pigwav.url, timeout=120)) as http:
        wrong = [*_wrong(pigwav, http, folder, table)]
    print(f"{len(table)} files, {len(wrong)} not as expected; {_summary(table)}")
    return 1 if wrong else 0


def _wrong(pigwav: RunningPigWav, http: httpx2.Client, folder: Path, table: list[Row]) -> Iterator[Row]:
    """Prints every row; yields those whose result differs from the expected one."""
    for row in table:
        outcome = outcome_of(http, pigwav.user, pigwav.token, (folder / row.file).read_bytes())
        audio = row.audio(folder) if outcome.recording else None
        complaint = disagreement(row, outcome, audio)
        print(_line(row, outcome, audio, complaint))
        if complaint:
            yield row


def _line(row: Row, outcome: Outcome, audio: Audio | None, complaint: str) -> str:
    answer = f"{outcome.status} {outcome.code}".strip()
    due = audio.due_samples if audio else "-"
    played, duration_ms = (
        (outcome.samples, outcome.recording["duration_ms"]) if outcome.recording else ("-", "-")
    )
    name = Path(row.file).name[-58:]
    return COLUMNS.format(name, row.expected, answer, due, played, duration_ms, complaint or "ok")


def _summary(table: list[Row]) -> str:
    return ", ".join(f"{count} {expected}" for expected, count in Counter(r.expected for r in table).items())


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
