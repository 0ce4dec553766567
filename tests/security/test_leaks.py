"""The real `pigwav up` at DEBUG shows no secret on the terminal, in logs, `/metrics` or `ps`, and dumps no core."""

import hashlib
import json
import stat
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import httpx2
import psutil
import psycopg2
import pytest
from sqlalchemy import make_url

from accounts import Account, register
from databases import as_owner, fresh_database
from factories import wav
from pigwav.devstack import StackAddress, running
from running_up import RunningUp

pytestmark = pytest.mark.timeout(600)

LINUX = sys.platform == "linux"
PASSWORD = "pa55word-of-the-database"
TITLE = "What nobody else is to know"
DEBUG = {"PIGWAV_LOG_LEVEL": "DEBUG"}


@pytest.mark.long
def test_a_stack_of_its_own_tells_nobody_its_keys(running_up) -> None:
    up = running_up(environment=DEBUG | {"PIGWAV_LOG_FORMAT": "console"})
    address = running(up.data)
    assert address
    assert stat.S_IMODE((up.data / "run.json").stat().st_mode) == 0o600
    keys = [address.s3_access_key, address.s3_secret_key, *signing_keys(up)]
    assert len(keys) == 6

    private, quoted = use(up, address.database_url)

    assert_kept([*keys, *private], quoted, up)


def test_a_configured_service_tells_nobody_what_it_was_given(stack: StackAddress, running_up) -> None:
    url = make_url(fresh_database(stack.database_url)).set(password=PASSWORD)
    database_url = url.render_as_string(hide_password=False)
    assert PASSWORD in database_url
    operators = {
        "PIGWAV_MIGRATE_DATABASE_URL": as_owner(database_url),
        "PIGWAV_PROVISION_SECRET_KEY": "root's",
    }
    given = DEBUG | stack.environment() | {"PIGWAV_DATABASE_URL": database_url}
    up = running_up(environment=given | operators)
    for process in up.family():
        assert not operators.keys() & process.environ().keys(), "the API has what only the operator needs"

    private, quoted = use(up, str(url.set(drivername="postgresql").render_as_string(hide_password=False)))

    keys = [PASSWORD, stack.s3_access_key, stack.s3_secret_key]
    assert_kept([*keys, *private], quoted, up)


def signing_keys(up: RunningUp) -> list[str]:
    """The keys between SeaweedFS's servers. They are in its environment, which only its user may read."""
    environment = up.child("weed").environ()
    return [value for name, value in environment.items() if name.startswith("WEED_JWT_")]


def use(up: RunningUp, database_url: str) -> tuple[list[str], list[str]]:
    """Sends correct and wrong requests, and requests that crash. Returns two lists of secrets:

    those that must appear nowhere, and those that only Postgres's log may quote, from failed statements.
    """
    wrong = str(uuid4())
    with httpx2.Client(base_url=up.url, timeout=30) as http:
        account = register(http)
        recording = account.upload_form(wav(seconds=0.5), title=TITLE).json()
        renewed = http.post("/users/me/token", headers=account.bearer).json()["token"]
        again = Account(http, account.id, renewed)
        statuses = [
            again.upload_raw(wav(seconds=0.5)).status_code,
            http.get("/records", headers=again.bearer).status_code,
            http.get(recording["url"]).status_code,
            http.get("/records", headers={"Authorization": f"Bearer {wrong}"}).status_code,
            account.upload_form(wav(seconds=0.5)).status_code,
            again.upload_form(b"RIFF" + bytes(100)).status_code,
            http.post("/records", content=b"--b\r\nx", headers={"Content-Type": "multipart/form-data; boundary=b"})
            .status_code,
            http.get("/record", params={"id": wrong, "user": account.id}).status_code,
        ]  # fmt: skip
        assert statuses == [201, 200, 200, 401, 401, 415, 400, 404]
        with without_titles(as_owner(database_url)):
            crashes = [
                http.get("/records", headers=again.bearer),
                again.upload_form(wav(seconds=0.5)),
                http.get(recording["url"]),
            ]
        assert [answer.status_code for answer in crashes] == [500, 500, 500]
        assert not [answer for answer in crashes if "title" in answer.json().get("detail", "")]
    link = recording["url"].partition("?")[2]
    tokens = [account.token, renewed, wrong]
    return [*tokens, link], [TITLE, *(hashlib.sha256(token.encode()).hexdigest() for token in tokens)]


@contextmanager
def without_titles(owner_url: str) -> Iterator[None]:
    """Breaks the schema during the block, to cause unexpected errors."""
    with closing(psycopg2.connect(owner_url)) as database:
        database.autocommit = True
        with database.cursor() as cursor:
            cursor.execute("ALTER TABLE recordings RENAME COLUMN title TO mislaid")
            try:
                yield
            finally:
                cursor.execute("ALTER TABLE recordings RENAME COLUMN mislaid TO title")


def assert_kept(secrets: list[str], quoted: list[str], up: RunningUp) -> None:
    metrics = httpx2.get(f"{up.url}/metrics").text
    family = up.family()
    command_lines = json.dumps([process.cmdline() for process in family])
    of_others = json.dumps([process.environ() for process in family if "serve" not in process.cmdline()])
    assert not LINUX or {process.rlimit(psutil.RLIMIT_CORE)[0] for process in family} == {0}
    assert up.stop() == 0
    assert up.process.stdout
    screen, log = up.announcement + up.process.stdout.read(), up.log.read_text()

    assert log.count("unexpected_error") == 3
    assert "Traceback (most recent call last)" in log
    assert PASSWORD not in of_others
    for place in (screen, log, metrics, command_lines):
        assert [secret for secret in (*secrets, *quoted) if secret in place] == []
    for path in up.data.glob("logs/*"):
        assert [secret for secret in secrets if secret in path.read_text(errors="replace")] == []
