"""`pigwav up` watches the disk of its data folder."""

import os
from pathlib import Path

import httpx2
import pytest

from accounts import register
from conftest import StartUp
from factories import wav
from problem_assertions import assert_problem

pytestmark = pytest.mark.timeout(600)


@pytest.mark.long
def test_it_refuses_uploads_while_the_disk_of_its_data_folder_is_nearly_full(
    running_up: StartUp, tmp_path: Path
) -> None:
    up = running_up(environment={"PIGWAV_DISK_MIN_FREE_BYTES": str(10**18)})
    with httpx2.Client(base_url=up.url, timeout=30) as http:
        answer = register(http).upload_raw(wav(seconds=0.1))
        metrics = http.get("/metrics").text

    assert_problem(answer, 507, "storage-full")
    assert f'pigwav_disk_free_bytes{{folder="{os.path.abspath(up.data)}"}}' in metrics  # noqa: PTH100
