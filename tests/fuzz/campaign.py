"""Sends many hostile inputs to a running service, concurrently. The seed and its number determine an input."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Final

import psutil
import psycopg2

from accounts import Account
from e2e.behind import Behind
from factories import wav
from fuzz.hostile_http import Known, hostile_request
from fuzz.judging import Contract, complaint_about_link, complaint_about_wav, outcome_of
from fuzz.mutators import mutated
from fuzz.seeds import wavs
from fuzz.uploads import upload
from fuzz.wire import Answer, Request, sent

DECODED_OF: Final = 20
"""Every MP3 is checked; ffmpeg decodes one in this many."""


@dataclass
class Report:
    """`wavs`, `http`: the count of each outcome. `acknowledged`: ids of recordings answered with 201. `unread`: the
    number of requests without a response. `warnings`: the codes of warnings in acknowledged recordings.
    """

    wavs: Counter[str] = field(default_factory=Counter)
    http: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    acknowledged_to_attacker: set[str] = field(default_factory=set)
    warnings: Counter[str] = field(default_factory=Counter)
    unread: int = 0
    decoded: int = 0
    seconds: float = 0

    @property
    def inputs(self) -> int:
        return self.wavs.total() + self.http.total()


@dataclass(frozen=True)
class Campaign:
    """A run against `url`. `uploader` sends only damaged WAVs, `attacker` only other hostile requests."""

    url: str
    uploader: Account
    attacker: Account
    seed: int = 1

    def wav_request(self, number: int) -> Request:
        """A damaged WAV in a correct request."""
        random = Random(f"wav {self.seed} {number}")
        return upload(mutated(wavs(), random), self.uploader.id, self.uploader.token, random)

    def http_request(self, number: int) -> Request:
        """A request that may be wrong in anything but the WAV."""
        return hostile_request(self._known, Random(f"http {self.seed} {number}"))

    @cached_property
    def _known(self) -> Known:
        good = wav(0.1, rate=8_000, channels=1)
        answer = sent(self.url, upload(good, self.attacker.id, self.attacker.token, Random(0)))
        assert answer.status == 201, answer
        return Known(self.attacker.id, self.attacker.token, json.loads(answer.body)["id"], good)

    @cached_property
    def _contract(self) -> Contract:
        return Contract(json.loads(sent(self.url, Request("GET", b"/openapi.json")).body))

    def run(
        self,
        wav_numbers: Sequence[int],
        http_numbers: Sequence[int],
        *,
        clients: int,
        progress: Callable[[int], object] = bool,
    ) -> Report:
        """Sends the inputs with these numbers. Calls `progress` with the number of inputs done."""
        report = Report(acknowledged_to_attacker={self._known.recording})
        began_s = time.monotonic()
        _ = self._contract  # fetched once, not by each client
        jobs = [(self._try_wav, number) for number in wav_numbers]
        jobs += [(self._try_http, number) for number in http_numbers]
        Random(self.seed).shuffle(jobs)
        with ThreadPoolExecutor(clients) as pool:
            for done, judged in enumerate(pool.map(lambda job: job[0](job[1]), jobs), 1):
                _count(report, judged)
                progress(done)
        report.seconds = time.monotonic() - began_s
        return report

    def _try_wav(self, number: int) -> "Judged":
        request = self.wav_request(number)
        answer = sent(self.url, request)
        decode = number % DECODED_OF == 0
        complaint = complaint_about_wav(answer) or self._complaint_about_recording(answer, decode=decode)
        return Judged("wav", number, answer, complaint, decoded=decode and answer.status == 201)

    def _try_http(self, number: int) -> "Judged":
        request = self.http_request(number)
        answer = sent(self.url, request)
        complaint = self._contract.complaint(request, answer)
        if not complaint and ids_in(answer):
            complaint = self._complaint_about_recording(answer, decode=False)
        return Judged("http", number, answer, complaint, kind=self._contract.operation(request))

    def _complaint_about_recording(self, answer: Answer, *, decode: bool) -> str:
        if answer.status != 201:
            return ""
        return complaint_about_link(self.url, json.loads(answer.body), decode=decode)


def ids_in(answer: Answer) -> set[str]:
    """The id of the acknowledged recording; empty if the response is not a 201."""
    is_one = answer.status == 201 and b'"sha256"' in answer.body
    return {json.loads(answer.body)["id"]} if is_one else set()


@dataclass(frozen=True)
class Judged:
    """An input (`what` and `number` reproduce it), its response, and the complaint about it (empty: none)."""

    what: str
    number: int
    answer: Answer
    complaint: str
    decoded: bool = False
    kind: str = ""


def _count(report: Report, judged: Judged) -> None:
    outcome = outcome_of(judged.answer)
    if judged.what == "wav":
        report.wavs[outcome] += 1
        report.acknowledged |= ids_in(judged.answer)
    else:
        report.http[f"{judged.kind} {outcome}"] += 1
        report.acknowledged_to_attacker |= ids_in(judged.answer)
        report.unread += judged.answer.status == 0
    if ids_in(judged.answer):
        report.warnings.update(warning["code"] for warning in json.loads(judged.answer.body)["warnings"])
    report.decoded += judged.decoded
    if judged.complaint:
        report.findings.append(f"{judged.what} {judged.number}: {judged.complaint}")


def left_over(
    campaign: Campaign,
    report: Report,
    inside: Behind,
    processes: Iterable[psutil.Process],
    *,
    before: frozenset[str] = frozenset(),
) -> list[str]:
    """Rows, objects, open uploads and decoders that do not match the acknowledged recordings.

    If a client left after its whole upload, a recording may or may not exist. `before`: objects of other tests.
    """
    accounts = (campaign.uploader, campaign.attacker)
    rows = {account.id: _rows(inside, account.id) for account in accounts}
    sent, attacked = (len(keys) for keys in rows.values())
    findings = []
    if sent != (due := len(report.acknowledged)):
        findings.append(f"{sent} rows, {due} acknowledged")
    if not 0 <= attacked - (due := len(report.acknowledged_to_attacker)) <= report.unread:
        findings.append(f"{attacked} rows, {due} acknowledged to the attacker")
    for user, keys in rows.items():
        if not_ready := [key for key, state in keys.items() if state != "ready"]:
            findings.append(f"user {user}: not ready: {not_ready}")
        if different := objects_of(inside, user) - before ^ keys.keys():
            findings.append(f"user {user}: objects without row or rows without object: {different}")
    if uploads := [key for key in inside.open_uploads() if _owner(key) in rows]:
        findings.append(f"open multipart uploads: {uploads}")
    if decoders := [process.pid for process in processes if is_decoder(process)]:
        findings.append(f"ffmpeg still runs: {decoders}")
    return findings


def _rows(inside: Behind, user: int) -> dict[str, str]:
    """The states of the user's rows by object key."""
    with closing(psycopg2.connect(inside.address.database_url)) as database, database.cursor() as cursor:
        cursor.execute("SELECT object_key, state FROM recordings WHERE user_id = %s", (user,))
        return dict(cursor.fetchall())


def objects_of(inside: Behind, user: int) -> frozenset[str]:
    pages = inside.s3.get_paginator("list_objects_v2").paginate(
        Bucket=inside.bucket, Prefix=f"recordings/{user}/"
    )
    return frozenset(found["Key"] for page in pages for found in page.get("Contents", []))


def _owner(key: str) -> int:
    """The user id in `recordings/<user id>/...`."""
    return int(key.split("/")[1])


def is_decoder(process: psutil.Process) -> bool:
    try:
        return any("ffmpeg" in word for word in process.cmdline())
    except psutil.NoSuchProcess:
        return False
