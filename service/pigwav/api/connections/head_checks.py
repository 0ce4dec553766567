"""Refuses heads that a proxy in front of the service may read otherwise than the service. Pure.

Source: RFC 9112, sections 2.3 (version), 3.2 (Host) and 6.1 (Transfer-Encoding).
"""

from collections.abc import Sequence
from typing import Final

from pigwav.errors import MalformedHttp

_VERSIONS: Final = ("1.0", "1.1")


def check_head(version: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """`version`: such as 1.1. `headers`: with lower-case names. Raises MalformedHttp."""
    if version not in _VERSIONS:
        raise MalformedHttp("The version of the request is neither HTTP/1.1 nor HTTP/1.0.")
    hosts = sum(name == b"host" for name, _ in headers)
    if hosts > 1:
        raise MalformedHttp(f"The request has {hosts} Host fields; it must have one.")
    if hosts == 0 and version == "1.1":
        raise MalformedHttp("The request has no Host field.")
    codings = [
        coding.strip().lower()
        for name, value in headers
        if name == b"transfer-encoding"
        for coding in value.split(b",")
    ]
    if codings and version == "1.0":
        raise MalformedHttp("HTTP/1.0 has no Transfer-Encoding.")
    if codings not in ([], [b"chunked"]):
        raise MalformedHttp("The only Transfer-Encoding that is supported is chunked, once.")
