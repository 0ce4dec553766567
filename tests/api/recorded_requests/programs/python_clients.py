"""Uploads talk.wav with Python's libraries: pip install aiohttp requests httpx; URL=... python python_clients.py."""

import asyncio
import os
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import aiohttp
import httpx
import requests

FIELDS = {"user_id": "1234567890", "token": "23e10bfa-ce68-4444-95dd-4af608f2bf47"}
BEARER = {"Authorization": f"Bearer {FIELDS['token']}"}
WAV = Path("talk.wav").read_bytes()


def url(name: str) -> str:
    return f"{os.environ['URL']}/records?recording={name}"


def with_requests() -> None:
    with Path("talk.wav").open("rb") as file:
        requests.post(url("requests-form"), data=FIELDS | {"title": "Речь"}, files={"file": file})
    with Path("Запись 1.wav").open("rb") as file:
        requests.post(url("requests-form-cyrillic-name"), headers=BEARER, files={"file": file})
    with Path("talk.wav").open("rb") as file:
        requests.post(url("requests-raw"), data=file, headers=BEARER)
    requests.post(url("requests-raw-generator"), data=iter([WAV]), headers=BEARER)


def with_others() -> None:
    httpx.post(url("httpx-form"), data=FIELDS, files={"file": ("Запись 1.wav", WAV, "audio/wav")})
    urllib.request.urlopen(urllib.request.Request(url("urllib-raw"), data=WAV, headers=BEARER))


async def with_aiohttp(plain: BinaryIO, spaced: BinaryIO, cyrillic: BinaryIO) -> None:
    async with aiohttp.ClientSession() as session:
        form = aiohttp.FormData()
        form.add_field("file", spaced)
        for name, value in FIELDS.items():
            form.add_field(name, value)
        await session.post(url("aiohttp-form"), data=form)

        form = aiohttp.FormData()
        form.add_field("file", cyrillic, content_type="audio/wav")
        form.add_field("title", "Речь", content_type="text/plain; charset=utf-8")
        await session.post(url("aiohttp-form-cyrillic-name"), data=form, headers=BEARER)

        with aiohttp.MultipartWriter("form-data") as writer:
            part = writer.append(WAV, {"Content-Type": "audio/wav"})
            part.set_content_disposition("form-data", name="file", filename="my call 1.wav")
        await session.post(url("aiohttp-multipart-writer"), data=writer, headers=BEARER)

        await session.post(url("aiohttp-raw"), data=plain, headers=BEARER)
        await session.post(url("aiohttp-raw-pieces"), data=pieces(), headers=BEARER)
        await session.post(url("aiohttp-compressed"), data=WAV, compress="gzip", headers=BEARER)


async def pieces() -> AsyncIterator[bytes]:
    yield WAV


with_requests()
with_others()
with (
    Path("talk.wav").open("rb") as plain,
    Path("my call 1.wav").open("rb") as spaced,
    Path("Запись 1.wav").open("rb") as cyrillic,
):
    asyncio.run(with_aiohttp(plain, spaced, cyrillic))
