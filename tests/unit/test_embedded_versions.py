"""`pigwav --version`: our version on the first line, then the embedded programs' versions."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from fake_programs import fake_program
from pigwav.embedded import embedded_postgres, embedded_versions, version_of_postgres
from running_up import plain_environment

pytestmark = pytest.mark.usefixtures("embedded")


def told(environment: dict[str, str] | None = None) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-m", "pigwav", "--version"],
        env=plain_environment(environment),
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.splitlines()


def test_the_version_is_followed_by_those_of_postgres_seaweedfs_ffmpeg_and_lame() -> None:
    own, *embedded = told()

    assert own == version("pigwav")
    assert [line.split()[0] for line in embedded] == ["Postgres", "SeaweedFS", "ffmpeg", "LAME"]
    assert all(re.fullmatch(r"\w+ \d+(\.\d+)+", line) for line in embedded)


def test_the_embedded_postgres_has_the_fixes_of_18_6() -> None:
    major, minor = map(int, dict(embedded_versions())["Postgres"].split("."))

    assert (major, minor) >= (18, 6)


def test_the_versions_are_those_that_the_programs_say_themselves() -> None:
    import imageio_ffmpeg

    found = dict(embedded_versions())

    assert found["ffmpeg"] == imageio_ffmpeg.get_ffmpeg_version().partition("-")[0].removeprefix("n")
    assert (
        found["SeaweedFS"]
        in subprocess.run(
            ["weed", "version"],
            env={"PATH": str(Path(sys.executable).parent)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


def test_the_lame_version_is_the_one_that_it_writes_into_mp3s() -> None:
    import lameenc

    encoder = lameenc.Encoder()
    encoder.set_channels(1)
    mp3 = bytes(encoder.encode(bytes(200_000))) + bytes(encoder.flush())

    assert f"LAME{dict(embedded_versions())['LAME']}".encode() in mp3


def test_the_postgres_that_is_named_is_shown_with_its_folder(tmp_path: Path) -> None:
    fake_program(tmp_path, "postgres", says="postgres (PostgreSQL) 17.12 (Debian 17.12-1)")

    assert told({"PIGWAV_POSTGRES_BIN": str(tmp_path)})[-1] == (
        f"Postgres 17.12 in {tmp_path} (PIGWAV_POSTGRES_BIN)"
    )


def test_a_named_postgres_that_is_not_there_has_no_version(tmp_path: Path) -> None:
    assert told({"PIGWAV_POSTGRES_BIN": str(tmp_path)})[-1] == (
        f"Postgres (unknown) in {tmp_path} (PIGWAV_POSTGRES_BIN)"
    )


@pytest.mark.parametrize(
    ("says", "number"),
    [
        ("postgres (PostgreSQL) 18.6", "18.6"),
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18"),
        ("postgres (PostgreSQL) 19rc2", "19rc2"),
        ("postgres (PostgreSQL) devel", None),
        ("psql: no", None),
    ],
)
def test_version_of_postgres_is_what_stands_behind_its_name(
    tmp_path: Path, says: str, number: str | None
) -> None:
    fake_program(tmp_path, "postgres", says=says)

    assert version_of_postgres(tmp_path) == number


def test_nothing_heavy_is_loaded_to_tell_versions() -> None:
    """A start takes 0.3 s for Typer and the client. pydantic, SQLAlchemy and boto3 would double that."""
    look = (
        "import sys; from pigwav.embedded import embedded_versions; assert dict(embedded_versions())\n"
        "print([n for n in ('pydantic', 'sqlalchemy', 'boto3', 'numpy', 'imageio_ffmpeg', 'embedded_postgres')"
        " if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
    assert embedded_postgres() is not None
