"""If `pigwav up` cannot start: one sentence on standard error, a non-zero exit status, no process started."""

import json
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from e2e.programs import run_pigwav
from pigwav.devstack.folder import DataFolder
from pigwav.devstack.waiting import Sleeper
from running_up import INSTALLED_HERE, plain_environment, up_command

pytestmark = pytest.mark.usefixtures("embedded")

READS_ALL_WRITES_ITS_OWN = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
    "--securebits=+no_setuid_fixup",  # otherwise access(2), and thus shutil.which, ignores the capability
)
"""An ordinary user who may read all files: root may have installed Python and ffmpeg in its own home (mode 0700)."""


@dataclass(frozen=True)
class Refusal:
    code: int
    sentence: str


def refusal(
    data: Path, *options: str, environment: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
) -> Refusal:
    """`prefix`: a program that starts `pigwav up` in another way."""
    command = up_command(data, *options)
    if prefix:
        ended = subprocess.run(
            [*prefix, *command],
            env=plain_environment(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    else:
        ended = run_pigwav(*command[len(INSTALLED_HERE) :], **(environment or {}))
    assert not ended.stdout
    assert ended.stderr.count("\n") == 1, ended.stderr
    return Refusal(ended.returncode, ended.stderr.removeprefix("pigwav: ").rstrip())


def test_a_taken_port(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = refusal(tmp_path / "data", "--port", str(port))
    assert refused == Refusal(
        1, f"Cannot listen on 127.0.0.1 port {port}: another program uses it; choose another with --port."
    )
    assert not (tmp_path / "data" / "postgres").exists()


def test_an_address_that_is_not_this_machines(tmp_path: Path):
    refused = refusal(tmp_path / "data", "--host", "192.0.2.1", "--port", "0")
    assert refused == Refusal(1, "Cannot listen on 192.0.2.1 port 0: cannot assign requested address.")


def test_a_file_in_the_data_folders_place(tmp_path: Path):
    (tmp_path / "data").touch()
    refused = refusal(tmp_path / "data")
    assert refused == Refusal(
        1, f"The data folder {tmp_path / 'data'} cannot be used: there is a file of that name."
    )


def test_a_folder_that_one_may_not_write_to(tmp_path: Path):
    (tmp_path / "data").mkdir(mode=0o555)
    prefix = as_an_ordinary_user()
    if prefix:
        os.chown(tmp_path / "data", 65534, 65534)
    refused = refusal(tmp_path / "data", prefix=prefix)
    assert refused == Refusal(1, f"The data folder {tmp_path / 'data'} cannot be used: permission denied.")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_that_another_user_prepared_for_root(tmp_path: Path):
    data, victim = tmp_path / "data", tmp_path / "victim"
    data.mkdir()
    victim.write_text("dear")
    (data / "lock").symlink_to(victim)
    with subprocess.Popen(["sleep", "600"]) as unrelated:
        record = {
            "pid": unrelated.pid,
            "arguments": "600",
            "signal": 9,
            "leftovers": [str(victim)],
            "temporary": None,
        }
        (data / "children.json").write_text(json.dumps([record]))
        os.chown(data, 65534, 65534)
        refused = refusal(data)
        assert unrelated.poll() is None
        unrelated.kill()
    assert refused == Refusal(
        1,
        f"The data folder {data} cannot be used: it belongs to nobody, but PigWav runs as root; run PigWav as the "
        f"owner, or, if you trust everything in the folder, run `chown -R 0 {data}`.",
    )
    assert victim.read_text() == "dear"
    assert {path.name for path in data.iterdir()} == {"lock", "children.json"}


def test_a_folder_that_others_may_write_works_after_the_command_in_the_sentence(tmp_path: Path):
    data = tmp_path / "their data"
    data.mkdir()
    data.chmod(0o777)
    refused = refusal(data)
    assert refused.code == 1
    command = refused.sentence.partition("`")[2].partition("`")[0]
    assert command == f"chmod go-w '{data}'"
    subprocess.run(shlex.split(command), check=True)
    with DataFolder(data).taken(Sleeper()):
        pass


def test_an_address_space_that_is_too_small_for_the_s3_server(tmp_path: Path):
    limited = ("sh", "-c", 'ulimit -v 2000000 && exec "$@"', "sh")
    refused = refusal(tmp_path / "data", prefix=limited)
    assert refused == Refusal(
        1,
        "The limit of address space is 2000000 KiB, but the embedded S3 server needs 2621440 KiB: run "
        "`ulimit -v unlimited` before PigWav, or set PIGWAV_DATABASE_URL and PIGWAV_S3_BUCKET to use an external "
        "Postgres and S3 server.",
    )
    assert not (tmp_path / "data" / "children.json").exists()
    started = (" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    assert not [line for line in started if str(tmp_path) in line]


def test_a_folder_that_one_may_not_make(tmp_path: Path):
    (tmp_path / "home").mkdir(mode=0o555)
    refused = refusal(tmp_path / "home" / "data", prefix=as_an_ordinary_user())
    assert refused == Refusal(
        1, f"The data folder {tmp_path / 'home' / 'data'} cannot be used: permission denied."
    )


def as_an_ordinary_user() -> Sequence[str]:
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root needs setpriv to run as another user")
    return READS_ALL_WRITES_ITS_OWN


@pytest.fixture(params=["size=50m", "ro"])
def poor_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A data folder on a disk that is too small, or read-only, and the expected reason."""
    reasons = {"size=50m": "the disk is full (200 MiB must be free)", "ro": "read-only file system"}
    mount = ["mount", "-t", "tmpfs", "-o", request.param, "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a file system for this test")
    yield tmp_path / "data", reasons[request.param]
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_disk_that_takes_nothing(poor_disk: tuple[Path, str]):
    data, reason = poor_disk
    assert refusal(data) == Refusal(1, f"The data folder {data} cannot be used: {reason}.")


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"PIGWAV_DATABASE_URL": "postgresql://u:p@127.0.0.1/d"}, "PIGWAV_S3_BUCKET"),
        ({"POSTGTRES_SQL_URI": "postgresql://u:p@127.0.0.1/d"}, "PIGWAV_S3_BUCKET"),
        (
            {"PIGWAV_S3_BUCKET": "bucket", "PIGWAV_S3_ENDPOINT": "http://127.0.0.1:9000"},
            "PIGWAV_DATABASE_URL",
        ),
        ({"PIGWAV_S3_ENDPOINT": "http://127.0.0.1:9000"}, "PIGWAV_DATABASE_URL and PIGWAV_S3_BUCKET"),
    ],
)
def test_what_is_configured_in_half(tmp_path: Path, environment: Mapping[str, str], missing: str):
    refused = refusal(tmp_path / "data", environment=environment)
    assert refused.code == 1
    assert missing in refused.sentence
    assert not (tmp_path / "data").exists()


EXTERNAL = {"PIGWAV_DATABASE_URL": "postgresql://h/d", "PIGWAV_S3_BUCKET": "bucket"}


@pytest.mark.parametrize(
    ("environment", "wrong"),
    [
        ({"PIGWAV_S3_ACCESS_KEY": "a"}, "PIGWAV_S3_SECRET_KEY"),
        ({"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}, "PIGWAV_S3_ACCESS_KEY"),
        ({"PIGWAV_DATABASE_URL": "mysql://h/d"}, "PIGWAV_DATABASE_URL"),
    ],
)
def test_external_parts_that_no_api_could_open(tmp_path: Path, environment: Mapping[str, str], wrong: str):
    refused = refusal(tmp_path / "data", environment=EXTERNAL | environment)
    assert refused.code == 1
    assert wrong in refused.sentence


def test_an_ffmpeg_that_is_not_there(tmp_path: Path):
    refused = refusal(tmp_path / "data", environment={"PIGWAV_FFMPEG": "/no/such/program"})
    assert refused == Refusal(1, "PIGWAV_FFMPEG is not an executable program: /no/such/program.")
    assert not (tmp_path / "data").exists()


def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path):
    refused = refusal(tmp_path / "data", environment={"PIGWAV_GRACE_S": "soon"})
    assert refused.code == 1
    assert "grace_s" in refused.sentence.lower()


@pytest.mark.long
def test_an_api_that_cannot_start_ends_the_whole(tmp_path: Path):
    ended = subprocess.run(
        up_command(tmp_path / "data"),
        env=plain_environment({"PROMETHEUS_MULTIPROC_DIR": "/no/such/folder"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(
        "pigwav: The API ended with exit code 1: see its messages above"
    )
    assert not ended.stdout
    assert not (tmp_path / "data" / "children.json").exists()
