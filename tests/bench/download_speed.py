"""Downloads through PigWav, compared with direct GETs of the same object from the same store.

python tests/bench/download_speed.py [ROUNDS]
"""

import http.client
import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import RunningPigWav, music, running_pigwav

CLIENTS = 4


def main(rounds: int = 200) -> None:
    with running_pigwav() as pigwav:
        for name, seconds in (("100 kB", 6.25), ("5 MiB", 327)):
            recording = pigwav.upload(music(seconds)).recording
            direct = _presigned(pigwav, recording)
            _row(name, recording["bytes"], recording["url"], direct, rounds)


def _row(name: str, size_bytes: int, link: str, direct: str, rounds: int) -> None:
    """Alternates between the two, so that other load on the machine affects both."""
    ratios = []
    for _ in range(5):
        ours, theirs = _per_s(link, rounds), _per_s(direct, rounds)
        ratios.append(ours / theirs)
    mb_s = ours * size_bytes / 1e6
    print(
        f"{name:>6}: PigWav {ours:7.1f} GETs/s ({mb_s:6.1f} MB/s)   store {theirs:7.1f} GETs/s   "
        f"median ratio {statistics.median(ratios):.2f}",
        flush=True,
    )


def _per_s(url: str, rounds: int) -> float:
    with ThreadPoolExecutor(CLIENTS) as pool:
        began_s = time.perf_counter()
        list(pool.map(lambda _: _gets(url, rounds // CLIENTS), range(CLIENTS)))
        return rounds / (time.perf_counter() - began_s)


def _gets(url: str, count: int) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    for _ in range(count):
        connection.request("GET", f"{parts.path}?{parts.query}")
        response = connection.getresponse()
        if response.status != 200 or not response.read():
            sys.exit(f"{url} answered {response.status}")
    connection.close()


def _presigned(pigwav: RunningPigWav, recording: dict) -> str:
    run = json.loads(Path(_data_folder(pigwav), "run.json").read_text())
    client = boto3.client(
        "s3",
        endpoint_url=run["s3_endpoint"],
        region_name="us-east-1",
        aws_access_key_id=run["s3_access_key"],
        aws_secret_access_key=run["s3_secret_key"],
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )
    key = next(
        item["Key"]
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=run["s3_bucket"])
        for item in page.get("Contents", [])
        if recording["id"] in item["Key"]
    )
    return client.generate_presigned_url("get_object", {"Bucket": run["s3_bucket"], "Key": key})


def _data_folder(pigwav: RunningPigWav) -> str:
    command = pigwav.process.cmdline()
    return command[command.index("--data") + 1]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
