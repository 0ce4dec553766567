"""No secret appears in `repr`, in tracebacks of either log format, or in logs of libraries."""

import subprocess
import sys
from textwrap import dedent
from uuid import uuid4

import pytest
from pydantic import SecretStr

from pigwav.api.schemas import TokenOut, UserOut
from pigwav.cli.credentials import Credentials, GivenCredentials
from pigwav.client import Registered
from pigwav.client.service import Service
from pigwav.devstack.address import StackAddress
from pigwav.devstack.child_process import Program
from pigwav.domain import RegisteredUser, User, UserId
from pigwav.settings import (
    DatabaseSettings,
    MigrateSettings,
    ProvisionSettings,
    Settings,
    StoreSettings,
    effective,
)
from pigwav.wiring import open_services

SECRET = "s3cr3t-and-nobodys-business"
TOKEN = uuid4()

CONFIGURED = Settings(
    database=DatabaseSettings(url=SecretStr(f"postgresql://pigwav:{SECRET}@localhost/pigwav")),
    store=StoreSettings(bucket="bucket", access_key="pigwav-service", secret_key=SecretStr(SECRET)),
    migrate=MigrateSettings(
        database_url=SecretStr(f"postgresql://owner:{SECRET}@localhost/pigwav"),
        database_password=SecretStr(SECRET),
    ),
    provision=ProvisionSettings(access_key="root", secret_key=SecretStr(SECRET)),
)


@pytest.mark.parametrize(
    "holder",
    [
        CONFIGURED,
        RegisteredUser(User(UserId(1), "ada"), TOKEN),
        UserOut(id=1, name="ada", token=TOKEN),
        TokenOut(token=TOKEN),
        Credentials("http://localhost", 1, TOKEN),
        GivenCredentials("http://localhost", 1, TOKEN),
        Registered(1, "ada", TOKEN),
        Service.at("http://localhost", 1, TOKEN),
        Service.at("http://localhost", 1, TOKEN).rotate_token(),
        Service.at("http://localhost", 1, TOKEN).recordings(page_size=1, cursor=None),
        StackAddress("postgresql:///pigwav", "http://localhost", "b", SECRET, SECRET),
        Program("weed", ["weed"], {"WEED_JWT_SIGNING_KEY": SECRET}, ()),
    ],
    ids=lambda holder: type(holder).__name__,
)
def test_what_holds_a_secret_does_not_show_it(holder: object) -> None:
    for shown in (repr(holder), str(holder), f"{holder}"):
        assert SECRET not in shown
        assert str(TOKEN) not in shown
        assert TOKEN.hex not in shown


def test_the_whole_service_shows_no_secret_of_its_settings() -> None:
    with open_services(CONFIGURED) as services:
        shown = [repr(services), *(repr(getattr(services, name)) for name in vars(services))]
        store = services.sweep.store
        shown += [repr(part) for part in (*vars(store).values(), *vars(vars(store)["_inner"]).values())]

    assert len(shown) > 15
    assert not [text for text in shown if SECRET in text]


def test_the_settings_as_they_are_printed_hold_no_secret() -> None:
    values = [one.value for one in effective(CONFIGURED)]

    assert not [value for value in values if SECRET in value]
    assert values.count("***") == 5


CRASH = """
    from pigwav.telemetry.logs import configure_logging, log
    configure_logging(as_json={as_json}, level="DEBUG")

    def authenticate(token):
        credentials = {{"token": token}}
        raise RuntimeError("a bug")

    try:
        authenticate("-".join(["t0k3n", "of", "somebody"]))
    except RuntimeError as error:
        log.error("unexpected_error", exc_info=error)
"""


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "console"])
def test_a_traceback_says_where_and_not_with_what(*, as_json: bool) -> None:
    log = _run(CRASH.format(as_json=as_json)).stderr

    assert "RuntimeError: a bug" in log
    assert "in authenticate" in log
    assert "t0k3n-of-somebody" not in log


QUIET = """
    import logging
    from pigwav.telemetry.logs import configure_logging, log
    configure_logging(as_json=True, level="DEBUG")
    libraries = ["sqlalchemy.engine", "botocore.auth", "urllib3.connectionpool", "multipart", "any.other"]
    print([name for name in libraries if logging.getLogger(name).isEnabledFor(logging.INFO)])
    print(logging.getLogger("pigwav").isEnabledFor(logging.DEBUG))
"""


def test_libraries_do_not_tell_what_passes_through_them_at_any_log_level() -> None:
    assert _run(QUIET).stdout.splitlines() == ["[]", "True"]


def _run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, check=True)
