"""The composition root: builds components and use-cases once from the settings, and closes them in reverse order."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Final

from pigwav.audio.card import card
from pigwav.audio.conversion import open_converter
from pigwav.audio.measurement import Mp3Measurement
from pigwav.capacity.admission import Admission
from pigwav.capacity.disk_space import DiskSpace
from pigwav.capacity.open_downloads import OpenDownloads
from pigwav.capacity.open_uploads import OpenUploads
from pigwav.capacity.quota import Quota
from pigwav.capacity.rate_limits import RateLimits
from pigwav.db.lookups import Lookups
from pigwav.db.session import Database
from pigwav.executors import Executors
from pigwav.settings import Settings
from pigwav.store.base import ObjectStore
from pigwav.store.metered import MeteredStore
from pigwav.store.s3 import open_s3
from pigwav.telemetry.metrics import Metrics
from pigwav.usecases.add_recording import AddRecording
from pigwav.usecases.authenticate import Authenticate
from pigwav.usecases.check_agreement import CheckAgreement
from pigwav.usecases.check_ready import CheckReady, StoreProbe
from pigwav.usecases.check_role import CheckRole
from pigwav.usecases.count_kept import CountKept
from pigwav.usecases.delete_recording import DeleteRecording
from pigwav.usecases.delete_user import DeleteUser
from pigwav.usecases.keep_leases import KeepLeases
from pigwav.usecases.list_recordings import ListRecordings
from pigwav.usecases.measure import Measure
from pigwav.usecases.quarantine import Quarantine
from pigwav.usecases.read_card import ReadCard
from pigwav.usecases.read_recording import FindMp3, FindRecording, ReadRecording
from pigwav.usecases.read_waveform import ReadWaveform
from pigwav.usecases.register_user import RegisterUser
from pigwav.usecases.rename_recording import RenameRecording
from pigwav.usecases.rotate_token import RotateToken
from pigwav.usecases.scrub import Scrub
from pigwav.usecases.single_runner import SingleRunner
from pigwav.usecases.sweep import Sweep

_CARDS_IN_MEMORY: Final = 128  # each with its waveform: at most 20 KB


@dataclass(frozen=True)
class Services:
    """Everything that the HTTP API, the worker and the command line may call."""

    settings: Settings
    metrics: Metrics
    executors: Executors
    leases: KeepLeases
    admission: Admission
    open_uploads: OpenUploads
    disk_space: DiskSpace
    rate_limits: RateLimits
    open_downloads: OpenDownloads

    register_user: RegisterUser
    authenticate: Authenticate
    rotate_token: RotateToken
    delete_user: DeleteUser
    add_recording: AddRecording
    find_recording: FindRecording
    find_mp3: FindMp3
    read_recording: ReadRecording
    read_waveform: ReadWaveform
    read_card: ReadCard
    list_recordings: ListRecordings
    rename_recording: RenameRecording
    delete_recording: DeleteRecording
    check_ready: CheckReady
    check_role: CheckRole
    sweep: Sweep
    check_agreement: CheckAgreement
    count_kept: CountKept
    quarantine: Quarantine
    scrub: Scrub
    measure: Measure


@contextmanager
def open_services(
    settings: Settings, *, store: ObjectStore | None = None, database: Database | None = None
) -> Iterator[Services]:
    """Opens no connection yet: the service may start before its database and object store. `store` and `database`
    replace the configured ones; links are looked up in the configured database. Raises NotConfigured.
    """
    with ExitStack() as stack:
        metrics = Metrics()
        database = stack.enter_context(closing(database or Database.open(settings.database)))
        opened = stack.enter_context(closing(store or open_s3(settings.store)))
        executors = stack.enter_context(
            Executors.open(
                db=settings.database.thread_connections,
                store=settings.store.concurrency,
                cpu=settings.cpu_threads,
            )
        )
        lookups = stack.enter_context(
            closing(Lookups.open(settings.database, executors.db, wait_s=settings.queue_timeout_s))
        )
        yield _services(settings, metrics, database, lookups, MeteredStore(opened, metrics), executors)


def _services(
    settings: Settings,
    metrics: Metrics,
    database: Database,
    lookups: Lookups,
    store: ObjectStore,
    executors: Executors,
) -> Services:
    limits = settings.limits
    leases = KeepLeases(database, executors.db, lease_s=limits.lease_s)
    open_uploads = OpenUploads(
        limit=limits.max_open_uploads,
        limit_bytes=limits.max_buffered_bytes,
        limit_per_user=limits.max_open_uploads_per_user,
        metrics=metrics,
        is_behind=lambda: executors.cpu.longest_wait_s() > settings.queue_timeout_s,
    )
    converter = open_converter(
        executors.cpu,
        settings.encoder,
        limits,
        on_decoder_end=lambda how: metrics.decoder_ends.labels(how).inc(),
    )
    disk_space = DiskSpace(
        settings.disk.paths(), min_free_bytes=settings.disk.min_free_bytes, metrics=metrics
    )
    runner = SingleRunner(database, limits.lease_s)
    brief = executors.within(settings.queue_timeout_s)
    read_waveform = ReadWaveform(database, brief.db)
    return Services(
        settings=settings,
        metrics=metrics,
        executors=executors,
        leases=leases,
        admission=Admission(open_uploads, disk_space, limits.max_upload_bytes),
        open_uploads=open_uploads,
        disk_space=disk_space,
        rate_limits=RateLimits(settings.rates, metrics),
        open_downloads=OpenDownloads(limit=settings.http.max_open_downloads, metrics=metrics),
        register_user=RegisterUser(database, brief.db),
        authenticate=Authenticate(database, brief.db),
        rotate_token=RotateToken(database, brief.db),
        delete_user=DeleteUser(database, brief.db),
        add_recording=AddRecording(
            database,
            store,
            executors,
            converter,
            leases,
            open_uploads,
            metrics,
            quota=Quota(limits.quota_recordings, limits.quota_bytes),
        ),
        find_recording=FindRecording(database, brief.db),
        find_mp3=FindMp3(lookups),
        read_recording=ReadRecording(store),
        read_waveform=read_waveform,
        read_card=ReadCard(read_waveform, brief.cards, lru_cache(_CARDS_IN_MEMORY)(card)),
        list_recordings=ListRecordings(database, brief.db),
        rename_recording=RenameRecording(database, brief.db),
        delete_recording=DeleteRecording(database, brief.db),
        check_ready=CheckReady(database, StoreProbe(store), brief, open_uploads),
        check_role=CheckRole(database),
        sweep=Sweep(
            database,
            store,
            metrics,
            runner,
            retention=timedelta(days=settings.retention_days) if settings.retention_days else None,
            keys_for=timedelta(hours=settings.idempotency_key_hours),
        ),
        check_agreement=CheckAgreement(database, store),
        quarantine=Quarantine(store, CheckAgreement(database, store), runner),
        count_kept=CountKept(store),
        scrub=Scrub(database, store),
        measure=Measure(database, store, Mp3Measurement(converter.decoders)),
    )
