"""Limits of a connection: endless heads, unusual body framing, responses that the client does not read."""

import gc
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from types import FrameType, FunctionType
from uuid import uuid4

import httpx2
import pytest

from accounts import Account, register
from api.sockets import Answer, connect, upload_head
from e2e.open_upload import open_upload
from factories import wav
from pigwav.api.connections.connection import MAX_PIPELINED, Connection
from pigwav.settings import Settings
from pigwav.store.memory import MemoryStore
from problem_assertions import assert_problem
from serving import ServedApi, served
from traces import Traces
from waiting import wait_until

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
KIB = 1024


@pytest.fixture
def connection(api: ServedApi) -> Iterator[socket.socket]:
    with connect(api) as opened:
        yield opened


@contextmanager
def served_with(settings: Settings, **http: object) -> Iterator[ServedApi]:
    """An API with a new store and other HTTP settings."""
    changed = settings.model_copy(update={"http": settings.http.model_copy(update=http)})
    with served(changed, store=MemoryStore()) as running:
        yield running


def sent_until_answered(connection: socket.socket, pieces: Iterator[bytes]) -> Answer:
    """Sends `pieces`, which never end, until a response comes."""
    connection.settimeout(0.01)
    received = b""
    for piece in pieces:
        try:
            connection.sendall(piece)
        except TimeoutError:
            pass
        except OSError:
            break  # the service has answered and closed the connection
        try:
            received += connection.recv(65536)
        except TimeoutError:
            continue
        break
    connection.settimeout(30)
    return Answer.read(connection, received)


def ended(api: ServedApi, reason: str) -> float:
    value = api.services.metrics.connections_ended.labels(reason)
    return next(sample.value for sample in value.collect()[0].samples if sample.name.endswith("_total"))


@pytest.mark.parametrize(
    "endless",
    [b"x-" + b"n" * KIB, b"X: " + b"v" * KIB, b"X-Many: few\r\n" * 100],
    ids=["one name", "one value", "fields"],
)
def test_a_head_that_never_ends_is_refused(connection: socket.socket, endless: bytes) -> None:
    answer = sent_until_answered(connection, chain([GET, endless], repeat(endless)))

    answer.assert_problem(431, "head-too-large")
    assert answer.ends_the_connection()


@pytest.mark.parametrize(
    "fields",
    [b"X: " + b"v" * 33 * KIB + b"\r\n", b"X: y\r\n" * 101],
    ids=["bytes", "fields"],
)
def test_a_whole_head_that_is_too_large_is_refused(connection: socket.socket, fields: bytes) -> None:
    connection.sendall(GET + fields + b"\r\n")

    answer = Answer.read(connection)

    answer.assert_problem(431, "head-too-large")
    assert answer.ends_the_connection()


def test_a_head_within_the_bounds_is_taken(connection: socket.socket) -> None:
    connection.sendall(GET + b"".join(b"X-%d: %b\r\n" % (n, b"v" * 300) for n in range(98)) + b"\r\n")

    assert Answer.read(connection).status == 200


@pytest.mark.parametrize(
    ("slow", "drip"),
    [(b"GET /", b"x"), (GET, b"x"), (b"\r\n", b"\r\n")],
    ids=["a path", "fields", "empty lines"],
)
def test_a_head_that_does_not_come_in_time_is_refused_however_it_drips(
    settings: Settings, slow: bytes, drip: bytes
) -> None:
    with served_with(settings, header_timeout_s=0.3) as api, connect(api) as connection:
        answer = sent_until_answered(connection, chain([slow], repeat(drip)))

        answer.assert_problem(408, "head-too-slow")
        assert answer.ends_the_connection()


def test_a_slow_head_of_a_later_request_is_refused(settings: Settings) -> None:
    with served_with(settings, header_timeout_s=0.3) as api, connect(api) as connection:
        connection.sendall(GET + b"\r\n")
        assert Answer.read(connection).status == 200
        connection.sendall(GET)

        Answer.read(connection).assert_problem(408, "head-too-slow")


def test_a_connection_that_says_nothing_is_closed_without_a_word(settings: Settings) -> None:
    with served_with(settings, header_timeout_s=0.3) as api, connect(api) as connection:
        assert connection.recv(1) == b""
        assert ended(api, "silent") == 1


def test_a_connection_is_kept_between_requests_for_so_long(settings: Settings) -> None:
    with served_with(settings, keep_alive_s=1) as api, connect(api) as connection:
        connection.sendall(GET + b"\r\n")
        assert Answer.read(connection).status == 200

        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",  # TLS to a plain HTTP port
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\x80 HTTP/1.1\r\n\r\n",
        b"CONNECT example.org:80 HTTP/1.1\r\n\r\n",
        b"POST /records HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /records HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ],
)
def test_what_is_no_http_is_told_so_as_a_problem(connection: socket.socket, nonsense: bytes) -> None:
    connection.sendall(nonsense)

    answer = Answer.read(connection)

    answer.assert_problem(400, "malformed-http")
    assert answer.ends_the_connection()


def test_nonsense_behind_a_request_does_not_cost_the_request_its_answer(
    api: ServedApi, account: Account
) -> None:
    body = wav(seconds=2)
    with connect(api) as connection:
        connection.sendall(upload_head(account, f"Content-Length: {len(body)}") + body + b"\0nonsense")

        answer = Answer.read(connection)

        assert answer.status == 201
        assert answer.ends_the_connection()


CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    "endless",
    [[b"5;x=", b"y" * KIB], [b"5\r\nRIFF0\r\n0\r\nT: ", b"z" * KIB], [b"0\r\n", b"T: z\r\n" * 100]],
    ids=["a chunk's extension", "a trailer", "trailers"],
)
def test_what_surrounds_a_body_is_bounded(api: ServedApi, account: Account, endless: list[bytes]) -> None:
    first, rest = endless
    with connect(api) as connection:
        pieces = chain([upload_head(account, CHUNKED) + first], repeat(rest))
        answer = sent_until_answered(connection, pieces)

        answer.assert_problem(431, "head-too-large")
        assert answer.ends_the_connection()


def test_small_chunks_are_as_good_as_large_ones(api: ServedApi, account: Account) -> None:
    body = wav(seconds=2)
    chunks = b"".join(b"28;of=x\r\n%b\r\n" % body[at : at + 40] for at in range(0, len(body) - 40, 40))
    with connect(api) as connection:
        connection.sendall(upload_head(account, CHUNKED) + chunks + b"0\r\n\r\n")

        assert Answer.read(connection).status == 201


def test_a_trailer_is_no_header(api: ServedApi, account: Account) -> None:
    start = upload_head(account, CHUNKED).replace(b"Authorization", b"X-Nothing")
    with connect(api) as connection:
        trailer = f"Authorization: Bearer {account.token}\r\n".encode()
        connection.sendall(start + b"4\r\nRIFF\r\n0\r\n" + trailer + b"\r\n")

        Answer.read(connection).assert_problem(401, "not-authenticated")


def test_a_body_whose_frames_break_is_told_so_and_leaves_nothing(api: ServedApi, account: Account) -> None:
    body, traces = wav(seconds=2), Traces(api.services)
    with connect(api) as connection:
        connection.sendall(upload_head(account, CHUNKED) + b"%x\r\n%b\r\n" % (len(body), body))
        wait_until(lambda: traces.of(account.id) != [])
        connection.sendall(b"nonsense")

        Answer.read(connection).assert_problem(400, "malformed-http")
    wait_until(lambda: traces.of(account.id) == [])


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("framing", ["Content-Length", "chunked"])
def test_an_offer_to_upgrade_is_passed_over_and_its_body_is_no_request(
    api: ServedApi, account: Account, framing: str, pieces: int
) -> None:
    body = wav(seconds=0.5)
    offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"
    if framing == "chunked":
        request = upload_head(account, f"{offer}\r\n{CHUNKED}") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        request = upload_head(account, f"{offer}\r\nContent-Length: {len(body)}") + body
    with connect(api) as connection:
        step = -(-len(request) // pieces)
        for start in range(0, len(request), step):
            connection.sendall(request[start : start + step])
        connection.sendall(GET + b"\r\n")

        answer = Answer.read(connection)

        assert answer.status == 201
        assert answer.ends_the_connection()


def test_a_request_behind_an_offer_to_upgrade_adds_nothing_to_its_body(connection: socket.socket) -> None:
    body = b'{"name": ""}'
    head = (
        b"POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        % len(body)
    )
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    connection.sendall(head + offer + b"\r\n" + body + head + b"\r\n" + body)

    answer = Answer.read(connection)

    answer.assert_problem(422, "invalid-field")
    assert answer.ends_the_connection()


def test_an_offer_to_upgrade_with_a_framing_that_nobody_knows_is_told_so(connection: socket.socket) -> None:
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: gzip\r\n"
    connection.sendall(b"POST /records HTTP/1.1\r\nHost: x\r\n" + offer + b"\r\n")

    answer = Answer.read(connection)

    answer.assert_problem(400, "malformed-http")
    assert answer.ends_the_connection()


def test_of_a_packet_full_of_requests_some_are_answered_and_the_rest_is_dropped(
    api: ServedApi, connection: socket.socket
) -> None:
    before = ended(api, "overloaded")
    connection.sendall((GET + b"\r\n") * 4000)

    received = b""
    with suppress(ConnectionResetError):
        while block := connection.recv(65536):
            received += block

    assert 1 <= received.count(b"HTTP/1.1 200") <= MAX_PIPELINED + 1
    assert ended(api, "overloaded") == before + 1


def test_a_refusal_does_not_keep_the_received_bytes_in_memory(
    api: ServedApi, connection: socket.socket
) -> None:
    """The garbage collector runs seldom (cli/serve.py), so it must not be needed."""
    before = ended(api, "overloaded")
    gc.collect()
    gc.disable()
    try:
        connection.sendall((GET + b"\r\n") * 4000)
        wait_until(lambda: ended(api, "overloaded") == before + 1)
        wait_until(lambda: not frames_of(Connection.data_received), within_s=5)
    finally:
        gc.enable()


def frames_of(function: FunctionType) -> list[FrameType]:
    """Frames of the function that something still refers to, with all that their variables hold."""
    frames = [found for found in gc.get_objects() if isinstance(found, FrameType)]
    return [frame for frame in frames if frame.f_code is function.__code__]


def test_who_drips_forms_without_a_token_takes_no_place_from_those_who_have_one(settings: Settings) -> None:
    limits = settings.limits.model_copy(update={"max_open_uploads": 1})
    with (
        served(settings.model_copy(update={"limits": limits})) as api,
        httpx2.Client(base_url=api.url, timeout=30) as http,
        connect(api) as dripping,
    ):
        account = register(http, f"owner of a place {uuid4()}")
        form = b"POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        dripping.sendall(form + b"Content-Length: 9999\r\n\r\n--b\r\nContent-Disposition: form-data; name=")
        for _ in range(3):
            http.get("/healthz")  # by then the form's request has started

        assert account.upload_raw(wav(seconds=0.1)).status_code == 201


def test_one_user_cannot_take_all_places(settings: Settings) -> None:
    limits = settings.limits.model_copy(update={"max_open_uploads_per_user": 1})
    with (
        served(settings.model_copy(update={"limits": limits})) as api,
        httpx2.Client(base_url=api.url, timeout=30) as http,
    ):
        greedy, other = (register(http, f"{name} {uuid4()}") for name in ("greedy", "other"))
        with open_upload(greedy, wav(seconds=1)) as first:
            wait_until(lambda: Traces(api.services).of(greedy.id) == ["pending"])

            assert_problem(greedy.upload_raw(wav(seconds=0.1)), 429, "rate-limited")
            assert other.upload_raw(wav(seconds=0.1)).status_code == 201
            assert first.finish()[0] == 201
        assert greedy.upload_raw(wav(seconds=0.1)).status_code == 201


def test_what_unauthenticated_uploads_hold_together_is_bounded(settings: Settings) -> None:
    """A form whose file precedes its credentials is buffered: at most 1 MiB per form, and 1 MiB for all forms."""
    limits = settings.limits.model_copy(update={"max_buffered_bytes": 16 * 2**20})
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + bytes(900_000)
    head = b"POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    with (
        served(settings.model_copy(update={"limits": limits})) as api,
        connect(api) as one,
        connect(api) as other,
    ):
        one.sendall(head + b"Content-Length: 9999999\r\n\r\n" + part)
        other.sendall(head + b"Content-Length: 9999999\r\n\r\n" + part)

        readable, _, _ = select.select([one, other], [], [], 30)
        assert len(readable) == 1
        Answer.read(readable[0]).assert_problem(503, "overloaded")


def test_a_phone_that_is_refused_in_the_middle_hears_it_at_once_and_can_end_its_body(
    api: ServedApi, account: Account
) -> None:
    """The rest of the body is read and discarded for up to ten seconds; the response does not wait for that."""
    body = wav(seconds=5)
    unauthenticated = Account(account.http, account.id, "no such token")
    with connect(api) as phone:
        phone.settimeout(5)
        phone.sendall(upload_head(unauthenticated, f"Content-Length: {len(body)}") + body[:10_000])
        answer = Answer.read(phone)
        phone.sendall(body[10_000:])

        answer.assert_problem(401, "not-authenticated")
        assert answer.ends_the_connection()


def test_an_offer_to_upgrade_without_a_body_is_passed_over(connection: socket.socket) -> None:
    connection.sendall(GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")

    answer = Answer.read(connection)

    assert answer.status == 200
    assert answer.ends_the_connection()


def test_more_connections_than_the_bound_are_told_to_come_again(settings: Settings) -> None:
    with served_with(settings, max_connections=1) as api:
        with connect(api) as first:
            first.sendall(GET + b"\r\n")
            assert Answer.read(first).status == 200

            with connect(api) as second:
                Answer.read(second).assert_problem(503, "overloaded")
        wait_until(lambda: answers(api))


def answers(api: ServedApi) -> bool:
    return httpx2.get(f"{api.url}/healthz", headers={"Connection": "close"}).status_code == 200


@contextmanager
def listening(api: ServedApi, link: str) -> Iterator[socket.socket]:
    """A client that has read the start of the response and stops reading."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.settimeout(30)
        listener.connect(("127.0.0.1", api.port))
        listener.sendall(f"GET {link} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert listener.recv(12) == b"HTTP/1.1 200"
        yield listener


@pytest.fixture(scope="module")
def long_recording(settings: Settings) -> Callable[[ServedApi], str]:
    """Makes a recording that does not fit into socket buffers; returns its path."""
    body = wav(seconds=220, rate=32_000, channels=1, content="silence")

    def record(api: ServedApi) -> str:
        with httpx2.Client(base_url=api.url, timeout=60) as http:
            return register(http).upload_raw(body, bitrate=320).json()["url"].removeprefix(api.url)

    return record


def test_a_listener_who_takes_nothing_for_too_long_is_cut_off(
    settings: Settings, long_recording: Callable[[ServedApi], str]
) -> None:
    with served_with(settings, listener_idle_s=0.4) as api, listening(api, long_recording(api)):
        wait_until(lambda: ended(api, "listener-idle") == 1)
        wait_until(lambda: "pigwav_downloads_open 0.0" in httpx2.get(f"{api.url}/metrics").text)


def test_beyond_the_bound_another_download_is_refused_for_a_while(
    settings: Settings, long_recording: Callable[[ServedApi], str]
) -> None:
    with served_with(settings, max_open_downloads=1) as api:
        path = long_recording(api)
        with listening(api, path):
            refused = httpx2.get(api.url + path)
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
            assert "retry-after" in refused.headers
            assert httpx2.head(api.url + path).status_code == 200
        wait_until(lambda: httpx2.get(api.url + path).status_code == 200)


@pytest.mark.parametrize(
    "head",
    [
        b"POST /records HTTP/1.0\r\nContent-Type: audio/wav\r\n",
        b"POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\n",
        b"POST /records HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n",
    ],
)
@pytest.mark.parametrize("body", [b"", b"RIFF\x24\0\0\0WAVE" + bytes(100_000)])
def test_a_body_without_length_and_chunks_is_told_so(
    connection: socket.socket, account: Account, head: bytes, body: bytes
) -> None:
    connection.sendall(head + f"Authorization: Bearer {account.token}\r\n\r\n".encode() + body)

    Answer.read(connection).assert_problem(411, "length-required")


def test_a_body_of_length_zero_is_empty(connection: socket.socket, account: Account) -> None:
    connection.sendall(upload_head(account, "Content-Length: 0"))

    answer = Answer.read(connection)

    answer.assert_problem(415, "not-a-wav")
    assert answer.document()["found"] == "empty"


@pytest.mark.parametrize(
    ("head", "words"),
    [
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "2 Host fields", id="two hosts"),
        pytest.param(
            b"GET /healthz HTTP/1.1\r\nHost: a\r\nHOST: a\r\n", "2 Host fields", id="the same host twice"
        ),
        pytest.param(b"GET /healthz HTTP/1.1\r\nAccept: */*\r\n", "no Host", id="no host"),
        pytest.param(b"GET /healthz\r\n", "", id="HTTP/0.9"),
        pytest.param(b"GET /healthz HTTP/2.0\r\nHost: a\r\n", "", id="HTTP/2.0"),
        pytest.param(
            b"POST /users HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
            "HTTP/1.0",
            id="1.0 with chunked",
        ),
        *(
            pytest.param(
                b"POST /users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: " + value + b"\r\n",
                "",
                id=value.decode(),
            )
            for value in (
                b"identity",
                b"identity, chunked",
                b"identity\r\nTransfer-Encoding: chunked",
                b"chunked\r\nTransfer-Encoding: identity",
                b"gzip, chunked",
                b"chunked, chunked",
                b"xchunked",
                b"chunked;a=b",
            )
        ),
    ],
)
def test_a_head_that_a_proxy_may_read_otherwise_is_refused(
    connection: socket.socket, head: bytes, words: str
) -> None:
    connection.sendall(head + b"\r\n0\r\n\r\n")
    answer = Answer.read(connection)
    answer.assert_problem(400, "malformed-http")
    assert words in (answer.document().get("detail") or "")
    assert answer.ends_the_connection()


@pytest.mark.parametrize("head", [b"GET /healthz HTTP/1.0\r\n", b"GET /healthz HTTP/1.0\r\nHost: a\r\n"])
def test_http_1_0_needs_no_host(connection: socket.socket, head: bytes) -> None:
    connection.sendall(head + b"\r\n")
    assert Answer.read(connection).status == 200


@pytest.mark.parametrize("path", ["/records/", "/users/", "/record/", "/users/me/", "/healthz/"])
def test_a_slash_at_the_end_is_another_path_and_no_redirect(api: ServedApi, path: str) -> None:
    """A redirect would send a form's token again, to an address made from the request's Host."""
    with httpx2.Client(base_url=api.url) as http:
        for answer in (http.get(path), http.post(path, data={"token": "x"})):
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_heads_that_wait_have_together_the_bytes_of_one(api: ServedApi, connection: socket.socket) -> None:
    """Some KiB for each of ten thousand connections, without a token."""
    large = GET + b"X-Padding: " + b"x" * 14 * KIB + b"\r\n\r\n"
    before = ended(api, "overloaded")
    connection.sendall(large * (MAX_PIPELINED + 1))

    received = b""
    with suppress(ConnectionResetError):
        while block := connection.recv(65536):
            received += block

    assert 1 <= received.count(b"HTTP/1.1 200") <= 3
    assert ended(api, "overloaded") == before + 1


def test_a_client_that_always_has_a_few_requests_waiting_is_served(connection: socket.socket) -> None:
    """Hundreds of small heads have together more bytes than one head may have, but few of them wait at a time."""
    request = GET + b"X-Padding: " + b"x" * KIB + b"\r\n\r\n"
    connection.sendall(request * 3)
    received, answered = b"", 0
    while answered < 100:
        received += connection.recv(65536)
        assert b"HTTP/1.1 503" not in received
        more = received.count(b"HTTP/1.1 200") - answered
        connection.sendall(request * more)
        answered += more


def test_a_listener_that_leaves_while_another_request_waits_is_no_error(
    settings: Settings, long_recording: Callable[[ServedApi], str], caplog: pytest.LogCaptureFixture
) -> None:
    with served_with(settings) as api:
        path = long_recording(api)
        for _ in range(3):
            with listening(api, path) as listener:
                listener.sendall(GET + b"\r\n")
        wait_until(lambda: "pigwav_downloads_open 0.0" in httpx2.get(f"{api.url}/metrics").text)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
