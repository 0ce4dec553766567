"""WAVs whose chunks have wrong sizes, are out of place, unknown, cut short, or duplicated."""

import random
import struct
from collections.abc import Iterator

from factories import (
    STREAMED,
    bext_chunk,
    chunk,
    ds64_chunk,
    extensible_fmt_chunk,
    fmt_chunk,
    info_chunk,
    riff,
)
from odd_wav import DATA, SAMPLES, OddWav, bad, data_chunk, fact_chunk, good, junk_chunk


def big_ones() -> Iterator[OddWav]:
    """RF64 and BW64: the size is in ds64 if the data chunk's size is 0xFFFFFFFF."""
    fmt, streamed, right = fmt_chunk(), data_chunk(STREAMED), ds64_chunk(len(DATA))
    for magic in (b"RF64", b"BW64"):
        name = magic.decode()
        yield good(f"{name} right", riff(right + fmt + streamed, magic=magic))
        yield good(f"{name} without ds64", riff(fmt + streamed, magic=magic))
        yield good(f"{name} without ds64, data size true", riff(fmt + data_chunk(), magic=magic))
        yield good(f"{name} ds64 behind fmt", riff(fmt + right + streamed, magic=magic))
        yield good(f"{name} ds64 cut short", riff(chunk(b"ds64", right[8:24]) + fmt + streamed, magic=magic))
        yield good(f"{name} ds64 unused", riff(ds64_chunk(400) + fmt + data_chunk(), magic=magic))
        yield good(f"{name} followed by a chunk", riff(right + fmt + streamed + junk_chunk(), magic=magic))
        yield good(f"{name} with a table", riff(_ds64_with_table() + fmt + streamed, magic=magic))
        for said, samples in ((0, 500), (400, 100), (8_000, 500), (1 << 40, 500), (1 << 63, 500)):
            wav = riff(ds64_chunk(said) + fmt + streamed, magic=magic)
            yield good(f"{name} ds64 says {said}", wav, samples)
    yield good("RIFF with ds64", riff(right + fmt + streamed))
    yield good("RIFF with JUNK for ds64", riff(chunk(b"JUNK", right[8:]) + fmt + data_chunk()))


def _ds64_with_table() -> bytes:
    body = struct.pack("<QQQI4sQ", len(DATA) + 100, len(DATA), SAMPLES, 1, b"levl", 1 << 33)
    return chunk(b"ds64", body)


def sizes() -> Iterator[OddWav]:
    fmt = fmt_chunk()
    for said in (0, STREAMED, STREAMED - 100, 0x80000000, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFF00):
        yield good(f"data size {said:#x}", riff(fmt + data_chunk(said)))
        yield good(f"data size {said:#x} after a chunk", riff(fmt + junk_chunk() + data_chunk(said)))
    yield good("data size too small", riff(fmt + data_chunk(1_000)), 250)
    yield good("data size too big", riff(fmt + data_chunk(4_000)))
    yield good("data size far too big", riff(fmt + data_chunk(0x70000000)))
    yield good("data size odd", riff(fmt + data_chunk(1_999)), 499)
    yield good("half a sample behind", riff(fmt + data_chunk(body=DATA + b"\1\2\3")))
    yield good("one sample", riff(fmt + data_chunk(body=DATA[:4])), 1)
    yield bad("half a sample", riff(fmt + data_chunk(body=DATA[:3])), "no-audio")
    yield bad("empty data at the end", riff(fmt + data_chunk(body=b"")), "no-audio")
    yield bad("empty data and a chunk behind", riff(fmt + data_chunk(body=b"") + junk_chunk()), "no-audio")
    yield bad("empty data, size streamed", riff(fmt + data_chunk(STREAMED, b"")), "no-audio")
    year = riff(fmt_chunk(rate=8, channels=1, bits=8) + data_chunk(1 << 28))
    yield good("audio said to be of a year", year, 4 * SAMPLES, 8)
    yield good("empty data before data", riff(fmt + data_chunk(body=b"") + data_chunk()))


def riff_sizes() -> Iterator[OddWav]:
    chunks = b"WAVE" + fmt_chunk() + data_chunk()
    for said in (0, 4, 36, 37, 1_000, len(chunks) - 1, len(chunks) + 1, 1 << 31, STREAMED):
        yield good(f"RIFF size {said:#x}", b"RIFF" + said.to_bytes(4, "little") + chunks)
        behind = b"RIFF" + said.to_bytes(4, "little") + chunks + junk_chunk()
        yield good(f"RIFF size {said:#x}, a chunk behind", behind)


def unpadded() -> Iterator[OddWav]:
    """A chunk of odd size should be followed by a zero byte."""
    fmt = fmt_chunk()
    for size in (1, 3, 7, 33):
        body = random.Random(size).randbytes(size)
        for name, pad in (("not padded", b""), ("padded", b"\0"), ("padded with 0xff", b"\xff")):
            odd = chunk(b"note", body, padded=False) + pad
            yield good(f"odd chunk of {size} before fmt, {name}", riff(odd + fmt + data_chunk()))
            yield good(f"odd chunk of {size} before data, {name}", riff(fmt + odd + data_chunk()))
            yield good(
                f"odd chunk of {size} before fact, {name}",
                riff(fmt + odd + fact_chunk(SAMPLES) + data_chunk()),
            )
            yield good(f"two odd chunks of {size}, {name}", riff(fmt + odd + odd + data_chunk()))
    yield good("even chunk with a zero byte behind", riff(fmt + junk_chunk() + b"\0" + data_chunk()))
    yield good("fmt chunk of odd size", riff(chunk(b"fmt ", fmt[8:] + b"\0") + data_chunk()))
    yield good(
        "fmt chunk of odd size, not padded",
        riff(chunk(b"fmt ", fmt[8:] + b"\0", padded=False) + data_chunk()),
    )


def strange_chunks() -> Iterator[OddWav]:
    fmt = fmt_chunk()
    names = (
        b"\0\0\0\0",
        b"\xff\xfe\xfd\xfc",
        b"    ",
        b"DATA",
        b"Fmt ",
        b"RIFF",
        b"WAVE",
        b"ISTt",
        b"\0fmt",
        b"atad",
    )
    for name in names:
        shown = name.hex() if not name.isalpha() else name.decode()
        yield good(f"chunk named {shown} before fmt", riff(chunk(name, DATA[:60]) + fmt + data_chunk()))
        yield good(f"chunk named {shown} before data", riff(fmt + chunk(name, DATA[:60]) + data_chunk()))
    for count in (1, 6, 2_000):
        yield good(f"{count} chunks of size 0", riff(fmt + chunk(b"\0\0\0\0", b"") * count + data_chunk()))
        yield good(f"{count} LISTs of size 0", riff(fmt + chunk(b"LIST", b"") * count + data_chunk()))
    inner = fmt_chunk(rate=8_000) + data_chunk(body=DATA[:100])
    yield good("whole WAV in a chunk", riff(chunk(b"JUNK", riff(inner)) + fmt + data_chunk()))
    yield good("data within a LIST", riff(fmt + chunk(b"LIST", b"INFO" + inner) + data_chunk()))
    yield good("large chunk before data", riff(fmt + chunk(b"APIC", bytes(300_000)) + data_chunk()))
    loop = b"LIST" + (STREAMED - 7).to_bytes(4, "little")  # with 32-bit offsets, the chunk points at itself
    yield bad("chunk that loops", riff(fmt + loop + data_chunk()), "header-too-long", "no-data-chunk")
    for said in (0x7FFFFFFF, 0x80000000, STREAMED):
        wav = riff(fmt + b"LIST" + said.to_bytes(4, "little") + b"INFO" + data_chunk())
        yield bad(f"LIST says {said:#x}", wav, "header-too-long", "no-data-chunk")
    yield bad(
        "chunk that ends behind the file",
        riff(fmt + chunk(b"bext", b"", size=9_000) + data_chunk()),
        "no-data-chunk",
    )
    yield bad("wavl list for data", riff(fmt + chunk(b"LIST", b"wavl" + data_chunk())), "no-data-chunk")


def tags() -> Iterator[OddWav]:
    """Tag chunks before and after the audio."""
    id3 = b"ID3\3\0\0\0\0\0\x15TIT2\0\0\0\x0b\0\0\0" + b"a title..."
    said = {
        "INFO": info_chunk(INAM="Запись", IART="кто-то"),
        "id3": chunk(b"id3 ", id3),
        "ID3": chunk(b"ID3 ", id3[:-5]),
        "bext": bext_chunk(description="take 1", time_reference=1 << 40),
        "bext cut short": chunk(b"bext", b"take 1"),
        "iXML": chunk(b"iXML", b"<BWFXML><data/></BWFXML>"),
        "cue": chunk(b"cue ", struct.pack("<IIIIIII", 1, 1, 0, 0x61746164, 0, 0, 250)),
        "cue that lies": chunk(b"cue ", struct.pack("<I", 1 << 31)),
        "INFO of nothing": chunk(b"LIST", b"INFO"),
        "INFO that lies": chunk(b"LIST", b"INFOINAM" + STREAMED.to_bytes(4, "little") + b"x"),
        "adtl": chunk(b"LIST", b"adtl" + chunk(b"labl", b"\1\0\0\0here\0")),
        "LIST of no form": chunk(b"LIST", b"x"),
    }
    fmt = fmt_chunk()
    for name, tag in said.items():
        yield good(f"{name} first", riff(tag + fmt + data_chunk()))
        yield good(f"{name} before data", riff(fmt + tag + data_chunk()))
        yield good(f"{name} behind data", riff(fmt + data_chunk() + tag))
        yield good(f"{name} cut at the end", riff(fmt + data_chunk() + tag)[:-3])
    every = b"".join(said.values())
    yield good("all tags at both ends", riff(every + fmt + every + data_chunk() + every))


def several_of_a_kind() -> Iterator[OddWav]:
    fmt, other = fmt_chunk(), fmt_chunk(rate=8_000, channels=1, bits=8)
    yield good("fmt twice", riff(fmt + fmt + data_chunk()))
    yield good("another fmt behind fmt", riff(fmt + other + data_chunk()))
    yield good("another fmt behind data", riff(fmt + data_chunk() + other))
    yield bad("data before fmt", riff(data_chunk() + fmt), "no-fmt-chunk")
    yield bad("no fmt", riff(data_chunk()), "no-fmt-chunk")
    yield bad("no data", riff(fmt), "no-data-chunk")
    yield bad("nothing in it", riff(b""), "no-fmt-chunk")
    yield good("two data chunks", riff(fmt + data_chunk() + data_chunk(body=DATA[:400])))
    yield good("junk behind the end", riff(fmt + data_chunk()) + DATA[:777])
    yield good("zeros behind the end", riff(fmt + data_chunk()) + bytes(5_000))
    yield good("another WAV behind the end", riff(fmt + data_chunk()) + riff(other + data_chunk()))


def facts() -> Iterator[OddWav]:
    """`fact` has the number of samples of compressed audio, but is too often wrong to rely on it."""
    for said in (0, 1, SAMPLES + 1, STREAMED):
        yield good(f"fact of {said}", riff(fmt_chunk() + fact_chunk(said) + data_chunk()))
    mu_law = fmt_chunk(tag=7, channels=1, bits=8, rate=8_000, more=b"\0\0")
    yield good("mu-law without fact", riff(mu_law + data_chunk()), 4 * SAMPLES, 8_000)
    yield good("mu-law with a wrong fact", riff(mu_law + fact_chunk(3) + data_chunk()), 4 * SAMPLES, 8_000)
    yield good("fact of no size", riff(fmt_chunk() + chunk(b"fact", b"") + data_chunk()))


def cut_headers() -> Iterator[OddWav]:
    """The body ends within a header, once at each byte."""
    plain = riff(fmt_chunk() + data_chunk())
    extensible = riff(
        ds64_chunk(len(DATA)) + extensible_fmt_chunk() + fact_chunk(SAMPLES) + data_chunk(STREAMED),
        magic=b"RF64",
    )
    codes = ("not-a-wav", "no-fmt-chunk", "no-data-chunk", "no-audio")
    for name, wav in (("plain", plain), ("extensible", extensible)):
        start = wav.index(b"data") + 8
        for end in range(start + 4):
            yield bad(f"{name} header cut at {end}", wav[:end], *codes)
        for end in (start + 4, start + 7, start + 9):
            yield good(f"{name} cut at {end}", wav[:end], (end - start) // 4)


def relatives() -> Iterator[OddWav]:
    """Formats with similar first bytes."""
    wav = riff(fmt_chunk() + data_chunk())
    for magic in (b"RIFX", b"FFIR", b"FORM"):
        yield bad(magic.decode(), magic + wav[4:], "unsupported-container")
    w64 = bytes.fromhex("72696666 2e91cf11 a5d628db 04c10000") + bytes(8) + b"wave" + bytes(100)
    yield bad("W64", w64, "unsupported-container")
    yield bad("RIFF of AVI", b"RIFF" + wav[4:8] + b"AVI " + wav[12:], "unsupported-container")
    beginnings = {
        "fLaC": b"fLaC",
        "OggS": b"OggS",
        "ID3": b"ID3\3",
        "MP3": b"\xff\xfb\x90\0",
        "text": b"#EXTM3U\n",
    }
    for name, magic in (beginnings | {"zeros": bytes(8), "riff in small letters": b"riff"}).items():
        yield bad(name, magic + DATA, "not-a-wav", "unsupported-container")
    yield bad("nothing", b"", "not-a-wav")
