"""Ways to damage a WAV; deterministic for a seed."""

import struct
from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import Final, TypeAlias

from factories import bext_chunk, chunk, ds64_chunk, info_chunk

MAX_BYTES: Final = 24 * 1024
"""The size limit of a mutated WAV: many small inputs find more bugs than long ones."""

Mutator: TypeAlias = Callable[[bytes, Random, Sequence[bytes]], bytes]
"""Arguments: the WAV, the random generator, other WAVs to take pieces from."""

_SIZES: Final = (
    *(0, 1, 2, 3, 7, 8, 12, 40, 0xFF, 0x100, 0xFFFF, 0x10000, 64 * 1024 * 1024, 0x7FFFEFFF, 0x7FFFF000),
    *(0x7FFFFFFF, 0x80000000, 0xFFFEFFFF, 0xFFFF0000, 0xFFFFFFDB, 0xFFFFFFF7, 0xFFFFFFF8, 0xFFFFFFFF),
)
_BIG_SIZES: Final = (*_SIZES, 1 << 32, (1 << 40) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_WORDS: Final = (0, 1, 2, 3, 4, 6, 7, 8, 12, 16, 17, 20, 24, 32, 33, 40, 64, 65, 80, 255, 256, 0x7FFF, 0xFFFF)
_TAGS: Final = (1, 2, 3, 6, 7, 0x11, 0x31, 0x50, 0x55, 0xFFFE, 0)
_CODE_PAGES: Final = (
    0,
    37,
    437,
    932,
    936,
    1200,
    1251,
    1252,
    10_000,
    20_866,
    28_591,
    50_220,
    65_000,
    65_001,
    0xFFFF,
)
_RATES_HZ: Final = (0, 1, 2, 7, 999, 8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 768_000, 768_001, 1 << 31)
_NAMES: Final = (
    *(
        b"data",
        b"fmt ",
        b"fact",
        b"LIST",
        b"id3 ",
        b"ID3 ",
        b"CSET",
        b"bext",
        b"ds64",
        b"JUNK",
        b"RIFF",
        b"WAVE",
        b"wavl",
    ),
    *(b"\0\0\0\0", b"\xff\xff\xff\xff", b"DATA", b"PAD ", b"slnt"),
)


def mutated(wavs: Sequence[bytes], random: Random) -> bytes:
    """One of `wavs`, damaged one to four times; deterministic for the seed of `random`."""
    wav = random.choice(wavs)[:MAX_BYTES]
    for _ in range(random.choice((1, 1, 2, 2, 3, 4))):
        wav = mutated_once(wav, random, wavs)
    return wav


def mutated_once(wav: bytes, random: Random, wavs: Sequence[bytes]) -> bytes:
    return random.choice(MUTATORS)(wav, random, wavs)[:MAX_BYTES]


def chunk_offsets(wav: bytes) -> list[int]:
    """Offsets of the chunks, computed from the sizes in their headers."""
    offsets, at = [], 12
    while at + 8 <= len(wav) and len(offsets) < 200:
        offsets.append(at)
        size = int.from_bytes(wav[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return offsets


def _patched(wav: bytes, at: int, piece: bytes) -> bytes:
    return wav[:at] + piece + wav[at + len(piece) :]


def _place(wav: bytes, random: Random) -> int:
    """A random offset, mostly in the header, which decides most."""
    most = len(wav) if random.random() < 0.3 else min(len(wav), 128)
    return random.randrange(most) if most else 0


def flip_bits(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    damaged = bytearray(wav)
    for _ in range(random.choice((1, 1, 2, 8, 64)) if wav else 0):
        damaged[_place(wav, random)] ^= 1 << random.randrange(8)
    return bytes(damaged)


def random_bytes(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    at, size = _place(wav, random), random.choice((1, 2, 4, 16, 200))
    return wav[:at] + random.randbytes(size) + wav[at + random.choice((0, size)) :]


def cut_short(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    return wav[: _place(wav, random)]


def cut_out(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    at = _place(wav, random)
    return wav[:at] + wav[at + random.choice((1, 2, 3, 4, 8, 100)) :]


def lie_about_riff(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    magic = random.choice((b"RIFF", b"RIFF", b"RF64", b"BW64", wav[:4]))
    return _patched(wav, 0, magic + struct.pack("<I", random.choice(_SIZES)))


def lie_about_a_chunk(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    offsets = chunk_offsets(wav)
    if not offsets:
        return wav
    at = random.choice(offsets) + 4
    true = int.from_bytes(wav[at : at + 4], "little")
    size = random.choice((*_SIZES, true + 1, max(0, true - 1), true * 2, len(wav)))
    return _patched(wav, at, struct.pack("<I", size & 0xFFFFFFFF))


def lie_in_ds64(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """RF64 or BW64 with arbitrary sizes in ds64; the data chunk refers to them or not."""
    sizes = struct.pack(
        "<QQQI", *(random.choice(_BIG_SIZES) for _ in range(3)), random.choice((0, 1, 0xFFFFFFFF))
    )
    wav = _patched(wav, 0, random.choice((b"RF64", b"BW64")))
    if (data := wav.find(b"data")) > 0 and random.random() < 0.8:
        wav = _patched(wav, data + 4, b"\xff\xff\xff\xff")
    return wav[:12] + chunk(b"ds64", sizes[: random.choice((28, 28, 24, 12))]) + wav[12:]


def lie_in_fact(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    return _inserted(wav, chunk(b"fact", struct.pack("<I", random.choice(_SIZES))), random)


def _inserted(wav: bytes, piece: bytes, random: Random) -> bytes:
    """Inserts `piece`, mostly between two chunks."""
    at = random.choice([*chunk_offsets(wav), len(wav)]) if random.random() < 0.9 else _place(wav, random)
    return wav[:at] + piece + wav[at:]


def many_chunks(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Empty chunks, zero bytes, or chunks whose size overflows 32-bit offsets so that they point at themselves."""
    loop = random.choice(_NAMES) + struct.pack("<I", 0xFFFFFFFF - 7)
    few = random.randrange(1, 400)
    piece = random.choice((chunk(random.choice(_NAMES), b"") * few, bytes(few), loop, loop * 20))
    return _inserted(wav, piece, random)


def nest(wav: bytes, random: Random, wavs: Sequence[bytes]) -> bytes:
    """Inserts nested LIST or RIFF chunks."""
    inner = random.choice((wav[12:400], random.choice(wavs)[:400]))
    for _ in range(random.choice((1, 2, 60))):
        inner = chunk(
            random.choice((b"LIST", b"RIFF")), random.choice((b"INFO", b"wavl", b"adtl", b"")) + inner
        )
    return _inserted(wav, inner, random)


def reorder(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Changes the order of chunks; repeats some and drops others."""
    chunks = [wav[start:end] for start, end in pairwise([*chunk_offsets(wav), len(wav)])]
    return wav[:12] + b"".join(
        random.choices(chunks, k=random.randrange(1, len(chunks) + 3)) if chunks else []
    )


def swap_fmt_fields(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Changes or swaps fields of `fmt `."""
    at = wav.find(b"fmt ") + 8
    if at < 8 or len(wav) < at + 16:
        return wav
    fields = [*struct.unpack_from("<HHIIHH", wav, at)]
    match random.randrange(4):
        case 0:
            fields[0] = random.choice(_TAGS)
        case 1:
            fields[2] = random.choice(_RATES_HZ)
        case 2:
            fields[random.choice((1, 4, 5))] = random.choice(_WORDS)
        case 3:
            one, other = random.sample(range(6), 2)
            fields[one], fields[other] = fields[other], fields[one]
    words = [field & (0xFFFFFFFF if i in (2, 3) else 0xFFFF) for i, field in enumerate(fields)]
    return _patched(wav, at, struct.pack("<HHIIHH", *words))


def splice(wav: bytes, random: Random, wavs: Sequence[bytes]) -> bytes:
    """Joins the start of this WAV and the end of another one."""
    other = random.choice(wavs)[:MAX_BYTES]
    return wav[: _place(wav, random)] + other[_place(other, random) :]


def random_tags(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Inserts a tag chunk with malformed or unusual text."""
    noise = random.randbytes(random.choice((0, 3, 30, 900)))
    frame = random.choice((b"TIT2", b"COMM", b"TXXX", b"TDRC", b"APIC")) + struct.pack(
        ">IH", len(noise) + 1, 0
    )
    id3 = b"ID3" + bytes((random.choice((2, 3, 4)), 0, random.choice((0, 0x40, 0x80)))) + b"\0\0\x0f\x7f"
    said = random.choice(
        (
            chunk(b"LIST", b"INFOINAM" + struct.pack("<I", random.choice(_SIZES)) + noise),
            info_chunk(encoding="utf-8", INAM="a\u202eb\u0301" * 90 + "\U0001f408", ICMT="\u200d" * 2_000),
            chunk(b"id3 ", id3 + frame + bytes((random.randrange(4),)) + noise),
            bext_chunk(
                description="ы" * 256, originator="\x7f\x01", date="0000-00-00", time_reference=1 << 63
            ),
            chunk(b"bext", noise),
            ds64_chunk(random.choice(_SIZES)),
        )
    )
    return _inserted(wav, said, random)


def state_a_code_page(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """CSET and an INFO tag whose text is in that code page, in another one, or in none."""
    page = struct.pack("<HHHH", random.choice(_CODE_PAGES), *(random.choice(_WORDS) for _ in range(3)))
    text = random.choice(("Речь".encode("cp1251"), "録音".encode("cp932"), b"\x1b$B", random.randbytes(9)))
    said = [
        chunk(b"CSET", page[: random.choice((8, 8, 2, 1))]),
        chunk(b"LIST", b"INFO" + chunk(b"INAM", text)),
    ]
    random.shuffle(said)
    return _inserted(wav, b"".join(said[: random.choice((1, 2, 2))]), random)


def tag_in_front(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """One or more ID3v2 tags before RIFF, whose sizes are right or not."""
    body = random.choice((b"TIT2\0\0\0\2\0\0\0x", bytes(300), b""))
    size = random.choice((len(body), len(body), len(body) + 1, 0, (1 << 28) - 1))
    said = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    flags = random.choice((0, 0, 0x10, 0x40, 0x80, 0xFF))
    tag = (
        b"ID3" + bytes((random.choice((2, 3, 4, 255)), 0, flags)) + random.choice((said, b"\xff" * 4)) + body
    )
    return tag * random.choice((1, 1, 2, 40)) + wav


def second_of_a_kind(wav: bytes, random: Random, wavs: Sequence[bytes]) -> bytes:
    """Another `fmt ` or `data` chunk, as in two recordings that were joined."""
    other = random.choice((wav, random.choice(wavs)[:MAX_BYTES]))
    chunks = [other[start:end] for start, end in pairwise([*chunk_offsets(other), len(other)])]
    more = [piece for piece in chunks if piece[:4] in (b"fmt ", b"data")]
    return _inserted(wav, random.choice(more), random) if more else wav


def contradict_fmt(wav: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Block, byte rate or bits do not fit to the other fields, in ways that are converted with a warning."""
    at = wav.find(b"fmt ") + 8
    if at < 8 or len(wav) < at + 16:
        return wav
    tag, channels, rate, bytes_per_s, block, bits = struct.unpack_from("<HHIIHH", wav, at)
    for _ in range(random.choice((1, 2))):
        match random.randrange(4):
            case 0:
                bytes_per_s = random.choice((0, rate, bytes_per_s * 2, 0xFFFFFFFF)) & 0xFFFFFFFF
            case 1:
                block = random.choice((0, 1, block * 2, block // 2, block + 1)) & 0xFFFF
            case 2:
                bits = random.choice((0, 7, 8, 12, 16, 20, 24, 32, bits * channels)) & 0xFFFF
            case 3:
                channels = random.choice((0, 1, 2, 3, 6)) & 0xFFFF
    return _patched(wav, at, struct.pack("<HHIIHH", tag, channels, rate, bytes_per_s, block, bits))


def nothing(wav: bytes, _: Random, __: Sequence[bytes]) -> bytes:
    """No damage: some inputs must be valid."""
    return wav


MUTATORS: Final[tuple[Mutator, ...]] = (
    *(
        flip_bits,
        random_bytes,
        cut_short,
        cut_out,
        lie_about_riff,
        lie_about_a_chunk,
        lie_in_ds64,
        lie_in_fact,
    ),
    *(many_chunks, nest, reorder, swap_fmt_fields, splice, random_tags, nothing),
    *(state_a_code_page, tag_in_front, second_of_a_kind, contradict_fmt),
)
