"""Messages and exit statuses of errors."""

import errno
import subprocess
from importlib.metadata import version

import pytest
import typer

from cli.person import Person
from fakes.stub_service import Reply, problem, stub_service
from pigwav.cli.failures import Attempts, ExitStatus, UsageError, code, exit_status, sentence
from pigwav.cli.sources import NoWavFound
from pigwav.client import (
    BadInput,
    ClientError,
    CredentialsMissing,
    DownloadBroken,
    DownloadInterrupted,
    InvalidAddress,
    InvalidProxy,
    NameTaken,
    NotAuthenticated,
    NotConnected,
    NotFound,
    OutputUnusable,
    Refused,
    TryLater,
    UnexpectedAnswer,
    Unreachable,
    WavChanged,
)


def test_version_is_that_of_the_package(newcomer: Person) -> None:
    assert newcomer.run("--version").stdout.splitlines()[0] == version("pigwav")


def refused(kind: type[Refused], status: int, title: str = "No.") -> Refused:
    return kind(status, "a-code", title, detail=None, retry_after_s=None)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ClientError("?"), ExitStatus.FAILED),
        (WavChanged("?"), ExitStatus.FAILED),
        (OutputUnusable("?"), ExitStatus.FAILED),
        (UnexpectedAnswer("?"), ExitStatus.FAILED),
        (OSError(errno.ENOENT, "?"), ExitStatus.FAILED),
        (refused(Refused, 500), ExitStatus.FAILED),
        (InvalidAddress("?"), ExitStatus.USAGE),
        (InvalidProxy("?"), ExitStatus.USAGE),
        (UsageError("?"), ExitStatus.USAGE),
        (CredentialsMissing("?"), ExitStatus.NOT_AUTHENTICATED),
        (refused(NotAuthenticated, 401), ExitStatus.NOT_AUTHENTICATED),
        (refused(BadInput, 415), ExitStatus.REFUSED),
        (refused(NotFound, 404), ExitStatus.REFUSED),
        (refused(NameTaken, 409), ExitStatus.REFUSED),
        (refused(Refused, 403), ExitStatus.REFUSED),
        (refused(TryLater, 503), ExitStatus.TRY_LATER),
        (refused(TryLater, 429), ExitStatus.TRY_LATER),
        (Unreachable("?"), ExitStatus.TRY_LATER),
        (NotConnected("?"), ExitStatus.TRY_LATER),
        (DownloadBroken("?"), ExitStatus.DOWNLOAD_BROKEN),
        (DownloadInterrupted("?"), ExitStatus.DOWNLOAD_BROKEN),
    ],
)
def test_every_error_has_its_exit_status(error: Exception, status: ExitStatus) -> None:
    assert exit_status(error) is status


def test_numbers_of_the_exit_statuses_never_change() -> None:
    assert {status.name: status.value for status in ExitStatus} == {
        "FAILED": 1,
        "USAGE": 2,
        "NOT_AUTHENTICATED": 3,
        "REFUSED": 4,
        "TRY_LATER": 5,
        "DOWNLOAD_BROKEN": 6,
        "BROKEN_PIPE": 141,
    }


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (refused(BadInput, 415), "a-code"),
        (NoWavFound("?"), "no-wavs-in-folder"),
        (InvalidAddress("?"), "address-invalid"),
        (NotConnected("?"), "unreachable"),
        (UnexpectedAnswer("?"), "unexpected-answer"),
        (WavChanged("?"), "file-changed"),
        (FileNotFoundError("?"), "file-missing"),
        (PermissionError("?"), "file-forbidden"),
        (IsADirectoryError("?"), "file-unusable"),
        (ClientError("?"), "failed"),
    ],
)
def test_codes_never_change(error: Exception, name: str) -> None:
    assert code(error) == name


@pytest.mark.parametrize(
    ("errors", "done", "status"),
    [
        ([refused(BadInput, 415), refused(BadInput, 422)], 0, 4),
        ([refused(BadInput, 415), refused(BadInput, 422)], 1, 1),
        ([refused(BadInput, 415), Unreachable("?")], 0, 1),
        ([Unreachable("?")], 0, 5),
        ([], 3, None),
    ],
)
def test_several_have_the_status_of_one_only_where_all_failed_alike(
    errors: list[Exception], done: int, status: int | None
) -> None:
    attempts = Attempts(named=True)
    for error in errors:
        with attempts.one("it"):
            raise error
    for _ in range(done):
        with attempts.one("it"):
            pass

    if status is None:
        attempts.end()
        return
    with pytest.raises(typer.Exit) as ended:
        attempts.end()
    assert ended.value.exit_code == status


def test_bug_and_bad_credentials_are_not_just_one_of_several_failures() -> None:
    for error in (refused(NotAuthenticated, 401), CredentialsMissing("?"), ValueError("a bug")):
        with pytest.raises(type(error)), Attempts(named=True).one("it"):
            raise error


def test_sentence_is_one_line_that_drives_no_terminal() -> None:
    assert sentence(refused(BadInput, 415, "a\nb\x1b[2J")) == r"a\nb\x1b[2J (a-code)"
    assert sentence(Refused(400, "\x1b]0;x", "No.", detail=None, retry_after_s=None)) == r"No. (\x1b]0;x)"
    assert sentence(OSError(errno.ENOENT, "Not there", "a\nb")) == r"a\nb: Not there"
    assert sentence(OSError(errno.ENOSPC, "No space left")) == "No space left"


@pytest.mark.parametrize(
    ("reply", "status", "said"),
    [
        (Reply(201, b"<html>hello"), 1, "does not match PigWav's API"),
        (Reply(404, b"<html>hello"), 1, "404"),
        (problem(500, "internal-error", "Something went wrong on the server."), 1, "(internal-error)"),
        (problem(403, "registration-closed", "No."), 4, "No. (registration-closed)"),
        (
            problem(503, "overloaded", "Full.", limit="memory", headers={"Retry-After": "61"}),
            5,
            "limit: memory)",
        ),
    ],
)
def test_answer_that_is_none_is_one_sentence(newcomer: Person, reply: Reply, status: int, said: str) -> None:
    with stub_service(lambda *_: reply) as stub:
        ended = newcomer.run("register", "anna", "--url", stub.url)

    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (status, "", 1)
    assert ended.stderr.startswith("pigwav: ")
    assert said in ended.stderr


def test_service_that_is_not_there_is_said_to_be(newcomer: Person) -> None:
    for url, status in (("http://127.0.0.1:1", 5), ("127.0.0.1:1", 2), ("ftp://127.0.0.1", 2)):
        ended = newcomer.run("register", "anna", "--url", url)
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (status, "", 1)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:8080", "localhost:8080 is not a URL. Write http://localhost:8080."),
        ("https:/voice.example.org", "https:/voice.example.org is not a URL. Write it as http://HOST:PORT."),
        ("me:hush@voice.example.org", "voice.example.org is not a URL. Write it as http://HOST:PORT."),
    ],
)
def test_address_without_its_scheme_is_told_before_anything_else(
    newcomer: Person, url: str, said: str
) -> None:
    ended = newcomer.run("login", "--url", url)

    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"pigwav: {said}\n")


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_wrong_proxy_of_the_environment_is_one_sentence(newcomer: Person, variable: str) -> None:
    person = newcomer.with_environment(PIGWAV_URL=newcomer.url, **{variable: "socks://me:hush@proxy:1080"})

    ended = person.run("register", "anna")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"pigwav: The proxy in {variable} is not a URL that works: 'proxy:1080'. "
        "Write it as http://HOST:PORT or socks5://HOST:PORT.\n"
    )


def test_local_service_is_reached_although_the_company_has_a_proxy(newcomer: Person) -> None:
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")

    ended = newcomer.with_environment(PIGWAV_URL=newcomer.url, **proxies).run("register", "proxied")

    assert (ended.returncode, ended.stderr) == (0, "")


def test_closed_output_is_one_sentence(anna: Person) -> None:
    anna.upload()
    ended = subprocess.run(
        ["bash", "-c", f"exec {Person.program()} list >&-"],
        env=anna.all_variables(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (1, "pigwav: Standard output is closed.\n")


def test_help_has_a_short_name(newcomer: Person) -> None:
    assert newcomer.run("upload", "-h").stdout.startswith("Usage: ")
