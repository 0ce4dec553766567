"""The card: what a person sees in it, at any length and loudness."""

import re
import subprocess
import sys
from importlib.resources import files
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pigwav.audio import card as drawing
from pigwav.audio.card import HEIGHT_PX, WIDTH_PX, card, heights
from pigwav.audio.waveform import MAX_POINTS, Waveform

PAGE = files("pigwav") / "page"
ACCENT, BACKGROUND, ON_ACCENT = drawing.ACCENT, drawing.BACKGROUND, drawing.ON_ACCENT
CENTRE = (WIDTH_PX // 2, HEIGHT_PX // 2)


def waveform(magnitudes: list[int]) -> Waveform:
    return Waveform(8000, 160, np.array([(-one, one) for one in magnitudes], np.int8).reshape(-1, 2))


def picture(magnitudes: list[int] | None) -> Image.Image:
    png = card(None if magnitudes is None else waveform(magnitudes).dat())
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(png) < 20 * 1024
    return Image.open(BytesIO(png)).convert("RGB")


def bars_px(image: Image.Image) -> list[int]:
    """The height of each bar, from left to right, measured in the middle of the bar."""
    below_mark = image.crop((0, 200, WIDTH_PX, HEIGHT_PX))
    columns = np.asarray(below_mark)[:, 84 + 6 : WIDTH_PX - 84 : 20]
    return (columns == ACCENT).all(axis=2).sum(axis=0).tolist()


def test_bars_are_as_high_as_their_part_is_loud() -> None:
    image = picture([20] * 26 + [80] * 26)

    assert image.size == (WIDTH_PX, HEIGHT_PX)
    assert bars_px(image) == [pytest.approx(75, abs=2)] * 26 + [pytest.approx(300, abs=2)] * 26


def test_a_quiet_recording_looks_as_a_loud_one() -> None:
    assert bars_px(picture([2, 4] * 26)) == bars_px(picture([62, 124] * 26))


@pytest.mark.parametrize("magnitudes", [[], [0], [1] * 100, [0] * MAX_POINTS])
def test_silence_is_a_line_of_dots(magnitudes: list[int]) -> None:
    assert bars_px(picture(magnitudes)) == [pytest.approx(12, abs=2)] * 52


def test_a_clip_with_fewer_points_than_bars_fills_the_card() -> None:
    assert (
        bars_px(picture([64, 128 - 1])) == [pytest.approx(151, abs=2)] * 26 + [pytest.approx(300, abs=2)] * 26
    )


def test_a_recording_without_a_waveform_has_the_mark_alone() -> None:
    image = picture(None)

    assert image.getpixel(CENTRE) == ON_ACCENT  # the longest stroke
    assert image.getpixel((CENTRE[0] - 110, CENTRE[1])) == ACCENT
    outside = np.asarray(image).copy()
    outside[195:435, 480:720] = BACKGROUND
    assert (outside == BACKGROUND).all()


def test_the_mark_is_in_the_corner_of_every_waveform() -> None:
    image = picture([100] * 52)

    assert [image.getpixel(at) for at in ((84 + 48, 84 + 48), (84 + 48, 84 + 4))] == [ON_ACCENT, ACCENT]
    assert image.getpixel((84, 84)) == BACKGROUND  # its corners are round


@given(arrays(np.int8, st.tuples(st.integers(0, 300), st.just(2))), st.integers(1, 100))
def test_the_loudest_bar_has_the_full_height(pairs: np.ndarray, count: int) -> None:
    found = heights(Waveform(8000, 160, pairs), count)

    assert len(found) == count
    assert all(0 <= one <= 1 for one in found)
    assert max(found) in (0, 1)


def test_colours_and_mark_are_those_of_the_page() -> None:
    style, icon = (PAGE / "style.css").read_text(), (PAGE / "icon.svg").read_text()
    light = style.partition("@media")[0]

    for token, colour in (("bg", BACKGROUND), ("accent", ACCENT), ("accent-text", ON_ACCENT)):
        assert f"--{token}: #{bytes(colour).hex()};" in light
    strokes = [(x, y, length) for x, y, length in re.findall(r"M([\d.]+) (\d+)v(\d+)", icon)]
    assert [tuple(map(float, one)) for one in strokes] == [*drawing.STROKES]
    assert f'stroke-width="{drawing.STROKE}"' in icon
    assert f'fill="#{bytes(ACCENT).hex()}"' in icon


def test_a_process_that_draws_no_card_does_not_load_pillow() -> None:
    program = "import sys, pigwav.wiring, pigwav.api.page; print('PIL' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
