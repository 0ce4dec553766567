"""POST /records: accepted requests, responses, refusals."""

import hashlib
import uuid
from urllib.parse import unquote

import httpx2
import pytest

from accounts import Account, register
from factories import wav
from pigwav.settings import Settings
from problem_assertions import assert_problem
from serving import served


def test_a_form_upload_answers_a_link_that_plays(account: Account) -> None:
    body = wav(seconds=2, rate=44100, channels=2)

    answer = account.upload_form(body, filename="Голос.wav")

    assert answer.status_code == 201
    recording = answer.json()
    assert answer.headers["location"] == recording["url"]
    assert recording["url"] == f"{account.http.base_url}/record?id={recording['id']}&user={account.id}"
    assert uuid.UUID(recording["id"]).version == 4
    assert recording["title"] == "Голос"
    played = account.http.get(recording["url"])
    assert hashlib.sha256(played.content).hexdigest() == recording["sha256"]
    assert "Голос.mp3" in unquote(played.headers["content-disposition"])


def test_the_answer_holds_the_facts(account: Account) -> None:
    body = wav(seconds=2, rate=44100, channels=2)

    recording = account.upload_raw(body, title="facts").json()

    assert recording["user"] == account.id
    assert recording["duration_ms"] == recording["declared_duration_ms"] == 2000
    assert recording["truncated"] is False
    assert recording["wav_bytes"] == len(body)
    assert recording["wav_sha256"] == hashlib.sha256(body).hexdigest()
    assert (recording["sample_rate_hz"], recording["channels"], recording["bitrate_kbps"]) == (44100, 2, 128)
    assert recording["source"] == {"codec": "pcm_s16le", "sample_rate_hz": 44100, "channels": 2, "bits": 16}
    assert recording["bytes"] == pytest.approx(2 * 128_000 / 8, rel=0.05)


@pytest.mark.parametrize("kind", ["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"])
def test_raw_bodies_of_all_names_are_taken(account: Account, kind: str) -> None:
    answer = account.http.post(
        "/records",
        params={"user": account.id},
        content=wav(seconds=0.1),
        headers=account.bearer | {"Content-Type": kind},
    )

    assert answer.status_code == 201
    assert answer.json()["title"] is None


def test_a_chunked_body_without_a_length_is_taken(account: Account) -> None:
    body = wav(seconds=1)
    pieces = (body[i : i + 1000] for i in range(0, len(body), 1000))

    answer = account.http.post(
        "/records",
        params={"user": account.id},
        content=pieces,
        headers=account.bearer | {"Content-Type": "audio/wav"},
    )

    assert answer.status_code == 201
    assert answer.json()["wav_sha256"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("rate", "channels", "kbps"),
    [(44100, 2, 128), (44100, 1, 64), (16000, 1, 64), (8000, 1, 24), (11025, 2, 48)],
)
def test_the_default_bit_rate_fits_the_audio(account: Account, rate: int, channels: int, kbps: int) -> None:
    answer = account.upload_raw(wav(seconds=0.5, rate=rate, channels=channels))

    assert answer.json()["bitrate_kbps"] == kbps


def test_a_bit_rate_can_be_asked_for(account: Account) -> None:
    assert account.upload_raw(wav(seconds=0.5), bitrate=192).json()["bitrate_kbps"] == 192
    assert account.upload_form(wav(seconds=0.5), bitrate="32").json()["bitrate_kbps"] == 32


@pytest.mark.parametrize(
    ("bitrate", "code"), [("100", "unsupported-bitrate"), ("99999", "invalid-field"), ("x", "invalid-field")]
)
def test_a_bit_rate_that_mp3_lacks_is_refused(account: Account, bitrate: str, code: str) -> None:
    assert_problem(account.upload_raw(wav(seconds=0.1), bitrate=bitrate), 422, code)


def test_a_wav_that_claims_more_than_it_holds_is_converted_and_marked(account: Account) -> None:
    body = wav(seconds=2, rate=8000, channels=1)

    recording = account.upload_raw(body[: 44 + 16000]).json()

    assert recording["truncated"] is True
    assert recording["declared_duration_ms"] == 2000
    assert recording["duration_ms"] == 1000
    (warning,) = recording["warnings"]
    assert (warning["code"], warning["value"], warning["unit"]) == ("truncated", 1000, "ms")
    assert account.http.get(f"/records/{recording['id']}", headers=account.bearer).json() == recording
    played = account.http.get(recording["url"]).content
    assert hashlib.sha256(played).hexdigest() == recording["sha256"]


@pytest.mark.parametrize("way", ["raw", "form", "chunked"])
def test_a_placeholder_for_the_size_does_not_count(account: Account, way: str) -> None:
    body = wav(seconds=1, rate=16_000, channels=1, data_size=2_000_000_000)
    match way:
        case "raw":
            answer = account.upload_raw(body)
        case "form":
            answer = account.upload_form(body)
        case _:
            headers = account.bearer | {"Content-Type": "audio/wav"}
            answer = account.http.post("/records", content=iter([body]), headers=headers)

    assert answer.status_code == 201
    recording = answer.json()
    assert (recording["duration_ms"], recording["truncated"]) == (1000, False)
    assert [one["code"] for one in recording["warnings"]] == ["size-field-wrong"]


def test_the_title_field_wins_over_the_file_name(account: Account) -> None:
    assert account.upload_form(wav(seconds=0.1), title=" Мой день ").json()["title"] == "Мой день"


def multipart(*parts: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    """A form with its parts in this order; the part `file` is the file."""
    body = b""
    for name, value in parts:
        filename = '; filename="late.wav"' if name == "file" else ""
        body += (
            f'--sep\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'.encode()
            + value
            + b"\r\n"
        )
    return body + b"--sep--\r\n", {"Content-Type": "multipart/form-data; boundary=sep"}


def post_parts(account: Account, *parts: tuple[str, bytes]) -> httpx2.Response:
    body, headers = multipart(*parts)
    return account.http.post("/records", content=body, headers=headers)


def test_fields_behind_a_small_file_are_taken(account: Account) -> None:
    credentials = [("user_id", str(account.id).encode()), ("token", account.token.encode())]
    answer = post_parts(
        account, ("file", wav(seconds=1)), *credentials, ("title", b"last"), ("bitrate", b"96")
    )

    assert answer.status_code == 201
    assert (answer.json()["title"], answer.json()["bitrate_kbps"]) == ("last", 96)


def test_credentials_behind_a_large_file_are_refused(account: Account) -> None:
    credentials = [("user_id", str(account.id).encode()), ("token", account.token.encode())]
    answer = post_parts(account, ("file", wav(seconds=12, rate=44100, channels=2)), *credentials)

    assert_problem(answer, 422, "credentials-first")


def test_a_title_behind_the_file_still_counts_and_a_bit_rate_is_refused(account: Account) -> None:
    credentials = [("user_id", str(account.id).encode()), ("token", account.token.encode())]

    titled = post_parts(account, *credentials, ("file", wav(seconds=0.5)), ("title", b"late"))
    refused = post_parts(account, *credentials, ("file", wav(seconds=0.5)), ("bitrate", b"96"))

    assert titled.json()["title"] == "late"
    assert (
        account.http.get(f"/records/{titled.json()['id']}", headers=account.bearer).json()["title"] == "late"
    )
    assert_problem(refused, 422, "fields-first")


def test_a_form_without_a_file_is_refused(account: Account) -> None:
    answer = account.http.post(
        "/records", data={"user_id": "1"}, files={"other": ("a.wav", b"RIFF", "audio/wav")}
    )

    assert_problem(answer, 422, "file-missing")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=nope"],
)
def test_a_malformed_form_is_refused(account: Account, content_type: str) -> None:
    answer = account.http.post("/records", content=b"--sep\r\nx", headers={"Content-Type": content_type})

    assert_problem(answer, 400, "malformed-multipart")


def test_a_form_that_ends_early_is_refused(account: Account) -> None:
    body, headers = multipart(
        ("user_id", str(account.id).encode()), ("token", account.token.encode()), ("file", wav(seconds=1))
    )

    answer = account.http.post("/records", content=body[:-9], headers=headers)

    assert_problem(answer, 400, "malformed-multipart")
    assert account.http.get("/records", headers=account.bearer).json()["items"] == []


def by_form(account: Account, *, query: object = None, bearer: str = "", **fields: object) -> httpx2.Response:
    """Uploads a form with only these credentials."""
    return account.http.post(
        "/records",
        params={} if query is None else {"user": query},
        data={name: str(value) for name, value in fields.items()},
        files={"file": ("a.wav", wav(seconds=0.1), "audio/wav")},
        headers={"Authorization": f"Bearer {bearer}"} if bearer else {},
    )


def test_bearer_is_good_for_a_form_with_or_without_its_fields(account: Account) -> None:
    id_, token = account.id, account.token
    answers = [
        by_form(account, bearer=token),
        by_form(account, bearer=token, title="Standup"),
        by_form(account, bearer=token, user_id=id_),
        by_form(account, bearer=token, user_id=id_, token=token),
        by_form(account, bearer=token.upper(), query=id_, user_id=id_, token=token),
        by_form(account, user_id=id_, token=token, query=id_),
    ]

    assert [answer.status_code for answer in answers] == [201] * len(answers)
    assert {answer.json()["user"] for answer in answers} == {id_}


def test_credentials_that_contradict_each_other_are_refused_wherever_they_stand(
    account: Account, other_user: Account
) -> None:
    mine, other = (account.id, account.token), (other_user.id, other_user.token)
    mismatch, differ, no_id = None, "two tokens that differ", "user id is missing"
    answers = [
        (by_form(account, bearer=mine[1], token=other[1]), differ),
        (by_form(account, bearer=mine[1], token=""), differ),
        (by_form(account, bearer=mine[1], user_id=other[0]), mismatch),
        (by_form(account, bearer=mine[1], user_id=other[0], token=other[1]), differ),
        (by_form(account, bearer=mine[1], query=other[0]), mismatch),
        (by_form(account, bearer="nonsense", user_id=mine[0], token=mine[1]), differ),
        (by_form(account, user_id=mine[0], token=mine[1], query=other[0]), mismatch),
        (by_form(account, token=mine[1]), no_id),
        (by_form(account, token=mine[1], query=mine[0]), no_id),
        (account.upload_raw(wav(seconds=0.1), user=other[0]), mismatch),
        (account.upload_raw(wav(seconds=0.1), user=""), no_id),
    ]

    documents = [(assert_problem(answer, 401, "not-authenticated"), words) for answer, words in answers]
    for document, words in documents:
        assert (words in document["detail"]) if words else ("detail" not in document), document
    assert account.http.get("/records", headers=account.bearer).json()["items"] == []


def test_a_raw_body_with_bearer_need_not_name_its_user(account: Account) -> None:
    headers = account.bearer | {"Content-Type": "audio/wav"}

    answer = account.http.post("/records", content=wav(seconds=0.1), headers=headers)

    assert (answer.status_code, answer.json()["user"]) == (201, account.id)


def test_behind_the_file_a_form_with_bearer_may_still_name_its_title(account: Account) -> None:
    """The file is converted at once, because no credentials are missing."""
    body = wav(seconds=9)  # more than is buffered for a form without credentials
    parts = [("file", ("a.wav", body, "audio/wav")), ("title", (None, "Standup"))]

    answer = account.http.post("/records", files=parts, headers=account.bearer)

    assert (answer.status_code, answer.json()["title"]) == (201, "Standup")


@pytest.mark.parametrize("named", [{"user_id"}, {"token"}, {"user_id", "token"}])
@pytest.mark.parametrize("seconds", [0.1, 9])
def test_behind_the_file_a_form_with_bearer_may_repeat_its_credentials(
    account: Account, other_user: Account, seconds: float, named: set[str]
) -> None:
    body = wav(seconds=seconds)  # 9 s are more than is buffered for a form without credentials
    for user, status in ((account, 201), (other_user, 401)):
        fields = {"user_id": str(user.id), "token": user.token}
        parts = [("file", ("a.wav", body, "audio/wav")), *((name, (None, fields[name])) for name in named)]

        answer = account.http.post("/records", files=parts, headers=account.bearer)

        assert answer.status_code == status, answer.text
    assert len(account.http.get("/records", headers=account.bearer).json()["items"]) == 1


TYPES_OF_WAVS = [
    *("audio/mpeg", "audio/l16", "AUDIO/WAV; codecs=1", "application/x-wav", "application/octet-stream"),
    *("binary/octet-stream", "application/x-www-form-urlencoded", "text/plain", "video/webm", ""),
]


@pytest.mark.parametrize("kind", [*TYPES_OF_WAVS, None])
def test_a_raw_body_is_judged_by_its_bytes(account: Account, kind: str | None) -> None:
    typed = {} if kind is None else {"Content-Type": kind}
    body = wav(seconds=0.1)

    whole = account.http.post("/records", content=body, headers=account.bearer | typed)
    cut = (body[start : start + 5] for start in range(0, len(body), 5))
    in_pieces = account.http.post("/records", content=cut, headers=account.bearer | typed)
    foreign = account.http.post("/records", content=b"OggS" + bytes(600), headers=account.bearer | typed)

    assert [answer.status_code for answer in (whole, in_pieces)] == [201, 201]
    assert assert_problem(foreign, 415, "not-a-wav")["found"] == "ogg"


@pytest.mark.parametrize(
    ("kind", "body", "found"),
    [
        ("text/plain", b"hello", "text"),
        ("application/x-www-form-urlencoded", b"user_id=1&title=x", "text"),
        ("application/json", b'{"file": "UklGRg=="}', "json"),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Disposition: attachment\r\n\r\nx", "multipart"),
        ("application/xml", b"<wav/>", "xml"),
        ("text/html", b"", "empty"),
    ],
)
def test_text_of_another_content_type_is_refused(
    account: Account, kind: str, body: bytes, found: str
) -> None:
    answer = account.http.post("/records", content=body, headers=account.bearer | {"Content-Type": kind})

    document = assert_problem(answer, 415, "unsupported-media-type")
    assert "multipart/form-data" in document["detail"]
    assert document["found"] == found


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP", "identity, zstd", "x-no-such"])
def test_a_content_encoding_is_refused_by_name(account: Account, coding: str) -> None:
    encoded = {"Content-Encoding": coding}
    answers = [
        account.http.post("/records", content=wav(seconds=0.1), headers=account.bearer | encoded),
        account.http.post("/users", content=b'{"name": "x"}', headers=encoded),
    ]

    for answer in answers:
        document = assert_problem(answer, 415, "unsupported-content-encoding")
        assert coding.rsplit(maxsplit=1)[-1] in document["detail"]
        assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("coding", ["identity", "", "Identity"])
def test_the_coding_that_changes_nothing_is_taken(account: Account, coding: str) -> None:
    headers = account.bearer | {"Content-Encoding": coding}

    assert account.http.post("/records", content=wav(seconds=0.1), headers=headers).status_code == 201


def test_a_form_in_which_no_file_was_chosen_says_so(account: Account) -> None:
    browsers = ("file", ("", b"", "application/octet-stream"))

    answer = account.http.post("/records", files=[browsers], headers=account.bearer)

    assert "no file was chosen" in assert_problem(answer, 422, "file-missing")["detail"]


def test_a_form_with_its_file_in_another_field_says_so(account: Account) -> None:
    parts = [("audio", ("a.wav", wav(seconds=0.1), "audio/wav")), ("note", (None, "x"))]

    answer = account.http.post("/records", files=parts, headers=account.bearer)

    assert "in the field 'audio'" in assert_problem(answer, 422, "file-missing")["detail"]


@pytest.mark.parametrize(
    "name",
    [
        "blob",
        "-",
        "undefined",
        "null.wav",
        "None",
        "file",
        "BLOB.WAV",
        "stdin",
        "unnamed",
        "[object File]",
    ],
)
def test_a_file_name_that_no_person_chose_is_no_title(account: Account, name: str) -> None:
    sent = [
        account.upload_form(wav(seconds=0.1), filename=name),
        account.upload_raw(wav(seconds=0.1), filename=name),
    ]

    assert [answer.json()["title"] for answer in sent] == [None, None]


@pytest.mark.parametrize("name", ["file.wav", "Untitled.wav", "blobs.wav", "- 1 -.wav"])
def test_a_name_that_a_person_may_choose_is_a_title(account: Account, name: str) -> None:
    assert account.upload_form(wav(seconds=0.1), filename=name).json()["title"] == name.removesuffix(".wav")


def test_a_title_may_be_in_the_charset_that_its_part_declares(account: Account) -> None:
    parts = [
        ("user_id", (None, str(account.id), "text/plain; charset=ISO-8859-1")),  # Apache HttpClient
        ("token", (None, account.token, "text/plain; charset=ISO-8859-1")),
        ("title", (None, "Café".encode("latin-1"), "text/plain; charset=ISO-8859-1")),
        ("file", ("a.wav", wav(seconds=0.1), "audio/wav")),
    ]

    assert account.http.post("/records", files=parts).json()["title"] == "Café"


def wrong_credentials(account: Account, other_user: Account) -> list[tuple[str, str]]:
    return [
        (str(account.id), other_user.token),
        (str(account.id), str(uuid.uuid4())),
        (str(account.id), "nonsense"),
        ("x", account.token),
        ("999999", account.token),
    ]


def test_every_wrong_user_or_token_has_the_same_answer(account: Account, other_user: Account) -> None:
    documents = []
    for user, token in wrong_credentials(account, other_user):
        form = account.upload_form(wav(seconds=0.1), user_id=user, token=token)
        documents.append(assert_problem(form, 401, "not-authenticated"))
        raw = account.http.post(
            "/records",
            params={"user": user},
            content=wav(seconds=0.1),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "audio/wav"},
        )
        documents.append(assert_problem(raw, 401, "not-authenticated"))

    assert all(document == documents[0] for document in documents)


def test_what_a_request_lacks_is_said_alike_whoever_it_names(account: Account) -> None:
    """Nothing in the answer depends on whether the user exists."""
    for user in (account.id, 10**9):
        unknown = str(uuid.uuid4())
        answers = [
            by_form(account, user_id=user),
            by_form(account, user_id=user, token=""),
            by_form(account, query=user),
            account.http.post("/records", params={"user": user}, content=wav(seconds=0.1)),
            by_form(account, token=unknown),
            by_form(account, token=unknown, user_id=""),
            by_form(account, user_id=user, token=unknown, bearer=str(uuid.uuid4())),
        ]
        details = [assert_problem(answer, 401, "not-authenticated")["detail"] for answer in answers]
        assert ["no access token" in detail for detail in details] == [True] * 4 + [False] * 3
        assert ["user id is missing" in detail for detail in details] == [False] * 4 + [True] * 2 + [False]
        assert "two tokens that differ" in details[-1]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 415, "not-a-wav"),
        (b"hello, this is a text file named .wav\n" * 50, 415, "not-a-wav"),
        (b"#EXTM3U\nfile:///etc/passwd\n", 415, "not-a-wav"),
        (b"RIFX" + wav(seconds=0.1)[4:], 415, "unsupported-container"),
        (b"RIFF\x04\x00\x00\x00WAVE", 422, "no-fmt-chunk"),
        (wav(seconds=0.1)[:36], 422, "no-data-chunk"),
        (wav(seconds=0.1)[:44], 422, "no-audio"),
    ],
)
def test_what_is_no_usable_wav_is_refused_by_name(
    account: Account, body: bytes, status: int, code: str
) -> None:
    document = assert_problem(account.upload_raw(body), status, code)

    assert document["title"]
    assert account.http.get("/records", headers=account.bearer).json()["items"] == []


def test_the_link_begins_with_the_configured_address(settings: Settings) -> None:
    public = settings.http.model_copy(update={"public_url": "https://voice.example.org/x"})
    local = settings.address.model_copy(update={"hostname": "localhost", "port": 8080})
    for change, expected in (
        ({"http": public, "address": local}, "https://voice.example.org/x/record?"),
        ({"address": local}, "http://localhost:8080/record?"),
    ):
        with (
            served(settings.model_copy(update=change)) as api,
            httpx2.Client(base_url=api.url) as client,
        ):
            assert register(client).recording()["url"].startswith(expected)


def test_audio_beyond_the_longest_duration_is_refused(settings: Settings) -> None:
    limits = settings.limits.model_copy(update={"max_duration_s": 2})
    with (
        served(settings.model_copy(update={"limits": limits})) as api,
        httpx2.Client(base_url=api.url) as client,
    ):
        answer = register(client).upload_raw(wav(seconds=3))

        assert_problem(answer, 422, "audio-too-long")
