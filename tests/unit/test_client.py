"""The typed client and its three commands, against a stub of the service."""

import hashlib
import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import typer
from typer.testing import CliRunner

from fakes.stub_service import Reply, problem, stub_service
from pigwav.cli.client import add_commands
from pigwav.client import ClientError, PigWavClient
from pigwav.client.errors import (
    CredentialsMissing,
    DownloadBroken,
    NotAuthenticated,
    Refused,
    TryLater,
    UnexpectedAnswer,
    Unreachable,
)

TOKEN = "23e10bfa-ce68-4444-95dd-4af608f2bf47"
ID = "afadaeeb-2842-41de-987c-ae31169310b5"
LINK = f"http://localhost:8080/record?id={ID}&user=1"
MP3 = b"\xff\xfb" * 100_000
MP3_HEADERS = {"ETag": f'"{hashlib.sha256(MP3).hexdigest()}"'}
UPLOADED = Reply.json(
    201,
    {
        "id": ID,
        "user": 1,
        "url": LINK,
        "title": "Запись",
        "duration_ms": 1500,
        "bytes": 24000,
        "sha256": "ab" * 32,
        "wav_sha256": "cd" * 32,
        "truncated": False,
        "something_new": True,
    },
)
REGISTERED = Reply.json(201, {"id": 7, "name": "Пётр", "token": TOKEN})


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "Запись.wav"
    path.write_bytes(b"RIFF" + bytes(200_000))
    return path


def test_register_answers_the_user_and_hides_the_token_from_logs() -> None:
    with stub_service(lambda *_: REGISTERED) as stub, PigWavClient(stub.url + "/") as client:
        registered = client.register("Пётр")
    assert (registered.id, registered.name, registered.token) == (7, "Пётр", UUID(TOKEN))
    assert TOKEN not in repr(registered)
    assert stub.received[0].target == "/users"


def test_upload_streams_a_file_with_its_length_title_and_credentials(wav: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    with stub_service(lambda *_: UPLOADED) as stub, PigWavClient(stub.url, 1, TOKEN) as client:
        uploaded = client.upload(wav, bitrate_kbps=64, progress=lambda *step: steps.append(step))
    assert (uploaded.id, uploaded.url, uploaded.title) == (UUID(ID), LINK, "Запись")
    assert (uploaded.duration_ms, uploaded.size_bytes, uploaded.truncated) == (1500, 24000, False)
    [received] = stub.received
    assert received.target == "/records?user=1&title=%D0%97%D0%B0%D0%BF%D0%B8%D1%81%D1%8C&bitrate=64"
    assert received.headers["Authorization"] == f"Bearer {TOKEN}"
    assert received.headers["Content-Length"] == "200004"
    assert received.body == wav.read_bytes()
    assert steps[-1] == (200_004, 200_004)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_upload_takes_the_rest_of_an_open_file_and_a_pipe() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as end:
        end.write(b"RIFF pipe")
    opened = io.BytesIO(b"skipped|RIFF")
    opened.seek(8)
    with (
        stub_service(lambda *_: UPLOADED) as stub,
        PigWavClient(stub.url, 1, TOKEN) as client,
        os.fdopen(reading, "rb") as pipe,
    ):
        client.upload(opened, title="a")
        client.upload(pipe)
    assert [received.body for received in stub.received] == [b"RIFF", b"RIFF pipe"]
    assert [received.target for received in stub.received] == ["/records?user=1&title=a", "/records?user=1"]


def test_refusal_in_mid_upload_is_raised_and_not_a_broken_pipe(tmp_path: Path) -> None:
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    refusal = replace(problem(401, "not-authenticated", "No."), reads="never")
    with (
        stub_service(lambda *_: refusal) as stub,
        PigWavClient(stub.url, 1, TOKEN) as client,
        pytest.raises(NotAuthenticated) as caught,
    ):
        client.upload(large)
    assert (caught.value.status, caught.value.code) == (401, "not-authenticated")


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        (problem(409, "name-taken", "A user of this name exists."), Refused, "exists. (name-taken)"),
        (problem(422, "invalid-field", "Bad.", detail="Too long."), Refused, "Too long. (invalid-field)"),
        (problem(503, "overloaded", "Full."), TryLater, "Full. (overloaded)"),
        (Reply(502, b"<html>"), UnexpectedAnswer, "502 Bad Gateway"),
        (Reply(500, b"[]"), UnexpectedAnswer, "500"),
        (Reply(200, b"{}"), UnexpectedAnswer, "200"),
        (Reply(201, b"{}"), UnexpectedAnswer, "does not answer as PigWav does"),
        (Reply(201, b"hello"), UnexpectedAnswer, "does not answer as PigWav does"),
        (Reply(301, headers={"Location": "/elsewhere"}), UnexpectedAnswer, "301"),
    ],
)
def test_answer_that_is_no_success_is_an_error_of_the_one_tree(
    reply: Reply, kind: type[ClientError], text: str
) -> None:
    with (
        stub_service(lambda *_: reply) as stub,
        PigWavClient(stub.url) as client,
        pytest.raises(kind, match=text.replace("(", r"\(").replace(")", r"\)")) as caught,
    ):
        client.register("x")
    assert type(caught.value) is kind


def test_overloaded_service_says_when_to_try_again() -> None:
    busy = problem(503, "overloaded", "Full.")
    reply = Reply(503, busy.body, {**busy.headers, "Retry-After": "5"})
    with (
        stub_service(lambda *_: reply) as stub,
        PigWavClient(stub.url) as client,
        pytest.raises(TryLater) as caught,
    ):
        client.register("x")
    assert caught.value.retry_after_s == 5


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:1", "http://[", ""])
def test_address_without_a_service_is_unreachable(url: str, tmp_path: Path) -> None:
    with PigWavClient(url) as client:
        with pytest.raises(Unreachable):
            client.register("x")
        with pytest.raises(Unreachable):
            client.download(url, tmp_path / "a.mp3")


def test_upload_without_credentials_sends_nothing(wav: Path) -> None:
    with (
        stub_service(lambda *_: UPLOADED) as stub,
        PigWavClient(stub.url) as client,
        pytest.raises(CredentialsMissing),
    ):
        client.upload(wav)
    assert stub.received == []


def test_file_that_shrinks_while_it_is_sent_is_not_sent_as_if_whole(tmp_path: Path) -> None:
    wav = tmp_path / "a.wav"
    wav.write_bytes(bytes(1_000_000))

    def shrink(_done_bytes: int, _total_bytes: int | None) -> None:
        os.truncate(wav, 100_000)

    with (
        stub_service(lambda *_: UPLOADED) as stub,
        PigWavClient(stub.url, 1, TOKEN) as client,
        pytest.raises(ClientError, match="shorter"),
    ):
        client.upload(wav, progress=shrink)


def test_download_replaces_the_output_with_the_whole_file(tmp_path: Path) -> None:
    output = tmp_path / "Запись.mp3"
    output.write_bytes(b"old")
    steps: list[tuple[int, int | None]] = []
    with stub_service(lambda *_: Reply(200, MP3, MP3_HEADERS)) as stub, PigWavClient(token=TOKEN) as client:
        client.download(f"{stub.url}/record?id=a&user=1", output, lambda *step: steps.append(step))
    assert output.read_bytes() == MP3
    assert list(tmp_path.iterdir()) == [output]
    assert steps[-1] == (len(MP3), len(MP3))
    assert "Authorization" not in stub.received[0].headers


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (problem(404, "recording-not-found", "No such recording."), Refused),
        (Reply(200, MP3, {"Content-Length": str(len(MP3) + 1)}), DownloadBroken),
        (Reply(200, MP3[1:], MP3_HEADERS), DownloadBroken),
    ],
)
def test_failed_download_leaves_the_output_as_it_was(
    tmp_path: Path, reply: Reply, kind: type[ClientError]
) -> None:
    output = tmp_path / "a.mp3"
    output.write_bytes(b"old")
    with stub_service(lambda *_: reply) as stub, PigWavClient() as client, pytest.raises(kind):
        client.download(stub.url, output)
    assert output.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [output]


def test_output_that_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with (
        stub_service(lambda *_: Reply(200, MP3, MP3_HEADERS)) as stub,
        PigWavClient() as client,
        pytest.raises(ClientError, match="not a regular file"),
    ):
        client.download(stub.url, tmp_path / "fifo")
    assert (tmp_path / "fifo").is_fifo()


def command(
    *args: object, env: dict[str, str] | None = None, stdin: bytes | None = None
) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    app = typer.Typer()
    add_commands(app)
    unset = dict.fromkeys(("PIGWAV_URL", "PIGWAV_USER", "PIGWAV_TOKEN"))
    done = CliRunner().invoke(app, [str(arg) for arg in args], env=unset | (env or {}), input=stdin)
    return done.exit_code, done.stdout, done.stderr


def test_register_command_prints_id_and_token() -> None:
    with stub_service(lambda *_: REGISTERED) as stub:
        assert command("register", "Пётр", "--url", stub.url) == (0, f"User ID: 7\nToken: {TOKEN}\n", "")


def test_upload_command_reads_the_environment_and_prints_the_link_alone(wav: Path) -> None:
    with stub_service(lambda *_: UPLOADED) as stub:
        env = {"PIGWAV_URL": stub.url, "PIGWAV_USER": "1", "PIGWAV_TOKEN": TOKEN}
        assert command("upload", wav, env=env) == (0, f"{LINK}\n", "")
        assert command("upload", "-", "--title", "x", "--user", 2, env=env, stdin=b"RIFF") == (
            0,
            f"{LINK}\n",
            "",
        )
    assert [received.body for received in stub.received] == [wav.read_bytes(), b"RIFF"]
    assert stub.received[1].target == "/records?user=2&title=x"


def test_download_command_saves_the_file(tmp_path: Path) -> None:
    with stub_service(lambda *_: Reply(200, MP3, MP3_HEADERS)) as stub:
        assert command("download", f"{stub.url}/record?id=a", "-o", tmp_path / "a.mp3") == (0, "", "")
    assert (tmp_path / "a.mp3").read_bytes() == MP3


def test_command_says_in_one_sentence_why_it_failed(wav: Path, tmp_path: Path) -> None:
    with stub_service(lambda *_: problem(409, "name-taken", "A user of this name exists.")) as stub:
        assert command("register", "x", "--url", stub.url) == (
            1,
            "",
            "pigwav: A user of this name exists. (name-taken)\n",
        )
    code, out, err = command("upload", wav)
    assert (code, out) == (1, "")
    assert "PIGWAV_TOKEN" in err
    code, out, err = command("upload", tmp_path / "no.wav", "--user", 1, "--token", TOKEN)
    assert (code, err) == (1, f"pigwav: {tmp_path / 'no.wav'}: No such file or directory\n")
    code, out, err = command("download", "http://127.0.0.1:1/", "-o", tmp_path / "a.mp3")
    assert (code, err.count("\n"), "Traceback" in err) == (1, 1, False)


def test_client_needs_nothing_of_the_server() -> None:
    program = (
        "import sys, pigwav.cli.client\n"
        "print([name for name in ('fastapi', 'pydantic', 'boto3', 'sqlalchemy', 'lameenc') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
