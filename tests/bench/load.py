"""Load test of `pigwav up`: the number of clients that it should serve, ten times as many, and SIGTERM under load.

python tests/bench/load.py [PHONES] [LISTENERS] [SECONDS]
python tests/bench/load.py --sigterm

Prints ratios and bounds; the exit status is 1 if a bound is exceeded. Clients and service share the machine: run
nothing else on it, or the ratios mean nothing.
"""

import asyncio
import hashlib
import json
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import RunningPigWav, mib, music, running_pigwav
from bench.load_clients import BLOCK_S, Caller, LightRequests, Seen, listener, percentile, phone, voice

P99_RATIO: Final = 5.0
PSS_BYTES: Final = 512 * 2**20
RECOVERY_S: Final = 5.0
OVERLOAD_FACTOR: Final = 10
IDLE_S: Final = 8.0
LIGHT_PER_S: Final = 40.0
BURST: Final = 20
PSS_EVERY_S: Final = 5.0
"""Not more often: reading PSS delays the measured process."""

LONG_S: Final = 240
"""Length of the recording that listeners play: longer than the test."""

SIGTERM_ENVIRONMENT: Final = {"PIGWAV_DRAIN_S": "2", "PIGWAV_GRACE_S": "20"}


class Bounds:
    """Compares measurements with their bounds and counts those that are exceeded."""

    def __init__(self) -> None:
        self.broken = 0

    def check(self, kept: bool, line: str) -> None:  # noqa: FBT001 - reads well where it is called
        self.broken += not kept
        print(f"  {'ok    ' if kept else 'BROKEN'} {line}", flush=True)


class LoadClients:
    """Phones, listeners and bursts against one service for the duration of a `gathered` block."""

    def __init__(self, pigwav: RunningPigWav, wavs: Sequence[bytes], links: tuple[str, str]) -> None:
        address = urlsplit(pigwav.url)
        self.caller = Caller(address.hostname or "", address.port or 0, pigwav.user, pigwav.token)
        self._pigwav = pigwav
        self._wavs = wavs
        short, self._long = links
        self.light = LightRequests(self.caller, short)
        self.most_pss_bytes = 0
        self.late_s: list[float] = []

    @asynccontextmanager
    async def gathered(
        self, phones: int, listeners: int, burst: int, *, leave_within_s: float
    ) -> AsyncIterator[Seen]:
        """The clients arrive over a few seconds. After the block, open requests get `leave_within_s` to end."""
        seen, over = Seen(), asyncio.Event()
        come_s = max(2.0, phones / 600)
        tasks = [
            *(phone(self.caller, self._wavs, seen, over, n * come_s / phones) for n in range(phones)),
            *(
                listener(self.caller, self._long, seen, over, n * come_s / listeners)
                for n in range(listeners)
            ),
            *([self.light.in_bursts(burst, seen, over)] if burst else []),
            self._watch_memory(over),
            self._watch_itself(over),
        ]
        self.late_s.clear()
        began_s, own_cpu_s, service_cpu_s = time.perf_counter(), time.process_time(), self._pigwav.cpu_s()
        running = [asyncio.create_task(task) for task in tasks]
        await asyncio.sleep(come_s)
        try:
            yield seen
        finally:
            if self._pigwav.process.is_running():
                self._tell_cores(time.perf_counter() - began_s, own_cpu_s, service_cpu_s)
            over.set()
            _, waiting = await asyncio.wait(running, timeout=leave_within_s)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _tell_cores(self, seconds: float, own_cpu_s: float, service_cpu_s: float) -> None:
        """Prints CPU use since the given CPU times, and the delay of the clients' event loop."""
        service, own = self._pigwav.cpu_s() - service_cpu_s, time.process_time() - own_cpu_s
        late_ms = percentile(self.late_s, 0.99) * 1000
        print(f"  PigWav took {service / seconds:.2f} cores, the clients {own / seconds:.2f}", end=", ")
        print(f"clients' event loop late by {late_ms:.0f} ms (p99)")

    async def steady_light(self, seconds: float, seen: Seen) -> None:
        """Sends the light requests whose response times are measured."""
        over = asyncio.Event()
        callers = [asyncio.create_task(self.light.steadily(LIGHT_PER_S / 4, seen, over)) for _ in range(4)]
        await asyncio.sleep(seconds)
        over.set()
        await asyncio.gather(*callers)

    async def _watch_itself(self, over: asyncio.Event) -> None:
        """Records how late the clients' event loop is: if it falls behind, the response times measure the clients."""
        while not over.is_set():
            due_s = time.perf_counter() + 0.05
            await asyncio.sleep(0.05)
            self.late_s.append(time.perf_counter() - due_s)

    async def _watch_memory(self, over: asyncio.Event) -> None:
        while not over.is_set() and self._pigwav.process.is_running():
            pss_bytes = await asyncio.to_thread(self._pigwav.pss_bytes)
            self.most_pss_bytes = max(self.most_pss_bytes, pss_bytes)
            await asyncio.sleep(PSS_EVERY_S)


@contextmanager
def load_clients(pigwav: RunningPigWav) -> Iterator[LoadClients]:
    with file_descriptors():
        pcm = music(40, rate_hz=8000, channels=1)[44:]
        wavs = [voice(pcm, seconds) for seconds in range(30, 41)]
        short = pigwav.upload(wavs[0]).recording
        long = pigwav.upload(music(LONG_S)).recording
        yield LoadClients(pigwav, wavs, (_target(short["url"]), _target(long["url"])))


@contextmanager
def file_descriptors() -> Iterator[None]:
    """Raises the limit of open files to the hard limit: each client needs a socket."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _target(url: str) -> str:
    address = urlsplit(url)
    return f"{address.path}?{address.query}"


@dataclass(frozen=True)
class Idle:
    """p99 of light requests without uploads and downloads; the second value is with bursts.

    Requests of a burst wait for each other even without other clients. `with_bursts_p99_s` is therefore the baseline
    for the cost of the other clients.
    """

    p99_s: float
    with_bursts_p99_s: float


async def idle(visitors: LoadClients) -> Idle:
    await visitors.steady_light(2, Seen())
    alone = Seen()
    await visitors.steady_light(IDLE_S, alone)
    print(f"idle: {_percentiles('light requests', alone.light_s)}", flush=True)
    print(f"idle, {BURST} small requests at once every second:", flush=True)
    async with visitors.gathered(0, 0, BURST, leave_within_s=5) as seen:
        await visitors.steady_light(IDLE_S, seen)
    print(f"  {_percentiles('light requests', seen.light_s)}; {_percentiles('in bursts', seen.burst_s)}")
    return Idle(percentile(alone.light_s, 0.99), percentile(seen.light_s, 0.99))


async def served(visitors: LoadClients, quiet: Idle, shape: tuple[int, int, float], bounds: Bounds) -> None:
    phones, listeners, seconds = shape
    print(
        f"\n{phones} phones, {listeners} listeners, {BURST} small requests at once every second:", flush=True
    )
    async with visitors.gathered(phones, listeners, BURST, leave_within_s=30) as seen:
        await visitors.steady_light(seconds, seen)
    _report(seen)
    failures = _other_than(seen, ("200", "201"))
    bounds.check(not failures, f"failures: {failures.total()} {dict(failures) or ''}")
    p99_s = percentile(seen.light_s, 0.99)
    ratio, other = p99_s / quiet.p99_s, p99_s / quiet.with_bursts_p99_s
    bounds.check(
        other <= P99_RATIO,
        f"p99 of light requests is {other:.1f} times that without phones and listeners (bound: "
        f"{P99_RATIO:g}), {ratio:.1f} times that without any other client",
    )
    most = visitors.most_pss_bytes
    bounds.check(
        most <= PSS_BYTES, f"PSS of PigWav's own processes: at most {mib(most)} (bound: {mib(PSS_BYTES)})"
    )
    await _play_all(visitors, seen, bounds)


async def overloaded(
    visitors: LoadClients, quiet: Idle, shape: tuple[int, int, float], bounds: Bounds
) -> None:
    phones, listeners = (count * OVERLOAD_FACTOR for count in shape[:2])
    print(
        f"\n{phones} phones, {listeners} listeners, {BURST * OVERLOAD_FACTOR} at once every second:",
        flush=True,
    )
    burst = BURST * OVERLOAD_FACTOR
    async with visitors.gathered(phones, listeners, burst, leave_within_s=BLOCK_S) as seen:
        await visitors.steady_light(shape[2], seen)
        stopped_s = time.perf_counter()
    _report(seen)
    failures = _other_than(seen, ("200", "201", "429", "503"))
    bounds.check(
        not failures, f"statuses other than 2xx, 429, 503: {failures.total()} {dict(failures) or ''}"
    )
    print(f"  {_percentiles('refusals of uploads', seen.refusal_s)}")
    print(f"  PSS of PigWav's own processes: at most {mib(visitors.most_pss_bytes)}")
    recovery_s = await _recovered(visitors, quiet.p99_s * P99_RATIO) - stopped_s
    bounds.check(
        recovery_s <= RECOVERY_S, f"recovered {recovery_s:.1f} s after the load (bound: {RECOVERY_S:g} s)"
    )
    await _play_all(visitors, seen, bounds)


async def _recovered(visitors: LoadClients, limit_s: float) -> float:
    """The time at which light requests are fast again and an upload succeeds."""
    wav = visitors._wavs[0][: 44 + 16_000]  # noqa: SLF001 - its first second
    while True:
        seen = Seen()
        await visitors.steady_light(0.5, seen)
        upload = await visitors.caller.call(
            visitors.caller.head(
                "POST",
                f"/records?user={visitors.caller.user}",
                "Content-Type: audio/wav",
                f"Content-Length: {len(wav)}",
            )
            + wav
        )
        if upload.status == 201 and seen.light_s and max(seen.light_s) <= limit_s:
            return time.perf_counter()


async def stopped_under_load(visitors: LoadClients, shape: tuple[int, int, float], bounds: Bounds) -> None:
    """SIGTERM during uploads: the service is not ready while it still accepts connections, and answers every upload."""
    phones, listeners, seconds = shape
    async with visitors.gathered(phones, listeners, 0, leave_within_s=1) as seen:
        await asyncio.sleep(seconds)
        answered = seen.uploads.total()
        began_s = time.perf_counter()
        visitors._pigwav.process.send_signal(signal.SIGTERM)  # noqa: SLF001
        unready_s, closed_s = await _unready(visitors), await _closed(visitors)
        code = await asyncio.to_thread(visitors._pigwav.process.wait, 60)  # noqa: SLF001
        await asyncio.sleep(1)
    print(f"  {answered} uploads ended before SIGTERM; not ready after {unready_s - began_s:.2f} s", end=", ")
    print(f"closed after {closed_s - began_s:.2f} s, ended after {time.perf_counter() - began_s - 1:.1f} s")
    outcomes = {name: count for name, count in seen.uploads.items() if name != "0"}
    allowed = {"201", "503 shutting-down"}
    bounds.check(unready_s < closed_s, "not ready before the socket was closed")
    bounds.check(set(outcomes) <= allowed, f"uploads ended with {outcomes}")
    bounds.check(code == 0, f"exit status {code}")


async def _unready(visitors: LoadClients) -> float:
    request = visitors.caller.head("GET", "/readyz")
    while (await visitors.caller.call(request)).code != "shutting-down":
        pass
    return time.perf_counter()


async def _closed(visitors: LoadClients) -> float:
    while (await visitors.caller.call(visitors.caller.head("GET", "/healthz"))).status:
        pass
    return time.perf_counter()


async def _play_all(visitors: LoadClients, seen: Seen, bounds: Bounds) -> None:
    """Plays the link of every acknowledged upload."""
    silent = 0
    for recording in seen.recordings:
        heard = await visitors.caller.call(visitors.caller.head("GET", _target(recording["url"])))
        silent += hashlib.sha256(heard.body).hexdigest() != recording["sha256"]
    bounds.check(not silent, f"{len(seen.recordings)} links play, {silent} do not")


def _other_than(seen: Seen, wanted: Sequence[str]) -> Counter[str]:
    everything = seen.uploads + seen.light + seen.listeners
    return Counter(
        {name: count for name, count in everything.items() if name.partition(" ")[0] not in wanted}
    )


def _report(seen: Seen) -> None:
    counted = {"uploads": seen.uploads, "small requests": seen.light, "listeners": seen.listeners}
    for name, counts in counted.items():
        print(f"  {name}: {json.dumps(dict(counts))}")
    print(f"  {_percentiles('light requests', seen.light_s)}; {_percentiles('in bursts', seen.burst_s)}")
    print(f"  listeners received {mib(seen.heard_bytes)}", flush=True)


def _percentiles(name: str, seconds: Sequence[float]) -> str:
    p50, p99 = (percentile(seconds, share) * 1000 for share in (0.5, 0.99))
    return f"{name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms of {len(seconds)}"


async def run(pigwav: RunningPigWav, shape: tuple[int, int, float], bounds: Bounds) -> None:
    with load_clients(pigwav) as visitors:
        quiet = await idle(visitors)
        await served(visitors, quiet, shape, bounds)
        await overloaded(visitors, quiet, shape, bounds)


async def run_sigterm(pigwav: RunningPigWav, shape: tuple[int, int, float], bounds: Bounds) -> None:
    with load_clients(pigwav) as visitors:
        await stopped_under_load(visitors, shape, bounds)


def main(phones: int = 300, listeners: int = 50, seconds: float = 35, *, sigterm: bool = False) -> None:
    bounds, shape = Bounds(), (phones, listeners, seconds)
    with running_pigwav(**(SIGTERM_ENVIRONMENT if sigterm else {})) as pigwav:
        uvloop.run(run_sigterm(pigwav, shape, bounds) if sigterm else run(pigwav, shape, bounds))
    sys.exit(1 if bounds.broken else 0)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--sigterm"]
    main(*map(int, words), sigterm="--sigterm" in sys.argv)
