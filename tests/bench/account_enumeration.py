"""Timing attack: does the response time of a refusal reveal which users and recordings exist?

python tests/bench/account_enumeration.py [SAMPLES]     # requests per case (default: 2000)

Each group holds refusals that must be indistinguishable. The requests of a group are sent in random order, and each
case is compared with the first one of its group by the Mann-Whitney rank-sum test. The case "again" repeats the first
case and shows the noise of the measurement. The case "played" is a link that plays; the test must tell it apart.
"""

import gc
import json
import random
import socket
import sys
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import erfc, sqrt
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import RunningPigWav, music, running_pigwav

SURE: Final = 0.001
"""Significance level: two cases are told apart if p is below this."""

UNLIKE: Final = frozenset({"date", "x-request-id"})
"""Headers that differ between any two answers."""


@dataclass(frozen=True)
class Case:
    """A request, byte for byte. `<new>` becomes a new UUID in every sample, so that no cache helps."""

    name: str
    method: str
    path: str
    token: str | None = None
    body: bytes = b""
    kind: str = "application/json"

    def request(self) -> bytes:
        lines = [
            f"{self.method} {self.path.replace('<new>', str(uuid4()))} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Content-Type: {self.kind}",
            f"Content-Length: {len(self.body)}",
        ]
        header = (
            "Authorization" if self.token else "X-Authorizatio"
        )  # the same length, because a shorter request takes less time
        lines.append(f"{header}: {(self.token or 'Bearer <new>').replace('<new>', str(uuid4()))}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True)
class Person:
    """A user with a recording that plays and one that was deleted."""

    id: int
    token: str
    recording: str
    deleted: str


class Wire:
    """One persistent connection."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes, *, without_body: bool) -> tuple[float, bytes, bytes]:
        """Returns the seconds from the request's first byte to the response's last, then its head and its body."""
        began_s = time.perf_counter()
        self._socket.sendall(request)
        answer = self._socket.recv(65536)
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        missing = 0 if without_body else int(_headers(head).get("content-length", "0"))
        while len(body) < missing:
            body += self._socket.recv(65536)
        return time.perf_counter() - began_s, head, body

    def close(self) -> None:
        self._socket.close()


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def groups(me: Person, other: Person) -> Iterator[list[Case]]:
    """Groups of indistinguishable refusals. The first case is the baseline; `other` is the user to be discovered."""
    nobody = 10**9
    unknown, mine = "Bearer <new>", f"Bearer {me.token}"
    yield [
        Case("wrong token", "GET", "/users/me", unknown),
        Case("malformed token", "GET", "/users/me", f"Bearer {'nonsense':-<36}"),
    ]
    yield [
        Case("no token", "GET", "/users/me"),
        Case("another scheme", "GET", "/users/me", "Basic <new>"),
    ]
    yield [
        Case("wrong token, user exists", "POST", f"/records?user={other.id}", unknown, b"RIFF", "audio/wav"),
        Case("wrong token, no such user", "POST", f"/records?user={nobody}", unknown, b"RIFF", "audio/wav"),
        Case(
            "malformed token",
            "POST",
            f"/records?user={other.id}",
            f"Bearer {'nonsense':-<36}",
            b"RIFF",
            "audio/wav",
        ),
        Case("my token, their user id", "POST", f"/records?user={other.id}", mine, b"RIFF", "audio/wav"),
    ]
    yield [
        Case("no token, user exists", "POST", f"/records?user={other.id}", None, b"RIFF", "audio/wav"),
        Case("no token, no such user", "POST", f"/records?user={nobody}", None, b"RIFF", "audio/wav"),
    ]
    yield [
        Case("my token, their user id", "POST", f"/records?user={other.id}", mine, b"RIFF", "audio/wav"),
        Case("my token, no such user", "POST", f"/records?user={nobody}", mine, b"RIFF", "audio/wav"),
    ]
    for method in ("GET", "HEAD"):
        yield [
            Case("no such recording", method, f"/record?id=<new>&user={other.id}"),
            Case("no such recording, no such user", method, f"/record?id=<new>&user={nobody}"),
            Case("another user's", method, f"/record?id={other.recording}&user={me.id}"),
            Case("of no such user", method, f"/record?id={other.recording}&user={nobody}"),
            Case("deleted", method, f"/record?id={other.deleted}&user={other.id}"),
        ]
    yield [
        Case("no such recording", "GET", f"/record/<new>.mp3?user={other.id}"),
        Case("another user's", "GET", f"/record/{other.recording}.mp3?user={me.id}"),
        Case("deleted", "GET", f"/record/{other.deleted}.mp3?user={other.id}"),
    ]
    for method, body in (("GET", b""), ("PATCH", b'{"title": "x"}'), ("DELETE", b"")):
        yield [
            Case("no such recording", method, "/records/<new>", mine, body),
            Case("another user's", method, f"/records/{other.recording}", mine, body),
            Case("another user's, deleted", method, f"/records/{other.deleted}", mine, body),
            Case("mine, deleted", method, f"/records/{me.deleted}", mine, body),
        ]


def measure(url: str, cases: Sequence[Case], samples: int) -> dict[str, array]:
    """The response times (s) by case. Each round sends every case once, in random order. Exits if responses differ."""
    wire = Wire(url)
    again = Case("again", cases[0].method, cases[0].path, cases[0].token, cases[0].body, cases[0].kind)
    order = [*cases, again]
    seconds = {case.name: array("d") for case in order}
    alike: set[tuple[object, ...]] = set()
    for number in range(samples + samples // 10):
        random.shuffle(order)
        for case in order:
            took_s, head, body = wire.ask(case.request(), without_body=case.method == "HEAD")
            if number >= samples // 10:  # the first tenth is warm-up
                seconds[case.name].append(took_s)
            alike.add(without_chance(head, body))
    wire.close()
    if len(alike) != 1:
        sys.exit(f"these responses differ: {alike}")
    return seconds


def without_chance(head: bytes, body: bytes) -> tuple[object, ...]:
    headers = sorted(pair for pair in _headers(head).items() if pair[0] not in UNLIKE)
    return (head.split(b"\r\n", 1)[0], *headers, body)


def rank_sum(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """The Mann-Whitney test: the probability that one of `ours` takes longer than one of `theirs` (0.5: no difference),
    and the two-sided p-value.
    """
    n, m = len(ours), len(theirs)
    ranks = np.empty(n + m)
    ranks[np.argsort(np.concatenate([ours, theirs]), kind="stable")] = np.arange(1, n + m + 1)
    longer = (ranks[:n].sum() - n * (n + 1) / 2) / (n * m)
    z = (longer - 0.5) / sqrt((n + m + 1) / (12 * n * m))
    return float(longer), erfc(abs(z) / sqrt(2))


def report(cases: Sequence[Case], seconds: dict[str, array]) -> int:
    """Prints a line per case. Returns how many cases can be told apart from the first one."""
    plain, *others = seconds
    usual_us = median(seconds[plain]) * 1e6
    print(f"{cases[0].method} {cases[0].path.partition('?')[0]}: {plain}, {usual_us:.0f} us")
    told = 0
    for name in others:
        longer, by_chance = rank_sum(seconds[name], seconds[plain])
        difference_us = median(seconds[name]) * 1e6 - usual_us
        apart = by_chance < SURE
        told += apart and name != "again"
        verdict = "CAN BE TOLD APART" if apart else "cannot be told apart"
        print(
            f"  {name:34} {difference_us:+8.1f} us, slower in {longer:6.1%} of pairs, p = {by_chance:.3f}: {verdict} "
            f"at {len(seconds[name])} samples",
            flush=True,
        )
    return told


def check_that_it_measures(url: str, other: Person, samples: int) -> None:
    """Exits if a link that plays does not take measurably longer than one that does not: the machine is too busy."""
    wire = Wire(url)
    cases = [
        Case("refused", "HEAD", f"/record?id=<new>&user={other.id}"),
        Case("played", "HEAD", f"/record?id={other.recording}&user={other.id}"),
    ]
    seconds = {case.name: array("d") for case in cases}
    for _ in range(samples):
        for case in random.sample(cases, len(cases)):
            seconds[case.name].append(wire.ask(case.request(), without_body=True)[0])
    wire.close()
    if not report(cases, seconds):
        sys.exit("This machine is too busy for this measurement.")


@contextmanager
def no_pauses() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def person(pigwav: RunningPigWav, name: str) -> Person:
    connection = pigwav.connect()
    connection.request("POST", "/users", json.dumps({"name": name}), {"Content-Type": "application/json"})
    user = json.loads(connection.getresponse().read())
    theirs = RunningPigWav(pigwav.url, pigwav.process, user["id"], user["token"])
    kept, deleted = (theirs.upload(music(0.2)).recording["id"] for _ in range(2))
    connection.request("DELETE", f"/records/{deleted}", headers={"Authorization": f"Bearer {user['token']}"})
    assert connection.getresponse().status == 204
    connection.close()
    return Person(user["id"], user["token"], kept, deleted)


def main(samples: int = 2000) -> None:
    # No sweep: the row of the deleted recording must still exist, which is the harder case.
    with running_pigwav(PIGWAV_SWEEP_EVERY_S="86400") as pigwav, no_pauses():
        me, other = person(pigwav, "me"), person(pigwav, "other")
        for n in range(100):
            person(pigwav, f"somebody {n}")
        check_that_it_measures(pigwav.url, other, samples)
        told = 0
        for cases in groups(me, other):
            told += report(cases, measure(pigwav.url, cases, samples))
    print(f"{told} cases can be told apart" if told else "no case can be told apart")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
