"""Uploads of valid or damaged WAVs: raw, or in a form."""

from random import Random
from typing import Final

from fuzz.wire import Request

_RAW_TYPES: Final = (b"audio/wav", b"audio/x-wav", b"application/octet-stream")
_BOUNDARY: Final = b"----fuzz5c1d"


def upload(wav: bytes, user: int, token: str, random: Random) -> Request:
    """A correct request; only the WAV may be damaged."""
    if random.random() < 0.5:
        headers = (
            (b"Authorization", b"Bearer " + token.encode()),
            (b"Content-Type", random.choice(_RAW_TYPES)),
        )
        return Request("POST", b"/records?user=%d" % user, headers, wav)
    parts = [(b'name="user_id"', b"%d" % user), (b'name="token"', token.encode())]
    file = (b'name="file"; filename="a.wav"\r\nContent-Type: audio/wav', wav)
    parts.insert(random.choice((0, 2, 2, 2)), file)
    return form(parts)


def form(parts: list[tuple[bytes, bytes]]) -> Request:
    """`parts`: for each part, the text after `form-data; `, and the body."""
    pieces = [
        b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (_BOUNDARY, *part) for part in parts
    ]
    body = b"".join(pieces) + b"--" + _BOUNDARY + b"--\r\n"
    headers = ((b"Content-Type", b"multipart/form-data; boundary=" + _BOUNDARY),)
    return Request("POST", b"/records", headers, body)
