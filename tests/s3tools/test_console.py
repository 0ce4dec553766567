"""A recording in MinIO's console, in a real browser."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from minio_server import ROOT_KEY, ROOT_SECRET, MinioServer
from s3tools.browser import Browser, browsing, chromedriver
from s3tools.stored import Stored
from waiting import wait_until


@pytest.fixture
def console(minio: MinioServer, tmp_path: Path) -> Iterator[Browser]:
    """A browser that is signed in as the operator."""
    with browsing(chromedriver(), tmp_path) as browser:
        browser.open(f"{minio.console}/login")
        browser.write("//input[@id='accessKey']", ROOT_KEY)
        browser.write("//input[@id='secretKey']", ROOT_SECRET)
        browser.click("//button[@type='submit']")
        browser.click("//button[text()='Acknowledge' or .//*[text()='Acknowledge']]")  # the licence dialogue
        yield browser


def test_the_object_has_a_sensible_name_and_can_be_downloaded(
    console: Browser, minio: MinioServer, stored: Stored
) -> None:
    folder, _, name = stored.key.rpartition("/")
    console.open(f"{minio.console}/browser/{stored.bucket}/{quote(folder + '/', safe='')}")
    wait_until(lambda: console.sees(name))

    console.click(f"//*[text()='{name}']")
    console.click("//button[contains(., 'Download')]")

    size_bytes = stored.recording["bytes"]
    wait_until(lambda: [mp3.stat().st_size for mp3 in console.downloads.glob("*.mp3")] == [size_bytes])
    [downloaded] = console.downloads.glob("*.mp3")
    assert hashlib.sha256(downloaded.read_bytes()).hexdigest() == stored.recording["sha256"]
