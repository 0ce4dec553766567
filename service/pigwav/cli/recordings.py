"""A recording as text, for people and for programs."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC
from typing import Annotated, Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import typer

from pigwav.cli.display import length, local_time, printable, shortened, size
from pigwav.cli.failures import UsageError, plain_failures
from pigwav.client import Levels, Recording

HEADS: Final = ("TITLE", "LENGTH", "SIZE", "WHEN", "LUFS", "WARNINGS", "LINK")
NOT_MEASURED: Final = "not measured"
_ASKED_TITLE_CELLS: Final = 48


def recording_id(text: str) -> UUID:
    """An id, or the id in a link: /record?id=<id>&user=, /listen?id=<id>&user= or /record/<id>.mp3?user=.

    Raises UsageError.
    """
    parts = urlsplit(text)
    inside = parse_qs(parts.query).get("id", [parts.path.rpartition("/")[2].removesuffix(".mp3")])
    try:
        return UUID(inside[0])
    except ValueError as error:
        raise UsageError(f"{printable(text)} is not a recording id or link.") from error


IdArgument = Annotated[
    UUID,
    typer.Argument(
        parser=plain_failures()(recording_id), metavar="ID|LINK", help="The recording's id, or its link."
    ),
]
IdsArgument = Annotated[
    list[UUID],
    typer.Argument(
        parser=plain_failures()(recording_id), metavar="ID|LINK...", help="The recordings' ids or links."
    ),
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
        _loudness(recording.levels),
        _first_warning(recording),
        printable(recording.url),
    )


def plain_row(recording: Recording) -> str:
    """A line for programs: columns separated by tabs, in seconds, bytes, UTC and LUFS. New columns come last."""
    return "\t".join(
        (
            printable(recording.title or ""),
            f"{recording.duration_ms / 1000:.3f}",
            str(recording.size_bytes),
            recording.created_at.astimezone(UTC).isoformat(timespec="seconds"),
            printable(recording.url),
            _loudness(recording.levels),
            _warning_codes(recording),
        )
    )


def _loudness(levels: Levels | None) -> str:
    if levels is None:
        return NOT_MEASURED
    return "too quiet" if levels.loudness_lufs is None else f"{levels.loudness_lufs:.1f}"


def _first_warning(recording: Recording) -> str:
    """The first code, and how many more there are."""
    first, *more = recording.warnings or (None,)
    if first is None:
        return ""
    return printable(first.code) + (f" +{len(more)}" if more else "")


def _warning_codes(recording: Recording) -> str:
    if recording.warnings is None:
        return "not known"
    return ",".join(printable(warning.code) for warning in recording.warnings) or "none"


def facts(recording: Recording) -> Iterator[tuple[str, str]]:
    """Name and value of each detail."""
    source = recording.source
    yield "title", title(recording)
    yield "link", printable(recording.url)
    if recording.page_url is not None:
        yield "page", printable(recording.page_url)
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
    yield from _levels(recording)
    for warning in recording.warnings or ():
        yield "warning", printable(warning.detail)
    for name, value in asdict(recording.tags).items():
        if value is not None:
            yield f"tag {name.replace('_', ' ')}", printable(str(value))


def _levels(recording: Recording) -> Iterator[tuple[str, str]]:
    levels = recording.levels
    if levels is None:
        peak_dbfs = recording.peak_dbfs
        yield "loudness", NOT_MEASURED
        yield "peak", NOT_MEASURED if peak_dbfs is None else f"{peak_dbfs:.1f} dBFS"
        return
    yield "loudness", _measured(levels.loudness_lufs, "LUFS")
    yield "range", _measured(levels.loudness_range_lu, "LU")
    yield "peak", " / ".join(f"{channel.peak_dbfs:.1f} dBFS" for channel in levels.channels)
    yield "rms", " / ".join(f"{channel.rms_dbfs:.1f} dBFS" for channel in levels.channels)
    yield "silence", f"{levels.silent_share:.0%}, at most {levels.longest_silence_ms / 1000:.1f} s at a time"
    yield "clipped", " / ".join(_samples(channel.clipped_samples) for channel in levels.channels)
    yield "measured from", {"wav": "the WAV", "mp3": "the MP3"}.get(levels.measured_from, NOT_MEASURED)


def _samples(count: int | None) -> str:
    return NOT_MEASURED if count is None else f"{count} samples"


def _measured(value: float | None, unit: str) -> str:
    return "too quiet or too short to measure" if value is None else f"{value:.1f} {unit}"


def _sound(sample_rate_hz: int, channels: int) -> str:
    names = {1: "mono", 2: "stereo"}
    return f"{sample_rate_hz} Hz, {names.get(channels, f'{channels} channels')}"
