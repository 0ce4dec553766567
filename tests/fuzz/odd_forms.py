"""Upload forms as odd and hostile clients send them; deterministic for a seed.

Boundaries of any form, credentials before and after the file and by Bearer, charsets, encoded file names.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from fuzz.hostile_values import VALUES
from fuzz.wire import Request

BOUNDARIES: Final = (
    *((b"*****", b"*****"), (b'"a b"', b"a b"), (b'"a;b"', b"a;b"), (b'"\\"q\\""', b'"q"'), (b"b ", b"b")),
    *((b"'()+_,-./:=?", b"'()+_,-./:=?"), (b"-" * 70, b"-" * 70), (b"--", b"--"), (b"b\xe9", b"b\xe9")),
    *((b"b" * 71, b"b" * 71), (b"", b""), (b'"b', b"b"), (b"b; boundary=c", b"b"), (b'" b"', b" b")),
    *((b"b; charset=windows-1251", b"b"), (b"b; charset=nothing", b"b"), (b"b;;; x", b"b")),
)
"""What the Content-Type says, and what the body has. Some of them are valid, and some are not."""

CHARSETS: Final = (
    *(b"utf-8", b"UTF8", b"windows-1251", b"iso-8859-1", b"utf-16", b"utf-16le", b"utf-7", b"shift_jis"),
    *(b"iso-2022-jp", b"gb18030", b"idna", b"punycode", b"unicode_escape", b"undefined", b"hex", b"zlib"),
    *(b"rot13", b"", b'"', b"u" * 300, b"../utf_8", b"utf-8\0", b"\xd0\xaf"),
)
TEXTS: Final = (
    *("Речь".encode(charset) for charset in ("utf-8", "cp1251", "koi8-r", "utf-16")),
    *(b"+ADw-", b"\x1b$B", b"\\u0000\\ud800", b"\xff\xfe", b"x" * 4_097, b"a\r\nb", b""),
)
FILE_NAMES: Final = (
    *(b'filename="%D0%AF.wav"', b'filename="50%.wav"', b'filename="%FF%00.wav"', b'filename="%22%0D%0A"'),
    *(b'filename="=?UTF-8?B?0K8ud2F2?="', b'filename="=?windows-1251?Q?=DF=0D=0A.wav?="'),
    *(b'filename="=?utf-8?b?!!!?="', b'filename="=?zlib?q?x?="', b'filename="=?UTF-8?Q?=00=2F..?="'),
    *(b'filename="' + b"=?a?q?" * 400 + b'"', b"filename*=UTF-8''%D0%AF.wav", b"filename*=utf-16''%00"),
    *(b"filename=a.wav; filename*=UTF-8''%ED%A0%80", b'filename="\xdf.wav"', b'filename="C:\\a\\b.wav"'),
    *(b'filename=""', b'filename="blob"', b"filename", b'filename="a.wav"; filename="b.wav"'),
)
PART_ENCODINGS: Final = (b"8bit", b"BINARY", b"base64", b"quoted-printable", b"")


@dataclass(frozen=True)
class Credentials:
    """Those of a user: the Bearer token and the fields of a form are made of them."""

    user: int
    token: bytes


def odd_form(credentials: Credentials, wav: bytes, random: Random) -> Request:
    """A form with one file, mostly, which some other client sent."""
    said, boundary = random.choice(BOUNDARIES) if random.random() < 0.5 else (b"b", b"b")
    bearer = random.random() < 0.5
    fields = [*_credential_fields(credentials, random, needed=not bearer), *_text_fields(random)]
    random.shuffle(fields)
    place = random.randint(0, len(fields))
    parts = [*fields[:place], _file(wav, random), *fields[place:]]
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    if random.random() < 0.1:
        body = b"a preamble\r\n" + body
    headers = [(b"Content-Type", b"multipart/form-data; boundary=" + said)]
    if bearer:
        headers.append((b"Authorization", b"Bearer " + credentials.token))
    return Request("POST", b"/records", tuple(headers), body + b"--%s--\r\n" % boundary)


def _credential_fields(credentials: Credentials, random: Random, *, needed: bool) -> list[bytes]:
    """Both, or, if they are not needed: none, one, or one that contradicts the Bearer token."""
    right = [_field(b"user_id", b"%d" % credentials.user), _field(b"token", credentials.token)]
    if needed and random.random() < 0.9:
        return right
    wrong = [_field(b"user_id", b"%d" % (credentials.user + 1)), _field(b"token", random.choice(VALUES))]
    return random.choice(([], [], right, right[:1], right[1:], wrong[:1], wrong[1:], right + right))


def _text_fields(random: Random) -> list[bytes]:
    fields = []
    if random.random() < 0.7:
        declared = b"; charset=" + random.choice(CHARSETS) if random.random() < 0.6 else b""
        more = b"\r\nContent-Type: text/plain" + declared if declared or random.random() < 0.5 else b""
        fields.append(_field(b"title", random.choice(TEXTS), more))
    if random.random() < 0.3:
        fields.append(_field(b"_charset_", random.choice(CHARSETS)))
    if random.random() < 0.2:
        fields.append(_field(b"bitrate", random.choice((b"64", b"128", *VALUES))))
    return fields


def _field(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return b'Content-Disposition: form-data; name="%s"%s\r\n\r\n%s' % (name, more, value)


def _file(wav: bytes, random: Random) -> bytes:
    name = b"; " + random.choice(FILE_NAMES) if random.random() < 0.9 else b""
    encoding = b"Content-Transfer-Encoding: " + random.choice(PART_ENCODINGS) + b"\r\n"
    more = encoding if random.random() < 0.1 else b""
    return b'%sContent-Disposition: form-data; name="file"%s\r\n\r\n%s' % (more, name, wav)
