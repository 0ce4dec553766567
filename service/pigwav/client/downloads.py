"""The requests of a download and the handling of their responses, without I/O to the network: both clients use it."""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx2

from pigwav.client.errors import DownloadBroken, UnexpectedAnswer
from pigwav.client.file_names import file_name
from pigwav.client.partial_file import PartialFile
from pigwav.client.service import MP3_HEADERS, Call
from pigwav.client.transport_errors import origin

_ETAG: Final = re.compile(r'(?:W/)?"([0-9a-f]{64})"')
_DIGEST: Final = re.compile(r"(?:^|[ ,])sha-256=:([A-Za-z0-9+/]{43}=):")
_PART: Final = re.compile(r"bytes (\d+)-\d+/(\d+)", re.ASCII)
_NO_PART: Final = re.compile(r"bytes \*/(\d+)", re.ASCII)


@dataclass(frozen=True)
class Offered:
    """A link's MP3. `name`: the file name under which a browser would save it, one safe path component.

    `sha256`: of the whole MP3, in hex. `size_bytes`: None if the response has no Content-Length.
    """

    name: str
    sha256: str
    size_bytes: int | None


@dataclass(frozen=True)
class Downloaded:
    """A complete and verified file. `resumed_from_bytes`: the bytes that an earlier call had downloaded."""

    path: Path
    size_bytes: int
    sha256: str
    resumed_from_bytes: int


class Download:
    """One download: send a request with `headers`, call `begins` with the response, `write` each block, `finished`.

    If `begins` returns False or `finished` returns None, the partial file was of no use: send the next request. This
    ends, because bytes that come from the first byte in one response either have the right SHA-256 or raise
    DownloadBroken. All methods block and may raise OSError.
    """

    ANSWERS: Final = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)

    def __init__(self, to: Path) -> None:
        self._to = to
        self._file = PartialFile.open(to)
        self._resumed_from_bytes = self._file.size_bytes
        self._sha256: str | None = None
        self.total_bytes: int | None = None

    @property
    def done_bytes(self) -> int:
        return self._file.size_bytes

    def headers(self) -> dict[str, str]:
        return MP3_HEADERS | ({"Range": f"bytes={self.done_bytes}-"} if self.done_bytes else {})

    def begins(self, response: httpx2.Response) -> bool:
        """Whether the response's blocks continue the partial file. The response's status must be one of ANSWERS.

        Raises UnexpectedAnswer if the response is not one of PigWav.
        """
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self._step_back(response)
            return False
        promised = promised_sha256(response)
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            return self._continues(response, promised)
        self._start_over()
        self._sha256, self.total_bytes = promised, _length(response.headers)
        return True

    def write(self, block: bytes) -> None:
        self._file.append(block)

    def finished(self) -> Downloaded | None:
        """Verifies the file and gives it its name. None if a resumed file is wrong and the download starts over.

        Raises DownloadBroken if a file is wrong that was not resumed.
        """
        if self._file.sha256 == self._sha256:
            self._file.become_whole()
            return Downloaded(self._to, self.done_bytes, self._sha256, self._resumed_from_bytes)
        resumed = self._resumed_from_bytes > 0
        self._start_over()
        if resumed:
            return None
        raise wrong_bytes()

    def close(self) -> None:
        """Closes the partial file, which stays for the next call."""
        self._file.close()

    def _continues(self, response: httpx2.Response, promised: str) -> bool:
        part = _PART.fullmatch(response.headers.get("Content-Range", ""))
        if part is None or int(part[1]) != self.done_bytes:
            raise UnexpectedAnswer(
                f"{origin(response.url)} returned another range than requested.", response.status_code
            )
        if self._sha256 not in (None, promised):
            self._start_over()
            return False
        self._sha256, self.total_bytes = promised, int(part[2])
        return True

    def _step_back(self, response: httpx2.Response) -> None:
        """Handles 416: no bytes follow the partial file. If the file has the full size, its last byte is requested
        again, because that response contains the SHA-256. Otherwise the download starts over.
        """
        if self.done_bytes == 0:
            raise UnexpectedAnswer(
                f"{origin(response.url)} answers 416 to a request without Range.", response.status_code
            )
        end = _NO_PART.fullmatch(response.headers.get("Content-Range", ""))
        if end and int(end[1]) == self.done_bytes > 1:
            self._file.keep_bytes(self.done_bytes - 1)
        else:
            self._start_over()

    def _start_over(self) -> None:
        if self.done_bytes:
            self._file.keep_bytes(0)
        self._resumed_from_bytes, self._sha256, self.total_bytes = 0, None, None


class Checked:
    """Verifies the SHA-256 of a download without a file, at its end."""

    def __init__(self, response: httpx2.Response) -> None:
        self._promised = promised_sha256(response)
        self._digest = sha256()

    def update(self, block: bytes) -> None:
        self._digest.update(block)

    def finish(self) -> None:
        """Raises DownloadBroken."""
        if self._digest.hexdigest() != self._promised:
            raise wrong_bytes()


def offer_of(link: str) -> Call[Offered]:
    """The HEAD request for name, SHA-256 and size of a link's MP3."""

    def offered(response: httpx2.Response) -> Offered:
        name = file_name(response.headers.get("Content-Disposition", ""))
        return Offered(name, promised_sha256(response), _length(response.headers))

    return Call("HEAD", link, offered, headers=MP3_HEADERS, follow_redirects=True)


def promised_sha256(response: httpx2.Response) -> str:
    """SHA-256 of the whole MP3 in hex, from the ETag, or else from Repr-Digest (RFC 9530). PigWav sends one of them."""
    if etag := _ETAG.fullmatch(response.headers.get("ETag", "")):
        return etag[1]
    if digest := _DIGEST.search(response.headers.get("Repr-Digest", "")):
        return b64decode(digest[1]).hex()
    raise UnexpectedAnswer(
        f"{origin(response.url)} sends no SHA-256 in ETag or Repr-Digest: this is not a PigWav link.",
        response.status_code,
    )


def wrong_bytes() -> DownloadBroken:
    return DownloadBroken("The downloaded bytes have another SHA-256 than the service reports.")


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdecimal() else None
