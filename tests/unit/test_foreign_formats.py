"""What is not a WAV is named by its first bytes."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import wav
from pigwav.audio.foreign_formats import FORMATS, HEAD_BYTES, Found, found_in, is_wave, not_a_wav
from pigwav.audio.wav import HeaderWalk
from pigwav.errors import BadAudio, NotAWav, UnsupportedContainer
from problem_assertions import is_sentence

WAV = wav(seconds=0.1)
HEX = bytes.fromhex
EBML = HEX("1a45dfa3 9f4286810142f7810142f2810442f381084282 84")


def ftyp(brand: bytes) -> bytes:
    return b"\0\0\0\x1cftyp" + brand + b"\0\0\2\0" + brand + b"isomiso2"


BODIES = [
    *((Found.M4A, ftyp(brand)) for brand in (b"M4A ", b"M4B ")),
    *((Found.MP4, ftyp(brand)) for brand in (b"isom", b"mp42", b"iso5", b"dash", b"M4V ")),
    *((Found.THREE_GP, ftyp(brand)) for brand in (b"3gp4", b"3gp5", b"3g2a", b"3ge6")),
    (Found.MOV, ftyp(b"qt  ")),
    (Found.MOV, b"\0\0\0\x08wide\0\1\2\3mdat"),
    (Found.MOV, b"\0\0\4\0moov\0\0\0\x6cmvhd"),
    (Found.HEIF, ftyp(b"heic")),
    (Found.HEIF, ftyp(b"avif")),
    (Found.WEBM, EBML + b"webm" + bytes(40)),
    (Found.MATROSKA, EBML + b"matroska" + bytes(40)),
    *((Found.AAC, HEX(head) + bytes(40)) for head in ("fff15080", "fff94c80", "fff05080", "41444946")),
    *(
        (Found.MP3, HEX(head) + bytes(40))
        for head in ("fffb9064", "fffa9064", "fff344c4", "ffe344c4", "fffd80c4")
    ),
    (Found.MP3, b"ID3\3\0\0\0\0\1\1" + bytes(600)),
    (Found.WMA, HEX("3026b2758e66cf11a6d900aa0062ce6c") + bytes(40)),
    (Found.AMR, b"#!AMR\n<$\2\7"),
    (Found.AMR, b"#!AMR-WB\n\4"),
    (Found.CAF, b"caff\0\1\0\0desc"),
    (Found.OGG, b"OggS\0\2" + bytes(40)),
    (Found.FLAC, b"fLaC\0\0\0\x22"),
    (Found.AIFF, b"FORM\0\0\x12\xeeAIFFCOMM"),
    (Found.AIFF, b"FORM\0\0\x12\xeeAIFCFVER"),
    (Found.IFF, b"FORM\0\0\x12\xee8SVXVHDR"),
    (Found.RIFX, b"RIFX" + WAV[4:]),
    (Found.W64, HEX("72696666 2e91cf11 a5d628db 04c10000") + bytes(40)),
    (Found.AU, b".snd\0\0\0\x20"),
    (Found.AVI, b"RIFF" + WAV[4:8] + b"AVI LIST"),
    (Found.WEBP, b"RIFF" + WAV[4:8] + b"WEBPVP8 "),
    (Found.MIDI, b"RIFF" + WAV[4:8] + b"RMIDdata"),
    (Found.MIDI, b"MThd\0\0\0\6"),
    (Found.RIFF, b"RIFF" + WAV[4:8] + b"CDXAfmt "),
    (Found.APE, b"MAC \x96\x0f"),
    (Found.WAVPACK, b"wvpk\0\1"),
    (Found.DSD, b"DSD \x1c\0"),
    (Found.SPHERE, b"NIST_1A\n   1024\n"),
    (Found.VOC, b"Creative Voice File\x1a"),
    (Found.REAL, b".RMF\0\0\0\x12"),
    (Found.MPEG, (b"G@\x11\x10" + bytes(184)) * 3),
    (Found.FLV, b"FLV\1\4"),
    (Found.ZIP, b"PK\3\4\x14\0"),
    (Found.ZIP, b"PK\5\6" + bytes(18)),
    (Found.GZIP, b"\x1f\x8b\x08\0"),
    (Found.BZIP2, b"BZh91AY&SY" + bytes(4)),
    (Found.XZ, b"\xfd7zXZ\0\0\4"),
    (Found.ZSTD, HEX("28b52ffd2400")),
    (Found.SEVEN_ZIP, HEX("377abcaf271c0004")),
    (Found.RAR, b"Rar!\x1a\7\1\0"),
    (Found.TAR, b"talk.wav".ljust(257, b"\0") + b"ustar\x0000" + bytes(400)),
    (Found.PDF, b"%PDF-1.7\n%\xe2\xe3"),
    (Found.PNG, b"\x89PNG\r\n\x1a\n"),
    (Found.JPEG, HEX("ffd8ffe000104a464946")),
    (Found.GIF, b"GIF89a@\1"),
    (Found.TIFF, b"II*\0\x08\0"),
    (Found.APPLEDOUBLE, HEX("0005160700020000") + b"Mac OS X        "),
    (Found.HTML, b"<!DOCTYPE html><title>502</title>"),
    (Found.HTML, b"\n\n  <!doctype HTML>"),
    (Found.HTML, b"\xef\xbb\xbf\r\n<html lang=ru>"),
    (Found.HTML, b" " * 400 + b"<head>"),
    (Found.HTML, "<html>".encode("utf-16")),
    (Found.XML, b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>'),
    (Found.XML, b"<svg>"),
    (Found.JSON, b'{"error": "no"}'),
    (Found.JSON, b'\xef\xbb\xbf [{"a": 1}]'),
    (Found.JSON, '{"ошибка": 1}'.encode()),
    *((Found.JSON, text) for text in (b"[]", b"{ }", b"[1, 2]", b"[null]", b'{\n  "a": 1')),
    (Found.DATA_URL, b"data:audio/wav;base64,UklGRiQAAABXQVZF"),
    (Found.DATA_URL, b'"data:audio/webm;codecs=opus;base64,GkXf'),
    (Found.DATA_URL, b" DATA:audio/wav;base64,UklG"),
    (Found.BASE64, base64.b64encode(WAV)),
    (Found.BASE64, b"\n" + base64.encodebytes(WAV)),
    (Found.BASE64, b'"' + base64.b64encode(b"RF64" + WAV[4:]) + b'"'),
    (Found.HEX, WAV.hex().encode()),
    (Found.MULTIPART, b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'),
    (Found.MULTIPART, b"\r\n--b\r\nContent-Type: audio/wav\r\ncontent-disposition: form-data\r\n\r\n" + WAV),
    (Found.GIT_LFS, b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"),
    (Found.TEXT, b"hello"),
    (Found.TEXT, b" \n"),
    (Found.TEXT, b"\xef\xbb\xbf"),
    (Found.TEXT, "Запись № 1".encode()),
    (Found.TEXT, ("я" * 300).encode()[:HEAD_BYTES]),
    (Found.TEXT, "hello".encode("utf-16")),
    (Found.TEXT, b"Caf\xe9 au lait"),
    (Found.TEXT, b"[object Blob]"),
    (Found.SHIFTED_WAV, b"\xef\xbb\xbf" + WAV),
    (Found.SHIFTED_WAV, b"\r\n" + WAV),
    (Found.TEXT, b"RIFF is a file format"),
    (Found.TEXT, b"ID3 tags are read"),
    (Found.TEXT, b"FORM 10-K"),
    (Found.TEXT, b"[Unit]\nDescription=x\n"),
    (Found.TEXT, b"The free software"),
    (Found.TEXT, b"ADIF export"),
    (Found.TEXT, WAV[:40].decode("latin-1").encode("utf-16")),
    (Found.CUT_WAV, b"RIFF"),
    (Found.CUT_WAV, WAV[:11]),
    (Found.ZEROS, bytes(12)),
    (Found.ZEROS, bytes(9_000)),
    (Found.EMPTY, b""),
    (Found.UNKNOWN, HEX("fa982c902293a0a0e0e5d9c8")),
    (Found.UNKNOWN, bytes(8) + WAV),
    (Found.UNKNOWN, b"\xff\xff\xff\xff" * 20),
]


def walked(body: bytes, block_bytes: int) -> None:
    walk = HeaderWalk()
    for start in range(0, len(body), block_bytes):
        walk.feed(body[start : start + block_bytes])
    walk.end()


@pytest.mark.parametrize("block_bytes", [1, 13, 65_536])
@pytest.mark.parametrize(("found", "body"), BODIES)
def test_what_is_no_wav_is_named_however_it_is_cut(found: Found, body: bytes, block_bytes: int) -> None:
    with pytest.raises(BadAudio) as caught:
        walked(body, block_bytes)

    relative = body[:4].lower() in (b"riff", b"rifx", b"form") and found not in (Found.TEXT, Found.CUT_WAV)
    assert type(caught.value) is (UnsupportedContainer if relative else NotAWav)
    assert (caught.value.found, is_wave(body[:12])) == (found, False)
    assert FORMATS[found].name in str(caught.value)


def test_every_format_has_a_name_and_advice_and_most_have_an_example() -> None:
    assert [*FORMATS] == [*Found]
    assert all(is_sentence(plain.sentence()) and is_sentence(plain.advice) for plain in FORMATS.values())
    assert {*Found} - {found for found, _ in BODIES} <= {Found.TTA, Found.AC3, Found.SOX}


@given(st.binary(max_size=HEAD_BYTES))
def test_any_bytes_have_a_name(head: bytes) -> None:
    assert found_in(head) in FORMATS
    assert is_sentence(str(not_a_wav(head)))
