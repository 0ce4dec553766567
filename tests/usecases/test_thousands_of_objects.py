"""`doctor` and `sweep` with thousands of objects on moto. An S3 server lists them in pages of a thousand."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from databases import fresh_database
from factories import wav
from moto_server import REQUEST_LOGGER, MotoServer
from pigwav.db.models import RecordingRow
from pigwav.domain import ObjectKey
from pigwav.errors import StoreUnavailable
from pigwav.settings import DatabaseSettings, Settings, StoreSettings
from pigwav.wiring import Services, open_services
from uploading import add

pytestmark = pytest.mark.long

COUNT: Final = 2500
PAGES: Final = 3
EXPIRED: Final = 105
"""More than the batch size of sweep."""


@dataclass(frozen=True)
class Library:
    """A service with COUNT recordings; `keys` in S3's order."""

    services: Services
    bucket: StoreSettings
    keys: list[ObjectKey]

    def seen_in_store(self) -> list[str]:
        return [stored.key for stored in self.services.sweep.store.list()]


@pytest.fixture(scope="module")
def database(settings: Settings) -> DatabaseSettings:
    return DatabaseSettings(url=SecretStr(fresh_database(settings.database.url.get_secret_value())))


@pytest.fixture
def library(settings: Settings, database: DatabaseSettings, moto: MotoServer) -> Iterator[Library]:
    bucket = moto.provisioned()
    whole = settings.model_copy(update={"database": database, "store": bucket})
    with open_services(whole) as services:
        run(services, "DELETE FROM recordings; DELETE FROM users")
        _, recording = add(services, wav(seconds=0.1))
        first = recording.object_key.removesuffix(".mp3")
        keys = [recording.object_key, *(ObjectKey(f"{first}-{n:04}.mp3") for n in range(1, COUNT))]
        columns = ", ".join(
            c.name for c in RecordingRow.__table__.columns if c.name not in ("id", "object_key")
        )
        run(
            services,
            f"INSERT INTO recordings (id, object_key, {columns})"
            f" SELECT gen_random_uuid(), '{first}-' || lpad(n::text, 4, '0') || '.mp3', {columns}"
            f" FROM recordings, generate_series(1, {COUNT - 1}) AS n",
        )
        body = moto.s3.get_object(Bucket=bucket.bucket, Key=keys[0])["Body"].read()
        moto.seed(bucket, dict.fromkeys(keys, body))
        yield Library(services, bucket, sorted(keys))


def run(services: Services, statement: str) -> None:
    with services.sweep.database.begin() as db:
        db.execute(text(statement))


def test_doctor_compares_page_by_page(library: Library, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, REQUEST_LOGGER)

    agreement = library.services.check_agreement()

    assert agreement.agreed
    assert agreement.checked == COUNT
    pages = [r for r in caplog.records if "list-type=2" in r.getMessage() and "=recordings" in r.getMessage()]
    assert len(pages) == PAGES


def test_doctor_names_what_differs_wherever_on_a_page_it_is(library: Library, moto: MotoServer) -> None:
    at_edges = [library.keys[n] for n in (0, 999, 1000, 1001, COUNT - 1)]
    for key in at_edges[::2]:
        moto.s3.delete_object(Bucket=library.bucket.bucket, Key=key)
    moto.seed(library.bucket, dict.fromkeys(at_edges[1::2], b"other"))
    orphans = [
        ObjectKey(f"{library.keys[n]}{suffix}") for n, suffix in ((998, "-b"), (1999, "-c"), (-1, "-d"))
    ]
    moto.seed(library.bucket, dict.fromkeys(["recordings/0", *orphans], b"whose?"))

    agreement = library.services.check_agreement()

    assert agreement.missing == at_edges
    assert agreement.orphans == ["recordings/0", *orphans]
    assert agreement.checked == COUNT


def test_doctor_counts_a_quarantine_of_thousands(library: Library, moto: MotoServer) -> None:
    moto.seed(library.bucket, {f"quarantine/{key}": b"aside" for key in library.keys})

    assert library.services.check_agreement().quarantined == COUNT


def test_sweep_removes_those_that_expired_and_no_others(library: Library) -> None:
    stale, kept = library.keys[::19][:EXPIRED], {*library.keys} - {*library.keys[::19][:EXPIRED]}
    make_old(library.services, stale)
    sweep = replace(library.services.sweep, retention=timedelta(days=30))

    swept = sweep()

    assert (swept.expired, swept.removed) == (EXPIRED, EXPIRED)
    assert library.seen_in_store() == sorted(kept)
    agreement = library.services.check_agreement()
    assert (agreement.agreed, agreement.checked) == (True, COUNT - EXPIRED)


def test_a_key_that_may_not_delete_stops_sweep_and_no_row_forgets_its_object(
    library: Library, moto: MotoServer
) -> None:
    stale = library.keys[:10]
    make_old(library.services, stale)
    sweep = replace(library.services.sweep, retention=timedelta(days=30))
    moto.deny(library.bucket, "s3:DeleteObject")

    with pytest.raises(StoreUnavailable, match="AccessDenied"):
        sweep()

    assert library.seen_in_store() == library.keys
    assert library.services.check_agreement().agreed, "the rows wait for the next sweep"
    moto.allow(library.bucket)
    assert sweep().removed == len(stale)
    assert library.seen_in_store() == library.keys[10:]


def make_old(services: Services, keys: list[ObjectKey]) -> None:
    with services.sweep.database.begin() as db:
        db.execute(
            text("UPDATE recordings SET ready_at = now() - interval '1 year' WHERE object_key = ANY(:keys)"),
            {"keys": [*keys]},
        )
