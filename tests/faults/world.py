"""A whole PigWav for fault injection: real servers, faulty proxies, an API that may die, and a replica without faults.

API under test -> TcpProxy -> S3Faults -> S3 server
               -> TcpProxy -> Postgres
replica, judge ------------> both, directly
"""

import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import imageio_ffmpeg
import psutil
from pydantic import SecretStr
from sqlalchemy import URL, make_url, text

from accounts import register
from databases import fresh_database, run_as_owner
from fakes.faulty_store import FaultyStore
from faults.background_loop import background_loop
from faults.dying_api import ApiStarter, Died, KillableApi, api_starter
from faults.s3_faults import S3Faults, breaking
from faults.tcp_proxy import Dial, TcpProxy, proxying, to_address, to_unix_socket
from faults.uploaders import Attempt, Uploader
from pigwav.domain import ObjectKey
from pigwav.settings import (
    DatabaseSettings,
    EncoderSettings,
    HttpSettings,
    Settings,
    StoreSettings,
    UploadLimits,
)
from pigwav.store.base import ObjectStore, OpenUpload, StoredObject
from pigwav.store.s3 import open_s3
from pigwav.wiring import Services, open_services
from waiting import wait_until

P = TypeVar("P")

LEASE_S: Final = 1.0
IDLE_S: Final = 2.0
ANSWER_S: Final = 2.0
"""The API's timeout for the database and the store."""
EMPTY_WITHIN_S: Final = 10.0
MAX_UPLOAD_BYTES: Final = 24 * 1024 * 1024
_USERS: Final = 1_000_000

_NOTE_KEYS: Final = """
CREATE TABLE seen_keys (key text NOT NULL);
GRANT SELECT, INSERT, DELETE ON seen_keys TO PUBLIC;
CREATE FUNCTION note_key() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN INSERT INTO seen_keys VALUES (NEW.object_key); RETURN NEW; END';
CREATE TRIGGER note_key BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION note_key();
"""


@dataclass(frozen=True)
class Noted:
    """An attempt of a case. `lived`: the API under test was alive after it."""

    case: str
    attempt: Attempt
    lived: bool

    @property
    def outcome(self) -> str:
        """Status and code of the response, or why there is none."""
        answer = self.attempt.answer
        if answer is None:
            return "no answer" if self.attempt.stayed else "client left"
        return f"{answer.status} {answer.document.get('code', '')}".strip()


@dataclass(frozen=True)
class Row:
    id: str
    user: int | None
    state: str
    wav_sha256: str | None


class OwnKeys(FaultyStore):
    """A shared bucket, of which only keys under `prefix` are visible."""

    def __init__(self, inner: ObjectStore, prefix: str) -> None:
        super().__init__(inner)
        self._prefix = prefix

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        return (found for found in super().list(self._prefix) if found.key.startswith(prefix))

    def open_uploads(self, key: ObjectKey | None = None) -> Iterator[OpenUpload]:
        return (found for found in super().open_uploads(key) if found.key.startswith(self._prefix))


@dataclass
class World:
    """`services` and `replica` use the servers without proxies. `noted` and `complaints` are for the judge; `outcomes`
    counts what was noted before the last `empty`.

    After a restart, a killed S3 server may execute requests whose client has timed out. `quiet_since` has the time of
    each user's last request, `landed_late` the objects that were stored after it.
    """

    through: Settings
    services: Services
    store_line: TcpProxy
    database_line: TcpProxy
    s3: S3Faults
    starter: ApiStarter
    replica: KillableApi
    pool: ThreadPoolExecutor
    noted: list[Noted] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    quiet_since: dict[int, datetime] = field(default_factory=dict)
    landed_late: set[ObjectKey] = field(default_factory=set)
    _api: KillableApi | None = None
    _names: Iterator[int] = field(default_factory=itertools.count)

    @property
    def api(self) -> KillableApi:
        """The API under test; a new one if the last one has died."""
        if self._api is None or not self._api.is_alive:
            self._api = self.starter.start(self.through)
        return self._api

    def uploader(self) -> Uploader:
        """A new user of the API under test. Waits for a database that has just been started again."""
        with httpx2.Client(base_url=self.replica.url, timeout=60) as http:
            wait_until(lambda: http.get("/readyz").status_code == 200)
            account = register(http, f"uploader {next(self._names)}")
        return Uploader(self.api.port, account.id, account.token)

    def note(self, case: str, attempt: Attempt) -> Attempt:
        if self._api is not None and attempt.answer is None:
            self._api.process.join(
                1
            )  # the kernel closes a killed process's connections before it reports the death
        self.noted.append(Noted(case, attempt, lived=self._api is None or self._api.is_alive))
        return attempt

    def beside(self, call: Callable[..., P], *arguments: object) -> "Future[P]":
        """Calls it on a thread."""
        return self.pool.submit(call, *arguments)

    def heal(self) -> None:
        """Ends all faults: both proxies work, a frozen API continues, no step is armed."""
        self.store_line.heal()
        self.s3.heal()
        self.database_line.heal()
        if self._api is None or not self._api.is_alive:
            return
        if self._api.is_frozen:
            self._api.wake()
        with suppress(Died):
            self._api.arm()

    def reconnect(self) -> None:
        """Drops the judge's database connections, which the restart of Postgres broke."""
        self.services.sweep.database.close()

    def rows(self) -> list[Row]:
        query = text("SELECT id::text, user_id, state, encode(wav_sha256, 'hex') FROM recordings")
        with self.services.sweep.database.read() as db:
            return [Row(*row) for row in db.execute(query)]

    def seen_keys(self) -> list[ObjectKey]:
        """The object keys of all rows since the last `empty`, including deleted rows."""
        with self.services.sweep.database.read() as db:
            return [ObjectKey(key) for (key,) in db.execute(text("SELECT DISTINCT key FROM seen_keys"))]

    def store_was_killed(self) -> None:
        """Call this when all requests of the case have ended."""
        self.quiet_since |= {noted.attempt.user: datetime.now(UTC) for noted in self.noted}

    def is_late(self, found: StoredObject) -> bool:
        """Whether the object was stored after its user's last request. S3's times are whole seconds."""
        quiet_since = self.quiet_since.get(int(found.key.split("/")[1]))
        if quiet_since is None or found.modified_at < quiet_since - timedelta(seconds=1):
            return False
        self.landed_late.add(found.key)
        return True

    def empty(self) -> list[str]:
        """Deletes and sweeps everything. Returns what the sweep left, and removes it, too."""
        self.outcomes += Counter(noted.outcome for noted in self.noted)
        self.noted.clear()
        self.complaints.clear()
        with self.services.sweep.database.begin() as db:
            db.execute(
                text(
                    "UPDATE recordings SET state = 'deleted', user_id = NULL, lease_id = NULL, lease_until = NULL"
                )
            )
        deadline = time.monotonic() + EMPTY_WITHIN_S
        while self.rows() and time.monotonic() < deadline:
            self.services.sweep()
        left = [f"not swept: {row}" for row in self.rows()]
        store = self.services.sweep.store
        for upload in [*store.open_uploads()]:
            left.append(f"left after everything was deleted: {upload}")
            store.abort_multipart(upload.key, upload.upload_id)
        for found in [*store.list()]:
            if not self.is_late(found):
                left.append(f"left after everything was deleted: {found}")
            store.delete(found.key)
        with self.services.sweep.database.begin() as db:
            db.execute(text("DELETE FROM recordings; DELETE FROM users; DELETE FROM seen_keys"))
        return left

    def open_uploads(self) -> float:
        """Uploads that the APIs are still receiving or cleaning up, also those whose clients have left."""
        running = [api for api in (self._api, self.replica) if api is not None and api.is_alive]
        return sum(_metric(api.url, "pigwav_uploads_open") for api in running)

    def decoders(self) -> list[psutil.Process]:
        """The running ffmpeg processes of this world."""
        program = str(self.through.encoder.ffmpeg)
        return [
            process
            for process in psutil.process_iter(["cmdline", "status"])
            if program in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
        ]


def _metric(url: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", httpx2.get(f"{url}/metrics", timeout=60).text, re.MULTILINE)
    assert found
    return float(found[1])


@contextmanager
def open_world(folder: Path, database_url: str, store: StoreSettings) -> Iterator[World]:
    """A world with its own database on this Postgres, and a prefix in this shared bucket."""
    owner = uuid4().int % 900_000 + 100_000
    straight = _settings(_database(database_url, first_user=owner * _USERS), store, _named_ffmpeg(folder))
    with ExitStack() as stack:
        loop = stack.enter_context(background_loop())
        database_line = stack.enter_context(proxying(loop, _dial_database(database_url)))
        s3 = stack.enter_context(breaking(loop, _dial(store.endpoint)))
        store_line = stack.enter_context(proxying(loop, to_address("127.0.0.1", s3.port)))
        services = stack.enter_context(
            open_services(straight, store=OwnKeys(open_s3(store), f"recordings/{owner}"))
        )
        starter = stack.enter_context(api_starter(folder))
        yield World(
            _through(straight, database_line.port, store_line.port),
            services,
            store_line,
            database_line,
            s3,
            starter,
            starter.start(straight),
            stack.enter_context(ThreadPoolExecutor(16)),
        )


def _database(url: str, *, first_user: int) -> SecretStr:
    """A new database. Its user ids start at `first_user`, because object keys in the shared bucket begin with them."""
    new = fresh_database(url)
    run_as_owner(new, f"ALTER TABLE users ALTER COLUMN id RESTART WITH {first_user}", _NOTE_KEYS)
    return SecretStr(new)


def _settings(database_url: SecretStr, store: StoreSettings, ffmpeg: Path) -> Settings:
    """Short timeouts and leases; no periodic sweeps."""
    return Settings(
        sweep_every_s=3600,
        log_level="INFO",
        cpu_threads=2,
        database=DatabaseSettings(url=database_url, pool_size=4, timeout_s=ANSWER_S),
        store=store.model_copy(update={"timeout_s": ANSWER_S}),
        limits=UploadLimits(lease_s=LEASE_S, idle_timeout_s=IDLE_S, max_upload_bytes=MAX_UPLOAD_BYTES),
        http=HttpSettings(header_timeout_s=IDLE_S),
        encoder=EncoderSettings(ffmpeg=ffmpeg, lame_quality=9),
    )


def _through(straight: Settings, database_port: int, store_port: int) -> Settings:
    url = make_url(straight.database.url.get_secret_value())
    proxied = URL.create(
        "postgresql",
        url.username,
        url.password,
        "127.0.0.1",
        database_port,
        url.database,
        {"sslmode": "disable"},
    )
    database = straight.database.model_copy(
        update={"url": SecretStr(proxied.render_as_string(hide_password=False))}
    )
    store = straight.store.model_copy(update={"endpoint": f"http://127.0.0.1:{store_port}"})
    return straight.model_copy(update={"database": database, "store": store})


def _named_ffmpeg(folder: Path) -> Path:
    """A link to the bundled ffmpeg, whose path identifies this world's processes."""
    name = folder / "ffmpeg"
    name.symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    return name


def _dial_database(url: str) -> Dial:
    """Connects to the URL's server; the embedded Postgres listens only on a Unix socket."""
    parsed = make_url(url)
    folder = str(parsed.query.get("host", ""))
    port = parsed.port or int(str(parsed.query.get("port", 5432)))
    if folder.startswith("/"):
        return to_unix_socket(f"{folder}/.s.PGSQL.{port}")
    return to_address(parsed.host or folder, port)


def _dial(endpoint: str | None) -> Dial:
    address = urlsplit(endpoint or "")
    assert address.hostname, "the S3 endpoint has no address"
    return to_address(address.hostname, address.port or 80)
