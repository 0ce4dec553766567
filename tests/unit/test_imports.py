"""Processes that live long, and commands that should answer at once, do not import what they do not use."""

import json
import os
import signal
import subprocess
import sys
from typing import Final

import pytest

from running_up import plain_environment

LISTED: Final = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps([*sys.modules])))
"""
PROGRAM: Final = f"{LISTED}\nfrom pigwav.cli.app import main\nmain()"
SUPERVISOR: Final = f"{LISTED}\nimport pigwav.devstack.__main__"

CLIENT: Final = {"httpx2", "httpcore2", "pigwav.client"}
DRIVERS: Final = {
    "sqlalchemy",
    "psycopg2",
    "alembic",
    "boto3",
    "botocore",
    "obstore",
    "minio",
    "lameenc",
    "numpy",
}
SERVER: Final = {"fastapi", "uvicorn", "pydantic_settings", "prometheus_client", "structlog"}
TERMINAL: Final = {"rich", "asyncio"}
CONFIGURED: Final = {
    "PIGWAV_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "PIGWAV_S3_BUCKET": "bucket",
    "PIGWAV_S3_ENDPOINT": "http://127.0.0.1:1",
    "PIGWAV_S3_ACCESS_KEY": "access",
    "PIGWAV_S3_SECRET_KEY": "secret-key",
    "PIGWAV_JEMALLOC": "off",  # the restart would lose the list
    "PIGWAV_DRAIN_S": "0",
}


def imported(program: str, *words: str) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", program, *words],
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {*json.loads(ended.stdout.splitlines()[-1])}


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--version"]], ids=" ".join)
def test_what_needs_no_command_imports_none(words: list[str]) -> None:
    modules = imported(PROGRAM, *words)
    assert "pigwav.cli.app" in modules
    assert not modules & {*CLIENT, *DRIVERS, *SERVER, *TERMINAL, "pydantic"}


def test_the_names_of_commands_are_completed_without_the_commands() -> None:
    complete = {"_PIGWAV_COMPLETE": "complete_bash", "COMP_WORDS": "pigwav up", "COMP_CWORD": "1"}
    program = f"import os, sys\nos.environ.update({complete})\nsys.argv[0] = 'pigwav'\n{PROGRAM}"
    modules = imported(program)
    assert not modules & {*CLIENT, *DRIVERS, *SERVER, *TERMINAL}


def test_the_supervisor_imports_only_the_standard_library() -> None:
    modules = {name.partition(".")[0] for name in imported(SUPERVISOR)}
    assert modules - {*sys.stdlib_module_names} <= {"pigwav", "__main__", *at_every_start()}


def at_every_start() -> set[str]:
    """What Python imports in this environment before the program begins."""
    return {name.partition(".")[0] for name in imported(LISTED)}


def test_the_api_does_not_import_what_only_other_commands_use() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "serve", "--port", "0"],
        env=plain_environment() | CONFIGURED,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert any("Application startup complete" in line for line in process.stderr)
        os.kill(process.pid, signal.SIGTERM)
        shown, _ = process.communicate(timeout=60)
    modules = {*json.loads(shown.splitlines()[-1])}
    assert process.returncode == 0
    assert {"fastapi", "sqlalchemy"} <= modules
    assert not modules & {
        *CLIENT,
        "alembic",
        "minio",
        "rich",
        "pigwav.provisioning",
        "pigwav.devstack",
        "pigwav.cli.up",
    }


def test_every_summary_is_the_first_sentence_of_its_commands_help() -> None:
    from pigwav.cli.lazy_commands import COMMANDS, load_command

    for name, (_module, summary) in COMMANDS.items():
        told = load_command(name).help or ""
        assert told.replace("\n", " ").startswith(summary), name
