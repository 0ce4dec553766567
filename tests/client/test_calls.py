"""Calls: requests, parsing of responses, errors for refusals."""

import struct
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Event
from uuid import UUID

import pytest

from client.both import (
    CREDENTIALS,
    ID,
    LINK,
    REGISTERED,
    TOKEN,
    UPLOADED,
    OpenClient,
    recording_json,
    talking,
)
from fakes.stub_service import Reply, one_after_the_other, problem, stub_service
from pigwav.client import (
    AudioWarning,
    BadInput,
    ClientError,
    CredentialsMissing,
    InvalidAddress,
    Limits,
    NameTaken,
    NotAuthenticated,
    NotConnected,
    NotFound,
    PigWavClient,
    Recording,
    Refused,
    Source,
    Tags,
    TryLater,
    UnexpectedAnswer,
    Unreachable,
    User,
)


def test_register_answers_the_user_and_hides_the_token_from_logs(open_client: OpenClient) -> None:
    with talking(open_client, REGISTERED) as (stub, client):
        registered = client.register("Пётр")
    assert (registered.id, registered.name, registered.token) == (7, "Пётр", UUID(TOKEN))
    assert TOKEN not in repr(registered)
    assert (stub.received[0].method, stub.received[0].target) == ("POST", "/users")


def test_every_fact_of_a_recording_is_read(open_client: OpenClient) -> None:
    warnings = [{"code": "truncated", "detail": "Short.", "value": 12, "unit": "ms", "of_tomorrow": 1}]
    answer = Reply.json(200, recording_json(warnings=warnings))
    with talking(open_client, answer, *CREDENTIALS) as (_, client):
        recording = client.show(ID)
    assert recording == Recording(
        id=UUID(ID),
        user_id=1,
        url=LINK,
        page_url=f"http://localhost:8080/listen?id={ID}&user=1",
        title="Запись",
        created_at=datetime(2026, 11, 24, 8, 0, 0, 500_000, tzinfo=UTC),
        duration_ms=1500,
        declared_duration_ms=None,
        truncated=False,
        size_bytes=24000,
        sha256="ab" * 32,
        wav_size_bytes=264_644,
        wav_sha256="cd" * 32,
        sample_rate_hz=44_100,
        channels=2,
        bitrate_kbps=128,
        peak_dbfs=-1.32,
        source=Source("pcm_s24le", 44_100, 2, 24),
        tags=Tags(title="Запись", artist="Пётр", time_reference_samples=0),
        warnings=(AudioWarning("truncated", "Short.", 12, "ms"),),
    )


def test_each_call_asks_for_what_the_contract_says(open_client: OpenClient) -> None:
    def answer(method: str, target: str) -> Reply:
        if target.endswith("/token"):
            return Reply.json(200, {"token": str(UUID(int=5))})
        if method == "GET" and target.endswith("/me"):
            return Reply.json(200, {"id": 1, "name": "Анна"})
        return Reply(204) if method == "DELETE" else Reply.json(200, recording_json())

    with stub_service(answer) as stub, open_client(stub.url + "/pigwav", 1, UUID(TOKEN)) as client:
        assert client.me() == User(1, "Анна")
        client.show(UUID(ID))
        client.rename(ID, "Планёрка \udcff")
        client.rename(ID, None)
        client.delete("../users/me")
        assert client.rotate_token() == UUID(int=5)
        client.delete_me()
    assert [(received.method, received.target, received.body.decode()) for received in stub.received] == [
        ("GET", "/pigwav/users/me", ""),
        ("GET", f"/pigwav/records/{ID}", ""),
        ("PATCH", f"/pigwav/records/{ID}", '{"title":"Планёрка \N{REPLACEMENT CHARACTER}"}'),
        ("PATCH", f"/pigwav/records/{ID}", '{"title":null}'),
        ("DELETE", "/pigwav/records/..%2Fusers%2Fme", ""),
        ("POST", "/pigwav/users/me/token", ""),
        ("DELETE", "/pigwav/users/me", ""),
    ]
    tokens = [received.headers["Authorization"] for received in stub.received]
    assert tokens == [f"Bearer {TOKEN}"] * 6 + [f"Bearer {UUID(int=5)}"]


def test_recordings_come_from_every_page(open_client: OpenClient) -> None:
    ids = [str(UUID(int=number)) for number in range(3)]
    pages = [
        Reply.json(200, {"items": [recording_json(id=ids[0]), recording_json(id=ids[1])], "next": "b&c"}),
        Reply.json(200, {"items": [recording_json(id=ids[2])], "next": None}),
    ]
    with talking(open_client, one_after_the_other(*pages), *CREDENTIALS) as (stub, client):
        assert [str(recording.id) for recording in client.recordings(page_size=2)] == ids
    assert [received.target for received in stub.received] == [
        "/records?limit=2",
        "/records?limit=2&cursor=b%26c",
    ]


def test_peaks_come_with_recordings_if_they_are_asked_for(open_client: OpenClient) -> None:
    page = Reply.json(200, {"items": [recording_json(peaks="AAgQgA==")], "next": None})
    with talking(open_client, page, *CREDENTIALS) as (stub, client):
        [recording] = client.recordings(peaks=True)
    assert recording.peaks == bytes([0, 8, 16, 128])
    assert recording.as_json()["peaks"] == "AAgQgA=="
    assert stub.received[0].target == "/records?limit=50&peaks=1"


def test_limits_need_no_credentials(open_client: OpenClient) -> None:
    answer = Reply.json(200, {"max_upload_bytes": 5, "max_duration_s": 7, "registration": "closed"})
    with talking(open_client, answer) as (stub, client):
        assert client.limits() == Limits(5, 7, "closed")
    assert (stub.received[0].target, "Authorization" in stub.received[0].headers) == ("/limits", False)


DAT = struct.pack("<iIiiIi6b", 2, 1, 16_000, 320, 3, 1, -1, 2, -128, 0, 5, 9)


def test_a_waveform_is_read_and_needs_no_token(open_client: OpenClient) -> None:
    with talking(open_client, Reply(200, DAT), 1) as (stub, client):
        waveform = client.waveform(ID)
    assert (waveform.sample_rate_hz, waveform.samples_per_point) == (16_000, 320)
    assert waveform.pairs == ((-1, 2), (-128, 0), (5, 9))
    assert (waveform.magnitudes, waveform.dat) == (bytes([2, 128, 9]), DAT)
    assert stub.received[0].target == f"/record/{ID}.dat?user=1"
    assert "Authorization" not in stub.received[0].headers


@pytest.mark.parametrize(
    "wrong", [b"", DAT[:-1], DAT + b"\0", b"\1" + DAT[1:], DAT[:4] + b"\0" + DAT[5:]], ids=len
)
def test_a_body_that_is_no_waveform_is_unexpected(open_client: OpenClient, wrong: bytes) -> None:
    with talking(open_client, Reply(200, wrong), 1) as (_, client), pytest.raises(UnexpectedAnswer):
        client.waveform(ID)


def test_a_waveform_of_no_user_is_not_asked_for(open_client: OpenClient) -> None:
    with talking(open_client, Reply(200, DAT)) as (stub, client), pytest.raises(CredentialsMissing):
        client.waveform(ID)
    assert stub.received == []


def test_a_search_goes_on_over_pages(open_client: OpenClient) -> None:
    pages = [
        Reply.json(200, {"items": [recording_json()], "next": "b"}),
        Reply.json(200, {"items": [], "next": None}),
    ]
    with talking(open_client, one_after_the_other(*pages), *CREDENTIALS) as (stub, client):
        assert len(list(client.recordings(search="a&b \udcff"))) == 1
    assert [received.target for received in stub.received] == [
        "/records?limit=50&q=a%26b+%EF%BF%BD",
        "/records?limit=50&cursor=b&q=a%26b+%EF%BF%BD",
    ]


@pytest.mark.parametrize("token", [None, "", "two\nlines", "токен"])
def test_call_of_a_user_without_usable_credentials_sends_nothing(
    open_client: OpenClient, token: str | None
) -> None:
    with talking(open_client, UPLOADED, 1, token) as (stub, client):
        for call in (lambda: client.upload(b"RIFF"), lambda: client.show(ID), client.me):
            with pytest.raises(CredentialsMissing):
                call()
    assert stub.received == []


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        (problem(400, "malformed", "Bad."), BadInput, "Bad. (malformed)"),
        (problem(401, "not-authenticated", "No."), NotAuthenticated, "No. (not-authenticated)"),
        (problem(403, "registration-closed", "Ask."), Refused, "Ask. (registration-closed)"),
        (problem(404, "recording-not-found", "No."), NotFound, "No. (recording-not-found)"),
        (problem(409, "name-taken", "A user of this name exists."), NameTaken, "exists. (name-taken)"),
        (problem(413, "upload-too-large", "Large."), BadInput, "Large. (upload-too-large)"),
        (problem(415, "not-a-wav", "No WAV."), BadInput, "No WAV. (not-a-wav)"),
        (problem(422, "invalid-field", "Bad.", detail="Too long."), BadInput, "Too long. (invalid-field)"),
        (problem(429, "slow-down", "Slow."), TryLater, "Slow. (slow-down)"),
        (problem(409, "of-tomorrow", "No."), Refused, "No. (of-tomorrow)"),
        (problem(400, "overloaded", "Full."), TryLater, "Full. (overloaded)"),
        (problem(500, "internal-error", "Oh."), Refused, "Oh. (internal-error)"),
        (problem(503, "overloaded", "Full."), TryLater, "Full. (overloaded)"),
        (Reply(502, b"<html>"), UnexpectedAnswer, " answers 502 Bad Gateway."),
        (Reply(500, b"[]"), UnexpectedAnswer, "500"),
        (Reply(200, b"{}"), UnexpectedAnswer, "200"),
        (Reply(201, b"{}"), UnexpectedAnswer, "does not match PigWav's API."),
        (Reply(201, b"[]"), UnexpectedAnswer, "does not match PigWav's API."),
        (Reply(201, b"\xff"), UnexpectedAnswer, "does not match PigWav's API."),
        (Reply(201, b"", {"Content-Encoding": "gzip"}), UnexpectedAnswer, "Content-Encoding"),
        (Reply(301, headers={"Location": "/elsewhere"}), UnexpectedAnswer, "301"),
    ],
)
def test_answer_that_is_no_success_is_an_error_of_the_one_tree(
    open_client: OpenClient, reply: Reply, kind: type[ClientError], text: str
) -> None:
    with talking(open_client, reply, attempts=1) as (_, client), pytest.raises(kind) as caught:
        client.register("x")
    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert getattr(caught.value, "status", None) == reply.status


def test_refusal_carries_the_fields_of_the_problem_document(open_client: OpenClient) -> None:
    fields = {"detail": "100 uploads.", "limit": "uploads"}
    busy = problem(503, "overloaded", "Full.", headers={"Retry-After": "5"}, **fields)
    with talking(open_client, busy, attempts=1) as (_, client), pytest.raises(TryLater) as caught:
        client.register("x")
    refused = caught.value
    assert (refused.status, refused.code, refused.title) == (503, "overloaded", "Full.")
    assert (refused.detail, refused.limit, refused.retry_after_s) == ("100 uploads.", "uploads", 5)
    assert str(refused) == "100 uploads. (overloaded, limit: uploads)"


def test_refusal_that_is_of_no_limit_names_none(open_client: OpenClient) -> None:
    stopping = problem(503, "shutting-down", "Stopping.")
    with talking(open_client, stopping, attempts=1) as (_, client), pytest.raises(TryLater) as caught:
        client.register("x")
    assert (caught.value.limit, caught.value.found) == (None, None)
    assert str(caught.value) == "Stopping. (shutting-down)"


def test_refusal_of_what_is_no_wav_says_what_it_is(open_client: OpenClient) -> None:
    foreign = problem(415, "not-a-wav", "No WAV.", detail="The body is M4A.", found="m4a")
    with talking(open_client, foreign) as (_, client), pytest.raises(BadInput) as caught:
        client.register("x")
    assert (caught.value.found, str(caught.value)) == ("m4a", "The body is M4A. (not-a-wav)")


@pytest.mark.parametrize(
    ("header", "retry_after_s"),
    [
        ("soon", None),
        ("-1", None),
        ("٣", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("tomorrow", pytest.approx(86_400, abs=90)),
    ],
)
def test_retry_after_may_be_a_date_or_nonsense(header: str, retry_after_s: int | None) -> None:
    tomorrow = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    value = header.replace("tomorrow", tomorrow).encode().decode("latin-1")
    busy = problem(503, "overloaded", "Full.", headers={"Retry-After": value})
    with talking(PigWavClient, busy, attempts=1) as (_, client), pytest.raises(TryLater) as caught:
        client.register("x")
    assert caught.value.retry_after_s == retry_after_s


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:1",
        "",
        "ftp://127.0.0.1",
        "http://127.0.0.1:x",
        "http://127.0.0.1:65537",
        "http://127.0.0.1:0",
        "http://127.0.0.1:1?x=1",
        "http://127.0.0.1:1/#x",
        '"http://127.0.0.1:1"',
        "http://me:hush@127.0.0.1:x",
        "me:hush@127.0.0.1:1",
    ],
)
def test_what_is_no_address_is_said_so_at_once_without_its_password(
    open_client: OpenClient, url: str
) -> None:
    with pytest.raises(InvalidAddress) as refused, open_client(url, attempts=1_000_000) as client:
        client.register("x")

    assert "hush" not in str(refused.value)


def test_blanks_around_an_address_are_removed(open_client: OpenClient) -> None:
    with (
        stub_service(lambda *_: Reply.json(200, {"id": 1, "name": "anna"})) as stub,
        open_client(f" {stub.url}/\r\n", token=TOKEN) as client,
    ):
        assert client.me().id == 1


def test_address_without_a_service_is_not_connected_and_its_name_alone_is_told(
    open_client: OpenClient,
) -> None:
    with open_client(attempts=1) as client, pytest.raises(NotConnected) as caught:
        client.file_name("http://somebody:secret@127.0.0.1:1/record?id=a&user=1")
    assert str(caught.value).startswith("http://127.0.0.1:1 does not answer: ")


def test_host_that_cannot_be_is_not_connected(open_client: OpenClient) -> None:
    with open_client("http://[", attempts=1) as client, pytest.raises(Unreachable):
        client.register("x")


def test_silent_service_is_unreachable_after_the_timeout(open_client: OpenClient) -> None:
    never = Event()
    with talking(open_client, Reply(201, after=never), timeout_s=0.1, attempts=1) as (_, client):
        with pytest.raises(Unreachable, match=r"does not answer: .+\.$") as caught:
            client.register("x")
        never.set()
    assert type(caught.value) is Unreachable


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (503, TryLater), (502, UnexpectedAnswer)])
def test_refusal_of_a_head_request_is_known_by_its_status(
    open_client: OpenClient, status: int, kind: type[ClientError]
) -> None:
    refused = problem(status, "x", "X.")
    with talking(open_client, refused, attempts=1) as (stub, client), pytest.raises(kind) as caught:
        client.file_name(f"{stub.url}/record?id=a&user=1")
    assert caught.value.status == status


def test_reason_of_a_refused_head_request_is_asked_for(open_client: OpenClient) -> None:
    refused = problem(404, "recording-not-found", "X.")
    with talking(open_client, refused, *CREDENTIALS, attempts=1) as (stub, client):
        with pytest.raises(NotFound) as caught:
            client.peek(f"{stub.url}/record?id=a&user=1")
        with pytest.raises(NotFound):
            client.delete("a")
    assert caught.value.code == "recording-not-found"
    assert [(one.method, one.headers.get("Range")) for one in stub.received] == [
        ("HEAD", None),
        ("GET", "bytes=0-0"),
        ("DELETE", None),
    ]


def test_file_name_is_that_of_the_link_and_needs_no_credentials(open_client: OpenClient) -> None:
    headers = {"Content-Disposition": "inline; filename=\"_.mp3\"; filename*=UTF-8''%D0%AF.mp3"}
    moved = Reply(307, headers={"Location": "/there?id=a"})
    replies = one_after_the_other(moved, Reply(200, b"x" * 9, headers))
    with talking(open_client, replies, *CREDENTIALS) as (stub, client):
        assert client.file_name(f"{stub.url}/record?id=a&user=1") == "Я.mp3"
    assert [(received.method, received.target) for received in stub.received] == [
        ("HEAD", "/record?id=a&user=1"),
        ("HEAD", "/there?id=a"),
    ]
    assert "Authorization" not in stub.received[0].headers
