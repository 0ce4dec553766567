"""Upload forms, parameters of header values, and file names in Content-Disposition."""

import re
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from fuzz.cutting import blocks
from fuzz.odd_forms import BOUNDARIES, FILE_NAMES
from fuzz.target import Target
from fuzz.wav_targets import Refusal
from pigwav.api.multipart import UploadForm, text_fields
from pigwav.api.parameters import Disposition, Parameters, base_name, boundary
from pigwav.client.file_names import file_name
from pigwav.disposition import content_disposition
from pigwav.domain import plain_name
from pigwav.errors import BadRequest, CredentialsFirst, MalformedMultipart

FORM_TYPE: Final = "multipart/form-data; boundary=b"
_FORM_TYPES: Final = (FORM_TYPE, f"{FORM_TYPE}; charset=windows-1251")
_REQUIRED: Final = (("user_id", "token"), ())
"""Without a Bearer token, and with one."""

_FIELDS: Final = ("user_id", "token", "title", "bitrate")
_MAX_FIELD_BYTES: Final = 4 * 1024
_HELD_BYTES: Final = (1 << 20, 64)


@dataclass(frozen=True)
class Form:
    """All that an upload form yields."""

    file: bytes
    filename: str | None
    fields: dict[str, str]
    late: dict[str, str]


def check_form(steer: int, body: bytes) -> None:
    """A form is read or refused, with the same result for any blocks.

    Exception: if the file exceeds `held_bytes`, the blocks decide which of two errors is found first.
    """
    held_bytes = _HELD_BYTES[steer & 1]
    form_type, required = _FORM_TYPES[steer >> 14 & 1], _REQUIRED[steer >> 15]
    whole, cut = (
        _completed(_read(pieces, held_bytes, form_type, required))
        for pieces in ([body], blocks(body, steer >> 1))
    )
    refused_early = Refusal.of(CredentialsFirst()) in (whole, cut)
    assert whole == cut or (refused_early and isinstance(whole, Refusal) and isinstance(cut, Refusal))
    if isinstance(whole, Form):
        _check_form(whole, body, declares_charset=form_type != FORM_TYPE or b"charset" in body.lower())
    _check_text_fields(body)
    _check_round_trip(body, steer)


def _completed(reading: Coroutine[None, None, Form | Refusal]) -> Form | Refusal:
    """Runs the coroutine without an event loop, which is slower than the form. Nothing here ever waits."""
    try:
        reading.send(None)
    except StopIteration as done:
        result: Form | Refusal = done.value
        return result
    raise AssertionError("the coroutine waits")


async def _read(
    pieces: Iterable[bytes],
    held_bytes: int,
    form_type: str = FORM_TYPE,
    required: tuple[str, ...] = _REQUIRED[0],
) -> Form | Refusal:
    async def arriving() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    try:
        form = UploadForm(form_type, arriving(), required=required, held_bytes=held_bytes)
        await form.until_file()
        file = [piece async for piece in form.file()]
    except BadRequest as error:
        return Refusal.of(error)
    assert all(file)
    return Form(b"".join(file), form.filename, form.fields, form.late_fields)


def _check_form(form: Form, body: bytes, *, declares_charset: bool) -> None:
    assert form.file in body
    assert not form.fields.keys() & form.late.keys()
    assert {*form.fields, *form.late} <= {*_FIELDS}
    for text in (*form.fields.values(), *form.late.values()):
        assert len(text) <= _MAX_FIELD_BYTES
        assert text.encode() in body or declares_charset
    if form.filename is not None:
        assert form.filename == plain_name(form.filename) != ""
        assert "\\" not in form.filename
        assert "/" not in form.filename


def _check_round_trip(data: bytes, steer: int) -> None:
    """The parser reads the fields and the file that a client sends."""
    if b"\r\n--b" in b"\r\n" + data + b"\r\n":
        return
    form = b"--b\r\n" + b"--b\r\n".join((_USER, _TOKEN, _file(data))) + b"--b--\r\n"
    fields = {"user_id": "1", "token": "t-1"}
    assert _completed(_read(blocks(form, steer), 1 << 20)) == Form(data, "a.wav", fields, {})


def _check_text_fields(body: bytes) -> None:
    try:
        fields = text_fields(FORM_TYPE, body, {"name"})
    except BadRequest:
        return
    assert fields.keys() <= {"name"}


def check_parameters(steer: int, body: bytes) -> None:
    """Header values with parameters are parsed or refused; names that browsers escape are unescaped."""
    for parse in (Disposition.parse, lambda raw: boundary(raw.decode("latin-1"))):
        try:
            parse(body)
        except MalformedMultipart:
            continue
    text = body.decode("utf-8", "replace").replace("\0", "")
    _check_escaped(text)
    try:
        parameters = Parameters.parse(text)
    except MalformedMultipart:
        return
    assert parameters.value == parameters.value.lower()
    assert all(name == name.lower() for name in parameters.by_name)
    assert sum(map(len, parameters.by_name)) <= len(text)


def _check_escaped(name: str) -> None:
    """Escapes names as WHATWG's HTML prescribes, without characters that other clients use for their own encodings."""
    plain = re.sub(r"[%?\\]", "", name)
    escaped = plain.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    header = f'form-data; name="{escaped}"; filename="{escaped}"'.encode()
    assert Disposition.parse(header) == Disposition(plain, plain)
    assert not re.search(r"[/\\]", base_name(name))


_SHAPE: Final = re.compile(
    r"(inline|attachment); filename=\"([A-Za-z0-9 ._()+,@&=-]+)\"; "
    r"filename\*=UTF-8''([!#$&+\-.^_`|~%A-Za-z0-9]+)"
)
_IN_NO_FILE_NAME: Final = re.compile(r"[/\\\"\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def check_disposition(steer: int, body: bytes) -> None:
    """Any title gives one safe header line, and our client reads a safe file name from it."""
    title = _any_text(steer, body)
    line = content_disposition(f"{title}.mp3", inline=steer & 2 == 0)
    found = _SHAPE.fullmatch(line)
    assert found
    full = unquote(found[3], errors="strict")
    for name in (found[2], full):
        assert name.endswith(".mp3")
        assert name.removesuffix(".mp3").strip(" .")
        assert len(name.encode()) <= 255
        assert not _IN_NO_FILE_NAME.search(name)
    assert file_name(line) == full
    assert not _IN_NO_FILE_NAME.search(file_name(title))


def _any_text(steer: int, body: bytes) -> str:
    """Decodes as UTF-16 (may contain surrogates) or UTF-8."""
    if steer & 1:
        return body[: len(body) // 2 * 2].decode("utf-16-le", "surrogatepass")
    return body.decode("utf-8", "replace")


def _part(disposition: str, data: bytes) -> bytes:
    return f"Content-Disposition: form-data; {disposition}\r\n\r\n".encode() + data + b"\r\n"


def _file(data: bytes) -> bytes:
    return _part('name="file"; filename="a.wav"\r\nContent-Type: audio/wav', data)


_USER: Final = _part('name="user_id"', b"1")
_TOKEN: Final = _part('name="token"', b"t-1")


def _forms() -> Iterator[bytes]:
    user, token = _USER, _TOKEN
    title = _part('name="title"', "Речь".encode())
    file = _file(b"RIFF\r\n--\r\n-b" * 8)
    for parts in (
        (user, token, title, file),
        (file, title, user, token),
        (user, token, file, title),
        (file, file),
    ):
        yield b"--b\r\n" + b"--b\r\n".join(parts) + b"--b--\r\n"
    for more in (
        (_part('name="_charset_"', b"windows-1251"), _part('name="title"', "Речь".encode("cp1251"))),
        (_part('name="title"\r\nContent-Type: text/plain; charset=utf-7', b"+ADw-"),),
        (_part('name="_charset_"', b"zlib"), title),
    ):
        yield b"--b\r\n" + b"--b\r\n".join((*more, user, token, file)) + b"--b--\r\n"
        yield b"--b\r\n" + b"--b\r\n".join((file, token, *more, user)) + b"--b--\r\n"
    for name in FILE_NAMES:
        yield b"--b\r\n" + _part('name="file"; ', b"x").replace(b"; \r", b"; " + name + b"\r") + b"--b--"
    yield b"before\r\n--b\r\n" + _part('name="name"', b"x") + b"--b--behind"
    yield b"--b\r\n" + _part("name=\"file\"; filename*=UTF-8''%D0%AF.wav", b"x") + b"--b--"
    yield b"--b\r\n" + _part('name="title"\r\nContent-Type: text/plain; charset=utf-8', b"x") + b"--b--"


def _parameters() -> Iterator[bytes]:
    yield b'form-data; name="file"; filename="a.wav"'
    yield b"form-data; name=file; filename*=UTF-8''%D0%AF%20.wav"
    yield rb'form-data; name="a\"b"; filename="C:\talk.wav"'
    yield b'form-data; name="a%22b%0D%0A"; filename="\xd0\xaf"'
    yield b'multipart/form-data; boundary="a (b):c"; charset=utf-8'
    for said, _ in BOUNDARIES:
        yield b"multipart/form-data; boundary=" + said
    for name in FILE_NAMES:
        yield b"form-data; name=file; " + name


def _titles() -> Iterator[bytes]:
    for title in (
        "talk",
        "Запись 5",
        'a"b\\c/d',
        "a\r\nSet-Cookie: x=1",
        "e\u202e3pm.exe",
        "й",
        "ж" * 300,
        "😀",
        "..",
    ):
        yield title.encode()


FORM_TARGETS: Final = (
    Target("form", check_form, _forms),
    Target("parameters", check_parameters, _parameters, limit_bytes=1_024),
    Target("disposition", check_disposition, _titles, limit_bytes=2_048),
)
