"""Runs the `curl` commands of a document, with what the service has answered in place of the document's examples."""

import json
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

EXAMPLE_URLS: Final = ("http://127.0.0.1:8080", "http://localhost:8080")
EXAMPLE_NAME: Final = "name=anna"
EXAMPLE_TOKEN: Final = "23e10bfa-ce68-4444-95dd-4af608f2bf47"
EXAMPLE_ID: Final = "afadaeeb-2842-41de-987c-ae31169310b5"

_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_RUNNABLE: Final = re.compile(r"curl |python3 -c |[A-Z]+=")


@dataclass(frozen=True)
class Answer:
    """`body`: the JSON document; empty if the body was none or was written to a file."""

    command: str
    status: int
    body: dict[str, Any]


def commands_of(document: str) -> list[str]:
    """Its `curl` commands, its assignments of shell variables, and the line that makes a WAV, in order."""
    lines = "".join(_BLOCK.findall(document)).replace("\\\n", " ").splitlines()
    return [line for line in lines if _RUNNABLE.match(line)]


@dataclass
class CurlExamples:
    """A reader who copies commands, works in `folder`, and uses the service at `url`."""

    folder: Path
    url: str
    _assigned: list[str] = field(default_factory=list)
    _answered: dict[str, str] = field(default_factory=dict)

    def run_all(self, document: str) -> list[Answer]:
        """The answers to the document's `curl` commands."""
        answers = [self._run(command) for command in commands_of(document)]
        return [answer for answer in answers if answer]

    def _run(self, command: str) -> Answer | None:
        translated = self._translated(command)
        if re.match(r"[A-Z]+=", translated):
            self._assigned.append(translated)
            return None
        if not translated.startswith("curl "):
            subprocess.run(shlex.split(translated), cwd=self.folder, check=True, timeout=60)
            return None
        output = subprocess.run(
            ["bash", "-euc", "\n".join([*self._assigned, translated + " -sS -w '\\n%{http_code}'"])],
            cwd=self.folder,
            check=True,
            timeout=60,
            capture_output=True,
            text=True,
        ).stdout
        body, _, status = output.rpartition("\n")
        answer = Answer(command, int(status), json.loads(body) if body.startswith("{") else {})
        self._learn(answer.body)
        return answer

    def _learn(self, body: dict[str, Any]) -> None:
        if "token" in body:
            self._answered[EXAMPLE_TOKEN] = body["token"]
        if "name" in body:
            self._answered |= {name: f"{name[:-1]}{body['id']}" for name in ("user=1", "user_id=1")}
        if "url" in body:
            self._answered[EXAMPLE_ID] = body["id"]

    def _translated(self, command: str) -> str:
        unique = {EXAMPLE_NAME: f"name=anna-{uuid4()}"}
        for shown, true in (dict.fromkeys(EXAMPLE_URLS, self.url) | unique | self._answered).items():
            command = re.sub(rf"{re.escape(shown)}(?!\d)", true, command)
        return command
