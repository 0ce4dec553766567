"""Downmix of more than two channels to stereo."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.audio.downmix import pan_to_stereo


def gains(channels: int, speakers: int) -> tuple[dict[int, float], dict[int, float]]:
    """The filter's gains by input channel, for left and for right."""
    layout, *sides = pan_to_stereo(channels, speakers).split("|")
    assert layout == "pan=stereo"
    left, right = ({int(c): float(g) for g, c in re.findall(r"([\d.]+)\*c(\d+)", side)} for side in sides)
    return left, right


@given(st.integers(3, 32), st.integers(0, 0xFFFFFFFF))
def test_no_mix_can_clip_and_no_channel_is_lost(channels: int, speakers: int) -> None:
    left, right = gains(channels, speakers)
    assert max(sum(left.values()), sum(right.values())) == pytest.approx(1, abs=1e-4)
    assert set(left) | set(right) == set(range(channels))


@pytest.mark.parametrize("speakers", [0, 0x3F], ids=["usual", "named"])
def test_surround_is_mixed_as_itu_says(speakers: int) -> None:
    left, right = gains(6, speakers)
    assert left[0] == right[1]
    assert left[2] == right[2] == pytest.approx(left[0] * 0.7071, abs=1e-4)
    assert left[4] == right[5] == pytest.approx(left[0] * 0.7071, abs=1e-4)
    assert 1 not in left
    assert 0 not in right


def test_mask_says_which_channel_is_where() -> None:
    left, right = gains(3, 0x304)  # mask bits 2, 8 and 9: centre, back centre, side left
    assert left[0] == right[0]
    assert left[1] == right[1]
    assert 2 in left
    assert 2 not in right


@pytest.mark.parametrize("channels", [9, 16])
def test_tracks_of_a_recorder_are_dealt_out_left_and_right(channels: int) -> None:
    left, right = gains(channels, 0)
    assert set(left) == set(range(0, channels, 2))
    assert set(right) == set(range(1, channels, 2))
