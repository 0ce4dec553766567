"""Follows MPEG audio layer III frame by frame as a decoder must. Shares no code with the service.

Source: ISO/IEC 11172-3 2.4.1.3 (header), 2.4.1.7 and 2.4.2.7 (side information), 2.4.3.4 (bit reservoir, windows), and
13818-3 2.4.3.2 (scale factors at low sample rates).
"""

from dataclasses import dataclass, field
from typing import Final

_KBPS_BY_INDEX: Final = {
    1: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    2: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
}
_HZ_BY_INDEX: Final = {"11": [44100, 48000, 32000], "10": [22050, 24000, 16000], "00": [11025, 12000, 8000]}
_SCALE_BITS: Final = [(0, 0), (0, 1), (0, 2), (0, 3), (3, 0)] + [(a, b) for a in (1, 2, 3) for b in (1, 2, 3)]
_SCALE_BITS += [(4, 2), (4, 3)]
_LOW_RATE_BANDS: Final = [  # by range of scalefac_compress: for long, short and mixed windows
    ((6, 5, 5, 5), (9, 9, 9, 9), (6, 9, 9, 9)),
    ((6, 5, 7, 3), (9, 9, 12, 6), (6, 9, 12, 6)),
    ((11, 10, 0, 0), (18, 18, 0, 0), (15, 18, 0, 0)),
]
NORMAL, START, SHORT, STOP = range(4)
_MAY_FOLLOW: Final = {NORMAL: {NORMAL, START}, START: {SHORT}, SHORT: {SHORT, STOP}, STOP: {NORMAL, START}}
_MOST_BIG_VALUES: Final = 288


class _Fields:
    """Reads bit fields from the front."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    def text(self, count: int) -> str:
        self._at += count
        return self._bits[self._at - count : self._at]

    def number(self, count: int) -> int:
        return int(self.text(count), 2)


@dataclass(frozen=True)
class Granule:
    """One granule of one channel. `scale_bits`: those of its `bits` that hold scale factors."""

    bits: int
    window: int
    scale_bits: int
    big_values: int


@dataclass(frozen=True)
class Frame:
    """`at`, `area`, `end`: the positions of its header, of the byte after its side information, and of the next frame.

    `kind`: what the headers of one stream have in common. `back`: main_data_begin. `granules`: by time, by channel.
    """

    at: int
    area: int
    end: int
    kind: tuple[object, ...]
    back: int
    granules: list[list[Granule]]

    @property
    def bits(self) -> int:
        return sum(granule.bits for channels in self.granules for granule in channels)

    @property
    def windows(self) -> list[int]:
        return [granule.window for channels in self.granules for granule in channels]


@dataclass
class Walk:
    """`payloads`: the main data of each frame, as a number and its count of bits."""

    frames: list[Frame]
    problems: list[str] = field(default_factory=list)
    payloads: list[tuple[int, int]] = field(default_factory=list)


def walk(stream: bytes, *, unfinished: bool = False) -> Walk:
    """Raises ValueError at a byte that belongs to no frame; everything else that is wrong is a problem.

    `unfinished`: the last frame may lack bytes; then it is left out.
    """
    frames, at = [], 0
    while at < len(stream):
        frames.append(_frame(stream, at))
        at = frames[-1].end
    if at != len(stream):
        if not unfinished:
            raise ValueError(f"the last frame lacks {at - len(stream)} bytes")
        frames.pop()
    found = Walk(frames)
    _check_headers(found)
    _check_windows(found)
    _check_main_data(found, stream)
    return found


def _frame(stream: bytes, at: int) -> Frame:
    head = _Fields(stream[at : at + 4].ljust(4, b"\0"))
    if head.text(11) != "1" * 11:
        raise ValueError(f"no frame at byte {at}")
    version, layer, unprotected = head.text(2), head.text(2), head.text(1)
    kbps_index, hz_index, padding = head.number(4), head.number(2), head.number(1)
    head.text(1)
    mode = head.text(2)
    if version not in _HZ_BY_INDEX or layer != "01" or unprotected != "1" or hz_index == 3:
        raise ValueError(f"a frame of another kind at byte {at}")
    if not 0 < kbps_index < 15:
        raise ValueError(f"bit rate {kbps_index} at byte {at}")
    low = version != "11"
    kbps, rate = _KBPS_BY_INDEX[2 if low else 1][kbps_index], _HZ_BY_INDEX[version][hz_index]
    channels = 1 if mode == "11" else 2
    side_bytes = {(False, 1): 17, (False, 2): 32, (True, 1): 9, (True, 2): 17}[low, channels]
    area = at + 4 + side_bytes
    size = (72 if low else 144) * 1000 * kbps // rate + padding
    back, granules = _side_info(_Fields(stream[at + 4 : area].ljust(side_bytes, b"\0")), channels, low=low)
    return Frame(at, area, at + size, (version, kbps, rate, mode), back, granules)


def _side_info(side: _Fields, channels: int, *, low: bool) -> tuple[int, list[list[Granule]]]:
    if low:
        back = side.number(8)
        side.text(channels)
        return back, [[_granule(side, low=True) for _ in range(channels)]]
    back = side.number(9)
    side.text(5 if channels == 1 else 3)
    shared = [side.text(4) for _ in range(channels)]
    first = [_granule(side, low=False) for _ in range(channels)]
    return back, [first, [_granule(side, low=False, shared=bands) for bands in shared]]


def _granule(side: _Fields, *, low: bool, shared: str = "0000") -> Granule:
    bits, big_values = side.number(12), side.number(9)
    side.text(8)
    compress = side.number(9 if low else 4)
    window, mixed = NORMAL, False
    if side.text(1) == "1":
        window, mixed = side.number(2), side.text(1) == "1"
        side.text(10 + 9)
    else:
        side.text(15 + 7)
    side.text(2 if low else 3)
    shape = 0 if window != SHORT else 2 if mixed else 1
    scale_bits = _low_scale_bits(compress, shape) if low else _scale_bits(compress, shape, shared)
    return Granule(bits, window, scale_bits, big_values)


def _scale_bits(compress: int, shape: int, shared: str) -> int:
    low_bands, high_bands = _SCALE_BITS[compress]
    if shape:
        return (18 if shape == 1 else 17) * low_bands + 18 * high_bands
    bands = zip((6, 5, 5, 5), (low_bands, low_bands, high_bands, high_bands), shared, strict=True)
    return sum(count * bits for count, bits, is_shared in bands if is_shared == "0")


def _low_scale_bits(compress: int, shape: int) -> int:
    if compress < 400:
        table, high, low = 0, compress >> 4, compress & 15
        bits = (high // 5, high % 5, low >> 2, low & 3)
    elif compress < 500:
        table, high, low = 1, compress - 400 >> 2, compress - 400 & 3
        bits = (high // 5, high % 5, low, 0)
    else:
        table, bits = 2, ((compress - 500) // 3, (compress - 500) % 3, 0, 0)
    return sum(count * each for count, each in zip(_LOW_RATE_BANDS[table][shape], bits, strict=True))


def _check_headers(found: Walk) -> None:
    for number, frame in enumerate(found.frames):
        if frame.kind != found.frames[0].kind:
            found.problems.append(f"frame {number} is {frame.kind}, the first {found.frames[0].kind}")
        for granule in (granule for channels in frame.granules for granule in channels):
            if granule.scale_bits > granule.bits:
                found.problems.append(f"frame {number} has more bits of scale factors than bits")
            if granule.big_values > _MOST_BIG_VALUES:
                found.problems.append(f"frame {number} has {granule.big_values} big values")


def _check_windows(found: Walk) -> None:
    before: list[int] = []
    for number, frame in enumerate(found.frames):
        for channels in frame.granules:
            now = [granule.window for granule in channels]
            if any(new not in _MAY_FOLLOW[old] for old, new in zip(before, now, strict=False)):
                found.problems.append(f"frame {number} has windows {now} after {before}")
            before = now


def _check_main_data(found: Walk, stream: bytes) -> None:
    main_data = b"".join(stream[frame.area : frame.end] for frame in found.frames)
    ended, area = 0, 0  # in bits: the end of the previous frame's main data, and of the previous frame's area
    for number, frame in enumerate(found.frames):
        begin = area - 8 * frame.back
        end = begin + frame.bits
        area += 8 * (frame.end - frame.area)
        if begin < 0:
            found.problems.append(f"frame {number} begins {-begin} bits before the stream")
        elif begin < ended:
            found.problems.append(f"frame {number} begins {ended - begin} bits inside the one before")
        if end > area:
            found.problems.append(f"frame {number} ends {end - area} bits after its area")
        ended = max(ended, end)
        found.payloads.append((_bits(main_data, max(0, begin), frame.bits), frame.bits))


def _bits(data: bytes, begin: int, count: int) -> int:
    """`begin` is a whole byte."""
    whole = data[begin // 8 : begin // 8 + -(-count // 8)]
    return int.from_bytes(whole, "big") >> -count % 8
