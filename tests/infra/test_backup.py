"""Runs the operator's guide: back up database and bucket, lose both, restore."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import uuid4

import boto3
import httpx2
import pytest
from pydantic import SecretStr

from accounts import Account, register
from databases import as_owner, empty_database, fresh_database, url_with
from e2e.programs import NOTHING_WRONG, doctor
from minio_server import ROOT_KEY, ROOT_SECRET, MinioServer
from needs import skip_or_fail
from pigwav.devstack import StackAddress
from pigwav.devstack.postgres import SERVICE
from pigwav.embedded import embedded_postgres
from pigwav.settings import DatabaseSettings, Settings, StoreSettings
from running_up import plain_environment
from serving import served

GUIDE: Final = Path(__file__).parents[2] / "infra" / "README.md"


def commands(heading: str) -> list[str]:
    """The lines of the first code block under this heading."""
    section = GUIDE.read_text().partition(f"\n### {heading}\n")[2]
    block = re.search(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert block, heading
    return block[1].splitlines()


@dataclass(frozen=True)
class Place:
    """A database for the service's role, and a bucket for the service's key."""

    database_url: str
    store: StoreSettings

    def environment(self) -> dict[str, str]:
        secret = self.store.secret_key
        assert secret
        return {
            "PIGWAV_DATABASE_URL": self.database_url,
            "PIGWAV_S3_ENDPOINT": str(self.store.endpoint),
            "PIGWAV_S3_BUCKET": str(self.store.bucket),
            "PIGWAV_S3_ACCESS_KEY": str(self.store.access_key),
            "PIGWAV_S3_SECRET_KEY": secret.get_secret_value(),
        }

    def settings(self) -> Settings:
        return Settings(database=DatabaseSettings(url=SecretStr(self.database_url)), store=self.store)


@dataclass(frozen=True)
class Operator:
    """Runs the guide's commands in an empty folder."""

    minio: MinioServer
    folder: Path
    bucket: str

    def run(self, lines: list[str], place: Place) -> None:
        key, secret = place.environment()["PIGWAV_S3_ACCESS_KEY"], place.environment()["PIGWAV_S3_SECRET_KEY"]
        environment = place.environment() | {
            "PATH": os.pathsep.join((*map(str, _programs()), os.environ["PATH"])),
            "HOME": str(self.folder),
            "MC_HOST_pigwav": _mc_host(self.minio, key, secret),
            "MC_HOST_backup": _mc_host(self.minio, ROOT_KEY, ROOT_SECRET),
            "BACKUP_BUCKET": self.bucket,
            "PIGWAV_MIGRATE_DATABASE_URL": as_owner(place.database_url),
            "PIGWAV_PROVISION_ACCESS_KEY": ROOT_KEY,
            "PIGWAV_PROVISION_SECRET_KEY": ROOT_SECRET,
        }
        for line in lines:
            ended = subprocess.run(
                ["bash", "-euc", line],
                cwd=self.folder,
                env=plain_environment() | environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, (line, ended.stdout, ended.stderr)


def _mc_host(minio: MinioServer, key: str, secret: str) -> str:
    return f"http://{key}:{quote(secret, safe='')}@{urlsplit(minio.endpoint).netloc}"


def _programs() -> list[Path]:
    """The folders of `mc`, of Postgres's tools (at least the server's version), and of `pigwav`."""
    mc = os.environ.get("PIGWAV_MC") or shutil.which("mc") or _beside_minio()
    tools = embedded_postgres()
    assert tools
    return [Path(mc).parent, tools, Path(sys.executable).parent]


def _beside_minio() -> str:
    beside = Path(os.environ.get("PIGWAV_MINIO", "")).parent / "mc"
    return (
        str(beside)
        if beside.is_file()
        else skip_or_fail("minio", "there is no `mc` on the PATH or in PIGWAV_MC")
    )


@pytest.fixture
def operator(minio: MinioServer, tmp_path: Path) -> Operator:
    """An operator with a bucket for the backup."""
    bucket = f"backup-{uuid4().hex[:8]}"
    s3(minio).create_bucket(Bucket=bucket)
    return Operator(minio, tmp_path, bucket)


@pytest.fixture
def lost(stack: StackAddress, minio: MinioServer) -> Place:
    """Database and bucket before the loss."""
    return Place(fresh_database(stack.database_url), minio.provisioned())


@pytest.fixture
def new(stack: StackAddress, minio: MinioServer) -> Place:
    """An empty database, and a bucket that does not exist yet."""
    url = url_with(empty_database(stack.database_url), username=SERVICE)
    return Place(url, minio.unprovisioned())


def s3(minio: MinioServer) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=minio.endpoint,
        region_name="us-east-1",
        aws_access_key_id=ROOT_KEY,
        aws_secret_access_key=ROOT_SECRET,
    )


def plays(base: str, recording: dict) -> bool:
    link = urlsplit(recording["url"])
    answer = httpx2.get(f"{base}{link.path}?{link.query}", timeout=30)
    return answer.status_code == 200 and len(answer.content) == recording["bytes"]


def heads(minio: MinioServer, bucket: str | None, recordings: list[dict]) -> list[dict[str, Any]]:
    """HEAD of each recording's object."""
    client = s3(minio)
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]
    found = [
        client.head_object(Bucket=bucket, Key=key) for one in recordings for key in keys if one["id"] in key
    ]
    assert len(found) == len(recordings)
    compared = ("ContentType", "ContentDisposition", "ContentLength", "Metadata")
    return [{name: head.get(name) for name in compared} for head in found]


def test_what_was_backed_up_plays_after_the_loss_of_database_and_bucket(
    operator: Operator, lost: Place, new: Place, minio: MinioServer
) -> None:
    dump, mirror = commands("Back up")
    with served(lost.settings()) as api, httpx2.Client(base_url=api.url, timeout=30) as http:
        owner = register(http)
        kept = [owner.recording(title=f"Запись {n}") for n in range(3)]
        operator.run([dump], lost)
        late = owner.recording()  # the service still runs during the backup
        operator.run([mirror], lost)

    *restore, last = commands("Restore")
    assert last == "pigwav doctor"
    operator.run(restore, new)

    code, findings = doctor(operator.folder, **new.environment())
    assert findings.pop("checked") == len(kept)
    [orphan] = findings.pop("orphans")
    assert (code, late["id"] in orphan) == (1, True)
    assert findings == {name: keys for name, keys in NOTHING_WRONG.items() if name != "orphans"}
    with served(new.settings()) as api, httpx2.Client(base_url=api.url, timeout=30) as http:
        assert all(plays(api.url, recording) for recording in kept)
        again = Account(http, owner.id, owner.token)
        assert again.recording()["id"] not in {one["id"] for one in kept}
        assert register(http).id != owner.id
    assert heads(minio, new.store.bucket, kept) == heads(minio, lost.store.bucket, kept)


def test_a_copy_of_the_bucket_made_before_the_dump_would_lose_a_link(
    operator: Operator, lost: Place, new: Place
) -> None:
    """The reason for the order in the guide."""
    dump, mirror = commands("Back up")
    with served(lost.settings()) as api, httpx2.Client(base_url=api.url, timeout=30) as http:
        owner = register(http)
        owner.recording()
        operator.run([mirror], lost)
        owner.recording()
        operator.run([dump], lost)

    operator.run(commands("Restore")[:-1], new)

    _, findings = doctor(operator.folder, **new.environment())
    assert len(findings["missing"]) == 1
