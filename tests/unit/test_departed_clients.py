"""When the service notices that a client has left while reading is paused. The test simulates the kernel."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from pigwav.api.connections.client_presence import CHECK_EVERY_S, DepartureWatch
from stepped_loop import SteppedLoop, stepped_loop


@dataclass
class Upload:
    """An open upload, and the watch that detects the client's departure."""

    loop: SteppedLoop
    is_paused: bool = True
    is_connected: bool = True
    departed_at_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began_s = self.loop.time()
        self.watch = DepartureWatch(
            self.loop,
            is_paused=lambda: self.is_paused,
            is_connected=lambda: self.is_connected,
        )

    def start(self) -> None:
        self.watch.start(lambda: self.departed_at_s.append(self.loop.time() - self._began_s))


@pytest.fixture
def upload() -> Iterator[Upload]:
    with stepped_loop() as loop:
        yield Upload(loop)


def test_a_client_that_leaves_while_reading_is_paused_is_noticed_at_the_next_check(upload: Upload) -> None:
    upload.start()
    upload.loop.pass_time(2.5)
    upload.is_connected = False
    upload.loop.pass_time(60)

    assert upload.departed_at_s == [3 * CHECK_EVERY_S]


def test_nothing_is_checked_while_we_read(upload: Upload) -> None:
    upload.is_paused = False
    upload.start()
    upload.is_paused, upload.is_connected = True, False
    upload.loop.pass_time(60)

    assert upload.departed_at_s == []


def test_a_watch_ends_when_reading_goes_on_and_begins_again_with_the_next_pause(upload: Upload) -> None:
    upload.start()
    upload.is_paused = False
    upload.loop.pass_time(1)
    upload.is_connected = False
    upload.loop.pass_time(10)
    assert upload.departed_at_s == []

    upload.is_paused = True
    upload.start()
    upload.loop.pass_time(1)
    assert upload.departed_at_s == [12]


def test_a_watch_that_is_stopped_reports_nothing(upload: Upload) -> None:
    upload.start()
    upload.is_connected = False
    upload.watch.stop()
    upload.loop.pass_time(60)

    assert upload.departed_at_s == []
