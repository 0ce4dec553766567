"""Runs the examples of service/docs/client.md as one program with the real service."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pigwav.client
from docs.tables import README
from factories import wav
from pigwav.client import ClientError
from pigwav.settings import Settings
from serving import served

DOCUMENT = (README.parent / "service" / "docs" / "client.md").read_text()
PROGRAM = "\n".join(re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def printed(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reader")
    (folder / "standup.wav").write_bytes(wav(seconds=1))
    with served(settings) as api:
        program = PROGRAM.replace("http://127.0.0.1:8080", api.url)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            check=False,
            cwd=folder,
            capture_output=True,
            text=True,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in folder.iterdir()} == {
        "standup.wav",
        "standup.mp3",
        "Standup, Monday.mp3",
    }
    return done.stdout


def test_examples_do_what_they_say(printed: str) -> None:
    assert re.search(r"^http://\S+/record\?id=\S+ standup 1000$", printed, re.MULTILINE)
    for line in ("Standup, Monday", "Standup, Monday.mp3", "32044 of 32044", "not-a-wav"):
        assert f"\n{line}\n" in printed
    assert printed.endswith("Standup, Monday.mp3 True\n")


def test_every_error_is_in_the_table() -> None:
    named = {*re.findall(r"`(\w+)`", "".join(re.findall(r"^\|.*", DOCUMENT, re.MULTILINE)))}
    public = [getattr(pigwav.client, name) for name in pigwav.client.__all__]
    errors = {kind.__name__ for kind in public if isinstance(kind, type) and issubclass(kind, ClientError)}
    assert errors - {"ClientError"} <= named


def test_both_clients_have_the_same_calls_and_all_are_described() -> None:
    calls = [
        {name: method for name, method in vars(kind).items() if not name.startswith("_")}
        for kind in (pigwav.client.PigWavClient, pigwav.client.AsyncPigWavClient)
    ]
    assert all(method.__doc__ for both in calls for method in both.values())
    assert {*calls[0]} - {"close"} == {*calls[1]} - {"aclose"}


def test_types_come_with_the_package() -> None:
    assert (Path(pigwav.client.__file__).parents[1] / "py.typed").exists()
