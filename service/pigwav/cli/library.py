"""Commands for the user's own recordings: `pigwav list | show | rename | delete`."""

from dataclasses import replace
from itertools import chain, islice
from typing import Annotated, Final
from uuid import UUID

import typer

from pigwav.cli import prompts
from pigwav.cli.account import YesOption
from pigwav.cli.credentials import GivenCredentials
from pigwav.cli.display import (
    INDENT_CELLS,
    at_terminal,
    json_text,
    print_json_array,
    print_table,
    say,
    standard_output,
    terminal_cells,
)
from pigwav.cli.failures import Attempts, plain_failures
from pigwav.cli.recordings import (
    HEADS,
    NOT_MEASURED,
    IdArgument,
    IdsArgument,
    asked,
    facts,
    plain_row,
    row,
    title,
)
from pigwav.cli.session import JsonOption, TokenOption, UrlOption, UserOption, signed_in
from pigwav.cli.waveforms import OVERVIEW_POINTS, drawn, means
from pigwav.client import NotFound, PigWavClient, Recording

_LARGEST_PAGE: Final = 200
_NAME_CELLS: Final = 14

WaveformOption = Annotated[bool, typer.Option("--waveform", help="Draw the waveform in characters.")]

LIST_EXAMPLES = """\b
Examples:
  pigwav list --limit 10
  pigwav list --search 'standup mon'
  pigwav list | cut -f 5 | xargs -r pigwav download -o ~/Music/
  pigwav list --waveform --limit 5
  pigwav list --json | jq '.[].duration_ms'
"""
SHOW_EXAMPLES = """\b
Examples:
  pigwav show afadaeeb-2842-41de-987c-ae31169310b5
  pigwav show 'http://localhost:8080/record?id=afadaeeb-2842-41de-987c-ae31169310b5&user=1' --json
"""
RENAME_EXAMPLES = """\b
Examples:
  pigwav rename afadaeeb-2842-41de-987c-ae31169310b5 'Standup, Monday'
"""
DELETE_EXAMPLES = """\b
Examples:
  pigwav delete afadaeeb-2842-41de-987c-ae31169310b5
  pigwav list --search standup | cut -f 5 | xargs -r pigwav delete -y
"""


def add_commands(app: typer.Typer) -> None:
    app.command("list", epilog=LIST_EXAMPLES)(list_recordings)
    app.command(epilog=SHOW_EXAMPLES)(show)
    app.command(epilog=RENAME_EXAMPLES)(rename)
    app.command(epilog=DELETE_EXAMPLES)(delete)


def list_recordings(
    *,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Show only this many of the newest.", show_default="all")
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="Only titles with all these words; the last may be cut short."),
    ] = None,
    waveform: WaveformOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    user: UserOption = None,
    token: TokenOption = None,
) -> None:
    """List your recordings, newest first.

    Columns: title, length, size, time, loudness in LUFS, warnings, link. If the output is not a terminal, they are
    title, length in seconds, size in bytes, time in UTC, link, loudness, warnings, waveform, separated by tabs.
    """
    with plain_failures(), signed_in(GivenCredentials(url, user, token)) as client:
        page_size = min(limit or _LARGEST_PAGE, _LARGEST_PAGE)
        found = islice(client.recordings(page_size=page_size, peaks=waveform, search=search), limit)
        if as_json:
            print_json_array(recording.as_json() for recording in found)
        elif not at_terminal():
            for recording in found:
                drawing = [_drawn(recording.peaks, OVERVIEW_POINTS)] if waveform else []
                say("\t".join([plain_row(recording), *drawing]))
        elif newest := next(found, None):
            cells = terminal_cells() - INDENT_CELLS
            rows = chain([newest], found)
            print_table(
                HEADS, ((*row(one), *([_drawn(one.peaks, cells)] if waveform else [])) for one in rows)
            )
        else:
            typer.echo(
                "No title has these words." if search else "No recordings yet: pigwav upload FILE", err=True
            )


def show(
    recording_id: IdArgument,
    *,
    waveform: WaveformOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    user: UserOption = None,
    token: TokenOption = None,
) -> None:
    """Show the details of a recording, including the WAV's tags."""
    with plain_failures(), signed_in(GivenCredentials(url, user, token)) as client:
        recording = client.show(recording_id)
        magnitudes = _magnitudes(client, recording.id) if waveform else None
        if as_json:
            peaks = None if magnitudes is None else means(magnitudes, OVERVIEW_POINTS)
            say(json_text(replace(recording, peaks=peaks).as_json()))
            return
        cells = terminal_cells() - _NAME_CELLS if at_terminal() else OVERVIEW_POINTS
        drawing = [("waveform", _drawn(magnitudes, cells))] if waveform else []
        for name, value in chain(facts(recording), drawing):
            say(f"{name:<{_NAME_CELLS}}{value}" if at_terminal() else f"{name}\t{value}")


def _magnitudes(client: PigWavClient, recording_id: UUID) -> bytes | None:
    """None if the recording has no waveform."""
    try:
        return client.waveform(recording_id).magnitudes
    except NotFound as error:
        if error.code != "waveform-missing":
            raise
        return None


def _drawn(magnitudes: bytes | None, cells: int) -> str:
    return NOT_MEASURED if magnitudes is None else drawn(magnitudes, cells, standard_output().encoding)


def rename(
    recording_id: IdArgument,
    new_title: Annotated[str, typer.Argument(metavar="TITLE", help="The new title; '' removes the title.")],
    *,
    url: UrlOption = None,
    user: UserOption = None,
    token: TokenOption = None,
) -> None:
    """Change a recording's title. The download's file name changes with it; the link stays the same."""
    with plain_failures(), signed_in(GivenCredentials(url, user, token)) as client:
        say(f"Renamed: {title(client.rename(recording_id, new_title or None))}")


def delete(
    recording_ids: IdsArgument,
    *,
    yes: YesOption = False,
    url: UrlOption = None,
    user: UserOption = None,
    token: TokenOption = None,
) -> None:
    """Delete recordings, after asking for confirmation. Their links stop working at once."""
    attempts = Attempts(named=len(recording_ids) > 1)
    found: list[Recording] = []
    with plain_failures(), signed_in(GivenCredentials(url, user, token)) as client:
        for recording_id in dict.fromkeys(recording_ids):
            with attempts.preparing(str(recording_id)):
                found.append(client.show(recording_id))
        if len(found) > 1:
            listed = "\n  ".join(map(asked, found))
            prompts.confirm(f"Delete these {len(found)}?\n  {listed}\n", yes=yes)
        elif found:
            prompts.confirm(f"Delete {asked(found[0])}?", yes=yes)
        for recording in found:
            with attempts.one(title(recording)):
                client.delete(recording.id)
                say(f"Deleted: {title(recording)}")
    attempts.end()
