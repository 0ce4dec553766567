"""Waveforms in characters, and the rows and facts that are printed of a recording."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.both import recording_json
from pigwav.cli.recordings import facts, plain_row, row
from pigwav.cli.waveforms import drawn, means
from pigwav.client import Recording

CHANNEL = {"peak_dbfs": -1.3, "rms_dbfs": -20.4, "dc_offset": 0.0, "clipped_samples": 7}
LEVELS = {
    "loudness_lufs": -18.34,
    "loudness_range_lu": 6.1,
    "rms_dbfs": -20.4,
    "silent_share": 0.07,
    "longest_silence_ms": 1300,
    "channels": [CHANNEL, CHANNEL],
    "correlation": 0.75,
    "identical": False,
    "measured_from": "wav",
}
CLIPPED = {"code": "clipped", "detail": "Loud.", "value": 14, "unit": "samples"}
QUIET = {"code": "very-quiet", "detail": "Quiet.", "value": -50, "unit": "LUFS"}


@pytest.mark.parametrize(
    ("magnitudes", "cells", "line"),
    [
        ([0, 18, 37, 55, 73, 91, 110, 128], 80, "▁▂▃▄▅▆▇█"),
        ([0, 2, 4, 8], 80, "▁▃▅█"),
        ([10, 30, 10, 30, 0, 0], 3, "██▁"),
        ([2, 1, 2], 80, "▁▁▁"),
        ([5], 80, "█"),
        ([], 80, ""),
    ],
)
def test_the_loudest_part_has_the_highest_block(magnitudes: list[int], cells: int, line: str) -> None:
    assert drawn(bytes(magnitudes), cells, "utf-8") == line


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "no-such-encoding", None])
def test_an_encoding_without_blocks_gets_ascii(encoding: str | None) -> None:
    assert drawn(bytes(range(0, 128, 16)), 80, encoding) == "_.-:=+*#"


@given(st.binary(max_size=300).map(lambda data: bytes(value % 129 for value in data)), st.integers(-5, 200))
def test_it_fits_and_every_part_is_within_its_magnitudes(magnitudes: bytes, cells: int) -> None:
    line = drawn(magnitudes, cells, "utf-8")

    assert len(line) == min(max(1, cells), len(magnitudes))
    assert all(min(magnitudes) <= mean <= max(magnitudes) for mean in means(magnitudes, 7))


def recording(**more: object) -> Recording:
    return Recording.from_json(recording_json(**more))


@pytest.mark.parametrize(
    ("more", "table", "plain"),
    [
        ({"levels": LEVELS}, ["-18.3", ""], ["-18.3", "none"]),
        (
            {"levels": LEVELS, "warnings": [CLIPPED, QUIET]},
            ["-18.3", "clipped +1"],
            ["-18.3", "clipped,very-quiet"],
        ),
        (
            {"levels": LEVELS | {"loudness_lufs": None}, "warnings": [CLIPPED]},
            ["too quiet", "clipped"],
            ["too quiet", "clipped"],
        ),
        ({"levels": None, "warnings": None}, ["not measured", ""], ["not measured", "not known"]),
    ],
)
def test_a_row_has_loudness_and_warnings(more: dict[str, object], table: list[str], plain: list[str]) -> None:
    one = recording(**more)

    assert [*row(one)[4:6]] == table
    assert row(one)[-1] == one.url
    assert plain_row(one).split("\t")[4:] == [one.url, *plain]


def test_facts_that_an_mp3_does_not_tell_are_not_measured() -> None:
    unknown = CHANNEL | {"clipped_samples": None}
    later = LEVELS | {"measured_from": "mp3", "channels": [unknown], "correlation": None, "identical": None}

    found, never = dict(facts(recording(levels=later))), dict(facts(recording(levels=None)))

    assert (found["loudness"], found["clipped"]) == ("-18.3 LUFS", "not measured")
    assert found["measured from"] == "the MP3"
    assert dict(facts(recording(levels=LEVELS)))["clipped"] == "7 samples / 7 samples"
    assert (never["loudness"], never["peak"]) == ("not measured", "-1.3 dBFS")
