"""A recording as text, for people and for programs."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC
from typing import Annotated, Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import typer

from pigwav.cli.display import length, local_time, printable, shortened, size
from pigwav.cli.failures import UsageError
from pigwav.client import Recording

HEADS: Final = ("TITLE", "LENGTH", "SIZE", "WHEN", "LINK")
_ASKED_TITLE_CELLS: Final = 48


def recording_id(text: str) -> UUID:
    """An id, or the id in a link: /record?id=<id>&user= or /record/<id>.mp3?user=. Raises UsageError."""
    parts = urlsplit(text)
    inside = parse_qs(parts.query).get("id", [parts.path.rpartition("/")[2].removesuffix(".mp3")])
    try:
        return UUID(inside[0])
    except ValueError as error:
        raise UsageError(f"{printable(text)} is not a recording id or link.") from error


IdArgument = Annotated[
    UUID, typer.Argument(parser=recording_id, metavar="ID|LINK", help="The recording's id, or its link.")
]
IdsArgument = Annotated[
    list[UUID],
    typer.Argument(parser=recording_id, metavar="ID|LINK...", help="The recordings' ids or links."),
]


def title(recording: Recording) -> str:
    return printable(recording.title) if recording.title else "(untitled)"


def asked(recording: Recording) -> str:
    """A recording in a confirmation question: title, length and time, because titles are not unique."""
    short = shortened(title(recording), _ASKED_TITLE_CELLS)
    return f"{short} ({length(recording.duration_ms)}, {local_time(recording.created_at)})"


def row(recording: Recording) -> tuple[str, ...]:
    """A table row for people; its columns are HEADS."""
    return (
        title(recording),
        length(recording.duration_ms),
        size(recording.size_bytes),
        local_time(recording.created_at),
        printable(recording.url),
    )


def plain_row(recording: Recording) -> str:
    """A line for programs: the columns of `row`, separated by tabs, in seconds, bytes and UTC."""
    return "\t".join(
        (
            printable(recording.title or ""),
            f"{recording.duration_ms / 1000:.3f}",
            str(recording.size_bytes),
            recording.created_at.astimezone(UTC).isoformat(timespec="seconds"),
            printable(recording.url),
        )
    )


def facts(recording: Recording) -> Iterator[tuple[str, str]]:
    """Name and value of each detail."""
    source = recording.source
    yield "title", title(recording)
    yield "link", printable(recording.url)
    yield "id", str(recording.id)
    yield "when", recording.created_at.astimezone().isoformat(sep=" ", timespec="seconds")
    promised = recording.declared_duration_ms if recording.truncated else None
    more = "" if promised is None else f" (the WAV's header declares {length(promised)})"
    yield "length", length(recording.duration_ms) + more
    yield "mp3", f"{recording.bitrate_kbps} kb/s, {_sound(recording.sample_rate_hz, recording.channels)}"
    yield "mp3 size", f"{size(recording.size_bytes)} ({recording.size_bytes} bytes)"
    yield "mp3 sha256", recording.sha256
    yield "wav", f"{printable(source.codec)}, {_sound(source.sample_rate_hz, source.channels)}"
    yield "wav size", f"{size(recording.wav_size_bytes)} ({recording.wav_size_bytes} bytes)"
    yield "wav sha256", recording.wav_sha256
    for name, value in asdict(recording.tags).items():
        if value is not None:
            yield f"tag {name.replace('_', ' ')}", printable(str(value))


def _sound(sample_rate_hz: int, channels: int) -> str:
    names = {1: "mono", 2: "stereo"}
    return f"{sample_rate_hz} Hz, {names.get(channels, f'{channels} channels')}"
