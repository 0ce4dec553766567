"""Requests with a valid WAV and wrong fields, framing, queries, paths or JSON; deterministic for a seed."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Final, TypeAlias
from urllib.parse import quote_from_bytes

from fuzz.hostile_values import CONDITIONS, HEADERS, JSONS, RANGES, TRANSFER_ENCODINGS, VALUES
from fuzz.odd_forms import Credentials, odd_form
from fuzz.uploads import form, upload
from fuzz.wire import Request

_NOBODY: Final = b"Bearer 00000000-0000-4000-8000-000000000000"
_NO_ID: Final = "00000000-0000-4000-8000-000000000000"
_JSON: Final = (b"Content-Type", b"application/json")


@dataclass(frozen=True)
class Known:
    """A user and their recording, both of which must survive all requests."""

    user: int
    token: str
    recording: str
    wav: bytes

    @property
    def bearer(self) -> tuple[bytes, bytes]:
        return (b"Authorization", b"Bearer " + self.token.encode())


Damage: TypeAlias = Callable[[Request, Random], Request]


def hostile_request(known: Known, random: Random) -> Request:
    """Deterministic for a seed. No request deletes `known.recording` or changes the token."""
    request = random.choice(_ROUTES)(known, random)
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        request = random.choice(_DAMAGES)(request, random)
    if random.random() < 0.05:
        request = _garbled(request, random)
    return request


def _users(_: Known, random: Random) -> Request:
    name = f"fuzz {random.randrange(1 << 40)}".encode()
    bodies = (
        ((_JSON,), b'{"name": "%s"}' % name),
        ((_JSON,), random.choice(JSONS)),
        (
            ((b"Content-Type", b"application/x-www-form-urlencoded"),),
            b"name=" + random.choice((name, *VALUES)),
        ),
        (
            ((b"Content-Type", b"multipart/form-data; boundary=b"),),
            b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx',
        ),
    )
    headers, body = random.choice(bodies)
    return Request("POST", b"/users", headers, body)


def _me(known: Known, random: Random) -> Request:
    method, target = random.choice(
        (("GET", b"/users/me"), ("DELETE", b"/users/me"), ("POST", b"/users/me/token"))
    )
    return Request(method, target, (known.bearer if method == "GET" else (b"Authorization", _NOBODY),))


def _list(known: Known, random: Random) -> Request:
    limit, cursor = (_quoted(random.choice(VALUES)) for _ in range(2))
    return Request(
        "GET", b"/records?limit=%s&cursor=%s" % (random.choice((b"5", limit)), cursor), (known.bearer,)
    )


def _one(known: Known, random: Random) -> Request:
    method = random.choice(("GET", "PATCH", "DELETE"))
    recording = _NO_ID if method == "DELETE" else random.choice((known.recording, _NO_ID))
    body = random.choice((b'{"title": "x"}', *JSONS)) if method == "PATCH" else b""
    return Request(method, b"/records/" + recording.encode(), (known.bearer, _JSON), body)


def _link(known: Known, random: Random) -> Request:
    values = (known.recording.encode(), b"%d" % known.user)
    recording, user = (value if random.random() < 0.7 else _quoted(random.choice(VALUES)) for value in values)
    target = random.choice((b"/record?id=%s&user=%s", b"/record/%s.mp3?user=%s")) % (recording, user)
    return Request(
        random.choice(("GET", "HEAD")),
        target,
        ((b"Range", random.choice(RANGES)), (b"If-Range", random.choice(CONDITIONS)))[
            : random.choice((0, 1, 1, 2))
        ],
    )


def _small_upload(known: Known, random: Random) -> Request:
    request = upload(known.wav, known.user, known.token, random)
    if b"?" in request.target:
        query = b"&%s=%s" % (
            random.choice((b"title", b"filename", b"bitrate", b"user")),
            _quoted(random.choice(VALUES)),
        )
        request = replace(request, target=request.target + query)
    return request


def _strange_form(known: Known, random: Random) -> Request:
    """A form whose parts are unordered, repeated, unnamed, or have strange headers."""
    parts = [
        (b'name="user_id"', b"%d" % known.user),
        (b'name="token"', known.token.encode()),
        (b'name="file"; filename="%s"' % random.choice(VALUES).replace(b'"', b""), known.wav),
        (b'name="title"', random.choice(VALUES)),
        (b'name="bitrate"', random.choice((b"64", *VALUES))),
        (b"name=%s; x=%s" % (random.choice(VALUES), random.choice(VALUES)), b""),
        (b'name="file"\r\n%s: %s' % (random.choice(HEADERS), random.choice(VALUES)), known.wav),
    ]
    return form(random.choices(parts, k=random.randrange(1, 9)))


def _form_of_another_client(known: Known, random: Random) -> Request:
    return odd_form(Credentials(known.user, known.token.encode()), known.wav, random)


def _other(_: Known, random: Random) -> Request:
    target = random.choice(
        (b"/healthz", b"/readyz", b"/metrics", b"/openapi.json", b"/docs", b"/", b"/docs/assets/..%2f")
    )
    return Request(random.choice(("GET", "HEAD", "POST", "OPTIONS", "TRACE", "PUT", "PROPFIND")), target)


_ROUTES: Final = (
    *(_users, _me, _list, _one, _link, _link, _small_upload, _strange_form, _other),
    *(_form_of_another_client, _form_of_another_client),
)


def _quoted(value: bytes) -> bytes:
    return quote_from_bytes(value).encode() if b"%" not in value else value


def a_strange_header(request: Request, random: Random) -> Request:
    value = random.choice((*VALUES, *RANGES, *CONDITIONS))
    return replace(request, headers=(*request.headers, (random.choice(HEADERS), value)))


def a_changed_header(request: Request, random: Random) -> Request:
    if not request.headers:
        return request
    headers = [*request.headers]
    at = random.randrange(len(headers))
    name, value = headers[at]
    headers[at] = (name, random.choice((*VALUES, value[:-1], value + value, value.upper(), b" " + value)))
    return replace(request, headers=tuple(headers))


def a_header_twice(request: Request, random: Random) -> Request:
    more = (random.choice(request.headers),) if request.headers else ()
    return replace(request, headers=request.headers + more)


def a_strange_path(request: Request, random: Random) -> Request:
    path, mark, query = request.target.partition(b"?")
    segments = path.split(b"/")
    segments[random.randrange(1, len(segments))] = _quoted(random.choice(VALUES))
    return replace(request, target=b"/".join(segments) + mark + query)


def a_strange_query(request: Request, random: Random) -> Request:
    name = random.choice((b"id", b"user", b"limit", b"cursor", b"title", b"bitrate", b"filename", b"x", b""))
    mark = b"&" if b"?" in request.target else b"?"
    return replace(request, target=request.target + mark + name + b"=" + _quoted(random.choice(VALUES)))


def a_damaged_body(request: Request, random: Random) -> Request:
    if not request.body:
        return request
    at, size = random.randrange(len(request.body)), random.choice((0, 1, 2, 30))
    piece = random.choice((b"", b"\r\n", b"--", b"\0", b'"', random.randbytes(8)))
    return replace(request, body=request.body[:at] + piece + request.body[at + size :])


def another_length(request: Request, random: Random) -> Request:
    """Content-Length exceeds the body, then the client leaves. (A smaller one would start another request.)"""
    if not request.body:
        return request
    return replace(request, says_bytes=len(request.body) + random.choice((1, 999, 1 << 40)), leaves=True)


def in_chunks(request: Request, random: Random) -> Request:
    """Transfer-Encoding: chunked, mostly valid."""
    if not request.body or request.raw is not None:
        return request
    size = random.choice((1 + len(request.body) // 5, 1_000, 7_000))
    pieces = [request.body[at : at + size] for at in range(0, len(request.body), size)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    end = random.choice(
        (b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nX-Trailer: 1\r\n\r\n", b"", b"zz\r\n", b"-1\r\n\r\n")
    )
    headers = (*request.headers, (b"Transfer-Encoding", b"chunked"))
    return replace(request, headers=headers, body=body + end, leaves=not end.startswith(b"0"))


def a_transfer_encoding(request: Request, random: Random) -> Request:
    """A body in chunks under a Transfer-Encoding that only some parsers take for chunked."""
    if not request.body or request.raw is not None or b"Transfer-Encoding" in dict(request.headers):
        return request
    coding = random.choice(TRANSFER_ENCODINGS)
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(request.body), request.body)
    return replace(request, headers=(*request.headers, (b"Transfer-Encoding", coding)), body=body)


def a_content_encoding(request: Request, random: Random) -> Request:
    """Mostly a false statement: the body stays as it is, or is compressed."""
    coding = random.choice(
        (b"gzip", b"GZIP", b"deflate", b"br", b"identity", b"identity, gzip", b"", b"x" * 900)
    )
    body = (
        gzip.compress(request.body, mtime=0) if b"gzip" in coding and random.random() < 0.5 else request.body
    )
    return replace(request, headers=(*request.headers, (b"Content-Encoding", coding)), body=body)


def cut_off(request: Request, random: Random) -> Request:
    """The client leaves in the middle of the request."""
    whole = request.bytes_to_send()
    return replace(request, raw=whole[: random.randrange(1, max(2, len(whole)))], leaves=True)


_DAMAGES: Final[tuple[Damage, ...]] = (
    *(a_strange_header, a_strange_header, a_changed_header, a_header_twice, a_strange_path, a_strange_query),
    *(a_strange_query, a_damaged_body, a_damaged_body, another_length, in_chunks, cut_off),
    *(a_transfer_encoding, a_content_encoding),
)


def _garbled(request: Request, random: Random) -> Request:
    """Flips bits in the first 300 bytes: the result may not be HTTP, or a line may end too early."""
    raw = bytearray(request.bytes_to_send())
    for _ in range(random.choice((1, 3))):
        raw[random.randrange(min(len(raw), 300))] ^= 1 << random.randrange(8)
    return replace(request, raw=bytes(raw), leaves=True)
