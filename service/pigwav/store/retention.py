"""What a bucket keeps of deleted objects: older versions, and objects under a lock."""

import json
from dataclasses import dataclass
from typing import Any, Final

RULE: Final = {
    "ID": "pigwav-noncurrent",
    "Status": "Enabled",
    "Filter": {},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    "Expiration": {"ExpiredObjectDeleteMarker": True},
}
"""The lifecycle rule to set on a versioned bucket, as in S3's PutBucketLifecycleConfiguration."""


@dataclass(frozen=True)
class Retention:
    """The bucket's settings. None if the access key may not read them.

    - `versioned`: it keeps older versions, or has kept some before versioning was suspended.
    - `expires_after_days`: a rule removes older versions so many days after they were replaced or deleted; 0: no rule.
    - `locked_for`: nothing can be deleted before its age is this, such as "30 days (COMPLIANCE)"; empty: no lock.
    """

    versioned: bool | None = False
    expires_after_days: int | None = 0
    locked_for: str | None = ""

    def warnings(self, bucket: str) -> list[str]:
        """A sentence for each thing that keeps deleted bytes in the bucket."""
        found = []
        if self.locked_for:
            found.append(
                f"Object lock keeps every object of {bucket} for {self.locked_for}, so a deleted recording stays in it"
                " until then."
            )
        if self.versioned and not self.expires_after_days:
            found.append(
                f"The bucket {bucket} is versioned, so deleted recordings may stay in it as older versions. Set a"
                f" lifecycle rule that expires them: {commands(bucket)}"
            )
        return found


def retention_from(
    versioning: dict[str, Any] | None,
    lifecycle: dict[str, Any] | None,
    lock: dict[str, Any] | None,
    prefix: str,
) -> Retention:
    """From the responses to GetBucketVersioning, GetBucketLifecycleConfiguration and GetObjectLockConfiguration.

    None: refused. `prefix`: a rule counts if it applies to the objects under it.
    """
    return Retention(
        versioned=None if versioning is None else "Status" in versioning,
        expires_after_days=None if lifecycle is None else _expiry(lifecycle.get("Rules", []), prefix),
        locked_for=None if lock is None else _lock(lock),
    )


def commands(bucket: str) -> str:
    """How to set RULE with MinIO's client or AWS's."""
    configuration = json.dumps({"Rules": [RULE]}, separators=(",", ":"))
    return (
        f"mc ilm rule add --noncurrent-expire-days 1 --expire-delete-marker ALIAS/{bucket} (MinIO), or"
        f" aws s3api put-bucket-lifecycle-configuration --bucket {bucket} --lifecycle-configuration '{configuration}'"
        " (replaces the bucket's other rules)."
    )


def _expiry(rules: list[dict[str, Any]], prefix: str) -> int:
    days = [
        rule["NoncurrentVersionExpiration"].get("NoncurrentDays", 0)
        for rule in rules
        if rule["Status"] == "Enabled"
        and "NoncurrentVersionExpiration" in rule
        and prefix.startswith(rule.get("Prefix") or rule.get("Filter", {}).get("Prefix", ""))
        and not {"Tag", "And"} & {*rule.get("Filter", {})}
    ]
    return min(days, default=0)


def _lock(lock: dict[str, Any]) -> str:
    rule = lock.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
    number, unit = next(((rule[unit], unit.lower()) for unit in ("Days", "Years") if rule.get(unit)), (0, ""))
    return f"{number} {unit if number > 1 else unit[:-1]} ({rule['Mode']})" if number else ""
