"""Hostile values for fields, paths, queries and JSON bodies."""

from typing import Final

VALUES: Final = (
    *(
        b"",
        b"0",
        b"-1",
        b"1.5",
        b"1e9",
        b"9" * 30,
        b"null",
        b"\xc2\xb2",
        b"a" * 9_000,
        b"' OR 1=1 --",
        b"*",
        b"%",
    ),
    *(b"../../etc/passwd", b"\xff\xfe", "Ж\u202eй\u0301".encode(), b"<script>", b"a\tb", b"${x}", b"[", b"]"),
    *(
        b"\xed\xa0\x80",
        b"%00",
        b"%0d%0aX-Injected:%201",
        b"http://[",
        b"evil.example:99999",
        b"::1",
        b"[::1]:80",
    ),
)
RANGES: Final = (
    *(
        b"bytes=0-0",
        b"bytes=-1",
        b"bytes=5-",
        b"bytes=0-1,2-3",
        b"bytes=9-1",
        b"bytes=-0",
        b"bytes=" + b"9" * 400 + b"-",
    ),
    *(
        b"bytes=0-" + b"9" * 5_000,
        b"bytes=,,,",
        b"items=0-1",
        b"bytes=0-0," * 800,
        b"bytes=--1",
        b"bytes=\xb2-",
    ),
)
CONDITIONS: Final = (
    *(
        b"*",
        b'""',
        b'W/"a"',
        b'"' * 3_000,
        b"Mon, 30 Feb 2026 12:30:05 GMT",
        b"Sun, 01 Mar 0000 99:99:99 GMT",
    ),
    *(b"Sun Mar  1 12:30:05 9999", b"Sunday, 01-Mar-26 12:30:05 GMT", b"W/" * 2_000),
)
JSONS: Final = (
    *(
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b'{"name": 1}',
        b'{"name": null}',
        b'{"name": "\\ud800"}',
        b"\xff{}",
        b"1e999",
    ),
    *(
        b'{"name": "\\u0000"}',
        b"[" * 50_000,
        b'{"a":' * 9_000,
        b'{"name": "' + b"x" * 70_000 + b'"}',
        b"NaN",
        b"-",
    ),
    *(
        b'{"title": "\\ud83d"}',
        b'{"title": ["x"]}',
        b'{"title": "' + "e\u0301\u0316".encode() * 9_000 + b'"}',
    ),
    *(
        b'\xef\xbb\xbf{"name": "x"}',
        b'{"name": "a", "name": "b"}',
        b'{"title": true}',
        b'{"title": "\\u202e"}',
    ),
)
HEADERS: Final = (
    *(
        b"Authorization",
        b"Content-Type",
        b"Range",
        b"If-Match",
        b"If-None-Match",
        b"If-Range",
        b"If-Modified-Since",
    ),
    *(
        b"If-Unmodified-Since",
        b"Host",
        b"X-Request-ID",
        b"X-Forwarded-Host",
        b"X-Forwarded-For",
        b"Expect",
        b"Accept",
    ),
    *(b"Content-Encoding", b"Idempotency-Key", b"Origin", b"Upgrade", b"TE", b"Forwarded"),
    *(b"Content-Disposition", b"X-HTTP-Method-Override", b"Cookie"),
)
TRANSFER_ENCODINGS: Final = (
    *(b"chunked", b"Chunked", b" chunked ", b"chunked,", b"chunked, chunked", b"gzip, chunked", b"identity"),
    *(b"identity, chunked", b"chunked;q=1", b"xchunked", b"\x0bchunked", b'"chunked"', b"", b"chunked\t"),
)
