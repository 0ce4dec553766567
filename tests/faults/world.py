"""A whole PigWav for breaking: real parts, trouble between them, an API that can die, and one that is left alone.

API under test -> TcpProxy -> S3Faults -> S3 server
               -> TcpProxy -> Postgres
replica, judge ------------> both, straight
"""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
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
from sqlalchemy import URL, text

from accounts import register
from databases import fresh_database
from fakes.faulty_store import FaultyStore
from faults.background_loop import background_loop
from faults.dying_api import ApiStarter, Died, DyingApi, api_starter
from faults.s3_faults import S3Faults, breaking
from faults.tcp_proxy import Dial, TcpProxy, proxying, to_address, to_unix_socket
from faults.uploaders import Attempt, Uploader
from pigwav.db.session import Database, driver_url
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

P = TypeVar("P")

LEASE_S: Final = 1.0
IDLE_S: Final = 2.0
ANSWER_S: Final = 2.0
"""How long the API waits for the database and the store."""
EMPTY_WITHIN_S: Final = 10.0
MAX_UPLOAD_BYTES: Final = 24 * 1024 * 1024
_USERS: Final = 1_000_000

_NOTE_KEYS: Final = """
CREATE TABLE seen_keys (key text NOT NULL);
CREATE FUNCTION note_key() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN INSERT INTO seen_keys VALUES (NEW.object_key); RETURN NEW; END';
CREATE TRIGGER note_key BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION note_key();
"""


@dataclass(frozen=True)
class Noted:
    """`lived`: the API under test was alive when the attempt had ended."""

    case: str
    attempt: Attempt
    lived: bool

    @property
    def outcome(self) -> str:
        """Status and code of the answer, or why there is none."""
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
    """A shared bucket, of which only what lies under `prefix` is seen."""

    def __init__(self, inner: ObjectStore, prefix: str) -> None:
        super().__init__(inner)
        self._prefix = prefix

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        return (found for found in super().list(self._prefix) if found.key.startswith(prefix))

    def open_uploads(self, key: ObjectKey | None = None) -> Iterator[OpenUpload]:
        return (found for found in super().open_uploads(key) if found.key.startswith(self._prefix))


@dataclass
class World:
    """`services` and `replica` see the parts as they are. `noted` and `complaints` are for the judge, `outcomes` count
    what was noted until the last `empty`.

    An S3 server that was killed may carry out, when it is back, what it was asked long ago by somebody who has given
    up: `quiet_since` has the users who ask nothing more, `landed_late` the objects that came to be after that.
    """

    through: Settings
    services: Services
    store_line: TcpProxy
    database_line: TcpProxy
    s3: S3Faults
    starter: ApiStarter
    replica: DyingApi
    pool: ThreadPoolExecutor
    noted: list[Noted] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    quiet_since: dict[int, datetime] = field(default_factory=dict)
    landed_late: set[ObjectKey] = field(default_factory=set)
    _api: DyingApi | None = None
    _names: Iterator[int] = field(default_factory=itertools.count)

    @property
    def api(self) -> DyingApi:
        """The API under test; another one where the last has died."""
        if self._api is None or not self._api.is_alive:
            self._api = self.starter.start(self.through)
        return self._api

    def uploader(self) -> Uploader:
        """A new user, at the API under test."""
        with httpx2.Client(base_url=self.replica.url) as http:
            account = register(http, f"uploader {next(self._names)}")
        return Uploader(self.api.port, account.id, account.token)

    def note(self, case: str, attempt: Attempt) -> Attempt:
        if self._api is not None and attempt.answer is None:
            self._api.process.join(
                1
            )  # the kernel closes the connections of the killed before it reports the death
        self.noted.append(Noted(case, attempt, lived=self._api is None or self._api.is_alive))
        return attempt

    def beside(self, call: Callable[..., P], *arguments: object) -> "Future[P]":
        """Do it on a thread."""
        return self.pool.submit(call, *arguments)

    def heal(self) -> None:
        """Everything between the parts works again, a frozen API goes on, and no step is its last."""
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
        """The judge's own connections did not survive their Postgres."""
        self.services.sweep.database.close()

    def rows(self) -> list[Row]:
        query = text("SELECT id::text, user_id, state, encode(wav_sha256, 'hex') FROM recordings")
        with self.services.sweep.database.read() as db:
            return [Row(*row) for row in db.execute(query)]

    def seen_keys(self) -> list[ObjectKey]:
        """Every object key that any row has had since `empty`."""
        with self.services.sweep.database.read() as db:
            return [ObjectKey(key) for (key,) in db.execute(text("SELECT DISTINCT key FROM seen_keys"))]

    def store_was_killed(self) -> None:
        """To be called when all requests of the case are answered."""
        self.quiet_since |= {noted.attempt.user: datetime.now(UTC) for noted in self.noted}

    def is_late(self, found: StoredObject) -> bool:
        """Whether nobody was asking for it any more when it was stored; S3 tells seconds."""
        quiet_since = self.quiet_since.get(int(found.key.split("/")[1]))
        if quiet_since is None or found.modified_at < quiet_since - timedelta(seconds=1):
            return False
        self.landed_late.add(found.key)
        return True

    def empty(self) -> list[str]:
        """Delete and sweep all there is. Answers what is left nevertheless, and then is not any more."""
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
            left.append(f"after all was deleted: {upload}")
            store.abort_multipart(upload.key, upload.upload_id)
        for found in [*store.list()]:
            if not self.is_late(found):
                left.append(f"after all was deleted: {found}")
            store.delete(found.key)
        with self.services.sweep.database.begin() as db:
            db.execute(text("TRUNCATE recordings, users, seen_keys CASCADE"))
        return left

    def decoders(self) -> list[psutil.Process]:
        """Every ffmpeg of this world that runs."""
        program = str(self.through.encoder.ffmpeg)
        return [
            process
            for process in psutil.process_iter(["cmdline", "status"])
            if program in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
        ]


@contextmanager
def open_world(folder: Path, database_url: str, store: StoreSettings) -> Iterator[World]:
    """Over this Postgres, with a database of its own, and this bucket, which it shares."""
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
    """A new one, whose users' ids are like no other's: they begin the keys in a shared bucket."""
    new = fresh_database(url)
    database = DatabaseSettings(url=SecretStr(new))
    with closing(Database.open(database)) as opened, opened.begin() as db:
        db.execute(text(f"ALTER TABLE users ALTER COLUMN id RESTART WITH {first_user}"))
        db.execute(text(_NOTE_KEYS))
    return SecretStr(new)


def _settings(database_url: SecretStr, store: StoreSettings, ffmpeg: Path) -> Settings:
    """Impatient, with short leases; sweeps come when they are asked for."""
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
    url = driver_url(straight.database.url.get_secret_value())
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
    """The bundled one under a name by which this world's processes can be told from others."""
    name = folder / "ffmpeg"
    name.symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    return name


def _dial_database(url: str) -> Dial:
    """Where the URL leads: the embedded Postgres listens on a Unix socket alone."""
    parsed = driver_url(url)
    folder = str(parsed.query.get("host", ""))
    port = parsed.port or int(str(parsed.query.get("port", 5432)))
    if folder.startswith("/"):
        return to_unix_socket(f"{folder}/.s.PGSQL.{port}")
    return to_address(parsed.host or folder, port)


def _dial(endpoint: str | None) -> Dial:
    address = urlsplit(endpoint or "")
    assert address.hostname, "an S3 server with an address is needed"
    return to_address(address.hostname, address.port or 80)
