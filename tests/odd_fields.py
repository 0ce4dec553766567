"""WAVs whose `fmt ` chunk has wrong or impossible fields."""

import struct
from collections.abc import Iterator

from factories import STREAMED, chunk, extensible_fmt_chunk, fmt_chunk, riff
from odd_wav import DATA, SAMPLES, OddWav, bad, data_chunk, good


def block_fields() -> Iterator[OddWav]:
    """Block size and byte rate are redundant and often wrong; the bits per sample count."""
    fmt = fmt_chunk()
    for bytes_per_s in (0, 1, 176_400, 44_100, STREAMED):
        for block in (0, 1, 2, 3, 4, 5, 65_535):
            fields = fmt[:16] + struct.pack("<IH", bytes_per_s, block) + fmt[22:]
            yield good(f"block of {block}, {bytes_per_s} bytes a second", riff(fields + data_chunk()))
    agreeing = fmt_chunk(block=8)  # 16 bits in 32? or are only the bits right?
    yield OddWav("block of 8 that agrees", riff(agreeing + data_chunk()), (SAMPLES // 2, SAMPLES))


def bits() -> Iterator[OddWav]:
    for bits, stored in ((12, 2), (20, 3), (9, 2), (13, 2), (1, 1), (7, 1)):
        wav = riff(fmt_chunk(bits=bits) + data_chunk())
        yield good(f"{bits} bits", wav, len(DATA) // (2 * stored))
    for bits, stored in ((24, 4), (20, 4), (12, 4), (33, 8)):
        wav = riff(fmt_chunk(bits=bits, block=2 * stored) + data_chunk())
        yield good(f"{bits} bits in {8 * stored}", wav, len(DATA) // (2 * stored))
    for bits in (0, 33, 40, 48, 65, 128, 65_535):
        wav = riff(fmt_chunk(bits=bits, block=0) + data_chunk())
        yield bad(f"{bits} bits", wav, "bits-per-sample-invalid", "unsupported-codec")
    for bits in (0, 8, 16, 24, 80):
        wav = riff(fmt_chunk(tag=3, bits=bits) + data_chunk())
        yield bad(f"float of {bits} bits", wav, "bits-per-sample-invalid", "unsupported-codec")
    zero = fmt_chunk(bits=16)[:-2] + b"\0\0"
    yield OddWav(
        "0 bits in a block of 4", riff(zero + data_chunk()), (SAMPLES,), ("bits-per-sample-invalid",)
    )


def channels() -> Iterator[OddWav]:
    yield bad("0 channels", riff(fmt_chunk(channels=0) + data_chunk()), "channels-zero")
    for channels in (1, 2, 3, 5, 8, 17, 32):
        wav = riff(fmt_chunk(channels=channels) + data_chunk())
        yield good(f"{channels} channels", wav, len(DATA) // (2 * channels))
    for channels in (33, 255, 65_535):
        wav = riff(fmt_chunk(channels=channels, block=0) + data_chunk())
        yield bad(f"{channels} channels", wav, "unsupported-channels")


def rates() -> Iterator[OddWav]:
    yield bad("0 Hz", riff(fmt_chunk(rate=0) + data_chunk()), "sample-rate-zero")
    for rate in (1, 7, 999, 1_000, 5_512, 11_127, 44_099, 44_101, 88_200, 192_000, 384_000):
        short = data_chunk(body=DATA[:80]) if rate < 100 else data_chunk()
        yield good(f"{rate} Hz", riff(fmt_chunk(rate=rate) + short), 20 if rate < 100 else SAMPLES, rate)
    for rate in (768_001, 1 << 31, STREAMED):
        yield bad(f"{rate} Hz", riff(fmt_chunk(rate=rate) + data_chunk()), "unsupported-sample-rate")


def extensible() -> Iterator[OddWav]:
    right = extensible_fmt_chunk()
    for said in (0, 2, 21, 24, 65_535):
        lying = right[:24] + said.to_bytes(2, "little") + right[26:]
        yield good(f"extensible, cbSize of {said}", riff(lying + data_chunk()))
    for size in (14, 16, 18, 26, 39):
        cut = chunk(b"fmt ", right[8 : 8 + size])
        yield bad(f"extensible in {size} bytes", riff(cut + data_chunk()), "fmt-chunk-too-short")
    yield good("extensible with more behind", riff(chunk(b"fmt ", right[8:] + bytes(24)) + data_chunk()))
    strange = right[:32] + bytes(range(16))
    yield bad("extensible of an unknown GUID", riff(strange + data_chunk()), "unsupported-codec")
    for tag in (0x0000, 0x0050, 0x0055, 0x0092, 0x0161, 0xFFFE):
        wav = riff(extensible_fmt_chunk(sub_tag=tag) + data_chunk())
        yield bad(f"extensible of the tag {tag:#06x}", wav, "unsupported-codec")
    for valid_bits in (0, 1, 12, 17, 65_535):
        wav = riff(extensible_fmt_chunk(valid_bits=valid_bits) + data_chunk())
        yield good(f"extensible, {valid_bits} valid bits", wav)
    for speakers in (0, 1, 4, 0x60F, STREAMED):
        wav = riff(extensible_fmt_chunk(speakers=speakers) + data_chunk())
        yield good(f"extensible, speakers {speakers:#x}", wav)


def wave_format_ex() -> Iterator[OddWav]:
    fmt = fmt_chunk()
    for said in (0, 1, 22, 65_535):
        more = fmt[8:] + said.to_bytes(2, "little")
        yield good(f"cbSize of {said} and nothing behind", riff(chunk(b"fmt ", more) + data_chunk()))
        yield good(
            f"cbSize of {said} and 40 bytes behind", riff(chunk(b"fmt ", more + bytes(40)) + data_chunk())
        )
    yield good("fmt chunk of 5000 bytes", riff(chunk(b"fmt ", fmt[8:] + bytes(4_984)) + data_chunk()))
    for size in (0, 1, 13):
        yield bad(
            f"fmt chunk of {size} bytes",
            riff(chunk(b"fmt ", fmt[8 : 8 + size]) + data_chunk()),
            "fmt-chunk-too-short",
        )
    without_bits = riff(chunk(b"fmt ", fmt[8:22]) + data_chunk())
    yield OddWav(
        "fmt chunk without bits", without_bits, (SAMPLES,), ("bits-per-sample-invalid", "fmt-chunk-too-short")
    )
    for tag in (
        0x0000,
        0x0004,
        0x0010,
        0x0042,
        0x0045,
        0x0050,
        0x0055,
        0x00FF,
        0x0161,
        0x2000,
        0x4600,
        0xFFFF,
    ):
        wav = riff(fmt_chunk(tag=tag, more=b"\0\0") + data_chunk())
        yield bad(f"tag {tag:#06x}", wav, "unsupported-codec")


def packets() -> Iterator[OddWav]:
    """MS and IMA ADPCM, GSM 6.10."""
    silence = data_chunk(body=bytes(len(DATA)))  # noise is not a valid packet
    ms = {"tag": 2, "rate": 22_050, "channels": 1, "bits": 4}
    yield good("MS ADPCM", riff(fmt_chunk(block=250, more=b"\x20\0", **ms) + silence), 8 * 488, 22_050)
    yield good("MS ADPCM, its table missing", riff(fmt_chunk(block=250, **ms) + silence), 8 * 488, 22_050)
    ima = {"tag": 0x11, "rate": 22_050, "channels": 2, "bits": 4}
    yield good("IMA ADPCM", riff(fmt_chunk(block=200, more=b"\2\0\xb9\0", **ima) + silence), 10 * 193, 22_050)
    lying = riff(fmt_chunk(block=200, more=b"\2\0\7\0", **ima) + silence)
    yield good("IMA ADPCM, samples per block wrong", lying, 10 * 193, 22_050)
    for block in (0, 1, 6):
        yield bad(
            f"MS ADPCM in blocks of {block}",
            riff(fmt_chunk(block=block, **ms) + data_chunk()),
            "block-size-invalid",
        )
        yield bad(
            f"IMA ADPCM in blocks of {block}",
            riff(fmt_chunk(block=block, **ima) + data_chunk()),
            "block-size-invalid",
        )
    for tag in (2, 0x11):
        wav = riff(fmt_chunk(tag=tag, channels=3, bits=4, block=300) + data_chunk())
        yield bad(f"3 channels of the tag {tag:#x}", wav, "unsupported-channels")
    gsm = {"tag": 0x31, "rate": 8_000, "bits": 0}
    yield good(
        "GSM 6.10",
        riff(fmt_chunk(channels=1, block=65, more=b"\2\0\x40\1", **gsm) + data_chunk()),
        30 * 320,
        8_000,
    )
    yield bad(
        "GSM 6.10 in stereo",
        riff(fmt_chunk(channels=2, block=65, **gsm) + data_chunk()),
        "unsupported-channels",
    )
    yield bad(
        "GSM 6.10 in blocks of 33",
        riff(fmt_chunk(channels=1, block=33, **gsm) + data_chunk()),
        "block-size-invalid",
    )
