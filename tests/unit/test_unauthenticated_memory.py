"""Forms that hold a part of their file before their credentials come: whoever holds most makes room."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.capacity.unauthenticated_memory import UnauthenticatedForm, UnauthenticatedMemory
from pigwav.errors import Overloaded


class Forms:
    """Forms in a memory of `limit_bytes`, and the names of those that were told to end."""

    def __init__(self, stack: ExitStack, limit_bytes: int) -> None:
        self.told: list[str] = []
        self._memory = UnauthenticatedMemory(limit_bytes)
        self._stack = stack

    def of(self, address: str, name: str = "") -> UnauthenticatedForm:
        def on_evicted() -> None:
            self.told.append(name)

        return self._stack.enter_context(self._memory.one_more(address, on_evicted))


@pytest.fixture
def forms() -> Callable[[int], Forms]:
    stack = ExitStack()
    return lambda limit_bytes: Forms(stack, limit_bytes)


def test_the_largest_form_of_the_address_that_holds_most_makes_room(forms: Callable[[int], Forms]) -> None:
    memory = forms(1000)
    memory.of("many", "smaller").hold(300)
    largest = memory.of("many", "largest")
    largest.hold(310)
    memory.of("one", "one large").hold(350)

    memory.of("honest", "honest").hold(100)

    assert memory.told == ["largest"]
    with pytest.raises(Overloaded):
        largest.check()


def test_a_form_that_is_itself_the_largest_is_refused_at_once(forms: Callable[[int], Forms]) -> None:
    memory = forms(1000)
    memory.of("a", "small").hold(100)

    with pytest.raises(Overloaded):
        memory.of("b", "large").hold(901)
    assert memory.told == []
    memory.of("c").hold(900)


def test_what_a_form_held_is_free_when_it_ends() -> None:
    memory = UnauthenticatedMemory(1000)
    for _ in range(5):
        with memory.one_more("a", lambda: None) as form:
            form.hold(1000)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 400)), max_size=60),
    st.integers(0, 1000),
)
def test_together_they_never_hold_more_than_the_limit(
    steps: list[tuple[int, int, int]], limit_bytes: int
) -> None:
    with ExitStack() as stack:
        memory = Forms(stack, limit_bytes)
        forms = {(a, n): memory.of(f"address {a}", f"{a} {n}") for a in range(4) for n in range(6)}
        for address, number, more_bytes in steps:
            form = forms[address, number]
            before = {key: other.held_bytes for key, other in forms.items()}
            try:
                form.hold(form.held_bytes + more_bytes)
            except Overloaded:
                assert form.is_evicted
            held = {key: other.held_bytes for key, other in forms.items()}
            assert sum(held.values()) <= limit_bytes
            lost = [key for key in forms if held[key] < before[key]]
            assert all(forms[key].is_evicted for key in lost)
