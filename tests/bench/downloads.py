"""Downloads through PigWav, compared with direct GETs of the same object from the same store, with 4 connections.

python tests/bench/downloads.py [ROUNDS [SECONDS]]

Three targets take turns, SECONDS each: the store itself (a presigned GET), the service, and the service without
AnswerLinks, where FastAPI answers links. Ratios are those of one round, so that other load affects both sides. CPU is
that of the API process. The client is wrk, if it is installed: a client in Python needs more CPU time than the service.
LD_PRELOAD chooses another allocator for the API processes: PIGWAV_BENCH_PRELOAD=/path/to/libjemalloc.so.2.
"""

import asyncio
import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import boto3
import psutil
from botocore.config import Config

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import answered, music
from pigwav.devstack import StackAddress, stack_for
from ports import PORTS

CONNECTIONS: Final = 4
SIZES: Final = {"100 kB": 6.25, "5 MiB": 327.0}
"""Lengths of the WAVs in seconds."""

SERVE: Final = "serve"
"""The argument with which this program is an API process."""


@dataclass(frozen=True)
class Api:
    url: str
    process: psutil.Process

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system


@dataclass(frozen=True)
class Run:
    """GETs per second, and CPU time of the API process per GET."""

    per_s: float
    cpu_s: float


def main(rounds: int = 5, seconds: int = 2) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="pigwav-bench-") as folder,
        stack_for(Path(folder, "data"), ports=PORTS) as stack,
        serving(stack, links_by_fastapi=False) as ours,
        serving(stack, links_by_fastapi=True) as by_fastapi,
    ):
        for name, length_s in SIZES.items():
            recording = uploaded(ours, music(length_s))
            path = urlsplit(recording["url"])
            link = f"{path.path}?{path.query}"
            direct = presigned(stack, recording["id"])
            store: list[Run] = []
            found: dict[str, list[Run]] = {"the service": [], "without AnswerLinks": []}
            for _ in range(rounds):
                store.append(run(direct, seconds))
                for api, runs in zip((ours, by_fastapi), found.values(), strict=True):
                    runs.append(run(api.url + link, seconds, api))
            report(name, recording["bytes"], store, found)


def report(name: str, size_bytes: int, store: list[Run], found: dict[str, list[Run]]) -> None:
    rate = statistics.median(run.per_s for run in store)
    print(f"{name:>6}  {'the store':>20}  {rate:8.1f} GET/s  {rate * size_bytes / 1e6:8.1f} MB/s")
    for who, runs in found.items():
        rate = statistics.median(run.per_s for run in runs)
        ratios = sorted(run.per_s / direct.per_s for run, direct in zip(runs, store, strict=True))
        cpu_us = statistics.median(run.cpu_s for run in runs) * 1e6
        print(
            f"{name:>6}  {who:>20}  {rate:8.1f} GET/s  {rate * size_bytes / 1e6:8.1f} MB/s  ratio "
            f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})  CPU {cpu_us:6.0f} us/GET",
            flush=True,
        )


def run(url: str, seconds: int, api: Api | None = None) -> Run:
    before_s = api.cpu_s() if api else 0.0
    gets, took_s = by_wrk(url, seconds) if shutil.which("wrk") else by_threads(url, seconds)
    return Run(gets / took_s, (api.cpu_s() - before_s) / gets if api else 0.0)


def by_wrk(url: str, seconds: int) -> tuple[int, float]:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+) requests in ([\d.]+)s", text)
    if found is None or "Non-2xx" in text or "Socket errors" in text:
        sys.exit(text)
    return int(found[1]), float(found[2])


def by_threads(url: str, seconds: int) -> tuple[int, float]:
    began_s = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        gets = sum(pool.map(lambda _: _gets(url, began_s + seconds), range(CONNECTIONS)))
    return gets, time.perf_counter() - began_s


def _gets(url: str, until_s: float) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    count = 0
    while time.perf_counter() < until_s:
        connection.request("GET", f"{parts.path}?{parts.query}")
        response = connection.getresponse()
        if response.status != 200 or not response.read():
            sys.exit(f"{url} answered {response.status}")
        count += 1
    connection.close()
    return count


def uploaded(api: Api, wav: bytes) -> dict:
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=600)
    connection.request("POST", "/users", json.dumps({"name": f"bench {len(wav)}"}))
    user = json.loads(connection.getresponse().read())
    headers = {"Authorization": f"Bearer {user['token']}", "Content-Type": "audio/wav"}
    connection.request("POST", f"/records?user={user['id']}", wav, headers)
    return answered(connection)


def presigned(stack: StackAddress, recording: str) -> str:
    settings = stack.store_settings()
    access_key, secret_key = settings.key_pair() or ("", "")
    client = boto3.client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=settings.bucket)
    key = next(o["Key"] for page in pages for o in page.get("Contents", []) if recording in o["Key"])
    return client.generate_presigned_url("get_object", {"Bucket": settings.bucket, "Key": key})


@contextmanager
def serving(stack: StackAddress, *, links_by_fastapi: bool) -> Iterator[Api]:
    """An API process of its own."""
    with ExitStack() as ends, socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        environment = os.environ | stack.environment() | {"PIGWAV_DRAIN_S": "0"}
        if preload := os.environ.get("PIGWAV_BENCH_PRELOAD"):
            environment["LD_PRELOAD"] = preload
        command = [sys.executable, __file__, SERVE, str(listening.fileno()), str(int(links_by_fastapi))]
        process = subprocess.Popen(
            command, env=environment, pass_fds=[listening.fileno()], stderr=subprocess.DEVNULL
        )
        ends.callback(process.wait)
        ends.callback(process.terminate)
        port = listening.getsockname()[1]
        yield Api(f"http://127.0.0.1:{port}", psutil.Process(process.pid))


def serve(descriptor: int, links_by_fastapi: int) -> None:
    """An API process, like `pigwav serve`. It logs, because that is a part of what a request costs."""
    import uvloop

    from pigwav.api.app import create_app
    from pigwav.api.server import Server, server_config
    from pigwav.cli.serve import release_memory
    from pigwav.settings import read_settings
    from pigwav.telemetry.logs import configure_logging
    from pigwav.wiring import open_services
    from pigwav.worker.loop import working

    release_memory()
    settings = read_settings()
    configure_logging(as_json=True, level=settings.log_level)
    with open_services(settings) as services:
        app = create_app(services, background=working(services), links_by_fastapi=bool(links_by_fastapi))
        server = Server(server_config(app, services), services)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets=[socket.socket(fileno=descriptor)]))


if __name__ == "__main__":
    if sys.argv[1:2] == [SERVE]:
        serve(*map(int, sys.argv[2:]))
    else:
        main(*map(int, sys.argv[1:]))
