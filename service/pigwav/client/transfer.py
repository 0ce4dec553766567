"""Files on their way to and from the service: in blocks, counted, and checked."""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

import httpx2

from pigwav.client.errors import ClientError, DownloadBroken

BLOCK_BYTES: Final = 64 * 1024

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes done and, where it is known, the bytes in all."""


def unheard(_done_bytes: int, _total_bytes: int | None) -> None:
    """The progress that nobody listens to."""


def remaining_bytes(file: BinaryIO) -> int | None:
    """How much there is to read; None for a pipe."""
    if not file.seekable():
        return None
    position = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(position)
    return end - position


def blocks_of(file: BinaryIO, total_bytes: int | None, progress: Progress) -> Iterator[bytes]:
    """The file's next `total_bytes` (None: all that come). Raises ClientError when there are fewer."""
    done_bytes = 0
    while block := file.read(
        BLOCK_BYTES if total_bytes is None else min(BLOCK_BYTES, total_bytes - done_bytes)
    ):
        yield block
        done_bytes += len(block)
        progress(done_bytes, total_bytes)
    if total_bytes not in (None, done_bytes):
        raise ClientError("The file became shorter while it was being sent.")


def save(response: httpx2.Response, to: Path, progress: Progress) -> None:
    """Write a streamed response to `to`, which gets its name only when the file is whole and right."""
    target = to.resolve()
    if target.exists() and not target.is_file():
        raise ClientError(f"{to} is not a regular file.")
    partial = target.with_name(f".pigwav-{secrets.token_hex(8)}.part")
    try:
        with partial.open("xb") as file:
            _write_checked(response, file, progress)
        partial.replace(target)
    except httpx2.TransportError as error:
        raise DownloadBroken(f"The download broke off: {error}.") from error
    finally:
        partial.unlink(missing_ok=True)


def _write_checked(response: httpx2.Response, file: BinaryIO, progress: Progress) -> None:
    """The transport checks the length; a strong ETag of PigWav's is the SHA-256 in hex."""
    length = response.headers.get("Content-Length", "")
    total_bytes = int(length) if length.isdecimal() else None
    done_bytes, digest = 0, hashlib.sha256()
    for block in response.iter_raw(BLOCK_BYTES):
        file.write(block)
        digest.update(block)
        done_bytes += len(block)
        progress(done_bytes, total_bytes)
    etag = re.fullmatch(r'"([0-9a-f]{64})"', response.headers.get("ETag", ""))
    if etag and etag[1] != digest.hexdigest():
        raise DownloadBroken(
            "The bytes that arrived are not those that the service has: their SHA-256 differs."
        )
