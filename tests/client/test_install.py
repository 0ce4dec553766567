"""The client without the service."""

import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest

from needs import skip_or_fail

ROOT: Final = Path(__file__).parents[2]


def test_client_needs_nothing_of_the_server() -> None:
    program = (
        "import sys, pigwav.client\n"
        "print([name for name in ('fastapi', 'pydantic', 'boto3', 'sqlalchemy', 'lameenc', 'pigwav.errors')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.long
def test_base_install_is_the_client_and_its_commands_alone(tmp_path: Path) -> None:
    """Installs it with `pip install .` into an empty environment."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    install = [programs / "python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", ROOT]
    installed = subprocess.run(install, capture_output=True, text=True, check=False)
    if "NewConnectionError" in installed.stderr or "Name or service not known" in installed.stderr:
        skip_or_fail("index", "pip does not reach its index")
    assert installed.returncode == 0, installed.stderr

    server = "('fastapi', 'sqlalchemy', 'boto3', 'minio', 'lameenc', 'ffmpeg', 'numpy', 'PIL')"
    look = f"import importlib.util as u, pigwav.client; print([n for n in {server} if u.find_spec(n)])"
    # Isolated from this process's environment and folder.
    found = subprocess.run(
        [programs / "python", "-I", "-c", look], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
    versions = subprocess.run([programs / "pigwav", "--version"], capture_output=True, text=True, check=True)
    assert versions.stdout == f"{version('pigwav')}\n", "nothing is embedded"
    told = subprocess.run(
        [programs / "pigwav", "up"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.count("\n") == 1
    assert "pip install" in told.stderr
