"""Mixes more than two channels down to stereo with one explicit ffmpeg `pan` filter. Pure.

- If the channel mask names a speaker for every channel, the gains are those of ITU-R BS.775: sides, backs and the
  centre at -3 dB.
- If it does not, up to 8 channels are taken for the usual surround order.
- More than 8 are taken for the tracks of a recorder: the first, third, ... go left, the others right.

The low-frequency channel stays, at -6 dB, because on a recorder it is a track like any other. All gains are scaled so
that the sum cannot clip.
"""

from typing import Final

_Gains = tuple[float, float]

_HALF: Final = 0.5
_MINUS_3_DB: Final = 0.5**0.5
_LEFT: Final = (1.0, 0.0)
_RIGHT: Final = (0.0, 1.0)
_CENTRE: Final = (_MINUS_3_DB, _MINUS_3_DB)
_SIDE_LEFT: Final = (_MINUS_3_DB, 0.0)
_SIDE_RIGHT: Final = (0.0, _MINUS_3_DB)
_MINUS_6_DB: Final = (_HALF, _HALF)

_SPEAKERS: Final[tuple[_Gains, ...]] = (
    _LEFT,
    _RIGHT,
    _CENTRE,
    _MINUS_6_DB,  # low frequency
    _SIDE_LEFT,  # back left
    _SIDE_RIGHT,  # back right
    _LEFT,  # front left of centre
    _RIGHT,  # front right of centre
    _MINUS_6_DB,  # back centre
    _SIDE_LEFT,
    _SIDE_RIGHT,
    _MINUS_6_DB,  # this and the rest are above: centre; front left, centre, right; back left, centre, right
    _SIDE_LEFT,
    _MINUS_6_DB,
    _SIDE_RIGHT,
    _SIDE_LEFT,
    _MINUS_6_DB,
    _SIDE_RIGHT,
)
"""By bit of the channel mask (mmreg.h, SPEAKER_*)."""

_USUAL_MASKS: Final = {3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}


def pan_to_stereo(channels: int, speakers: int) -> str:
    """The filter for `channels` > 2, interleaved in the order of the mask's bits."""
    gains = _gains(channels, speakers)
    loudest = max(sum(left for left, _ in gains), sum(right for _, right in gains))
    left, right = (
        "+".join(f"{gain[side] / loudest:.6f}*c{index}" for index, gain in enumerate(gains) if gain[side])
        for side in (0, 1)
    )
    return f"pan=stereo|c0={left}|c1={right}"


def _gains(channels: int, speakers: int) -> list[_Gains]:
    named = [gain for bit, gain in enumerate(_SPEAKERS) if speakers >> bit & 1]
    if len(named) >= channels:
        return named[:channels]  # mmreg.h: excess bits are ignored
    if channels in _USUAL_MASKS:
        return _gains(channels, _USUAL_MASKS[channels])
    return [_RIGHT if index % 2 else _LEFT for index in range(channels)]
