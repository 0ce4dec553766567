"""A compose project in a fresh copy of the repository."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config

from deploy.engine import CommandFailed, Container, as_root_on_the_host, docker, run
from ports import reserved_ports

ROOT: Final = Path(__file__).parents[2]
NAME: Final = "pigwav-test"
NAMED: Final = ("pigwavdb_container", "pgadmin_container", "minio_container", "apiapp_container")
"""Fixed container names, so an engine can have only one of each."""

PORTS: Final = ("API_PUBLISHED_PORT", "POSTGRES_PORT", "PGADMIN_PORT", "MINIO_PORT", "MINIO_CONSOLE_PORT")
PROFILES: Final = ("apiapp", "only_db", "admin_db")

DATABASE, PGADMIN, MINIO, API = map(Container, NAMED)


@dataclass(frozen=True)
class Project:
    """`settings`: the contents of its .env."""

    folder: Path
    settings: Mapping[str, str]

    def compose(self, *words: object) -> str:
        return docker("compose", "--ansi=never", "-p", NAME, *words, folder=self.folder)

    def up(self, profile: str) -> None:
        """Returns when all services are healthy and one-time services have succeeded."""
        try:
            self.compose("--profile", profile, "up", "-d", "--wait")
        except CommandFailed as failure:
            raise CommandFailed(f"{failure}\n{self._all('logs', '--tail', 30)}") from failure

    def down(self) -> None:
        self._all("down", "--timeout", 60)

    def config(self, profile: str) -> dict[str, Any]:
        return json.loads(self.compose("--profile", profile, "config", "--format", "json"))

    def running(self) -> set[str]:
        """The names of running services."""
        return set(self._all("ps", "--services", "--status", "running").split())

    def states(self) -> dict[str, str]:
        """By service: its health, or "exit CODE" if it has ended."""
        lines = self._all("ps", "-a", "--format", "json").splitlines()
        return {
            state["Service"]: state["Health"] if state["State"] == "running" else f"exit {state['ExitCode']}"
            for state in map(json.loads, lines)
        }

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.settings[port]}"

    def psql(self, sql: str) -> str:
        """Runs psql in the database's container as its user."""
        return DATABASE.run("sh", "-c", 'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -qAtc "$0"', sql)

    def s3(self) -> Any:
        """A boto3 client with the service's own key."""
        return boto3.client(
            "s3",
            endpoint_url=self.url("MINIO_PORT"),
            region_name="us-east-1",
            aws_access_key_id="pigwavservice",
            aws_secret_access_key=self.settings.get("PIGWAV_S3_SECRET_KEY", "pigwav1234"),
            config=Config(s3={"addressing_style": "path"}),
        )

    def _all(self, *words: object) -> str:
        profiles = [word for profile in PROFILES for word in ("--profile", profile)]
        return self.compose(*profiles, *words)


@contextmanager
def clean_project(folder: Path, image: str, **settings: str) -> Iterator[Project]:
    """A project that is not started. At the end, everything is removed, including data."""
    with ExitStack() as cleaning:
        copy_of_the_repository(folder)
        cleaning.callback(as_root_on_the_host, "find", "/it", "-mindepth", 1, "-delete", folder=folder)
        ports = map(str, cleaning.enter_context(reserved_ports(len(PORTS))))
        written = dict(zip(PORTS, ports, strict=True)) | {"APIAPP_IMAGE": image} | settings
        lines = (f"{name}='{value}'\n" for name, value in written.items())
        (folder / ".env").write_text("".join(lines))
        project = Project(folder, written)
        cleaning.callback(project.compose, "down", "--volumes", "--remove-orphans", "--timeout", 10)
        yield project


def copy_of_the_repository(folder: Path) -> None:
    """Copies the files that git tracks or would add."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():  # not deleted in the meantime
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def leftovers() -> str:
    """Containers with our names that other projects have created."""
    run(["docker", "compose", "-p", NAME, "down", "--volumes"])  # left by a killed test run
    names = docker("ps", "-a", "--format", "{{.Names}}").split()
    return ", ".join(name for name in NAMED if name in names)
