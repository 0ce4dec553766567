"""1-second clips of music, several clients at once: PigWav with raw bodies and with forms, the service that most people
would write (peers/fastapi_pydub.py), and LAME alone on all cores, which is the limit.

python tests/bench/clips.py WAV [CLIPS] [CLIENTS] [ROUNDS]

WAV: 16-bit music; the clips are cut from it at random. In each round, each of the four gets CLIPS clips. The peer needs
pydub, in a folder of its own: pip install --target /tmp/peers pydub
"""

import http.client
import os
import statistics
import sys
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Final, Protocol

import lameenc
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import answered, running_pigwav
from bench.peer import running_peer

ALONE: Final = "LAME alone"
RAW: Final = "PigWav, raw bodies"
FORMS: Final = "PigWav, forms"
PEER: Final = "FastAPI + pydub"

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


def main(music: str, clips: int = 200, clients: int = 8, rounds: int = 5) -> None:
    different = clips_of(Path(music), DIFFERENT_CLIPS)
    with contenders(clients) as (all_of_them, pool):
        for contender in all_of_them:
            measured(
                contender, different[: 4 * clients], pool
            )  # the first clips load modules and open connections
        speeds: dict[str, list[Speed]] = {contender.name: [] for contender in all_of_them}
        for _ in range(rounds):
            for contender in all_of_them:
                speeds[contender.name].append(measured(contender, [*islice(cycle(different), clips)], pool))
    print(f"{clips} clips, {clients} clients, {os.cpu_count()} cores, medians of {rounds} rounds")
    for name, measurements in speeds.items():
        print(_line(name, measurements, speeds))


def _line(name: str, measurements: Sequence[Speed], speeds: dict[str, list[Speed]]) -> str:
    per_s = statistics.median(speed.clips_per_s for speed in measurements)
    cpu_ms = statistics.median(speed.cpu_ms_per_clip for speed in measurements)
    return (
        f"{name:18} {per_s:6.1f} clips/s   CPU {cpu_ms:6.1f} ms   "
        f"of {ALONE}: {_ratios(measurements, speeds[ALONE])}   of {PEER}: {_ratios(measurements, speeds[PEER])}"
    )


def _ratios(some: Sequence[Speed], others: Sequence[Speed]) -> str:
    """Median, lowest and highest, round by round."""
    ratios = [one.clips_per_s / other.clips_per_s for one, other in zip(some, others, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


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


def clips_of(music: Path, count: int) -> list[bytes]:
    """WAVs of 1 s each."""
    random = Random(_SEED)
    with wave.open(str(music)) as source:
        rate_hz = source.getframerate()
        starts = [random.randrange(source.getnframes() - rate_hz) for _ in range(count)]
        return [_second(source, start) for start in starts]


def _second(source: wave.Wave_read, start: int) -> bytes:
    source.setpos(start)
    clip = BytesIO()
    with wave.open(clip, "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(source.getframerate()))
    return clip.getvalue()


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


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
