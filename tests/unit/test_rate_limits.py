"""Parsing of rates, and token buckets per address and user."""

import tracemalloc
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.capacity.rate_limits import MAX_KEYS, RateLimiter, RateQuota
from pigwav.rates import read_rates


@dataclass
class Clock:
    now_ms: int = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


def allowance(text: str, clock: Clock, **more: int) -> RateLimiter:
    return RateLimiter(read_rates(text), now_ms=clock, **more)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("", []),
        (" ", []),
        ("60/minute", [(60, 60)]),
        ("1 / second", [(1, 1)]),
        ("5/10 minutes", [(5, 600)]),
        ("5/2hours", [(5, 7200)]),
        ("100/DAY", [(100, 86400)]),
        ("600/minute; 20/second", [(20, 1), (600, 60)]),
        ("10/second,300/minute", [(10, 1), (300, 60)]),
    ],
)
def test_rates_are_read(text: str, rates: list[tuple[int, int]]) -> None:
    assert [(rate.limit, rate.interval // 1000) for rate in read_rates(text)] == rates


@pytest.mark.parametrize(
    "text",
    [
        *("60", "60/", "/minute", "0/minute", "-1/minute", "1.5/second", "60/fortnight", "60 per minute", "٣/minute"),
        *("60/minute;", "60/0 minutes", "1/second;x", "9999999999/second", "60/minutes!", "60/minute 5/second"),
        *("10/second;10/minute", "10/second;5/minute", "10/second;601/minute", "1/second;1/second"),
    ],
)  # fmt: skip
def test_what_is_no_rate_or_never_binds_is_refused_and_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"rate|window") as raised:
        read_rates(text)
    assert any(part and part in str(raised.value) for part in text.split(";"))


@given(st.text())
def test_any_text_is_rates_or_a_value_error(text: str) -> None:
    try:
        rates = read_rates(text)
    except ValueError:
        return
    assert bool(rates) == bool(text.strip())


def test_all_of_it_at_once_and_then_as_it_comes_back() -> None:
    clock = Clock()
    three = allowance("3/minute", clock)

    assert [three.take("x").granted for _ in range(5)] == [True, True, True, False, False]
    assert three.take("x").quotas == (RateQuota(limit=3, window_s=60, remaining=0, more_in_s=20),)
    clock.now_ms += 19_999
    assert not three.take("x").granted
    clock.now_ms += 1
    assert [three.take("x").granted for _ in range(2)] == [True, False]
    clock.now_ms += 3_600_000
    assert three.take("x").quotas[0].remaining == 2


def test_one_does_not_pay_for_another() -> None:
    one = allowance("1/minute", Clock())

    assert one.take("x").granted
    assert one.take("y").granted
    assert not one.take("x").granted


def test_a_refusal_costs_nothing_under_any_rate_and_names_the_one_to_wait_for_longest() -> None:
    clock = Clock()
    both = allowance("2/second;3/minute", clock)
    for _ in range(9):
        both.take("x")
    clock.now_ms += 500

    assert both.take("x").granted
    refused = both.take("x")
    assert [(quota.remaining, quota.more_in_s) for quota in refused.quotas] == [(0, 1), (0, 20)]
    assert refused.most_used == RateQuota(limit=3, window_s=60, remaining=0, more_in_s=20)


RATES = st.sampled_from(
    ["1/second", "7/second", "3/minute", "5/second;20/minute", "1/day", "2/second;9/5 seconds"]
)
ARRIVALS = st.lists(st.integers(0, 4_000), min_size=1, max_size=60)


@given(RATES, ARRIVALS)
def test_what_is_said_to_remain_is_what_is_granted(text: str, waits_ms: list[int]) -> None:
    clock = Clock()
    bounded = allowance(text, clock)
    for wait_ms in waits_ms:
        clock.now_ms += wait_ms
        standing = bounded.take("x")
    left = min(quota.remaining for quota in standing.quotas)

    assert [bounded.take("x").granted for _ in range(left + 1)] == [True] * left + [False]


@given(RATES, ARRIVALS)
def test_who_waits_as_long_as_told_is_let_through(text: str, waits_ms: list[int]) -> None:
    clock = Clock()
    bounded = allowance(text, clock)
    for wait_ms in waits_ms:
        clock.now_ms += wait_ms
        bounded.take("x")
    while (standing := bounded.take("x")).granted:
        pass
    clock.now_ms += 1000 * standing.most_used.more_in_s

    assert bounded.take("x").granted


@given(RATES, ARRIVALS)
def test_no_window_ever_sees_more_than_twice_its_rate(text: str, waits_ms: list[int]) -> None:
    """A token bucket allows a full burst, and the same number again while the window passes."""
    clock = Clock()
    bounded = allowance(text, clock)
    granted_ms = []
    for wait_ms in waits_ms * 3:
        clock.now_ms += wait_ms
        granted_ms += [clock.now_ms for _ in range(4) if bounded.take("x").granted]

    for rate in read_rates(text):
        for began_ms in granted_ms:
            assert sum(began_ms <= at_ms < began_ms + rate.interval for at_ms in granted_ms) <= 2 * rate.limit


def test_of_a_hundred_thousand_addresses_the_last_ones_are_remembered() -> None:
    bounded = allowance("1/minute", Clock())
    addresses = [number.to_bytes(4, "big") for number in range(100_000)]
    assert all(bounded.take(address).granted for address in addresses)

    assert len(bounded) == MAX_KEYS
    assert not bounded.take(addresses[-1]).granted
    assert not bounded.take(addresses[-MAX_KEYS]).granted


def test_an_address_takes_no_more_than_400_bytes() -> None:
    """26 MB for the maximum number of addresses in memory."""
    bounded, count = allowance("10/second;300/minute", Clock()), 3000
    tracemalloc.start()
    try:
        for number in range(count):
            bounded.take(number.to_bytes(8, "big"))
        held_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert held_bytes < count * 400


def test_who_asks_on_is_not_forgotten_however_many_others_come() -> None:
    few = allowance("1/day", Clock(), max_keys=3)
    few.take("x")
    for other in range(10):
        few.take(other)
        assert not few.take("x").granted

    assert few.take(0).granted  # its state was dropped
    assert len(few) == 3
