"""Tests behaviours of one S3 server, one after the other, under their own prefix."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pigwav.domain import ObjectKey
from pigwav.errors import PigWavError, StoreUnavailable
from pigwav.store.boto import first_line, translate_errors
from pigwav.store.s3 import S3Store


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
    """A behaviour to test. `try_on` raises BehaviourWrong, or an error of the store or boto3, if the test fails.

    `needed_by_all`: if the test fails, no other behaviour is tested.
    """

    what: str
    try_on: Callable[["Probe"], object]
    change: str
    needed_by_all: bool = False


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

    def key(self, name: str) -> ObjectKey:
        return ObjectKey(f"{self.prefix}{name}")

    def server(self) -> str:
        """The server's `Server` header; empty if there is none. Raises StoreUnavailable."""
        with translate_errors():
            headers = self.s3.head_bucket(Bucket=self.bucket)["ResponseMetadata"]["HTTPHeaders"]
        return str(headers.get("server", ""))

    def findings(self) -> Iterator[Finding]:
        """Tests the behaviours in order, because later ones use objects of earlier ones. Leaves nothing behind."""
        try:
            for behaviour in self.behaviours:
                finding = self._try(behaviour)
                yield finding
                if behaviour.needed_by_all and not finding.ok:
                    return
        finally:
            with suppress(StoreUnavailable):  # a finding has already reported it
                self._clean()

    def _try(self, behaviour: Behaviour) -> Finding:
        begun = time.perf_counter()
        problem = None
        try:
            with translate_errors():
                behaviour.try_on(self)
        except (BehaviourWrong, PigWavError) as error:
            problem = first_line(error)
        took_ms = round((time.perf_counter() - begun) * 1000, 1)
        change = behaviour.change if problem else None
        return Finding(behaviour.what, problem is None, took_ms, problem, change)

    def _clean(self) -> None:
        for upload in [*self.store.open_uploads()]:
            if upload.key.startswith(self.prefix):
                self.store.abort_multipart(upload.key, upload.upload_id)
        for found in [*self.store.list(self.prefix)]:
            self.store.delete(found.key)
