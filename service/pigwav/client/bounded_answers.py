"""Limits what the client takes from a service, which may be hostile or not a PigWav at all."""

from typing import Final

import httpx2

from pigwav.client.errors import UnexpectedAnswer
from pigwav.client.transport_errors import origin

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""The limit for an answer that is not an MP3. The service's largest, 200 recordings with all tags, has about 6 MiB."""

MAX_REDIRECTS: Final = 20

MALFORMED: Final = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading a document raises that does not match its declaration."""


class AnswerBody:
    """The body of one answer, as it arrives."""

    def __init__(self, response: httpx2.Response) -> None:
        """Raises UnexpectedAnswer for a compressed body, which may be a thousand times as large as it arrives: this
        client asks for none.
        """
        coding = response.headers.get("Content-Encoding", "identity")
        if coding.strip().lower() != "identity":
            raise UnexpectedAnswer(
                f"{origin(response.url)} answers with the Content-Encoding {coding[:40]!a}, which was not asked for.",
                response.status_code,
            )
        self._response = response
        self._body = bytearray()

    def add(self, block: bytes) -> None:
        """Raises UnexpectedAnswer if the body becomes larger than MAX_ANSWER_BYTES."""
        self._body += block
        if len(self._body) > MAX_ANSWER_BYTES:
            raise UnexpectedAnswer(
                f"The answer of {origin(self._response.url)} has more than {MAX_ANSWER_BYTES} bytes.",
                self._response.status_code,
            )

    def whole(self) -> httpx2.Response:
        """The response with its body."""
        response = self._response
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            content=bytes(self._body),
            request=response.request,
            extensions={
                name: value for name, value in response.extensions.items() if name == "reason_phrase"
            },
        )


def too_many_redirects(url: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(f"{origin(url)} redirects more than {MAX_REDIRECTS} times.")
