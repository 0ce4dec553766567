"""`pigwav settings` shows the effective settings without secrets."""

import json

import pytest
from typer.testing import CliRunner

from docs.tables import settings_table
from pigwav.cli.app import build_app
from running_up import plain_environment

SECRETS = {
    "PIGWAV_DATABASE_URL": "postgresql://user:hush1@db.example.org/d?password=hush2",
    "PIGWAV_S3_ENDPOINT": "http://s3.example.org:9000",
    "PIGWAV_S3_ACCESS_KEY": "access",
    "PIGWAV_S3_SECRET_KEY": "hush4",
    "PIGWAV_PROVISION_ACCESS_KEY": "root",
    "PIGWAV_PROVISION_SECRET_KEY": "hush5",
}


def shown(monkeypatch: pytest.MonkeyPatch, *options: str, **environment: str) -> str:
    for name in sorted({*SECRETS} | {name for name in plain_environment() if name.startswith("PIGWAV_")}):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(build_app(), ["settings", *options], env=environment)
    assert result.exit_code == 0, result.output
    return result.stdout


def by_variable(listing: str) -> dict[str, dict]:
    return {one["variables"][0]: one for one in json.loads(listing)}


def test_every_documented_setting_is_there_with_value_default_and_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listing = by_variable(shown(monkeypatch, "--json"))

    assert len(listing) == len(settings_table().splitlines()) - 2 > 30
    assert all(one["description"].endswith(".") for one in listing.values())
    assert all(one["value"] == one["default"] for one in listing.values())
    assert all(f"`{name}`" in settings_table() for one in listing.values() for name in one["variables"])


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_no_secret_is_shown_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    listing = shown(monkeypatch, *options, **SECRETS)

    for secret in ("hush1", "hush2", "hush4", "hush5"):
        assert secret not in listing
    assert "s3.example.org:9000" in listing
    assert "***" in listing


def test_a_changed_value_stands_beside_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {
        "PIGWAV_LEASE_S": "0.25",
        "PIGWAV_S3_BUCKET": "bucket",
        "POSTGTRES_SQL_URI": "postgresql://h/d",
    }

    listing = by_variable(shown(monkeypatch, "--json", **changed))

    assert (listing["PIGWAV_LEASE_S"]["value"], listing["PIGWAV_LEASE_S"]["default"]) == ("0.25", "60")
    assert (listing["PIGWAV_S3_BUCKET"]["value"], listing["PIGWAV_S3_BUCKET"]["default"]) == ("bucket", "")
    assert listing["PIGWAV_DATABASE_URL"]["value"] == "***"
    assert "# (default: 60)\nPIGWAV_LEASE_S=0.25\n" in shown(monkeypatch, **changed)


def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(build_app(), ["settings"], env={"PIGWAV_LEASE_S": "soon"})

    assert "PIGWAV_LEASE_S" in str(result.exception)
