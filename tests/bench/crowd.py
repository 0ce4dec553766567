"""Memory that one connection takes in the API process, for each way to occupy it, and the limit that holds it.

python tests/bench/crowd.py [CONNECTIONS [OTHER_CHECKOUT]]

OTHER_CHECKOUT: the folder of another version, which is measured, too. Each way has a `pigwav up` of its own, because
memory that one crowd has freed would serve the next one. The exit status is 1 if this version exceeds a limit. It
takes about a minute for each version.

Memory is PSS. The kernel's socket buffers are not in it: `tcp_rmem` and `tcp_wmem` limit them.
"""

import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import RunningPigWav, mib, music, running_pigwav
from bench.load import file_descriptors
from pigwav.api.connections.connection import MAX_PIPELINED
from pigwav.capacity.open_uploads import UNAUTHENTICATED_SHARE
from pigwav.settings import HttpSettings, UploadLimits

CONNECTIONS: Final = 100
SAMPLE_S: Final = 0.3
QUIET_CORES: Final = 0.05
QUIET_WITHIN_S: Final = 8.0
"""Less than `header_timeout_s`, after which an unfinished head is refused."""

HEAD_BYTES: Final = 30_000
PIPELINED: Final = 16
UNREAD_ASSETS: Final = 5
"""Answers of more than a MB, together more than what socket buffers take: the last one waits for the client."""

FILE_BYTES: Final = 2**20
UNREAD_S: Final = 240
"""Length of the recording that is downloaded: longer than what socket buffers take."""

RECEIVE_BUFFER_BYTES: Final = 4096
BOUNDARY: Final = b"crowd"
LONG: Final = music(UNREAD_S)
VOICE: Final = music(10, rate_hz=8000, channels=1)
HTTP: Final = HttpSettings()
UPLOADS: Final = UploadLimits()


@dataclass(frozen=True)
class Target:
    """A running PigWav, the path of a long recording's link, and the process that answers."""

    pigwav: RunningPigWav
    link: bytes
    api: psutil.Process

    def connect(self) -> socket.socket:
        address = urlsplit(self.pigwav.url)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        client.settimeout(10)
        client.connect((address.hostname, address.port))
        return client

    def cpu_s(self) -> float:
        times = self.api.cpu_times()
        return times.user + times.system

    def pss_bytes(self) -> int:
        return int(self.api.memory_full_info().pss)


def idle(target: Target, client: socket.socket) -> None:
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: crowd\r\n\r\n")
    client.recv(4096)


def dripping_head(target: Target, client: socket.socket) -> None:
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: crowd\r\nX-Fill: " + b"x" * HEAD_BYTES)


def waiting_requests(target: Target, client: socket.socket) -> None:
    asset = b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: crowd\r\n\r\n"
    client.sendall(asset * UNREAD_ASSETS)
    fill = b"GET /healthz HTTP/1.1\r\nHost: crowd\r\nX-Fill: " + b"x" * HEAD_BYTES + b"\r\n\r\n"
    client.sendall(fill * PIPELINED)


def unauthenticated_form(target: Target, client: socket.socket) -> None:
    part = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' % BOUNDARY
    client.sendall(
        b"POST /records HTTP/1.1\r\nHost: crowd\r\nContent-Length: 9999999\r\n"
        b"Content-Type: multipart/form-data; boundary=%b\r\n\r\n" % BOUNDARY + part + LONG[:FILE_BYTES]
    )


def open_upload(target: Target, client: socket.socket) -> None:
    client.sendall(
        b"POST /records HTTP/1.1\r\nHost: crowd\r\nContent-Type: audio/wav\r\nContent-Length: %d\r\n"
        b"Authorization: Bearer %b\r\n\r\n"
        % (len(VOICE), target.pigwav.token.encode())
        + VOICE[: len(VOICE) // 2]
    )


def unread_download(target: Target, client: socket.socket) -> None:
    client.sendall(b"GET %b HTTP/1.1\r\nHost: crowd\r\n\r\n" % target.link)


@dataclass(frozen=True)
class Way:
    """A way to occupy a connection, and the limits of this version.

    `limit_kib`: memory of one such connection. `most`: how many of them one process takes, with the default settings.
    `held_by`: what limits both. `recording`: the WAV that is uploaded before.
    """

    name: str
    occupy: Callable[[Target, socket.socket], None]
    limit_kib: int
    most: int
    held_by: str
    recording: bytes = VOICE


WAYS: Final = (
    Way(
        "idle between two requests",
        idle,
        32,
        HTTP.max_connections,
        "`PIGWAV_MAX_CONNECTIONS`, `PIGWAV_KEEP_ALIVE_S`",
    ),
    Way(
        f"a head of {HEAD_BYTES // 1000} KB that does not end",
        dripping_head,
        96,
        HTTP.max_connections,
        "`PIGWAV_MAX_HEADER_BYTES`, `PIGWAV_HEADER_TIMEOUT_S`",
    ),
    Way(
        "a download that is not read",
        unread_download,
        2048,
        HTTP.max_open_downloads,
        "`PIGWAV_MAX_OPEN_DOWNLOADS`, `PIGWAV_LISTENER_IDLE_S`",
        recording=LONG,
    ),
    Way(
        f"{PIPELINED} requests of {HEAD_BYTES // 1000} KB behind an answer that is not read",
        waiting_requests,
        384,
        HTTP.max_connections,
        f"at most {MAX_PIPELINED} that wait (`MAX_PIPELINED`), `PIGWAV_MAX_HEADER_BYTES` for all their heads",
    ),
    Way(
        "a form without credentials, with 1 MiB of its file",
        unauthenticated_form,
        2048,
        int(UPLOADS.max_buffered_bytes * UNAUTHENTICATED_SHARE) // FILE_BYTES,
        "`UNAUTHENTICATED_SHARE` of `PIGWAV_MAX_BUFFERED_BYTES`, for all such forms",
    ),
    Way(
        "an upload in the middle",
        open_upload,
        1024,
        UPLOADS.max_open_uploads,
        "`PIGWAV_MAX_OPEN_UPLOADS`, `PIGWAV_IDLE_TIMEOUT_S`",
    ),
)


@dataclass(frozen=True)
class Crowd:
    """`each_bytes`: memory of each connection that stayed open. `refused`: the connections that did not."""

    each_bytes: float
    refused: int


def measure(way: Way, connections: int, **environment: str) -> Crowd:
    with running_pigwav(**environment) as pigwav, ExitStack() as held:
        link = urlsplit(pigwav.upload(way.recording).recording["url"])
        api = next(child for child in pigwav.process.children() if "serve" in child.cmdline())
        target = Target(pigwav, f"{link.path}?{link.query}".encode(), api)

        def occupy() -> socket.socket:
            client = held.enter_context(target.connect())
            with suppress(OSError):  # the service may refuse the connection and close it
                way.occupy(target, client)
            return client

        occupy()  # the first one loads modules
        until_quiet(target)
        before = target.pss_bytes()
        clients = [occupy() for _ in range(connections)]
        until_quiet(target)
        used = target.pss_bytes() - before
        refused = sum(map(is_ended, clients))
        return Crowd(used / max(1, connections - refused), refused)


def until_quiet(target: Target) -> None:
    """Waits until the API process has had no work in two samples."""
    ends_s = time.monotonic() + QUIET_WITHIN_S
    quiet = 0
    while quiet < 2 and time.monotonic() < ends_s:
        cpu_s = target.cpu_s()
        time.sleep(SAMPLE_S)
        quiet = quiet + 1 if target.cpu_s() - cpu_s <= QUIET_CORES * SAMPLE_S else 0


def is_ended(client: socket.socket) -> bool:
    """Whether the service has closed its side or sent an answer with an error."""
    client.setblocking(False)  # noqa: FBT003 - its name says it
    try:
        received = client.recv(12, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return not received or received[9:10] in (b"4", b"5")


def row(way: Way, crowds: Sequence[Crowd]) -> str:
    cells = [
        f"{crowd.each_bytes / 1024:.0f}" + f" ({crowd.refused} refused)" * bool(crowd.refused)
        for crowd in crowds
    ]
    total = mib(crowds[0].each_bytes * way.most)
    return f"| {way.name} | {' | '.join(cells)} | {way.limit_kib} | {way.most} | {total} | {way.held_by} |"


def main(connections: int = CONNECTIONS, other: str | None = None) -> None:
    versions: list[dict[str, str]] = [{}]
    if other:
        versions.append({"PYTHONPATH": f"{Path(other).absolute()}/service"})
    columns = ["KiB each", "the other version"][: len(versions)]
    print(
        f"| {connections} connections with | {' | '.join(columns)} | limit | at most | all of them | held by |"
    )
    print("| --- " * (len(columns) + 5) + "|")
    exceeded = False
    with file_descriptors():
        for way in WAYS:
            count = min(connections, way.most - 1)  # and the first one, which is not counted
            crowds = [measure(way, count, **environment) for environment in versions]
            exceeded |= crowds[0].each_bytes > way.limit_kib * 1024
            print(row(way, crowds), flush=True)
    sys.exit(exceeded)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:3])
