"""Counts what the bucket keeps of deleted recordings."""

from dataclasses import dataclass

from pigwav.errors import StoreUnavailable
from pigwav.store.base import Catalog
from pigwav.store.retention import Retention


@dataclass(frozen=True)
class KeptInBucket:
    """`counted` is False if the access key may not list versions; then the counts are 0."""

    retention: Retention
    counted: bool = True
    versions: int = 0
    size_bytes: int = 0
    delete_markers: int = 0

    @property
    def is_versioned(self) -> bool:
        """Also if the key may not ask, but versions were found."""
        return bool(self.retention.versioned or self.versions or self.delete_markers)


@dataclass(frozen=True)
class CountKept:
    """Blocking. Lists every version if the bucket is versioned, or if the access key may not ask whether it is."""

    store: Catalog

    def __call__(self) -> KeptInBucket:
        """Raises StoreUnavailable."""
        retention = self.store.retention()
        if retention.versioned is False:
            return KeptInBucket(retention)
        versions = size_bytes = delete_markers = 0
        try:
            for version in self.store.old_versions():
                versions += not version.is_marker
                size_bytes += version.size_bytes
                delete_markers += version.is_marker
        except StoreUnavailable:
            self.store.retention()  # raises if the store itself does not answer
            return KeptInBucket(retention, counted=False)
        return KeptInBucket(
            retention, versions=versions, size_bytes=size_bytes, delete_markers=delete_markers
        )
