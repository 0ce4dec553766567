"""The picture that messengers show for a link: the waveform as bars, and the mark of the page. Pure.

It has only the colours of the page's light scheme, so it is drawn in one channel: a level of 0 is the background, 128
the accent, and 255 what is drawn on the accent. Levels between them smooth the edges. A palette makes them colours.
"""

from io import BytesIO
from typing import TYPE_CHECKING, Final

from pigwav.audio.waveform import Waveform

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

WIDTH_PX: Final = 1200
HEIGHT_PX: Final = 630

Colour = tuple[int, int, int]

BACKGROUND: Final[Colour] = (0xFA, 0xF8, 0xF6)
ACCENT: Final[Colour] = (0xB3, 0x24, 0x5C)
ON_ACCENT: Final[Colour] = (0xFF, 0xFF, 0xFF)
"""`--bg`, `--accent` and `--accent-text` of page/style.css."""

_ACCENT_LEVEL: Final = 128
_ON_ACCENT_LEVEL: Final = 255

# Four times the measures of the page: messengers show the card at a third or a quarter of its size.
_BAR_PX: Final = 12
_STEP_PX: Final = 20
_BARS: Final = 52
_MARGIN_PX: Final = 84
_LOUDEST_PX: Final = 300
_MARK_PX: Final = 96
_MARK_ALONE_PX: Final = 240

# page/icon.svg in its own units; a stroke has round ends beyond its length.
_ICON: Final = 32
_CORNER: Final = 9
STROKE: Final = 2.6
STROKES: Final = ((7, 14, 4), (11.5, 10, 12), (16, 7, 18), (20.5, 11, 10), (25, 14, 4))
"""x, y, length."""

_QUIETEST: Final = 2
"""A louder bar is stretched to the full height; below is silence. As in page/js/peaks.js."""

_ENLARGED: Final = 3
"""Everything is drawn so many times larger, and then reduced: Pillow draws edges without smoothing them."""


def card(dat: bytes | None) -> bytes:
    """A PNG of WIDTH_PX x HEIGHT_PX. `dat`: as `Waveform.dat` wrote it; None: the card shows the mark alone."""
    # Imported with the first card: a process that draws none saves the memory.
    from PIL import Image, ImageDraw  # noqa: PLC0415

    levels = Image.new("L", (WIDTH_PX * _ENLARGED, HEIGHT_PX * _ENLARGED))
    draw = ImageDraw.Draw(levels)
    if dat is None:
        _draw_mark(draw, (WIDTH_PX - _MARK_ALONE_PX) / 2, (HEIGHT_PX - _MARK_ALONE_PX) / 2, _MARK_ALONE_PX)
    else:
        _draw_mark(draw, _MARGIN_PX, _MARGIN_PX, _MARK_PX)
        _draw_bars(draw, heights(Waveform.read(dat), _BARS))
    return _png(levels.reduce(_ENLARGED))


def heights(waveform: Waveform, count: int) -> list[float]:
    """The heights of `count` bars, 0 to 1, as the page draws them: means, of which the loudest has the height 1."""
    means = waveform.means(count)
    loudest = max(means, default=0)
    if loudest <= _QUIETEST:
        return [0.0] * count
    return [means[number * len(means) // count] / loudest for number in range(count)]


def _draw_bars(draw: "ImageDraw.ImageDraw", bars: list[float]) -> None:
    centre_px = HEIGHT_PX - _MARGIN_PX - _LOUDEST_PX / 2
    for number, height in enumerate(bars):
        half_px = max(_BAR_PX, height * _LOUDEST_PX) / 2
        left_px = _MARGIN_PX + number * _STEP_PX
        box_px = (left_px, centre_px - half_px, left_px + _BAR_PX, centre_px + half_px)
        _draw_rounded(draw, box_px, radius_px=_BAR_PX / 2, level=_ACCENT_LEVEL)


def _draw_mark(draw: "ImageDraw.ImageDraw", left_px: float, top_px: float, size_px: float) -> None:
    unit = size_px / _ICON
    square_px = (left_px, top_px, left_px + size_px, top_px + size_px)
    _draw_rounded(draw, square_px, radius_px=_CORNER * unit, level=_ACCENT_LEVEL)
    half_px = STROKE / 2 * unit
    for x, y, length in STROKES:
        x_px, y_px, end_px = left_px + x * unit, top_px + y * unit, top_px + (y + length) * unit
        box_px = (x_px - half_px, y_px - half_px, x_px + half_px, end_px + half_px)
        _draw_rounded(draw, box_px, radius_px=half_px, level=_ON_ACCENT_LEVEL)


def _draw_rounded(
    draw: "ImageDraw.ImageDraw", box_px: tuple[float, float, float, float], *, radius_px: float, level: int
) -> None:
    left, top, right, bottom = (round(side * _ENLARGED) for side in box_px)
    draw.rounded_rectangle((left, top, right - 1, bottom - 1), radius_px * _ENLARGED, fill=level)


def _png(levels: "Image.Image") -> bytes:
    levels.putpalette(_palette())  # makes the levels indices
    out = BytesIO()
    levels.save(out, "PNG")
    return out.getvalue()


def _palette() -> bytes:
    """The colour of each level, as red, green, blue."""
    to_accent = (_between(BACKGROUND, ACCENT, level / _ACCENT_LEVEL) for level in range(_ACCENT_LEVEL))
    above = _ON_ACCENT_LEVEL - _ACCENT_LEVEL
    to_on_accent = (_between(ACCENT, ON_ACCENT, level / above) for level in range(above + 1))
    return b"".join(map(bytes, (*to_accent, *to_on_accent)))


def _between(start: Colour, end: Colour, share: float) -> Colour:
    red, green, blue = (round(one + (other - one) * share) for one, other in zip(start, end, strict=True))
    return red, green, blue
