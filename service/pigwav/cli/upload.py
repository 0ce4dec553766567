"""`pigwav upload`: uploads WAVs and prints the links of the MP3s."""

import asyncio
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from pigwav.cli.credentials import Credentials, GivenCredentials
from pigwav.cli.display import at_terminal, printable
from pigwav.cli.failures import Attempts, UsageError, plain_failures, print_waiting
from pigwav.cli.progress import Transfers, transfers
from pigwav.cli.session import TokenOption, UrlOption, UserOption, holding, naming
from pigwav.cli.sources import STANDARD_INPUT, SUFFIXES, NoWavFound, Source, total_bytes, wavs_in
from pigwav.cli.standard_error import print_error
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
        help="WAV files; folders with .wav, .wave, .bwf or .rf64 files; - is standard input.",
        allow_dash=True,
    ),
]


def add_commands(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(upload)


def upload(
    files: FilesArgument,
    *,
    title: Annotated[
        str | None, typer.Option(help="Title, for a single WAV. Default: its title tag, else its name.")
    ] = None,
    bitrate: Annotated[int | None, typer.Option(help="Bit rate of the MP3, in kb/s.")] = None,
    strict: Annotated[
        str,
        typer.Option(metavar="CODES", help="Fail if the sound has one of these warnings: clipped,silent ..."),
    ] = "",
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Number of parallel uploads.")] = 3,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the links.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    url: UrlOption = None,
    user: UserOption = None,
    token: TokenOption = None,
) -> None:
    """Upload WAVs and print the link of each MP3.

    A failed upload does not stop the others. Folders are searched at any depth, without hidden files, pipes, devices
    and links to other folders.
    """
    several = len(files) > 1 or files[0].is_dir()
    for_programs = JsonLines() if as_json else Links()
    report = Summary(several) if at_terminal() and not (quiet or as_json) else for_programs
    attempts = Attempts(named=True, failed=report.failed)
    with plain_failures():
        _check_standard_input(files)
        who = holding(GivenCredentials(url, user, token))
        sources = _found(files, attempts)
        if title is not None and len(sources) > 1:
            raise UsageError(f"--title needs a single WAV, but there are {len(sources)}.")
        with (
            _ending(report, attempts, len(sources)),
            naming(who),
            transfers(len(sources), total_bytes(sources), quiet=quiet or as_json) as bars,
        ):
            codes = [code for code in strict.split(",") if code]
            batch = Batch(who, bars, title, bitrate, codes, on_wait=wait_silently if quiet else print_waiting)
            asyncio.run(batch.upload(sources, jobs, attempts, report))
    attempts.end()


@dataclass(frozen=True)
class Batch:
    """WAVs that are uploaded together, with the same credentials and options."""

    who: Credentials
    bars: Transfers
    title: str | None
    bitrate_kbps: int | None
    strict: Sequence[str]
    on_wait: OnWait

    async def upload(self, sources: Sequence[Source], jobs: int, attempts: Attempts, report: Report) -> None:
        """Uploads `jobs` WAVs at a time and reports them in the given order. If it ends early, each remaining WAV is
        reported as well: uploaded, failed, or not sent.
        """
        slots = asyncio.Semaphore(jobs)
        who = self.who
        async with (
            AsyncPigWavClient(who.url, who.user_id, who.token, on_wait=self.on_wait) as client,
            self.bars.kept_drawn(),
        ):
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
                    _print_stopped(report, attempts, source, task)

    async def _one(self, client: AsyncPigWavClient, source: Source, slots: asyncio.Semaphore) -> Recording:
        async with slots:
            with self.bars.following(source.name) as progress:
                return await client.upload(
                    source.opened(),
                    title=self.title,
                    bitrate_kbps=self.bitrate_kbps,
                    strict=self.strict,
                    progress=progress,
                )


def _tell(report: Report, source: Source, recording: Recording) -> None:
    report.uploaded(source.name, recording)
    for warning in recording.warnings or ():
        print_error(f"{printable(source.name)}: {printable(warning.detail)}")


def _print_stopped(report: Report, attempts: Attempts, source: Source, task: asyncio.Task[Recording]) -> None:
    error = NotSent("The command ended before the file was sent.") if task.cancelled() else task.exception()
    if error is None:
        _tell(report, source, task.result())
        attempts.done += 1
    elif isinstance(error, Exception):
        report.failed(source.name, error)


@contextmanager
def _ending(report: Report, attempts: Attempts, count: int) -> Iterator[None]:
    """Ends the report, whether or not the uploads succeeded."""
    try:
        yield
    except KeyboardInterrupt:
        if count > 1:
            print_error(f"Interrupted; {attempts.done} of {count} are done.")
        raise
    finally:
        report.end()


def _check_standard_input(files: Sequence[Path]) -> None:
    if files.count(STANDARD_INPUT) > 1:
        raise UsageError("Standard input (-) can be given only once.")
    if STANDARD_INPUT in files and sys.stdin.isatty():
        raise UsageError("Standard input is a terminal: pipe a WAV into it.")


def _found(files: Sequence[Path], attempts: Attempts) -> list[Source]:
    """The WAVs to upload, without duplicates."""
    sources: dict[Source, None] = {}
    for path in files:
        with attempts.preparing(str(path)):
            found = wavs_in(path)
            sources |= dict.fromkeys(found.sources)
            for skipped, why in found.skipped:
                print_error(f"{printable(str(skipped))}: skipped, because it is {why}.")
            for error in found.unreadable:
                with attempts.preparing(str(error.filename)):
                    raise error
            if not (found.sources or found.unreadable):
                raise NoWavFound(f"No regular file in this folder ends in {', '.join(SUFFIXES)}.")
    return [*sources]
