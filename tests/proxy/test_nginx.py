"""The service behind Debian's nginx with infra/nginx/pigwav.conf: TLS, host name, path prefix, no buffering."""

import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass

import httpx2
import pytest

from e2e.serve import serving
from factories import wav
from pigwav.devstack import StackAddress
from proxy.nginx import PUBLIC_HOST, REQUESTS_PER_ADDRESS, Nginx, nginx_before
from waiting import wait_until

PUBLIC = f"https://{PUBLIC_HOST}/voice"


class _Through(http.client.HTTPSConnection):
    """Connects to nginx on this machine, as if DNS and port 443 led to it."""

    def __init__(self, nginx: Nginx) -> None:
        super().__init__(PUBLIC_HOST, 443, context=nginx.tls, timeout=30)
        self._nginx = nginx

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self._nginx.port), timeout=30)
        self.sock = self._nginx.tls.wrap_socket(plain, server_hostname=PUBLIC_HOST)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict:
        return json.loads(self.body)


@dataclass(frozen=True)
class Behind:
    """`direct`: the service's address without nginx."""

    nginx: Nginx
    direct: str

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        with closing(_Through(self.nginx)) as connection:
            connection.request(method, path, body, headers or {})
            return _answer(connection)

    def register(self, name: str) -> dict:
        answer = self.ask("POST", "/voice/users", json.dumps({"name": name}).encode(), JSON)
        assert answer.status == 201, answer
        return answer.document

    def upload(self, user: dict, body: bytes, **more: str) -> Answer:
        return self.ask("POST", f"/voice/records?user={user['id']}", body, _audio(user["token"]) | more)

    def open_uploads(self) -> float:
        text = httpx2.get(f"{self.direct}/metrics").text
        return float(next(re.finditer(r"^pigwav_uploads_open (\S+)", text, re.MULTILINE))[1])


JSON = {"Content-Type": "application/json"}


def _audio(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": "audio/wav"}


def _answer(connection: http.client.HTTPConnection) -> Answer:
    answer = connection.getresponse()
    return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


def _path(link: str) -> str:
    return link.removeprefix(f"https://{PUBLIC_HOST}")


@pytest.fixture(scope="module")
def behind(stack: StackAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp("proxy")
    environment = stack.environment() | {"PIGWAV_ROOT_PATH": "/voice", "PIGWAV_TRUSTED_PROXIES": "127.0.0.1"}
    with (
        serving(environment, folder / "serve.log") as direct,
        nginx_before(direct.removeprefix("http://"), folder) as nginx,
    ):
        yield Behind(nginx, direct)


@pytest.fixture(scope="module")
def user(behind: Behind) -> dict:
    return behind.register("behind nginx")


@pytest.fixture(scope="module")
def recording(behind: Behind, user: dict) -> dict:
    uploaded = behind.upload(user, wav(seconds=1))
    assert uploaded.status == 201, uploaded
    assert uploaded.headers["location"] == uploaded.document["url"]
    return uploaded.document


def test_a_link_has_the_public_address_and_plays_there(behind: Behind, recording: dict) -> None:
    assert recording["url"].startswith(f"{PUBLIC}/record?id={recording['id']}&user=")

    whole = behind.ask("GET", _path(recording["url"]))

    assert (whole.status, len(whole.body)) == (200, recording["bytes"])
    assert whole.headers["content-type"] == "audio/mpeg"


def test_ranges_and_conditions_pass(behind: Behind, recording: dict) -> None:
    whole = behind.ask("GET", _path(recording["url"]))

    part = behind.ask("GET", _path(recording["url"]), headers={"Range": "bytes=-9"})
    known = behind.ask("GET", _path(recording["url"]), headers={"If-None-Match": whole.headers["etag"]})
    head = behind.ask("HEAD", _path(recording["url"]))

    assert (part.status, part.body) == (206, whole.body[-9:])
    assert (known.status, known.body) == (304, b"")
    assert (head.status, head.headers["content-length"]) == (200, str(len(whole.body)))


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
def test_an_upload_reaches_the_service_while_it_is_sent(behind: Behind, user: dict, *, chunked: bool) -> None:
    body = wav(seconds=2)
    pieces = [body[:-1000], body[-1000:]]
    if chunked:
        pieces = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
        pieces[-1] += b"0\r\n\r\n"
    with closing(_Through(behind.nginx)) as connection:
        connection.putrequest("POST", f"/voice/records?user={user['id']}")
        for name, value in _audio(user["token"]).items():
            connection.putheader(name, value)
        connection.putheader(
            *(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body))))
        )
        connection.endheaders()
        connection.send(pieces[0])

        wait_until(lambda: behind.open_uploads() == 1)

        connection.send(pieces[1])
        assert _answer(connection).status == 201


def test_a_refusal_in_the_middle_of_a_long_body_arrives(behind: Behind, user: dict) -> None:
    wrong = user | {"token": "23e10bfa-ce68-4444-95dd-4af608f2bf47"}

    refused = behind.upload(wrong, wav(seconds=60))

    assert (refused.status, refused.document["code"]) == (401, "not-authenticated")


def test_what_the_caller_says_about_itself_is_replaced(behind: Behind, user: dict) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}

    uploaded = behind.upload(user, wav(seconds=0.1), **forged)

    assert uploaded.document["url"].startswith(f"{PUBLIC}/record?")


def test_docs_work_under_the_prefix(behind: Behind) -> None:
    page = httpx2.get(f"{behind.direct}/voice/docs")
    assert page.status_code == 200
    parts = re.findall(rb"""(?:src|href)=["']([^"']+)["']|url: '([^']+)'""", page.content)
    paths = [(one or other).decode() for one, other in parts]

    assert len(paths) >= 4
    for path in paths:
        assert path.startswith("/voice/"), path
        assert httpx2.get(behind.direct + path).status_code == 200, path


def test_the_contract_names_the_prefix_as_its_server(behind: Behind) -> None:
    assert httpx2.get(f"{behind.direct}/voice/openapi.json").json()["servers"] == [{"url": "/voice"}]


@pytest.mark.parametrize(
    "path", ["metrics", "readyz", "docs", "docs/", "openapi.json", "docs/x", "%6detrics"]
)
def test_what_is_for_operators_is_closed(behind: Behind, path: str) -> None:
    refused = behind.ask("GET", f"/voice/{path}")

    assert refused.status == 404
    assert b"pigwav" not in refused.body


def test_health_is_answered_with_and_without_the_proxy(behind: Behind) -> None:
    assert behind.ask("GET", "/voice/healthz").status == 200
    assert httpx2.get(f"{behind.direct}/readyz").status_code == 200


def test_one_address_does_not_take_all_of_nginx(behind: Behind, user: dict) -> None:
    with ExitStack() as stack:
        for _ in range(REQUESTS_PER_ADDRESS):
            upload = stack.enter_context(closing(_Through(behind.nginx)))
            upload.putrequest("POST", f"/voice/records?user={user['id']}")
            for name, value in (_audio(user["token"]) | {"Content-Length": "1000000"}).items():
                upload.putheader(name, value)
            upload.endheaders(wav(seconds=1)[:20_000])
        wait_until(lambda: behind.open_uploads() == REQUESTS_PER_ADDRESS)

        assert behind.ask("GET", "/voice/healthz").status == 503
    wait_until(lambda: behind.open_uploads() == 0)
    assert behind.ask("GET", "/voice/healthz").status == 200


def test_logs_show_no_link(behind: Behind, recording: dict) -> None:
    behind.ask("GET", _path(recording["url"]))
    with suppress(OSError, http.client.HTTPException):  # nginx itself refuses it
        behind.ask("GET", f"{_path(recording['url'])}&next={'x' * 40_000}")

    lines = (behind.nginx.folder / "access.log").read_text()
    assert '"GET /voice/record" 200' in lines
    logs = lines + "".join((behind.nginx.folder / name).read_text() for name in ("error.log", "nginx.log"))
    assert recording["id"] not in logs


def test_another_host_gets_no_answer(behind: Behind) -> None:
    with pytest.raises((http.client.HTTPException, OSError)):
        behind.ask("GET", "/voice/healthz", headers={"Host": "evil.example"})
    with (
        socket.create_connection(("127.0.0.1", behind.nginx.port), timeout=30) as plain,
        pytest.raises(ssl.SSLError),
    ):
        behind.nginx.tls.wrap_socket(plain, server_hostname="evil.example")
