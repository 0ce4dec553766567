"""WAVs of other projects and generated odd WAVs, through the real service: each with the expected result."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts import Account
from corpus import (
    CORPUS,
    INDEX_NAME,
    THREE_SAMPLES,
    Audio,
    Outcome,
    Row,
    disagreement,
    outcome_of,
    rows,
)
from e2e.behind import Behind
from needs import skip_or_fail
from odd_wavs import odd_wavs
from pigwav.errors import BadAudio


def codes_of(kind: type[BadAudio]) -> set[str]:
    """All codes with which a WAV may be refused."""
    return {kind.code}.union(*map(codes_of, kind.__subclasses__()))


def kept(account: Account) -> list[dict]:
    answer = account.http.get("/records", params={"limit": 100}, headers=account.bearer)
    return answer.raise_for_status().json()["items"]


@pytest.fixture
def left(account: Account, inside: Behind) -> Iterator[None]:
    """Asserts that refused uploads leave no row, no object and no open upload."""
    before = inside.states()
    yield
    recordings = kept(account)
    assert len(inside.states()) == len(before) + len(recordings)
    assert "pending" not in inside.states()
    assert len(inside.objects(account.id)) == len(recordings)
    assert inside.open_uploads() == []


def corpus(*expected: str) -> list[Row]:
    return [row for row in rows() if row.expected in expected] or [Row("", "")]


def uploaded(account: Account, row: Row) -> tuple[Outcome, Audio | None]:
    if not row.file:
        skip_or_fail("wavs", f"there is no {CORPUS / INDEX_NAME}")
    wav = (CORPUS / row.file).read_bytes()
    return outcome_of(account.http, account.id, account.token, wav), row.audio(CORPUS)


def name_of(row: Row) -> str:
    return Path(row.file).name


@pytest.mark.long
@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("row", corpus("CONVERT", "CONVERT-TINY"), ids=name_of)
def test_a_good_wav_becomes_an_mp3_of_all_its_samples(account: Account, row: Row) -> None:
    outcome, audio = uploaded(account, row)
    assert disagreement(row, outcome, audio) == ""
    assert outcome.recording
    assert outcome.recording["truncated"] is False


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("row", corpus("REJECT", "POLICY"), ids=name_of)
def test_a_bad_wav_is_refused_by_name_and_leaves_nothing(account: Account, row: Row) -> None:
    outcome, audio = uploaded(account, row)
    assert disagreement(row, outcome, audio) == ""
    if row.file == THREE_SAMPLES:
        assert outcome.recording
        assert outcome.recording["truncated"] is True
        return
    assert outcome.code in codes_of(BadAudio)
    assert kept(account) == []


@pytest.mark.long
@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("kind", odd_wavs())
def test_odd_wavs_come_out_as_the_rules_say(account: Account, kind: str) -> None:
    complaints = []
    for odd in odd_wavs()[kind]:
        outcome = outcome_of(account.http, account.id, account.token, odd.body)
        assert outcome.status == 201 or outcome.code in codes_of(BadAudio), f"{odd.name}: {outcome}"
        complaints.append(odd.complaint(outcome.samples, outcome.code))
    assert [*filter(None, complaints)] == []
