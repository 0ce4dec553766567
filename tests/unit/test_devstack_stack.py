"""The embedded Postgres and S3 server: access control, any folder, recovery after any end."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import boto3
import psutil
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from databases import as_owner
from longer import long
from pigwav.db.engine import open_engine
from pigwav.db.migrate import upgrade
from pigwav.devstack import StackAddress, running, stack_for
from pigwav.devstack.database_preparation import make_database
from pigwav.devstack.folder import DataFolder
from pigwav.devstack.postgres import Postgres
from pigwav.devstack.restarts import Restarts
from pigwav.devstack.seaweed import SeaweedFS
from pigwav.devstack.stack import Stack, watching
from pigwav.devstack.waiting import Sleeper
from pigwav.errors import FolderInUse
from pigwav.provisioning.service_role import ServiceRole
from pigwav.provisioning.steps import State
from ports import PORTS
from running_up import gone

pytestmark = pytest.mark.usefixtures("embedded")

CHILDREN = ("weed", "postgres")


def ask(url: str, statement: str) -> object:
    engine = open_engine(url)
    try:
        with engine.begin() as connection:
            answer = connection.execute(text(statement))
            return answer.scalar() if answer.returns_rows else None
    finally:
        engine.dispose()


def s3_client(address: StackAddress, **config: object):
    return boto3.client(
        "s3",
        endpoint_url=address.s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id=address.s3_access_key,
        aws_secret_access_key=address.s3_secret_key,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, **config),
    )


@pytest.fixture
def s3(stack: StackAddress) -> Iterator:
    client = s3_client(stack)
    yield client
    client.close()


def refusal(call, **arguments: object) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.name() in CHILDREN]


def test_nothing_listens_beyond_this_machine(stack: StackAddress):
    listening = [
        (child.name(), at.laddr)
        for child in children()
        for at in child.net_connections("inet")
        if at.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for _, address in listening} == {"127.0.0.1"}
    assert {name for name, _ in listening} == {"weed"}, "Postgres listens on no network"


def test_only_we_may_enter_the_folder_of_the_databases_socket(stack: StackAddress):
    folder = Path(stack.database_url.partition("host=")[2].partition("&")[0])
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / ".s.PGSQL.5432").is_socket()


def test_the_database_has_its_owner_the_service_and_no_extension_to_attack(stack: StackAddress):
    roles = (
        "SELECT array_agg(rolname::text || ' ' || rolsuper ORDER BY rolname) FROM pg_roles WHERE rolcanlogin"
    )
    extensions = "SELECT array_agg(extname::text) FROM pg_extension"
    assert ask(stack.database_url, roles) == ["pigwav true", "pigwav_service false"]
    assert ask(stack.database_url, extensions) == ["plpgsql"]
    assert ask(stack.database_url, "SELECT session_user") == "pigwav_service"


def test_the_services_role_can_do_its_work_and_nothing_else(stack: StackAddress):
    steps = list(ServiceRole(as_owner(stack.database_url), stack.database_url).run())
    assert {step.state for step in steps} == {State.KEPT, State.PROVEN}


def test_a_data_folder_of_a_former_release_gets_the_services_role(tmp_path: Path):
    with postgres_on(tmp_path / "data") as owner_url:
        upgrade(owner_url)
        ask(owner_url, "INSERT INTO users (name, token_sha256) VALUES ('anna', sha256('a'))")
    with stack_for(tmp_path / "data", ports=PORTS) as address:
        assert ask(address.database_url, "SELECT name FROM users") == "anna"
        with pytest.raises(ProgrammingError, match="permission denied for schema public"):
            ask(address.database_url, "CREATE TABLE mine (n int)")


def test_unauthenticated_clients_may_do_nothing_with_the_bucket(stack: StackAddress, s3):
    s3.put_object(Bucket=stack.s3_bucket, Key="anonymous", Body=b"x")
    anonymous = s3_client(stack, signature_version=UNSIGNED)
    try:
        assert refusal(anonymous.list_objects_v2, Bucket=stack.s3_bucket) == "AccessDenied"
        assert refusal(anonymous.get_object, Bucket=stack.s3_bucket, Key="anonymous") == "AccessDenied"
        assert (
            refusal(anonymous.put_object, Bucket=stack.s3_bucket, Key="anonymous", Body=b"") == "AccessDenied"
        )
        assert refusal(anonymous.delete_object, Bucket=stack.s3_bucket, Key="anonymous") == "AccessDenied"
    finally:
        anonymous.close()
    s3.delete_object(Bucket=stack.s3_bucket, Key="anonymous")


def test_the_services_key_may_nothing_but_use_its_bucket(stack: StackAddress, s3):
    assert refusal(s3.create_bucket, Bucket="another") == "AccessDenied"
    assert refusal(s3.delete_bucket, Bucket=stack.s3_bucket) == "AccessDenied"
    assert refusal(s3.put_bucket_policy, Bucket=stack.s3_bucket, Policy="{}") == "AccessDenied"


def test_no_unsigned_request_reaches_the_bytes_by_the_other_ports(stack: StackAddress, s3):
    """SeaweedFS's defaults: GET /col/delete on the master's port deletes all objects; the filer's port serves them."""
    s3.put_object(Bucket=stack.s3_bucket, Key="kept", Body=b"precious")
    (weed,) = (child for child in children() if child.name() == "weed")
    for connection in weed.net_connections("inet"):
        if connection.status == psutil.CONN_LISTEN:
            for path in (f"/col/delete?collection={stack.s3_bucket}", f"/buckets/{stack.s3_bucket}/kept"):
                assert b"precious" not in http_get(connection.laddr.port, path)
    assert s3.get_object(Bucket=stack.s3_bucket, Key="kept")["Body"].read() == b"precious"
    s3.delete_object(Bucket=stack.s3_bucket, Key="kept")


def http_get(port: int, path: str) -> bytes:
    """Uses a raw socket, because half of the ports speak gRPC."""
    asked = subprocess.run(
        ["curl", "-s", "--max-time", "5", f"http://127.0.0.1:{port}{path}"], capture_output=True, check=False
    )
    return asked.stdout


def test_the_bucket_begins_empty_and_its_keys_are_new_in_every_run_and_private(tmp_path: Path):
    with stack_for(tmp_path / "data", ports=PORTS) as first:
        client = s3_client(first)
        assert client.list_objects_v2(Bucket=first.s3_bucket)["KeyCount"] == 0, (
            "the readiness check leaves an object"
        )
        client.close()
        held = [
            path
            for path in (tmp_path / "data").rglob("*")
            if path.is_file() and first.s3_secret_key.encode() in path.read_bytes()
        ]
        assert all(path.stat().st_mode & 0o077 == 0 for path in held)
        environments = [" ".join(child.cmdline()) for child in children()]
        assert not any(first.s3_secret_key in line for line in environments), "other users can read arguments"
    with stack_for(tmp_path / "data", ports=PORTS) as second:
        assert second.s3_secret_key != first.s3_secret_key
    assert not any(first.s3_secret_key.encode() in path.read_bytes() for path in files(tmp_path))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "name", ["запятая, %20 и 'q\"", *long("plain", "/".join(["too long for a Unix socket"] * 6))]
)
def test_any_folder_will_do(name: str):
    with tempfile.TemporaryDirectory(prefix="p-", dir="/tmp") as short:  # others may have long paths
        with stack_for(Path(short) / name, ports=PORTS) as address:
            assert ask(address.database_url, "SELECT count(*) FROM users") == 0
            client = s3_client(address)
            client.put_object(Bucket=address.s3_bucket, Key="a", Body=b"1")
            client.close()
        sockets = Path(address.database_url.partition("host=")[2].partition("&")[0])
        assert sockets.is_relative_to(short) == (name == "plain")
        assert sockets.exists() == (name == "plain"), "a folder is left in the temporary folder"


def test_stopping_leaves_no_process_and_no_socket(tmp_path: Path):
    with stack_for(tmp_path / "data", ports=PORTS) as address:
        before = children()
        port = address.s3_endpoint.rpartition(":")[2]
        (weed,) = (child for child in before if port in " ".join(child.cmdline()))
        sockets = [path for at in weed.net_connections("unix") if (path := Path(at.laddr or "/")).is_socket()]
        assert sockets
    assert not weed.is_running()
    assert not [path for path in sockets if path.exists()]
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_socket()]
    assert not (tmp_path / "data" / "children.json").exists()


def test_two_on_one_folder_is_refused(tmp_path: Path):
    with stack_for(tmp_path / "data", ports=PORTS), pytest.raises(FolderInUse):  # noqa: SIM117 - the second must fail
        with stack_for(tmp_path / "data", ports=PORTS):
            pass


def test_without_an_up_nothing_is_running(tmp_path: Path):
    assert running(tmp_path / "data") is None
    with stack_for(tmp_path / "data", ports=PORTS):
        pass
    assert running(tmp_path / "data") is None


def test_servers_that_are_killed_come_back_with_the_same_address_and_all_that_was_acknowledged(
    tmp_path: Path,
):
    folder = DataFolder(tmp_path / "data")
    with watching(folder, Sleeper()) as watch:
        stack = Stack(folder, ports=PORTS)
        stack.start(watch)
        stack.wait(watch)
        client = s3_client(stack.address)
        ask(stack.address.database_url, f"INSERT INTO job_leases VALUES ('kept', '{uuid4()}', now())")
        client.put_object(Bucket="pigwav", Key="kept", Body=b"7")
        for child in our(folder):
            child.send_signal(signal.SIGKILL)
            assert gone([child], within_s=30)
        watch.until(lambda: answers(stack.address), what="Postgres", within_s=60)
        stack.wait(watch)
        assert ask(stack.address.database_url, "SELECT job FROM job_leases") == "kept"
        assert client.get_object(Bucket="pigwav", Key="kept")["Body"].read() == b"7"
        client.close()


def our(folder: DataFolder) -> list[psutil.Process]:
    """Our direct child processes whose working directory is in this folder."""
    return [child for child in children() if Path(child.cwd()).is_relative_to(folder.path)]


def answers(address: StackAddress) -> bool:
    try:
        return ask(address.database_url, "SELECT 1") == 1
    except Exception:  # noqa: BLE001 - any error of a database in recovery
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_dead_postmaster_that_nobody_reaped_is_no_obstacle(tmp_path: Path):
    """If PID 1 does not reap, a killed postmaster stays a zombie, and Postgres believes that it runs."""
    pid_file = tmp_path / "data" / "postgres" / "postmaster.pid"
    with postgres_on(tmp_path / "data"):
        lines = pid_file.read_text().splitlines()
    with subprocess.Popen(["true"]) as zombie:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        pid_file.write_text("\n".join([str(zombie.pid), *lines[1:]]) + "\n")
        with postgres_on(tmp_path / "data") as url:
            assert ask(url, "SELECT 1") == 1


def test_a_half_made_cluster_is_made_again(tmp_path: Path):
    half_made = tmp_path / "data" / "postgres.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    with postgres_on(tmp_path / "data") as url:
        assert ask(url, "SELECT 1") == 1


@contextmanager
def postgres_on(path: Path) -> Iterator[str]:
    folder = DataFolder(path)
    with watching(folder, Sleeper()) as watch:
        postgres = Postgres(folder, connections=20)
        postgres.initialise(watch)
        watch.start(postgres.child)
        watch.until(postgres.is_ready, what="Postgres", within_s=60)
        make_database(postgres.postgres_url)
        yield postgres.owner_url


def test_a_start_whose_ports_are_all_taken_uses_others(tmp_path: Path):
    folder = DataFolder(tmp_path / "data")
    with watching(folder, Sleeper()) as watch, ExitStack() as foreign:
        seaweed = SeaweedFS(folder, candidates=PORTS)
        before = seaweed.ports
        for port in before.values():
            foreign.enter_context(socket.create_server(("127.0.0.1", port)))
        watch.start(seaweed.child)
        watch.until(seaweed.is_ready, what="SeaweedFS", within_s=60)
        assert not {*before.values()} & {*seaweed.ports.values()}
        assert listened_on(seaweed) == {*seaweed.ports.values()}


@pytest.mark.parametrize("name", ["admin.port", *long("volume.port", "filer.port.grpc")])
def test_a_port_that_is_lost_while_seaweedfs_starts_is_replaced_and_the_others_stay(
    tmp_path: Path, name: str
):
    """SeaweedFS checks all ports at its start and binds each one later; another program takes one in between."""
    folder = DataFolder(tmp_path / "data")
    with watching(folder, Sleeper()) as watch:
        seaweed = SeaweedFS(folder, candidates=PORTS)
        before = seaweed.ports
        with bound(before[name]) as foreign:
            watch.start(seaweed.child, restarts=Restarts(max_restarts=100))
            watch.until(lambda: has_lost(seaweed, folder.log("s3"), foreign), what="its look", within_s=60)
            watch.until(seaweed.is_ready, what="SeaweedFS", within_s=60)
        assert {port for port in before if before[port] != seaweed.ports[port]} == {name}
        assert listened_on(seaweed) == {*seaweed.ports.values()}


def has_lost(seaweed: SeaweedFS, log: Path, foreign: socket.socket) -> bool:
    """Whether `foreign` got the port after SeaweedFS checked it. If SeaweedFS was faster, kills it for another try."""
    if "current: " not in log.read_text():
        return False
    try:
        foreign.listen()
    except OSError:
        os.truncate(log, 0)
        os.kill(seaweed.child.pid, signal.SIGKILL)
        return False
    return True


def bound(port: int) -> socket.socket:
    """A bound socket. With SO_REUSEADDR, others can still listen on the port until this socket listens."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def listened_on(seaweed: SeaweedFS) -> set[int]:
    connections = psutil.Process(seaweed.child.pid).net_connections("tcp")
    return {at.laddr.port for at in connections if at.status == psutil.CONN_LISTEN}


def test_a_temporary_folder_with_a_long_path_will_do(tmp_path: Path):
    temporary = tmp_path / ("long" * 30)
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", OPENED, str(temporary / "data")],
        env=os.environ | {"TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "ok\n", done.stderr
    assert [entry.name for entry in temporary.iterdir()] == ["data"]


OPENED = """
import pathlib, sys
from pigwav.devstack import stack_for
with stack_for(pathlib.Path(sys.argv[1])):
    print("ok")
"""


def test_settings_of_the_surroundings_do_not_reach_the_servers(tmp_path: Path):
    misleading = {
        "PGPORT": "1",
        "PGDATA": "/nowhere",
        "PGHOST": "nowhere.invalid",
        "AWS_ACCESS_KEY_ID": "admin",
        "AWS_SECRET_ACCESS_KEY": "admin",
        "S3_BUCKET": "another",
        "LANG": "ru_RU.UTF-8",
        "http_proxy": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-c", OPENED, str(tmp_path / "data")],
        env=os.environ | misleading,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "ok\n", done.stderr
