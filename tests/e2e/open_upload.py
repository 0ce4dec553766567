"""Uploads that pause before their end until the test continues them."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from accounts import Account
from factories import wav

HELD_BACK_BYTES: Final = 1000


@dataclass(frozen=True)
class OpenUpload:
    connection: http.client.HTTPConnection
    rest: bytes

    def finish(self) -> tuple[int, dict]:
        """Sends the rest. Returns status and document of the response."""
        self.connection.send(self.rest)
        return self.answer()

    def answer(self) -> tuple[int, dict]:
        """Reads the response without sending the rest. Returns status and document."""
        answer = self.connection.getresponse()
        return answer.status, json.load(answer)


@contextmanager
def open_upload(
    account: Account, body: bytes, *, headers: Mapping[str, str] | None = None, **query: object
) -> Iterator[OpenUpload]:
    """Sends a raw upload without its last HELD_BACK_BYTES."""
    url = account.http.base_url
    with closing(http.client.HTTPConnection(url.host, url.port, timeout=60)) as connection:
        more = "".join(f"&{name}={value}" for name, value in query.items())
        connection.putrequest("POST", f"/records?user={account.id}{more}")
        connection.putheader("Authorization", f"Bearer {account.token}")
        connection.putheader("Content-Type", "audio/wav")
        connection.putheader("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(body[:-HELD_BACK_BYTES])
        yield OpenUpload(connection, body[-HELD_BACK_BYTES:])


def long_wav() -> bytes:
    """At 320 kb/s its MP3 exceeds two parts of 5 MiB by more than what stays in the encoders while an upload pauses, so
    part 2 is stored before the upload ends.
    """
    return wav(seconds=380, rate=32_000, channels=1)
