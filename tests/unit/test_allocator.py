"""The process restarts itself with the library of PIGWAV_JEMALLOC; its children do not get it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from jemalloc import jemalloc
from pigwav.allocator import CONFIGURATION, allocator, find_jemalloc, read_jemalloc

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux preloads libraries")

PROGRAM: Final = """
import json, os, subprocess, sys
from pigwav.allocator import allocator, use_jemalloc

started_with = dict(os.environ)
use_jemalloc()
child = subprocess.run(["cat", "/proc/self/environ", "/proc/self/maps"], capture_output=True, text=True, check=True)
print(json.dumps({
    "allocator": allocator(),
    "started_with": started_with,
    "environment": dict(os.environ),
    "maps": open("/proc/self/maps").read(),
    "child": child.stdout,
    "arguments": sys.argv[1:],
}))
"""

FREED: Final = """
import os, sys, time
from pigwav.allocator import trim_every_second

def resident_mib():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20

trim_every_second()
blocks = [b"x" * 60_000 for _ in range(2000)]
held = resident_mib()
last = blocks.pop()  # above all others, so that glibc by itself returns none of them
blocks.clear()
while resident_mib() > held - 100:
    time.sleep(0.1)
"""


def restarted(*words: str, **variables: str) -> dict:
    """What a program sees that has called `use_jemalloc`."""
    environment = {name: value for name, value in os.environ.items() if name != "PIGWAV_JEMALLOC"} | variables
    program = [sys.executable, "-c", PROGRAM, *words]
    ended = subprocess.run(program, env=environment, capture_output=True, text=True, check=True, timeout=60)
    seen = json.loads(ended.stdout)
    assert environment.items() <= seen["environment"].items()
    assert {*seen["environment"]} - {*environment} <= {"LC_CTYPE"}  # Python sets it
    return seen


@pytest.fixture
def library() -> str:
    """A library that any program may load; it is no allocator."""
    maps = Path("/proc/self/maps").read_text()
    return next(line.split()[-1] for line in maps.splitlines() if "/libm.so" in line or "/libm-" in line)


def test_the_named_library_is_loaded_here_and_in_no_child(library: str) -> None:
    other = str(Path(library).with_name("librt.so.1"))
    seen = restarted("--port", "8 080", PIGWAV_JEMALLOC=library)

    assert seen["started_with"]["LD_PRELOAD"] == library
    assert seen["started_with"]["MALLOC_CONF"] == CONFIGURATION
    assert library in seen["maps"]
    assert library not in seen["child"].replace(f"PIGWAV_JEMALLOC={library}", "")
    assert "MALLOC_CONF" not in seen["child"]
    assert seen["arguments"] == ["--port", "8 080"]
    assert seen["allocator"] == "glibc"

    kept = restarted(PIGWAV_JEMALLOC=library, LD_PRELOAD=other, MALLOC_CONF="narenas:1")
    assert kept["started_with"]["LD_PRELOAD"] == f"{library} {other}"
    assert kept["started_with"]["MALLOC_CONF"] == "narenas:1"


def test_it_can_be_refused(library: str) -> None:
    seen = restarted(PIGWAV_JEMALLOC=" OFF ")
    assert "LD_PRELOAD" not in seen["started_with"]
    assert seen["allocator"] == "glibc"


def test_a_file_that_is_no_library_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "libjemalloc.so.2").write_text("no library")
    seen = restarted(PIGWAV_JEMALLOC=str(tmp_path / "libjemalloc.so.2"))
    assert seen["allocator"] == "glibc"


def test_jemalloc_is_recognised_and_left_alone_if_it_runs_already() -> None:
    path = jemalloc()
    assert restarted(PIGWAV_JEMALLOC=path)["allocator"] == "jemalloc"
    seen = restarted(PIGWAV_JEMALLOC=path, LD_PRELOAD=path)
    assert (seen["allocator"], seen["started_with"]["LD_PRELOAD"]) == ("jemalloc", path)


@pytest.mark.parametrize("text", ["auto", "AUTO", "Off"])
def test_words_are_read_in_any_case(text: str) -> None:
    assert read_jemalloc(text) == text.casefold()


@pytest.mark.parametrize("text", ["on", "libjemalloc.so.2", "/no/such/libjemalloc.so.2", "/usr", ""])
def test_what_is_no_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not auto, off or the path of a file"):
        read_jemalloc(text)
    assert text == "" or find_jemalloc(text) is None


@pytest.mark.parametrize("name", ["a b.so", "a:b.so"])
def test_a_path_that_the_loader_would_split_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match="colon or a blank"):
        read_jemalloc(str(tmp_path / name))


@pytest.mark.skipif(allocator() != "glibc", reason="only glibc is trimmed")
def test_glibc_returns_what_was_freed() -> None:
    subprocess.run([sys.executable, "-c", FREED], env=os.environ, check=True, timeout=100)
