"""The Docker engine, controlled by its command line."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from running_up import plain_environment
from waiting import wait_until

HELPER_IMAGE: Final = "postgres:17"
"""The image for small jobs as root: the tests need it anyway."""

HEALTHY_WITHIN_S: Final = 120
_COMMAND_S: Final = 400

_OURS: Final = ("POSTGRES_", "PGADMIN_", "MINIO_", "APIAPP_", "COMPOSE_", "PYTHON_IMAGE")


class CommandFailed(AssertionError):
    """A command failed that must succeed."""


def run(
    command: Sequence[object],
    *,
    folder: Path | None = None,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs a command. `environment`: its only settings of PigWav and the compose file."""
    ours = {name: value for name, value in plain_environment().items() if not name.startswith(_OURS)}
    return subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=ours | dict(environment or {}),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
        check=False,
    )


def docker(*words: object, folder: Path | None = None, stdin: str | None = None) -> str:
    """Runs docker and returns its standard output. Raises CommandFailed."""
    ended = run(["docker", *words], folder=folder, stdin=stdin)
    if ended.returncode:
        raise CommandFailed(f"docker {' '.join(map(str, words))}\n{ended.stdout}{ended.stderr}")
    return ended.stdout.strip()


def inspect(name: str) -> dict[str, Any]:
    return json.loads(docker("inspect", name))[0]


def as_root_on_the_host(*command: object, folder: Path | None = None) -> str:
    """Runs a command in a container with the host's PIDs and `folder` at /it. Needs no root on the host."""
    mount = ["-v", f"{folder}:/it"] if folder else []
    entry, *words = command
    options = ["--rm", "--pid=host", "--privileged", "--network=none", *mount, f"--entrypoint={entry}"]
    return docker("run", *options, HELPER_IMAGE, *words)


@dataclass(frozen=True)
class Container:
    name: str

    @property
    def health(self) -> str:
        state = inspect(self.name)["State"]
        return state["Health"]["Status"] if "Health" in state else state["Status"]

    @property
    def restarts(self) -> int:
        return inspect(self.name)["RestartCount"]

    @property
    def environment(self) -> dict[str, str]:
        pairs = (entry.partition("=") for entry in inspect(self.name)["Config"]["Env"])
        return {name: value for name, _, value in pairs}

    def logs(self) -> str:
        """Standard output and standard error."""
        ended = run(["docker", "logs", self.name])
        return ended.stdout + ended.stderr

    def run(self, *command: object) -> str:
        return docker("exec", self.name, *command)

    def published(self, port: int) -> int:
        """The host's port for this container port."""
        return int(inspect(self.name)["NetworkSettings"]["Ports"][f"{port}/tcp"][0]["HostPort"])

    def kill_main_process(self) -> None:
        """Kills it by its PID on the host, which the engine treats as a crash; `docker kill` would not restart it."""
        before = self.restarts
        as_root_on_the_host("kill", "-9", inspect(self.name)["State"]["Pid"])
        wait_until(lambda: self.restarts > before)

    def until_healthy(self) -> None:
        wait_until(lambda: self.health == "healthy", within_s=HEALTHY_WITHIN_S)

    def stop(self, *, within_s: int = 60) -> int:
        """Sends SIGTERM, and SIGKILL after `within_s`. Returns the exit code."""
        docker("stop", "--time", within_s, self.name)
        return inspect(self.name)["State"]["ExitCode"]


@contextmanager
def running(image: str, *options: object, command: Sequence[str] = ()) -> Iterator[Container]:
    """Like `docker run -d`. Removes the container and its anonymous volumes at the end."""
    made = Container(docker("create", "--label", f"pigwav-test={os.getpid()}", *options, image, *command))
    try:
        docker("start", made.name)
        yield made
    finally:
        docker("rm", "-f", "-v", made.name)


@contextmanager
def volume() -> Iterator[str]:
    name = docker("volume", "create")
    try:
        yield name
    finally:
        docker("volume", "rm", name)
