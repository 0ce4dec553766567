"""The OpenAPI document is complete, correct, and readable offline."""

import re
import subprocess
import sys

import httpx2
import pytest

from accounts import Account, register
from factories import wav
from serving import ServedApi

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,negative_data_rejection"
)


JSON, FORM = "application/json", "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


@pytest.mark.long
def test_schemathesis_finds_no_5xx_and_no_undeclared_answer(api: ServedApi, account: Account) -> None:
    """Deleting the user and changing the token are excluded, because all later requests would get 401."""
    account.recording()
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{api.url}/openapi.json"]
    options = ["--checks", CHECKS, "--max-examples", "30", "--seed", "1", "--no-color"]
    caller = [
        "--header",
        f"Authorization: {account.bearer['Authorization']}",
        "--exclude-path-regex",
        "^/users/me",
    ]

    run = subprocess.run([*command, *options, *caller], capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
    assert re.search(r"[1-9]\d* generated", run.stdout), run.stdout


def test_every_error_answer_is_declared_as_a_problem(http: httpx2.Client) -> None:
    document = http.get("/openapi.json").json()
    answers = [
        (status, answer)
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        if int(status) >= 400
    ]

    assert len(answers) > 40
    assert all([*answer["content"]] == ["application/problem+json"] for _, answer in answers)
    assert all("WWW-Authenticate" in answer["headers"] for status, answer in answers if status == "401")
    assert "ProblemOut" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_examples_of_the_document_work_when_copied(http: httpx2.Client) -> None:
    document = http.get("/openapi.json").json()
    content = document["paths"]["/users"]["post"]["requestBody"]["content"]
    json, form, multipart = (content[kind]["example"] for kind in (JSON, FORM, MULTIPART))

    for answer in (
        http.post("/users", json=json),
        http.post("/users", data=form),
        http.post("/users", files={name: (None, value) for name, value in multipart.items()}),
    ):
        assert answer.status_code == 201 or answer.json()["code"] == "name-taken"
    account = register(http)
    form = document["paths"]["/records"]["post"]["requestBody"]["content"]["multipart/form-data"]["example"]
    fields = form | {"user_id": account.id, "token": account.token}
    answer = http.post("/records", data=fields, files={"file": ("a.wav", wav(seconds=0.1), "audio/wav")})

    assert answer.status_code == 201


def test_the_documentation_page_needs_no_other_host(http: httpx2.Client) -> None:
    page = http.get("/docs")

    assert page.status_code == 200
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)
    assets = re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text)
    assert len(assets) >= 3
    for asset in assets:
        assert http.get(asset).status_code == 200, asset


def test_an_unknown_path_and_a_wrong_method_are_problems_too(http: httpx2.Client) -> None:
    assert http.get("/nowhere").json()["code"] == "not-found"
    wrong = http.put("/records")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method-not-allowed")
    assert set(wrong.headers["allow"].replace(" ", "").split(",")) >= {"GET"}
