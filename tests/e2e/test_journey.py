"""The main journey over the real `pigwav up`: register, upload, download; with testAPI.py and the command line."""

import re
import subprocess
from array import array
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from accounts import Account
from e2e.behind import Behind
from e2e.playing import difference, mu_law_wav, played
from e2e.programs import Ended, run_pigwav, run_testapi
from factories import pcm, wav
from running_up import RunningUp

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
MIB = 1024 * 1024

Upload = Callable[[Account, Path], Ended]


def with_testapi(account: Account, file: Path) -> Ended:
    who = ("-d", account.id, "-t", account.token)
    return run_testapi("-m", "wav_upload", *who, "-i", file, "-a", account.http.base_url)


def with_pigwav(account: Account, file: Path) -> Ended:
    credentials = {"PIGWAV_USER": str(account.id), "PIGWAV_TOKEN": account.token}
    return run_pigwav("upload", file, PIGWAV_URL=str(account.http.base_url), **credentials)


both_programs = pytest.mark.parametrize("upload", [with_testapi, with_pigwav], ids=["testAPI.py", "pigwav"])


def fetched(link: str) -> bytes:
    answer = httpx2.get(link)
    assert answer.status_code == 200
    return answer.content


def recordings(account: Account) -> list[dict]:
    return account.http.get("/records", headers=account.bearer).json()["items"]


def test_the_three_lines_of_testapi_speak_as_people_know_them(up: RunningUp, tmp_path: Path) -> None:
    service = f"http://localhost:{urlsplit(up.url).port}"
    (tmp_path / "test.wav").write_bytes(wav(seconds=2))

    registered = run_testapi("-m", "reg_user", "-u", "testuser", "-a", service)
    user = re.fullmatch(rf"User ID: (\d+)\nToken: ({UUID})\n", registered.stdout)
    assert user, registered
    who = ("-d", user[1], "-t", user[2])
    uploaded = run_testapi("-m", "wav_upload", *who, "-i", "test.wav", "-a", service, folder=tmp_path)
    link = re.fullmatch(rf"Download link: ({service}/record\?id={UUID}&user={user[1]})\n", uploaded.stdout)
    assert link, uploaded
    downloaded = run_testapi("-m", "mp3_download", "-o", "test.mp3", "-a", link[1], folder=tmp_path)

    assert (downloaded.stdout, downloaded.stderr, downloaded.returncode) == ("", "", 0)
    assert (tmp_path / "test.mp3").read_bytes() == fetched(link[1])
    assert len(played(tmp_path / "test.mp3")) == 2 * 2 * 44_100


def test_the_three_commands_of_pigwav_do_the_same(up: RunningUp, tmp_path: Path) -> None:
    (tmp_path / "test.wav").write_bytes(wav(seconds=2))

    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}  # `register` saves credentials there
    registered = run_pigwav("register", "Вася", PIGWAV_URL=up.url, **home)
    user = re.fullmatch(rf"User ID: (\d+)\nToken: ({UUID})\n", registered.stdout)
    assert user, registered
    credentials = {"PIGWAV_URL": up.url, "PIGWAV_USER": user[1], "PIGWAV_TOKEN": user[2]}
    uploaded = run_pigwav("upload", "test.wav", folder=tmp_path, **credentials)
    link = re.fullmatch(rf"({up.url}/record\?id={UUID}&user={user[1]})\n", uploaded.stdout)
    assert link, uploaded
    downloaded = run_pigwav("download", link[1], "-o", "test.mp3", folder=tmp_path)

    assert (downloaded.stdout, downloaded.stderr, downloaded.returncode) == ("", "", 0)
    assert (tmp_path / "test.mp3").read_bytes() == fetched(link[1])
    assert len(played(tmp_path / "test.mp3")) == 2 * 2 * 44_100


def test_pigwav_uploads_what_is_piped_into_it(account: Account, tmp_path: Path) -> None:
    (tmp_path / "test.wav").write_bytes(wav(seconds=1))
    who = ("--user", account.id, "--token", account.token, "--url", account.http.base_url)

    with subprocess.Popen(["cat", tmp_path / "test.wav"], stdout=subprocess.PIPE) as cat:
        uploaded = run_pigwav("upload", "-", "--title", "Из трубы", "--bitrate", 320, *who, stdin=cat.stdout)

    assert uploaded.returncode == 0, uploaded
    [recording] = recordings(account)
    assert uploaded.stdout == f"{recording['url']}\n"
    assert (recording["title"], recording["bitrate_kbps"]) == ("Из трубы", 320)


@both_programs
def test_a_cyrillic_file_name_becomes_title_and_download_name(
    account: Account, upload: Upload, tmp_path: Path
) -> None:
    file = tmp_path / "Запись совещания №1.wav"
    file.write_bytes(wav(seconds=0.5))

    assert upload(account, file).returncode == 0

    [recording] = recordings(account)
    assert recording["title"] == "Запись совещания №1"
    name = httpx2.head(recording["url"]).headers["Content-Disposition"]
    assert name.endswith(
        "filename*=UTF-8''%D0%97%D0%B0%D0%BF%D0%B8%D1%81%D1%8C%20%D1%81%D0%BE%D0%B2%D0%B5%D1%89"
        "%D0%B0%D0%BD%D0%B8%D1%8F%20%E2%84%961.mp3"
    )


@both_programs
def test_a_text_file_named_wav_is_told_and_leaves_nothing(
    account: Account, upload: Upload, inside: Behind, tmp_path: Path
) -> None:
    file = tmp_path / "notes.wav"
    file.write_text("#EXTM3U\nfile:///etc/passwd\n" * 1000)

    ended = upload(account, file)

    assert (ended.returncode, ended.stdout) == ({with_testapi: 1, with_pigwav: 4}[upload], "")
    assert "not-a-wav" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (recordings(account), inside.objects(account.id)) == ([], [])


@both_programs
def test_a_typo_in_the_token_of_a_large_upload_is_told_and_not_a_broken_pipe(
    account: Account, upload: Upload, tmp_path: Path
) -> None:
    file = tmp_path / "large.wav"
    file.write_bytes(wav(seconds=1, data_size=200 * MIB))
    with file.open("r+b") as sparse:
        sparse.truncate(200 * MIB)
    typo = account.token[:-1] + ("0" if account.token[-1] != "0" else "1")

    ended = upload(Account(account.http, account.id, typo), file)

    assert (ended.returncode, ended.stdout) == ({with_testapi: 1, with_pigwav: 3}[upload], "")
    assert "do not match" in ended.stderr
    assert "not-authenticated" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("program", ["testAPI.py", "pigwav"])
def test_a_name_that_is_taken_is_told(up: RunningUp, program: str) -> None:
    def register() -> Ended:
        if program == "pigwav":
            return run_pigwav("register", "Ёлка", "--no-save", PIGWAV_URL=up.url)
        return run_testapi("-m", "reg_user", "-u", "taken", "-a", up.url)

    assert register().returncode == 0
    again = register()

    assert (again.returncode, again.stdout) == (4 if program == "pigwav" else 1, "")
    assert "A user of this name exists." in again.stderr
    assert len(again.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("shape", "bitrate_kbps"),
    [
        pytest.param({"seconds": 1.2345}, None, id="16-bit stereo"),
        pytest.param({"seconds": 3.21, "rate": 8000, "channels": 1}, None, id="mono at 8 kHz"),
        pytest.param({"seconds": 1.2345, "rate": 48_000, "bits": 24}, None, id="24-bit"),
        pytest.param(
            {"seconds": 150.01, "rate": 32_000, "channels": 1}, 320, id="longer than one part of 5 MiB"
        ),
    ],
)
def test_the_mp3_plays_exactly_the_samples_of_the_wav(
    account: Account, tmp_path: Path, shape: dict, bitrate_kbps: int | None
) -> None:
    query = {"bitrate": bitrate_kbps} if bitrate_kbps else {}
    recorded = array("h", pcm(**as_16_bit(**shape)))

    heard = heard_of(account, wav(**shape), tmp_path, **query)

    assert len(heard) == len(recorded)
    assert difference(heard[-20_000:], recorded[-20_000:]) < 0.01


def as_16_bit(*, seconds: float, rate: int = 44_100, channels: int = 2, bits: int = 16) -> dict[str, int]:
    """The arguments for the same audio in 16 bits."""
    return {"samples": round(seconds * rate), "rate": rate, "channels": channels}


def test_a_telephone_recording_plays_exactly_its_samples(account: Account, tmp_path: Path) -> None:
    recorded = array("h", pcm(12_345, rate=8000, channels=1))

    heard = heard_of(account, mu_law_wav(recorded, rate=8000), tmp_path)

    assert len(heard) == len(recorded)
    assert difference(heard, recorded) < 0.01


def heard_of(account: Account, body: bytes, folder: Path, **query: object) -> "array[int]":
    """Uploads `body`; returns the decoded samples of its MP3."""
    uploaded = account.upload_raw(body, **query)
    assert uploaded.status_code == 201, uploaded.text
    mp3 = folder / "recording.mp3"
    mp3.write_bytes(fetched(uploaded.json()["url"]))
    return played(mp3)


def test_no_token_and_no_link_is_in_any_log_line(up: RunningUp, account: Account) -> None:
    recording = account.recording(title="Secret plans")
    account.http.get(recording["url"])
    account.http.get("/records", headers=account.bearer)
    account.upload_form(b"nonsense")

    log = up.log.read_text()

    assert recording["id"] in log, "the log knows the recording by its id"
    assert account.token not in log
    assert "/record?" not in log
    assert "user=" not in log
    assert "Secret plans" not in log
