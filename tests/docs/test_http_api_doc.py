"""The commands of README and of service/docs/http-api.md do what is said of them; the page names every call."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from docs.curl_examples import EXAMPLE_ID, CurlExamples
from docs.tables import README, ROOT
from factories import wav
from needs import skip_or_fail
from pigwav.settings import Settings
from serving import served

PAGE = (ROOT / "service" / "docs" / "http-api.md").read_text()


@pytest.fixture(scope="module")
def url(settings: Settings) -> Iterator[str]:
    with served(settings) as api:
        yield api.url


@pytest.fixture
def reader(url: str, tmp_path: Path) -> CurlExamples:
    if shutil.which("curl") is None:
        skip_or_fail("curl", "there is no curl")
    return CurlExamples(tmp_path, url)


def test_the_commands_of_readme_end_with_a_link_that_plays(reader: CurlExamples) -> None:
    (reader.folder / "recording.wav").write_bytes(wav(seconds=1))

    registered, uploaded, played = reader.run_all(README.read_text())

    assert (registered.status, uploaded.status, played.status) == (201, 201, 200)
    assert (reader.folder / "recording.mp3").stat().st_size == uploaded.body["bytes"]


def test_every_command_of_the_page_succeeds(reader: CurlExamples) -> None:
    answers = reader.run_all(PAGE)

    assert len(answers) > 15
    assert [answer for answer in answers if answer.status not in (200, 201, 204)] == []
    assert (reader.folder / "test.mp3").read_bytes()[:2] == b"\xff\xfb"


def test_the_page_shows_the_fields_that_a_recording_has(reader: CurlExamples) -> None:
    uploaded = next(answer for answer in reader.run_all(PAGE) if "sha256" in answer.body)

    shown = PAGE.partition("```json\n")[2].partition("```")[0]
    assert EXAMPLE_ID in shown
    assert [name for name in uploaded.body if f'"{name}": ' not in shown] == []


def test_every_call_is_in_the_table(url: str) -> None:
    paths = httpx2.get(f"{url}/openapi.json").json()["paths"]
    for path, operations in paths.items():
        for method in operations:
            if method != "head":
                assert f"`{method.upper()} {path}" in PAGE, f"{method} {path} is not in http-api.md"
