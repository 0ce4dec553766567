"""Names the format of a file that is not a WAV, from its first bytes, so that the person who sent it can act. Pure.

Sources: the formats' own specifications; WHATWG MIME Sniffing for web formats; libmagic for the rest.
"""

import codecs
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pigwav.audio.chunks import WAVE_MAGICS
from pigwav.errors import ForeignBody, NotAWav, UnsupportedContainer

HEAD_BYTES: Final = 512
"""How many bytes are looked at: a tar archive is recognised at byte 257, a web page perhaps after white space."""

_RELATIVES: Final = (*WAVE_MAGICS, b"RIFX", b"FFIR", b"riff", b"FORM")

_CONVERT: Final = "Convert it to WAV, for example with ffmpeg. Renaming the file is not enough."
_PHONES: Final = f"Phones and Safari record in this format. {_CONVERT}"
_BROWSERS: Final = f"Browsers and messengers record in this format. {_CONVERT}"
_UNPACK: Final = "Unpack it and send the WAV inside."
_PAGE: Final = "It may be an error page in place of the recording: look at it in an editor."
_READ: Final = "Look at it in an editor, and send the recording itself."
_DECODE: Final = "Decode it and send the bytes themselves."
_PICTURE: Final = "Send the recording itself."


class Found(StrEnum):
    """What the body is instead of a WAV. The values are stable."""

    M4A = "m4a"
    MP4 = "mp4"
    THREE_GP = "3gp"
    MOV = "mov"
    WEBM = "webm"
    MATROSKA = "matroska"
    AAC = "aac"
    MP3 = "mp3"
    WMA = "wma"
    AMR = "amr"
    CAF = "caf"
    OGG = "ogg"
    FLAC = "flac"
    AIFF = "aiff"
    RIFX = "rifx"
    W64 = "w64"
    AU = "au"
    APE = "ape"
    WAVPACK = "wavpack"
    DSD = "dsd"
    TTA = "tta"
    AC3 = "ac3"
    REAL = "realmedia"
    SOX = "sox"
    SPHERE = "sphere"
    VOC = "voc"
    MIDI = "midi"
    AVI = "avi"
    FLV = "flv"
    MPEG = "mpeg"
    WEBP = "webp"
    RIFF = "riff"
    IFF = "iff"
    ZIP = "zip"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"
    SEVEN_ZIP = "7z"
    RAR = "rar"
    TAR = "tar"
    HTML = "html"
    XML = "xml"
    JSON = "json"
    DATA_URL = "data-url"
    BASE64 = "base64"
    HEX = "hex"
    MULTIPART = "multipart"
    GIT_LFS = "git-lfs-pointer"
    TEXT = "text"
    SHIFTED_WAV = "shifted-wav"
    CUT_WAV = "cut-wav"
    PDF = "pdf"
    PNG = "png"
    JPEG = "jpeg"
    GIF = "gif"
    TIFF = "tiff"
    HEIF = "heif"
    APPLEDOUBLE = "appledouble"
    ZEROS = "zeros"
    EMPTY = "empty"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ForeignFormat:
    """`name` completes "The body is ...". `advice`: a sentence for the person who sent it."""

    name: str
    advice: str

    def sentence(self) -> str:
        return f"The body is {self.name}, not a WAV. {self.advice}"


FORMATS: Final[dict[Found, ForeignFormat]] = {
    Found.M4A: ForeignFormat("M4A (AAC or ALAC in MP4)", _PHONES),
    Found.MP4: ForeignFormat("MP4", _PHONES),
    Found.THREE_GP: ForeignFormat("3GP", f"Phones record in this format. {_CONVERT}"),
    Found.MOV: ForeignFormat("a QuickTime film (MOV)", _PHONES),
    Found.WEBM: ForeignFormat("WebM", f"Chrome and Firefox record in this format. {_CONVERT}"),
    Found.MATROSKA: ForeignFormat("Matroska", f"Chrome and OBS record in this format. {_CONVERT}"),
    Found.AAC: ForeignFormat("AAC (ADTS or ADIF)", f"Phones record in this format. {_CONVERT}"),
    Found.MP3: ForeignFormat(
        "MP3 or another MPEG audio", "Send the WAV that it was made from: a second encoding loses quality."
    ),
    Found.WMA: ForeignFormat("Windows Media (ASF, WMA)", f"Windows' recorders write this format. {_CONVERT}"),
    Found.AMR: ForeignFormat("AMR", f"Phones record calls in this format. {_CONVERT}"),
    Found.CAF: ForeignFormat("Core Audio (CAF)", f"Apple's devices record in this format. {_CONVERT}"),
    Found.OGG: ForeignFormat("Ogg (Opus or Vorbis)", _BROWSERS),
    Found.FLAC: ForeignFormat("FLAC", _CONVERT),
    Found.AIFF: ForeignFormat("AIFF", f"Programs for the Mac write this format. {_CONVERT}"),
    Found.RIFX: ForeignFormat("RIFX (big-endian)", _CONVERT),
    Found.W64: ForeignFormat("Sony Wave64", f"{_CONVERT} Longer than 4 GiB, it can be RF64."),
    Found.AU: ForeignFormat("Sun audio (AU)", _CONVERT),
    Found.APE: ForeignFormat("Monkey's Audio (APE)", _CONVERT),
    Found.WAVPACK: ForeignFormat("WavPack", _CONVERT),
    Found.DSD: ForeignFormat("DSD", _CONVERT),
    Found.TTA: ForeignFormat("True Audio (TTA)", _CONVERT),
    Found.AC3: ForeignFormat("AC-3", _CONVERT),
    Found.REAL: ForeignFormat("RealMedia", _CONVERT),
    Found.SOX: ForeignFormat("SoX's own format", _CONVERT),
    Found.SPHERE: ForeignFormat("NIST SPHERE", f"Speech corpora use this format. {_CONVERT}"),
    Found.VOC: ForeignFormat("Creative Voice (VOC)", _CONVERT),
    Found.MIDI: ForeignFormat("MIDI", "It has notes and no sound: render it to WAV."),
    Found.AVI: ForeignFormat("a film (AVI)", _CONVERT),
    Found.FLV: ForeignFormat("Flash Video", _CONVERT),
    Found.MPEG: ForeignFormat("a film (MPEG)", _CONVERT),
    Found.WEBP: ForeignFormat("a picture (WebP)", _PICTURE),
    Found.RIFF: ForeignFormat("RIFF of another form", _CONVERT),
    Found.IFF: ForeignFormat("IFF", _CONVERT),
    Found.ZIP: ForeignFormat("a zip archive", _UNPACK),
    Found.GZIP: ForeignFormat("compressed with gzip", _UNPACK),
    Found.BZIP2: ForeignFormat("compressed with bzip2", _UNPACK),
    Found.XZ: ForeignFormat("compressed with xz", _UNPACK),
    Found.ZSTD: ForeignFormat("compressed with zstd", _UNPACK),
    Found.SEVEN_ZIP: ForeignFormat("a 7z archive", _UNPACK),
    Found.RAR: ForeignFormat("a RAR archive", _UNPACK),
    Found.TAR: ForeignFormat("a tar archive", _UNPACK),
    Found.HTML: ForeignFormat("HTML", _PAGE),
    Found.XML: ForeignFormat("XML", _PAGE),
    Found.JSON: ForeignFormat("JSON", _READ),
    Found.DATA_URL: ForeignFormat("a `data:` URL", _DECODE),
    Found.BASE64: ForeignFormat("text in base64", _DECODE),
    Found.HEX: ForeignFormat("text in hexadecimal digits", _DECODE),
    Found.MULTIPART: ForeignFormat(
        "a multipart form", "Send it as multipart/form-data with its boundary; HTTP libraries set both."
    ),
    Found.GIT_LFS: ForeignFormat("a pointer of Git LFS", "Fetch the file with `git lfs pull`."),
    Found.TEXT: ForeignFormat("text", _READ),
    Found.SHIFTED_WAV: ForeignFormat(
        "other bytes with a WAV behind them",
        "A program has treated it as text, and may have changed more: send the original.",
    ),
    Found.CUT_WAV: ForeignFormat("only the first bytes of one", "Send the whole file."),
    Found.PDF: ForeignFormat("PDF", "Send the recording itself."),
    Found.PNG: ForeignFormat("a picture (PNG)", _PICTURE),
    Found.JPEG: ForeignFormat("a picture (JPEG)", _PICTURE),
    Found.GIF: ForeignFormat("a picture (GIF)", _PICTURE),
    Found.TIFF: ForeignFormat("a picture (TIFF)", _PICTURE),
    Found.HEIF: ForeignFormat("a picture (HEIF, AVIF)", _PICTURE),
    Found.APPLEDOUBLE: ForeignFormat(
        "AppleDouble", "The Mac keeps a file's attributes in it: send the file of the same name without `._`."
    ),
    Found.ZEROS: ForeignFormat(
        "zeros", "The recorder or the copy has not written it: look for the original on the card."
    ),
    Found.EMPTY: ForeignFormat("empty", "Send the whole file."),
    Found.UNKNOWN: ForeignFormat("of an unknown format", _CONVERT),
}

TEXT_FORMATS: Final = frozenset((Found.TEXT, Found.JSON, Found.XML, Found.HTML, Found.MULTIPART, Found.EMPTY))
"""Text that its Content-Type describes better than its bytes do."""

_BEGINNINGS: Final[dict[bytes, Found]] = {
    b"\x1aE\xdf\xa3": Found.MATROSKA,
    b"ADIF": Found.AAC,
    b"ID3": Found.MP3,
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": Found.WMA,
    b"#!AMR": Found.AMR,
    b"caff": Found.CAF,
    b"OggS": Found.OGG,
    b"fLaC": Found.FLAC,
    b"RIFX": Found.RIFX,
    b"FFIR": Found.RIFX,
    b"riff": Found.W64,
    b".snd": Found.AU,
    b"MAC ": Found.APE,
    b"wvpk": Found.WAVPACK,
    b"DSD ": Found.DSD,
    b"FRM8": Found.DSD,
    b"TTA1": Found.TTA,
    b"\x0bw": Found.AC3,
    b".RMF": Found.REAL,
    b".ra\xfd": Found.REAL,
    b".SoX": Found.SOX,
    b"\0\0\1\xba": Found.MPEG,
    b"NIST_1A": Found.SPHERE,
    b"Creative Voice File": Found.VOC,
    b"MThd": Found.MIDI,
    b"FLV\1": Found.FLV,
    b"FORM": Found.IFF,
    b"PK\3\4": Found.ZIP,
    b"PK\5\6": Found.ZIP,
    b"PK\7\x08": Found.ZIP,
    b"\x1f\x8b": Found.GZIP,
    b"BZh": Found.BZIP2,
    b"\xfd7zXZ\0": Found.XZ,
    b"\x28\xb5\x2f\xfd": Found.ZSTD,
    b"7z\xbc\xaf\x27\x1c": Found.SEVEN_ZIP,
    b"Rar!\x1a\7": Found.RAR,
    b"%PDF": Found.PDF,
    b"\x89PNG": Found.PNG,
    b"\xff\xd8\xff": Found.JPEG,
    b"GIF8": Found.GIF,
    b"II*\0": Found.TIFF,
    b"MM\0*": Found.TIFF,
    b"\0\5\x16\0": Found.APPLEDOUBLE,
    b"\0\5\x16\7": Found.APPLEDOUBLE,
}
_RIFF_FORMS: Final = {b"AVI ": Found.AVI, b"WEBP": Found.WEBP, b"RMID": Found.MIDI}
_BRANDS: Final = {
    **dict.fromkeys((b"M4A", b"M4B", b"M4P"), Found.M4A),
    **dict.fromkeys((b"3gp", b"3g2", b"3ge", b"3gs", b"3gr"), Found.THREE_GP),
    **dict.fromkeys((b"hei", b"hev", b"mif", b"msf", b"avi"), Found.HEIF),
    b"qt ": Found.MOV,
}
"""The first three bytes of an ISO base media file's major brand; any other brand is MP4."""

_OLD_QUICKTIME: Final = frozenset((b"moov", b"mdat", b"wide", b"skip", b"free", b"pnot"))
_HTML: Final = re.compile(
    r"<(!doctype html|!--|(html|head|body|title|meta|script|style|div|h1|p)[\s>])", re.IGNORECASE
)
_JSON: Final = re.compile(r"[{\[]\s*([\"{}\[\]0-9-]|true|false|null|\Z)")
_TEXT_BEGINNINGS: Final = {
    "data:": Found.DATA_URL,
    "uklgr": Found.BASE64,
    "uky2n": Found.BASE64,
    "qlc2n": Found.BASE64,
    "52494646": Found.HEX,
    "version https://git-lfs": Found.GIT_LFS,
    "%pdf-": Found.PDF,
    "nist_1a": Found.SPHERE,
    "<": Found.XML,
}
_CONTROLS: Final = re.compile(rb"[^\t\n\f\r\x1b -\xff]|\x7f")


def is_wave(head: bytes) -> bool:
    """Whether these are the first bytes of RIFF/WAVE, RF64 or BW64. `head`: at least 12 bytes, if there are so many."""
    return head[:4] in WAVE_MAGICS and head[8:12] == b"WAVE"


def not_a_wav(head: bytes) -> ForeignBody:
    """The error for a body that `is_wave` denies. `head`: its first HEAD_BYTES, or all of a shorter body."""
    found = found_in(head)
    related = head[:4] in _RELATIVES and found not in TEXT_FORMATS and found is not Found.CUT_WAV
    kind = UnsupportedContainer if related else NotAWav
    return kind(FORMATS[found].sentence(), found=found)


def found_in(head: bytes) -> Found:
    """The format of a body that is not a WAV. `head`: its first HEAD_BYTES, or all of a shorter body."""
    if not head:
        return Found.EMPTY
    if not any(head):
        return Found.ZEROS
    if len(head) < 12 and head.startswith(WAVE_MAGICS):
        return Found.CUT_WAV
    text = _as_text(head)
    return _binary(head) if text is None else _textual(text)


def _binary(head: bytes) -> Found:
    if head.startswith(WAVE_MAGICS):
        return _RIFF_FORMS.get(head[8:12], Found.RIFF)
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:11], Found.MP4)
    if head[4:8] in _OLD_QUICKTIME:
        return Found.MOV
    if head[257:262] == b"ustar":
        return Found.TAR
    if head[:1] == head[188:189] == head[376:377] == b"G":
        return Found.MPEG  # packets of 188 bytes: ISO 13818-1
    line = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if line.startswith(WAVE_MAGICS):
        return Found.SHIFTED_WAV
    if line.startswith(b"--") and b"content-disposition:" in line.lower():
        return Found.MULTIPART
    found = next((found for start, found in _BEGINNINGS.items() if head.startswith(start)), None)
    if found is Found.MATROSKA and b"webm" in head[:64]:
        return Found.WEBM
    if found is Found.IFF and head[8:12] in (b"AIFF", b"AIFC"):
        return Found.AIFF
    return found or _mpeg_audio(head) or Found.UNKNOWN


def _mpeg_audio(head: bytes) -> Found | None:
    """ISO 11172-3 and 13818-7: a frame begins with 11 or 12 one bits. Layer I is left out: it looks like UTF-16."""
    if len(head) < 3 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return Found.AAC
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sample_rate = head[2] >> 4, head[2] >> 2 & 3
    is_frame = head[1] >= 0xE0 and version != 1 and layer in (1, 2) and bit_rate != 15 and sample_rate != 3
    return Found.MP3 if is_frame else None


def _as_text(head: bytes) -> str | None:
    """The head if it is text: UTF-16 with a BOM, or without control characters and in UTF-8 or mostly ASCII."""
    for bom in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        if head.startswith(bom):
            return head.decode("utf-16", "replace")
    if _CONTROLS.search(head):
        return None
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head)  # a character at the end may be cut
    except UnicodeDecodeError:
        mostly_ascii = len(head) < 2 * sum(byte < 0x80 for byte in head)
        return head.decode("latin-1") if mostly_ascii else None


def _textual(text: str) -> Found:
    text = text.strip().lstrip("\"'(")
    if _HTML.match(text):
        return Found.HTML
    if _JSON.match(text):
        return Found.JSON
    if text.startswith("--") and "content-disposition:" in text.lower():
        return Found.MULTIPART
    beginnings = (found for start, found in _TEXT_BEGINNINGS.items() if text.lower().startswith(start))
    return next(beginnings, Found.TEXT)
