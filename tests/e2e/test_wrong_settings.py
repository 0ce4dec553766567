"""Every command that reads the settings refuses wrong ones at its start."""

from pathlib import Path

import pytest

from e2e.programs import run_pigwav

BOTH = {"PIGWAV_DATABASE_URL": "postgresql://u:p@127.0.0.1:1/d", "PIGWAV_S3_BUCKET": "bucket"}
COMMANDS = {
    "serve": 1,
    "up": 1,
    "migrate": 1,
    "sweep": 1,
    "doctor": 2,
    "provision": 1,
    "provision --check": 1,
    "s3-check": 1,
    "users list": 1,
    "settings": 1,
}


@pytest.mark.parametrize(("command", "status"), COMMANDS.items())
def test_wrong_setting_ends_every_command_with_one_sentence(
    command: str, status: int, tmp_path: Path
) -> None:
    ended = run_pigwav(
        *command.split(), folder=tmp_path, **BOTH, PIGWAV_PUBLIC_URL="me:hush@voice.example.org"
    )

    assert (ended.returncode, ended.stdout) == (status, "")
    assert ended.stderr == (
        "pigwav: PIGWAV_PUBLIC_URL: '***@voice.example.org' does not begin with http:// or https:// and a host.\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("sweep", '"event": "unknown_setting"'),
        (
            "settings",
            "pigwav: PIGWAV_PUBLICURL is not a setting and has no effect. Is PIGWAV_PUBLIC_URL meant?",
        ),
    ],
)
def test_misspelled_setting_is_a_warning(command: str, told: str, tmp_path: Path) -> None:
    ended = run_pigwav(command, folder=tmp_path, PIGWAV_PUBLICURL="https://voice.example.org")

    assert told in ended.stderr
    assert ended.stderr.count("PIGWAV_PUBLICURL") == 1


def test_wrong_option_is_refused_like_the_setting(tmp_path: Path) -> None:
    ended = run_pigwav("s3-check", "--endpoint", "minio:9000", folder=tmp_path, **BOTH)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--endpoint: 'minio:9000' does not begin with http:// or https://" in ended.stderr
