"""Tests behaviours of one S3 server, one after the other, under their own prefix."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from botocore.exceptions import ClientError

from pigwav.domain import ObjectKey
from pigwav.errors import PigWavError, StoreUnavailable
from pigwav.store.base import Kept, OpenUpload, StoredObject
from pigwav.store.boto import translate_errors
from pigwav.store.s3 import S3Store

Removable = TypeVar("Removable", bound=StoredObject | OpenUpload)


class BehaviourWrong(Exception):
    """The server does not behave as needed."""


def expect(so: object, otherwise: str) -> None:
    """Raises BehaviourWrong with the text `otherwise` if `so` is false."""
    if not so:
        raise BehaviourWrong(otherwise)


@dataclass(frozen=True)
class Finding:
    behaviour: str
    ok: bool
    took_ms: float
    problem: str | None = None
    change: str | None = None
    """What to change if it fails."""


@dataclass(frozen=True)
class Behaviour:
    """A behaviour to test. `try_on` raises BehaviourWrong, or an error of the store or boto3, if the test fails."""

    what: str
    try_on: Callable[["Probe"], object]
    change: str


@dataclass(frozen=True)
class Probe:
    """One server, accessed through the service's own store, and through boto3 for what the store does not expose."""

    store: S3Store
    store_of_small_parts: S3Store
    """The same store, but it copies objects larger than one part in parts."""
    s3: Any
    bucket: str
    prefix: str
    behaviours: Sequence[Behaviour]
    """If the first one fails, nothing else is tested."""
    left: list[str] = field(default_factory=list)

    def key(self, name: str) -> ObjectKey:
        return ObjectKey(f"{self.prefix}{name}")

    def server(self) -> str:
        """The server's `Server` header; empty if there is none. Raises StoreUnavailable."""
        with translate_errors():
            headers = self.s3.head_bucket(Bucket=self.bucket)["ResponseMetadata"]["HTTPHeaders"]
        return str(headers.get("server", ""))

    def warnings(self) -> list[str]:
        """About a bucket that keeps deleted bytes. Raises StoreUnavailable."""
        return self.store.retention().warnings(self.bucket)

    def findings(self) -> Generator[Finding]:
        """Tests the behaviours in order, because later ones use objects of earlier ones. Close it, also after Ctrl-C:
        it then removes what it has stored, and adds to `left` what it could not remove.
        """
        first, *others = self.behaviours
        finding = self._try(first)
        yield finding
        if not finding.ok:
            return
        if obstacle := self._obstacle():
            yield obstacle
            return
        try:
            yield from map(self._try, others)
        finally:
            self.left.extend(self._clean())

    def _obstacle(self) -> Finding | None:
        """Why what the tests store could not be removed again; then nothing is stored."""
        finding = self._try(_NOTHING_STAYS)
        return None if finding.ok else finding

    def _try(self, behaviour: Behaviour) -> Finding:
        begun = time.perf_counter()
        problem = change = None
        try:
            with translate_errors():
                behaviour.try_on(self)
        except (BehaviourWrong, PigWavError) as error:
            advice = error.advice if isinstance(error, StoreUnavailable) else None
            problem = str(error).removesuffix(advice or "").strip()
            change = advice or behaviour.change
        took_ms = round((time.perf_counter() - begun) * 1000, 1)
        return Finding(behaviour.what, problem is None, took_ms, problem, change)

    def _clean(self) -> Iterator[str]:
        """Removes everything under the prefix. Yields a sentence for each thing that stays."""
        yield from self._remove(
            (upload for upload in self.store.open_uploads() if upload.key.startswith(self.prefix)),
            lambda upload: self.store.abort_multipart(upload.key, upload.upload_id),
        )
        yield from self._remove(self.store.list(self.prefix), lambda found: self.store.delete(found.key))

    def _remove(
        self, every: Iterator[Removable], remove: Callable[[Removable], Kept | None]
    ) -> Iterator[str]:
        try:
            found = [*every]
        except StoreUnavailable as error:
            yield f"what is left under {self.prefix} cannot be listed: {error}"
            return
        for each in found:
            try:
                kept = remove(each)
            except StoreUnavailable as error:
                yield f"{each.key} is left: {error}"
            else:
                if kept:
                    yield f"{each.key} is left: the bucket keeps older versions ({kept})"


def _nothing_stays(probe: Probe) -> None:
    retention = probe.store.retention()
    if retention.locked_for:
        raise BehaviourWrong(
            f"object lock keeps objects for {retention.locked_for}; nothing else was tested, to leave nothing behind"
        )
    if not retention.versioned:
        return
    try:
        any(probe.store.old_versions(probe.prefix))
        probe.s3.delete_object(Bucket=probe.bucket, Key=probe.key("none"), VersionId="null")
    except (ClientError, StoreUnavailable) as error:
        raise BehaviourWrong(
            "the bucket is versioned, and the access key may not delete versions; nothing else was tested, to leave"
            " nothing behind"
        ) from error


_NOTHING_STAYS: Final = Behaviour(
    "what is deleted is gone",
    _nothing_stays,
    "give PIGWAV_S3_ACCESS_KEY s3:ListBucketVersions and s3:DeleteObjectVersion, or test a bucket without versions and"
    " default retention",
)
