"""Which call leads to which phase of an upload, and what to clean up in each phase."""

import pytest

from pigwav.store.upload_phase import CLEAN_UP, Call, CleanUp, Phase

NOTHING_SENT, BEGUN, STORED, UNKNOWN = Phase

ANSWERED = {
    (NOTHING_SENT, Call.PUT): STORED,
    (NOTHING_SENT, Call.BEGIN): BEGUN,
    (BEGUN, Call.PUT_PART): BEGUN,
    (BEGUN, Call.COMPLETE): STORED,
}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("call", Call)
def test_a_call_that_is_answered_leads_on_and_one_out_of_turn_to_nothing_that_is_known(
    phase: Phase, call: Call
) -> None:
    assert phase.after(call, answered=True) is ANSWERED.get((phase, call), UNKNOWN)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("call", Call)
def test_after_a_call_without_an_answer_nothing_is_known(phase: Phase, call: Call) -> None:
    assert phase.after(call, answered=False) is UNKNOWN


@pytest.mark.parametrize("call", Call)
def test_no_later_answer_makes_the_unknown_known(call: Call) -> None:
    """If one part is stored, another one that failed at the same time is still unknown."""
    assert UNKNOWN.after(call, answered=True) is UNKNOWN


@pytest.mark.parametrize(
    ("phase", "left"),
    [
        (NOTHING_SENT, CleanUp(abort_uploads=False, delete_object=False, repeat_later=False)),
        (BEGUN, CleanUp(abort_uploads=True, delete_object=False, repeat_later=False)),
        (STORED, CleanUp(abort_uploads=False, delete_object=True, repeat_later=False)),
        (UNKNOWN, CleanUp(abort_uploads=True, delete_object=True, repeat_later=True)),
    ],
)
def test_each_phase_says_what_to_clean_up(phase: Phase, left: CleanUp) -> None:
    assert CLEAN_UP[phase] == left


def test_only_what_a_call_may_still_change_is_cleaned_up_twice() -> None:
    assert [phase for phase in Phase if CLEAN_UP[phase].repeat_later] == [UNKNOWN]
