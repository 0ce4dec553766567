"""pytest's output if the session's stack does not start."""

import subprocess
import sys
from pathlib import Path

import pytest

from running_up import plain_environment

pytestmark = pytest.mark.usefixtures("embedded")

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.parametrize("options", [("-n", "0"), ("-n", "2")], ids=["one process", "two"])
def test_a_stack_that_does_not_start_is_told_of_in_one_last_line_with_the_number_of_tests(
    options: tuple[str, ...],
):
    files = ["tests/db/test_lost_connections.py", "tests/usecases/test_list_users.py"]
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--override-ini=addopts=--import-mode=importlib",
            *options,
            *files,
        ],
        cwd=ROOT,
        env=plain_environment({"PIGWAV_EMBEDDED_PORTS": "65000-65003"}),
        capture_output=True,
        text=True,
        check=False,
    )
    *_, line, result = ended.stdout.splitlines()
    tests = result.partition(" errors")[0].rpartition(" ")[2]
    assert int(tests) > 5
    assert (
        "tests could not run: the stack did not start: The embedded S3 server finds too few free ports"
        in line
    )
    assert "Traceback" not in ended.stdout
    if options == ("-n", "0"):
        assert line.startswith(f"{tests} tests")
