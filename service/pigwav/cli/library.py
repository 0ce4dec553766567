"""Commands for the user's own recordings: `pigwav list | show | rename | delete`."""

from itertools import chain, islice
from typing import Annotated, Final

import typer

from pigwav.cli import prompts
from pigwav.cli.account import YesOption
from pigwav.cli.credentials import GivenCredentials
from pigwav.cli.display import at_terminal, json_text, print_json_array, print_table, say
from pigwav.cli.failures import Attempts, plain_failures
from pigwav.cli.recordings import (
    HEADS,
    IdArgument,
    IdsArgument,
    asked,
    facts,
    plain_row,
    row,
    title,
)
from pigwav.cli.session import JsonOption, TokenOption, UrlOption, UserOption, signed_in
from pigwav.client import Recording

_LARGEST_PAGE: Final = 200

LIST_EXAMPLES = """\b
Examples:
  pigwav list --limit 10
  pigwav list | grep Standup
  pigwav list | cut -f 5 | xargs -r pigwav download -o ~/Music/
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
  pigwav list | grep Standup | cut -f 5 | xargs -r pigwav delete -y
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
    as_json: JsonOption = False,
    url: UrlOption = None,
    user: UserOption = None,
    token: TokenOption = None,
) -> None:
    """List your recordings, newest first.

    Columns: title, length, size, time, link. If the output is not a terminal, they are separated by tabs, with the
    length in seconds, the size in bytes and the time in UTC.
    """
    with plain_failures(), signed_in(GivenCredentials(url, user, token)) as client:
        found = islice(client.recordings(page_size=min(limit or _LARGEST_PAGE, _LARGEST_PAGE)), limit)
        if as_json:
            print_json_array(recording.as_json() for recording in found)
        elif not at_terminal():
            for recording in found:
                say(plain_row(recording))
        elif newest := next(found, None):
            print_table(HEADS, map(row, chain([newest], found)))
        else:
            typer.echo("No recordings yet: pigwav upload FILE", err=True)


def show(
    recording_id: IdArgument,
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    user: UserOption = None,
    token: TokenOption = None,
) -> None:
    """Show the details of a recording, including the WAV's tags."""
    with plain_failures(), signed_in(GivenCredentials(url, user, token)) as client:
        recording = client.show(recording_id)
        if as_json:
            say(json_text(recording.as_json()))
            return
        for name, value in facts(recording):
            say(f"{name:<14}{value}" if at_terminal() else f"{name}\t{value}")


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
