"""Fixtures: the Docker engine, the image, compose projects. Everything is removed at the end."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from accounts import Account, register
from deploy.engine import CommandFailed, docker, run
from deploy.project import ROOT, Project, clean_project, copy_of_the_repository, leftovers
from needs import skip_or_fail, skip_unless_required

IMAGES = (
    "python:3.13-slim-trixie",
    "postgres:17",
    "dpage/pgadmin4:9",
    "docker.io/pgsty/silo:RELEASE.2026-10-26T00-00-00Z",
)
PIP = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT")

ODD = "p@ss:w%rd/ \\#"
"""A password that fails if any component quotes it wrongly."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    for item in here:
        item.add_marker(pytest.mark.timeout(600))  # fixtures start containers


@pytest.fixture(scope="session")
def engine() -> None:
    """Skips tests without a Docker engine with Compose v2."""
    skip_unless_required("docker")
    if shutil.which("docker") is None:
        skip_or_fail("docker", "there is no docker command")
    for what in (["version"], ["compose", "version"]):
        ended = run(["docker", *what])
        if ended.returncode:
            skip_or_fail("docker", f"`docker {' '.join(what)}` says: {ended.stderr.strip()}")
    if not (ROOT / ".git").exists():
        skip_or_fail("docker", "this folder is not a git checkout, which the clean copy needs")
    if names := leftovers():
        skip_or_fail("docker", f"this engine already has {names}")
    for name in IMAGES:
        if run(["docker", "image", "inspect", name]).returncode and run(["docker", "pull", name]).returncode:
            skip_or_fail("docker", f"the image {name} is not on this engine and cannot be pulled")


@pytest.fixture(scope="session")
def image(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image, built as in the README, with a unique tag."""
    folder, tag = tmp_path_factory.mktemp("build"), f"pigwav-test:{os.getpid()}"
    copy_of_the_repository(folder)
    arguments = [word for name in PIP if name in os.environ for word in ("--build-arg", name)]
    try:
        docker("build", *arguments, "-t", tag, ".", folder=folder)
    except CommandFailed as failure:
        pytest.fail(str(failure), pytrace=False)
    yield tag
    docker("rmi", "-f", tag)


@pytest.fixture
def fresh_project(image: str, tmp_path: Path) -> Iterator[Project]:
    """A project that is not started; only ports are configured."""
    with clean_project(tmp_path, image) as project:
        yield project


@pytest.fixture(scope="module")
def apiapp(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The profile `apiapp`, up and healthy. All tests of a module share it and must not change its state."""
    passwords = (
        "POSTGRES_PASSWORD",
        "POSTGRES_SERVICE_PASSWORD",
        "MINIO_ROOT_PASSWORD",
        "PIGWAV_S3_SECRET_KEY",
    )
    settings = {name: f"{ODD}{number}" for number, name in enumerate(passwords)}
    with clean_project(tmp_path_factory.mktemp("apiapp"), image, **settings) as project:
        project.up("apiapp")
        yield project


@pytest.fixture
def account(apiapp: Project) -> Iterator[Account]:
    """A user of the compose service with a unique name."""
    with httpx2.Client(base_url=apiapp.url("API_PUBLISHED_PORT"), timeout=60) as http:
        yield register(http, f"user {os.urandom(8).hex()}")
