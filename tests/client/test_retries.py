"""Which requests are repeated. A repetition never executes a call twice."""

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from client.both import CREDENTIALS, ID, REGISTERED, UPLOADED, OpenClient, recording_json, talking
from fakes.stub_service import Received, Reply, one_after_the_other, problem
from pigwav.api.problems import RETRY_OF_AN_OPEN_UPLOAD_AFTER_S
from pigwav.client import (
    BadInput,
    ClientError,
    InvalidAddress,
    NotConnected,
    NotFound,
    TryLater,
    UnexpectedAnswer,
    Unreachable,
)
from pigwav.client.retries import (
    FIRST_WAIT_S,
    MAX_RETRY_AFTER_S,
    MAX_WAIT_S,
    RetryBudget,
    had_no_effect,
    is_retryable,
)
from pigwav.settings import UploadLimits

BUSY = problem(503, "overloaded", "Full.", headers={"Retry-After": "0"})
CUT_OFF = replace(Reply.json(200, recording_json()), hangs_up_after_bytes=10)
SHOWN = Reply.json(200, recording_json())


def busy(retry_after_s: int | None = 0) -> TryLater:
    return TryLater(503, "overloaded", "Full.", detail=None, retry_after_s=retry_after_s)


@pytest.mark.parametrize(
    ("error", "safe", "post"),
    [
        (NotConnected(), True, True),
        (busy(), True, True),
        (Unreachable(), True, False),
        (UnexpectedAnswer("", 502), True, False),
        (UnexpectedAnswer("", 503), True, False),
        (UnexpectedAnswer("", 200), False, False),
        (UnexpectedAnswer(""), False, False),
        (InvalidAddress(), False, False),
        (BadInput(422, "no-audio", "No.", detail=None, retry_after_s=None), False, False),
        (ClientError(), False, False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: ClientError, safe: bool, post: bool) -> None:  # noqa: FBT001
    assert (is_retryable(error), had_no_effect(error)) == (safe, post)


def test_waits_double_up_to_a_bound_and_vary() -> None:
    tries = RetryBudget(12, is_retryable)
    waits_s = [tries.wait_s(Unreachable()) for _ in range(11)]
    bounds_s = [min(FIRST_WAIT_S * 2**number, MAX_WAIT_S) for number in range(11)]
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(waits_s, bounds_s, strict=True))
    assert len({*waits_s}) == len(waits_s)


def test_service_is_left_alone_for_as_long_as_it_asks() -> None:
    assert 5 <= RetryBudget(2, is_retryable).wait_s(busy(5)) <= 6
    assert RetryBudget(2, is_retryable).wait_s(busy(MAX_RETRY_AFTER_S)) >= MAX_RETRY_AFTER_S
    with pytest.raises(TryLater):
        RetryBudget(2, is_retryable).wait_s(busy(MAX_RETRY_AFTER_S + 1))


def test_an_upload_is_tried_until_the_lease_of_a_process_that_died_has_run_out() -> None:
    tries = RetryBudget(5, is_retryable)
    going_on = TryLater(
        409, "upload-in-progress", "Wait.", detail=None, retry_after_s=RETRY_OF_AN_OPEN_UPLOAD_AFTER_S
    )

    waits_s = [tries.wait_s(Unreachable()), *(tries.wait_s(going_on) for _ in range(3))]

    assert sum(waits_s) > UploadLimits().lease_s


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (lambda client, _: client.register("Пётр"), REGISTERED),
        (lambda client, wav: client.upload(wav), UPLOADED),
        (lambda client, wav: client.upload(wav.read_bytes()), UPLOADED),
        (lambda client, _: client.show(ID), SHOWN),
        (lambda client, _: client.rename(ID, "x"), SHOWN),
        (lambda client, _: client.delete(ID), Reply(204)),
        (lambda client, _: client.rotate_token(), Reply.json(200, {"token": ID})),
    ],
    ids=["register", "upload", "upload bytes", "show", "rename", "delete", "rotate"],
)
def test_every_call_is_repeated_while_the_service_is_busy(
    open_client: OpenClient, tmp_path: Path, call: Callable[[Any, Path], Any], answer: Reply
) -> None:
    wav = tmp_path / "a.wav"
    wav.write_bytes(b"RIFF" * 10_000)
    with talking(open_client, one_after_the_other(BUSY, BUSY, answer), *CREDENTIALS) as (stub, client):
        call(client, wav)
    assert len(stub.received) == 3
    assert len({(received.method, received.target, received.body) for received in stub.received}) == 1


@pytest.mark.parametrize("refused", [BUSY, problem(429, "slow-down", "Slow.", headers={"Retry-After": "0"})])
def test_attempts_are_all_tries_and_the_last_error_is_told(open_client: OpenClient, refused: Reply) -> None:
    with talking(open_client, refused, *CREDENTIALS, attempts=3) as (stub, client), pytest.raises(TryLater):
        client.show(ID)
    assert len(stub.received) == 3


def test_one_attempt_turns_repeating_off(open_client: OpenClient) -> None:
    with talking(open_client, BUSY, *CREDENTIALS, attempts=1) as (stub, client), pytest.raises(TryLater):
        client.upload(b"RIFF")
    assert len(stub.received) == 1


def test_refusal_of_a_busy_service_in_mid_upload_is_repeated_from_the_first_byte(
    open_client: OpenClient, tmp_path: Path
) -> None:
    wav = tmp_path / "a.wav"
    wav.write_bytes(bytes(8 * 1024 * 1024))
    steps: list[int] = []
    with wav.open("rb") as file:
        file.seek(4 * 1024 * 1024)
        busy_early = replace(BUSY, reads="never")
        with talking(open_client, one_after_the_other(busy_early, UPLOADED), *CREDENTIALS) as (stub, client):
            client.upload(file, progress=lambda done, _: steps.append(done))
    assert len(stub.received[1].body) == 4 * 1024 * 1024
    assert steps[-1] == 4 * 1024 * 1024
    assert steps.count(65_536) >= 1


def test_what_can_be_read_once_is_not_sent_in_part(open_client: OpenClient) -> None:
    def once() -> Iterator[bytes]:
        yield b"RIFF"
        yield b"more"

    with talking(open_client, BUSY, *CREDENTIALS) as (stub, client), pytest.raises(TryLater):
        client.upload(once())
    assert [received.body for received in stub.received] == [b"RIFFmore"]


def test_what_can_be_read_once_is_untouched_while_there_is_no_connection(open_client: OpenClient) -> None:
    blocks = iter([b"RIFF"])
    with closing(socket.socket()) as deaf:
        deaf.bind(("127.0.0.1", 0))  # without listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with open_client(url, *CREDENTIALS, attempts=2) as client, pytest.raises(NotConnected):
            client.upload(blocks)
    with talking(open_client, UPLOADED, *CREDENTIALS) as (stub, client):
        client.upload(blocks)
    assert stub.received[0].body == b"RIFF"


@pytest.mark.parametrize(
    "call",
    [lambda c: c.register("x"), lambda c: c.rotate_token()],
    ids=["register", "rotate"],
)
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (CUT_OFF, Unreachable),
        (Reply(502, b"<html>"), UnexpectedAnswer),
        (Reply(503, b"<html>"), UnexpectedAnswer),
    ],
    ids=["cut off", "502", "503 of a proxy"],
)
def test_post_whose_effect_is_unknown_is_not_repeated(
    open_client: OpenClient, call: Callable[[Any], Any], answer: Reply, kind: type[ClientError]
) -> None:
    with talking(open_client, answer, *CREDENTIALS) as (stub, client), pytest.raises(kind):
        call(client)
    assert len(stub.received) == 1


def key_of(received: Received) -> str:
    return received.headers["Idempotency-Key"]


@pytest.mark.parametrize(
    "lost", [replace(CUT_OFF, status=201), Reply(502, b"<html>"), Reply(504)], ids=["cut off", "502", "504"]
)
def test_an_upload_whose_answer_was_lost_is_repeated_under_the_same_key(
    open_client: OpenClient, lost: Reply
) -> None:
    with talking(open_client, one_after_the_other(lost, UPLOADED), *CREDENTIALS) as (stub, client):
        assert str(client.upload(b"RIFF").id) == ID
    assert [received.body for received in stub.received] == [b"RIFF", b"RIFF"]
    assert len({key_of(received) for received in stub.received}) == 1


def test_every_upload_has_a_key_of_its_own(open_client: OpenClient) -> None:
    with talking(open_client, UPLOADED, *CREDENTIALS) as (stub, client):
        client.upload(b"RIFF")
        client.upload(b"RIFF")
    assert len({key_of(received) for received in stub.received}) == 2


def test_a_key_of_the_callers_is_sent_as_a_structured_string(open_client: OpenClient) -> None:
    with talking(open_client, UPLOADED, *CREDENTIALS) as (stub, client):
        client.upload(b"RIFF", idempotency_key='take "7" \\ monday')
    assert key_of(stub.received[0]) == r'"take \"7\" \\ monday"'


@pytest.mark.parametrize("bad", ["ключ", "a\r\nb", "a" * 256])
def test_what_cannot_be_a_key_is_not_sent(open_client: OpenClient, bad: str) -> None:
    with (
        talking(open_client, UPLOADED, *CREDENTIALS) as (stub, client),
        pytest.raises(ValueError, match="key"),
    ):
        client.upload(b"RIFF", idempotency_key=bad)
    assert stub.received == []


def test_an_upload_that_the_service_still_receives_is_waited_for(open_client: OpenClient) -> None:
    going_on = problem(409, "upload-in-progress", "Wait.", headers={"Retry-After": "0"})
    with talking(open_client, one_after_the_other(going_on, UPLOADED), *CREDENTIALS) as (stub, client):
        assert str(client.upload(b"RIFF").id) == ID
    assert len({key_of(received) for received in stub.received}) == 1


def test_what_can_be_read_once_is_not_sent_again_after_a_lost_answer(open_client: OpenClient) -> None:
    with talking(open_client, CUT_OFF, *CREDENTIALS) as (stub, client), pytest.raises(Unreachable):
        client.upload(iter([b"RIFF"]))
    assert len(stub.received) == 1


@pytest.mark.parametrize("lost", [CUT_OFF, Reply(502, b"<html>"), Reply(504)], ids=["cut off", "502", "504"])
@pytest.mark.parametrize("call", [lambda c: c.show(ID), lambda c: c.rename(ID, "x")], ids=["show", "rename"])
def test_call_that_does_no_harm_is_repeated_after_a_lost_answer(
    open_client: OpenClient, call: Callable[[Any], Any], lost: Reply
) -> None:
    with talking(open_client, one_after_the_other(lost, SHOWN), *CREDENTIALS) as (_, client):
        assert call(client).title == "Запись"


def test_silence_is_repeated_too(open_client: OpenClient) -> None:
    never = Event()
    answers = one_after_the_other(replace(SHOWN, after=never), SHOWN)
    with talking(open_client, answers, *CREDENTIALS, timeout_s=0.2) as (_, client):
        assert client.show(ID)
        never.set()


@pytest.mark.parametrize(
    ("call", "gone"),
    [
        (lambda client: client.delete(ID), problem(404, "recording-not-found", "No.")),
        (lambda client: client.delete_me(), problem(401, "not-authenticated", "No.")),
    ],
    ids=["delete", "delete_me"],
)
def test_deleting_that_took_effect_unheard_is_no_error(
    open_client: OpenClient, call: Callable[[Any], Any], gone: Reply
) -> None:
    lost = Reply(502, b"<html>")
    with talking(open_client, one_after_the_other(lost, gone), *CREDENTIALS) as (_, client):
        call(client)
    had_no_effect = one_after_the_other(BUSY, gone)
    with talking(open_client, had_no_effect, *CREDENTIALS) as (_, client), pytest.raises(ClientError):
        call(client)


def test_deleting_what_never_was_is_an_error(open_client: OpenClient) -> None:
    gone = problem(404, "recording-not-found", "No.")
    with talking(open_client, gone, *CREDENTIALS) as (stub, client), pytest.raises(NotFound):
        client.delete(ID)
    assert len(stub.received) == 1


def test_repeating_is_silent(
    open_client: OpenClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.WARNING)
    with talking(open_client, one_after_the_other(BUSY, SHOWN), *CREDENTIALS) as (_, client):
        client.show(ID)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_each_wait_is_told_before_it_begins_with_its_reason(open_client: OpenClient) -> None:
    heard: list[tuple[str, bool]] = []

    def on_wait(error: ClientError, wait_s: float) -> None:
        heard.append((str(error), wait_s > 0))

    answers = one_after_the_other(Reply(502), BUSY, SHOWN)
    with talking(open_client, answers, *CREDENTIALS, on_wait=on_wait) as (stub, client):
        client.show(ID)
        assert len(stub.received) == 3

    assert [text.rpartition(" answers ")[2] for text, _ in heard] == [
        "502 Bad Gateway.",
        "Full. (overloaded)",
    ]
    assert heard[0][1], "the seconds are those of the wait"


def test_an_error_that_ends_a_call_is_not_waited_for(open_client: OpenClient) -> None:
    heard: list[float] = []
    gone = problem(404, "recording-not-found", "No.")
    told = {"on_wait": lambda _, wait_s: heard.append(wait_s)}
    with talking(open_client, gone, *CREDENTIALS, **told) as (_, client), pytest.raises(NotFound):
        client.show(ID)
    assert heard == []
