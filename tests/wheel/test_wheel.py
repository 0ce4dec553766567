"""The wheel, as people get it: installed outside the checkout in an empty environment, it runs README's example."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx2
import pytest

from docs.curl_examples import CurlExamples
from docs.tables import README, ROOT
from factories import wav
from needs import skip_or_fail
from running_up import pigwav_up, plain_environment

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]

EMBEDDED = "pigwav[embedded]"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of this checkout."""
    if "wheel" not in os.environ.get("PIGWAV_REQUIRE", ""):
        skip_or_fail("wheel", "packages are installed only if PIGWAV_REQUIRE names wheel")
    folder = tmp_path_factory.mktemp("dist")
    _run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT])
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Nothing of this checkout, and an empty home."""
    others = {name: value for name, value in plain_environment().items() if not name.startswith("PYTHON")}
    others.pop("VIRTUAL_ENV", None)
    home = {
        "HOME": str(tmp_path / "home"),
        "PIPX_HOME": str(tmp_path / "pipx"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
    }
    return others | home | {"UV_CACHE_DIR": str(tmp_path / "uv"), "UV_NO_CONFIG": "1"}


def test_by_pip(wheels: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    """With the tested versions."""
    _run([sys.executable, "-m", "venv", tmp_path / "venv"])
    pip = [tmp_path / "venv" / "bin" / "pip", "install", "--quiet", "-c", ROOT / "constraints.txt"]
    _run([*pip, "--find-links", wheels, EMBEDDED], env=environment)

    _readme_works([tmp_path / "venv" / "bin" / "pigwav"], tmp_path, environment)


def test_by_pipx(wheels: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    """With the newest versions that the wheel allows."""
    pipx = [_beside_python("pipx"), "install", "--quiet", "--python", sys.executable]
    _run([*pipx, f"--pip-args=--find-links={wheels}", EMBEDDED], env=environment)

    _readme_works([tmp_path / "bin" / "pigwav"], tmp_path, environment)


def test_by_uvx(wheels: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    """With the newest versions that the wheel allows."""
    uvx = [
        _beside_python("uvx"),
        "--python",
        sys.executable,
        "--find-links",
        wheels,
        "--from",
        EMBEDDED,
        "pigwav",
    ]

    _readme_works(uvx, tmp_path, environment)


def test_the_client_alone_says_what_is_missing(
    wheels: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    _run([sys.executable, "-m", "venv", tmp_path / "venv"])
    _run(
        [tmp_path / "venv" / "bin" / "pip", "install", "--quiet", "--find-links", wheels, "pigwav"],
        env=environment,
    )

    ended = subprocess.run(
        [tmp_path / "venv" / "bin" / "pigwav", "up"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert (
        ended.stderr
        == "pigwav: The server is not installed. Install it with: pip install 'pigwav[embedded]'\n"
    )


def _readme_works(program: Sequence[str | Path], folder: Path, environment: dict[str, str]) -> None:
    """`pigwav up` in an empty folder, README's `curl` commands, Ctrl-C."""
    if shutil.which("curl") is None:
        skip_or_fail("curl", "there is no curl")
    empty = folder / "empty"
    empty.mkdir()
    (folder / "home").mkdir(exist_ok=True)
    with pigwav_up(
        empty / "pigwav-data",
        log=empty / "log",
        environment=environment,
        program=[str(word) for word in program],
    ) as up:
        (folder / "recording.wav").write_bytes(wav(seconds=1))
        registered, uploaded, played = CurlExamples(folder, up.url).run_all(README.read_text())
        page = httpx2.get(f"{up.url}/", headers={"Accept": "text/html"})
        script = httpx2.get(f"{up.url}/page/js/app.js")
        stopped = up.stop(signal.SIGINT)

    assert (registered.status, uploaded.status, played.status) == (201, 201, 200)
    assert (folder / "recording.mp3").stat().st_size == uploaded.body["bytes"]
    assert (page.status_code, script.status_code) == (200, 200)
    assert stopped == 0


def _run(command: Sequence[str | Path], env: dict[str, str] | None = None) -> None:
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def _beside_python(name: str) -> Path:
    """A program of the extra `package`."""
    program = Path(sys.executable).with_name(name)
    if not program.exists():
        skip_or_fail("wheel", f"{name} is not installed: pip install '.[package]'")
    return program
