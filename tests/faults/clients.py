"""Each kind of misbehaving client once. The service answers if it can, and serves the next client."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from faults import misbehaving_clients
from faults.between import comes_back
from faults.uploaders import Attempt, Upload, Uploader, make_upload
from faults.world import MAX_UPLOAD_BYTES, World

_MORE_THAN_ANY_HEAD_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class ClientCase:
    """`says`: the problem codes (or the status) that are correct; empty: any."""

    name: str
    upload: str
    behave: Callable[[Uploader, Upload], Attempt]
    says: tuple[str, ...] = ()

    def run(self, world: World) -> None:
        attempt = self.behave(world.uploader(), make_upload(self.upload, self.name))
        world.note(self.name, attempt)
        said = attempt.answer and attempt.answer.document.get("code", str(attempt.status))
        if self.says and said not in self.says:
            world.complaints.append(f"{self.name}: {said} instead of {self.says}")
        comes_back(world, self.name)


def client_cases() -> Iterator[ClientCase]:
    for stage in misbehaving_clients.LEAVING:
        for upload in ("short", "decoded", "long"):
            yield ClientCase(
                f"{upload} upload, client leaves {stage}",
                upload,
                lambda uploader, made, stage=stage: misbehaving_clients.leaves(uploader, made, stage),
            )
    dice = random.Random(1)
    yield ClientCase(
        "client trickles", "decoded", lambda s, u: misbehaving_clients.trickles(s, u, dice), ("201",)
    )
    yield ClientCase("says too much", "short", misbehaving_clients.says_too_much, ("upload-idle",))
    yield ClientCase("says too little", "short", misbehaving_clients.says_too_little, ("201",))
    yield ClientCase(
        "body without end",
        "decoded",
        lambda s, u: misbehaving_clients.never_ends(s, u, limit_bytes=2 * MAX_UPLOAD_BYTES),
        ("upload-too-large",),
    )
    yield ClientCase(
        "head without end",
        "short",
        lambda s, u: misbehaving_clients.sends_headers_for_ever(s, u, limit_bytes=_MORE_THAN_ANY_HEAD_BYTES),
        ("head-too-large",),
    )
    yield ClientCase("half a head", "short", misbehaving_clients.never_ends_its_head, ("head-too-slow",))
