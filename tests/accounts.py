"""Registered users, and helpers that call the API as one of them."""

import itertools
from dataclasses import dataclass

import httpx2

from factories import wav


@dataclass(frozen=True)
class Account:
    """A registered user, with calls of the API."""

    http: httpx2.Client
    id: int
    token: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def upload_raw(self, body: bytes, **query: object) -> httpx2.Response:
        headers = self.bearer | {"Content-Type": "audio/wav"}
        return self.http.post("/records", params={"user": self.id} | query, content=body, headers=headers)

    def upload_form(self, body: bytes, *, filename: str = "take one.wav", **fields: str) -> httpx2.Response:
        data = {"user_id": str(self.id), "token": self.token} | fields
        return self.http.post("/records", data=data, files={"file": (filename, body, "audio/wav")})

    def recording(self, *, seconds: float = 0.5, **query: object) -> dict:
        return self._recording(wav(seconds=seconds), **query)

    def long_recording(self, *, seconds: float, **query: object) -> dict:
        """Of 8 kHz, mono: it is encoded in a tenth of the time."""
        return self._recording(wav(seconds=seconds, rate=8_000, channels=1), **query)

    def _recording(self, body: bytes, **query: object) -> dict:
        answer = self.upload_raw(body, **query)
        assert answer.status_code == 201, answer.text
        return answer.json()


_names = (f"user {n}" for n in itertools.count())


def register(http: httpx2.Client, name: str | None = None) -> Account:
    answer = http.post("/users", json={"name": name or next(_names)})
    assert answer.status_code == 201, answer.text
    return Account(http, answer.json()["id"], answer.json()["token"])
