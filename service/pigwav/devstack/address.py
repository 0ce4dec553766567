"""The addresses of the embedded stack, and the run file in which other commands find them."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pigwav.devstack.ownership import read_private
from pigwav.private_json import write_private_json

if TYPE_CHECKING:
    from pigwav.settings import StoreSettings

REGION: Final = "us-east-1"
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True)
class StackAddress:
    """The database and object store of one run. `database_url` names the service's role, and a Unix socket in a folder
    that only our user may enter.
    """

    database_url: str
    s3_endpoint: str
    s3_bucket: str
    s3_access_key: str = field(repr=False)
    s3_secret_key: str = field(repr=False)

    def store_settings(self) -> "StoreSettings":
        from pydantic import SecretStr  # noqa: PLC0415 - the supervisor does not need it

        from pigwav.settings import StoreSettings  # noqa: PLC0415

        return StoreSettings(
            endpoint=self.s3_endpoint,
            region=REGION,
            bucket=self.s3_bucket,
            access_key=self.s3_access_key,
            secret_key=SecretStr(self.s3_secret_key),
        )

    def environment(self) -> dict[str, str]:
        """The settings of a service that uses this stack."""
        return {
            "PIGWAV_DATABASE_URL": self.database_url,
            "PIGWAV_S3_ENDPOINT": self.s3_endpoint,
            "PIGWAV_S3_REGION": REGION,
            "PIGWAV_S3_BUCKET": self.s3_bucket,
            "PIGWAV_S3_ACCESS_KEY": self.s3_access_key,
            "PIGWAV_S3_SECRET_KEY": self.s3_secret_key,
            **no_proxy_environment(),
        }


def no_proxy_environment() -> dict[str, str]:
    """Environment variables that exclude 127.0.0.1 from http_proxy: to a proxy, that address means the proxy itself."""
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    hosts = [host for host in (excepted or "").split(",") if host and host != LOOPBACK]
    value = ",".join([*hosts, LOOPBACK])
    return {"no_proxy": value, "NO_PROXY": value}


@dataclass(frozen=True)
class RunFile:
    """What other commands need to know about a running `up`. Every run has new S3 keys."""

    pid: int
    url: str
    ports: Mapping[str, int]
    stack: StackAddress

    def write(self, path: Path) -> None:
        """Mode 0600. Raises OSError."""
        write_private_json(
            path, {"pid": self.pid, "url": self.url, "ports": dict(self.ports), **asdict(self.stack)}
        )

    @classmethod
    def read(cls, path: Path) -> "RunFile | None":
        """None if there is no run file, or if another release wrote it in another format.

        Raises FolderUnusable if the file is not ours.
        """
        try:
            content: dict[str, Any] = json.loads(read_private(path))
            pid, url, ports = (content.pop(name) for name in ("pid", "url", "ports"))
            return cls(pid, url, ports, StackAddress(**content))
        except (OSError, ValueError, KeyError, TypeError):
            return None
