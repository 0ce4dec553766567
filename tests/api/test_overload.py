"""If an executor is full, new requests are refused soon; open uploads slow down and lose nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from accounts import Account, register
from api.full_executor import full
from api.sockets import Answer, connect, upload_head
from e2e.open_upload import open_upload
from factories import wav
from pigwav.settings import Settings
from problem_assertions import assert_problem
from serving import ServedApi, served
from waiting import wait_until


@contextmanager
def narrow(settings: Settings) -> Iterator[tuple[ServedApi, Account]]:
    """One thread for the encoder, two for the database, and a short queue timeout."""
    database = settings.database.model_copy(update={"pool_size": 2})
    changed = settings.model_copy(update={"database": database, "cpu_threads": 1, "queue_timeout_s": 0.2})
    with served(changed) as api, httpx2.Client(base_url=api.url, timeout=30) as http:
        yield api, register(http)


def test_while_the_database_s_executor_is_full_small_requests_are_refused_and_an_open_upload_waits(
    settings: Settings,
) -> None:
    body = wav(seconds=2)
    with narrow(settings) as (api, account), connect(api) as connection:
        connection.sendall(upload_head(account, f"Content-Length: {len(body)}") + body[:-100])
        wait_until(lambda: "pigwav_upload_held_bytes 0.0" not in account.http.get("/metrics").text)
        with full(api.services.executors.db):
            connection.sendall(body[-100:])
            for path in ("/users/me", "/records", "/readyz"):
                assert_problem(account.http.get(path, headers=account.bearer), 503, "overloaded")
            assert account.http.get("/healthz").status_code == 200
        assert Answer.read(connection).status == 201
        assert account.http.get("/users/me", headers=account.bearer).status_code == 200


def test_while_the_encoder_is_behind_no_further_upload_is_taken_and_small_requests_are(
    settings: Settings,
) -> None:
    with narrow(settings) as (api, account):
        with full(api.services.executors.cpu):
            wait_until(lambda: api.services.executors.cpu.longest_wait_s() > 0.2)
            assert_problem(account.upload_raw(wav(seconds=1)), 503, "overloaded")
            assert account.http.get("/users/me", headers=account.bearer).status_code == 200
        assert account.upload_raw(wav(seconds=1)).status_code == 201


def test_without_a_place_an_upload_is_refused_before_its_body_and_one_that_is_sent_all_the_same_is_read_away(
    settings: Settings,
) -> None:
    with one_place(settings) as (api, account), open_upload(account, wav(seconds=1)) as taken:
        wait_until(lambda: "pigwav_uploads_open 1.0" in account.http.get("/metrics").text)
        with connect(api) as connection:
            connection.sendall(upload_head(account, "Content-Length: 70000000"))
            answer = Answer.read(connection)
        with connect(api) as connection:
            connection.sendall(upload_head(account, "Content-Length: 70000000") + bytes(70_000_000))
            deaf = Answer.read(connection)
        metrics = account.http.get("/metrics").text
        finished = taken.finish()[0]

    for refusal in (answer, deaf):
        refusal.assert_problem(503, "overloaded")
        assert refusal.headers["connection"] == "close"
    assert 'pigwav_uploads_total{outcome="overloaded"} 2.0' in metrics
    assert 'status="503"' not in metrics  # the request did not reach the application
    assert finished == 201


def test_a_page_of_another_origin_may_read_that_there_is_no_place(settings: Settings) -> None:
    origin = "https://voice.example.org"
    http = settings.http.model_copy(update={"cors_origins": origin})
    with (
        one_place(settings.model_copy(update={"http": http})) as (_, account),
        open_upload(account, wav(seconds=1)),
    ):
        wait_until(lambda: "pigwav_uploads_open 1.0" in account.http.get("/metrics").text)
        headers = account.bearer | {"Content-Type": "audio/wav", "Origin": origin}
        answer = account.http.post(
            "/records", params={"user": account.id}, content=wav(seconds=0.1), headers=headers
        )

        assert_problem(answer, 503, "overloaded")
        assert answer.headers["access-control-allow-origin"] == origin


@contextmanager
def one_place(settings: Settings) -> Iterator[tuple[ServedApi, Account]]:
    limits = settings.limits.model_copy(update={"max_open_uploads": 1})
    with (
        served(settings.model_copy(update={"limits": limits})) as api,
        httpx2.Client(base_url=api.url, timeout=30) as http,
    ):
        yield api, register(http)
