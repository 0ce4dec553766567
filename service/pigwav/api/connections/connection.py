"""uvicorn's connection with our limits: it reports its events to them, and answers the requests that they refuse.

uvicorn's protocol parses requests and sends answers. It does not limit
- a request's head, in bytes or in time;
- the framing of a body (chunk extensions, trailers), in bytes;
- the time that it waits for a client to read its answer.
"""

import asyncio
from types import SimpleNamespace
from typing import ClassVar, Final
from uuid import uuid4

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from pigwav.api.connections.client_presence import (
    STATE_KEY,
    ClientPresence,
    DepartureWatch,
    is_connected,
    presence_of,
)
from pigwav.api.connections.connection_places import ConnectionPlaces
from pigwav.api.connections.head_checks import check_head
from pigwav.api.connections.head_limits import HeadLimits, head_bytes
from pigwav.api.connections.refusals import Refusals
from pigwav.api.connections.stalled_listeners import StallWatch
from pigwav.api.problems import answer_for
from pigwav.api.proxies import trusted_in
from pigwav.api.routes import RECORDS
from pigwav.api.security_headers import SECURITY_HEADERS
from pigwav.capacity.admission import Admission
from pigwav.errors import Limit, MalformedHttp, Overloaded, PigWavError
from pigwav.settings import HttpSettings
from pigwav.shares import Place
from pigwav.telemetry.logs import log
from pigwav.telemetry.metrics import Metrics
from pigwav.wiring import Services

MAX_PIPELINED: Final = 16
"""Requests of one connection that wait for the one before them. One packet could contain ten thousand. Their heads may
have as many bytes together as one head.
"""

LINGER_S: Final = 2.0
"""How long we read and discard bytes after a refusal. If we close while bytes arrive, the connection is reset and the
client does not receive the refusal.
"""

LINGER_IN_BODY_S: Final = 10.0
"""The same in the middle of a body. Many clients do not read before they have sent the whole body."""


class Connection(HttpToolsProtocol):
    """One client's connection; `connection_class` sets the class variables.

    `HeadLimits`, `DepartureWatch` and `StallWatch` each check one limit, and this class acts on the result. They hold
    references to its methods only while a timer runs, so that reference counting alone frees a closed connection.
    """

    bounds: ClassVar[HttpSettings]
    places: ClassVar[ConnectionPlaces]
    metrics: ClassVar[Metrics]
    admission: ClassVar[Admission]
    refusals: ClassVar[Refusals]

    _place: Place | None
    _head: HeadLimits
    _departure: DepartureWatch
    _stall: StallWatch
    _running: RequestResponseCycle | None  # the request that is being answered, or was last
    _ignores_input: bool  # incoming bytes are discarded

    # Called by the event loop

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's, too
        super().connection_made(transport)
        flow = self.flow
        self._head = HeadLimits(self.loop, self.bounds)
        self._stall = StallWatch(self.loop, self.bounds.listener_idle_s, transport.get_write_buffer_size)
        self._departure = DepartureWatch(
            self.loop,
            is_paused=lambda: flow.read_paused,
            is_connected=lambda: is_connected(transport.get_extra_info("socket")),
        )
        self._running = None
        self._ignores_input = False
        try:
            self._place = self.places.take(self.client)
        except Overloaded as refusal:
            self._place = self.places.linger()
            if self._place is None:
                self.refusals.add(refusal.code, refusal.limit)
                self.transport.abort()
            else:
                self._refuse(refusal)
        else:
            self._head.start_timer(self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head.stop_timer()
        self._stall.stop()
        self._departure.stop()
        super().connection_lost(exc)
        if self._place is not None:
            self._place.release()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
            presence_of(self._running.scope).departed()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._ignores_input:
            return
        if self._is_idle:
            self._head.start_timer(self._head_is_late)
        self._head.bytes_received(len(data))
        try:
            self.parser.feed_data(data)
            self._head.check()
        except HttpParserUpgrade as offer:
            self._ignore_upgrade(data[offer.args[0] :])
        except HttpParserError as error:
            self._refuse(_refusal_of(error))
        except PigWavError as error:
            self._refuse(error)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.start(self._listener_has_stalled)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.progressed()

    # Called by the parser and by the request

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head.awaits_head:  # a trailer is ignored: it could imitate a header of the head
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head.head_complete(self.url, self.headers)
        check_head(self.parser.get_http_version(), self.headers)
        if not self._is_idle and not self._may_wait(head_bytes(self.url, self.headers)):
            raise Overloaded(Limit.PIPELINED_REQUESTS)
        self._check_upload()
        self.scope["state"][STATE_KEY] = ClientPresence()
        super().on_headers_complete()
        self._departure.start(self._client_has_departed)

    def on_body(self, body: bytes) -> None:
        if self._ignores_input:
            return  # the body of a request after one that offered an upgrade
        self._head.body_received(len(body))
        super().on_body(body)
        self._departure.start(self._client_has_departed)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # not yet: see _ignore_upgrade
        self._head.message_complete()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._stall.start(self._listener_has_stalled)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    # Reactions to exceeded limits

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _may_wait(self, size_bytes: int) -> bool:
        """Whether one more request, whose head has this size, may wait for the answer to the one before it."""
        waiting = [cycle.scope for cycle, _ in self.pipeline]
        waiting_bytes = sum(
            head_bytes(scope["raw_path"] + scope["query_string"], scope["headers"]) for scope in waiting
        )
        return len(waiting) < MAX_PIPELINED and waiting_bytes + size_bytes <= self.bounds.max_header_bytes

    def _check_upload(self) -> None:
        """Refuses an upload for which there is no capacity. This costs a tenth of a refusal by the application. An
        upload with an Origin header comes from a browser and goes to the application, which adds the CORS headers.
        """
        path = self.url.partition(b"?")[0]
        if path != RECORDS.encode() or self.parser.get_method() != b"POST" or b"origin" in dict(self.headers):
            return
        try:
            self.admission.at_head()
        except PigWavError as error:
            self.metrics.uploads.labels(error.code).inc()
            raise

    def _head_is_late(self) -> None:
        if self._head.has_begun:
            self._refuse(self._head.too_slow())
        else:
            self._end("silent")

    def _client_has_departed(self) -> None:
        self._end("client-gone")

    def _listener_has_stalled(self) -> None:
        self._end("listener-idle")

    # How a connection ends

    def _refuse(self, error: PigWavError) -> None:
        """Answer an error for which the application has no request, and end the connection."""
        self.refusals.add(error.code, error.limit if isinstance(error, Overloaded) else None)
        self._head.stop_timer()
        self._ignores_input = True
        if self._is_idle:
            self._answer(error)
        elif not self.cycle.more_body:
            self.cycle.keep_alive = False  # closes the connection after the answer to the previous request
        elif self.cycle.response_started or self.pipeline:
            self.transport.abort()
        else:  # the error is in the middle of a request's body
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._answer(error)

    def _answer(self, error: PigWavError) -> None:
        """Send the answer and close our side. The connection ends when the client closes its side, or after a delay."""
        self.transport.write(self._as_bytes(error))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        linger_s = LINGER_S if self._head.awaits_head else LINGER_IN_BODY_S
        self.loop.call_later(linger_s, self.transport.abort)

    def _as_bytes(self, error: PigWavError) -> bytes:
        answer = answer_for(error)
        answer.headers["Connection"] = "close"
        answer.headers.update(SECURITY_HEADERS)
        answer.headers["X-Request-ID"] = uuid4().hex
        fields = [*self.server_state.default_headers, *answer.raw_headers]
        head = b"".join(b"%b: %b\r\n" % field for field in fields)
        return b"%b%b\r\n%b" % (STATUS_LINE[answer.status_code], head, bytes(answer.body))

    def _end(self, reason: str) -> None:
        """End the connection without an answer: the client would not read it."""
        self.metrics.connections_ended.labels(reason).inc()
        log.info("connection_ended", reason=reason)
        self.transport.abort()

    # An offer to upgrade

    def _ignore_upgrade(self, rest: bytes) -> None:
        """A server may ignore the offer (RFC 9110 7.8), and `curl --http2` expects that. However, httptools assumes
        that such a request has no body, and would parse its body as the next request. Therefore a new parser, which
        does not see the offer, parses the body.
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
        self._ignores_input = True
        self.on_message_complete()


def _refusal_of(error: HttpParserError) -> PigWavError:
    """The error that one of our callbacks raised in the parser, or else a malformed request.

    A function of its own, because a variable of `data_received` that holds the error would be in a reference cycle with
    its traceback. The parser keeps the error that a callback raised. Without its traceback, it does not keep the
    received bytes.
    """
    cause = error.__context__
    return cause.with_traceback(None) if isinstance(cause, PigWavError) else MalformedHttp()


def connection_class(services: Services, *, max_connections: int | None = None) -> type[Connection]:
    """A subclass of Connection with its class variables set: uvicorn itself creates connections, from a class.

    `max_connections`: instead of the setting.
    """
    http = services.settings.http

    class Bounded(Connection):
        bounds = http
        places = ConnectionPlaces(
            max_connections or http.max_connections, is_proxy=trusted_in(http.trusted_proxies)
        )
        metrics = services.metrics
        admission = services.admission
        refusals = Refusals(services.metrics)

    return Bounded
