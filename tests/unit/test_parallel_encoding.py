"""One stream from several encoder runs: correct for a decoder, exactly as long as predicted, and as good."""

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from converting import played
from longer import long
from materials import MATERIALS, material
from mp3_walker import walk
from needs import skip_or_fail
from parallel_encoding import FAST, Eager, Encoded, check, eager, encoded, samples_for
from pigwav.audio.info import info_frame
from pigwav.audio.lame import LameEncoder
from pigwav.audio.mp3 import SAMPLE_RATES_HZ, Mp3Format, Mp3Shape, bit_rates_kbps
from pigwav.audio.splice import FrameBuffer, find_seam, join

FORMATS = [
    Mp3Format(rate, channels, kbps)
    for rate in SAMPLE_RATES_HZ
    for channels in (1, 2)
    for kbps in bit_rates_kbps(rate)
]
SELECTED = [
    Mp3Format(rate, channels, kbps)
    for rate in SAMPLE_RATES_HZ
    for channels in (1, 2)
    for kbps in (bit_rates_kbps(rate)[0], bit_rates_kbps(rate)[-4], bit_rates_kbps(rate)[-1])
]
CD = Mp3Format(44_100, 2, 128)
PHONE = Mp3Format(8_000, 1, 24)
MOST_LOST_DB = 3.0
"""By a single stream, near its seams, in the mean; the worst measured is 0.5."""


def serial(pcm: bytes, mp3: Mp3Format, *, quality: int = FAST) -> bytes:
    lame = LameEncoder(mp3, quality=quality)
    return lame.encode(pcm) + lame.flush()


def pcm_of(kind: str, mp3: Mp3Format, samples: int) -> bytes:
    return material(kind, samples=samples, rate_hz=mp3.sample_rate_hz, channels=mp3.channels)


def check_format(mp3: Mp3Format, kind: str) -> None:
    segments = eager(mp3)
    samples = samples_for(segments, seams=1)
    done = encoded(pcm_of(kind, mp3, samples), segments)
    check(done, segments, samples)
    assert len(done.seams) == 1


@pytest.mark.parametrize(("number", "mp3"), list(enumerate(SELECTED)), ids=str)
def test_a_decoder_can_follow_the_stream(number: int, mp3: Mp3Format) -> None:
    check_format(mp3, list(MATERIALS)[number % len(MATERIALS)])


@pytest.mark.long
@pytest.mark.parametrize("kind", MATERIALS)
@pytest.mark.parametrize("rate", SAMPLE_RATES_HZ)
def test_a_decoder_can_follow_each_format_and_material(rate: int, kind: str) -> None:
    for mp3 in FORMATS:
        if mp3.sample_rate_hz == rate:
            check_format(mp3, kind)


def in_file(done: Encoded, mp3: Mp3Format, samples: int, folder: Path) -> Path:
    path = folder / "parallel.mp3"
    path.write_bytes(info_frame(mp3, Mp3Shape.of(samples, mp3), lame_quality=FAST) + done.frames)
    return path


@pytest.mark.parametrize("mp3", [*SELECTED[1::6], *long(*FORMATS)], ids=str)
def test_ffmpeg_and_mpg123_return_exactly_the_samples(mp3: Mp3Format, tmp_path: Path) -> None:
    segments = eager(mp3)
    samples = samples_for(segments, seams=2)
    path = in_file(encoded(pcm_of("music", mp3, samples), segments), mp3, samples, tmp_path)
    assert len(played(path.read_bytes(), tmp_path, channels=mp3.channels)) == samples * mp3.channels * 2
    assert len(by_mpg123(path)) == samples * mp3.channels * 2


def by_mpg123(path: Path) -> bytes:
    program = shutil.which("mpg123")
    if program is None:
        skip_or_fail("mpg123", "mpg123 is not installed")
    command = [program, "-q", "-s", "--gapless", "-e", "s16", "--no-resync", str(path)]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout


@pytest.mark.parametrize("mp3", [CD, PHONE], ids=str)
@pytest.mark.parametrize(
    "refused",
    [{1}, {1, 2}, {3}, {2, 3}, {1, 2, 3}],
    ids=["once", "twice in a row", "at the end", "at the end, twice", "always"],
)
def test_a_run_without_a_seam_is_replaced_by_the_one_before(mp3: Mp3Format, refused: set[int]) -> None:
    """Refuses every seam with the runs of these numbers."""
    firsts: list[int] = []

    def rule(earlier: FrameBuffer, later: FrameBuffer) -> int | None:
        if later.first not in firsts:
            firsts.append(later.first)
        return None if firsts.index(later.first) + 1 in refused else find_seam(earlier, later)

    segments = eager(mp3)
    samples = samples_for(segments, seams=3)
    pcm = pcm_of("music", mp3, samples)
    done = encoded(pcm, segments, seam_rule=rule)
    check(done, segments, samples)
    assert len(firsts) == 3
    assert [firsts.index(seam.later_first) + 1 for seam in done.seams] == sorted({1, 2, 3} - refused)
    if len(refused) == 3:
        assert done.frames == serial(pcm, mp3)


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_a_run_goes_on_until_there_is_a_seam(tries: int) -> None:
    counts: Counter[int] = Counter()

    def rule(earlier: FrameBuffer, later: FrameBuffer) -> int | None:
        counts[later.first] += 1
        return find_seam(earlier, later) if counts[later.first] > tries else None

    segments = Eager(CD, segment=98, most_runs=8)
    samples = samples_for(segments, seams=2) + 5 * segments.extension * CD.frame_samples
    done = encoded(pcm_of("speech", CD, samples), segments, seam_rule=rule)
    check(done, segments, samples)
    assert len(done.seams) == 2
    assert all(seam.frame > seam.later_first + segments.overlap for seam in done.seams)


@pytest.mark.parametrize("mp3", [CD, PHONE, Mp3Format(16_000, 1, 40), Mp3Format(8_000, 1, 8)], ids=str)
def test_a_run_that_was_joined_late_is_joined_with_what_is_left_of_it(mp3: Mp3Format) -> None:
    """If a run has no seam with the one before for a whole segment, its first frames are gone, also those beyond the
    next run's beginning.
    """
    overlap, first = 60, -(-100 // mp3.slot_period) * mp3.slot_period
    pcm = pcm_of("music", mp3, (first + 2 * overlap) * mp3.frame_samples)
    earlier_run = serial(pcm, mp3)
    later_run = serial(pcm[first * mp3.frame_samples * 2 * mp3.channels :], mp3)
    own = [walk(run).payloads for run in (earlier_run, later_run)]
    seams = []
    for gone in range(overlap):
        earlier, later = FrameBuffer(mp3, 0), FrameBuffer(mp3, first)
        earlier.append(earlier_run[: mp3.frame_offset(first + overlap)])
        later.append(later_run)
        frames = earlier.take_before(first + gone)
        seam = find_seam(earlier, later)
        if seam is not None:
            assert seam > first + gone
            seams.append(seam)
            found = walk(frames + join(earlier, later, seam) + later.take_all())
            assert found.problems == []
            assert found.payloads == own[0][:seam] + own[1][seam - first :]
    assert seams


EDGES = eager(CD)


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize(
    "frames",
    [EDGES.segment, EDGES.segment + EDGES.overlap, EDGES.least, EDGES.least + EDGES.segment, 2 * EDGES.least],
)
def test_lengths_at_the_edges(frames: int, more: int) -> None:
    samples = frames * CD.frame_samples + more
    pcm = pcm_of("music", CD, samples)
    done = encoded(pcm, EDGES, blocks=[samples])
    check(done, EDGES, samples)
    assert len(done.runs) == (2 if samples >= EDGES.least * CD.frame_samples else 1)
    if len(done.runs) == 1:
        assert done.frames == serial(pcm, CD)


@pytest.mark.parametrize("samples", [1, 575, 1_152, 1_153])
def test_a_short_stream_has_one_run(samples: int) -> None:
    pcm = pcm_of("music", CD, samples)
    assert encoded(pcm, EDGES).frames == serial(pcm, CD)


@settings(deadline=None, max_examples=15)
@given(
    st.sampled_from(FORMATS),
    st.sampled_from(sorted(MATERIALS)),
    st.lists(st.integers(0, 150_000), max_size=5),
    st.integers(49, 120),
    st.integers(0, 3_000),
)
def test_it_makes_no_difference_where_blocks_and_runs_end(
    mp3: Mp3Format, kind: str, blocks: list[int], segment: int, rest: int
) -> None:
    segments = Eager(mp3, segment=segment, most_runs=4)
    samples = 1 + rest + min(sum(blocks), 200_000)
    check(encoded(pcm_of(kind, mp3, samples), segments, blocks=blocks), segments, samples)


def test_seams_cost_no_quality(tmp_path: Path) -> None:
    """Signal to noise of the frames around seams, compared with one run, in the mean."""
    segments = eager(CD)
    samples = samples_for(segments, seams=4)
    pcm = pcm_of("music", CD, samples)
    done = encoded(pcm, segments, quality=3)
    whole = Encoded(serial(pcm, CD, quality=3))
    ours, theirs = (
        snr_of_frames(pcm, played(in_file(one, CD, samples, tmp_path).read_bytes(), tmp_path, channels=2))
        for one in (done, whole)
    )
    near = sorted({frame + k for frame in (seam.frame for seam in done.seams) for k in range(-2, 4)})
    assert len(done.seams) == 4
    assert float(np.mean(ours[near] - theirs[near])) > -MOST_LOST_DB
    assert float(np.min(ours[near])) > float(np.min(theirs)) - MOST_LOST_DB


def snr_of_frames(pcm: bytes, heard: bytes) -> NDArray[np.float64]:
    block = CD.frame_samples * CD.channels
    one, other = (
        np.frombuffer(audio, "<i2")[: len(pcm) // 2 // block * block].astype(np.float64).reshape(-1, block)
        for audio in (pcm, heard)
    )
    signal, noise = np.sum(one**2, axis=1), np.sum((one - other) ** 2, axis=1)
    return np.asarray(10 * np.log10((signal + 1) / (noise + 1)))
