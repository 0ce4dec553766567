"""doctor's output and exit status, and its read rate."""

import json

import pytest

from pigwav.cli.agreement_report import AgreementReport
from pigwav.cli.scrubbing import Scrubbed, bytes_per_s
from pigwav.domain import ObjectKey
from pigwav.usecases.check_agreement import Agreement
from pigwav.usecases.quarantine import Quarantined
from pigwav.usecases.scrub import Condition, ReadBack

A, B = ObjectKey("recordings/1/a.mp3"), ObjectKey("recordings/1/b.mp3")
AGREED, DISAGREED = Agreement(3), Agreement(3, orphans=[A])


@pytest.mark.parametrize(
    ("text", "rate"),
    [("64000", 64_000), ("64K", 64_000), ("50M", 50_000_000), ("50m", 50_000_000), ("2G", 2_000_000_000)],
)
def test_a_rate_is_bytes_with_a_decimal_unit(text: str, rate: int) -> None:
    assert bytes_per_s(text) == rate


@pytest.mark.parametrize("text", ["", "M", "63999", "0", "-5M", "1.5M", "5MiB", "5 M", "fast", "٥M"])
def test_what_is_no_rate_or_too_slow_for_a_store_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 50M"):
        bytes_per_s(text)


def scrubbed(*conditions: Condition) -> Scrubbed:
    found = Scrubbed()
    for condition in conditions:
        found.add(ReadBack(B, 10, condition))
    return found


GOOD, DAMAGED, UNREADABLE, GONE = Condition


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (AgreementReport(AGREED), 0),
        (AgreementReport(DISAGREED), 1),
        (AgreementReport(AGREED, scrubbed=scrubbed(GOOD, GONE)), 0),
        (AgreementReport(AGREED, scrubbed=scrubbed(GOOD, DAMAGED)), 1),
        (AgreementReport(AGREED, scrubbed=scrubbed(UNREADABLE)), 1),
        (AgreementReport(AGREED, Quarantined(AGREED, moved={A: B})), 0),
        (AgreementReport(AGREED, scrubbed=scrubbed(DAMAGED), broken_off="The store is away."), 2),
        (AgreementReport(), 2),
    ],
)
def test_the_exit_status_says_whether_all_is_well(report: AgreementReport, status: int) -> None:
    assert report.exit_status() == status


def test_a_recording_that_is_gone_was_not_read_back() -> None:
    assert str(scrubbed(GOOD, GONE, DAMAGED)) == "2 recordings, 0.0 MB read back"


def test_people_are_told_what_was_done_before_what_is_left() -> None:
    agreement = Agreement(7, missing=[B], quarantined=2)
    fixed = Quarantined(agreement, moved={A: ObjectKey(f"quarantine/{A}")}, aborted=[B], kept={B: "why"})

    told = AgreementReport(agreement, fixed, scrubbed(DAMAGED, UNREADABLE)).as_text().splitlines()

    assert [line.partition(" (")[0] for line in told] == [
        f"{A}: moved to quarantine/{A}",
        f"{B}: an open multipart upload without parts: aborted",
        f"{B}: left unchanged: why",
        f"{B}: a ready recording whose object is missing or has another size",
        f"{B}: the stored bytes differ from the acknowledged recording",
        f"{B}: the object store has this object but cannot read it",
        "2 objects in quarantine/",
        "2 recordings, 0.0 MB read back.",
        "Rows and objects do not agree: 7 recordings checked.",
    ]


def test_programs_are_told_the_same_with_nothing_where_nothing_was_asked() -> None:
    assert AgreementReport(AGREED).as_json() == {
        "checked": 3,
        "missing": [],
        "orphans": [],
        "pending": [],
        "open_uploads": [],
        "quarantined": 0,
    }
    whole = AgreementReport(AGREED, Quarantined(AGREED, moved={A: B}), scrubbed(GOOD)).as_json()
    assert json.loads(json.dumps(whole["fixed"])) == {
        "moved": {A: B},
        "aborted": [],
        "kept": {},
        "broken_off": None,
        "ran": True,
    }
    assert whole["scrubbed"] == {"recordings": 1, "bytes": 10, "damaged": [], "unreadable": []}


def test_a_key_that_somebody_made_up_cannot_drive_the_terminal() -> None:
    assert "\x1b" not in AgreementReport(Agreement(1, orphans=[ObjectKey("recordings/\x1b[2J")])).as_text()
