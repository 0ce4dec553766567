"""Queries that the event loop itself waits for: to look up a link takes no thread.

psycopg2's asynchronous connections are always in autocommit mode. So a query with its limits in front is one message
and one transaction, and leaves nothing in the session (docs/decisions/0014-limits-in-every-statement.md).
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Self

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, connection, cursor
from sqlalchemy import ColumnElement, Select, make_url

from pigwav.db.driver_errors import is_lost, translate_errors
from pigwav.db.engine import client_timeout_s, connect_asynchronously, limits
from pigwav.errors import Limit, NotConfigured, Overloaded
from pigwav.executors import BoundedExecutor
from pigwav.settings import DatabaseSettings

_DIALECT: Final = make_url("postgresql+psycopg2://").get_dialect()()


class Lookup:
    """A query for at most one row, compiled once. Its parameters are values that psycopg2 itself knows."""

    def __init__(self, query: "Select[*tuple[Any, ...]]") -> None:
        compiled = query.compile(dialect=_DIALECT)
        self.sql: Final = str(compiled)
        self._constants = compiled.params
        self._columns = [*query.selected_columns]
        self._converters: list[tuple[int, Callable[[Any], Any]]] | None = None

    def parameters(self, given: Mapping[str, object]) -> dict[str, object]:
        return {**self._constants, **given}

    def row(self, cursor: cursor) -> list[Any] | None:
        """The row that the cursor has, with the values that a session would return."""
        values = cursor.fetchone()
        if values is None:
            return None
        if self._converters is None:
            self._converters = [*_converters(self._columns, cursor)]
        converted = [*values]
        for position, convert in self._converters:
            converted[position] = convert(converted[position])
        return converted


def _converters(
    columns: "Sequence[ColumnElement[Any]]", cursor: cursor
) -> Iterator[tuple[int, Callable[[Any], Any]]]:
    """SQLAlchemy's conversions of what psycopg2 returns, for the columns that need one."""
    for position, (column, found) in enumerate(zip(columns, cursor.description, strict=True)):
        convert = column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, found.type_code)
        if convert is not None:
            yield position, convert


class Lookups:
    """A small pool of asynchronous connections. Used on the event loop only.

    A connection is opened on a thread, because libpq blocks while it resolves a name. If a query is cancelled or fails,
    its connection is closed.
    """

    def __init__(
        self,
        connect: Callable[[], connection],
        executor: BoundedExecutor,
        *,
        size: int,
        timeout_s: float,
        wait_s: float,
    ) -> None:
        """`timeout_s`: of a query. `wait_s`: how long a query waits for a connection, or for a thread to open one."""
        self._connect = connect
        self._executor = executor.within(wait_s, Limit.DATABASE)
        self._limits = limits(timeout_s)
        self._timeout_s = client_timeout_s(timeout_s)
        self._wait_s = wait_s
        self._idle: list[connection] = []
        self._places = asyncio.Semaphore(size)
        self._waiting_since: dict[object, float] = {}

    @classmethod
    def open(cls, settings: DatabaseSettings, executor: BoundedExecutor, *, wait_s: float) -> Self:
        """Connects on first use. Raises NotConfigured."""
        if settings.url is None:
            raise NotConfigured("PIGWAV_DATABASE_URL is not set")
        url, timeout_s = settings.url.get_secret_value(), settings.timeout_s
        connect = partial(connect_asynchronously, url, timeout_s=timeout_s)
        return cls(connect, executor, size=settings.lookup_connections, timeout_s=timeout_s, wait_s=wait_s)

    async def one(self, lookup: Lookup, **parameters: object) -> list[Any] | None:
        """The row that the query finds. Raises DatabaseUnavailable, Overloaded.

        A connection that the server has closed since its last query is replaced: a query that only reads may be sent
        again.
        """
        with translate_errors():
            await self._take_place()
            try:
                while self._idle:
                    with suppress(_ConnectionLost):
                        return await self._fetch(self._idle.pop(), lookup, parameters)
                return await self._fetch(await self._executor(self._connect), lookup, parameters)
            finally:
                self._places.release()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def _take_place(self) -> None:
        """Waits for a connection. Like the executors, refuses at once if others have been waiting for long."""
        if not self._places.locked():
            await self._places.acquire()
            return
        now_s = time.monotonic()
        if now_s - next(iter(self._waiting_since.values()), now_s) > self._wait_s / 2:
            raise Overloaded(Limit.DATABASE)
        waiter = object()
        self._waiting_since[waiter] = now_s
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded(Limit.DATABASE) from None
        finally:
            del self._waiting_since[waiter]

    async def _fetch(
        self, opened: connection, lookup: Lookup, given: Mapping[str, object]
    ) -> list[Any] | None:
        try:
            asking = opened.cursor()
            asking.execute(self._limits + lookup.sql, lookup.parameters(given))
            await _until_answered(opened, self._timeout_s)
            row = lookup.row(asking)
        except BaseException as error:
            opened.close()
            if isinstance(error, psycopg2.Error) and is_lost(error) and not isinstance(error, _NoAnswer):
                raise _ConnectionLost(*error.args) from error
            raise
        self._idle.append(opened)
        return row


class _ConnectionLost(psycopg2.OperationalError):  # type: ignore[misc] # psycopg2 ships no types
    """The server has closed the connection."""


class _NoAnswer(psycopg2.OperationalError):  # type: ignore[misc]
    """The server does not answer in time."""


async def _until_answered(opened: connection, timeout_s: float) -> None:
    """Waits on the event loop until the statement is done. Raises psycopg2.Error, also if it takes too long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while (state := opened.poll()) != POLL_OK:
        is_ready = loop.create_future()
        timer = loop.call_at(deadline, _settle, is_ready, False)  # noqa: FBT003 - the future's result
        descriptor = opened.fileno()
        watch, unwatch = (
            (loop.add_reader, loop.remove_reader)
            if state == POLL_READ
            else (loop.add_writer, loop.remove_writer)
        )
        watch(descriptor, _settle, is_ready, True)  # noqa: FBT003
        try:
            if not await is_ready:
                raise _NoAnswer(f"no answer within {timeout_s:g} seconds")
        finally:
            unwatch(descriptor)
            timer.cancel()


def _settle(future: "asyncio.Future[bool]", result: bool) -> None:  # noqa: FBT001
    if not future.done():
        future.set_result(result)
