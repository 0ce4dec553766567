"""MinIO's differences: it lists open uploads only by exact key, and forgets completed uploads.

PIGWAV_FAULTS=all pytest tests/faults
"""

import os

import pytest

from faults import matrix
from faults.between import StoreCase, store_cases
from faults.judgement import judge
from faults.world import World

ALL = os.environ.get("PIGWAV_FAULTS") == "all"

pytestmark = pytest.mark.skipif(not ALL, reason="all faults run only if PIGWAV_FAULTS=all")


@pytest.mark.parametrize("kind", ["long", "mispredicted"])
def test_a_kill_at_any_step_of_an_upload(minio_world: World, kind: str) -> None:
    interrupted = matrix.kill_at_every_step_of_an_upload(minio_world, kind)
    assert judge(minio_world) == []

    for one in interrupted:
        one.try_again(minio_world)
    assert judge(minio_world) == []


def test_a_replica_that_freezes_past_its_lease_at_any_step_and_wakes_up(minio_world: World) -> None:
    for step in range(1, len(matrix.steps_of_upload(minio_world, "long")) + 1):
        matrix.freeze_in_upload(minio_world, "long", step)
    assert judge(minio_world) == []


@pytest.mark.parametrize("case", [*store_cases()] if ALL else [], ids=lambda case: case.name)
def test_a_store_that_answers_so(minio_world: World, case: StoreCase) -> None:
    case.run(minio_world)
    assert judge(minio_world) == []
