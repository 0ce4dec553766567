"""1-second clips of music, several clients at once: PigWav with raw bodies and with forms, the service that most people
would write (peers/fastapi_pydub.py), and LAME alone on all cores, which is the limit.

python -m tests.bench --only clips

The clips are cut from the music at random. In each round, each of the four gets the same clips. The peer needs pydub,
in a folder of its own: pip install --target /tmp/peers pydub
"""

import http.client
import os
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import cycle, islice
from random import Random
from typing import Final, Protocol

import lameenc
import psutil

from bench.harness import answered, running_pigwav
from bench.material import LOOP_S, Material
from bench.peer import running_peer
from bench.results import Result, Target

ALONE: Final = "LAME alone"
RAW: Final = "PigWav, raw bodies"
FORMS: Final = "PigWav, forms"
PEER: Final = "FastAPI + pydub"

CLIENTS: Final = 8
CLIPS: Final = 200
DIFFERENT_CLIPS: Final = 100
_SEED: Final = 18
_BOUNDARY: Final = "0123456789abcdef"


class Service(Protocol):
    @property
    def user(self) -> int: ...

    @property
    def token(self) -> str: ...

    def connect(self) -> http.client.HTTPConnection: ...


@dataclass(frozen=True)
class Contender:
    """`processes`: all processes of the service, without Postgres and the S3 server."""

    name: str
    convert: Callable[[bytes], object]
    processes: Callable[[], list[psutil.Process]]

    def cpu_s(self) -> float:
        """With the processes that have ended, such as each ffmpeg."""
        return sum(sum(process.cpu_times()[:4]) for process in self.processes())


@dataclass(frozen=True)
class Speed:
    clips_per_s: float
    cpu_ms_per_clip: float


def results(material: Material, *, quick: bool) -> Iterator[Result]:
    random = Random(_SEED)
    different = [material.wav(1, skipped_s=random.uniform(0, LOOP_S - 1)) for _ in range(DIFFERENT_CLIPS)]
    clips = [*islice(cycle(different), CLIPS)]
    speeds: dict[str, list[Speed]] = {}
    with contenders(CLIENTS) as (all_of_them, pool):
        for contender in all_of_them:  # the first clips load modules and open connections
            measured(contender, different[: 4 * CLIENTS], pool)
        for _ in range(3 if quick else 7):
            for contender in all_of_them:
                speeds.setdefault(contender.name, []).append(measured(contender, clips, pool))
    per_s = {name: [speed.clips_per_s for speed in found] for name, found in speeds.items()}
    for name, other, target in (
        (RAW, ALONE, 0.5),
        (FORMS, ALONE, None),
        (RAW, PEER, None),
        (FORMS, PEER, None),
    ):
        yield Result.of(
            f"1-second clips, {CLIENTS} clients ({name.removeprefix('PigWav, ')})",
            "per second",
            Target(target, at_least=True) if target else None,
            **{"PigWav": per_s[name], other: per_s[other]},
        )
    for name, found in speeds.items():
        yield Result.of(
            f"CPU of a 1-second clip ({name})", "ms", PigWav=[speed.cpu_ms_per_clip for speed in found]
        )


@contextmanager
def contenders(clients: int) -> Iterator[tuple[list[Contender], ThreadPoolExecutor]]:
    """The four, and a pool with a thread per client."""
    with (
        running_pigwav() as pigwav,
        running_peer(pigwav) as peer,
        ThreadPoolExecutor(clients) as pool,
        ThreadPoolExecutor(os.cpu_count()) as cores,
    ):
        yield (
            [
                Contender(
                    ALONE, lambda clip: cores.submit(encode, clip).result(), lambda: [psutil.Process()]
                ),
                Contender(RAW, pigwav.upload, pigwav.own_processes),
                Contender(FORMS, partial(upload_form, pigwav), pigwav.own_processes),
                Contender(PEER, partial(upload_form, peer), peer.processes),
            ],
            pool,
        )


def measured(contender: Contender, clips: Sequence[bytes], pool: ThreadPoolExecutor) -> Speed:
    cpu_s, began_s = contender.cpu_s(), time.perf_counter()
    for _ in pool.map(contender.convert, clips):
        pass
    seconds = time.perf_counter() - began_s
    return Speed(len(clips) / seconds, 1000 * (contender.cpu_s() - cpu_s) / len(clips))


def encode(clip: bytes) -> bytes:
    """As PigWav encodes it."""
    with wave.open(BytesIO(clip)) as source:
        encoder = lameenc.Encoder()
        encoder.silence()
        encoder.set_channels(source.getnchannels())
        encoder.set_in_sample_rate(source.getframerate())
        encoder.set_out_sample_rate(source.getframerate())
        encoder.set_bit_rate(128)
        encoder.set_quality(3)
        return bytes(encoder.encode(source.readframes(source.getnframes())) + encoder.flush())


def upload_form(service: Service, clip: bytes) -> None:
    connection = service.connect()
    connection.request(
        "POST",
        "/records",
        _form(clip, user_id=service.user, token=service.token),
        {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"},
    )
    answered(connection)


def _form(clip: bytes, **fields: object) -> bytes:
    parts = [f'form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts.append(b'form-data; name="file"; filename="clip.wav"\r\nContent-Type: audio/wav\r\n\r\n' + clip)
    body = b"".join(b"--%b\r\nContent-Disposition: %b\r\n" % (_BOUNDARY.encode(), part) for part in parts)
    return body + f"--{_BOUNDARY}--\r\n".encode()
