"""The commands of `pigwav`. Only the module of the command that runs is imported: help and completion of the names need
none, and the processes of the service do not load the client.
"""

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_group

COMMANDS: Final = {
    "register": ("account", "Register a user and save the user id and token."),
    "login": ("account", "Save the credentials of a user whose token you have."),
    "logout": ("account", "Remove the saved user id and token from this machine."),
    "upload": ("upload", "Upload WAVs and print the link of each MP3."),
    "download": ("download", "Download MP3s and check their SHA-256."),
    "list": ("library", "List your recordings, newest first."),
    "show": ("library", "Show the details of a recording, including the WAV's tags."),
    "rename": ("library", "Change a recording's title."),
    "delete": ("library", "Delete recordings, after asking for confirmation."),
    "up": ("up", "Start the service with everything that it needs."),
    "serve": ("serve", "Serve the API on your own database and object store."),
    "migrate": ("operate", "Migrate the database schema to this release."),
    "sweep": ("operate", "Remove leftover data and expired recordings."),
    "doctor": ("doctor", "Check that database rows and stored objects agree."),
    "measure": ("measure", "Measure recordings that were stored without levels or a waveform."),
    "provision": ("provision", "Create the bucket and the service's own access key."),
    "s3-check": ("provision", "Test whether an S3 server behaves as the service needs."),
    "settings": ("settings", "Print every setting of the service with its value here."),
    "token": ("account", "Replace your token (`pigwav token rotate`)."),
    "users": ("users", "Manage users as the operator: add, list, token, delete."),
}
"""By name: the module of `pigwav.cli` that has the command, and the first sentence of its help."""


class LazyCommands(TyperGroup):
    """A group whose commands are stubs with a summary. `resolve_command`, which typer calls to run a command or to
    complete its arguments, replaces the stub.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # Any: typer's types are private
        if args[0] in COMMANDS:
            self.commands[args[0]] = load_command(args[0])
        return super().resolve_command(ctx, args)


def new_app(cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    return typer.Typer(
        cls=cls,
        name="pigwav",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def add_stubs(app: typer.Typer) -> None:
    for name, (_module, summary) in COMMANDS.items():
        app.command(name, help=summary)(lambda: None)


def load_command(name: str) -> Any:
    """Imports the command's module."""
    module, _summary = COMMANDS[name]
    app = new_app()
    app.callback()(lambda: None)  # keeps an only command a member of a group
    import_module(f"pigwav.cli.{module}").add_commands(app)
    return get_group(app).commands[name]
