"""measure's output and exit status."""

import pytest

from pigwav.cli.measure import MeasureReport
from pigwav.domain import ObjectKey
from pigwav.usecases.measure import Outcome, Visited

A, B = ObjectKey("recordings/1/a.mp3"), ObjectKey("recordings/1/\x1bb.mp3")


def report(*outcomes: Outcome) -> MeasureReport:
    made = MeasureReport()
    for number, outcome in enumerate(outcomes):
        made.add(Visited(ObjectKey(f"{number}"), outcome))
    return made


@pytest.mark.parametrize("outcome", Outcome)
def test_a_recording_that_could_not_be_measured_is_the_exit_status(outcome: Outcome) -> None:
    fine = outcome in (Outcome.MEASURED, Outcome.GONE)

    made = report(Outcome.MEASURED, outcome)

    assert made.exit_status() == (0 if fine else 1)
    assert made.as_text().count("\n") == (0 if fine else 1)
    assert fine or made.as_json()[outcome] == ["1"]
    made.broken_off = "The object store does not answer."
    assert made.exit_status() == 2


def test_it_names_each_key_and_counts_the_rest() -> None:
    made = report(Outcome.MEASURED, Outcome.MEASURED)
    made.add(Visited(A, Outcome.MISSING))
    made.add(Visited(B, Outcome.UNDECODABLE))

    assert made.as_text() == (
        "recordings/1/a.mp3: the object is missing (restore this key from your backup)\n"
        r"recordings/1/\x1bb.mp3: ffmpeg could not decode the MP3" + "\n"
        "2 recordings measured, 1 missing, 1 undecodable."
    )
    assert made.as_json() == {
        "measured": 2,
        "missing": [A],
        "damaged": [],
        "undecodable": [B],
        "unreadable": [],
    }
