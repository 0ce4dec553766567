"""When a dead child process is restarted."""

from hypothesis import given
from hypothesis import strategies as st

from pigwav.devstack.restarts import Restarts


def test_delays_double_until_restarting_ends():
    restarts = Restarts(max_restarts=3, within_s=60)
    assert [restarts.delay_s(now) for now in (0.0, 1.0, 2.0, 3.0)] == [0.1, 0.2, 0.4, None]


def test_a_death_that_is_long_ago_does_not_count():
    restarts = Restarts(max_restarts=2, within_s=10)
    assert [restarts.delay_s(now) for now in (0.0, 1.0, 10.5, 20.0)] == [0.1, 0.2, 0.2, 0.2]


@given(st.lists(st.floats(min_value=10.001, max_value=1e6), max_size=50))
def test_a_child_process_that_dies_rarely_is_always_started_again(gaps: list[float]):
    restarts = Restarts(max_restarts=1, within_s=10)
    now = 0.0
    for gap in gaps:
        now += gap
        assert restarts.delay_s(now) == 0.1
