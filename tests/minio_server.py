"""A real MinIO server that is started from its program, with settings for tests."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx2
from pydantic import SecretStr

from needs import skip_or_fail
from pigwav.provisioning.provision import Provision
from pigwav.settings import ProvisionSettings, StoreSettings
from ports import reserved_ports
from running_up import plain_environment
from waiting import wait_until

ROOT_KEY, ROOT_SECRET = "root-of-minio", "root-of-minio-secret"


@dataclass(frozen=True)
class MinioServer:
    endpoint: str
    console: str
    log: Path

    @property
    def operator(self) -> ProvisionSettings:
        return ProvisionSettings(access_key=ROOT_KEY, secret_key=SecretStr(ROOT_SECRET))

    def unprovisioned(self) -> StoreSettings:
        """Settings with a unique bucket and key that do not exist yet."""
        name = f"pigwav-{uuid4().hex[:8]}"
        return StoreSettings(
            endpoint=self.endpoint, bucket=name, access_key=name, secret_key=SecretStr("service-secret")
        )

    def provisioned(self) -> StoreSettings:
        """A new bucket, and a key with access only to it."""
        settings = self.unprovisioned()
        steps = [*Provision(settings, self.operator).run()]
        assert not [step for step in steps if step.state == "WRONG"]
        return settings


def minio_program() -> str:
    """The path in PIGWAV_MINIO, otherwise `minio` on the PATH."""
    found = os.environ.get("PIGWAV_MINIO") or shutil.which("minio")
    return found or skip_or_fail("minio", "there is no `minio` program on the PATH or in PIGWAV_MINIO")


@contextmanager
def serving_minio(program: str, folder: Path) -> Iterator[MinioServer]:
    with reserved_ports(2) as ports:
        yield from _serving(program, folder, *(f"127.0.0.1:{port}" for port in ports))


def _serving(program: str, folder: Path, address: str, console: str) -> Iterator[MinioServer]:
    server = MinioServer(f"http://{address}", f"http://{console}", folder / "minio.log")
    command = [program, "server", str(folder / "data"), "--address", address, "--console-address", console]
    root = {"MINIO_ROOT_USER": ROOT_KEY, "MINIO_ROOT_PASSWORD": ROOT_SECRET, "HOME": str(folder)}
    with (
        server.log.open("w") as log,
        subprocess.Popen(command, env=plain_environment(root), stdout=log, stderr=log) as process,
    ):
        try:
            wait_until(lambda: process.poll() is not None or _is_ready(server.endpoint))
            assert process.poll() is None, server.log.read_text()
            yield server
        finally:
            process.kill()


def _is_ready(endpoint: str) -> bool:
    try:
        return httpx2.get(f"{endpoint}/minio/health/ready").status_code == 200
    except httpx2.TransportError:
        return False
