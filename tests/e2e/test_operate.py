"""The operator's commands with a running `pigwav up` of two workers, and the workers' cooperation."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx2
import psutil
import pytest

from accounts import Account, register
from databases import empty_database
from e2e.behind import Behind
from e2e.open_upload import open_upload
from e2e.programs import NOTHING_WRONG, PIGWAV, Ended, doctor, run_pigwav
from e2e.serve import serving
from factories import wav
from running_up import RunningUp, plain_environment
from waiting import wait_until


@pytest.fixture(scope="module")
def workers() -> int:
    return 2


def test_doctor_agrees_with_a_running_up_and_its_live_uploads(up: RunningUp, account: Account) -> None:
    account.recording()
    with open_upload(account, wav(seconds=1)) as upload:
        wait_until(lambda: open_uploads(up) == 1)

        code, findings = doctor(up.data)
        upload.finish()

    assert code == 0
    assert findings.pop("checked") >= 1
    assert findings == NOTHING_WRONG
    in_words = run_pigwav("doctor", "--data", up.data)
    assert (in_words.returncode, in_words.stderr) == (0, "")
    assert in_words.stdout.startswith("Rows and objects agree: ")


def open_uploads(up: RunningUp) -> float:
    return metric(httpx2.get(f"{up.url}/metrics").text, "pigwav_uploads_open")


def metric(exposition: str, name: str) -> float:
    """The value of this sample; 0 if it is missing."""
    values = [line.rpartition(" ")[2] for line in exposition.splitlines() if line.startswith(f"{name} ")]
    return float(values[0]) if values else 0


@pytest.fixture
def lost_object(account: Account, inside: Behind) -> Iterator[str]:
    recording = account.recording()
    [key] = inside.objects(account.id)
    inside.s3.delete_object(Bucket=inside.bucket, Key=key)
    yield key
    account.http.delete(f"/records/{recording['id']}", headers=account.bearer)


@pytest.fixture
def orphan(account: Account, inside: Behind) -> Iterator[str]:
    account.recording()
    key = f"recordings/1/2026/11/{uuid4()}.mp3"
    inside.s3.put_object(Bucket=inside.bucket, Key=key, Body=b"mp3", ContentType="audio/mpeg")
    yield key
    for left in (key, f"quarantine/{key}"):
        inside.s3.delete_object(Bucket=inside.bucket, Key=left)


@pytest.fixture
def stray_upload(inside: Behind) -> Iterator[str]:
    key = f"recordings/1/2026/11/{uuid4()}.mp3"
    begun = inside.s3.create_multipart_upload(Bucket=inside.bucket, Key=key)
    yield key
    inside.s3.abort_multipart_upload(Bucket=inside.bucket, Key=key, UploadId=begun["UploadId"])


@pytest.mark.parametrize(
    ("damage", "finding"),
    [("lost_object", "missing"), ("orphan", "orphans"), ("stray_upload", "open_uploads")],
)
def test_doctor_names_what_was_done_behind_its_back(
    request: pytest.FixtureRequest, up: RunningUp, damage: str, finding: str
) -> None:
    key = request.getfixturevalue(damage)

    code, findings = doctor(up.data)

    assert code == 1
    del findings["checked"]
    assert findings == NOTHING_WRONG | {finding: [key]}


def test_doctor_says_in_words_what_is_wrong(up: RunningUp, lost_object: str) -> None:
    ended = run_pigwav("doctor", "--data", up.data)

    assert ended.returncode == 1
    assert f"{lost_object}: a ready recording whose object is missing or has another size" in ended.stdout
    assert "Rows and objects do not agree: " in ended.stdout


def test_doctor_moves_an_orphan_into_the_quarantine_and_the_next_one_agrees(
    up: RunningUp, inside: Behind, orphan: str
) -> None:
    fixed = run_pigwav("doctor", "--fix", "--data", up.data)
    code, findings = doctor(up.data)

    assert (fixed.returncode, fixed.stderr) == (0, "")
    assert f"{orphan}: moved to quarantine/{orphan}\n" in fixed.stdout
    assert "\n1 objects in quarantine/" in fixed.stdout
    assert code == 0
    del findings["checked"]
    assert findings == NOTHING_WRONG | {"quarantined": 1}
    moved = inside.s3.get_object(Bucket=inside.bucket, Key=f"quarantine/{orphan}")
    assert (moved["Body"].read(), moved["ContentType"]) == (b"mp3", "audio/mpeg")
    assert orphan not in inside.objects()


def test_doctor_does_not_fix_what_only_an_operator_can(
    up: RunningUp, account: Account, lost_object: str, stray_upload: str
) -> None:
    account.recording()

    fixed = run_pigwav("doctor", "--fix", "--json", "--data", up.data)

    assert (fixed.returncode, fixed.stderr) == (1, "")
    findings = json.loads(fixed.stdout)
    assert (findings["missing"], findings["open_uploads"]) == ([lost_object], [stray_upload])
    assert (findings["fixed"]["moved"], findings["fixed"]["aborted"]) == ({}, [])
    assert findings["fixed"]["kept"] == {stray_upload: "begun less than 24 hours ago"}


def test_scrub_finds_bytes_that_rotted_and_leaves_them(
    up: RunningUp, account: Account, inside: Behind
) -> None:
    account.recording()
    [key] = inside.objects(account.id)
    good = inside.s3.get_object(Bucket=inside.bucket, Key=key)["Body"].read()
    rotten = good[:-1] + bytes([good[-1] ^ 1])
    inside.s3.put_object(Bucket=inside.bucket, Key=key, Body=rotten)

    found = run_pigwav("doctor", "--scrub", "--data", up.data)
    left = inside.s3.get_object(Bucket=inside.bucket, Key=key)["Body"].read()
    inside.s3.put_object(Bucket=inside.bucket, Key=key, Body=good)
    mended = run_pigwav("doctor", "--scrub", "--scrub-for", "600", "--json", "--data", up.data)

    assert (found.returncode, found.stderr) == (1, "")
    assert f"{key}: the stored bytes differ from the acknowledged recording" in found.stdout
    assert left == rotten
    assert (mended.returncode, mended.stderr) == (0, "")
    scrubbed = json.loads(mended.stdout)["scrubbed"]
    assert (scrubbed["damaged"], scrubbed["unreadable"]) == ([], [])
    assert scrubbed["recordings"] == inside.states().count("ready")


def test_ctrl_c_ends_a_scrub_after_the_recording_at_hand(
    up: RunningUp, account: Account, inside: Behind
) -> None:
    for _ in range(8):
        account.recording(seconds=2)
    before = inside.scrubbed()
    command = [sys.executable, *PIGWAV, "doctor", "--scrub", "--scrub-rate", "64K", "--data", str(up.data)]
    with subprocess.Popen(
        command, env=plain_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as scrub:
        wait_until(lambda: inside.scrubbed() > before)
        scrub.send_signal(signal.SIGINT)
        said, complained = scrub.communicate(timeout=60)

    done = inside.scrubbed() - before
    assert (scrub.returncode, complained) == (0, "")
    assert 0 < done < inside.states().count("ready")
    assert f"\n{done} recordings, " in f"\n{said}"


def test_measure_gives_older_recordings_levels_while_the_service_runs(
    up: RunningUp, account: Account, inside: Behind
) -> None:
    older, lost = account.recording(), account.recording(seconds=1)
    keys = inside.objects(account.id)
    [lost_key] = [key for key in keys if lost["id"] in key]
    inside.forget_levels(older["id"], lost["id"])
    inside.s3.delete_object(Bucket=inside.bucket, Key=lost_key)

    first = run_pigwav("measure", "--limit", "1", "--data", up.data)
    second = run_pigwav("measure", "--json", "--data", up.data)
    account.http.delete(f"/records/{lost['id']}", headers=account.bearer)
    third = run_pigwav("measure", "--data", up.data)

    found = account.http.get(f"/records/{older['id']}", headers=account.bearer).json()
    assert found["levels"]["measured_from"] == "mp3"
    assert found["levels"]["loudness_lufs"] == pytest.approx(older["levels"]["loudness_lufs"], abs=0.2)
    assert "1 recordings measured" in first.stdout
    assert (second.returncode, second.stderr) == (1, "")
    assert json.loads(second.stdout) == {
        "measured": 0,
        "missing": [lost_key],
        "damaged": [],
        "undecodable": [],
        "unreadable": [],
    }
    assert (third.returncode, third.stdout, third.stderr) == (0, "0 recordings measured.\n", "")


@pytest.mark.parametrize(
    "options",
    [
        ["--scrub", "--scrub-rate", "1K"],
        ["--scrub-for", "60"],
        ["--scrub-rate", "20M"],
        ["--scrub-rate", "50M"],
    ],
    ids=" ".join,
)
def test_doctor_refuses_what_cannot_be_meant(options: list[str], tmp_path: Path) -> None:
    ended = run_pigwav("doctor", *options, folder=tmp_path)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert next(word for word in options if word != "--scrub") in ended.stderr


STORE_AWAY = {"PIGWAV_S3_BUCKET": "bucket", "PIGWAV_S3_ENDPOINT": "http://127.0.0.1:1"}
DATABASE_AWAY = {"PIGWAV_DATABASE_URL": "postgresql://u:p@127.0.0.1:1/d"}


@pytest.mark.parametrize(
    ("command", "environment", "code"),
    [
        pytest.param("doctor", STORE_AWAY | DATABASE_AWAY, 2, id="doctor, nobody answers"),
        pytest.param("doctor", STORE_AWAY, 2, id="doctor, configured in half"),
        pytest.param("doctor --fix --scrub", STORE_AWAY | DATABASE_AWAY, 2, id="doctor with all it can do"),
        pytest.param("sweep", STORE_AWAY | DATABASE_AWAY, 1, id="sweep, nobody answers"),
        pytest.param("measure", STORE_AWAY | DATABASE_AWAY, 2, id="measure, nobody answers"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    command: str, environment: dict[str, str], code: int, tmp_path: Path
) -> None:
    ended = run_pigwav(*command.split(), folder=tmp_path, **environment)

    assert (ended.returncode, ended.stdout) == (code, "")
    assert_one_sentence(ended)
    assert list(tmp_path.iterdir()) == []


def assert_one_sentence(ended: Ended) -> None:
    assert ended.stderr.startswith("pigwav: ")
    assert len(ended.stderr.splitlines()) == 1, ended.stderr


def test_sweep_beside_a_running_up_removes_the_bytes_of_deleted_recordings(
    up: RunningUp, account: Account, inside: Behind
) -> None:
    gone, kept = account.recording(), account.recording()
    account.http.delete(f"/records/{gone['id']}", headers=account.bearer)
    assert len(inside.objects(account.id)) == 2

    swept = run_pigwav("sweep", "--data", up.data)

    assert (swept.returncode, swept.stderr) == (0, "")
    assert swept.stdout.startswith("Aborted: 0 uploads. Removed: ")
    [key] = inside.objects(account.id)
    assert kept["id"] in key
    assert "deleted" not in inside.states()


def api_processes(up: RunningUp) -> list[psutil.Process]:
    children = psutil.Process(up.process.pid).children()
    return [child for child in children if "serve" in child.cmdline()]


@contextmanager
def only(worker: psutil.Process, others: Sequence[psutil.Process]) -> Iterator[None]:
    """Suspends the other workers during the block, so that only `worker` answers."""
    silent = [other for other in others if other != worker]
    for other in silent:
        other.suspend()
    try:
        wait_until(lambda: all(other.status() == psutil.STATUS_STOPPED for other in silent))
        yield
    finally:
        for other in silent:
            other.resume()


def test_either_worker_plays_what_the_other_one_stored(up: RunningUp) -> None:
    one, other = both = api_processes(up)
    for storing, playing in ((one, other), (other, one)):
        with only(storing, both), httpx2.Client(base_url=up.url, timeout=30) as http:
            recording = register(http).recording()
        with only(playing, both):
            mp3 = httpx2.get(recording["url"], timeout=30)
        assert (mp3.status_code, len(mp3.content)) == (200, recording["bytes"])


def test_whichever_worker_answers_metrics_counts_all_of_them(up: RunningUp) -> None:
    stored = 'pigwav_uploads_total{outcome="stored"}'
    both = api_processes(up)
    before = metric(httpx2.get(f"{up.url}/metrics").text, stored)
    for worker in both:
        with only(worker, both), httpx2.Client(base_url=up.url, timeout=30) as http:
            register(http).recording()
    for worker in both:
        with only(worker, both):
            exposition = httpx2.get(f"{up.url}/metrics", timeout=30).text
        assert metric(exposition, stored) == before + len(both)


def test_serve_on_configured_parts_shares_them_and_sweeps_by_itself(
    up: RunningUp, inside: Behind, tmp_path: Path
) -> None:
    environment = inside.address.environment() | {"PIGWAV_SWEEP_EVERY_S": "0.2"}
    with serving(environment, tmp_path / "serve.log") as url, httpx2.Client(base_url=url) as http:
        account = register(http)
        recording = account.recording()
        assert recording["url"].startswith(f"{url}/record?")
        path = recording["url"].removeprefix(url)
        assert httpx2.get(f"{up.url}{path}").content == httpx2.get(f"{url}{path}").content

        http.delete(f"/records/{recording['id']}", headers=account.bearer)

        wait_until(lambda: inside.objects(account.id) == [])


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["migrate"]], ids=["serve", "migrate"])
def test_what_needs_configuration_and_has_none_says_so_in_one_sentence(command: list[str]) -> None:
    ended = run_pigwav(*command)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert_one_sentence(ended)
    assert "PIGWAV_DATABASE_URL is not set" in ended.stderr


@pytest.mark.parametrize(("command", "code"), [("doctor", 2), ("sweep", 1)])
@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_data_is_refused_and_stays_as_it_is(
    command: str, code: int, tmp_path: Path, *, made: bool
) -> None:
    typo = tmp_path / "typo"
    if made:
        typo.mkdir()

    ended = run_pigwav(command, "--data", typo)

    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr == f"pigwav: There is no PigWav data in {typo}.\n"
    assert [*tmp_path.rglob("*")] == ([typo] if made else [])


def test_doctor_without_a_schema_could_not_check_and_says_why(inside: Behind) -> None:
    database = {"PIGWAV_DATABASE_URL": empty_database(inside.address.database_url)}

    ended = run_pigwav("doctor", **(inside.address.environment() | database))

    assert (ended.returncode, ended.stdout) == (2, "")
    assert_one_sentence(ended)
    assert 'relation "recordings" does not exist' in ended.stderr


def test_migrate_makes_the_schema_and_may_be_repeated(inside: Behind) -> None:
    url = empty_database(inside.address.database_url)

    first = run_pigwav("migrate", PIGWAV_DATABASE_URL=url)
    second = run_pigwav("migrate", POSTGTRES_SQL_URI=url)

    assert first.stdout.startswith("The schema is at revision ")
    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
