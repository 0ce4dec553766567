"""BBC's own reader of waveforms, waveform-data, which peaks.js uses, reads ours. `.ci/page-tools` installs it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx2
import numpy as np
import pytest

from accounts import Account
from factories import chunk, fmt_chunk, riff
from needs import skip_or_fail

PACKAGES = Path(__file__).parents[2] / "build/page-tools/node_modules"
PROGRAM = Path(__file__).with_name("waveform_reader.cjs")
RATE_HZ = 8_000
PIECE = RATE_HZ // 50


@pytest.fixture(scope="module")
def node() -> str:
    if not (PACKAGES / "waveform-data").exists():
        skip_or_fail("waveform-data", "waveform-data is missing (.ci/page-tools)")
    return shutil.which("node") or skip_or_fail("waveform-data", "there is no `node` on the PATH")


def read(node: str, body: bytes, kind: str) -> dict:
    program = subprocess.run(
        [node, PROGRAM, kind],
        input=body,
        env=os.environ | {"NODE_PATH": str(PACKAGES)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    return json.loads(program.stdout)


@pytest.mark.parametrize("kind", ["dat", "json"])
@pytest.mark.parametrize(
    ("points", "channels", "pieces_per_point"),
    [(1, 1, 1), (60, 2, 1), (2500, 1, 2)],
    ids=["one point", "stereo", "merged"],
)
def test_it_reads_what_was_sent(
    account: Account, node: str, points: int, channels: int, pieces_per_point: int, kind: str
) -> None:
    scale = PIECE * pieces_per_point
    samples = np.random.default_rng(7).integers(-20_000, 20_000, (points, scale), np.int16)
    samples[:, 0], samples[:, 1] = -30_000, 30_000
    samples[points // 2] //= 4
    audio = np.repeat(samples.reshape(-1, 1), channels, axis=1)
    body = riff(fmt_chunk(rate=RATE_HZ, channels=channels) + chunk(b"data", audio.tobytes()))
    recording = account.upload_raw(body).json()
    link = f"{account.http.base_url}/record/{recording['id']}.{kind}?user={account.id}"

    waveform = read(node, httpx2.get(link).content, kind)

    assert waveform == {
        "sample_rate": RATE_HZ,
        "scale": scale,
        "bits": 8,
        "length": points,
        "channels": 1,
        "duration": pytest.approx(points * scale / RATE_HZ),
        "lowest": (samples.min(axis=1) >> 8).tolist(),
        "highest": (samples.max(axis=1) >> 8).tolist(),
    }
