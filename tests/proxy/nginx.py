"""Runs the machine's nginx with the example configuration in its own folder."""

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from needs import skip_or_fail
from ports import reserved_ports
from waiting import wait_until

REQUESTS_PER_ADDRESS: Final = 4
"""Instead of the number in the example, for a test that reaches it."""

CONF: Final = Path(__file__).parents[2] / "infra" / "nginx" / "pigwav.conf"
PUBLIC_HOST: Final = "voice.example.org"
_SBIN: Final = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


@dataclass(frozen=True)
class Nginx:
    """Listens with TLS on 127.0.0.1:`port` as PUBLIC_HOST. `tls` trusts its certificate. `folder` has its logs."""

    port: int
    tls: ssl.SSLContext
    folder: Path


def program(name: str) -> str:
    found = shutil.which(name, path=_SBIN)
    return found or skip_or_fail("nginx", f"{name} is not installed")


@contextmanager
def nginx_before(upstream: str, folder: Path) -> Iterator[Nginx]:
    """`upstream`: host:port of a `pigwav serve`."""
    with reserved_ports(1) as (port,):
        yield from _listening(port, upstream, folder)


def _listening(port: int, upstream: str, folder: Path) -> Iterator[Nginx]:
    certificate, key = _certificate(folder)
    (folder / "pigwav.conf").write_text(
        _with(
            CONF.read_text(),
            {
                "server 127.0.0.1:8080;": f"server {upstream};",
                "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
                "listen 443 ssl default_server;": f"listen 127.0.0.1:{port} ssl default_server;",
                "limit_conn pigwav_addresses 200;": f"limit_conn pigwav_addresses {REQUESTS_PER_ADDRESS};",
                "/var/log/nginx/pigwav.log": str(folder / "access.log"),
                "/var/log/nginx/pigwav-error.log": str(folder / "error.log"),
                f"/etc/ssl/certs/{PUBLIC_HOST}.pem": str(certificate),
                f"/etc/ssl/private/{PUBLIC_HOST}.key": str(key),
            },
        )
    )
    (folder / "nginx.conf").write_text(_around())
    log = folder / "nginx.log"
    command = [program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", str(log)]
    with subprocess.Popen(command) as process:
        try:
            wait_until(lambda: process.poll() is not None or _listens(port))
            assert process.poll() is None, log.read_text()
            yield Nginx(port, ssl.create_default_context(cafile=str(certificate)), folder)
        finally:
            process.terminate()


def _around() -> str:
    """The context of Debian's /etc/nginx/nginx.conf around a file of conf.d."""
    temporary = "".join(
        f"  {kind}_temp_path {kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    return (
        f"{user}daemon off;\npid nginx.pid;\nevents {{}}\n"
        f"http {{\n  access_log off;\n{temporary}  include pigwav.conf;\n}}\n"
    )


def _with(text: str, replacements: dict[str, str]) -> str:
    for old, new in replacements.items():
        assert text.count(old) == 1, f"{CONF.name} has no {old}"
        text = text.replace(old, new)
    return text


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = [program("openssl"), "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2"]
    names = ["-subj", f"/CN={PUBLIC_HOST}", "-addext", f"subjectAltName=DNS:{PUBLIC_HOST}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    return certificate, key


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
