"""https: our sockets with anyio's TLS; proxy variables for other hosts."""

import os
import shutil
import ssl
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from client.both import OpenClient
from fakes.socks_proxy import socks_proxy
from fakes.stub_service import Reply, problem, stub_service
from needs import skip_or_fail
from pigwav.client import NotConnected

MP3 = b"\xff\xfb" + bytes(range(256)) * 10_000

PROGRAM = """
import asyncio, sys
from pathlib import Path
from pigwav.client import AsyncPigWavClient, ClientError

async def main(url, folder):
    async with AsyncPigWavClient(url, 1, "token", attempts=1) as client:
        for _ in range(5):
            try:
                await client.upload(bytes(16_000_000))
            except ClientError as error:
                print(type(error).__name__)
        for call in (client.file_name(url), client.download(url, Path(folder, "a.mp3"))):
            try:
                print(await call)
            except ClientError as error:
                print(type(error).__name__, error)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        skip_or_fail("openssl", "openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    who = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
    command = (openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *who, "-keyout", path, "-out", "-")
    done = subprocess.run(command, capture_output=True, check=True)
    with path.open("ab") as file:
        file.write(done.stdout)
    return path


def run(certificate: Path, folder: Path, *, trusts: bool) -> list[str]:
    """Runs a program against a service that refuses uploads early and closes, and has one MP3. Returns its output."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    refusal = replace(problem(401, "not-authenticated", "No."), reads="never")

    def answer(method: str, _target: str) -> Reply:
        return refusal if method == "POST" else Reply.mp3(MP3)

    proxied = {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"}
    environment = os.environ | proxied | ({"SSL_CERT_FILE": str(certificate)} if trusts else {})
    with stub_service(answer, tls=tls) as stub:
        command = [sys.executable, "-W", "error", "-c", PROGRAM, stub.url, str(folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_calls_downloads_and_early_refusals_come_through_tls(certificate: Path, tmp_path: Path) -> None:
    *refused, name, downloaded = run(certificate, tmp_path, trusts=True)
    assert refused == ["NotAuthenticated"] * 5
    assert name == "recording.mp3"
    assert downloaded.startswith("Downloaded(")
    assert (tmp_path / "a.mp3").read_bytes() == MP3


def test_certificate_that_nobody_trusts_is_no_connection(certificate: Path, tmp_path: Path) -> None:
    said = run(certificate, tmp_path, trusts=False)
    assert {line.split()[0] for line in said} == {"NotConnected"}
    assert "CERTIFICATE_VERIFY_FAILED" in said[-1] or "certificate" in said[-1]


def test_untrusted_certificate_behind_a_proxy_is_that_of_the_service(
    monkeypatch: pytest.MonkeyPatch, open_client: OpenClient, certificate: Path
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with (
        stub_service(lambda *_: Reply(200), tls=tls) as stub,
        socks_proxy(("127.0.0.1", int(stub.url.rpartition(":")[2]))) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"socks5://127.0.0.1:{proxy.port}")
        with (
            pytest.raises(NotConnected) as refused,
            open_client("https://service.example", attempts=1) as client,
        ):
            client.register("x")

    assert str(refused.value).startswith("https://service.example does not answer: ")
    assert "CERTIFICATE_VERIFY_FAILED" in str(refused.value)
