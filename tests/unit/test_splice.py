"""Where two runs may be joined, and what a joined stream consists of: with frames made by hand."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pigwav.audio.mp3 import Mp3Format
from pigwav.audio.splice import FrameBuffer, find_seam, join

MONO, STEREO = Mp3Format(16_000, 1, 32), Mp3Format(44_100, 2, 128)
FIRST = 49
SETTLING = 4
NORMAL, START, SHORT, STOP = range(4)


@dataclass(frozen=True)
class Made:
    """`back`: main_data_begin. `windows`: of each granule and channel."""

    back: int = 0
    windows: tuple[int, ...] = ()


def side_info(mp3: Mp3Format, made: Made) -> bytes:
    """As in ISO/IEC 11172-3 2.4.1.7 and 13818-3 2.4.1.7."""
    mpeg1 = mp3.sample_rate_hz >= 32_000
    private = {(True, 1): 5, (True, 2): 3, (False, 1): 1, (False, 2): 2}[mpeg1, mp3.channels]
    shared = 4 * mp3.channels if mpeg1 else 0
    bits = f"{made.back:0{9 if mpeg1 else 8}b}" + "1" * private + "0" * shared
    count = mp3.channels * (2 if mpeg1 else 1)
    before, after = (12 + 9 + 8 + (4 if mpeg1 else 9)), (3 if mpeg1 else 2)
    for window in made.windows or (NORMAL,) * count:
        switched = f"1{window:02b}" + "1" * 20 if window else "0" + "1" * 22
        bits += "0" * before + switched[: 1 + 22] + "1" * after
    return int(bits, 2).to_bytes(mp3.side_info_bytes, "big")


def run(mp3: Mp3Format, frames: list[Made], *, fill: int = 0) -> FrameBuffer:
    """The main data of frame n consist of the byte `fill` + n."""
    buffer = FrameBuffer(mp3, FIRST)
    for number, made in enumerate(frames):
        size = mp3.frame_offset(number + 1) - mp3.frame_offset(number)
        head = mp3.header(mp3.bitrate_kbps) + side_info(mp3, made)
        buffer.append(head.ljust(size, bytes([fill + number])))
    return buffer


@pytest.mark.parametrize(("mp3", "count"), [(MONO, 1), (STEREO, 4)], ids=str)
def test_side_information_is_read(mp3: Mp3Format, count: int) -> None:
    windows = (STOP, START, SHORT, NORMAL)[:count]
    buffer = run(mp3, [Made(), Made(201, windows), Made(255, (SHORT,) * count)])
    assert [buffer.main_data_begin(FIRST + n) for n in range(3)] == [0, 201, 255]
    assert buffer.block_types(FIRST + 1) == windows
    assert buffer.block_types(FIRST + 2) == (SHORT,) * count
    assert buffer.end == FIRST + 3
    buffer.append(mp3.header(mp3.bitrate_kbps) + bytes(mp3.side_info_bytes - 1))
    assert buffer.end == FIRST + 3
    buffer.append(b"\0")
    assert buffer.end == FIRST + 4


@pytest.mark.parametrize(
    ("earlier", "later", "seam"),
    [
        ({}, {}, 9),
        ({9: Made(3)}, {}, 8),
        ({9: Made(3)}, {8: Made(2), 7: Made(2), 6: Made(2), 5: Made(2)}, 9),
        ({}, {9: Made(1)}, 8),
        ({9: Made(windows=(NORMAL, START, NORMAL, NORMAL))}, {}, 8),
        ({8: Made(windows=(NORMAL, NORMAL, STOP, NORMAL))}, {}, 7),
        ({}, {n: Made(1) for n in range(5, 10)}, None),
        ({n: Made(1) for n in range(10)}, {n: Made(2) for n in range(10)}, None),
        ({n: Made(windows=(SHORT,) * 4) for n in range(0, 10, 2)}, {}, None),
    ],
    ids=[
        "the last one",
        "one that wastes nothing",
        "one that wastes something",
        "later data do not fit",
        "other windows",
        "other windows before",
        "only in frames that have not settled",
        "never fits",
        "never the same windows",
    ],
)
def test_the_best_seam_is_found(earlier: dict[int, Made], later: dict[int, Made], seam: int | None) -> None:
    one, other = (run(STEREO, [frames.get(n, Made()) for n in range(10)]) for frames in (earlier, later))
    assert find_seam(one, other) == (None if seam is None else FIRST + seam)


MADE = st.builds(Made, st.integers(0, 3), st.sampled_from([(NORMAL,) * 4, (START,) * 4]))


@settings(deadline=None)
@given(st.lists(MADE, min_size=8, max_size=16), st.lists(MADE, min_size=8, max_size=16))
def test_a_seam_keeps_the_rules_and_there_is_no_better_one(earlier: list[Made], later: list[Made]) -> None:
    def unused(n: int) -> int:
        return earlier[n].back - later[n].back

    legal = [
        n
        for n in range(SETTLING + 1, min(len(earlier), len(later)))
        if unused(n) >= 0
        and earlier[n].windows == later[n].windows
        and earlier[n - 1].windows == later[n - 1].windows
    ]
    best = min(legal, key=lambda n: (unused(n), -n), default=None)
    found = find_seam(run(STEREO, earlier), run(STEREO, later))
    assert found == (None if best is None else FIRST + best)


def main_data(frames: bytes, mp3: Mp3Format) -> bytes:
    """The main data of nine frames."""
    area = 4 + mp3.side_info_bytes
    return b"".join(frames[mp3.frame_offset(n) + area : mp3.frame_offset(n + 1)] for n in range(9))


@pytest.mark.parametrize("mp3", [MONO, STEREO], ids=str)
@pytest.mark.parametrize("back", [0, 1, 200, 255])
def test_a_joined_stream_has_the_main_data_of_the_later_run_before_the_seam(
    mp3: Mp3Format, back: int
) -> None:
    frames = [Made(back) for _ in range(12)]
    earlier, later = run(mp3, frames, fill=0x40), run(mp3, frames, fill=0x80)
    before = {
        fill: main_data(run(mp3, frames, fill=fill).take_before(FIRST + 9), mp3) for fill in (0x40, 0x80)
    }
    joined = join(earlier, later, FIRST + 9)
    kept = len(before[0x40]) - back
    assert main_data(joined, mp3) == before[0x40][:kept] + before[0x80][kept:]
    rest = later.take_all()
    assert rest.startswith(mp3.header(mp3.bitrate_kbps) + side_info(mp3, Made(back)))
    assert len(joined) + len(rest) == mp3.frame_offset(12)
