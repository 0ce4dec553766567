"""Checks that hold for every response."""

import json
import re
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from corpus import played_samples
from fuzz.wire import Answer, Request, sent
from pigwav.audio.mp3 import FrameHeader

PROBLEM: Final = "application/problem+json"
REFUSALS_OF_A_WAV: Final = frozenset((415, 422))
_ID3_HEADER_BYTES: Final = 10


def outcome_of(answer: Answer) -> str:
    """The outcome to count by: the status and, for a problem, its code."""
    if answer.late:
        return "none in time"
    if answer.status == 0:
        return "none"
    code = json.loads(answer.body).get("code", "") if answer.content_type == PROBLEM and answer.body else ""
    return f"{answer.status} {code}".strip()


def complaint_about_refusal(answer: Answer) -> str:
    """Empty if the refusal is a complete problem document."""
    if answer.content_type != PROBLEM:
        return f"{answer.status} is {answer.content_type or 'nothing'}"
    document = json.loads(answer.body)
    if document.get("status") != answer.status or not document.get("code") or not document.get("title"):
        return f"{answer.status} is not a complete problem: {document}"
    return "" if document["type"] == f"urn:pigwav:problem:{document['code']}" else f"type {document['type']}"


def complaint_about_wav(answer: Answer) -> str:
    """The complaint about the response to a correct upload of a damaged WAV; empty if there is none."""
    if answer.status == 201:
        return ""
    if answer.status not in REFUSALS_OF_A_WAV:
        return f"{outcome_of(answer)} is not expected for a damaged WAV"
    return complaint_about_refusal(answer)


def complaint_about_link(url: str, recording: Mapping[str, Any], *, decode: bool) -> str:
    """Empty if the link of an acknowledged recording plays and its bytes match the 201."""
    link = urlsplit(recording["url"])
    target = f"{link.path}?{link.query}".encode()
    head, whole = (sent(url, Request(method, target)) for method in ("HEAD", "GET"))
    if (head.status, whole.status) != (200, 200):
        return f"HEAD {head.status}, GET {whole.status}"
    lengths = {int(head.headers["content-length"]), len(whole.body), recording["bytes"]}
    if len(lengths) > 1 or sha256(whole.body).hexdigest() != recording["sha256"]:
        return f"bytes differ from the 201's: {lengths}"
    if not _is_mp3(whole.body):
        return "not MP3 frames from start to end"
    return _complaint_about_sound(whole.body, recording) if decode else ""


def _is_mp3(mp3: bytes) -> bool:
    """Walks the frames from start to end, as a player does."""
    at = 0
    if mp3.startswith(b"ID3"):
        size = int.from_bytes(bytes(byte for byte in mp3[6:10]), "big")
        at = _ID3_HEADER_BYTES + sum((size >> 8 * n & 0x7F) << 7 * n for n in range(4))
    frames = 0
    while at + 4 <= len(mp3) and (header := FrameHeader.parse(mp3[at : at + 4])):
        at, frames = at + header.size_bytes, frames + 1
    return at == len(mp3) and frames > 1


def _complaint_about_sound(mp3: bytes, recording: Mapping[str, Any]) -> str:
    try:
        samples = played_samples(mp3, recording["channels"])
    except subprocess.CalledProcessError as error:
        return f"ffmpeg cannot play it: {error.stderr!r}"
    due_ms = recording["duration_ms"]
    played_ms = samples * 1000 / recording["sample_rate_hz"]
    return "" if samples and abs(played_ms - due_ms) <= 1 else f"plays {played_ms:.0f} ms, not {due_ms}"


class Contract:
    """The responses that the OpenAPI document declares."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._operations = [
            (path, _pattern(path), {m.upper(): {*map(int, of["responses"])} for m, of in operations.items()})
            for path, operations in document["paths"].items()
        ]

    def operation(self, request: Request) -> str:
        """Method and path template, to count by."""
        found = [path for path, pattern, _ in self._operations if pattern.fullmatch(request.path)]
        return f"{request.method} {found[0] if found else '(elsewhere)'}"

    def complaint(self, request: Request, answer: Answer) -> str:
        """Empty if the request may get this response."""
        if answer.late or answer.status >= 500:
            return outcome_of(answer)
        if answer.status == 0:
            return "" if request.leaves else "no answer"
        if is_no_http(answer):
            return "" if request.raw or request.leaves or not _is_plain(request) else "taken as non-HTTP"
        declared = self._declared(request)
        if declared is not None and answer.status not in declared:
            return f"{outcome_of(answer)} is not in the OpenAPI document"
        if "\n" in "".join(answer.headers.values()) or "x-injected" in answer.headers:
            return "a header was injected"
        return complaint_about_refusal(answer) if answer.status >= 400 and request.method != "HEAD" else ""

    def _declared(self, request: Request) -> set[int] | None:
        """The declared statuses. None if the parser may read another request: then any status below 500 is right."""
        if request.raw is not None or not _is_plain(request):
            return None
        for _, pattern, methods in self._operations:
            if pattern.fullmatch(request.path):
                return methods.get(request.method, {405})
        return None


def is_no_http(answer: Answer) -> bool:
    """Whether the HTTP parser itself answered, because it could not read a request."""
    return answer.status == 400 and (
        not answer.content_type.startswith(PROBLEM) or b"malformed-http" in answer.body
    )


def _is_plain(request: Request) -> bool:
    """Whether the HTTP parser must read the request as intended."""
    names = {name.lower() for name, _ in request.headers}
    return request.target.isascii() and not names & {b"transfer-encoding", b"host", b"upgrade", b"expect"}


def _pattern(path: str) -> "re.Pattern[str]":
    return re.compile(re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(path)))
