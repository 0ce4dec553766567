"""The request body as it arrives, with limits on its size and on the time between its bytes."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Final, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers

from pigwav.errors import (
    LengthRequired,
    UnsupportedContentEncoding,
    UploadBroken,
    UploadIdle,
    UploadTooLarge,
)
from pigwav.settings import UploadLimits

Model = TypeVar("Model", bound=BaseModel)

BODY_ERRORS: Final = (UnsupportedContentEncoding, LengthRequired, UploadBroken, UploadIdle, UploadTooLarge)
"""The errors that reading a body may raise."""

_SHOWN_CHARS: Final = 40


async def body_blocks(request: Request, limits: UploadLimits) -> AsyncGenerator[bytes]:
    """Yields the body in the blocks that the socket delivers (up to 64 KiB each). Ends only if the body is complete.

    Raises UnsupportedContentEncoding and LengthRequired by the head alone, UploadIdle if no data arrives for
    `idle_timeout_s`, UploadTooLarge if the body exceeds `max_upload_bytes`, and UploadBroken if the client disconnects
    before the end.
    """
    _check_head(request.headers)
    received_bytes = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(limits.idle_timeout_s):
                message = await request.receive()
        except TimeoutError:
            raise UploadIdle(f"No data arrived for {limits.idle_timeout_s:g} seconds.") from None
        if message["type"] == "http.disconnect":
            raise UploadBroken
        more = message.get("more_body", False)
        if block := message.get("body", b""):
            received_bytes += len(block)
            if received_bytes > limits.max_upload_bytes:
                raise UploadTooLarge(f"At most {limits.max_upload_bytes} bytes are accepted.")
            yield block


def _check_head(headers: Headers) -> None:
    """RFC 9110 8.4 and RFC 9112 6.3: without a length and without chunks, HTTP takes the body for empty."""
    codings = (coding.strip() for coding in ",".join(headers.getlist("content-encoding")).split(","))
    for coding in codings:
        if coding.lower() not in ("", "identity"):
            raise UnsupportedContentEncoding(
                f"The body has the Content-Encoding {coding[:_SHOWN_CHARS]!a}. Send its bytes as they are."
            )
    if "content-length" not in headers and "transfer-encoding" not in headers:
        raise LengthRequired


async def small_body(request: Request, limits: UploadLimits, *, limit_bytes: int = 16 * 1024) -> bytes:
    """The whole body of a small request. It must arrive within `idle_timeout_s`. Raises what `body_blocks` raises."""
    held = bytearray()
    try:
        async with asyncio.timeout(limits.idle_timeout_s), aclosing(body_blocks(request, limits)) as blocks:
            async for block in blocks:
                held += block
                if len(held) > limit_bytes:
                    raise UploadTooLarge(f"The body of this request may have at most {limit_bytes} bytes.")
    except TimeoutError:
        raise UploadIdle(f"The body did not arrive within {limits.idle_timeout_s:g} seconds.") from None
    return bytes(held)


async def json_body(request: Request, limits: UploadLimits, model: type[Model]) -> Model:
    """Reads a small JSON body. FastAPI itself would read a body of any size before it authenticates the caller.

    Raises RequestValidationError, and what `body_blocks` raises.
    """
    body = await small_body(request, limits)
    with request_errors():
        return model.model_validate_json(body)


@contextmanager
def request_errors() -> Iterator[None]:
    """Turns pydantic's ValidationError into the RequestValidationError that FastAPI raises for its own parsing."""
    try:
        yield
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from error
