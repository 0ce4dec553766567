"""Places that clients share: nobody takes all, and everybody may have almost everything while others hold little."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.errors import Limit, Overloaded
from pigwav.shares import Place, Shares


def places(total: int) -> Shares:
    return Shares(total, limit=Limit.DOWNLOADS, share=Limit.DOWNLOADS_SHARE)


def greed(shares: Shares, *clients: str) -> Counter[str]:
    """How many places each client has when all of them have taken, in turn, whatever they may."""
    held: Counter[str] = Counter()
    before = -1
    while before != shares.taken:
        before = shares.taken
        for client in clients:
            try:
                shares.take((client,))
            except Overloaded:
                continue
            held[client] += 1
    return held


@pytest.mark.parametrize(
    ("total", "alone"), [(0, 0), (1, 1), (7, 7), (8, 7), (32, 28), (500, 438), (10_000, 8_750)]
)
def test_one_greedy_client_gets_seven_eighths(total: int, alone: int) -> None:
    shares = places(total)

    assert greed(shares, "greedy")["greedy"] == alone
    if total >= 8:
        shares.take(("modest",))


@pytest.mark.parametrize("greedy", [2, 5, 20])
def test_several_greedy_clients_get_the_same_and_leave_some(greedy: int) -> None:
    shares = places(1000)

    held = greed(shares, *(f"client {n}" for n in range(greedy)))

    assert max(held.values()) - min(held.values()) <= 1
    assert shares.free >= 1000 // (7 * greedy + 1)
    shares.take(("modest",))


def test_a_place_that_several_clients_hold_counts_for_each() -> None:
    shares = places(16)
    for number in range(14):
        shares.take((f"user {number}", "address"))

    with pytest.raises(Overloaded) as refused:
        shares.take(("user 99", "address"))
    assert refused.value.limit == Limit.DOWNLOADS_SHARE
    shares.take(("user 99", "another address"))


def test_a_place_of_nobody_needs_no_share_and_is_limited_by_the_total() -> None:
    shares = places(16)
    for _ in range(16):
        shares.take(())

    with pytest.raises(Overloaded) as refused:
        shares.take(())
    assert refused.value.limit == Limit.DOWNLOADS


@given(st.integers(1, 40), st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=200))
def test_what_is_taken_and_released_always_adds_up(total: int, steps: list[tuple[bool, int]]) -> None:
    shares = places(total)
    open_places: list[tuple[int, Place]] = []
    for takes, number in steps:
        if takes:
            try:
                open_places.append((number, shares.take((number,))))
            except Overloaded:
                assert sum(holder == number for holder, _ in open_places) >= 7 * shares.free
        elif open_places:
            _, place = open_places.pop(number % len(open_places))
            place.release()
            place.release()
        held = Counter(holder for holder, _ in open_places)
        assert shares.taken == len(open_places) <= total
        assert all(shares.held_by(holder) == held[holder] for holder in range(4))
