"""When the service notices that a client has left while its body is not read. The test simulates the kernel."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from pigwav.api.connections.client_presence import CHECK_EVERY_S, DepartureWatch
from stepped_loop import SteppedLoop, stepped_loop

LENGTH_100 = [(b"host", b"x"), (b"content-length", b"100")]
CHUNKED = [(b"host", b"x"), (b"transfer-encoding", b"chunked")]


@dataclass
class Upload:
    """An open upload, and the watch that detects the client's departure."""

    loop: SteppedLoop
    is_paused: bool = True
    unread_bytes: int | None = None
    """The received but unread bytes if the client has left; None: the client is connected."""
    asked_bytes: list[int] = field(default_factory=list)
    """The arguments of all calls of `can_complete`."""
    departed_at_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began_s = self.loop.time()
        self.watch = DepartureWatch(
            self.loop,
            is_paused=lambda: self.is_paused,
            can_complete=self.can_complete,
        )

    def can_complete(self, missing_bytes: int) -> bool:
        self.asked_bytes.append(missing_bytes)
        return self.unread_bytes is None or self.unread_bytes >= missing_bytes

    def receive(self, count: int) -> None:
        self.watch.body_received(count, lambda: self.departed_at_s.append(self.loop.time() - self._began_s))


@pytest.fixture
def upload() -> Iterator[Upload]:
    with stepped_loop() as loop:
        yield Upload(loop)


def test_a_client_that_leaves_while_reading_is_paused_is_noticed_at_the_next_check(upload: Upload) -> None:
    upload.watch.body_begins(LENGTH_100)
    upload.receive(40)
    upload.loop.pass_time(2.5)
    upload.unread_bytes = 59
    upload.loop.pass_time(60)

    assert upload.departed_at_s == [3 * CHECK_EVERY_S]


def test_a_client_that_has_sent_everything_before_it_left_has_not_departed(upload: Upload) -> None:
    upload.watch.body_begins(LENGTH_100)
    upload.receive(40)
    upload.unread_bytes = 60
    upload.loop.pass_time(60)

    assert upload.departed_at_s == []


def test_nothing_is_checked_while_we_read(upload: Upload) -> None:
    upload.watch.body_begins(LENGTH_100)
    upload.is_paused = False
    upload.receive(40)
    upload.is_paused = True
    upload.unread_bytes = 0
    upload.loop.pass_time(60)

    assert upload.departed_at_s == []


def test_a_watch_ends_when_reading_goes_on_and_begins_again_with_the_next_pause(upload: Upload) -> None:
    upload.watch.body_begins(LENGTH_100)
    upload.receive(40)
    upload.is_paused = False
    upload.loop.pass_time(1)
    upload.unread_bytes = 0
    upload.loop.pass_time(10)
    assert upload.departed_at_s == []

    upload.is_paused = True
    upload.receive(20)
    upload.loop.pass_time(1)
    assert upload.departed_at_s == [12]


@pytest.mark.parametrize("headers", [CHUNKED, [(b"content-length", b"40")]], ids=["no length", "complete"])
def test_a_body_of_which_nothing_is_known_to_be_missing_is_never_checked(
    upload: Upload, headers: list[tuple[bytes, bytes]]
) -> None:
    upload.watch.body_begins(headers)
    upload.receive(40)
    upload.loop.pass_time(60)

    assert upload.asked_bytes == []


def test_the_length_of_an_earlier_request_is_forgotten(upload: Upload) -> None:
    upload.watch.body_begins(LENGTH_100)
    upload.receive(100)
    upload.watch.body_begins(CHUNKED)
    upload.receive(1)
    upload.loop.pass_time(60)

    assert upload.asked_bytes == []


def test_a_watch_that_is_stopped_reports_nothing(upload: Upload) -> None:
    upload.watch.body_begins(LENGTH_100)
    upload.receive(40)
    upload.unread_bytes = 0
    upload.watch.stop()
    upload.loop.pass_time(60)

    assert upload.departed_at_s == []
