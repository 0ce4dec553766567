"""Text in the charset that a client names. Labels are those of IANA as Python has them, and of the WHATWG standard.

Source: WHATWG Encoding, section 4.2 (names and labels): browsers give some labels a superset of their charset.
"""

from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import Final

UTF8: Final = "utf-8"

_CODECS: Final = frozenset(aliases.values())
_SUPERSETS: Final = {
    "ascii": UTF8,
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
}
LABELS: Final = {
    label: codec
    for codec, labels in {
        UTF8: "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
        "utf-16-le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff",
        "utf-16-be": "unicodefffe",
        "iso8859_2": "iso88592",
        "iso8859_3": "iso88593",
        "iso8859_4": "iso88594",
        "iso8859_5": "iso88595",
        "iso8859_6": "iso88596 csiso88596e csiso88596i iso-8859-6-e iso-8859-6-i",
        "iso8859_7": "iso88597 sun_eu_greek",
        "iso8859_8": "iso88598 csiso88598e csiso88598i iso-8859-8-e iso-8859-8-i logical visual",
        "iso8859_10": "iso885910",
        "iso8859_13": "iso885913",
        "iso8859_14": "iso885914",
        "iso8859_15": "iso885915 csisolatin9",
        "cp874": "cp874 dos-874 iso885911 windows-874",
        "cp1250": "x-cp1250",
        "cp1251": "x-cp1251",
        "cp1252": "x-cp1252 iso88591",
        "cp1253": "x-cp1253",
        "cp1254": "x-cp1254 iso88599",
        "cp1255": "x-cp1255",
        "cp1256": "x-cp1256",
        "cp1257": "x-cp1257",
        "cp1258": "x-cp1258",
        "koi8_r": "koi koi8",
        "koi8_u": "koi8-u koi8-ru",
        "mac_roman": "csmacintosh mac x-mac-roman",
        "mac_cyrillic": "x-mac-cyrillic x-mac-ukrainian",
        "gb18030": "csgb2312 gb_2312 gb_2312-80 x-gbk",
        "big5hkscs": "cn-big5 x-x-big5",
        "euc_jp": "cseucpkdfmtjapanese x-euc-jp",
        "cp932": "windows-31j x-sjis",
        "cp949": "cseuckr csksc56011987 iso-ir-149 ks_c_5601-1989 ksc_5601 windows-949",
    }.items()
    for label in labels.split()
}
"""Labels of the standard that Python does not have."""


def decoded(raw: bytes, label: str) -> str:
    """`raw` as text. Raises LookupError if `label` names no charset, UnicodeDecodeError if `raw` is not in it.

    A label is looked up only in tables: `codecs.lookup` would import a module for it and keep every unknown one.
    """
    name = label.strip().lower()
    python_name = normalize_encoding(name) if name.isascii() else ""
    codec = LABELS.get(name) or aliases.get(python_name) or (python_name if python_name in _CODECS else None)
    if codec is None:
        raise LookupError(label)
    return raw.decode(_SUPERSETS.get(codec, codec))  # LookupError if the codec is not one of text (zlib, hex)
