"""Users and tokens over HTTP."""

import uuid

import httpx2
import pytest

from accounts import Account, register
from pigwav.settings import Registration, Settings
from problem_assertions import assert_problem
from serving import served


def test_registering_answers_an_id_and_a_uuid_token(http: httpx2.Client) -> None:
    answer = http.post("/users", json={"name": "Ада"})

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["name"] == "Ада"
    assert isinstance(body["id"], int)
    assert uuid.UUID(body["token"]).version == 4


def test_a_form_registers_too(http: httpx2.Client) -> None:
    answer = http.post("/users", data={"name": "by form"})

    assert answer.status_code == 201
    assert answer.json()["name"] == "by form"


def test_a_multipart_form_registers_too(http: httpx2.Client) -> None:
    """`curl -F name=...` sends this."""
    parts = {"remark": (None, b"skipped"), "name": (None, "Жук в форме".encode())}

    answer = http.post("/users", files=parts)

    assert answer.status_code == 201
    assert answer.json()["name"] == "Жук в форме"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'--b\r\nContent-Disposition: form-data; name="nom"\r\n\r\nx\r\n--b--', 422, "invalid-request"),
        (
            b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n' * 2 + b"--b--",
            422,
            "invalid-field",
        ),
        (b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx', 400, "malformed-multipart"),
        (b"", 400, "malformed-multipart"),
    ],
)
def test_a_multipart_form_that_is_no_registration_is_refused(
    http: httpx2.Client, body: bytes, status: int, code: str
) -> None:
    answer = http.post("/users", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})

    assert_problem(answer, status, code)


def test_names_are_trimmed_and_compared_in_nfc(http: httpx2.Client) -> None:
    assert http.post("/users", json={"name": "Zo\u00eb"}).status_code == 201

    assert_problem(http.post("/users", json={"name": "  Zoe\u0308 "}), 409, "name-taken")


@pytest.mark.parametrize(
    ("name", "code"),
    [("", "invalid-field"), ("  \t ", "invalid-field"), ("x" * 201, "invalid-field"), (7, "invalid-request")],
)
def test_a_name_that_cannot_be_used_is_refused(http: httpx2.Client, name: object, code: str) -> None:
    assert_problem(http.post("/users", json={"name": name}), 422, code)


@pytest.mark.parametrize("char", ["\0", "\n", "\t", "\x1b", "\x7f", "\x85", "\x9f"])
def test_a_control_character_in_a_name_is_refused_and_named(http: httpx2.Client, char: str) -> None:
    for name in (f"an{char}na", f"\0{char}anna", f"anna{char}\x1f"):
        for sent in ({"json": {"name": name}}, {"data": {"name": name}}, {"files": {"name": (None, name)}}):
            answer = http.post("/users", **sent)
            assert "control characters" in assert_problem(answer, 422, "invalid-field")["detail"]


def test_the_line_end_after_a_name_is_trimmed(http: httpx2.Client) -> None:
    assert http.post("/users", data={"name": "from a file\r\n"}).json()["name"] == "from a file"


def test_a_form_registers_in_its_charset(http: httpx2.Client) -> None:
    form = "application/x-www-form-urlencoded"
    for name, kind, body in (
        ("Café one", f"{form}; charset=ISO-8859-1", b"name=Caf%E9+one"),
        ("Речь", f"{form};charset=windows-1251", "name=Речь".encode("cp1251")),
        ("Речь 2", form, b"name=%D0%E5%F7%FC+2&_charset_=windows-1251"),
    ):
        answer = http.post("/users", content=body, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["name"]) == (201, name)
    wrong = http.post("/users", content=b"name=Caf%E9", headers={"Content-Type": form})
    assert_problem(wrong, 422, "invalid-field")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"name": null}', b"\xff\xfe"])
def test_a_body_that_is_no_registration_is_refused(http: httpx2.Client, body: bytes) -> None:
    answer = http.post("/users", content=body, headers={"Content-Type": "application/json"})

    assert_problem(answer, 422, "invalid-request")


def test_another_content_type_is_refused_by_name(http: httpx2.Client) -> None:
    answer = http.post("/users", content=b"<name/>", headers={"Content-Type": "application/xml"})

    assert "application/xml" in assert_problem(answer, 415, "unsupported-media-type")["detail"]


def test_a_registration_larger_than_any_name_is_refused(http: httpx2.Client) -> None:
    answer = http.post("/users", content=b"x" * 100_000, headers={"Content-Type": "application/json"})

    assert_problem(answer, 413, "upload-too-large")


def test_closed_registration_is_refused(settings: Settings) -> None:
    closed = settings.model_copy(update={"registration": Registration.CLOSED})
    with served(closed) as api:
        assert_problem(httpx2.post(f"{api.url}/users", json={"name": "late"}), 403, "registration-closed")


def test_a_token_tells_whose_it_is(account: Account, other_user: Account) -> None:
    for one in (account, other_user):
        answer = one.http.get("/users/me", headers=one.bearer)
        assert answer.status_code == 200
        assert answer.json()["id"] == one.id
        assert set(answer.json()) == {"id", "name"}
    assert_problem(account.http.get("/users/me"), 401, "not-authenticated")


def test_a_rotated_token_works_and_the_old_one_is_dead(account: Account) -> None:
    answer = account.http.post("/users/me/token", headers=account.bearer)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    renewed = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert account.http.get("/records", headers=renewed).status_code == 200
    assert_problem(account.http.get("/records", headers=account.bearer), 401, "not-authenticated")


def test_a_deleted_user_is_gone_with_token_and_links(account: Account) -> None:
    link = account.recording()["url"]

    assert account.http.delete("/users/me", headers=account.bearer).status_code == 204

    assert_problem(account.http.get("/records", headers=account.bearer), 401, "not-authenticated")
    assert_problem(account.http.get(link), 404, "recording-not-found")


def test_the_name_of_a_deleted_user_can_be_taken_again(http: httpx2.Client) -> None:
    first = register(http, "phoenix")
    http.delete("/users/me", headers=first.bearer)

    assert register(http, "phoenix").id != first.id


@pytest.mark.parametrize(
    ("authorization", "detail"),
    [
        *((missing, "The request has no access token.") for missing in (None, "Bearer", "Basic dTpw")),
        *((wrong, "") for wrong in ("Bearer nonsense", f"Bearer {uuid.UUID(int=1)}", "Bearer \xe9")),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/records"),
        ("DELETE", "/users/me"),
        ("POST", "/users/me/token"),
        ("GET", f"/records/{uuid.UUID(int=1)}"),
    ],
)
def test_every_wrong_token_has_the_same_answer(
    http: httpx2.Client, method: str, path: str, authorization: str | None, detail: str
) -> None:
    headers = {"Authorization": authorization.encode("latin-1")} if authorization else {}

    document = assert_problem(http.request(method, path, headers=headers), 401, "not-authenticated")

    assert document["title"] == "User and token are missing or do not match."
    assert document.get("detail", "").startswith(detail)
    assert bool(detail) == ("detail" in document)
