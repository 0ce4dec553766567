"""The saved credentials: a file in the user's configuration folder."""

import json
from pathlib import Path
from uuid import UUID

import typer

from pigwav.cli.credentials import Credentials
from pigwav.client import CredentialsMissing
from pigwav.private_json import write_private_json


class CredentialsUnusable(CredentialsMissing):
    """The credentials file holds no valid credentials."""


def credentials_file() -> Path:
    folder = Path(typer.get_app_dir("pigwav"))
    if not folder.is_absolute():  # XDG Base Directory: a relative or empty XDG_CONFIG_HOME counts as not set
        folder = Path.home() / ".config" / "pigwav"
    return folder / "credentials.json"


def remembered_credentials() -> Credentials | None:
    """None if there is no file. Raises CredentialsUnusable if the file holds no valid credentials."""
    file = credentials_file()
    try:
        document = json.loads(file.read_bytes())
        return Credentials(str(document["url"]), int(document["user"]), UUID(document["token"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CredentialsUnusable(
            f"{file} holds no valid credentials. `pigwav logout` removes it."
        ) from error


def remember(new: Credentials) -> None:
    """Saves the credentials in a file that only the user may read. Raises OSError."""
    target = credentials_file()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private_json(target, {"url": new.url, "user": new.user_id, "token": str(new.token)})


def forget() -> None:
    credentials_file().unlink(missing_ok=True)
