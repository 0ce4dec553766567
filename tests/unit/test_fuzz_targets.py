"""The targets of coverage-guided fuzzing (tests/fuzz), run by hypothesis with damaged seeds and any bytes."""

from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.target import STEER_BYTES
from fuzz.targets import TARGETS

EXAMPLES = 120


@cache
def seeds(name: str) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(TARGETS[name].seeds()))


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """A seed with a few pieces replaced, dropped or repeated."""
    body = draw(st.sampled_from(seeds(name)))
    if mutate := TARGETS[name].mutate:
        body = mutate(body, Random(draw(st.integers(0, 1 << 32))))
    for _ in range(draw(st.integers(0, 4))):
        start, stop = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, min(len(body), 64)))))
        piece = draw(st.binary(max_size=8) | st.just(body[start:stop] * 2) | st.just(b"\0" * 5))
        body = body[:start] + piece + body[draw(st.sampled_from((start, start + len(piece), stop))) :]
    return body[: TARGETS[name].limit_bytes]


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.binary(min_size=STEER_BYTES, max_size=STEER_BYTES))
def test_whatever_comes_what_must_hold_of_a_parser_holds(
    name: str, data: st.DataObject, steer: bytes
) -> None:
    TARGETS[name](steer + data.draw(damaged(name) | st.binary(max_size=200)))


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_gets_through_its_target(name: str) -> None:
    for seed in seeds(name):
        TARGETS[name](b"\0\1" + seed)
