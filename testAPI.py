#!/usr/bin/env python3
"""Try a PigWav service by hand: register a user, upload a WAV, download its MP3. Needs only `requests`.

    python testAPI.py -m reg_user -u testuser
    python testAPI.py -m wav_upload -d USER_ID -t TOKEN -i test.wav
    python testAPI.py -m mp3_download -o test.mp3 -a 'LINK'

Results go to standard output, everything else to standard error. Exit status: 0 success, 1 refused or
failed, 2 wrong options, 130 interrupted.
"""

import argparse
import hashlib
import json
import re
import secrets
import stat
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import urlsplit

try:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection
    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.util.wait import wait_for_read
except ModuleNotFoundError as missing:
    sys.exit(f"testAPI.py needs {missing.name}: pip install requests")

BLOCK_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 1024 * 1024
TIMEOUT_S = 60
DEFAULT_ADDRESS = "http://localhost:8080"


class Failed(Exception):
    """An error whose text is shown to the user."""


def main() -> int:
    options = parse_options()
    try:
        with closing(open_session(options.address)) as session:
            {"reg_user": reg_user, "wav_upload": wav_upload, "mp3_download": mp3_download}[options.mode](
                session, options
            )
    except KeyboardInterrupt:
        return 130
    except Failed as failure:
        sys.stderr.write(f"{failure}\n")
    except requests.RequestException as error:
        proxy = "the proxy of the environment: " if isinstance(error, requests.exceptions.ProxyError) else ""
        sys.stderr.write(f"{options.address}: {proxy}{root_cause(error)}\n")
    except OSError as error:
        sys.stderr.write(f"{error.filename or options.output}: {error.strerror}\n")
    else:
        return 0
    return 1


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add(
        "-m", "--mode", choices=["reg_user", "wav_upload", "mp3_download"], required=True, help="Режим работы"
    )
    add("-i", "--input", help="Имя входного файла")
    add("-u", "--user", help="Имя пользователя")
    add("-d", "--user_id", help="ID пользователя")
    add("-t", "--token", help="Токен доступа или ID записи (uuid)")
    add("-o", "--output", help="Имя выходного файла")
    add(
        "-a",
        "--address",
        default=DEFAULT_ADDRESS,
        help="URI скачивания (для режима mp3_download) или базовый адрес сервиса (по умолчанию %(default)s)",
    )
    options = parser.parse_args()
    try:
        urlsplit(options.address)
    except ValueError as error:
        parser.error(f"-a {options.address}: {error}")
    if missing := missing_options(options):
        parser.error(f"-m {options.mode} needs {missing}")
    if "://" not in options.address:
        options.address = f"http://{options.address}"
    return options


def missing_options(options: argparse.Namespace) -> str:
    """The options that the mode needs and that were not given; empty if nothing is missing."""
    needed = {
        "reg_user": {"-u": options.user},
        "wav_upload": {"-d": options.user_id, "-t": options.token, "-i": options.input},
        "mp3_download": {"-o": options.output, "-a with the whole download link": link_of(options)},
    }
    return ", ".join(name for name, value in needed[options.mode].items() if not value)


def reg_user(session: requests.Session, options: argparse.Namespace) -> None:
    user_id, token = post(session, options, "/users", ("id", "token"), json={"name": options.user})
    sys.stdout.write(f"User ID: {user_id}\nToken: {token}\n")


def wav_upload(session: requests.Session, options: argparse.Namespace) -> None:
    path = Path(options.input)
    fields = {"user_id": options.user_id, "token": options.token}
    with path.open("rb") as file, Progress(path.name) as progress:
        form = StreamedForm(fields, file, path.name, progress)
        headers = {"Content-Type": f"multipart/form-data; boundary={form.boundary}"}
        [link] = post(session, options, "/records", ("url",), data=form, headers=headers)
    sys.stdout.write(f"Download link: {link}\n")


def mp3_download(session: requests.Session, options: argparse.Namespace) -> None:
    headers = {"Accept-Encoding": "identity"}  # the length and the digest are those of the MP3 itself
    with session.get(link_of(options), stream=True, headers=headers, timeout=TIMEOUT_S) as response:
        if response.status_code != requests.codes.ok:
            raise Failed(complaint(response, json_object(response)))
        save(response, Path(options.output).resolve())


def link_of(options: argparse.Namespace) -> str:
    """`-a` if it is a full link, else the link of recording `-t` of user `-d`; empty if neither is given."""
    if urlsplit(options.address).query:
        return str(options.address)
    if options.user_id and options.token:
        return f"{options.address.rstrip('/')}/record?id={options.token}&user={options.user_id}"
    return ""


def post(
    session: requests.Session, options: argparse.Namespace, path: str, keys: Sequence[str], **body: Any
) -> list[Any]:
    """The values of these keys in a 201 answer. Any other answer raises Failed with the server's reason."""
    url = options.address.rstrip("/") + path
    with session.post(url, timeout=TIMEOUT_S, allow_redirects=False, stream=True, **body) as response:
        if response.is_redirect:  # requests would repeat the POST as a GET
            moved = shown(response.headers["Location"])
            raise Failed(f"{url} has moved to {moved}: set the new base address with -a.")
        answer = json_object(response)
    if response.status_code != requests.codes.created or not answer.keys() >= set(keys):
        raise Failed(complaint(response, answer))
    return [shown(answer[key]) for key in keys]


def complaint(response: requests.Response, problem: dict[str, Any]) -> str:
    """The server's problem document (RFC 9457) as text, with one line for each validation error."""
    title, detail, code = (shown(problem.get(key) or "") for key in ("title", "detail", "code"))
    lines = [
        f"HTTP {response.status_code}: {title or shown(response.reason)}" + (f" [{code}]" if code else "")
    ]
    lines += [detail] if detail != title else []
    errors = problem.get("errors")
    wrong = [field_error(item) for item in (errors if isinstance(errors, list) else [])]
    lines += [f"  {text}" for text in wrong if text not in detail]
    return "\n".join(filter(None, lines))


def field_error(item: Any) -> str:
    if not isinstance(item, dict):
        return shown(item)
    loc = item.get("loc")
    place = item.get("at") or item.get("pointer") or ".".join(map(str, loc if isinstance(loc, list) else []))
    return shown(f"{place}: {item.get('message') or item.get('detail') or item.get('msg')}")


def shown(value: object) -> str:
    """A value from the server as text in which nothing moves the cursor or changes the text direction."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(value)
    )


def json_object(response: requests.Response) -> dict[str, Any]:
    """The body; an empty object if it is none, or is larger than any answer that is not an MP3."""
    body = bytearray()
    for block in response.iter_content(64 * 1024):
        body += block
        if len(body) > MAX_ANSWER_BYTES:
            return {}
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):  # not JSON, for example a proxy's error page
        return {}
    return answer if isinstance(answer, dict) else {}


def root_cause(error: BaseException) -> str:
    """The innermost reason of a failed request, such as `Connection refused`."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


class StreamedForm:
    """A multipart/form-data body that is read from disk while it is sent. The fields come before the file."""

    def __init__(self, fields: Mapping[str, str], file: BinaryIO, name: str, progress: "Progress") -> None:
        self.boundary = secrets.token_hex(16)
        self._file = file
        self._progress = progress
        self._file_bytes = regular_size(file)
        self._head = self._before_file(fields, name)
        self._tail = f"\r\n--{self.boundary}--\r\n".encode()

    def _before_file(self, fields: Mapping[str, str], name: str) -> bytes:
        disposition = f"--{self.boundary}\r\nContent-Disposition: form-data; name="
        parts = [f'{disposition}"{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
        escaped = name.translate({0x0A: "%0A", 0x0D: "%0D", 0x22: "%22"})  # as browsers do; the rest is UTF-8
        parts.append(f'{disposition}"file"; filename="{escaped}"\r\nContent-Type: audio/wav\r\n\r\n')
        return "".join(parts).encode(errors="replace")

    def __len__(self) -> int:
        """`requests` sends this length as Content-Length."""
        return len(self._head) + self._file_bytes + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        self._progress.expect(self._file_bytes)
        yield self._head
        left = self._file_bytes
        while left:
            block = self._file.read(min(BLOCK_BYTES, left))
            if not block:
                raise Failed(f"{self._file.name} became shorter while it was being sent.")
            yield block
            left -= len(block)
            self._progress.add(len(block))
        yield self._tail


def regular_size(file: BinaryIO) -> int:
    status = Path(file.name).stat()
    if not stat.S_ISREG(status.st_mode):
        raise Failed(f"{file.name} is not a regular file.")
    return status.st_size


def save(response: requests.Response, target: Path) -> None:
    """Writes the body next to `target` under a temporary name, and renames it when it is complete and verified."""
    if target.exists() and not target.is_file():
        raise Failed(f"{target} is not a regular file.")
    partial = target.with_name(f".pigwav-{secrets.token_hex(8)}.part")
    try:
        with partial.open("xb") as file, Progress(target.name) as progress:
            write_checked(response, file, progress)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_checked(response: requests.Response, file: BinaryIO, progress: "Progress") -> None:
    """Copies the body and checks its Content-Length and, if the ETag is a SHA-256, its SHA-256."""
    expected_bytes = int(response.headers.get("Content-Length", -1))
    progress.expect(expected_bytes)
    received_bytes, digest = 0, hashlib.sha256()
    for block in response.iter_content(BLOCK_BYTES):
        file.write(block)
        digest.update(block)
        received_bytes += len(block)
        progress.add(len(block))
    if expected_bytes not in (-1, received_bytes):  # urllib3 before version 2 does not check this
        raise Failed(f"The download was interrupted after {received_bytes} of {expected_bytes} bytes.")
    etag = re.fullmatch(r'"([0-9a-f]{64})"', response.headers.get("ETag", ""))
    if etag and etag[1] != digest.hexdigest():
        raise Failed("The downloaded bytes have another SHA-256 than the server reports.")


class Progress:
    """One progress line on standard error, shown only if it is a terminal."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._visible = sys.stderr.isatty()
        self._total_bytes = 0
        self._done_bytes = 0
        self._drawn_at_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._visible and self._drawn_at_s:
            self._draw()
            sys.stderr.write("\n")

    def expect(self, total_bytes: int) -> None:
        self._total_bytes = total_bytes

    def add(self, moved_bytes: int) -> None:
        self._done_bytes += moved_bytes
        if self._visible and time.monotonic() - self._drawn_at_s >= 0.1:
            self._draw()

    def _draw(self) -> None:
        self._drawn_at_s = time.monotonic()
        share = f"{self._done_bytes / self._total_bytes:4.0%} " if self._total_bytes > 0 else ""
        sys.stderr.write(f"\r{share}{self._done_bytes / 1e6:.1f} MB  {self._label}")
        sys.stderr.flush()


class ListeningConnection(HTTPConnection):
    """Stops sending when the server has answered, so that a refusal during an upload is shown, not a broken pipe.

    On BrokenPipeError, urllib3 stops sending and reads the answer. Over TLS, a readable socket does not mean that
    there is an answer: there we send everything and rely on the server to read a refused upload completely.
    """

    def send(self, data: Any) -> None:
        if self.sock is not None and wait_for_read(self.sock, timeout=0):
            raise BrokenPipeError
        super().send(data)


class ListeningPool(HTTPConnectionPool):
    ConnectionCls = ListeningConnection


def open_session(address: str) -> requests.Session:
    """This machine is reached without the proxy of the environment: to a proxy, it means the proxy's machine."""
    session, adapter = requests.Session(), HTTPAdapter()
    session.headers["Accept-Encoding"] = "identity"
    session.trust_env = not re.match(
        r"https?://(localhost|127\.0\.0\.1|\[::1\])([:/?]|$)", address, re.IGNORECASE
    )
    adapter.poolmanager.pool_classes_by_scheme = {"http": ListeningPool}
    session.mount("http://", adapter)
    return session


if __name__ == "__main__":
    sys.exit(main())
