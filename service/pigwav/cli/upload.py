"""`pigwav upload`: WAVs in, links out."""

import asyncio
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from pigwav.cli.credentials import Credentials, Given
from pigwav.cli.display import at_terminal, length, printable
from pigwav.cli.failures import Attempts, CommandWrong, plain_failures, tell, tell_waiting
from pigwav.cli.progress import Transfers, transfers
from pigwav.cli.session import TokenOption, UrlOption, UserOption, holding, naming
from pigwav.cli.sources import STANDARD_INPUT, Source, total_bytes, wavs_in
from pigwav.cli.uploaded import JsonLines, Links, NotSent, Report, Summary
from pigwav.client import AsyncPigWavClient, OnWait, Recording, wait_silently

EXAMPLES: Final = """\b
Examples:
  pigwav upload take1.wav
  pigwav upload take1.wav take2.wav ~/Recordings
  pigwav upload take1.wav --title 'Standup, Monday' --bitrate 192
  arecord -f cd -d 60 | pigwav upload - --title 'One minute'
  pigwav upload ~/Recordings --json | jq -r '.recording.url // empty'
"""

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE|FOLDER|-...",
        help="WAVs; folders of .wav, .wave, .bwf and .rf64 files; - is standard input.",
        allow_dash=True,
    ),
]


def add_commands(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(upload)


def upload(
    files: FilesArgument,
    *,
    title: Annotated[
        str | None, typer.Option(help="Title of the one WAV; else its tag, else its name.")
    ] = None,
    bitrate: Annotated[int | None, typer.Option(help="Bit rate of the MP3, in kb/s.")] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Uploads at a time.")] = 3,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="The links alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    url: UrlOption = None,
    user: UserOption = None,
    token: TokenOption = None,
) -> None:
    """Send WAVs; prints the link of each MP3.

    One that fails does not stop the others. Folders are searched at any depth; hidden files are left out.
    """
    several = len(files) > 1 or files[0].is_dir()
    for_programs = JsonLines() if as_json else Links()
    report = Summary(several) if at_terminal() and not (quiet or as_json) else for_programs
    attempts = Attempts(named=True, failed=report.failed)
    with plain_failures():
        _check_standard_input(files)
        who = holding(Given(url, user, token))
        sources = _found(files, attempts)
        if title is not None and len(sources) > 1:
            raise CommandWrong(f"--title is for one WAV; these are {len(sources)}.")
        with (
            _ending(report, attempts, len(sources)),
            naming(who),
            transfers(len(sources), total_bytes(sources), quiet=quiet or as_json) as bars,
        ):
            batch = Batch(who, bars, title, bitrate, on_wait=wait_silently if quiet else tell_waiting)
            asyncio.run(batch.upload(sources, jobs, attempts, report))
    attempts.end()


@dataclass(frozen=True)
class Batch:
    """WAVs that are uploaded together: as whom, watched by whom, and how."""

    who: Credentials
    bars: Transfers
    title: str | None
    bitrate_kbps: int | None
    on_wait: OnWait

    async def upload(self, sources: Sequence[Source], jobs: int, attempts: Attempts, report: Report) -> None:
        """Several at a time; told in order. Whatever ends it early, each is told: done, failed, or not sent."""
        slots = asyncio.Semaphore(jobs)
        who = self.who
        async with AsyncPigWavClient(who.url, who.user_id, who.token, on_wait=self.on_wait) as client:
            tasks = deque((one, asyncio.create_task(self._one(client, one, slots))) for one in sources)
            try:
                while tasks:
                    source, task = tasks[0]
                    with attempts.one(source.name):
                        _tell(report, source, await task)
                    tasks.popleft()
            finally:
                for _, task in tasks:
                    task.cancel()
                await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)
                for source, task in tasks:
                    _tell_stopped(report, attempts, source, task)

    async def _one(self, client: AsyncPigWavClient, source: Source, slots: asyncio.Semaphore) -> Recording:
        async with slots:
            with self.bars.following(source.name) as progress:
                return await client.upload(
                    source.opened(), title=self.title, bitrate_kbps=self.bitrate_kbps, progress=progress
                )


def _tell(report: Report, source: Source, recording: Recording) -> None:
    report.uploaded(source.name, recording)
    if recording.truncated and recording.declared_duration_ms is not None:
        promised, held = length(recording.declared_duration_ms), length(recording.duration_ms)
        tell(f"{printable(source.name)}: its header promised {promised}, it held {held}. That is converted.")


def _tell_stopped(report: Report, attempts: Attempts, source: Source, task: asyncio.Task[Recording]) -> None:
    error = NotSent("The command ended before it was sent.") if task.cancelled() else task.exception()
    if error is None:
        _tell(report, source, task.result())
        attempts.done += 1
    elif isinstance(error, Exception):
        report.failed(source.name, error)


@contextmanager
def _ending(report: Report, attempts: Attempts, count: int) -> Iterator[None]:
    """The report's end, however the uploads ended."""
    try:
        yield
    except KeyboardInterrupt:
        if count > 1:
            tell(f"Interrupted; {attempts.done} of {count} are done.")
        raise
    finally:
        report.end()


def _check_standard_input(files: Sequence[Path]) -> None:
    if files.count(STANDARD_INPUT) > 1:
        raise CommandWrong("Standard input can be read once.")
    if STANDARD_INPUT in files and sys.stdin.isatty():
        raise CommandWrong("Standard input is a terminal: pipe a WAV into it.")


def _found(files: Sequence[Path], attempts: Attempts) -> list[Source]:
    """Every WAV once, however often it is named."""
    sources: dict[Source, None] = {}
    for path in files:
        with attempts.preparing(str(path)):
            sources |= dict.fromkeys(wavs_in(path))
    return [*sources]
