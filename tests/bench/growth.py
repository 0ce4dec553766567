"""What 100,000 recordings of one user change: uploads, links and lists, and the memory.

python -m tests.bench --only growth
"""

import time
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from bench.harness import RunningPigWav, running_pigwav
from bench.material import Material
from bench.results import Result, Target
from databases import run_as_owner

MANY: Final = 100_000
ROUNDS: Final = 5
_CALLS: Final = 40
_COPIES: Final = """
    INSERT INTO recordings
    SELECT (jsonb_populate_record(recordings, jsonb_build_object('id', gen_random_uuid(), 'object_key', n))).*
    FROM recordings, generate_series(1, {count}) n
"""


def results(material: Material) -> Iterator[Result]:
    """The comparison is the same service with one recording."""
    clip = material.wav(1)
    with running_pigwav() as few, running_pigwav() as many:
        links = [pigwav.upload(clip).recording["url"] for pigwav in (few, many)]
        run_as_owner(many.settings()["PIGWAV_DATABASE_URL"], _COPIES.format(count=MANY), "ANALYZE recordings")
        kinds: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "upload of a 1-second clip": (lambda: few.upload(clip), lambda: many.upload(clip)),
            "download": (lambda: _get(few, links[0]), lambda: _get(many, links[1])),
            "list, first page": (
                lambda: _get(few, "/records?limit=1"),
                lambda: _get(many, "/records?limit=1"),
            ),
        }
        for name, (with_few, with_many) in kinds.items():
            before, after = [], []
            for _ in range(ROUNDS):
                before.append(_ms(with_few))
                after.append(_ms(with_many))
            yield Result.of(
                f"{name}, {MANY:,} recordings",
                "ms",
                Target(1.1),
                **{"PigWav": after, "one recording": before},
            )
        yield Result.of(
            f"memory of own processes, {MANY:,} recordings",
            "MiB",
            Target(1.1),
            **{"PigWav": [many.pss_bytes() / 2**20], "one recording": [few.pss_bytes() / 2**20]},
        )


def _get(pigwav: RunningPigWav, url: str) -> None:
    parts = urlsplit(url)
    connection = pigwav.connect()
    connection.request(
        "GET", f"{parts.path}?{parts.query}", headers={"Authorization": f"Bearer {pigwav.token}"}
    )
    response = connection.getresponse()
    assert response.status == 200
    response.read()
    connection.close()


def _ms(call: Callable[[], object]) -> float:
    """The mean of _CALLS."""
    began_s = time.perf_counter()
    for _ in range(_CALLS):
        call()
    return (time.perf_counter() - began_s) * 1000 / _CALLS
