"""Shared by the benchmarks: a running PigWav, test audio, uploads at a given bit rate, memory (PSS)."""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import pi, sin
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import psutil

from factories import chunk, fmt_chunk, riff

RATE_HZ = 44100
CHANNELS = 2
LOOP_S = 10
BLOCK_BYTES = 64 * 1024


@dataclass(frozen=True)
class RunningPigWav:
    url: str
    process: psutil.Process
    user: int
    token: str

    def own_processes(self) -> list[psutil.Process]:
        """`pigwav up` and its API processes, without Postgres and the S3 server."""
        own = [self.process]
        for child in self.process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # Postgres ends processes whenever it likes
                if "serve" in child.cmdline():
                    own.append(child)
        return own

    def settings(self) -> dict[str, str]:
        """The environment of an API process: its database and its store, among others."""
        return self.own_processes()[1].environ()

    def pss_bytes(self) -> int:
        return sum(process.memory_full_info().pss for process in self.own_processes())

    def cpu_s(self) -> float:
        times = [process.cpu_times() for process in self.own_processes()]
        return sum(t.user + t.system for t in times)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=600)

    def send_head(self, connection: http.client.HTTPConnection, length: int) -> None:
        connection.putrequest("POST", f"/records?user={self.user}")
        connection.putheader("Authorization", f"Bearer {self.token}")
        connection.putheader("Content-Type", "audio/wav")
        connection.putheader("Content-Length", str(length))
        connection.endheaders()

    def upload(self, audio: bytes, *, bits_per_s: float | None = None) -> "Upload":
        """Sends a WAV at `bits_per_s` (None: as fast as possible). Each block is due at a fixed time."""
        connection = self.connect()
        began_s = time.perf_counter()
        self.send_head(connection, len(audio))
        view = memoryview(audio)
        for start in range(0, len(audio), BLOCK_BYTES):
            if bits_per_s:
                due_s = began_s + start * 8 / bits_per_s
                time.sleep(max(0.0, due_s - time.perf_counter()))
            connection.send(view[start : start + BLOCK_BYTES])
        sent_s = time.perf_counter()
        answer = answered(connection)
        return Upload(answer, time.perf_counter() - began_s, time.perf_counter() - sent_s)


@dataclass(frozen=True)
class Upload:
    """`answer_s`: seconds from the last byte sent until the response was read."""

    recording: dict[str, Any]
    total_s: float
    answer_s: float


def answered(connection: http.client.HTTPConnection) -> dict[str, Any]:
    response = connection.getresponse()
    document = json.loads(response.read())
    connection.close()
    if response.status != 201:
        sys.exit(f"the upload was refused: {document}")
    return document


@contextmanager
def running_pigwav(*, python: str = sys.executable, **environment: str) -> Iterator[RunningPigWav]:
    """`pigwav up` with an empty data folder and one user. `python`: the interpreter that PigWav is installed for."""
    with tempfile.TemporaryDirectory(prefix="pigwav-bench-") as folder:
        command = [python, "-m", "pigwav", "up", "--port", "0", "--data", f"{folder}/data"]
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | environment
            )
            try:
                yield _registered(process, Path(folder, "log"))
            finally:
                process.terminate()
                process.wait()


def _registered(process: "subprocess.Popen[str]", log: Path) -> RunningPigWav:
    assert process.stdout
    for line in process.stdout:
        if found := re.match(r"PigWav is ready: (\S+)", line):
            break
    else:
        sys.exit(f"pigwav up did not start:\n{log.read_text()}")
    connection = http.client.HTTPConnection(urlsplit(found[1]).netloc)
    connection.request("POST", "/users", '{"name": "bench"}', {"Content-Type": "application/json"})
    user = json.loads(connection.getresponse().read())
    return RunningPigWav(found[1], psutil.Process(process.pid), user["id"], user["token"])


def music(seconds: float, *, rate_hz: int = RATE_HZ, channels: int = CHANNELS, seed: int = 7) -> bytes:
    """A 16-bit WAV that gives the encoder realistic work: a moving chord with noise, different in each channel."""
    random = Random(seed)
    samples = int(seconds * rate_hz)
    loop = min(samples, LOOP_S * rate_hz)
    pcm = array("h", bytes(2 * channels * loop))
    for channel in range(channels):
        pcm[channel::channels] = array("h", _chord(random, loop, rate_hz))
    data = (pcm.tobytes() * (samples // loop + 1))[: 2 * channels * samples]
    return riff(fmt_chunk(rate=rate_hz, channels=channels) + chunk(b"data", data))


def _chord(random: Random, samples: int, rate_hz: int) -> Iterator[int]:
    tones = [(random.uniform(110, 4000), random.uniform(0.1, 2)) for _ in range(4)]
    for n in range(samples):
        t = 2 * pi * n / rate_hz
        tone = sum(sin(hz * t + 3 * sin(wobble_hz * t)) for hz, wobble_hz in tones)
        yield int(6000 * tone + random.uniform(-3000, 3000))


def mib(count: float) -> str:
    return f"{count / 2**20:.1f} MiB"
