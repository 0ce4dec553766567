"""The request body as it arrives, with limits on its size and on the time between its bytes."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Final, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.types import Receive

from pigwav.errors import UploadBroken, UploadIdle, UploadTooLarge
from pigwav.settings import UploadLimits

Model = TypeVar("Model", bound=BaseModel)

BODY_ERRORS: Final = (UploadBroken, UploadIdle, UploadTooLarge)
"""What reading any body may raise."""


async def body_blocks(receive: Receive, limits: UploadLimits) -> AsyncGenerator[bytes]:
    """Blocks as the socket gives them (up to 64 KiB). Ends only at the body's true end.

    Raises UploadIdle when nothing comes for `idle_timeout_s`, UploadTooLarge past `max_upload_bytes`, UploadBroken
    when the client is gone before the end.
    """
    received_bytes = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(limits.idle_timeout_s):
                message = await receive()
        except TimeoutError:
            raise UploadIdle(f"Nothing came for {limits.idle_timeout_s:g} seconds.") from None
        if message["type"] == "http.disconnect":
            raise UploadBroken
        more = message.get("more_body", False)
        if block := message.get("body", b""):
            received_bytes += len(block)
            if received_bytes > limits.max_upload_bytes:
                raise UploadTooLarge(f"At most {limits.max_upload_bytes} bytes are taken.")
            yield block


async def small_body(receive: Receive, limits: UploadLimits, *, limit_bytes: int = 64 * 1024) -> bytes:
    """A whole body of a light request, which has `idle_timeout_s` in all. Raises as `body_blocks` does."""
    held = bytearray()
    try:
        async with asyncio.timeout(limits.idle_timeout_s), aclosing(body_blocks(receive, limits)) as blocks:
            async for block in blocks:
                held += block
                if len(held) > limit_bytes:
                    raise UploadTooLarge(f"This request takes at most {limit_bytes} bytes.")
    except TimeoutError:
        raise UploadIdle(f"It did not come within {limits.idle_timeout_s:g} seconds.") from None
    return bytes(held)


async def json_body(receive: Receive, limits: UploadLimits, model: type[Model]) -> Model:
    """A small JSON body. FastAPI itself would read a body of any size before the credentials are checked.

    Raises RequestValidationError, and as `body_blocks` does.
    """
    body = await small_body(receive, limits)
    with request_errors():
        return model.model_validate_json(body)


@contextmanager
def request_errors() -> Iterator[None]:
    """Pydantic's complaints become those that FastAPI answers for its own parsing."""
    try:
        yield
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from error
