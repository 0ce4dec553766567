"""What a connection may do before, around and after its requests.

uvicorn's protocol parses and answers. It has no bound on a request's head, neither in bytes nor in time, none on what
surrounds the bytes of a body (chunk extensions, trailers), and it waits for ever for a client to take its answer.
"""

import asyncio
from types import SimpleNamespace
from typing import Any, ClassVar, Final
from uuid import uuid4

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from pigwav.api.problems import answer_for
from pigwav.api.routes import RECORDS
from pigwav.api.safe_headers import SAFE
from pigwav.api.senders import STATE, Sender, can_still_come
from pigwav.capacity.admission import Admission
from pigwav.errors import HeadTooLarge, HeadTooSlow, Limit, MalformedHttp, Overloaded, PigWavError
from pigwav.settings import HttpSettings
from pigwav.telemetry.logs import log
from pigwav.telemetry.metrics import Metrics
from pigwav.wiring import Services

MOST_FIELDS: Final = 100
"""Of a request's head. Nobody sends that many, and looking one up takes time for each of them."""

MOST_PIPELINED: Final = 16
"""Requests that wait for the one before them. One packet could hold ten thousand."""

LINGER_S: Final = 2.0
"""Closing while bytes come in resets the connection, and the refusal is lost: they are read away for so long."""

LINGER_IN_A_BODY_S: Final = 10.0
"""Many a client listens only when it has sent it all."""

LINGERING_CONNECTIONS: Final = 200
"""Beyond the bound, so many are told why; the rest is cut off."""

_CHUNK_FRAME_BYTES: Final = 20
"""An honest chunk's size in hex and its two line ends."""

SENDER_CHECK_S: Final = 1.0
"""How soon it is seen that a sender has left whose bytes are not being read."""

_LISTENER_CHECKS: Final = 4
"""So many looks at a stalled answer make `listener_idle_s`."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with our bounds; `connection_class` gives them to it."""

    bounds: ClassVar[HttpSettings]
    metrics: ClassVar[Metrics]
    admission: ClassVar[Admission]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._awaits_head = True  # of the first request, or of the next one
        self._overhead_bytes = 0  # of the head so far, or around the body
        self._is_deaf = False  # what comes in is thrown away
        self._head_timer: asyncio.TimerHandle | None = None
        self._listener_timer: asyncio.TimerHandle | None = None
        self._untaken_bytes = 0
        self._idle_checks = 0
        self._sender = Sender()  # of the last request that has begun
        self._sender_timer: asyncio.TimerHandle | None = None
        self._missing_bytes: int | None = None  # of its body; None: it does not say how long it is

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's, too
        super().connection_made(transport)
        excess = len(self.connections) - self.bounds.max_connections
        if excess > LINGERING_CONNECTIONS:
            self._end("overloaded")
        elif excess > 0:
            self._refuse(Overloaded(Limit.CONNECTIONS))
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_has_come()
        if self._listener_timer is not None:
            self._listener_timer.cancel()
        if self._sender_timer is not None:
            self._sender_timer.cancel()
        super().connection_lost(exc)
        if self.cycle is not None and self.cycle.more_body:
            self._sender.leaves()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._is_deaf:
            return
        if self._awaits_head and self._head_timer is None and self._is_idle:
            self._await_head()
        self._overhead_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as offer:
            self._pass_over_upgrade(data[offer.args[0] :])
        except HttpParserError as error:
            cause = error.__context__  # what a callback of ours raised
            self._refuse(cause if isinstance(cause, PigWavError) else MalformedHttp())
        else:
            if self._overhead_bytes > self.bounds.max_header_bytes:
                self._refuse(self._too_large())

    # The parser's callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._awaits_head:  # a trailer is none: it could pretend to be part of the head
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_has_come()
        self._awaits_head = False
        self._overhead_bytes = 0
        size_bytes = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size_bytes > self.bounds.max_header_bytes or len(self.headers) > MOST_FIELDS:
            raise self._too_large()
        if len(self.pipeline) >= MOST_PIPELINED:
            raise Overloaded(Limit.PIPELINED_REQUESTS)
        self._check_upload()
        self._sender = Sender()
        self._missing_bytes = _content_length(self.headers)
        self.scope["state"][STATE] = self._sender
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._is_deaf:
            return  # of a request behind one that offered to upgrade
        self._overhead_bytes = max(0, self._overhead_bytes - len(body) - _CHUNK_FRAME_BYTES)
        super().on_body(body)
        if self._missing_bytes is not None:
            self._missing_bytes -= len(body)
            if self.flow.read_paused and self._sender_timer is None:
                self._watch_sender()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # not yet: see _pass_over_upgrade
        self._awaits_head = True
        self._overhead_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._watch_listener()

    # A head that does not come

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.bounds.header_timeout_s, self._head_is_late)

    def _head_has_come(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        if self._overhead_bytes:
            self._refuse(HeadTooSlow(f"It has {self.bounds.header_timeout_s:g} seconds."))
        else:
            self._end("silent")

    # Refusals

    def _check_upload(self) -> None:
        """An upload for which there is no room is refused for a tenth of what the application would take for it. A
        browser's goes to the application, which knows what a page of another origin may read.
        """
        path = self.url.partition(b"?")[0]
        if path != RECORDS.encode() or self.parser.get_method() != b"POST" or b"origin" in dict(self.headers):
            return
        try:
            self.admission.at_head()
        except PigWavError as error:
            self.metrics.uploads.labels(error.code).inc()
            raise

    def _refuse(self, error: PigWavError) -> None:
        """Answer what has no request that the application could answer, and end the connection."""
        self._count(error.code)
        self._head_has_come()
        self._is_deaf = True
        if self._is_idle:
            self._answer(error)
        elif not self.cycle.more_body:
            self.cycle.keep_alive = False  # the request before this one is answered, and that is the end
        elif self.cycle.response_started or self.pipeline:
            self.transport.abort()
        else:  # broken in the middle of its body
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._answer(error)

    def _answer(self, error: PigWavError) -> None:
        """And close our side; the whole when the client does, or soon."""
        self.transport.write(self._as_bytes(error))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S if self._awaits_head else LINGER_IN_A_BODY_S, self.transport.abort)

    def _as_bytes(self, error: PigWavError) -> bytes:
        answer = answer_for(error)
        answer.headers["Connection"] = "close"
        answer.headers.update(SAFE)
        answer.headers["X-Request-ID"] = uuid4().hex
        fields = [*self.server_state.default_headers, *answer.raw_headers]
        head = b"".join(b"%b: %b\r\n" % field for field in fields)
        return b"%b%b\r\n%b" % (STATUS_LINE[answer.status_code], head, bytes(answer.body))

    def _end(self, reason: str) -> None:
        self._count(reason)
        self.transport.abort()

    def _count(self, reason: str) -> None:
        self.metrics.connections_ended.labels(reason).inc()
        if reason != Overloaded.code:  # who has too much to do does not write a line about each
            log.info("connection_ended", reason=reason)

    def _too_large(self) -> HeadTooLarge:
        return HeadTooLarge(f"At most {self.bounds.max_header_bytes} bytes, {MOST_FIELDS} fields are taken.")

    # An offer to upgrade

    def _pass_over_upgrade(self, rest: bytes) -> None:
        """A server may ignore it (RFC 9110 7.8), as `curl --http2` expects. httptools however takes such a request
        for one without a body, and its body for a next request; so a parser that knows nothing of the offer goes on.
        """
        framing = [field for field in self.headers if field[0] in (b"content-length", b"transfer-encoding")]
        head = b"".join(b"%b: %b\r\n" % field for field in framing)
        self.cycle.keep_alive = False
        self.parser = HttpRequestParser(
            SimpleNamespace(on_body=self.on_body, on_message_complete=self._end_of_upgrade)
        )
        self.data_received(b"POST / HTTP/1.1\r\n%b\r\n" % head)
        self.data_received(rest)

    def _end_of_upgrade(self) -> None:
        self._is_deaf = True
        self.on_message_complete()

    # A sender who leaves while we do not read

    def _watch_sender(self) -> None:
        self._sender_timer = self.loop.call_later(SENDER_CHECK_S, self._check_sender)

    def _check_sender(self) -> None:
        self._sender_timer = None
        if not self.flow.read_paused or not self._missing_bytes:
            return
        if can_still_come(self.transport.get_extra_info("socket"), self._missing_bytes):
            self._watch_sender()
        else:
            self._end("sender-gone")

    # A listener who takes nothing

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_listener()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._idle_checks = 0

    def _watch_listener(self) -> None:
        if self._listener_timer is None:
            self._untaken_bytes, self._idle_checks = self.transport.get_write_buffer_size(), 0
            self._look_again()

    def _look_again(self) -> None:
        self._listener_timer = self.loop.call_later(
            self.bounds.listener_idle_s / _LISTENER_CHECKS, self._check_listener
        )

    def _check_listener(self) -> None:
        self._listener_timer = None
        before, self._untaken_bytes = self._untaken_bytes, self.transport.get_write_buffer_size()
        self._idle_checks = self._idle_checks + 1 if self._untaken_bytes == before else 0
        if self._idle_checks >= _LISTENER_CHECKS:
            self._end("listener-idle")
        elif self._untaken_bytes:
            self._look_again()


def _content_length(headers: list[tuple[bytes, bytes]]) -> int | None:
    """The parser has seen that it is a number."""
    return next((int(value) for name, value in headers if name == b"content-length"), None)


def connection_class(services: Services) -> type[Connection]:
    """uvicorn makes connections by itself, of a class."""

    class Bounded(Connection):
        bounds = services.settings.http
        metrics = services.metrics
        admission = services.admission

    return Bounded
