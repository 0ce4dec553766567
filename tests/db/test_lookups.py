"""Look-ups on the event loop: servers that break off, hang or restart, requests that are cancelled."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any, TypeAlias

import pytest
import uvloop
from pydantic import SecretStr
from sqlalchemy import Engine, func, select, text

from databases import as_owner, fresh_database
from fakes.s3_server import serving
from needs import without_pgbouncer
from pigwav.db.client_timeout import wait
from pigwav.db.engine import connect_asynchronously, open_engine
from pigwav.db.lookups import Lookup, Lookups
from pigwav.db.models import UserRow
from pigwav.devstack import StackAddress
from pigwav.errors import DatabaseUnavailable, Limit, Overloaded
from pigwav.executors import BoundedExecutor
from pigwav.settings import DatabaseSettings
from waiting import wait_until

TIMEOUT_S = 0.5
WAIT_S = 0.2
SIZE = 2

PID = Lookup(select(func.pg_backend_pid()))
USERS = Lookup(select(func.count(UserRow.id)))
READER_PID = Lookup(select(func.pg_backend_pid(), select(func.count(UserRow.id)).scalar_subquery()))
NO_TABLE = Lookup(select(text("1 FROM nowhere")))
LIMIT = Lookup(select(func.current_setting("statement_timeout")))
DIES = Lookup(select(func.pg_terminate_backend(func.pg_backend_pid())))

Run: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[uvloop.run, asyncio.run], ids=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine on an event loop of either kind."""
    return request.param


@pytest.fixture(scope="module")
def url(stack: StackAddress) -> str:
    return fresh_database(stack.database_url)


@pytest.fixture(scope="module")
def owner(url: str) -> Iterator[Engine]:
    engine = open_engine(as_owner(url), isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@contextmanager
def opened(
    url: str, *, timeout_s: float = TIMEOUT_S, pool_size: int = 4 * SIZE, wait_s: float = 30
) -> Iterator[Lookups]:
    settings = DatabaseSettings(url=SecretStr(url), timeout_s=timeout_s, pool_size=pool_size)
    with (
        closing(BoundedExecutor("db", width=SIZE)) as executor,
        closing(Lookups.open(settings, executor, wait_s=wait_s)) as lookups,
    ):
        yield lookups


@pytest.fixture
def lookups(url: str) -> Iterator[Lookups]:
    with opened(url) as found:
        yield found


async def pid_of(lookups: Lookups) -> int:
    found = await lookups.one(PID)
    assert found
    return int(found[0])


async def all_pids(lookups: Lookups) -> set[int]:
    """The sessions of as many look-ups at once as there are connections, and more."""
    return set(await asyncio.gather(*(pid_of(lookups) for _ in range(3 * SIZE))))


def is_there(owner: Engine, pid: int) -> bool:
    with owner.connect() as connection:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
        return bool(connection.execute(query, {"pid": pid}).scalar_one())


def end(owner: Engine, pid: int) -> None:
    with owner.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    wait_until(lambda: not is_there(owner, pid))


@asynccontextmanager
async def locked(owner: Engine) -> AsyncIterator[None]:
    """During the block, a query of the users waits."""
    with owner.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("LOCK TABLE users")
        try:
            yield
        finally:
            connection.exec_driver_sql("ROLLBACK")


def waiting_for_lock(owner: Engine) -> list[int]:
    with owner.connect() as connection:
        query = text(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return [*connection.execute(query).scalars()]


async def until_waiting(owner: Engine) -> int:
    await asyncio.to_thread(wait_until, lambda: bool(waiting_for_lock(owner)))
    return waiting_for_lock(owner)[0]


@without_pgbouncer("it has fewer sessions than connections")
def test_look_ups_take_turns_on_few_connections(run: Run, url: str, owner: Engine) -> None:
    async def sessions(lookups: Lookups) -> set[int]:
        async with locked(owner):
            asking = [asyncio.ensure_future(lookups.one(READER_PID)) for _ in range(3 * SIZE)]
            await asyncio.to_thread(wait_until, lambda: len(waiting_for_lock(owner)) == SIZE)
        return {found[0] for found in await asyncio.gather(*asking) if found}

    async def scenario(lookups: Lookups) -> None:
        first, then = await sessions(lookups), await sessions(lookups)

        assert first == then
        assert len(first) == SIZE

    with opened(url, timeout_s=20) as lookups:
        run(scenario(lookups))


@without_pgbouncer("it replaces a session without telling the client")
def test_connections_that_the_server_has_closed_are_replaced_and_no_look_up_fails(
    run: Run, lookups: Lookups, owner: Engine
) -> None:
    async def scenario() -> None:
        before = await all_pids(lookups)
        for pid in before:
            end(owner, pid)

        assert not await all_pids(lookups) & before

    run(scenario())


def test_a_connection_that_breaks_off_whenever_it_is_used_is_not_tried_for_ever(run: Run, url: str) -> None:
    """The service's role may end its own session."""

    async def scenario(lookups: Lookups) -> None:
        await all_pids(lookups)
        with pytest.raises(DatabaseUnavailable):
            await lookups.one(DIES)
        assert await pid_of(lookups)

    with opened(url) as lookups:
        run(scenario(lookups))


def test_a_statement_that_takes_too_long_is_ended_by_the_server(run: Run, url: str, owner: Engine) -> None:
    async def scenario(lookups: Lookups) -> None:
        async with locked(owner):
            with pytest.raises(DatabaseUnavailable, match="statement timeout"):
                await lookups.one(USERS)
        assert await lookups.one(USERS) == [0]

    with opened(url, timeout_s=3) as lookups:
        run(scenario(lookups))


@without_pgbouncer("its sessions are not the test's to stop")
def test_a_server_that_hangs_is_abandoned(run: Run, lookups: Lookups) -> None:
    async def scenario() -> None:
        frozen = await pid_of(lookups)
        os.kill(frozen, signal.SIGSTOP)
        try:
            with pytest.raises(DatabaseUnavailable, match=r"no answer within 0\.75 seconds"):
                await pid_of(lookups)
            assert await pid_of(lookups) != frozen
        finally:
            os.kill(frozen, signal.SIGCONT)

    run(scenario())


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    over = threading.Event()

    def say_nothing(connection: socket.socket) -> None:
        over.wait()

    with serving(say_nothing) as found:
        yield found.removeprefix("http://")
        over.set()


def test_the_event_loop_goes_on_while_a_server_lets_a_connection_wait(run: Run, silent: str) -> None:
    async def scenario(lookups: Lookups) -> None:
        connecting = asyncio.ensure_future(pid_of(lookups))
        turns = 0
        while not connecting.done():
            await asyncio.sleep(0.01)
            turns += 1
        with pytest.raises(DatabaseUnavailable, match="no answer within"):
            await connecting
        assert turns > 1

    with opened(f"postgresql://someone@{silent}/none?sslmode=disable") as lookups:
        run(scenario(lookups))


def test_nobody_at_the_address(run: Run) -> None:
    async def scenario(lookups: Lookups) -> None:
        with pytest.raises(DatabaseUnavailable, match="Connection refused") as raised:
            await pid_of(lookups)
        assert "hidden" not in str(raised.value)

    with opened("postgresql://someone:hidden@127.0.0.1:1/none") as lookups:
        run(scenario(lookups))


def test_a_statement_that_the_server_refuses_says_why(run: Run, lookups: Lookups) -> None:
    async def scenario() -> None:
        with pytest.raises(DatabaseUnavailable, match='relation "nowhere" does not exist'):
            await lookups.one(NO_TABLE)
        assert await lookups.one(USERS) == [0]

    run(scenario())


def test_a_look_up_that_is_cancelled_gives_its_place_back_and_ends_its_session(
    run: Run, url: str, owner: Engine
) -> None:
    async def scenario(lookups: Lookups) -> None:
        for _ in range(2):
            async with locked(owner):
                asking = asyncio.ensure_future(lookups.one(USERS))
                pid = await until_waiting(owner)
                asking.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asking
            wait_until(lambda pid=pid: pid not in waiting_for_lock(owner))
            assert await lookups.one(USERS) == [0]

    with opened(url, timeout_s=20, pool_size=2) as lookups:
        run(scenario(lookups))


def test_who_waits_for_a_connection_too_long_is_refused_and_the_next_one_at_once(
    run: Run, url: str, owner: Engine
) -> None:
    async def scenario(lookups: Lookups) -> None:
        async with locked(owner):
            holds = asyncio.ensure_future(lookups.one(USERS))
            await until_waiting(owner)
            waits = asyncio.ensure_future(pid_of(lookups))
            cancelled = asyncio.ensure_future(pid_of(lookups))
            await asyncio.sleep(WAIT_S * 0.6)
            cancelled.cancel()
            with pytest.raises(Overloaded) as at_once:
                await pid_of(lookups)
            assert not waits.done()
            with pytest.raises(Overloaded) as late:
                await waits
            assert at_once.value.limit == late.value.limit == Limit.DATABASE
        assert await holds == [0]
        assert await pid_of(lookups)

    with opened(url, timeout_s=20, pool_size=2, wait_s=WAIT_S) as lookups:
        run(scenario(lookups))


@without_pgbouncer("it gives each statement another session")
def test_a_look_up_leaves_no_limit_in_the_session(run: Run, url: str) -> None:
    """Behind PgBouncer, the session's next transaction is another client's."""
    session = connect_asynchronously(url, timeout_s=TIMEOUT_S)

    async def scenario(lookups: Lookups) -> None:
        assert await lookups.one(LIMIT) == ["500ms"]

    with closing(session), closing(BoundedExecutor("db", width=1)) as executor:
        run(scenario(Lookups(lambda: session, executor, size=1, timeout_s=TIMEOUT_S, wait_s=WAIT_S)))
        asking = session.cursor()
        asking.execute("SHOW statement_timeout")
        wait(session)
        assert asking.fetchone() == ("0",)
