"""Lanes that are full: who comes new is told so soon, who is being served is slowed down and loses nothing."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2

from accounts import Account, register
from api.sockets import Answer, connect, upload_head
from factories import wav
from pigwav.lanes import Lane
from pigwav.settings import Settings
from problem_assertions import assert_problem
from serving import ServedApi, served
from waiting import wait_until


@contextmanager
def narrow(settings: Settings) -> Iterator[tuple[ServedApi, Account]]:
    """One thread for the encoder, two for the database, and little patience."""
    database = settings.database.model_copy(update={"pool_size": 2})
    changed = settings.model_copy(update={"database": database, "cpu_threads": 1, "lane_wait_s": 0.2})
    with served(changed) as api, httpx2.Client(base_url=api.url, timeout=30) as http:
        yield api, register(http)


@contextmanager
def full(lane: Lane) -> Iterator[None]:
    """All its threads are at work until the end of the block, and one call is waiting."""
    go, begun = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        go.wait(30)

    with ThreadPoolExecutor(lane.width + 1) as callers:
        calls = [callers.submit(lambda: asyncio.run(lane(work))) for _ in range(lane.width + 1)]
        for _ in range(lane.width):
            assert begun.acquire(timeout=10)
        try:
            yield
        finally:
            go.set()
            for call in calls:
                call.result()


def test_while_the_database_s_lane_is_full_small_requests_are_refused_and_an_open_upload_waits(
    settings: Settings,
) -> None:
    body = wav(seconds=2)
    with narrow(settings) as (api, account), connect(api) as connection:
        connection.sendall(upload_head(account, f"Content-Length: {len(body)}") + body[:-100])
        wait_until(lambda: "pigwav_upload_held_bytes 0.0" not in account.http.get("/metrics").text)
        with full(api.services.lanes.db):
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
        with full(api.services.lanes.cpu):
            wait_until(lambda: api.services.lanes.cpu.longest_wait_s() > 0.2)
            assert_problem(account.upload_raw(wav(seconds=1)), 503, "overloaded")
            assert account.http.get("/users/me", headers=account.bearer).status_code == 200
        assert account.upload_raw(wav(seconds=1)).status_code == 201
