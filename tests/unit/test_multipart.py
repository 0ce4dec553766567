"""Streaming of upload forms: bodies of browsers, curl and requests, cut into blocks at any position."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.api.multipart import HELD_BYTES, UploadForm
from pigwav.errors import CredentialsFirst, FileMissing, InvalidField, MalformedMultipart

TYPE = "multipart/form-data; boundary=b"
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
WAV = b"RIFF\x24\x00\x00\x00WAVE"


@dataclass(frozen=True)
class Got:
    """The complete result of parsing a form."""

    file: bytes
    filename: str | None
    fields: dict[str, str]
    late: dict[str, str]


async def each(blocks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


def read(blocks: Iterable[bytes], content_type: str = TYPE, held_bytes: int = HELD_BYTES) -> Got:
    async def run() -> Got:
        form = UploadForm(content_type, each(blocks), held_bytes=held_bytes)
        await form.until_file()
        file = [block async for block in form.file()]
        assert all(file)
        return Got(b"".join(file), form.filename, form.fields, form.late_fields)

    return asyncio.run(run())


def field(name: str, value: str | bytes, *more: str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return part(data, f'Content-Disposition: form-data; name="{name}"', *more)


def wav(data: bytes = WAV, filename: str = "a.wav", *more: str) -> bytes:
    header = f'Content-Disposition: form-data; name="file"; filename="{filename}"'
    return part(data, header, "Content-Type: audio/wav", *more)


def part(data: bytes, *headers: str) -> bytes:
    return "\r\n".join((*headers, "", "")).encode() + data


def body(*parts: bytes, boundary: bytes = b"b", end: bytes = b"\r\n") -> bytes:
    return (
        b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
        + b"--"
        + boundary
        + b"--"
        + end
    )


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(ends)]


USER, TOKEN = field("user_id", "1"), field("token", "t-1")
CREDENTIALS = {"user_id": "1", "token": "t-1"}


def test_fields_before_the_file_are_known_when_the_file_begins() -> None:
    async def run() -> None:
        never = asyncio.Event()

        async def blocks() -> AsyncIterator[bytes]:
            yield body(USER, TOKEN, field("title", "Речь"), wav())[:-20]
            await never.wait()

        form = UploadForm(TYPE, blocks())
        await form.until_file()
        assert form.fields == {**CREDENTIALS, "title": "Речь"}
        assert form.filename == "a.wav"
        assert WAV.startswith(await anext(form.file()))

    asyncio.run(asyncio.wait_for(run(), 10))


def test_fields_after_a_streaming_file_are_late() -> None:
    got = read([body(USER, TOKEN, wav(), field("title", "x"), field("bitrate", "64"))])
    assert got == Got(WAV, "a.wav", CREDENTIALS, {"title": "x", "bitrate": "64"})


def test_large_file_may_come_in_one_block_with_its_fields() -> None:
    data = b"x" * (HELD_BYTES * 2)
    assert read([body(USER, TOKEN, wav(data))]).file == data


@pytest.mark.parametrize("size", [0, 1, HELD_BYTES])
def test_credentials_may_follow_a_small_file(size: int) -> None:
    got = read(cut(body(USER, wav(b"x" * size), field("bitrate", "64"), TOKEN), range(0, size, 65536)))
    assert got == Got(b"x" * size, "a.wav", {**CREDENTIALS, "bitrate": "64"}, {})


@pytest.mark.parametrize("places", [[], range(0, HELD_BYTES * 2, 60_000)])
def test_credentials_after_a_large_file_are_refused(places: Iterable[int]) -> None:
    with pytest.raises(CredentialsFirst):
        read(cut(body(USER, wav(b"x" * (HELD_BYTES + 1)), TOKEN), places))


@pytest.mark.parametrize(
    ("before", "required", "held"),
    [
        ((), ("user_id", "token"), True),
        ((field("user_id", "1"), field("token", "t")), ("user_id", "token"), False),
        ((), (), False),
    ],
    ids=["nothing is known", "credentials came first", "Bearer"],
)
def test_bytes_are_held_only_while_required_fields_are_missing(
    before: tuple[bytes, ...], required: tuple[str, ...], *, held: bool
) -> None:
    reported: list[int] = []
    blocks = cut(body(*before, wav(bytes(100_000))), range(1_000, 90_000, 1_000))

    asyncio.run(UploadForm(TYPE, each(blocks), required=required, on_held=reported.append).until_file())

    assert (max(reported, default=0) > 90_000) is held
    assert (reported == []) is not held


def test_no_more_than_the_bound_and_one_block_is_taken_without_credentials() -> None:
    async def run() -> int:
        taken = 0

        async def blocks() -> AsyncIterator[bytes]:
            nonlocal taken
            yield b"--b\r\n" + wav(b"")
            while True:
                taken += 65536
                yield b"x" * 65536

        with pytest.raises(CredentialsFirst):
            await UploadForm(TYPE, blocks()).until_file()
        return taken

    assert asyncio.run(run()) <= HELD_BYTES + 65536


def test_missing_credentials_are_simply_absent() -> None:
    assert read([body(wav(), field("title", "x"))]).fields == {"title": "x"}


NO_FILE_CHOSEN = part(
    b"",
    'Content-Disposition: form-data; name="file"; filename=""',
    "Content-Type: application/octet-stream",
)


@pytest.mark.parametrize(
    "form",
    [
        body(USER, TOKEN),
        b"--b--\r\n",
        body(USER, TOKEN, field("wav", WAV)),
        body(USER, TOKEN, NO_FILE_CHOSEN),
        body(NO_FILE_CHOSEN, USER, TOKEN),
        body(NO_FILE_CHOSEN, NO_FILE_CHOSEN),
        body(USER, TOKEN, field("file", "")),
    ],
)
def test_form_without_a_file_is_named_so(form: bytes) -> None:
    for blocks in ([form], cut(form, range(len(form)))):
        with pytest.raises(FileMissing):
            read(blocks)


def test_an_input_without_a_file_may_stand_beside_the_one_that_has_it() -> None:
    for parts in ([NO_FILE_CHOSEN, wav()], [wav(), NO_FILE_CHOSEN]):
        assert read([body(USER, TOKEN, *parts)]) == Got(WAV, "a.wav", CREDENTIALS, {})


@pytest.mark.parametrize(
    ("declared", "sent", "text"),
    [
        ("charset=ISO-8859-1", b"Caf\xe9", "Café"),  # Apache HttpClient, unless it is told another one
        ("charset=iso-8859-1", b"\x93x\x94", "“x”"),
        ('charset="windows-1251"', "Речь".encode("cp1251"), "Речь"),
        ("charset=KOI8-R", "Речь".encode("koi8-r"), "Речь"),
        ("charset=x-sjis", "会議".encode("cp932"), "会議"),
        ("charset=windows-31j", "会議".encode("cp932"), "会議"),
        ("charset=gb2312", "会议".encode("gb18030"), "会议"),
        ("charset=cp866", "Речь".encode("cp866"), "Речь"),
        ("charset=UTF-16", "Речь".encode("utf-16"), "Речь"),
        ("charset=utf-16be", "Речь".encode("utf-16-be"), "Речь"),
        ("charset=us-ascii", "Речь".encode(), "Речь"),
        ("charset=UTF8", "Речь".encode(), "Речь"),
        ("charset=", "Речь".encode(), "Речь"),
        ("format=flowed", "Речь".encode(), "Речь"),
    ],
)
def test_a_field_is_read_in_the_charset_that_its_part_declares(declared: str, sent: bytes, text: str) -> None:
    title = field("title", sent, f"Content-Type: text/plain; {declared}")
    assert read([body(USER, TOKEN, title, wav())]).fields["title"] == text
    assert read([body(USER, TOKEN, wav(), title)]).late == {"title": text}


def test_the_charset_field_counts_for_parts_that_declare_none_wherever_it_stands() -> None:
    """RFC 7578, section 4.6."""
    charset, title = field("_charset_", "windows-1251"), field("title", "Речь".encode("cp1251"))
    declared = field("title", "Речь", "Content-Type: text/plain; charset=utf-8")

    for parts in ([charset, title, wav()], [title, charset, wav()]):
        assert read([body(USER, TOKEN, *parts)]).fields == {**CREDENTIALS, "title": "Речь"}
    assert read([body(USER, TOKEN, wav(), title, charset)]).late == {"title": "Речь"}
    too_late = read([body(USER, field("token", "t"), wav(), field("_charset_", "utf-16"))])
    assert (too_late.fields, too_late.late) == ({"user_id": "1", "token": "t"}, {})
    assert read([body(charset, USER, TOKEN, declared, wav())]).fields["title"] == "Речь"


def test_the_charset_field_counts_for_a_file_name_that_is_not_utf8() -> None:
    file = 'Content-Disposition: form-data; name="file"; filename="Речь.wav"\r\n\r\n'.encode("cp1251") + WAV
    assert read([body(field("_charset_", "windows-1251"), USER, TOKEN, file)]).filename == "Речь.wav"


def test_the_charset_of_the_whole_form_counts_for_what_is_not_utf8() -> None:
    """Apache HttpClient in its mode for browsers declares no other."""
    file = 'Content-Disposition: form-data; name="file"; filename="Речь.wav"\r\n\r\n'.encode("cp1251") + WAV
    for raw in ("Речь".encode("cp1251"), "Речь".encode()):
        got = read([body(USER, TOKEN, field("title", raw), file)], f"{TYPE}; charset=windows-1251")
        assert (got.fields["title"], got.filename) == ("Речь", "Речь.wav")
    with pytest.raises(InvalidField, match="not in WINDOWS-1251"):
        read([body(USER, TOKEN, field("title", b"\x98"), file)], f"{TYPE}; charset=windows-1251")


def test_an_unknown_charset_field_is_refused_and_an_empty_one_is_none() -> None:
    title = field("title", "Речь")
    assert read([body(field("_charset_", ""), USER, TOKEN, title, wav())]).fields["title"] == "Речь"
    with pytest.raises(InvalidField, match="'no-such', which is not known"):
        read([body(field("_charset_", "no-such"), USER, TOKEN, title, wav())])


def test_file_is_taken_without_a_name_and_unknown_parts_are_skipped() -> None:
    unknown = part(b"y" * 9999, 'Content-Disposition: form-data; name="cover"; filename="c.png"')
    got = read([body(unknown, field("lang", "ru"), USER, TOKEN, field("file", WAV), unknown)])
    assert got == Got(WAV, None, CREDENTIALS, {})


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ('filename="a.wav"', "a.wav"),
        ("filename=a.wav", "a.wav"),
        ('FILENAME="a.wav"', "a.wav"),
        ('filename="Запись 1.wav"', "Запись 1.wav"),
        ('filename="И\u0306.wav"', "Й.wav"),  # macOS sends decomposed Unicode
        ('filename="say %22hi%22.wav"', 'say "hi".wav'),
        (r'filename="say \"hi\"; ok.wav"', 'say "hi"; ok.wav'),
        ('filename="100%.wav"', "100%.wav"),
        ('filename="%D0%AF.wav"', "Я.wav"),
        ('filename="my%20call%201.wav"', "my call 1.wav"),  # aiohttp
        ('filename="100%25.wav"', "100%.wav"),
        ('filename="50% of %D0%AF.wav"', "50% of %D0%AF.wav"),
        ('filename="%FF.wav"', "%FF.wav"),
        ('filename="%FF%22.wav"', '%FF".wav'),
        ('filename="..%2F..%5Cx.wav"', "x.wav"),
        ('filename="a%00b.wav"', "a b.wav"),
        ('filename="=?UTF-8?B?0JPQvtC70L7RgQ==?=.wav"', "Голос.wav"),
        ('filename="=?utf-8?q?my=20call?= 1.wav"', "my call 1.wav"),
        ('filename="=?KOI8-R?Q?=D1?=.wav"', "я.wav"),
        ('filename="=?UTF-8?Q?100%20?=.wav"', "100%20.wav"),
        ('filename="=?UTF-8?B?0JPQ?= =?UTF-8?B?vtC70L7RgS53YXY=?="', "Голос.wav"),
        ('filename="=?no-such?Q?x?=.wav"', "=?no-such?Q?x?=.wav"),
        ('filename="=?utf-8?B?A?=.wav"', "=?utf-8?B?A?=.wav"),
        ('filename="what=?.wav"', "what=?.wav"),
        ('filename="a%0D%0Ab.wav"', "a  b.wav"),
        (r'filename="C:\Users\me\talk.wav"', "talk.wav"),
        (r'filename="C:\\Users\\me\\talk.wav"', "talk.wav"),
        ('filename="../../etc/passwd"', "passwd"),
        ('filename="dir/"', None),
        (r'filename="a\"', None),
        (r'filename="C:\talk.wav\"; size="9"', None),
        ('filename=""', None),
        ("filename*=utf-8''%D0%AF%20%D1%8F.wav", "Я я.wav"),
        ("filename=\"x.wav\"; filename*=UTF-8'ru'%D0%AF.wav", "Я.wav"),
        ("filename=\"x.wav\"; filename*=UTF-8''%FF.wav", "x.wav"),
        ("filename=\"x.wav\"; filename*=koi8-r''%D1.wav", "x.wav"),
        ('filename="x.wav"; filename*=broken', "x.wav"),
        ("filename*=utf-8''..%2F..%2Fx.wav", "x.wav"),
    ],
)
def test_file_name_is_read_as_clients_send_it(sent: str, expected: str | None) -> None:
    file = part(WAV, f'Content-Disposition: form-data; name="file"; {sent}')
    assert read([body(USER, TOKEN, file)]).filename == expected


def test_a_content_type_that_cannot_be_read_is_none() -> None:
    cover = part(b"x", 'Content-Disposition: form-data; name="cover"', "Content-Type: image/png; ;;x")
    title = field("title", "Речь", "Content-Type: text/plain; charset = utf-8")
    assert read([body(cover, USER, TOKEN, title, wav())]).fields["title"] == "Речь"


def test_file_name_that_is_not_utf8_is_still_a_name() -> None:
    file = b'Content-Disposition: form-data; name="file"; filename="\xff\xfe.wav"\r\n\r\n' + WAV
    assert read([body(USER, TOKEN, file)]).filename == "\ufffd\ufffd.wav"


@pytest.mark.parametrize(
    "field_part",
    [
        field("title", "x" * 4097),
        field("title", b"\xff"),
        field("title", b"\x98", "Content-Type: text/plain; charset=windows-1251"),
        field("title", "x", "Content-Type: text/plain; charset=no-such"),
        field("title", "x", "Content-Type: text/plain; charset=hex"),
        field("title", "x", "Content-Type: text/plain; charset=idna"),
        field("title", "x", "Content-Type: text/plain; charset=os.path"),
        field("token", "again"),
    ],
)
def test_field_that_cannot_be_used_is_refused_before_and_after_the_file(field_part: bytes) -> None:
    for parts in ([USER, TOKEN, field_part, wav()], [USER, TOKEN, wav(), field_part]):
        with pytest.raises(InvalidField):
            read([body(*parts)])


@pytest.mark.parametrize("before", [[], [field("title", "x")]])
def test_late_field_may_not_be_there_twice(before: list[bytes]) -> None:
    late = [field("title", "x")] * (2 - len(before))
    with pytest.raises(InvalidField):
        read([body(USER, TOKEN, *before, wav(), *late)])


def test_field_takes_all_its_bytes_and_names_its_charset() -> None:
    title = field(
        "title", "я" * 2048, "Content-Type: text/plain; charset=UTF-8", "Content-Transfer-Encoding: 8bit"
    )
    assert read([body(USER, TOKEN, title, wav())]).fields["title"] == "я" * 2048


@pytest.mark.parametrize(
    "malformed",
    [
        b"",
        b"--b",
        b"RIFF" * 9999,
        body(USER, TOKEN, wav())[:-5],
        body(USER, TOKEN, wav(), wav()),
        body(USER, TOKEN, wav(), boundary=b"c"),
        body(USER, TOKEN, wav()).replace(b"; name=", b"; nom="),
        body(USER, TOKEN, wav()).replace(b"form-data", b"attachment"),
        body(USER, TOKEN, wav()).replace(b'name="file"', b'name="file"; name="x"'),
        body(USER, TOKEN, wav()).replace(b'name="file"', b'name="file" x'),
        body(USER, TOKEN, wav()).replace(b'name="file"', b'name = "file"'),
        body(USER, TOKEN, part(WAV)),
        body(USER, TOKEN, part(WAV, "no colon")),
        body(USER, TOKEN, part(WAV, "Bad Name: x")),
        body(USER, TOKEN, wav(WAV, "a.wav", "Content-Type: audio/wav")),
        body(USER, TOKEN, wav(WAV, "a.wav", "Content-Transfer-Encoding: base64")),
        body(USER, TOKEN, wav(WAV, "a.wav", "X-Long: " + "x" * 5000)),
        body(USER, TOKEN, wav(WAV, "a.wav", *(f"X-{n}: x" for n in range(20)))),
        body(USER, TOKEN, wav(), *(field(f"f{n}", "") for n in range(100))),
        b"x" * 5000 + b"\r\n" + body(USER, TOKEN, wav()),
    ],
)
def test_malformed_form_is_refused(malformed: bytes) -> None:
    for blocks in ([malformed], cut(malformed, range(len(malformed)))):
        with pytest.raises(MalformedMultipart):
            read(blocks)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        'multipart/form-data; boundary="b "',
        "multipart/form-data; boundary=" + "b" * 71,
        "multipart/form-data; boundary=b; boundary=b",
        "multipart/form-data; boundary=é",
        "multipart/mixed; boundary=b",
        "application/x-www-form-urlencoded",
        "",
    ],
)
def test_content_type_without_a_valid_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(MalformedMultipart):
        read([body(USER, TOKEN, wav())], content_type)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=b", b"b"),
        ("Multipart/Form-Data;charset=utf-8;Boundary=b;", b"b"),
        ('multipart/form-data; boundary="a (b):c"', b"a (b):c"),
        ("multipart/form-data; boundary=----WebKitFormBoundaryX", b"----WebKitFormBoundaryX"),
        ("multipart/form-data; boundary=" + "b" * 70, b"b" * 70),
        ("multipart/form-data; boundary=*****", b"*****"),  # Android's samples
        ('multipart/form-data; boundary="*****"', b"*****"),
        ("multipart/form-data;boundary={8f14e45f-ea};charset=utf-8", b"{8f14e45f-ea}"),
        ('multipart/form-data; boundary="<a;b>"', b"<a;b>"),
        (r'multipart/form-data; boundary="a\"b"', b'a"b'),
        ('multipart/form-data; boundary=a"b', b'a"b'),
        *((f"multipart/form-data; boundary={c}x{c}", f"{c}x{c}".encode()) for c in VISIBLE if c not in '";'),
        *(
            (f'multipart/form-data; boundary="{c}x{c}"', f"{c}x{c}".encode())
            for c in VISIBLE
            if c not in '"\\'
        ),
    ],
)
def test_boundary_is_read_from_the_content_type(content_type: str, boundary: bytes) -> None:
    assert read([body(USER, TOKEN, wav(), boundary=boundary)], content_type).file == WAV


def test_preamble_and_epilogue_are_ignored() -> None:
    form = b"This is a form.\r\n" + body(USER, TOKEN, wav(), end=b"  \r\nand --b\r\n this") + b"--b--"
    for places in ([], range(len(form))):
        assert read(cut(form, places)).file == WAV


# Bytes that look like the boundary make the parser look back; no line of a part may begin with it (RFC 2046).
tricky = (
    st.lists(
        st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n", b"\r\n-", b"\r\n--", b"b", b"x"]), max_size=30
    )
    .map(b"".join)
    .filter(lambda data: b"\r\n--b" not in b"\r\n" + data + b"\r\n--")
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(
    lambda text: "\r\n--b" not in f"\r\n{text}"
)
shuffled = st.permutations(["user_id", "token", "title", "file", "other"])


@given(shuffled, tricky, texts, st.lists(st.integers(0, 700)))
def test_result_does_not_depend_on_how_the_body_is_cut(
    order: Sequence[str], data: bytes, text: str, places: list[int]
) -> None:
    parts = {"file": wav(data), **{name: field(name, text) for name in order if name != "file"}}
    form = body(*(parts[name] for name in order))
    got = read(cut(form, places))
    late = (
        ["title"] if order.index("title") > order.index("file") > max(map(order.index, CREDENTIALS)) else []
    )
    assert got.file == data
    assert got.late == dict.fromkeys(late, text)
    assert got.fields == {name: text for name in ("user_id", "token", "title") if name not in late}


@given(tricky)
def test_body_may_arrive_byte_by_byte(data: bytes) -> None:
    form = body(USER, TOKEN, wav(data))
    assert read(cut(form, range(len(form)))).file == data


@given(st.binary(max_size=300) | tricky, st.lists(st.integers(0, 700)))
def test_any_body_is_read_or_refused(data: bytes, places: list[int]) -> None:
    for form in (data, b"--b\r\n" + data, body(USER, TOKEN, data)):
        with suppress(MalformedMultipart, FileMissing, InvalidField):
            read(cut(form, places))
