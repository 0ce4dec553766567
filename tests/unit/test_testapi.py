"""testAPI.py as a program: options, and exact output."""

import asyncio
import hashlib
import os
import pty
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from fakes.stub_service import Received, Reply, problem, stub_service
from pigwav.api.multipart import UploadForm

PROGRAM = Path(__file__).parents[2] / "testAPI.py"
TOKEN = "23e10bfa-ce68-4444-95dd-4af608f2bf47"
LINK = "http://localhost:8080/record?id=afadaeeb-2842-41de-987c-ae31169310b5&user=1"
MP3 = b"\xff\xfb" * 100_000
MP3_HEADERS = {"ETag": f'"{hashlib.sha256(MP3).hexdigest()}"', "Content-Type": "audio/mpeg"}


def run(*options: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, PROGRAM, *map(str, options)]
    variables = os.environ | environment
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)


def run_on_a_terminal(*options: object) -> str:
    """Runs it with a terminal as standard error; returns the terminal's text."""
    terminal, side = pty.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as shown:
        command = [sys.executable, PROGRAM, *map(str, options)]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=side, timeout=60, check=True)
        text = shown.read(65536).decode()
        os.close(side)
        return text


def form_of(received: Received) -> tuple[dict[str, str], str | None, bytes]:
    """The form as the service reads it: fields before the file, the file's name, its bytes."""

    async def body() -> AsyncIterator[bytes]:
        yield received.body

    async def read() -> tuple[dict[str, str], str | None, bytes]:
        form = UploadForm(received.headers["Content-Type"], body())
        await form.until_file()
        return form.fields, form.filename, b"".join([block async for block in form.file()])

    return asyncio.run(read())


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / 'Запись "1".wav'
    path.write_bytes(b"RIFF" + bytes(300_000))
    return path


def test_registering_prints_id_and_token() -> None:
    reply = Reply.json(201, {"id": 1, "name": "Пётр", "token": TOKEN})
    with stub_service(lambda *_: reply) as stub:
        done = run("-m", "reg_user", "-u", "Пётр", "-a", stub.url + "/")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"User ID: 1\nToken: {TOKEN}\n", "")
    assert (stub.received[0].method, stub.received[0].target) == ("POST", "/users")
    assert stub.received[0].body.decode("unicode_escape") == '{"name": "Пётр"}'


def test_upload_sends_credentials_first_and_prints_the_link(wav: Path) -> None:
    with stub_service(lambda *_: Reply.json(201, {"id": "x", "url": LINK})) as stub:
        done = run("-m", "wav_upload", "-d", 1, "-t", TOKEN, "-i", wav, "-a", stub.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Download link: {LINK}\n", "")
    [received] = stub.received
    assert (received.method, received.target) == ("POST", "/records")
    assert received.headers["Content-Length"] == str(len(received.body))
    assert form_of(received) == ({"user_id": "1", "token": TOKEN}, wav.name, wav.read_bytes())


@pytest.fixture
def large_wav(tmp_path: Path) -> Path:
    path = tmp_path / "large.wav"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    return path


@pytest.mark.parametrize("reads", ["first", "after", "never"])
def test_refusal_of_a_large_upload_is_shown_and_not_a_broken_pipe(
    large_wav: Path, reads: Literal["first", "after", "never"]
) -> None:
    refusal = replace(problem(401, "not-authenticated", "No such token."), reads=reads)
    with stub_service(lambda *_: refusal) as stub:
        done = run("-m", "wav_upload", "-d", 1, "-t", TOKEN, "-i", large_wav, "-a", stub.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "HTTP 401: No such token. [not-authenticated]\n"


def test_upload_stops_when_the_answer_is_there(large_wav: Path) -> None:
    refusal = replace(problem(401, "not-authenticated", "No such token."), reads="after")
    with stub_service(lambda *_: refusal) as stub:
        run("-m", "wav_upload", "-d", 1, "-t", TOKEN, "-i", large_wav, "-a", stub.url)
    [drained_bytes] = stub.drained_bytes
    assert drained_bytes < large_wav.stat().st_size


def test_problem_is_printed_with_its_detail_and_every_validation_error() -> None:
    errors = [{"at": "body.name", "message": "Field required"}, {"pointer": "#/age", "detail": "too old"}]
    refusal = problem(422, "invalid-request", "Mend it.", detail="body.name: Field required", errors=errors)
    with stub_service(lambda *_: refusal) as stub:
        done = run("-m", "reg_user", "-u", "x", "-a", stub.url)
    assert done.returncode == 1
    assert (
        done.stderr == "HTTP 422: Mend it. [invalid-request]\nbody.name: Field required\n  #/age: too old\n"
    )


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(502, b"<html>oops</html>"), "HTTP 502: Bad Gateway\n"),
        (Reply(500, b"[]"), "HTTP 500: Internal Server Error\n"),
        (Reply(201, b"{}"), "HTTP 201: Created\n"),
    ],
)
def test_answer_that_is_not_pigwavs_is_a_failure(reply: Reply, expected: str) -> None:
    with stub_service(lambda *_: reply) as stub:
        done = run("-m", "reg_user", "-u", "x", "-a", stub.url)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def test_moved_service_is_named_and_not_called_with_get() -> None:
    with stub_service(lambda *_: Reply(301, headers={"Location": "https://voice.example.org/users"})) as stub:
        done = run("-m", "reg_user", "-u", "x", "-a", stub.url)
    assert done.returncode == 1
    assert "https://voice.example.org/users" in done.stderr
    assert [received.method for received in stub.received] == ["POST"]


def test_download_replaces_the_output_with_the_whole_file(tmp_path: Path) -> None:
    output = tmp_path / "Запись.mp3"
    output.write_bytes(b"old")
    with stub_service(lambda *_: Reply(200, MP3, MP3_HEADERS)) as stub:
        done = run("-m", "mp3_download", "-o", output, "-a", f"{stub.url}/record?id=abc&user=1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert stub.received[0].target == "/record?id=abc&user=1"
    assert output.read_bytes() == MP3
    assert list(tmp_path.iterdir()) == [output]


def test_download_takes_a_recording_id_and_its_user_instead_of_a_link(tmp_path: Path) -> None:
    with stub_service(lambda *_: Reply(200, MP3, MP3_HEADERS)) as stub:
        done = run("-m", "mp3_download", "-o", tmp_path / "a.mp3", "-d", 1, "-t", "abc", "-a", stub.url)
    assert done.returncode == 0
    assert stub.received[0].target == "/record?id=abc&user=1"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            problem(404, "recording-not-found", "No such recording."),
            "No such recording. [recording-not-found]",
        ),
        (Reply(200, MP3, {"Content-Length": str(len(MP3) + 1)}), f"{len(MP3)}"),
        (Reply(200, MP3[1:], MP3_HEADERS), "SHA-256"),
    ],
)
def test_failed_download_leaves_the_output_as_it_was(tmp_path: Path, reply: Reply, message: str) -> None:
    output = tmp_path / "a.mp3"
    output.write_bytes(b"old")
    with stub_service(lambda *_: reply) as stub:
        done = run("-m", "mp3_download", "-o", output, "-a", f"{stub.url}/record?id=abc&user=1")
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert output.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [output]


def test_output_that_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with stub_service(lambda *_: Reply(200, MP3, MP3_HEADERS)) as stub:
        done = run("-m", "mp3_download", "-o", fifo, "-a", f"{stub.url}/record?id=abc&user=1")
    assert done.returncode == 1
    assert fifo.is_fifo()


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (["-m", "reg_user"], "-m reg_user needs -u"),
        (["-m", "wav_upload", "-t", TOKEN], "-m wav_upload needs -d, -i"),
        (["-m", "mp3_download", "-o", "a.mp3"], "-m mp3_download needs -a with the whole download link"),
        ([], "-m/--mode"),
    ],
)
def test_missing_option_is_named(options: list[str], missing: str) -> None:
    done = run(*options)
    assert done.returncode == 2
    assert missing in done.stderr


def test_malformed_address_is_a_wrong_option() -> None:
    ended = run("-m", "reg_user", "-u", "anna", "-a", "http://[::1")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "-a http://[::1: Invalid IPv6 URL" in ended.stderr


def test_help_speaks_as_it_always_did() -> None:
    text = " ".join(run("--help").stdout.split())
    for option, meaning in [
        ("--mode {reg_user,wav_upload,mp3_download}", "Режим работы"),
        ("--input INPUT", "Имя входного файла"),
        ("--user USER", "Имя пользователя"),
        ("--user_id USER_ID", "ID пользователя"),
        ("--token TOKEN", "Токен доступа или ID записи (uuid)"),
        ("--output OUTPUT", "Имя выходного файла"),
        ("--address ADDRESS", "URI скачивания (для режима mp3_download) или базовый адрес сервиса"),
    ]:
        assert f"{option} {meaning}" in text
    assert "http://localhost:8080" in text


@pytest.mark.parametrize("options", [["-m", "reg_user", "-u", "x"], ["-m", "mp3_download", "-o", "x.mp3"]])
def test_service_that_is_down_is_one_plain_sentence(options: list[str]) -> None:
    done = run(*options, "-a", "http://127.0.0.1:1/record?id=a&user=1")
    assert (done.returncode, done.stderr) == (
        1,
        "http://127.0.0.1:1/record?id=a&user=1: Connection refused\n",
    )


def test_proxy_that_is_away_is_named_and_this_machine_needs_none() -> None:
    away = {"HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": ""}
    with stub_service(lambda *_: Reply.json(201, {"id": 7, "token": TOKEN})) as stub:
        here = run("-m", "reg_user", "-u", "anna", "-a", stub.url, **away)
    there = run("-m", "reg_user", "-u", "anna", "-a", "http://service.example", **away)

    assert (here.returncode, here.stderr) == (0, "")
    assert (there.returncode, there.stderr) == (
        1,
        "http://service.example: the proxy of the environment: Connection refused\n",
    )


def test_input_that_is_not_there_is_one_plain_sentence(tmp_path: Path) -> None:
    done = run("-m", "wav_upload", "-d", 1, "-t", TOKEN, "-i", tmp_path / "no.wav")
    assert (done.returncode, done.stderr) == (1, f"{tmp_path / 'no.wav'}: No such file or directory\n")


def test_terminal_shows_progress_both_ways(wav: Path, tmp_path: Path) -> None:
    with stub_service(lambda *_: Reply.json(201, {"url": LINK})) as stub:
        sent = run_on_a_terminal("-m", "wav_upload", "-d", 1, "-t", TOKEN, "-i", wav, "-a", stub.url)
    with stub_service(lambda *_: Reply(200, MP3, MP3_HEADERS)) as stub:
        link = f"{stub.url}/record?id=abc&user=1"
        got = run_on_a_terminal("-m", "mp3_download", "-o", tmp_path / "a.mp3", "-a", link)
    assert re.search(r"\r100% 0\.3 MB  Запись \"1\"\.wav\r\n$", sent)
    assert re.search(r"\r100% 0\.2 MB  a\.mp3\r\n$", got)


def test_without_requests_it_says_what_to_install() -> None:
    program = f"import runpy, sys; sys.modules['requests'] = None; runpy.run_path({str(PROGRAM)!r})"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "testAPI.py needs requests: pip install requests\n"


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e"


@pytest.mark.parametrize(
    "reply",
    [
        problem(422, HOSTILE, HOSTILE, detail=HOSTILE, errors=[{"at": HOSTILE, "message": HOSTILE}, HOSTILE]),
        Reply.json(201, {"id": HOSTILE, "token": HOSTILE, "name": HOSTILE}),
        Reply(500, b"[" * 200_000, {"Content-Type": "application/json"}),
        Reply(500, b"x" * 4_000_000),
        Reply(422, b'{"errors": [{"loc": 5}]}', {"Content-Type": "application/problem+json"}),
    ],
    ids=["problem", "answer", "nested brackets", "large", "loc that is no list"],
)
def test_a_hostile_server_drives_no_terminal_and_causes_no_traceback(reply: Reply) -> None:
    with stub_service(lambda *_: reply) as stub:
        done = run("-m", "reg_user", "-u", "x", "-a", stub.url)

    printed = done.stdout + done.stderr
    assert not {*printed} & {"\x1b", "\x07", "\u202e"}
    assert "Traceback" not in printed
    assert printed.strip()
