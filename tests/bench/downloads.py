"""Downloads, compared with direct GETs of the same object from the same store, by 4 connections.

python -m tests.bench --only downloads

PigWav and the store take turns in each round. CPU is that of the API process. The client is wrk, if it is installed: a
client in Python takes more CPU time than the service.
"""

import http.client
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from bench.harness import RunningPigWav, running_pigwav
from bench.material import Material
from bench.results import Result, Target

CONNECTIONS: Final = 4
SECONDS: Final = 2
SIZES: Final = {"100 kB": (6.25, 0.30, 0.28), "5 MiB": (327.0, 0.50, 0.40)}
"""Length of the WAV in seconds, and the targets with jemalloc and without."""


def results(material: Material, *, quick: bool) -> Iterator[Result]:
    rounds = 5 if quick else 9
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(running_pigwav(**environment))
            for name, environment in material.allocators.items()
        }
        for size, (seconds, with_jemalloc, plain) in SIZES.items():
            wav = material.wav(seconds)
            for name, pigwav in running.items():
                recording = pigwav.upload(wav).recording
                direct, cpu_s = presigned(pigwav, recording["id"]), pigwav.cpu_s()
                ours, store, gets = [], [], 0
                for _ in range(rounds):
                    store.append(_per_s(direct)[0])
                    per_s, count = _per_s(recording["url"])
                    ours.append(per_s)
                    gets += count
                yield Result.of(
                    f"download of {size} ({name})",
                    "per second",
                    Target(plain if name == "plain" else with_jemalloc, at_least=True),
                    PigWav=ours,
                    the_store_itself=store,
                )
                yield Result.of(
                    f"CPU of a download of {size} ({name})",
                    "ms",
                    PigWav=[(pigwav.cpu_s() - cpu_s) * 1000 / gets],
                )


def _per_s(url: str) -> tuple[float, int]:
    """GETs per second, and their number."""
    gets, seconds = _by_wrk(url) if shutil.which("wrk") else _by_threads(url)
    return gets / seconds, gets


def _by_wrk(url: str) -> tuple[int, float]:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "30s", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+) requests in ([\d.]+)s", text)
    if found is None or "Non-2xx" in text or "Socket errors" in text:
        sys.exit(text)
    return int(found[1]), float(found[2])


def _by_threads(url: str) -> tuple[int, float]:
    began_s = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        gets = sum(pool.map(lambda _: _gets(url, began_s + SECONDS), range(CONNECTIONS)))
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


def presigned(pigwav: RunningPigWav, recording: str) -> str:
    """A URL of the recording's object at the store."""
    settings = pigwav.settings()
    bucket = settings["PIGWAV_S3_BUCKET"]
    client = boto3.client(
        "s3",
        endpoint_url=settings["PIGWAV_S3_ENDPOINT"],
        region_name="us-east-1",
        aws_access_key_id=settings["PIGWAV_S3_ACCESS_KEY"],
        aws_secret_access_key=settings["PIGWAV_S3_SECRET_KEY"],
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    key = next(
        found["Key"] for page in pages for found in page.get("Contents", []) if recording in found["Key"]
    )
    return client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key})
