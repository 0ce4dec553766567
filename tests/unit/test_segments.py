"""The rule: when an encoder run hands over, and how far an upload reads ahead."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pigwav.audio.mp3 import SAMPLE_RATES_HZ, Mp3Format, bit_rates_kbps
from pigwav.audio.segments import Segments

CD = Mp3Format(44_100, 2, 128)
FORMATS = [
    Mp3Format(rate, ch, kbps) for rate in SAMPLE_RATES_HZ for ch in (1, 2) for kbps in bit_rates_kbps(rate)
]
FRAME = 4_608
TWO, FOUR = Segments.for_threads(CD, 2), Segments.for_threads(CD, 4)
LEAST = FOUR.least * FRAME


@pytest.mark.parametrize(
    ("threads", "segment", "most_runs"), [(1, 784, 1), (2, 784, 2), (3, 392, 3), (4, 392, 4), (64, 392, 4)]
)
def test_sizes_follow_the_number_of_threads(threads: int, segment: int, most_runs: int) -> None:
    segments = Segments.for_threads(CD, threads)
    assert (segments.segment, segments.most_runs) == (segment, most_runs)


@pytest.mark.parametrize(
    ("read", "arrived", "runs", "idle", "opens"),
    [
        (0, LEAST, 1, 1, True),
        (0, LEAST - 1, 1, 1, False),
        (0, LEAST, 1, 0, False),
        (0, LEAST, 1, -1, False),
        (0, 10 * LEAST, 4, 4, False),
        (49 * FRAME, 49 * FRAME + LEAST, 3, 1, True),
        (49 * FRAME + 1, 49 * FRAME + LEAST, 3, 1, False),
    ],
)
def test_a_run_hands_over_when_a_segment_waits_and_a_thread_is_idle(
    read: int, arrived: int, runs: int, idle: int, *, opens: bool
) -> None:
    assert FOUR.opens(read_bytes=read, arrived_bytes=arrived, runs=runs, idle_threads=idle) == opens


@pytest.mark.parametrize(
    ("segments", "held", "runs", "idle", "ahead"),
    [
        (TWO, 0, 1, 1, True),
        (TWO, 0, 1, 0, False),
        (TWO, 0, 2, 0, True),
        (TWO, 0, 2, -1, False),
        (TWO, TWO.most_held_bytes - 1, 2, 0, True),
        (TWO, TWO.most_held_bytes, 2, 1, False),
        (Segments.for_threads(CD, 1), 0, 1, 1, False),
    ],
)
def test_more_is_read_only_for_a_thread_that_is_idle_or_will_be(
    segments: Segments, held: int, runs: int, idle: int, *, ahead: bool
) -> None:
    assert segments.reads_ahead(held_bytes=held, runs=runs, idle_threads=idle) == ahead


@pytest.mark.parametrize(("segments", "mb"), [(TWO, 11.7), (FOUR, 10.4)])
def test_memory_is_bounded(segments: Segments, mb: float) -> None:
    assert segments.most_held_bytes == pytest.approx(mb * 1e6, rel=0.02)


@settings(deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.integers(1, 2_000),
    st.integers(0, 10**9),
    st.integers(0, 10**8),
    st.integers(1, 9),
)
def test_the_next_run_begins_in_step_with_the_slots_after_a_whole_segment(
    mp3: Mp3Format, segment: int, read_bytes: int, more_bytes: int, runs: int
) -> None:
    segments = Segments(mp3, segment, most_runs=9)
    first = segments.handover(read_bytes)
    assert first % mp3.slot_period == 0
    assert first * segments.frame_bytes >= read_bytes + segment * segments.frame_bytes
    offsets = [mp3.frame_offset(first + n) - mp3.frame_offset(first) for n in range(60)]
    assert offsets == [mp3.frame_offset(n) for n in range(60)]
    arrived = read_bytes + more_bytes
    if segments.opens(read_bytes=read_bytes, arrived_bytes=arrived, runs=runs, idle_threads=1):
        assert arrived >= (first + segments.reach) * segments.frame_bytes
        assert runs < 9


def test_frames_repeat_their_sizes_after_a_slot_period() -> None:
    for mp3 in FORMATS:
        sizes = [mp3.frame_offset(n + 1) - mp3.frame_offset(n) for n in range(200)]
        assert sizes[: -mp3.slot_period] == sizes[mp3.slot_period :]
        assert 49 % mp3.slot_period == 0
