"""Only the API runs with jemalloc: not the supervisor, not the servers, not the decoders."""

import re
import sys
from pathlib import Path
from typing import Final

import httpx2
import psutil
import pytest

from accounts import register
from e2e.open_upload import open_upload
from factories import wav
from jemalloc import jemalloc
from waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

NEEDS_A_DECODER_HZ: Final = 96_000
DRIVERS: Final = re.compile(r"/(psycopg2|sqlalchemy|obstore|pydantic_core|lameenc|numpy)/")


def maps(process: psutil.Process) -> str:
    return Path(f"/proc/{process.pid}/maps").read_text()


def is_api(process: psutil.Process) -> bool:
    return "serve" in process.cmdline()


def test_only_the_api_has_the_library_and_the_drivers(running_up) -> None:
    library = jemalloc()
    up = running_up(environment={"PIGWAV_JEMALLOC": library})
    body = wav(seconds=20, rate=NEEDS_A_DECODER_HZ)
    with httpx2.Client(base_url=up.url, timeout=30) as http, open_upload(register(http), body) as upload:
        wait_until(lambda: any("ffmpeg" in process.name() for process in up.family()))
        supervisor = psutil.Process(up.process.pid)
        [api] = filter(is_api, up.family())
        others = [supervisor, *(process for process in up.family() if process != api)]

        assert {"postgres", "weed"} < {process.name() for process in others}
        assert library in maps(api)
        for process in others:
            assert library not in maps(process), process
            assert "LD_PRELOAD" not in process.environ(), process
        assert DRIVERS.search(maps(api))
        assert not DRIVERS.search(maps(supervisor))
        assert upload.finish()[0] == 201
    assert '"allocator": "jemalloc", "event": "starting"' in up.log.read_text()
