"""Whether there is disk space for another recording: by measuring local disks, and from "disk full" errors."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from needs import skip_or_fail
from pigwav.capacity.disk_space import HOLD_S, DiskSpace
from pigwav.errors import StorageFull, UploadBroken
from pigwav.telemetry.metrics import Metrics


@dataclass
class Clock:
    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


def disk_space(
    *folders: Path, clock: Clock | None = None, metrics: Metrics | None = None, keep: int = 0
) -> DiskSpace:
    return DiskSpace(folders, min_free_bytes=keep, metrics=metrics or Metrics(), now_s=clock or Clock())


def upload(space: DiskSpace, error: Exception | None = None) -> None:
    with space.one_more():
        if error:
            raise error


def refused(space: DiskSpace) -> bool:
    try:
        upload(space)
    except StorageFull:
        return True
    return False


def all_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).total + 1


def test_a_disk_with_less_free_than_is_kept_takes_no_upload(tmp_path: Path) -> None:
    assert not refused(disk_space(tmp_path, keep=1))
    with pytest.raises(StorageFull, match=r"bytes free; PIGWAV_DISK_MIN_FREE_BYTES is"):
        upload(disk_space(tmp_path, keep=all_bytes(tmp_path)))


def test_nothing_is_refused_where_nothing_is_watched_or_nothing_kept(tmp_path: Path) -> None:
    assert not refused(disk_space(keep=10**18))
    assert not refused(disk_space(tmp_path, keep=0))


def test_a_disk_that_cannot_be_asked_any_more_refuses_nothing_and_the_others_still_count(
    tmp_path: Path,
) -> None:
    gone = tmp_path / "gone"

    assert not refused(disk_space(gone, keep=all_bytes(tmp_path)))
    assert refused(disk_space(gone, tmp_path, keep=all_bytes(tmp_path)))


def test_the_metrics_say_how_much_is_free(tmp_path: Path) -> None:
    metrics = Metrics()
    disk_space(tmp_path, metrics=metrics).measure()

    line = next(
        line
        for line in metrics.exposition().decode().splitlines()
        if line.startswith("pigwav_disk_free_bytes{")
    )
    assert f'folder="{tmp_path}"' in line
    assert 0 < float(line.split()[-1]) < all_bytes(tmp_path)


@dataclass
class Part:
    """Simulates a database or a store that may be full."""

    full: bool = True
    asked: int = 0

    def __call__(self) -> None:
        self.asked += 1
        if self.full:
            raise StorageFull


def through(space: DiskSpace, part: Callable[[], None]) -> bool:
    """Uploads to `part`; returns whether the upload was stored."""
    try:
        with space.one_more():
            part()
    except StorageFull:
        return False
    return True


def test_a_part_that_is_full_is_left_alone_then_asked_once_at_a_time_until_it_takes_something() -> None:
    clock, part = Clock(), Part()
    heard = disk_space(clock=clock)
    for _ in range(5):
        assert not through(heard, part)
    assert part.asked == 1

    clock.now_s += HOLD_S
    for _ in range(5):
        assert not through(heard, part)
    assert part.asked == 2

    part.full = False
    clock.now_s += HOLD_S - 0.1
    assert not through(heard, part)
    clock.now_s += 0.1
    assert all(through(heard, part) for _ in range(5))
    assert part.asked == 7


def test_while_one_upload_tries_the_others_wait_but_not_for_ever() -> None:
    clock = Clock()
    heard = disk_space(clock=clock)
    assert not through(heard, Part())
    clock.now_s += HOLD_S
    with heard.one_more():  # a slow upload
        assert refused(heard)
        clock.now_s += HOLD_S
        assert not refused(heard)
        assert not refused(heard)


def test_an_upload_that_was_under_way_tells_by_ending_well_that_there_is_room_again() -> None:
    heard = disk_space()
    with heard.one_more():
        assert not through(heard, Part())
        assert refused(heard)

    assert not refused(heard)


def test_an_upload_that_fails_of_its_own_tells_nothing_of_the_disks() -> None:
    clock = Clock()
    heard = disk_space(clock=clock)
    with pytest.raises(UploadBroken):
        upload(heard, UploadBroken())
    assert not refused(heard)

    assert not through(heard, Part())
    clock.now_s += HOLD_S
    with pytest.raises(UploadBroken):
        upload(heard, UploadBroken())
    assert refused(heard)


SMALL_DISK = """
import sys
from pathlib import Path
from pigwav.errors import StorageFull
from pigwav.telemetry.metrics import Metrics
from pigwav.capacity.disk_space import MEASURE_EVERY_S, DiskSpace
disk, now_s = Path(sys.argv[1]), 0.0
space = DiskSpace([disk], min_free_bytes=1024**2, metrics=Metrics(), now_s=lambda: now_s)
def refused():
    try:
        with space.one_more():
            return False
    except StorageFull:
        return True
seen = [refused()]
(disk / "large").write_bytes(bytes(3 * 1024**2 + 4096))
seen += [refused()]  # looked a moment ago
now_s += MEASURE_EVERY_S
seen += [refused()]
(disk / "large").unlink()
now_s += MEASURE_EVERY_S
seen += [refused()]
print(seen)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces exist only on Linux")
def test_a_real_small_disk_fills_and_empties(tmp_path: Path) -> None:
    """Uses a tmpfs of 4 MiB in a new namespace. Needs no root if the kernel allows user namespaces."""
    mount = f"mount -t tmpfs -o size=4m none {tmp_path}"
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*namespace, mount], capture_output=True, check=False).returncode
    ):
        skip_or_fail("namespaces", "this kernel does not allow a mount in a user namespace")
    script = f'{mount} && exec "$0" -c "$1" {tmp_path}'

    run = subprocess.run(
        [*namespace, script, sys.executable, SMALL_DISK], capture_output=True, text=True, check=False
    )

    assert run.stdout == "[False, False, True, False]\n", run.stderr
