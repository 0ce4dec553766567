"""The frame walker of the tests finds streams that no decoder can follow."""

import random

import pytest

from materials import material
from mp3_walker import SHORT, Walk, walk
from pigwav.audio.lame import LameEncoder
from pigwav.audio.mp3 import Mp3Format

SEED = 5
CD, PHONE = Mp3Format(44_100, 2, 128), Mp3Format(16_000, 1, 32)


def stream(mp3: Mp3Format, frames: int = 90) -> bytearray:
    lame = LameEncoder(mp3, quality=5)
    audio = material(
        "music", samples=frames * mp3.frame_samples, rate_hz=mp3.sample_rate_hz, channels=mp3.channels
    )
    return bytearray(lame.encode(audio) + lame.flush())


def with_back(made: bytearray, found: Walk, number: int, back: int) -> bytes:
    """The stream with another main_data_begin in one frame."""
    forged, at = bytearray(made), found.frames[number].at + 4
    if found.frames[0].kind[0] == "11":
        forged[at : at + 2] = (back << 7 | int.from_bytes(forged[at : at + 2], "big") & 0x7F).to_bytes(
            2, "big"
        )
    else:
        forged[at] = back
    return bytes(forged)


@pytest.mark.parametrize("mp3", [CD, PHONE], ids=str)
def test_lame_s_own_stream_is_clean(mp3: Mp3Format) -> None:
    found = walk(bytes(stream(mp3)))
    assert found.problems == []
    assert any(frame.back for frame in found.frames)
    assert mp3 == PHONE or any(SHORT in frame.windows for frame in found.frames)


@pytest.mark.parametrize("mp3", [CD, PHONE], ids=str)
def test_a_forged_begin_of_main_data_is_found(mp3: Mp3Format) -> None:
    made, chance = stream(mp3), random.Random(SEED)
    found = walk(bytes(made))
    for _ in range(30):
        number = chance.randrange(10, len(found.frames) - 5)
        back = found.frames[number].back + chance.randrange(1, 200)
        forged = walk(with_back(made, found, number, min(back, 511 if mp3 is CD else 255)))
        assert any(f"frame {number} begins" in problem for problem in forged.problems)


def test_a_seam_without_the_main_data_of_the_later_run_is_found() -> None:
    """One run's frames follow another's, as if the frames were independent."""
    made = stream(CD, frames=200)
    found = walk(bytes(made))
    rest = bytes(made[found.frames[98].at :])
    number = next(n for n in range(40, 90) if found.frames[n].back < found.frames[98].back)
    assert walk(bytes(made[: found.frames[number].at]) + rest).problems


def test_a_seam_between_windows_that_do_not_fit_is_found() -> None:
    made = stream(CD, frames=200)
    found = walk(bytes(made))
    short = next(n for n, frame in enumerate(found.frames) if n > 10 and frame.windows[2:] == [SHORT, SHORT])
    without = bytes(made[: found.frames[short].at] + made[found.frames[short].end :])
    assert any("windows" in problem for problem in walk(without).problems)


def test_bytes_between_frames_a_cut_frame_and_another_format_are_found() -> None:
    made = bytes(stream(CD))
    at = walk(made).frames[20].at
    for forged in (made[:at] + b"\0" + made[at:], made[:at] + made[at + 1 :], made[:-1]):
        with pytest.raises(ValueError, match="byte"):
            walk(forged)
    assert walk(made + bytes(stream(PHONE))).problems
