"""The image's build fetches nothing whose hash is not in a lock, except one package of Debian."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
LOCKS: Final = ("constraints.lock", "build.lock")

OF_DEBIAN: Final = (
    "apt-get update",
    "apt-get install --yes --no-install-recommends libjemalloc2",
    "rm -rf /var/lib/apt/lists/*",
)
"""The commands for the one package that has Debian's signature instead of a hash in a lock."""

_FETCHES: Final = re.compile(
    r"\b(apt|apt-get|apk|curl|wget|git|npm|uv|pipx|easy_install)\b|^ADD ", re.MULTILINE
)


def unlocked(dockerfile: str) -> list[str]:
    """The commands that may fetch something without a hash."""
    plain = re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.MULTILINE).replace("\\\n", " ")
    runs = re.findall(r"^RUN (.*)$", plain, re.MULTILINE)
    commands = [command.strip() for run in runs for command in re.split(r"&&|\|\||;|\|", run)]
    added = re.findall(r"^ADD .*$", plain, re.MULTILINE)
    return [*(command for command in commands if _may_fetch(command)), *added]


def _may_fetch(command: str) -> bool:
    if not re.search(r"(^|/|-m )pip[\d.]*\s", command):
        return bool(_FETCHES.search(command))
    words = command.split()
    if "install" in words:
        lock = next((words[at + 1] for at, word in enumerate(words[:-1]) if word == "-r"), None)
        locked = "--require-hashes" in words and "--only-binary=:all:" in words and lock in LOCKS
        return not (locked or "--no-index" in words)
    return not ("wheel" in words and {"--no-deps", "--no-build-isolation"} <= {*words})


def test_all_that_the_build_fetches_is_locked() -> None:
    assert unlocked(DOCKERFILE) == [*OF_DEBIAN]
    assert DOCKERFILE.count(" install ") >= 3


@pytest.mark.parametrize(
    "line",
    [
        "RUN pip wheel --no-cache-dir --no-deps --wheel-dir /tmp/wheel .",
        "RUN pip install hatchling==1.31.0",
        "RUN pip --python /x/bin/python install -r constraints.lock",
        "RUN true \\\n && pip3 install --require-hashes --only-binary=:all: -r other.txt",
        "RUN pip install --require-hashes -r build.lock",  # a source package would fetch what builds it
        "RUN python -m pip install --upgrade pip",
        "RUN apt-get update && apt-get install -y curl",
        "ADD https://example.org/x /x",
    ],
)
def test_a_line_that_fetches_without_a_hash_is_found(line: str) -> None:
    assert unlocked(f"FROM python\n{line}\n") != []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_a_hash_for_every_package_and_no_address(name: str) -> None:
    lock = (ROOT / name).read_text()
    packages = re.split(r"\n(?! )", lock.strip())

    assert len(packages) > 3
    assert [package for package in packages if not re.fullmatch(PACKAGE, package)] == []
    assert f"!{name}\n" in (ROOT / ".dockerignore").read_text()


PACKAGE: Final = r"[\w.-]+==[\w.+]+( ; [^\n]*?)?( \\\n    --hash=sha256:[0-9a-f]{64})+"


def test_the_lock_of_the_build_has_the_build_backend() -> None:
    requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    locked = re.findall(r"^(\S+==\S+) ", (ROOT / "build.lock").read_text(), re.MULTILINE)

    assert requires
    assert {*requires} <= {*locked}
