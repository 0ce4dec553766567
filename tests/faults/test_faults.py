"""No fault loses an acknowledged recording, leaves anything behind, or leaves a client without a response.

PIGWAV_FAULTS=all pytest tests/faults
"""

import os

import pytest

from faults import matrix
from faults.between import LineCase, StoreCase, comes_back, line_cases, store_cases
from faults.clients import ClientCase, client_cases
from faults.judgement import judge
from faults.own_stack import POSTGRES, THE_STORE, OwnStack
from faults.random_faults import run_once
from faults.s3_faults import FORBIDDEN
from faults.tcp_proxy import ConnectionFault, Kind
from faults.uploaders import KINDS, connected, make_upload, upload_body, upload_head
from faults.world import World
from waiting import wait_until

ALL = os.environ.get("PIGWAV_FAULTS") == "all"
FEW_CLIENTS = ("short upload, client leaves in the audio", "client trickles", "head without end")
only_with_all = pytest.mark.skipif(not ALL, reason="all faults run only if PIGWAV_FAULTS=all")

LINE_CASES = [*line_cases()] if ALL else [LineCase("database", ConnectionFault(Kind.RESET, 300), "short")]
STORE_CASES = [*store_cases()] if ALL else [StoreCase(FORBIDDEN, "put", 1, "short")]
CLIENT_CASES = [case for case in client_cases() if ALL or case.name in FEW_CLIENTS]


@pytest.mark.parametrize("kind", [*KINDS] if ALL else ["short"])
def test_a_kill_at_any_step_of_an_upload(world: World, kind: str) -> None:
    """Judges after the kills, and again after each uploader has repeated its upload with the same key."""
    interrupted = matrix.kill_at_every_step_of_an_upload(world, kind)
    assert judge(world) == []

    for one in interrupted:
        one.try_again(world)
    assert judge(world) == []


def test_a_kill_at_any_step_of_a_deletion(world: World) -> None:
    for step in range(1, len(matrix.steps_of_delete(world)) + 1):
        matrix.kill_in_delete(world, step)
    assert judge(world) == []


@only_with_all
def test_a_kill_at_any_step_of_a_sweep(world: World) -> None:
    for step in range(1, len(matrix.steps_of_sweep(world)) + 1):
        matrix.kill_in_sweep(world, step)
    assert judge(world) == []


@only_with_all
@pytest.mark.parametrize("kind", ["short", "decoded", "long"])
def test_a_replica_that_freezes_past_its_lease_at_any_step_and_wakes_up(world: World, kind: str) -> None:
    for step in range(1, len(matrix.steps_of_upload(world, kind)) + 1):
        matrix.freeze_in_upload(world, kind, step)
    assert judge(world) == []


def test_a_replica_that_freezes_past_its_lease_with_its_bytes_stored_and_wakes_up(world: World) -> None:
    step = matrix.steps_of_upload(world, "short").index("after put") + 1

    matrix.freeze_in_upload(world, "short", step)

    assert world.noted[-1].attempt.status == 503
    assert judge(world) == []


@only_with_all
def test_a_replica_that_freezes_at_any_step_of_a_sweep(world: World) -> None:
    for step in range(1, len(matrix.steps_of_sweep(world)) + 1):
        matrix.freeze_in_sweep(world, step)
    assert judge(world) == []


@pytest.mark.parametrize("case", LINE_CASES, ids=lambda case: case.name)
def test_trouble_on_a_line(world: World, case: LineCase) -> None:
    case.run(world)
    assert judge(world) == []


@pytest.mark.parametrize("case", STORE_CASES, ids=lambda case: case.name)
def test_a_store_that_answers_so(world: World, case: StoreCase) -> None:
    case.run(world)
    assert judge(world) == []


@pytest.mark.parametrize("case", CLIENT_CASES, ids=lambda case: case.name)
def test_a_client_as_it_should_not_be(world: World, case: ClientCase) -> None:
    case.run(world)
    assert judge(world) == []


def test_a_decoder_whose_client_left_is_seen_and_then_gone(world: World) -> None:
    upload, uploader = make_upload("decoded", "half of it"), world.uploader()
    request = upload_head(uploader, upload) + upload_body(uploader, upload)
    with connected(uploader.port) as connection:
        connection.sendall(request[: len(request) // 2])
        wait_until(lambda: world.decoders() != [])

    assert judge(world) == []


@only_with_all
@pytest.mark.parametrize("number", range(20))
def test_random_faults(world: World, number: int) -> None:
    _, found = run_once(world, seed=1, number=number, stack=None)
    assert found == []


@only_with_all
@pytest.mark.parametrize("kind", ["short", "long"])
@pytest.mark.parametrize("part", [POSTGRES, THE_STORE])
@pytest.mark.parametrize("at_once", [True, False], ids=["is there again at once", "is away for a while"])
def test_a_part_that_is_killed_at_any_step_of_an_upload(
    world_with_own_servers: World, mortal_stack: OwnStack, kind: str, part: str, *, at_once: bool
) -> None:
    steps = len(matrix.steps_of_upload(world_with_own_servers, kind))
    for step in range(1, steps + 1, 1 if kind == "short" else 3):
        case = f"{kind} upload, {part} killed at step {step}"
        upload = make_upload(kind, f"{case}, {at_once}")
        matrix.kill_part_in_upload(
            world_with_own_servers, mortal_stack, part, case, upload, step, at_once=at_once
        )
        comes_back(world_with_own_servers, case)
    if part == THE_STORE:
        world_with_own_servers.store_was_killed()
    assert judge(world_with_own_servers) == []
