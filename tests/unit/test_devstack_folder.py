"""The data folder: one owner at a time, clear errors, private files."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pigwav.devstack.address import RunFile, StackAddress
from pigwav.devstack.folder import LOG_BYTES, DataFolder, needed_bytes, open_log
from pigwav.devstack.waiting import Sleeper
from pigwav.errors import FolderInUse, FolderUnusable

STACK = StackAddress("postgresql://pigwav@/pigwav?host=/x", "http://127.0.0.1:1", "pigwav", "ключ", "secret")

OWNER = """
import pathlib, sys
from pigwav.devstack.folder import DataFolder
from pigwav.devstack.waiting import Sleeper
folder = DataFolder(pathlib.Path(sys.argv[1]))
with folder.taken(Sleeper()):
    print("mine", flush=True)
    sys.stdin.readline()
    folder.leave()
    print("leaving", flush=True)
    sys.stdin.readline()
"""


class Owner:
    """Another process that owns the folder. Each `step` advances it: stopping, then gone."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        assert self.process.stdout.readline() == "mine\n"

    def step(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def __enter__(self) -> "Owner":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def take(path: Path) -> None:
    with DataFolder(path).taken(Sleeper()):
        pass


def test_a_live_owner_is_named_at_once(tmp_path: Path):
    with Owner(tmp_path / "data") as owner:
        with pytest.raises(FolderInUse, match=f"process {owner.process.pid}"):
            take(tmp_path / "data")
        assert DataFolder(tmp_path / "data").is_taken()


def test_an_owner_that_is_stopping_is_waited_for(tmp_path: Path):
    with Owner(tmp_path / "data") as owner:
        owner.step()
        assert owner.process.stdout
        assert owner.process.stdout.readline() == "leaving\n"
        timer = threading.Timer(0.2, owner.step)
        timer.start()
        take(tmp_path / "data")
        timer.join()
        assert owner.process.wait() == 0


def test_a_killed_owner_is_no_owner(tmp_path: Path):
    with Owner(tmp_path / "data") as owner:
        owner.process.send_signal(signal.SIGKILL)
        take(tmp_path / "data")


def test_the_lock_is_not_inherited_by_children(tmp_path: Path):
    with DataFolder(tmp_path).taken(Sleeper()):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        assert not DataFolder(tmp_path).is_taken()
    finally:
        child.kill()
        child.wait()


def test_a_file_in_the_folders_place_is_one_sentence(tmp_path: Path):
    (tmp_path / "data").write_text("")
    with pytest.raises(FolderUnusable) as refused:
        take(tmp_path / "data")
    assert (
        str(refused.value)
        == f"The data folder {tmp_path / 'data'} cannot be used: there is a file of that name."
    )


def test_a_file_above_the_folder_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderUnusable, match="not a directory"):
        take(tmp_path / "file" / "data")


def test_a_folder_below_a_missing_one_is_made_with_it(tmp_path: Path):
    take(tmp_path / "новая папка" / "data")
    assert stat.S_IMODE((tmp_path / "новая папка" / "data").stat().st_mode) == 0o700


def test_what_a_killed_owner_told_is_forgotten(tmp_path: Path):
    folder = DataFolder(tmp_path)
    RunFile(1, "http://127.0.0.1:1", {}, STACK).write(folder.run_file)
    take(tmp_path)
    assert not folder.run_file.exists()


def test_the_run_file_says_what_was_written_and_is_private(tmp_path: Path):
    written = RunFile(os.getpid(), "http://127.0.0.1:8080", {"s3.port": 20000}, STACK)
    written.write(tmp_path / "run.json")
    assert RunFile.read(tmp_path / "run.json") == written
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "run.json").read_text())["s3_secret_key"] == "secret"


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": 1, "url": "x", "ports": {}}', "\x00"])
def test_a_run_file_that_says_something_else_counts_as_none(tmp_path: Path, content: str):
    (tmp_path / "run.json").write_text(content)
    assert RunFile.read(tmp_path / "run.json") is None


def test_secrets_do_not_show_in_a_traceback():
    assert "secret" not in repr(STACK)
    assert "ключ" not in repr(STACK)


def test_a_long_log_is_set_aside_and_a_short_one_continued(tmp_path: Path):
    log = tmp_path / "s3.log"
    log.write_bytes(b"x" * LOG_BYTES)
    os.close(open_log(log))
    assert log.stat().st_size == LOG_BYTES
    with log.open("ab") as file:
        file.write(b"x")
    os.close(open_log(log))
    assert log.stat().st_size == 0
    assert (tmp_path / "s3.log.old").stat().st_size == LOG_BYTES + 1


def test_a_large_disk_needs_more_room_than_seaweedfs_keeps_free():
    assert needed_bytes(10**9) == 200 * 1024**2
    assert 10**12 // 100 < needed_bytes(10**12) < 10**12 // 80
