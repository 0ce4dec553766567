"""A data folder that another user prepared, can change or can replace: nothing of theirs is followed or obeyed."""

import json
import os
import stat
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pigwav.devstack import running
from pigwav.devstack.folder import DataFolder, open_log
from pigwav.devstack.ownership import make_private_folder
from pigwav.devstack.postgres import Postgres
from pigwav.devstack.processes import start_of
from pigwav.devstack.stack import watching
from pigwav.devstack.waiting import Sleeper
from pigwav.errors import FolderUnusable

ANOTHER = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")


def take(path: Path) -> None:
    """What `pigwav up` does before it starts anything."""
    with watching(DataFolder(path), Sleeper()):
        pass


def given_away(path: Path) -> Path:
    os.chown(path, ANOTHER, ANOTHER, follow_symlinks=False)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An empty data folder of ours."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file outside the data folder that must stay as it is."""
    path = tmp_path / "outside" / "victim"
    path.parent.mkdir()
    path.write_text('["dear"]')
    return path


@pytest.mark.parametrize("name", ["lock", "children.json"])
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_link_in_a_files_place_is_refused_and_its_target_stays(
    data: Path, victim: Path, name: str, link: Callable[[Path, Path], None]
):
    link(data / name, victim)
    with pytest.raises(
        FolderUnusable, match=rf"^The file {data / name} cannot be used: .*`rm {data / name}`\.$"
    ):
        take(data)
    assert victim.read_text() == '["dear"]'


def test_a_pipe_in_a_files_place_is_refused_without_waiting_for_its_other_end(data: Path):
    os.mkfifo(data / "children.json")
    with pytest.raises(FolderUnusable, match="is not a plain file"):
        take(data)


def test_a_link_in_a_logs_place_is_refused(data: Path, victim: Path):
    (data / "s3.log").symlink_to(victim)
    with pytest.raises(FolderUnusable, match="is a link"):
        open_log(data / "s3.log")


@needs_root
def test_a_file_of_another_user_is_refused(data: Path):
    (data / "lock").touch()
    given_away(data / "lock")
    with pytest.raises(FolderUnusable, match="belongs to nobody"):
        take(data)


def record_of(pid: int, **more: object) -> str:
    entry = {"pid": pid, "arguments": "600", "signal": 9, "leftovers": [], "temporary": None}
    return json.dumps([entry | more])


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="as a former release wrote it"),
        pytest.param({"started": None}, id="no start"),
        pytest.param({"started": start_of(os.getpid())}, id="the start of another process"),
    ],
)
def test_a_process_that_the_record_does_not_prove_to_be_ours_lives(data: Path, more: dict[str, object]):
    with subprocess.Popen(["sleep", "600"]) as unrelated:
        (data / "children.json").write_text(record_of(unrelated.pid, **more))
        take(data)
        assert unrelated.poll() is None
        unrelated.kill()


@needs_root
def test_a_process_of_another_user_lives(data: Path):
    with subprocess.Popen(["sleep", "600"], user=1234) as theirs:
        (data / "children.json").write_text(record_of(theirs.pid, started=start_of(theirs.pid)))
        take(data)
        assert theirs.poll() is None
        theirs.kill()


def test_only_leftovers_in_the_folder_are_removed(data: Path, victim: Path):
    (data / "socket").touch()
    (data / "way").symlink_to(victim.parent)
    empty = victim.parent / "empty"
    empty.mkdir()
    leftovers = [data / "socket", victim, data / "way" / "victim", data / ".." / "outside" / "victim"]
    (data / "children.json").write_text(
        record_of(0, leftovers=[str(path) for path in leftovers], temporary=str(empty))
    )
    take(data)
    assert not (data / "socket").exists()
    assert victim.exists()
    assert empty.exists()


def test_a_plain_file_with_the_name_of_a_socket_is_not_removed(data: Path):
    path = Path("/tmp/seaweedfs-filer-grpc-1.sock")
    path.touch()
    try:
        (data / "children.json").write_text(record_of(0, leftovers=[str(path)]))
        take(data)
        assert path.exists()
    finally:
        path.unlink(missing_ok=True)


@needs_root
def test_a_folder_of_another_user_is_refused_and_left_as_it_was(data: Path):
    given_away(data)
    with pytest.raises(
        FolderUnusable, match=rf"belongs to nobody, but PigWav runs as root.*`chown -R 0 {data}`\.$"
    ):
        take(data)
    assert not list(data.iterdir())


@needs_root
@pytest.mark.parametrize("name", ["logs", "s3"])
def test_an_inner_folder_of_another_user_is_refused(data: Path, name: str):
    (data / name).mkdir()
    given_away(data / name)
    with pytest.raises(
        FolderUnusable, match=f"^The folder {data / name} cannot be used: it belongs to nobody"
    ):
        take(data)


@needs_root
@pytest.mark.usefixtures("embedded")
def test_postgres_is_not_run_as_the_other_user_whose_cluster_is_there(data: Path):
    (data / "postgres").mkdir(mode=0o700)
    os.chown(data / "postgres", 1234, 1234)
    with pytest.raises(FolderUnusable, match="it belongs to user id 1234"):
        Postgres(DataFolder(data), connections=10)


@pytest.mark.parametrize("mode", [0o777, 0o702, 0o1777])
def test_a_folder_that_everybody_may_write_is_refused(data: Path, mode: int):
    data.chmod(mode)
    with pytest.raises(FolderUnusable, match=rf"other users may write to it.*`chmod go-w {data}`\.$"):
        take(data)
    assert not list(data.iterdir())


@needs_root
def test_a_folder_that_a_group_may_write_is_refused_unless_it_is_the_users_own(data: Path):
    data.chmod(0o770)
    take(data)
    os.chown(data, -1, 4321)
    with pytest.raises(FolderUnusable, match="other users may write to it"):
        take(data)


@needs_root
def test_a_folder_that_an_access_control_list_opens_is_refused(data: Path):
    owner, user, group, mask, other = 0x01, 0x02, 0x04, 0x10, 0x20
    entries = ((owner, 7, -1), (user, 7, ANOTHER), (group, 5, -1), (mask, 7, -1), (other, 0, -1))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(data, "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("this file system has no access control lists")
    with pytest.raises(FolderUnusable, match="other users may write to it"):
        take(data)


def test_a_folder_that_others_can_replace_is_refused_unless_the_sticky_bit_forbids_it(data: Path):
    data.parent.chmod(0o777)
    with pytest.raises(
        FolderUnusable, match=rf"other users may write to {data.parent}, .*`chmod \+t {data.parent}`"
    ):
        take(data)
    data.parent.chmod(0o1777)
    take(data)


@needs_root
@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_in_another_users_folder_is_refused_and_nothing_is_made_there(
    tmp_path: Path, *, exists: bool
):
    home = tmp_path / "home"
    home.mkdir()
    if exists:
        (home / "data").mkdir(mode=0o700)
    given_away(home)
    with pytest.raises(FolderUnusable, match=f"{home} on the way to it belongs to nobody"):
        take(home / "data")
    assert not list(home.glob("data/*"))
    assert (home / "data").exists() == exists


def test_a_link_of_ours_leads_to_the_folder(data: Path, tmp_path: Path):
    (tmp_path / "first").symlink_to("second")
    (tmp_path / "second").symlink_to(data)
    take(tmp_path / "first")
    assert (data / "lock").exists()


@needs_root
def test_a_link_of_another_user_is_refused(data: Path, tmp_path: Path):
    tmp_path.chmod(0o1777)
    link = tmp_path / "link"
    link.symlink_to(data)
    given_away(link)
    with pytest.raises(FolderUnusable, match=f"{link} on the way to it belongs to nobody"):
        take(link)
    assert not list(data.iterdir())


def test_nothing_is_made_behind_a_link_to_a_disk_that_is_not_mounted(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "data")
    with pytest.raises(FolderUnusable, match="no such file or directory"):
        take(tmp_path / "link")
    assert not (tmp_path / "disk").exists()


def test_links_that_lead_in_a_circle_are_one_sentence(tmp_path: Path):
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(FolderUnusable, match="too many levels of symbolic links"):
        take(tmp_path / "link")


def test_new_folders_are_private_whatever_the_umask(tmp_path: Path):
    before = os.umask(0)
    try:
        make_private_folder(tmp_path / "new" / ".." / "new" / "data")
    finally:
        os.umask(before)
    for folder in (tmp_path / "new", tmp_path / "new" / "data"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@needs_root
def test_addresses_that_another_user_wrote_are_not_used(data: Path):
    (data / "lock").touch()
    (data / "run.json").write_text("{}")
    given_away(data)
    with pytest.raises(FolderUnusable, match="it belongs to nobody"):
        running(data)
